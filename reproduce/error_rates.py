r"""Measures how often verdicts over seeds, and contrasts of arms, are right and wrong.

Example:
    python -m reproduce.error_rates --output=paper/results/error_rates.csv
"""

from __future__ import annotations

from absl import flags

from data.files import InputError
from reproduce import program

_NUM_SEEDS = flags.DEFINE_list("num_seeds", ["3", "6", "12"], "Seeds an arm.")
_REPETITIONS = flags.DEFINE_integer("repetitions", 1000, "Studies of each kind.", lower_bound=1)
_NUM_BASES = flags.DEFINE_integer("num_bases", 999, "Draws of each null.", lower_bound=2)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of everything.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "error_rates.csv", "A row for each truth and outcome.")


def main() -> None:
    """Checks the flags, simulates, writes, prints."""
    if not all(number.isdecimal() and int(number) >= 2 for number in _NUM_SEEDS.value):
        raise InputError(
            f"--num_seeds is {','.join(_NUM_SEEDS.value)!r}; expected whole numbers from 2 on"
        )
    from data.files import check_outputs, write_text
    from reproduce.basis import error_rates
    from reproduce.training import progress

    check_outputs([_OUTPUT.value])
    numbers = [int(number) for number in _NUM_SEEDS.value]
    total = _REPETITIONS.value * len(numbers) * len(error_rates.TRUTHS)
    with progress.bar(desc="error rates", total=total, unit=" studies") as bar:
        table = error_rates.simulate(
            error_rates.TRUTHS,
            numbers,
            _REPETITIONS.value,
            _NUM_BASES.value,
            _SEED.value,
            bar.update,
        )
    write_text(_OUTPUT.value, table.to_csv(index=False))
    shown = table.pivot(index=["truth", "num_seeds"], columns="outcome", values="share")
    print(shown.to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    program.run(main)
