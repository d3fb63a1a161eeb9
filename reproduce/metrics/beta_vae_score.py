"""The BetaVAE score (Higgins et al. 2017, section 3)."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from reproduce.metrics.factor_vae_score import RowsByValue
from reproduce.metrics.modularity import undisturbed

_CHUNK_NUMBERS = 2**21  # so many float64 (16 MiB) are worked on at once


def beta_vae_score(
    latents: np.ndarray,
    factors: np.ndarray,
    *,
    seed: int = 0,
    num_train: int = 10_000,
    num_eval: int = 5_000,
    batch_size: int = 64,
) -> float:
    """The BetaVAE score: can a linear classifier tell which factor two images share?

    A point is z_diff = mean over `batch_size` pairs of |z - z'|, the rows of a pair sharing the
    value of one factor, which is the point's label (Higgins et al. 2017, section 3, algorithm 1);
    the score is the test accuracy of a multinomial logistic regression with scikit-learn's
    defaults. Range 0 to 1, higher is better, about 1 / k by chance. A rotation that mixes aligned
    latents lowers it, but little: the classifier is good at mixtures. Invariant under permutation
    and sign flip, up to the solver's tolerance; *not* under scaling, which the penalty sees. A
    constant latent has z_diff 0 and changes nothing; a constant representation scores the share
    of one factor among the evaluation points. With one factor alone it is 1.

    Rows are drawn with replacement; a pair's first is any row, its second any that shares the
    first's value.

    Args:
        latents: float [n, d].
        factors: int [n, k].
        seed: The seed of the draws.
        num_train: Training points.
        num_eval: Evaluation points.
        batch_size: Pairs in a point.

    Returns:
        The accuracy on the evaluation points.
    """
    if factors.shape[1] == 1:
        return 1.0
    latents = np.asarray(latents, np.float64)
    rng = np.random.default_rng(seed)
    by_value = RowsByValue(factors)
    num_points = num_train + num_eval
    labels = rng.integers(factors.shape[1], size=num_points)
    points = np.empty((num_points, latents.shape[1]))
    step = max(1, _CHUNK_NUMBERS // (batch_size * latents.shape[1]))
    for start in range(0, num_points, step):
        chosen = labels[start : start + step, None]
        first = rng.integers(len(latents), size=(len(chosen), batch_size))
        second = by_value.draw(first, chosen, rng)
        points[start : start + step] = np.abs(latents[first] - latents[second]).mean(axis=1)
    with undisturbed():
        model = LogisticRegression(random_state=np.random.RandomState(seed))
        model.fit(points[:num_train], labels[:num_train])
    return float(model.score(points[num_train:], labels[num_train:]))
