"""UDR, unsupervised disentanglement ranking (Duan et al. 2020, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.stats
from sklearn.linear_model import Lasso

_LASSO_PENALTY = 0.1  # the authors'
_KL_THRESHOLD = 0.01  # nats, the authors'


def udr(
    representations: Sequence[np.ndarray],
    kls: Sequence[np.ndarray] | None = None,
    *,
    method: Literal["spearman", "lasso"] = "spearman",
    kl_threshold: float = _KL_THRESHOLD,
) -> np.ndarray:
    """How well each model's latents agree, one to one, with those of its siblings.

    UDR_i = median over j != i of UDR_ij (see `pair_score`), with R_ij(a, b) the size of the
    relation of latent a of model i and latent b of model j on the same images: |Spearman's
    correlation|, or |coefficient| of b in a lasso that predicts standardised a from all
    standardised b (Duan et al. 2020, section 4, UDR_S and UDR_L). Of the authors' variants this
    takes all the models given; give the seeds of one setting for UDR, all models for UDR-A2A.

    Range 0 to 1, higher is better: siblings that learned the same axes. No labels are used. A
    rotation of each model by its own draw lowers it; one rotation of all models need not.
    Invariant under permutation, sign flip and positive scaling (Spearman: any increasing map) of
    any model's latents. Uninformative latents are left out: KL at most `kl_threshold`, or, without
    KLs, constant ones; the authors' code leaves them out of the sums over partners, too. A model
    without informative latents, as a constant representation, scores 0 in all its pairs.

    Args:
        representations: For each of two or more models float [n, d_i], rows the same images.
        kls: For each model float [d_i], mean KL of each latent's posterior to the prior in nats.
        method: How the relation R is computed.
        kl_threshold: Latents above it are informative.

    Returns:
        float64 [number of models].

    Raises:
        ValueError: For fewer than two models.
    """
    if len(representations) < 2:
        raise ValueError(f"UDR compares models; got {len(representations)}, give two or more")
    relate = {"spearman": _spearman, "lasso": _lasso}[method]
    informative = []
    for index, latents in enumerate(representations):
        latents = np.asarray(latents, np.float64)
        kept = np.ptp(latents, axis=0) > 0
        if kls is not None:
            kept &= np.asarray(kls[index]) > kl_threshold
        informative.append(_standardise(latents[:, kept], ranks=method == "spearman"))
    pairs = np.zeros((len(informative), len(informative)))
    for i, a in enumerate(informative):
        for j, b in enumerate(informative):
            if i != j and a.shape[1] and b.shape[1]:
                pairs[i, j] = pair_score(relate(a, b))
    others = ~np.eye(len(pairs), dtype=bool)
    return np.median(pairs[others].reshape(len(pairs), -1), axis=1)


def pair_score(relation: np.ndarray) -> float:
    """UDR_ij of two models, from the relation of their informative latents.

    (sum_b r_b^2 / sum_a R(a, b) + sum_a r_a^2 / sum_b R(a, b)) / (d_a + d_b), with r_b and r_a
    the largest R of a column and of a row (Duan et al. 2020, section 4, UDR_ij). 1 for a signed
    permutation, 1 / d for d x d of ones.

    Args:
        relation: R, float [d_a, d_b], not negative; informative latents only.

    Returns:
        From 0 to 1 where R does not exceed 1; a latent that is related to none counts 0.
    """
    total = 0.0
    for axis in (0, 1):
        sums = relation.sum(axis=axis)
        total += np.sum(relation.max(axis=axis) ** 2 / np.where(sums > 0, sums, 1))
    return float(total / sum(relation.shape))


def _standardise(latents: np.ndarray, *, ranks: bool) -> np.ndarray:
    """Columns, none constant (or their ranks), to mean 0 and variance 1: float64 [n, d]."""
    if ranks and latents.size:
        latents = scipy.stats.rankdata(latents, axis=0)
    return (latents - latents.mean(axis=0)) / latents.std(axis=0)


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|Spearman's correlation| float64 [d_a, d_b], from standardised ranks."""
    return np.abs(a.T @ b) / len(a)


def _lasso(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|Coefficients| float64 [d_a, d_b] of lassos that predict each column of a from all of b."""
    model = Lasso(alpha=_LASSO_PENALTY, fit_intercept=False, precompute=True)
    return np.abs(model.fit(b, a).coef_).reshape(a.shape[1], b.shape[1])
