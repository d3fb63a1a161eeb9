"""What metrics say of single strips, to be held against what people say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from data.dataset import Dataset
from reproduce.basis import representation
from reproduce.metrics.basis_scorer import BasisScorer
from reproduce.metrics.mig_sup import axis_gaps
from reproduce.training import trained_model
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import purity
from reproduce.traversal.predictors import load, matching


def measure(
    run: RunDirectory,
    model: Any,
    dataset: Dataset,
    predictors: Sequence[RunDirectory],
    starts: np.ndarray,
    directions: np.ndarray,
    energy: float,
) -> dict[str, np.ndarray]:
    """Metrics of strips, as far as there are the files that they need.

    Args:
        run: Whose.
        model: Its model.
        dataset: Its data set.
        predictors: Runs of factor predictors; the one that reads such images is taken.
        starts: float [n, D], where each strip starts.
        directions: float [n, k], in the first latent block.
        energy: The mean squared pixel change.

    Returns:
        By metric: float64 [n].
    """
    found = {}
    axes = model.latent_blocks[0].embed(directions)
    predictor = matching(run, predictors)
    if predictor is not None and len(dataset.factor_names) > 1:  # else there is no purity
        _, predict, layout = load(predictor, dataset)
        decode = trained_model.decoder(model)
        values = []
        for start, axis in zip(starts, axes, strict=True):
            setup = purity.TraversalSetup(decode, predict, layout, start[None], energy)
            values.append(purity.purity_of_rows(purity.measure(setup, axis[None]).rows)[0])
        found["purity"] = np.array(values)
    if run.representation_file.exists():
        encoded = representation.load(run.representation_file, run.fingerprint())
        # Where the encoder reads what the decoder is moved along.
        if encoded.latents.shape[1] == directions.shape[1]:
            scorer = BasisScorer(encoded.points(), ["mig_sup"], seed=0)
            information = scorer.information(directions.T[None])
            found["mig_sup"] = axis_gaps(information, scorer.factor_entropies)[0]
    return found
