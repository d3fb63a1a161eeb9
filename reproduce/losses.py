"""Measures a VAE's reconstruction and KL on the images that it is tested on: RUN/losses.csv.

Of imported weights the published losses stand beside them: how far the images are from what the
model knows.

Example:
    python -m reproduce.losses --run_dir=runs/imported
"""

from __future__ import annotations

from absl import flags

from data.files import InputError, write_text
from models import objectives
from models.registry import MODELS
from reproduce import program
from reproduce.training.run_directory import RunDirectory

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run of a VAE.")
_NUM_IMAGES = flags.DEFINE_integer("num_images", 2_000, "Images, drawn once.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of the draw.", lower_bound=0)


def main() -> None:
    """Measures, writes, prints."""
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a finished run's folder")
    run = RunDirectory(_RUN_DIR.value)
    config = run.read_config()
    objective = getattr(config.recipe.settings, "objective", "")
    if not MODELS[config.recipe.model].has_posterior or not objectives.has_posterior(objective):
        raise InputError(f"{run.path} is no VAE's run; expected one, which has these losses")
    program.start_tensorflow()
    from reproduce.training import progress, trained_model, vae_losses

    with run.locked():
        model = trained_model.load_model(run)
        dataset = trained_model.load_dataset(run)
        indices = trained_model.draw_images(dataset, _NUM_IMAGES.value, _SEED.value)
        with progress.bar(desc="losses", unit=" images") as bar:
            table = vae_losses.table(model, dataset, indices, config.origin, bar.update)
        write_text(run.losses_file, table.to_csv(index=False))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.6g}"))


if __name__ == "__main__":
    program.run(main)
