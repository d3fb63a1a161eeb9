"""Turns another kit's trained weights into a run directory, to be tested like a run of this kit.

Reads the layout of YannDubs/disentangling-vae (PyTorch; Burgess et al. 2018's networks for 64 x 64
images, ten latents by default) saved as an .npz of its state_dict. From a checkpoint:

    np.savez("weights.npz", **{k: v.numpy() for k, v in torch.load("model.pt").items()})

Example:
    python -m reproduce.import_weights --weights=weights.npz --run_dir=runs/imported
"""

from __future__ import annotations

from absl import flags

import data
from data.files import InputError
from reproduce import program
from reproduce.training import recipes
from reproduce.training.run_directory import RunConfig, RunDirectory

_WEIGHTS = flags.DEFINE_string("weights", None, "An .npz of a state_dict.")
_RUN_DIR = flags.DEFINE_string("run_dir", None, "The run directory to make.")
_DATASET = flags.DEFINE_string("dataset", "dsprites", "What the model was trained on.")
_DATA_FILE = flags.DEFINE_string("data_file", None, "The .npz of --dataset=npz.")


def main() -> None:
    """Checks, converts, writes."""
    if not _WEIGHTS.value:
        raise InputError("--weights is missing; give an .npz of a state_dict")
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a new folder")
    program.require_choice(_DATASET.value, data.DATASETS, "data set")
    from pathlib import Path

    from reproduce.training import torch_weights

    state = torch_weights.read(Path(_WEIGHTS.value))
    changes = {"num_latents": torch_weights.num_latents(state), "num_steps": 1}
    changes |= {"log_every": 1, "checkpoint_every": 1}
    recipe = recipes.override(recipes.find("beta_vae", "burgess2018"), changes)
    run = RunDirectory(_RUN_DIR.value)
    with run.locked():
        if run.config_file.exists():
            raise InputError(f"{run.path} holds a run already; give a new folder")
        file = Path(_DATA_FILE.value) if _DATA_FILE.value else None
        dataset = data.load(_DATASET.value, data_file=file)
        program.start_tensorflow()
        import numpy as np

        import models

        model = models.build(recipe.settings, dataset.image_shape, seed=0)
        variables = {name: np.asarray(value) for name, value in model.variables().items()}
        variables |= torch_weights.convert(state, variables)
        config = RunConfig(
            recipe,
            _DATASET.value,
            "rendered",
            _DATA_FILE.value,
            dataset.fingerprint,
            dataset.image_shape,
            0,
        )
        run.claim(config)
        run.save_checkpoint(recipe.num_steps, variables)
    print(f"{run.path}: imported; go on with reproduce.represent --run_dir={run.path}")


if __name__ == "__main__":
    program.run(main)
