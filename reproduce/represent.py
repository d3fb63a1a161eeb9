"""Encodes images of a finished run's data set into RUN/representation.npz.

Examples:
    python -m reproduce.represent --run_dir=runs/a
    python -m reproduce.represent --run_dir=runs/b --seed=0 --output=same_images/b.npz
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.training.run_directory import RunDirectory

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run.")
_NUM_POINTS = flags.DEFINE_integer("num_points", 10_000, "Images, drawn once.", lower_bound=2)
_SEED = flags.DEFINE_integer(
    "seed",
    None,
    "The seed of the draw; by default the run's own. UDR compares runs of one draw.",
    lower_bound=0,
)
_OUTPUT = flags.DEFINE_string("output", None, "Another file, which the run does not know of.")


def main() -> None:
    """Encodes and writes."""
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a finished run's folder")
    run = RunDirectory(_RUN_DIR.value)
    config = run.read_config()
    program.start_tensorflow()
    from reproduce.basis import representation
    from reproduce.training import trained_model

    with run.locked():
        model = trained_model.load_model(run)
        dataset = trained_model.load_dataset(run)
        seed = config.seed if _SEED.value is None else _SEED.value
        indices = trained_model.draw_images(dataset, _NUM_POINTS.value, seed)
        result = trained_model.encode(model, dataset, indices)
        output = Path(_OUTPUT.value) if _OUTPUT.value else run.representation_file
        representation.save(output, result, run.fingerprint())
    active, d = len(result.active()), result.latents.shape[1]
    print(f"{output}: {len(indices)} images, {active} of {d} latents active")


if __name__ == "__main__":
    program.run(main)
