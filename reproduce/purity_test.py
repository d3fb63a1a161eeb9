r"""Tests by traversal purity whether a decoder's learned axes are special among random ones.

Reads a finished run, or a decoder of your own with a representation.npz, and a finished run of
--model=factor_predictor on the same data set and at the same image size. Writes
traversal_purity.csv, purity_null.npz, leakage.csv, random_leakage.csv, data_leakage.csv,
labelled_directions.csv and predictor_accuracy.csv, beside the run or where --output_dir says.

Examples:
    python -m reproduce.train --model=factor_predictor --dataset=dsprites --run_dir=runs/predictor
    python -m reproduce.purity_test --run_dir=runs/a --predictor_dir=runs/predictor
    python -m reproduce.purity_test --decoder=my_model:decode --representation=mine.npz \
        --predictor_dir=runs/predictor --output_dir=results/mine
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from absl import flags

from data import random_streams
from data.files import InputError
from models.registry import MODELS
from reproduce import program
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import own_decoder

if TYPE_CHECKING:
    import numpy as np

    from data.dataset import Dataset
    from models.latent_blocks import LatentBlock
    from reproduce.basis.representation import Representation

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run of a generative model.")
_DECODER = flags.DEFINE_string(
    "decoder",
    None,
    "Or a decoder of your own, as module:function: latents float [n, d] to images float "
    "[n, height, width, channels] in [0, 1].",
)
_REPRESENTATION = flags.DEFINE_string(
    "representation", None, "With --decoder: the representation.npz that traversals start from."
)
_PREDICTOR_DIR = flags.DEFINE_string(
    "predictor_dir", None, "A finished run of --model=factor_predictor."
)
_NUM_BASES = flags.DEFINE_integer(
    "num_bases", 199, "Random bases of each latent block.", lower_bound=1
)
_NUM_LINEAR_BASES = flags.DEFINE_integer(
    "num_linear_bases", 9999, "Random bases in the limit of small steps.", lower_bound=1
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images", 8, "Real images from which traversals start.", lower_bound=1
)
_NUM_DIRECTIONS = flags.DEFINE_integer(
    "num_directions", 199, "Random directions beside the labelled ones.", lower_bound=1
)
_ENERGY = flags.DEFINE_float(
    "energy",
    None,
    "Mean squared pixel change; by default a tenth of the mean squared difference between two "
    "images of the data set.",
    lower_bound=1e-9,
)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of the random bases.", lower_bound=0)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "A folder; by default --run_dir.")

_SAMPLE = 2_000  # images, for the energy, for labelled means, and for the predictor's accuracy


def _blocks_of_latents(encoded: Representation) -> list[tuple[str, str, LatentBlock]]:
    """All latents as they are (N2), and the active ones, standardised (N1)."""
    import numpy as np

    from models.latent_blocks import LatentBlock, coordinates
    from reproduce.traversal.purity_assessment import METRIC

    d = encoded.latents.shape[1]
    found = [("haar", METRIC, coordinates("latents", np.arange(d), d, "all latents"))]
    active = encoded.active()
    if len(active) >= 2:
        axes = np.zeros((len(active), d))
        axes[np.arange(len(active)), active] = encoded.latents[:, active].std(axis=0)
        block = LatentBlock(
            "active", len(active), lambda u: u @ axes, "active latents, standardised"
        )
        found.append(("haar_active", METRIC, block))
    return found


def _blocks_of_model(model: Any) -> list[tuple[str, str, LatentBlock]]:
    """A model's latent blocks, whose coordinates are standardised by their prior."""
    from reproduce.traversal.purity_assessment import METRIC

    first, *others = model.latent_blocks
    return [("haar", METRIC, first), *(("haar", f"{METRIC}_{s.name}", s) for s in others)]


