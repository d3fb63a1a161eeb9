"""A sweep whose runs are quick: a stand-in for training and tests, under the real driver.

python -m stand_in sweep FLAGS                   the driver, reproduce.sweep, with such runs
python -m stand_in run RUN_DIR SEED POSTERIOR    one of them

A run makes STEPS steps, each of which depends on all before it, and keeps a checkpoint of each; its
result follows from its seed. STAND_IN_BROKEN names a run that always fails, STAND_IN_FLAKY one that
fails the first time.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path

import numpy as np

from data.files import save_npz, write_text
from models.settings import BetaVAESettings
from reproduce.training.recipes import Recipe
from reproduce.training.run_directory import RunConfig, RunDirectory

STEPS = 20
SECONDS_A_STEP = 0.03


def chain(output, dataset, profile, arm, seed):
    """In the place of `chains.of_run`."""
    from reproduce.pipeline import jobs

    run = RunDirectory(output / "runs" / f"{arm.name}-seed{seed}")
    arguments = ("stand_in", "run", str(run.path), str(seed), arm.changes["posterior"])
    return jobs.Chain(run, STEPS, (jobs.Step(arguments, run.basis_test_file),))


def make(path: str, seed: int, posterior: str) -> None:
    run = RunDirectory(path)
    settings = BetaVAESettings(posterior=posterior)
    recipe = Recipe("beta_vae", settings, num_steps=STEPS, log_every=1, checkpoint_every=1)
    config = RunConfig(recipe, "npz", "rendered", "a.npz", "0123", (16, 16, 1), seed)
    with run.locked():
        run.claim(config)
        state = _State(np.array([seed, len(posterior)], np.uint64))
        step = max(run.checkpoints(), default=0)
        if step:
            run.load_checkpoint(step, {"state": state})
        print(f"from step {step}", flush=True)
        _fail_if_asked(run.path)
        while step < STEPS:
            time.sleep(SECONDS_A_STEP)
            state.value = np.random.SeedSequence(state.value).generate_state(2, np.uint64)
            step += 1
            write_text(run.timings_file, f"step,images_per_second\n{step},1\n")
            run.save_checkpoint(step, {"state": state.value})
        rng = np.random.default_rng(state.value)
        observed, null = rng.random(), rng.random(99)
        terms = "step,loss,reconstruction,kl"
        write_text(run.training_file, f"{terms}\n{STEPS},{rng.random()},1.0,1.0\n")
        arrays = {"latents": rng.normal(size=(50, 3)), "factors": rng.integers(3, size=(50, 2))}
        names = {"factor_names": np.array(["a", "b"]), "factor_sizes": np.array([3, 3])}
        save_npz(run.representation_file, arrays | names)
        save_npz(run.path / "null.npz", {"haar/mig": null, "haar_active/mig": null})
        p = (1 + np.sum(null >= observed)) / 100
        z = (observed - null.mean()) / null.std(ddof=1)
        rest = f"{null.mean()},{null.std(ddof=1)},{null.max()},{z},{p},99,,{p},1.0,"
        rows = [f"{family},mig,{observed},{rest}\n" for family in ("haar", "haar_active")]
        header = "family,metric,observed,null_mean,null_sd,null_max,z,p_value,num_bases"
        write_text(run.basis_test_file, f"{header},t,p_max_t,detectable,rho\n{''.join(rows)}")


@dataclasses.dataclass
class _State:
    """So much of a variable as a run directory uses."""

    value: np.ndarray
    shape: tuple[int, ...] = (2,)

    def assign(self, value):
        self.value = value


def _fail_if_asked(path: Path) -> None:
    if os.environ.get("STAND_IN_BROKEN") == path.name:
        sys.exit("stand_in: the loss is not finite at step 7")
    tried = path / "tried"
    if os.environ.get("STAND_IN_FLAKY") == path.name and not tried.exists():
        tried.touch()
        sys.exit("stand_in: no memory")


if __name__ == "__main__":
    what = sys.argv.pop(1)
    if what == "run":
        make(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        from reproduce import program, sweep
        from reproduce.pipeline import chains, warm

        chains.of_run = chain
        warm.IMPORTED = ("reproduce.training.run_directory",)  # all that these runs need
        program.run(sweep.main)
