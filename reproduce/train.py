"""Trains a model on a data set into a run directory; goes on where it was interrupted.

Example:
    python -m reproduce.train --model=beta_vae --dataset=dsprites --seed=0 --run_dir=runs/a
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import flags

import data
from models.registry import MODELS
from reproduce import program
from reproduce.training import recipes
from reproduce.training.run_directory import RunConfig, RunDirectory

_MODEL = flags.DEFINE_string("model", "beta_vae", f"What to train: {', '.join(MODELS)}.")
_DATASET = flags.DEFINE_string("dataset", "dsprites", f"On what: {', '.join(data.DATASETS)}.")
_DATA_SOURCE = flags.DEFINE_enum(
    "data_source",
    "rendered",
    ["rendered", "tfds", "files"],
    "Where a published data set comes from: the kit's own copy (rendered, or prepared before), "
    "TensorFlow Datasets, or its official files.",
)
_DATA_FILE = flags.DEFINE_string(
    "data_file", None, "The .npz of --dataset=npz, or the file or folder of --data_source=files."
)
_VARIANT = flags.DEFINE_string("variant", "", "The variant of a data set that comes in several.")
_RECIPE = flags.DEFINE_string(
    "recipe", None, f"A named recipe, which sets all else: {', '.join(recipes.RECIPES)}."
)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of weights, batches and noise.", lower_bound=0)
_NUM_STEPS = flags.DEFINE_integer("num_steps", None, "Training steps, in the recipe's place.")
_POSTERIOR = flags.DEFINE_string("posterior", None, "diagonal or full_covariance.")
_SET = flags.DEFINE_multi_string("set", [], "Further settings in the recipe's place: key=value.")
_RUN_DIR = flags.DEFINE_string("run_dir", None, "Where everything is written.")
_NUM_THREADS = flags.DEFINE_integer(
    "num_threads", 1, "CPU threads; two trainings of one thread beat one of two.", lower_bound=1
)
_XLA = flags.DEFINE_enum("xla", "auto", ["auto", "on", "off"], "auto: on a GPU, if faster.")


def _recipe() -> recipes.Recipe:
    changes = {}
    for item in _SET.value:
        key, separator, value = item.partition("=")
        if not separator:
            raise data.InputError(f"--set={item}; expected --set=key=value")
        changes[key] = value
    if _POSTERIOR.value is not None:
        changes["posterior"] = _POSTERIOR.value
    if _NUM_STEPS.value is not None:
        changes["num_steps"] = _NUM_STEPS.value
    return recipes.override(recipes.find(_MODEL.value, _RECIPE.value), changes)


def main() -> None:
    """Checks the flags, then loads, trains and writes."""
    if not _RUN_DIR.value:
        raise data.InputError("--run_dir is missing; give a folder for the run")
    if _SEED.value >= 2**31:
        raise data.InputError(f"--seed={_SEED.value}; expected a number below 2**31")
    recipe = _recipe()
    data_file = Path(_DATA_FILE.value) if _DATA_FILE.value else None
    program.require_choice(_DATASET.value, data.DATASETS, "data set")

    run = RunDirectory(_RUN_DIR.value)
    with run.locked():
        if _DATA_SOURCE.value != "rendered":  # TensorFlow reads it, and must be started before
            program.start_tensorflow(_NUM_THREADS.value)
        dataset = data.load(_DATASET.value, _DATA_SOURCE.value, data_file, _VARIANT.value)
        dataset = dataset.at_size(recipe.image_size)
        if hasattr(recipe.settings, "fitted_to"):
            fitted = recipe.settings.fitted_to(dataset, recipe.num_steps)
            recipe = dataclasses.replace(recipe, settings=fitted)
        config = RunConfig(
            recipe,
            _DATASET.value,
            _DATA_SOURCE.value,
            _DATA_FILE.value,
            dataset.fingerprint,
            dataset.image_shape,
            _SEED.value,
            _VARIANT.value,
        )
        run.claim(config)
        if run.is_finished():
            run.check_end()
            run.release_weights()
            print(f"{run.path} is finished: {recipe.num_steps} steps")
            return
        program.start_tensorflow(_NUM_THREADS.value)
        from reproduce.training import loop

        loop.train(config, dataset, run, _XLA.value)
        run.release_weights()
        print(f"{run.path} is finished: {recipe.num_steps} steps")


if __name__ == "__main__":
    program.run(main)
