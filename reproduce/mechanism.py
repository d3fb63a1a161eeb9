"""Repeats the literature's own experiments on why axes align, or do not.

Trainings are shared by experiments, and what is done already is not done again: interrupted, the
same command goes on.

Examples:
    python -m reproduce.mechanism --output=results/mechanisms
    python -m reproduce.mechanism --experiments=rolinek_toy,szegedy --profile=paper
"""

from __future__ import annotations

import dataclasses
import importlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from data.files import InputError, write_text
from reproduce import program
from reproduce.mechanisms import EXPERIMENTS, SCALES
from reproduce.pipeline import jobs
from reproduce.pipeline.executors import LocalExecutor

if TYPE_CHECKING:
    import pandas as pd

_EXPERIMENTS = flags.DEFINE_list(
    "experiments", list(EXPERIMENTS), f"Some of {', '.join(EXPERIMENTS)}; by default all."
)
_PROFILE = flags.DEFINE_string("profile", "quick", f"One of {', '.join(SCALES)}.")
_SEEDS = flags.DEFINE_list("seeds", [], "Seeds, in the profile's place.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "A folder; by default results/mechanisms, or results/mechanisms-PROFILE."
)
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Programs at once; by default one a core, or one a GPU.", lower_bound=1
)


def _seeds() -> tuple[int, ...]:
    if not all(seed.isdecimal() for seed in _SEEDS.value):
        raise InputError(f"--seeds={','.join(_SEEDS.value)}; expected whole numbers, as in 30,31")
    return tuple(int(seed) for seed in _SEEDS.value)


def _reseeded(settings: Any, seeds: tuple[int, ...]) -> Any:
    """An experiment's settings, and those within them, with other seeds, if there are any."""
    if not seeds:
        return settings
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name == "seeds":
            changes["seeds"] = seeds
        elif dataclasses.is_dataclass(value):
            changes[field.name] = _reseeded(value, seeds)
    return dataclasses.replace(settings, **changes)


def _train(name: str, chains: list[jobs.Chain], executor: LocalExecutor) -> list[str]:
    """Trains what is not trained yet; returns what failed, and where."""
    failures = jobs.run_chains(chains, executor, name)
    return [f"{failure.where} on {chain.run.path}" for chain, failure in failures.items()]


def _write(name: str, frame: pd.DataFrame, output: Path) -> None:
    """Writes an experiment's table and prints its sentences."""
    from reproduce.mechanisms import results

    write_text(output / f"{name}.csv", frame.to_csv(index=False, float_format="%.6g"))
    for row in frame[frame["arm"] == results.SUMMARY].to_dict("records"):
        told = results.as_published(row["holds"], row["p_value"])
        print(f"[as published: {told}] {row['sentence']}", flush=True)


def main() -> None:
    """Checks the flags; trains, measures and writes, one experiment after the other."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that programs are ended, too
    started = time.monotonic()
    profile = program.require_choice(_PROFILE.value, SCALES, "profile")
    for name in _EXPERIMENTS.value:
        program.require_choice(name, EXPERIMENTS, "experiment")
    seeds = _seeds()
    default = "results/mechanisms" + ("" if profile == "quick" else f"-{profile}")
    output = Path(_OUTPUT.value or default)

    failures = []
    with LocalExecutor(_WORKERS.value) as executor:
        for name in _EXPERIMENTS.value:
            module = importlib.import_module(f"reproduce.mechanisms.{name}")
            settings = _reseeded(module.PROFILES[profile], seeds)
            failed = _train(name, module.chains(settings, output), executor)
            failures += failed
            if not failed:
                _write(name, module.measure(settings, output), output)
    if failures:
        raise program.RunError(f"failed: {'; '.join(failures)}; see log.txt there, then run again")
    minutes, rest = divmod(round(time.monotonic() - started), 60)
    print(f"Tables: {output}\nTime: {minutes} min {rest:02d} s")


if __name__ == "__main__":
    program.run(main)
