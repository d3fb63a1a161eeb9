"""The names that flags choose from, apart from what they stand for: checked before all else loads.

Meanings: `bases.FAMILIES`, `scoring.METRICS`.
"""

from __future__ import annotations

from collections.abc import Sequence

from data.files import InputError

FAMILIES = (
    "haar_active",
    "haar",
    "general_linear",
    "general_linear_traversal",
    "signed_permutation",
    "pca",
    "ica",
    "supervised",
    "geodesic",
)
METRICS = (
    "mig",
    "mig_sup",
    "modularity",
    "sap_continuous",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "factor_vae",
    "beta_vae",
    "irs",
    "sap",
    "explicitness",
    "dci",
    "dci_linear",
    "dci_es",
)
OF_MODELS = ("udr", "distance_to_orthogonality")  # not functions of one file's latents and factors
DEFAULT_SCORES = tuple(metric for metric in METRICS if metric not in ("dci_linear", "dci_es"))


def check_families(names: Sequence[str]) -> None:
    """Raises InputError if a family is unknown, or none is given."""
    _check("family", names, FAMILIES)


def check_metrics(names: Sequence[str], further: Sequence[str] = ()) -> None:
    """Raises InputError if a metric is unknown, or none is given."""
    _check("metric", names, (*METRICS, *further))


def _check(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    if not names:
        raise InputError(f"no {what} is named; expected some of {', '.join(known)}")
    for name in names:
        if name not in known:
            raise InputError(f"unknown {what} {name!r}; expected some of {', '.join(known)}")
        if list(names).count(name) > 1:
            raise InputError(f"the {what} {name} is named twice; name each once")
