"""Turns another kit's trained weights into a run directory, to be tested like a run of this kit.

Reads models of YannDubs/disentangling-vae (PyTorch; Burgess et al. 2018's networks for images of
64 x 64 pixels, grey or in colour) as they are published: a folder with model.pt, specs.json and
test_losses.log, or a .pt alone; or an .npz of the same state_dict. PyTorch is not needed, and
nothing in the file is executed. The images that a model was trained on are not needed either: it
is tested on --dataset, which reproduce.represent can change later.

Example:
    python -m reproduce.import_weights --weights=results/betaH_celeba --run_dir=runs/betaH_celeba
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

import data
from data.files import InputError
from reproduce import program
from reproduce.training import recipes
from reproduce.training.run_directory import RunConfig, RunDirectory

_WEIGHTS = flags.DEFINE_string(
    "weights", None, "A folder with model.pt, a .pt, or an .npz of a state_dict."
)
_RUN_DIR = flags.DEFINE_string("run_dir", None, "The run directory to make.")
_TRAINED_ON = flags.DEFINE_string(
    "trained_on", "", "What the model was trained on, where no specs.json says so."
)
_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "What the model is to be tested on; by default dsprites for grey images, faces for colour.",
)
_VARIANT = flags.DEFINE_string("variant", "", "The data set's variant, if it has several.")
_DATA_FILE = flags.DEFINE_string("data_file", None, "The .npz of --dataset=npz.")


def main() -> None:
    """Checks, converts, writes."""
    if not _WEIGHTS.value:
        raise InputError("--weights is missing; give a folder with model.pt, a .pt or an .npz")
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a new folder")
    if _DATASET.value:
        program.require_choice(_DATASET.value, data.DATASETS, "data set")
    from reproduce.training import origins, torch_weights

    file = torch_weights.find(Path(_WEIGHTS.value))
    state = torch_weights.read(file)
    channels = torch_weights.num_channels(state)
    name = _DATASET.value or ("dsprites" if channels == 1 else "faces")
    # In the kit's first versions an .npz was taken for dSprites'.
    origin = origins.read(file, _TRAINED_ON.value or (name if file.suffix == ".npz" else ""))
    changes = {"objective": "beta", "num_latents": torch_weights.num_latents(state)}
    changes |= {"num_steps": 1, "log_every": 1, "checkpoint_every": 1}
    changes |= {"image_size": torch_weights.IMAGE_SIZE}
    recipe = recipes.override(recipes.find("beta_vae", "burgess2018"), changes)
    run = RunDirectory(_RUN_DIR.value)
    with run.locked():
        if run.config_file.exists():
            raise InputError(f"{run.path} holds a run already; give a new folder")
        data_file = Path(_DATA_FILE.value) if _DATA_FILE.value else None
        dataset = data.load(name, data_file=data_file, variant=_VARIANT.value)
        shape = (torch_weights.IMAGE_SIZE, torch_weights.IMAGE_SIZE, channels)
        config = RunConfig(recipe, "", "", None, "", shape, origin.seed, origin=origin)
        config = config.tested_on(dataset, name, "rendered", _DATA_FILE.value, _VARIANT.value)
        program.start_tensorflow()
        import numpy as np

        import models

        model = models.build(recipe.settings, shape, seed=0)
        variables = {name: np.asarray(value) for name, value in model.variables().items()}
        variables |= torch_weights.convert(state)
        run.save_checkpoint(recipe.num_steps, variables)
        run.claim(config)
    print(
        f"{run.path}: {origin.name}, {origin.loss}, trained on {origin.trained_on}, to be tested "
        f"on {config.data_set}; go on with reproduce.represent --run_dir={run.path}"
    )


if __name__ == "__main__":
    program.run(main)
