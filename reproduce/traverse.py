"""Decodes traversals of a finished run along learned and random axes, at equal image energy.

The random axes are a Haar rotation of the active latents, standardised (the family haar_active),
mapped back to latent space. RUN/traversals.npz holds the strips, RUN/traversals.csv the steps.

Example:
    python -m reproduce.traverse --run_dir=runs/a --num_random_bases=1
"""

from __future__ import annotations

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.runs import RunDirectory

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run with its representation.npz.")
_NUM_RANDOM_BASES = flags.DEFINE_integer(
    "num_random_bases", 1, "Random bases beside the learned one.", lower_bound=0
)
_BASIS_FILE = flags.DEFINE_string(
    "basis_file", None, "A .npy of directions [m, d] in latent space, to traverse as well."
)
_IMAGE = flags.DEFINE_integer("image", 0, "Row of the representation to start from.", lower_bound=0)
_ENERGY = flags.DEFINE_float(
    "energy",
    None,
    "Mean squared pixel change; by default a tenth of the mean squared difference between two "
    "images of the data set.",
    lower_bound=1e-9,
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the random bases.", lower_bound=0)

_ENERGY_SAMPLE = 2_000  # images


def main() -> None:
    """Traverses and writes."""
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a finished run's folder")
    run = RunDirectory(_RUN_DIR.value)
    config = run.read_config()

    import numpy as np
    import pandas as pd

    from data.files import save_npz, write_text
    from reproduce import bases, representation

    encoded = representation.load(run.representation_file)
    if _IMAGE.value >= len(encoded.latents):
        raise InputError(
            f"--image={_IMAGE.value}; expected a row below {len(encoded.latents)} of "
            f"{run.representation_file}"
        )
    d = encoded.latents.shape[1]
    directions = {"learned": np.eye(d)}
    active = encoded.active()
    if len(active) >= 2:
        rng = np.random.default_rng([_SEED.value, 2])
        scale = encoded.latents[:, active].std(axis=0)
        for index, basis in enumerate(bases.haar(_NUM_RANDOM_BASES.value, len(active), rng)):
            random_directions = np.zeros((len(active), d))
            random_directions[:, active] = basis.T * scale
            directions[f"random_{index}"] = random_directions
    if _BASIS_FILE.value:
        try:
            own = np.load(_BASIS_FILE.value, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{_BASIS_FILE.value}: no readable .npy ({error})") from error
        norms = np.linalg.norm(own, axis=-1) if own.ndim == 2 else np.zeros(1)
        if own.ndim != 2 or own.shape[1] != d or not np.all(np.isfinite(norms) & (norms > 0)):
            raise InputError(
                f"{_BASIS_FILE.value}: directions are {list(own.shape)}; expected [m, {d}], "
                "finite and none of them zero"
            )
        directions["given"] = own

    program.start_tensorflow()
    from reproduce import trained, traversals

    with run.locked():
        energy = _ENERGY.value
        if energy is None:
            dataset = trained.load_dataset(run)
            sample = trained.draw_images(dataset, _ENERGY_SAMPLE, config.seed)
            energy = traversals.default_energy(dataset.images(sample))
        decode = trained.decoder(trained.load_model(run))
        start = encoded.latents[_IMAGE.value]
        arrays, rows = {"active": active, "image": np.array(_IMAGE.value)}, []
        for name, axes in directions.items():
            result = traversals.traverse(decode, start, axes, energy)
            arrays[f"{name}/frames"] = np.rint(255 * result.frames).astype(np.uint8)
            arrays[f"{name}/directions"] = result.directions
            for axis in range(len(axes)):
                rows.append(
                    [name, axis, result.steps[axis], result.energies[axis], result.dead[axis]]
                )
        frame = pd.DataFrame(rows, columns=["basis", "axis", "step", "energy", "dead"])
        save_npz(run.traversals_file, arrays, compress=True)
        write_text(run.path / "traversals.csv", frame.to_csv(index=False))
    for name, axes in directions.items():
        dead = frame.loc[frame["basis"] == name, "dead"].sum()
        print(f"{name}: {len(axes)} directions, {dead} dead")


if __name__ == "__main__":
    program.run(main)
