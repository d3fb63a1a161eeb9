r"""Measures how often the test finds aligned axes that were rotated part of the way.

Example:
    python -m reproduce.power --output=paper/results/power.csv --workers=2
"""

from __future__ import annotations

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.metrics import registry

_METRICS = flags.DEFINE_list(
    "metrics",
    ["mig", "mig_sup", "modularity", "sap_continuous", "factor_vae"],
    f"Some of {', '.join(registry.OF_LATENTS)}.",
)
_TIMES = flags.DEFINE_list(
    "times",
    ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.8", "1"],
    "How far the latents are turned: 0 is aligned, 1 is one more random basis.",
)
_REPETITIONS = flags.DEFINE_integer("repetitions", 200, "Representations.", lower_bound=1)
_NUM_BASES = flags.DEFINE_integer("num_bases", 499, "Draws of each family.", lower_bound=1)
_NUM_POINTS = flags.DEFINE_integer("num_points", 500, "Rows of each representation.", lower_bound=2)
_NUM_FACTORS = flags.DEFINE_integer("num_factors", 4, "And as many latents.", lower_bound=2)
_WORKERS = flags.DEFINE_integer("workers", 1, "Processes.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of everything.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "power.csv", "A row for each t, family, metric and level.")


def main() -> None:
    """Checks the flags, measures, writes, prints."""
    registry.check_metrics(_METRICS.value)
    try:
        times = [float(time) for time in _TIMES.value]
    except ValueError:
        times = []
    if not times or not all(0 <= time <= 1 for time in times):
        raise InputError(f"--times is {','.join(_TIMES.value)!r}; expected numbers from 0 to 1")

    from data.files import write_text
    from reproduce.basis import operating_characteristics
    from reproduce.training import progress

    design = operating_characteristics.Design(
        tuple(_METRICS.value),
        num_bases=_NUM_BASES.value,
        num_points=_NUM_POINTS.value,
        num_latents=_NUM_FACTORS.value,
        num_factors=_NUM_FACTORS.value,
        num_classes=5,
    )
    total = _REPETITIONS.value * len(times)
    with progress.bar(desc="power", total=total, unit=" tests") as bar:
        table = operating_characteristics.power_curve(
            design, _REPETITIONS.value, _SEED.value, times, _WORKERS.value, bar.update
        )
    write_text(_OUTPUT.value, table.to_csv(index=False))
    shown = table.pivot(index=["metric", "family", "level"], columns="t", values="power")
    print(shown.to_string(float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    program.run(main)
