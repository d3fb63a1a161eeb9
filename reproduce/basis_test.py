"""Tests whether a representation's learned axes are special among random bases.

Example:
    python -m reproduce.basis_test --representation=representation.npz --output=basis_test.csv
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from absl import flags

from data.files import InputError
from reproduce import choices, program

_REPRESENTATION = flags.DEFINE_string("representation", None, "A representation.npz.")
_FAMILIES = flags.DEFINE_list("families", list(choices.FAMILIES), "Which bases to compare with.")
_METRICS = flags.DEFINE_list("metrics", list(choices.METRICS), "By which metrics.")
_NUM_BASES = flags.DEFINE_integer("num_bases", 9999, "Draws of each null family.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the draws.", lower_bound=0)
_SKIP_INACTIVE = flags.DEFINE_bool(
    "skip_inactive", False, "Leave out families of the active latents where fewer than two are."
)
_OUTPUT = flags.DEFINE_string(
    "output", "basis_test.csv", "The table; the draws go into null.npz beside it."
)


def main() -> None:
    """Checks the flags, tests, writes, prints."""
    if not _REPRESENTATION.value:
        raise InputError("--representation is missing; give a representation.npz")
    families, metrics = _FAMILIES.value, _METRICS.value
    choices.check(families, metrics)

    import tqdm

    from data.files import save_npz, write_text
    from reproduce import assessment, bases, representation

    tested = representation.load(_REPRESENTATION.value)
    if _SKIP_INACTIVE.value and len(tested.active()) < 2:
        families = [family for family in families if not bases.FAMILIES[family].needs_active]
        logging.warning("fewer than two latents are active; tested %s alone", ", ".join(families))
    total = assessment.total_bases(families, _NUM_BASES.value)
    with tqdm.tqdm(desc="basis test", total=total, unit=" bases", disable=None) as bar:
        frame, nulls = assessment.assess(
            tested, families, metrics, _NUM_BASES.value, _SEED.value, bar.update
        )
    for metric, drift in assessment.control_drifts(frame, nulls).items():
        if drift > assessment.CONTROL_TOLERANCE:
            logging.warning(
                "signed permutations change %s by up to %.3f; the latents sit on bin edges "
                "(are they whole numbers?), so read the p-values with care",
                metric,
                drift,
            )
    output = Path(_OUTPUT.value)
    nulls["seed"] = np.array(_SEED.value)
    nulls["active"] = tested.active()
    save_npz(output.parent / "null.npz", nulls)
    write_text(output, frame.to_csv(index=False))
    print(frame.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    program.run(main)
