"""The kit from Python, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reproduce.basis import assessment, representation


def assess_basis(
    latents: np.ndarray,
    factors: np.ndarray,
    factor_names: Sequence[str] | None = None,
    log_variance: np.ndarray | None = None,
    families: Sequence[str] = ("haar_active", "haar"),
    metrics: Sequence[str] = ("mig",),
    num_bases: int = 9999,
    num_fits: int = 99,
    seed: int = 0,
    workers: int = 1,
) -> pd.DataFrame:
    """Tests whether the axes of latents are special among random bases.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices.
        factor_names: The k names; numbered by default.
        log_variance: float [n, d], log of the posterior's marginal variances, if there are any.
        families: Keys of `bases.FAMILIES`.
        metrics: Some of `registry.OF_LATENTS`.
        num_bases: Draws of each null family.
        num_fits: Draws for metrics that need a fit for every basis.
        seed: The seed of the draws.
        workers: Processes for such fits.

    Returns:
        A frame as `assessment.Assessment` documents it, a row for each family and metric.

    Raises:
        InputError: If the arrays do not fit together, or a name is unknown.
    """
    factors = np.asarray(factors)
    if factors.ndim == 1:
        factors = factors[:, None]
    num_factors = factors.shape[1]
    names = factor_names or [f"factor {j}" for j in range(num_factors)]
    arrays = {
        "latents": np.asarray(latents),
        "factors": factors,
        "factor_names": np.array(names),
        "factor_sizes": factors.max(axis=0) + 1,
    }
    if log_variance is not None:
        arrays["log_variance"] = np.asarray(log_variance)
    tested = representation.from_arrays(arrays)
    plan = assessment.Plan(families, metrics, num_bases, num_fits, seed, workers)
    return assessment.assess(tested, plan).table
