"""Repeats the literature's own experiments on why axes align, or do not.

A training that is done already is not done again: interrupted, the same command goes on.

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
from typing import Any

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.mechanisms import EXPERIMENTS, SCALES

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
    """An experiment's settings, and those within them, with other seeds."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name == "seeds":
            changes["seeds"] = seeds
        elif dataclasses.is_dataclass(value):
            changes[field.name] = _reseeded(value, seeds)
    return dataclasses.replace(settings, **changes)


def main() -> None:
    """Checks the flags, trains what is needed, measures, writes, prints."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that programs are ended, too
    started = time.monotonic()
    profile = program.require_choice(_PROFILE.value, SCALES, "profile")
    for name in _EXPERIMENTS.value:
        program.require_choice(name, EXPERIMENTS, "experiment")
    seeds = _seeds()
    default = "results/mechanisms" + ("" if profile == "quick" else f"-{profile}")
    output = Path(_OUTPUT.value or default)

    from data.files import write_text
    from reproduce import jobs
    from reproduce.executors import LocalExecutor
    from reproduce.mechanisms import results

    modules = {
        name: importlib.import_module(f"reproduce.mechanisms.{name}") for name in _EXPERIMENTS.value
    }
    settings = {name: module.PROFILES[profile] for name, module in modules.items()}
    if seeds:
        settings = {name: _reseeded(own, seeds) for name, own in settings.items()}
    chains: dict[Path, jobs.Chain] = {}  # experiments share trainings
    for name, module in modules.items():
        for chain in module.chains(settings[name], output):
            chains.setdefault(chain.run.path, chain)
    with LocalExecutor(_WORKERS.value) as executor:
        failures = jobs.run_chains(list(chains.values()), executor, "training")
    if failures:
        named = "; ".join(f"{failure.where} on {chain.run.path}" for chain, failure in failures)
        raise program.RunError(f"failed: {named}; see log.txt there, then run this again")
    for name, module in modules.items():
        frame = module.measure(settings[name], output)
        write_text(output / f"{name}.csv", frame.to_csv(index=False, float_format="%.6g"))
        for row in frame[frame["arm"] == results.SUMMARY].itertuples():
            print(f"[{'as published' if row.holds else 'not as published'}] {row.sentence}")
    minutes, rest = divmod(round(time.monotonic() - started), 60)
    print(f"Tables: {output}\nTime: {minutes} min {rest:02d} s")


if __name__ == "__main__":
    program.run(main)
