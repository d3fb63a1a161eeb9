"""Measures whether a model shows the factors by which its axes are to be judged.

A factor predictor reads them from real images, from the model's reconstructions of these, and from
its samples. Writes RUN/quality.csv, a row a factor, and a few of the images, quality_images.npz;
what passes is decided where verdicts are made.

Example:
    python -m reproduce.quality --run_dir=runs/a --predictor_dir=runs/predictor
"""

from __future__ import annotations

from absl import flags

from data import random_streams
from data.files import InputError
from reproduce import program
from reproduce.training.run_directory import RunDirectory

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run of a generative model.")
_PREDICTOR_DIR = flags.DEFINE_string(
    "predictor_dir", None, "A finished run of --model=factor_predictor on the same images."
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images", 2_000, "Images that are reconstructed, and as many samples.", lower_bound=10
)

_NUM_SHOWN = 32  # images, reconstructions and samples that are kept


def main() -> None:
    """Measures, writes, prints."""
    for name, value in (("run_dir", _RUN_DIR.value), ("predictor_dir", _PREDICTOR_DIR.value)):
        if not value:
            raise InputError(f"--{name} is missing; give a finished run's folder")
    run, predictor_run = RunDirectory(_RUN_DIR.value), RunDirectory(_PREDICTOR_DIR.value)
    config = run.read_config()
    if not config.sees_images_of(predictor_run.read_config()):
        raise InputError(
            f"{predictor_run.path} was trained on other images than {run.path}; train a predictor "
            "on the same, with --set=image_size=N"
        )
    program.start_tensorflow()
    import numpy as np
    import pandas as pd

    from data.files import save_npz, write_text
    from reproduce.training import trained_model
    from reproduce.traversal import image_quality, predictors

    with run.locked():
        dataset = trained_model.load_dataset(run)
        _, predict, layout = predictors.load(predictor_run, dataset)
        model = trained_model.load_model(run)
        rows = trained_model.draw_images(dataset, _NUM_IMAGES.value, config.seed)
        images, truth = dataset.images(rows), dataset.factors[rows]
        of_real = predict(images)
        start = trained_model.start_inputs(model, dataset, rows, config.seed)
        reconstructions = trained_model.decoder(model)(start)
        stream = random_streams.SAMPLES
        samples = trained_model.sample(model, _NUM_IMAGES.value, config.seed, stream)
        half = len(of_real) // 2
        measured = {
            "read from real images": image_quality.skill(layout, of_real, truth),
            "read from reconstructions": image_quality.skill(
                layout, predict(reconstructions), truth
            ),
            "distance of samples": image_quality.distances(layout, predict(samples), of_real),
            "distance of real images": image_quality.distances(
                layout, of_real[:half], of_real[half:]
            ),
        }
        table = pd.DataFrame(measured).rename_axis("factor").reset_index()
        sheets = {
            "images of the data set": images[:_NUM_SHOWN],
            "their reconstructions": reconstructions[:_NUM_SHOWN],
            "samples": samples[:_NUM_SHOWN],
        }
        shown = {name: np.rint(255 * sheet).astype(np.uint8) for name, sheet in sheets.items()}
        save_npz(run.quality_images_file, shown, compress=True)
        write_text(run.quality_file, table.to_csv(index=False))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    program.run(main)
