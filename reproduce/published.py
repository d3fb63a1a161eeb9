"""Tests models that others trained and published, on images with known factors, and writes a page.

Takes the folder of published models of YannDubs/disentangling-vae: sixteen VAEs, eight trained on
CelebA, eight on dSprites. Neither PyTorch nor CelebA is needed: models of photographs are tested on
rendered faces. What is done already is not done again.

Example:
    python -m reproduce.published --weights=results --output=results/published
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from absl import flags

from data.files import InputError, atomic_write
from reproduce import program
from reproduce.pipeline import jobs, published_models
from reproduce.pipeline.executors import LocalExecutor

_WEIGHTS = flags.DEFINE_string("weights", None, "A folder with a folder for each model.")
_OUTPUT = flags.DEFINE_string("output", "results/published", "A folder.")
_NUM_BASES = flags.DEFINE_integer("num_bases", 9_999, "Draws of each null family.", lower_bound=1)
_VARIANT = flags.DEFINE_string(
    "face_variant",
    "celeba_crop",
    "The variant of the faces that models of photographs are tested on; empty for the plain ones.",
)
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Programs at once; by default one a core.", lower_bound=1
)


def main() -> None:
    """Runs the chains, judges, writes the page."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that programs are ended, too
    started = time.monotonic()
    if not _WEIGHTS.value:
        raise InputError("--weights is missing; give the folder of published models")
    models, output = published_models.find(Path(_WEIGHTS.value)), Path(_OUTPUT.value)
    chains = [
        published_models.chain(model, output, _NUM_BASES.value, _VARIANT.value) for model in models
    ]
    with LocalExecutor(_WORKERS.value) as executor:
        failures = jobs.run_chains(chains, executor, "published models")
        if failures:
            named = "; ".join(f"{chain}: {failure}" for chain, failure in failures.items())
            raise program.RunError(f"failed: {named}; see log.txt there, then run this again")
        for folder in sorted({chain.run.path.parent.parent for chain in chains}):
            _judge(folder, executor.leash)
    from reproduce.reporting import published_page

    for name, content in published_page.render([chain.run for chain in chains]).items():
        with atomic_write(output / name) as file:
            file.write(content)
    print(f"Page: {output / published_page.PAGE}")
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"Time: {minutes} min {seconds:02d} s")


def _judge(folder: Path, leash: jobs.Leash) -> None:
    """Writes verdict.csv and report.html of a data set's runs."""
    runs, verdict, page = (
        f"--runs={folder / 'runs'}",
        folder / "verdict.csv",
        folder / "report.html",
    )
    steps = (
        jobs.Step(("reproduce.verdict", runs, f"--output={verdict}"), verdict),
        jobs.Step(
            ("reproduce.report", runs, f"--verdict={verdict}", f"--output={page}"),
            page,
        ),
    )
    for step in steps:
        jobs.run_step(step, folder / "log.txt", leash)


if __name__ == "__main__":
    program.run(main)
