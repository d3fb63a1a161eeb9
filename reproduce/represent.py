r"""Encodes images of a finished run's data set, or decodes latents from the model's own prior.

The encoder's side goes into RUN/representation.npz, the decoder's into
RUN/decoder/representation.npz: there a predictor reads the factors from what the model makes of
latents drawn from its prior.

A run of imported weights can be given another data set, of the same channels: it is what the run is
tested on from then on, by every other program, too.

Examples:
    python -m reproduce.represent --run_dir=runs/a
    python -m reproduce.represent --run_dir=runs/b --seed=0 --output=same_images/b.npz
    python -m reproduce.represent --run_dir=runs/a --from_prior --predictor=runs/predictor
    python -m reproduce.represent --run_dir=runs/imported --dataset=faces
    python -m reproduce.represent --run_dir=runs/imported --from_prior --predictor=face_landmarks
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

import data
from data.files import InputError, check_outputs, write_text
from reproduce import program
from reproduce.training.run_directory import RunConfig, RunDirectory

if TYPE_CHECKING:
    from reproduce.basis.representation import Representation

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run.")
_NUM_POINTS = flags.DEFINE_integer(
    "num_points", 10_000, "Images, drawn once, or latents.", lower_bound=2
)
_SEED = flags.DEFINE_integer(
    "seed",
    None,
    "The seed of the draw; by default the run's own. UDR compares runs of one draw.",
    lower_bound=0,
)
_FROM_PRIOR = flags.DEFINE_bool(
    "from_prior", False, "Draw latents from the model's prior, decode them, and read the factors."
)
_PREDICTOR = flags.DEFINE_string(
    "predictor",
    None,
    "With --from_prior: a finished run of --model=factor_predictor, or face_landmarks, which reads "
    "aligned faces.",
)
_BLOCK = flags.DEFINE_string(
    "block", None, "With --from_prior: the latent block that is tested; by default the first."
)
_DATASET = flags.DEFINE_string(
    "dataset", None, "For imported weights: what they are tested on; by default as before."
)
_VARIANT = flags.DEFINE_string("variant", "", "With --dataset: its variant.")
_DATA_FILE = flags.DEFINE_string("data_file", None, "With --dataset=npz: the .npz.")
_FACE_LANDMARKS = "face_landmarks"  # as `reproduce.traversal.face_reader` calls itself
_OUTPUT = flags.DEFINE_string("output", None, "Another file, which the run does not know of.")


def main() -> None:
    """Encodes, or decodes and reads, and writes."""
    if not _RUN_DIR.value:
        raise InputError("--run_dir is missing; give a finished run's folder")
    if _FROM_PRIOR.value != bool(_PREDICTOR.value):
        raise InputError(
            "--from_prior and --predictor go together: a finished run of --model=factor_predictor "
            "reads the factors from what the model decodes"
        )
    if _BLOCK.value and not _FROM_PRIOR.value:
        raise InputError("--block is for --from_prior; an encoder has no other latents")
    run = RunDirectory(_RUN_DIR.value)
    config = run.read_config()
    default = run.decoder_representation_file if _FROM_PRIOR.value else run.representation_file
    output = Path(_OUTPUT.value or default)
    check_outputs([output], [run.config_file, *filter(None, [config.data_file])])
    if _FROM_PRIOR.value and _PREDICTOR.value != _FACE_LANDMARKS:
        run.check_predictor(RunDirectory(_PREDICTOR.value))
    if _DATASET.value:
        program.require_choice(_DATASET.value, data.DATASETS, "data set")
        if config.origin is None:
            raise InputError(
                f"{run.path} was trained here, and is tested on what it was trained on; leave out "
                "--dataset, which is for imported weights"
            )
        if _FROM_PRIOR.value:
            raise InputError("--dataset is what is encoded; leave it out with --from_prior")
    elif _VARIANT.value or _DATA_FILE.value:
        raise InputError("--variant and --data_file go with --dataset; give it as well")
    program.start_tensorflow()
    from reproduce.basis import representation

    seed = config.seed if _SEED.value is None else _SEED.value
    with run.locked():
        if _DATASET.value:
            _test_on(run, config)
        result = _decoded(run, seed) if _FROM_PRIOR.value else _encoded(run, seed)
        representation.save(output, result, run.fingerprint())
    active, d = len(result.active()), result.latents.shape[1]
    print(f"{output}: {len(result.latents)} images, {active} of {d} latents active")


def _encoded(run: RunDirectory, seed: int) -> Representation:
    """The encoder's side."""
    from reproduce.training import trained_model

    model = trained_model.load_model(run)
    dataset = trained_model.load_dataset(run)
    indices = trained_model.draw_images(dataset, _NUM_POINTS.value, seed)
    return trained_model.encode(model, dataset, indices)


def _decoded(run: RunDirectory, seed: int) -> Representation:
    """The decoder's side."""
    from reproduce.training import progress, trained_model
    from reproduce.traversal import decoder_side, face_reader, readers

    model = trained_model.load_model(run)
    block = decoder_side.block_of(model, _BLOCK.value)
    if _PREDICTOR.value == _FACE_LANDMARKS:
        reader = face_reader.load()
    else:
        reader = readers.of_predictor(RunDirectory(_PREDICTOR.value), seed)
    with progress.bar(desc="decoding", total=_NUM_POINTS.value, unit=" images") as bar:
        result = decoder_side.from_prior(model, reader, _NUM_POINTS.value, seed, block, bar.update)
    assert result.reading is not None
    unread = result.reading.num_drawn - len(result.latents)
    if unread:
        logging.warning(
            "%d of %d images could not be read, and are left out", unread, result.reading.num_drawn
        )
    if result.reading.left_out:
        logging.warning(
            "factors that hardly vary over the images, and are left out: %s",
            ", ".join(result.reading.left_out),
        )
    return result


def _test_on(run: RunDirectory, config: RunConfig) -> None:
    """Has a run of imported weights be tested on the flags' data set."""
    file = Path(_DATA_FILE.value) if _DATA_FILE.value else None
    dataset = data.load(_DATASET.value, data_file=file, variant=_VARIANT.value)
    changed = config.tested_on(
        dataset, _DATASET.value, "rendered", _DATA_FILE.value, _VARIANT.value
    )
    write_text(run.config_file, changed.to_json())


if __name__ == "__main__":
    program.run(main)
