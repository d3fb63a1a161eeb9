"""Scores a representation as it is, by any of the field's metrics.

Example:
    python -m reproduce.score --representation=representation.npz --metrics=mig,dci
"""

from __future__ import annotations

from absl import flags

from data.files import InputError
from reproduce import choices, program

_REPRESENTATION = flags.DEFINE_string("representation", None, "A representation.npz.")
_METRICS = flags.DEFINE_list(
    "metrics", list(choices.METRICS), f"Some of {', '.join(choices.METRICS)}."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of splits, groups of rows and fits.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "scores.csv", "The table: metric, value.")


def main() -> None:
    """Checks the flags, scores, writes, prints."""
    if not _REPRESENTATION.value:
        raise InputError("--representation is missing; give a representation.npz")
    choices.check_metrics(_METRICS.value)

    import pandas as pd
    import tqdm

    from data.files import write_text
    from reproduce import representation, scoring

    scored = representation.load(_REPRESENTATION.value)
    rows: list[tuple[str, float]] = []
    for metric in tqdm.tqdm(_METRICS.value, desc="scoring", unit=" metrics", disable=None):
        rows += scoring.score(scored.points(), [metric], _SEED.value).items()
    frame = pd.DataFrame(rows, columns=["metric", "value"])
    write_text(_OUTPUT.value, frame.to_csv(index=False))
    print(frame.to_string(index=False))


if __name__ == "__main__":
    program.run(main)
