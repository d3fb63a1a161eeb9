"""Decodes samples of a finished run, and traversals along learned and random axes.

Traversals change images by the same energy. A VAE's random axes are a Haar rotation of the active
latents, standardised (the family haar_active); another model's one of its codes or channels.
RUN/traversals.npz holds the pictures, RUN/traversals.csv the steps.

Example:
    python -m reproduce.traverse --run_dir=runs/a --num_random_bases=1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from absl import flags

from data import random_streams
from data.files import InputError
from models.registry import row_of
from reproduce import program
from reproduce.training.run_directory import RunDirectory

if TYPE_CHECKING:
    import numpy as np

    from reproduce.basis.representation import Representation

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run with its representation.npz.")
_NUM_RANDOM_BASES = flags.DEFINE_integer(
    "num_random_bases", 1, "Random bases beside the learned one.", lower_bound=0
)
_BASIS_FILE = flags.DEFINE_string(
    "basis_file", None, "A .npy of directions [m, D] of decoder inputs, to traverse as well."
)
_IMAGE = flags.DEFINE_integer("image", 0, "Row of the representation to start from.", lower_bound=0)
_ENERGY = flags.DEFINE_float(
    "energy",
    None,
    "Mean squared pixel change; by default a tenth of the mean squared difference between two "
    "images of the data set.",
    lower_bound=1e-9,
)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of the random bases.", lower_bound=0)

_NUM_SAMPLES = 40
_TEMPERATURES = (1.0, 0.7)  # 0.7 is Kingma & Dhariwal 2018's choice for pictures


def main() -> None:
    """Traverses and writes."""
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a finished run's folder")
    run = RunDirectory(_RUN_DIR.value)
    config = run.read_config()

    import numpy as np

    from reproduce.traversal import energy_matching

    own = energy_matching.read_directions(_BASIS_FILE.value) if _BASIS_FILE.value else None
    program.start_tensorflow()
    import pandas as pd

    from data.files import save_npz, write_text
    from reproduce.training import trained_model

    model = trained_model.load_model(run)
    encoded = trained_model.representation_of(run, model)
    if _IMAGE.value >= len(encoded.latents):
        raise InputError(
            f"--image={_IMAGE.value}; expected a row below {len(encoded.latents)} of "
            f"{run.representation_file}"
        )
    rng = random_streams.generator(_SEED.value, random_streams.RANDOM_AXES)
    directions = _directions(model, encoded, _NUM_RANDOM_BASES.value, rng)
    if own is not None:
        size = directions["learned"].shape[1]
        if own.shape[1] != size:
            raise InputError(
                f"{_BASIS_FILE.value}: directions are {list(own.shape)}; expected [m, {size}]"
            )
        directions["given"] = own

    with run.locked():
        dataset = trained_model.load_dataset(run)
        sample = trained_model.draw_images(dataset, energy_matching.ENERGY_SAMPLE, config.seed)
        energy = _ENERGY.value or energy_matching.default_energy(dataset.images(sample))
        decode = trained_model.decoder(model)
        rows_of_images = trained_model.draw_images(dataset, len(encoded.latents), config.seed)
        image = rows_of_images[_IMAGE.value : _IMAGE.value + 1]
        start = trained_model.start_inputs(model, dataset, image, config.seed)[0]
        arrays, rows = {"active": encoded.active(), "image": np.array(_IMAGE.value)}, []
        for temperature in _TEMPERATURES:
            drawn = model.sample(_NUM_SAMPLES, (_SEED.value, random_streams.SAMPLES), temperature)
            arrays[f"samples/{temperature}"] = np.rint(255 * np.asarray(drawn)).astype(np.uint8)
        for name, axes in directions.items():
            result = energy_matching.traverse(decode, start, axes, energy)
            arrays[f"{name}/frames"] = np.rint(255 * result.frames).astype(np.uint8)
            arrays[f"{name}/directions"] = result.directions
            for axis in range(len(axes)):
                rows.append(
                    [name, axis, result.steps[axis], result.energies[axis], result.dead[axis]]
                )
        frame = pd.DataFrame(rows, columns=["basis", "axis", "step", "energy", "dead"])
        save_npz(run.traversals_file, arrays, compress=True)
        write_text(run.traversal_steps_file, frame.to_csv(index=False))
    for name, axes in directions.items():
        dead = frame.loc[frame["basis"] == name, "dead"].sum()
        print(f"{name}: {len(axes)} directions, {dead} dead")


def _directions(
    model: Any, encoded: Representation, num_random: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The learned axes and those of random bases in decoder inputs, by name.

    A VAE's random axes are Haar rotations of its active latents, standardised; another model's
    inputs are standardised by their prior already.
    """
    import numpy as np

    from reproduce.basis import bases
    from reproduce.traversal import energy_matching

    block = model.latent_blocks[0]
    directions = {"learned": block.embed(np.eye(block.size))}
    if not row_of(model.settings).has_posterior:
        for index, basis in enumerate(bases.haar(num_random, block.size, rng)):
            directions[f"random_{index}"] = block.embed(basis.T)
        return directions
    active = encoded.active()
    if len(active) < 2:
        return directions
    for index, basis in enumerate(bases.haar(num_random, len(active), rng)):
        directions[f"random_{index}"] = energy_matching.along_active(encoded, basis.T)
    return directions


if __name__ == "__main__":
    program.run(main)
