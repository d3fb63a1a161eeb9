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

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from data import random_streams
from data.files import InputError
from models.registry import MODELS
from reproduce import program
from reproduce.training.run_directory import RunDirectory

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from data.dataset import Dataset
    from models.latent_blocks import LatentBlock
    from reproduce.basis.representation import Representation
    from reproduce.traversal.predicted_factors import Factors

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


def _own_decoder(name: str) -> Callable[[Any], Any]:
    """The function that --decoder names."""
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise InputError(f"--decoder={name}; expected module:function")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except Exception as error:  # whatever a user's module can raise
        raise InputError(f"--decoder={name}: {error}; expected module:function") from error


def _checked(decode: Callable[[Any], Any], shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """A user's decoder, whose images are looked at before they are used."""
    import numpy as np

    def decode_and_check(latents: np.ndarray) -> np.ndarray:
        try:
            images = np.asarray(decode(latents), np.float32)
        except Exception as error:  # whatever a user's function can raise
            raise InputError(
                f"the decoder failed on latents {list(latents.shape)}: {error}"
            ) from error
        if images.shape != (len(latents), *shape):
            raise InputError(
                f"the decoder gives images {list(images.shape)} for latents "
                f"{list(latents.shape)}; expected {[len(latents), *shape]}, as the predictor takes"
            )
        if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
            raise InputError("the decoder's images leave [0, 1]; expected finite values within it")
        return images

    return decode_and_check


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
    if bool(_RUN_DIR.value) == bool(_DECODER.value):
        raise InputError("give either --run_dir, a finished run, or --decoder, a function")
    if _DECODER.value and not (_REPRESENTATION.value and _OUTPUT_DIR.value):
        raise InputError("--decoder needs --representation and --output_dir")
    if not _PREDICTOR_DIR.value:
        raise InputError(
            "--predictor_dir is missing; train one with reproduce.train --model=factor_predictor"
        )
    predictor_run = RunDirectory(_PREDICTOR_DIR.value)
    predictor_config = predictor_run.read_config()
    run = RunDirectory(_RUN_DIR.value) if _RUN_DIR.value else None
    if run is not None:
        config = run.read_config()
        if not config.sees_images_of(predictor_config):
            raise InputError(
                f"{predictor_run.path} was trained on other images than {run.path} (data set, or "
                f"size {predictor_config.image_shape[:2]} and {config.image_shape[:2]}); train a "
                "predictor on the same, with --set=image_size=N"
            )
    decode = _own_decoder(_DECODER.value) if _DECODER.value else None
    program.start_tensorflow()
    import numpy as np
    import pandas as pd

    from data.files import save_npz, write_text
    from reproduce.basis import representation
    from reproduce.reporting import seed_verdicts
    from reproduce.training import progress, trained_model
    from reproduce.traversal import (
        energy_matching,
        predicted_factors,
        predictors,
        purity,
        purity_assessment,
    )
    from reproduce.traversal.purity import TraversalSetup

    dataset = trained_model.load_dataset(predictor_run)
    if len(dataset.factor_names) < 2:
        raise InputError(purity.ONE_FACTOR)
    predictor, predict, layout = predictors.load(predictor_run, dataset)
    rows = trained_model.draw_images(dataset, _SAMPLE, _SEED.value)
    encoded = None  # what the blocks are of, where they are an encoder's
    if run is not None:
        model = trained_model.load_model(run)
        decode = trained_model.decoder(model)
        inputs = trained_model.start_inputs(model, dataset, rows, _SEED.value)
        factors = dataset.factors[rows]
        if run.representation_file.exists() and MODELS[config.recipe.model].has_posterior:
            encoded = representation.load(run.representation_file)
            blocks = _blocks_of_latents(encoded)
        else:
            blocks = _blocks_of_model(model)
    else:
        assert decode is not None
        decode = _checked(decode, dataset.image_shape)
        encoded = representation.load(_REPRESENTATION.value)
        inputs, factors = encoded.latents[:_SAMPLE], encoded.factors[:_SAMPLE]
        blocks = _blocks_of_latents(encoded)
        _check_factors(encoded, dataset)
    energy = _ENERGY.value or energy_matching.default_energy(dataset.images(rows))
    setup = TraversalSetup(decode, predict, layout, inputs[: _NUM_IMAGES.value], energy)
    plan = purity_assessment.PurityPlan(_NUM_BASES.value, _NUM_LINEAR_BASES.value, _SEED.value)
    total = len(blocks) * (1 + plan.num_bases)
    with progress.bar(desc="traversal purity", total=total, unit=" bases") as bar:
        found = purity_assessment.assess(setup, blocks, plan, bar.update)
    labelled = purity_assessment.compare_labelled_directions(
        setup,
        inputs,
        factors,
        blocks[0][2],
        _NUM_DIRECTIONS.value,
        random_streams.generator(_SEED.value, random_streams.LABELLED_DIRECTIONS),
    )

    tables = {
        "predictor_accuracy": _accuracies(layout, predictor, predict, dataset),
        "leakage": found.leakage,
        "random_leakage": found.random_leakage,
        "data_leakage": pd.DataFrame(
            predicted_factors.rows_of_the_data(layout, dataset.factors),
            index=pd.Index(layout.names, name="given"),
            columns=list(layout.names),
        ).reset_index(),
        "labelled_directions": labelled,
    }
    output = Path(_OUTPUT_DIR.value or _RUN_DIR.value)
    for name, table in tables.items():
        write_text(output / f"{name}.csv", table.to_csv(index=False))
    source = predictor_run if run is None else run
    extras = {seed_verdicts.RUN_FINGERPRINT: np.array(source.fingerprint())}
    if encoded is not None:
        extras[seed_verdicts.FINGERPRINT] = np.array(encoded.fingerprint)
    save_npz(output / "purity_null.npz", found.nulls | extras)
    write_text(output / "traversal_purity.csv", found.table.to_csv(index=False))
    for table in (*tables.values(), found.table.dropna(axis=1, how="all")):
        print(table.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}"))
        print()


def _accuracies(
    layout: Factors, predictor: Any, predict: Callable[[Any], Any], dataset: Dataset
) -> pd.DataFrame:
    """How exact the predictor is on images that it never saw."""
    import numpy as np
    import pandas as pd

    from models.factor_predictor import held_out
    from reproduce.traversal import predicted_factors

    unseen = np.flatnonzero(held_out(predictor.settings, len(dataset)))
    rng = random_streams.generator(_SEED.value, random_streams.PREDICTOR_IMAGES)
    unseen = rng.permutation(unseen)[: 2 * _SAMPLE]
    images, factors = dataset.images(unseen), dataset.factors[unseen]
    units = {"categorical": "share right", "ordered": "RMSE, classes", "angle": "RMSE, degrees"}
    rows = [
        (name, units[kind], value)
        for kind, (name, value) in zip(
            layout.kinds,
            predicted_factors.accuracy(layout, predict(images), factors).items(),
            strict=True,
        )
    ]
    return pd.DataFrame(rows, columns=["factor", "unit", "value"])


def _check_factors(encoded: Representation, dataset: Dataset) -> None:
    if encoded.factor_names != dataset.factor_names:
        raise InputError(
            f"{_REPRESENTATION.value} has the factors {', '.join(encoded.factor_names)}; expected "
            f"the predictor's, {', '.join(dataset.factor_names)}"
        )


if __name__ == "__main__":
    program.run(main)
