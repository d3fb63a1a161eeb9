r"""Tests whether a representation's learned axes are special among random bases.

Example:
    python -m reproduce.basis_test --representation=representation.npz --output=basis_test.csv \
        --report=report.html
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from data import blocks
from data.files import InputError, check_outputs
from reproduce import program
from reproduce.basis import bases
from reproduce.metrics import registry

if TYPE_CHECKING:
    from reproduce.basis.assessment import Assessment
    from reproduce.basis.representation import Representation

_REPRESENTATION = flags.DEFINE_string("representation", None, "A representation.npz.")
_FAMILIES = flags.DEFINE_list(
    "families", list(bases.FAMILIES), f"Some of {', '.join(bases.FAMILIES)}."
)
_METRICS = flags.DEFINE_list("metrics", ["mig"], f"Some of {', '.join(registry.OF_LATENTS)}.")
_NUM_BASES = flags.DEFINE_integer("num_bases", 9999, "Draws of each null family.", lower_bound=1)
_NUM_EXPLORATORY = flags.DEFINE_integer(
    "num_exploratory", None, "Fewer draws of nulls by which no verdict is made.", lower_bound=1
)
_NUM_FITS = flags.DEFINE_integer(
    "num_fits", 99, "Draws for metrics that need a fit for every basis.", lower_bound=1
)
_WORKERS = flags.DEFINE_integer("workers", 1, "Processes for such fits.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of the draws.", lower_bound=0)
_DEVICE = flags.DEFINE_enum(
    "device", "cpu", ["cpu", "gpu"], "Where mutual information is computed."
)
_TURNED_FACTORS = flags.DEFINE_list(
    "turned_factors",
    [],
    "Two ordered factors, to be described by their sum and difference: a control.",
)
_SKIP_INACTIVE = flags.DEFINE_bool(
    "skip_inactive", False, "Leave out families of the active latents where fewer than two are."
)
_OUTPUT = flags.DEFINE_string(
    "output",
    "basis_test.csv",
    "The table; beside it go the draws (null.npz), the best axes (cherry_picking.csv), and, with "
    "MIG, verdicts by factor (factor_test.csv) and what each axis tells (axis_information.csv).",
)
_REPORT = flags.DEFINE_string("report", None, "A page of it as well, as reproduce.report writes.")


def main() -> None:
    """Checks the flags, tests, writes, prints."""
    _check_flags()
    output = Path(_OUTPUT.value)
    from reproduce.basis import assessment, representation
    from reproduce.reporting import result_tables
    from reproduce.training import progress

    given = representation.load(_REPRESENTATION.value)
    turned = _TURNED_FACTORS.value
    tested = representation.turned(given, *turned) if turned else given
    plan = assessment.Plan(
        _families(tested),
        _METRICS.value,
        _NUM_BASES.value,
        _NUM_FITS.value,
        _SEED.value,
        _WORKERS.value,
        _DEVICE.value,
        num_exploratory=_NUM_EXPLORATORY.value,
    )
    with progress.bar(desc="basis test", total=plan.total(), unit=" bases") as bar:
        found = assessment.assess(tested, plan, bar.update)
    _warn_of_drifts(found)
    _write_beside(output, given, found)
    result_tables.write(output, found.table)
    shown = found.table.dropna(axis=1, how="all")
    print(shown.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}"))
    if _REPORT.value:
        print(*_write_report(output), _REPORT.value, sep="\n")


def _families(tested: Representation) -> list[str]:
    """The flags' families that can be tested; warns of all that a reader would not expect."""
    families, active = _FAMILIES.value, tested.active()
    if _SKIP_INACTIVE.value and len(active) < 2:
        families = [family for family in families if not bases.FAMILIES[family].needs_active]
        logging.warning("fewer than two latents are active; tested %s alone", ", ".join(families))
    sampled = [name for name in families if bases.FAMILIES[name].is_fitted]
    if sampled and blocks.is_large(tested.latents):
        logging.warning(
            "so many latents are kept but once; %s: fitted to a sample of rows", ", ".join(sampled)
        )
    if tested.identifiers():
        logging.warning(tested.identifiers())
    if tested.left_out() and len(active) >= 2:
        logging.warning(tested.left_out())
    return families


def _warn_of_drifts(found: Assessment) -> None:
    """Warns of metrics that a mere exchange of axes changes."""
    from reproduce.basis import assessment

    for metric, drift in assessment.control_drifts(found.table, found.nulls).items():
        if not drift <= assessment.CONTROL_TOLERANCE:
            logging.warning(
                "signed permutations change %s by up to %.3f; the latents sit on bin edges "
                "(are they whole numbers?), so read the p-values with care",
                metric,
                drift,
            )


def _write_beside(output: Path, given: Representation, found: Assessment) -> None:
    """Writes the draws, with fingerprints of what they belong to, and the tables beside them."""
    from data.files import save_npz
    from reproduce.reporting import result_tables, seed_results

    null_file, *files = _files_beside(output)
    picked = found.cherry_picking
    extras = {
        "seed": np.array(_SEED.value),
        "active": given.active(),
        seed_results.FINGERPRINT: np.array(given.fingerprint),
        seed_results.TURNED_KEY: np.array(",".join(_TURNED_FACTORS.value)),
        seed_results.TABLE: result_tables.fingerprint(found.table),
        seed_results.PICKED: np.array("") if picked is None else result_tables.fingerprint(picked),
    }
    save_npz(null_file, found.nulls | extras)
    for file, table in zip(files, (picked, found.by_factor, found.shares), strict=True):
        if table is not None:
            result_tables.write(file, table)


def _write_report(output: Path) -> list[str]:
    """Writes the page of the test; gives its verdicts in words."""
    from data.files import write_text
    from reproduce.reporting import page, seed_results, seed_verdicts

    results = seed_results.read_representations([Path(_REPRESENTATION.value)], [output])
    table, contrasts = seed_verdicts.judge(results, seed=0)
    write_text(Path(_REPORT.value), page.render(results, table, contrasts))
    return list(table["sentence"])


def _files_beside(output: Path) -> list[Path]:
    """The files of the draws, of the best axes, and of factors and axes one by one."""
    names = ("null.npz", "cherry_picking.csv", "factor_test.csv", "axis_information.csv")
    return [output.parent / name for name in names]


def _check_flags() -> None:
    """Refuses flags that do not go together, before anything is read."""
    if not _REPRESENTATION.value:
        raise InputError("--representation is missing; give a representation.npz")
    bases.check_families(_FAMILIES.value)
    registry.check_metrics(_METRICS.value)
    output, pages = Path(_OUTPUT.value), [_REPORT.value] if _REPORT.value else []
    check_outputs([output, *_files_beside(output), *pages], [_REPRESENTATION.value])
    if len(_TURNED_FACTORS.value) not in (0, 2):
        raise InputError(f"--turned_factors={','.join(_TURNED_FACTORS.value)}; expected two names")
    if _TURNED_FACTORS.value and _REPORT.value:
        raise InputError("--report shows the factors as they are; leave out --turned_factors")
    if _REPORT.value:
        from reproduce.reporting import names

        missing = [name for name in names.NULLS if name not in _FAMILIES.value]
        if missing:
            raise InputError(f"--report compares with {missing[0]}, too; add it to --families")
    if _DEVICE.value == "gpu" and not program.start_tensorflow().config.list_physical_devices(
        "GPU"
    ):
        raise InputError("--device=gpu, but TensorFlow finds no GPU; leave the flag out")


if __name__ == "__main__":
    program.run(main)
