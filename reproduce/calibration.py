r"""Measures how often the test calls axes special that are one more draw of random bases.

Example:
    python -m reproduce.calibration --output=paper/results/calibration.csv --workers=2
"""

from __future__ import annotations

from absl import flags

from reproduce import program
from reproduce.metrics import registry

_METRICS = flags.DEFINE_list(
    "metrics", list(registry.OF_LATENTS), f"Some of {', '.join(registry.OF_LATENTS)}."
)
_REPETITIONS = flags.DEFINE_integer(
    "repetitions", 200, "Representations for each metric and way of drawing.", lower_bound=1
)
_NUM_BASES = flags.DEFINE_integer("num_bases", 99, "Draws of each family.", lower_bound=1)
_NUM_TREE_BASES = flags.DEFINE_integer(
    "num_tree_bases", 19, "The same for dci, whose boosted trees are slow.", lower_bound=1
)
_WORKERS = flags.DEFINE_integer("workers", 1, "Processes.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of everything.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "calibration.csv", "A row for each family and metric.")


def main() -> None:
    """Checks the flags, measures, writes, prints."""
    registry.check_metrics(_METRICS.value)
    from data.files import write_text
    from reproduce.basis import operating_characteristics
    from reproduce.training import progress

    designs = operating_characteristics.calibration_designs(
        _METRICS.value, _NUM_BASES.value, _NUM_TREE_BASES.value
    )
    total = _REPETITIONS.value * sum(len(design.nulls) for design in designs if design.metrics)
    with progress.bar(desc="calibration", total=total, unit=" tests") as bar:
        table = operating_characteristics.calibrate(
            designs, _REPETITIONS.value, _SEED.value, _WORKERS.value, bar.update
        )
    write_text(_OUTPUT.value, table.to_csv(index=False))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    suspects = table[table["tail"] * len(operating_characteristics.LEVELS) * len(table) < 0.05]
    for row in suspects.to_dict("records"):
        print(f"too often: {row['family']}, {row['metric']}, {row['null']} ({row['tail']:.1g})")


if __name__ == "__main__":
    program.run(main)