def main() -> None:
    """Checks, measures, writes, prints."""
    predictor_run, run = _checked_runs()
    decode = own_decoder.load(_DECODER.value) if _DECODER.value else None
    program.start_tensorflow()
    import numpy as np
    import pandas as pd

    from data.files import save_npz, write_text
    from reproduce.reporting import result_tables, seed_results
    from reproduce.training import progress, trained_model
    from reproduce.traversal import (
        energy_matching,
        predicted_factors,
        predictors,
        purity,
        purity_assessment,
    )

    dataset = trained_model.load_dataset(predictor_run)
    if len(dataset.factor_names) < 2:
        raise InputError(purity.ONE_FACTOR)
    predictor, predict, layout = predictors.load(predictor_run, dataset)
    rows = trained_model.draw_images(dataset, _SAMPLE, _SEED.value)
    tested = _of_own(decode, dataset) if run is None else _of_run(run, dataset, rows)
    energy = _ENERGY.value or energy_matching.default_energy(dataset.images(rows))
    start = tested.inputs[: _NUM_IMAGES.value]
    setup = purity.TraversalSetup(tested.decode, predict, layout, start, energy)
    plan = purity_assessment.PurityPlan(_NUM_BASES.value, _NUM_LINEAR_BASES.value, _SEED.value)
    total = len(tested.blocks) * (1 + plan.num_bases)
    with progress.bar(desc="traversal purity", total=total, unit=" bases") as bar:
        found = purity_assessment.assess(setup, tested.blocks, plan, bar.update)
    labelled = purity_assessment.compare_labelled_directions(
        setup,
        tested.inputs,
        tested.factors,
        tested.blocks[0][2],
        _NUM_DIRECTIONS.value,
        random_streams.generator(_SEED.value, random_streams.LABELLED_DIRECTIONS),
    )
    files = RunDirectory(_OUTPUT_DIR.value or _RUN_DIR.value)
    tables = {
        files.predictor_accuracy_file: predictors.accuracies(
            predictor, predict, layout, dataset, _SEED.value
        ),
        files.leakage_file: found.leakage,
        files.random_leakage_file: found.random_leakage,
        files.data_leakage_file: pd.DataFrame(
            predicted_factors.rows_of_the_data(layout, dataset.factors),
            index=pd.Index(layout.names, name="given"),
            columns=list(layout.names),
        ).reset_index(),
        files.labelled_directions_file: labelled,
    }
    source = predictor_run if run is None else run
    extras = {
        seed_results.RUN_FINGERPRINT: np.array(source.fingerprint()),
        seed_results.TABLE: result_tables.fingerprint(found.table),
    }
    if tested.encoded is not None:
        extras[seed_results.FINGERPRINT] = np.array(tested.encoded.fingerprint)
    for file, table in tables.items():
        write_text(file, table.to_csv(index=False))
    save_npz(files.purity_null_file, found.nulls | extras)
    write_text(files.purity_file, found.table.to_csv(index=False))  # the last: the test is done
    for table in (*tables.values(), found.table.dropna(axis=1, how="all")):
        print(table.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}"))
        print()


def _checked_runs() -> tuple[RunDirectory, RunDirectory | None]:
    """The predictor's run and the tested one, if a run is tested, after a look at the flags."""
    if bool(_RUN_DIR.value) == bool(_DECODER.value):
        raise InputError("give either --run_dir, a finished run, or --decoder, a function")
    if _DECODER.value and not (_REPRESENTATION.value and _OUTPUT_DIR.value):
        raise InputError("--decoder needs --representation and --output_dir")
    if not _PREDICTOR_DIR.value:
        raise InputError(
            "--predictor_dir is missing; train one with reproduce.train --model=factor_predictor"
        )
    predictor_run = RunDirectory(_PREDICTOR_DIR.value)
    predictor_run.read_config()
    if not _RUN_DIR.value:
        return predictor_run, None
    run = RunDirectory(_RUN_DIR.value)
    run.check_predictor(predictor_run)
    return predictor_run, run


@dataclasses.dataclass(frozen=True, eq=False)
class _Tested:
    """A decoder, and what its traversals start from.

    Attributes:
        decode: Latents float [n, D] to images in [0, 1].
        inputs: float [n, D], decoder inputs of real images.
        factors: int [n, k], these images' factors.
        blocks: The family, the metric's name and the latent block of each test, the first one
            being all latents, or the model's first block.
        encoded: What the blocks are of, where they are an encoder's.
    """

    decode: Callable[[Any], Any]
    inputs: np.ndarray
    factors: np.ndarray
    blocks: list[tuple[str, str, LatentBlock]]
    encoded: Representation | None = None


def _of_run(run: RunDirectory, dataset: Dataset, rows: np.ndarray) -> _Tested:
    """A run's decoder, from images at some rows of its data set."""
    from reproduce.training import trained_model

    model = trained_model.load_model(run)
    encoded = None
    blocks = _blocks_of_model(model)
    if run.representation_file.exists() and MODELS[run.read_config().recipe.model].has_posterior:
        encoded = trained_model.representation_of(run, model)
        blocks = _blocks_of_latents(encoded)
    inputs = trained_model.start_inputs(model, dataset, rows, _SEED.value)
    return _Tested(trained_model.decoder(model), inputs, dataset.factors[rows], blocks, encoded)


def _of_own(decode: Callable[[Any], Any] | None, dataset: Dataset) -> _Tested:
    """A user's decoder, from the points of a user's representation."""
    from reproduce.basis import representation

    assert decode is not None
    encoded = representation.load(_REPRESENTATION.value)
    if encoded.factor_names != dataset.factor_names:
        raise InputError(
            f"{_REPRESENTATION.value} has the factors {', '.join(encoded.factor_names)}; expected "
            f"the predictor's, {', '.join(dataset.factor_names)}"
        )
    return _Tested(
        own_decoder.checked(decode, dataset.image_shape),
        encoded.latents[:_SAMPLE],
        encoded.factors[:_SAMPLE],
        _blocks_of_latents(encoded),
        encoded,
    )


if __name__ == "__main__":
    program.run(main)
