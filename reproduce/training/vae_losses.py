"""A trained VAE's losses on a data set, and, of imported weights, against the published ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from data.dataset import Dataset
from reproduce.training.origins import Origin

COLUMNS = ("images", "reconstruction", "kl", "published_reconstruction", "published_kl")
_BATCH = 500


def measure(
    model: Any, dataset: Dataset, indices: np.ndarray, progress: Callable[[int], object]
) -> tuple[float, float]:
    """Means over images, nats: -log p(x | z) at the posterior's mean z, and KL(q(z | x) || p(z)).

    Args:
        model: A VAE, with a posterior of either kind.
        dataset: The images.
        indices: int [n].
        progress: Called with the number of images since the last call.
    """
    import tensorflow as tf

    from models.beta_vae import kl_from_standard_normal

    @tf.function(reduce_retracing=True, autograph=False)
    def losses(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The posterior itself: of its marginal variances alone a covariance has no KL.
        posterior = model.posterior(images)
        likelihood = model.likelihood(posterior.mean()).log_prob(images)
        return -likelihood, kl_from_standard_normal(posterior)

    sums = np.zeros(2)
    for start in range(0, len(indices), _BATCH):
        batch = indices[start:][:_BATCH]
        found = losses(tf.constant(dataset.images(batch)))
        sums += [float(np.sum(part, dtype=np.float64)) for part in found]
        progress(len(batch))
    return float(sums[0] / len(indices)), float(sums[1] / len(indices))


def table(
    model: Any,
    dataset: Dataset,
    indices: np.ndarray,
    origin: Origin | None,
    progress: Callable[[int], object],
) -> pd.DataFrame:
    """Losses over drawn images and, of imported weights, over those of the published figures.

    Args:
        model: As in `measure`.
        dataset: The images.
        indices: int [n], drawn.
        origin: Where imported weights come from; None for a run that the kit trained.
        progress: As in `measure`.

    Returns:
        The columns `COLUMNS`. Published losses are of the first images of what the model was
        trained on: where it is tested on the same, the second row has the same images.
    """
    published = (np.nan, np.nan)
    if origin is not None:
        published = (origin.published_nats("recon_loss"), origin.published_nats("kl_loss"))
    rows = [(f"{len(indices)} drawn", *measure(model, dataset, indices, progress), *published)]
    if origin is not None and origin.trained_on.lower() == dataset.name.lower():
        first = np.arange(min(origin.num_measured, len(dataset)))
        found = measure(model, dataset, first, progress)
        rows.append((f"first {len(first)}", *found, *published))
    return pd.DataFrame(rows, columns=list(COLUMNS))
