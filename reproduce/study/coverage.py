"""Measures on simulated raters how often the study's analysis errs, and its power.

Example:
    python -m reproduce.study.coverage --output=paper/results/study_coverage.csv
"""

from __future__ import annotations

from absl import flags

from data.files import InputError
from reproduce import program

_PREFERENCES = flags.DEFINE_list(
    "preferences", ["0.5", "0.55", "0.6", "0.7"], "Planted shares of choices."
)
_STUDIES = flags.DEFINE_integer("studies", 200, "Simulated studies of each.", lower_bound=1)
_RATERS = flags.DEFINE_integer("raters", 60, "Raters of each study.", lower_bound=3)
_TRIALS = flags.DEFINE_integer("trials", 32, "Trials of each rater.", lower_bound=1)
_ITEMS = flags.DEFINE_integer("items", 64, "Pairs, a multiple of --trials.", lower_bound=3)
_SD_RATER = flags.DEFINE_float("sd_rater", 0.5, "In logits.", lower_bound=0)
_SD_ITEM = flags.DEFINE_float("sd_item", 0.7, "In logits.", lower_bound=0)
_LEFT_BIAS = flags.DEFINE_float("left_bias", 0.2, "How all raters prefer the left side, in logits.")
_SEED = flags.DEFINE_integer("seed", 0, "The seed of everything.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "study_coverage.csv", "A row for each preference.")


def main() -> None:
    """Checks the flags, measures, writes, prints."""
    try:
        shares = [float(share) for share in _PREFERENCES.value]
    except ValueError:
        shares = []
    if not shares or not all(0.01 <= share <= 0.99 for share in shares):
        raise InputError(
            f"--preferences={','.join(_PREFERENCES.value)}; expected shares from .01 to .99"
        )
    if _ITEMS.value % _TRIALS.value:
        raise InputError(f"--items={_ITEMS.value}; expected a multiple of --trials={_TRIALS.value}")

    from data.files import write_text
    from reproduce.study import error_rates
    from reproduce.study.simulated_raters import Truth
    from reproduce.training import progress

    shape = (_RATERS.value, _TRIALS.value, _ITEMS.value)
    total = len(shares) * _STUDIES.value
    truths = [Truth(share, _SD_RATER.value, _SD_ITEM.value, _LEFT_BIAS.value) for share in shares]
    with progress.bar(desc="simulated studies", total=total, unit=" studies") as bar:
        table = error_rates.measure(truths, shape, _STUDIES.value, _SEED.value, bar.update)
    write_text(_OUTPUT.value, table.to_csv(index=False))
    shown = table.T
    print(shown.to_string(header=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    program.run(main)
