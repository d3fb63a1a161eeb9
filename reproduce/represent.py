"""Encodes images of a finished run's data set into RUN/representation.npz.

Example:
    python -m reproduce.represent --run_dir=runs/a
"""

from __future__ import annotations

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.runs import RunDirectory

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run.")
_NUM_POINTS = flags.DEFINE_integer(
    "num_points", 10_000, "Images, drawn once by the run's seed.", lower_bound=2
)


def main() -> None:
    """Encodes and writes."""
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a finished run's folder")
    run = RunDirectory(_RUN_DIR.value)
    config = run.read_config()
    program.start_tensorflow()
    from reproduce import representation, trained

    with run.locked():
        model = trained.load_model(run)
        dataset = trained.load_dataset(run)
        indices = trained.draw_images(dataset, _NUM_POINTS.value, config.seed)
        result = trained.encode(model, dataset, indices)
        representation.save(run.representation_file, result)
    active, d = len(result.active()), result.latents.shape[1]
    print(f"{run.representation_file}: {len(indices)} images, {active} of {d} latents active")


if __name__ == "__main__":
    program.run(main)
