"""MED: DCI's scores of mutual information (Cao et al. 2022), of all latents or of the best ones."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from reproduce.metrics.dci import completeness, disentanglement
from reproduce.metrics.modularity import standardise, undisturbed

TOP = (1, 2, 3)  # latents kept for each factor
PARTS = (
    "disentanglement",
    "completeness",
    *(f"top{k}{part}" for k in TOP for part in ("", "_completeness")),
)


def med(information: np.ndarray) -> tuple[np.ndarray, ...]:
    """MED and top-k MED, of one basis or of many at once.

    R[i, j] = I(z_i; g_j) / sum over latents of I(.; g_j) takes the place of DCI's importances, so
    that every factor weighs the same (Cao et al. 2022, An empirical study on disentanglement of
    negative-free contrastive learning). Top-k MED: latents, those of the lowest entropy over
    factors first, claim the factor about which they tell most, and the first k of each factor are
    kept; R is not normalised anew, and completeness has the number of kept latents as its base.
    Range 0 to 1, higher is better. A rotation that mixes aligned latents lowers all of them.
    Invariant under permutation, sign flip and positive scaling, but for values on bin edges. A
    constant latent weighs nothing; it comes last among claimants, and counts in the base where it
    is kept.

    Args:
        information: float [..., m, k], mutual information of m latents and k factors in nats.

    Returns:
        Of `PARTS`, each float64 [...].
    """
    information = np.asarray(information, np.float64)
    total = information.sum(axis=-2, keepdims=True)
    shares = information / np.where(total > 0, total, 1)
    found = [disentanglement(shares), completeness(shares)]
    flat = shares.reshape(-1, *shares.shape[-2:])
    for k in TOP:
        kept = [one[_kept(one, k)] for one in flat]
        for score in (disentanglement, completeness):
            found.append(np.array([score(one) for one in kept]).reshape(shares.shape[:-2]))
    return tuple(found)


def informativeness(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
) -> tuple[float, float]:
    """How well a linear classifier reads the factors off all latents: MED's third score.

    The mean over factors of the accuracy of a multinomial logistic regression on latents that are
    standardised by the training split (Cao et al. 2022). Range 0 to 1, higher is better. A
    rotation changes it only through the scaling and the ridge penalty. Invariant under
    permutation, sign flip and positive scaling, up to the solver's tolerance. A constant latent
    changes nothing. A factor of which training holds one value only is predicted to have it.

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k].
        latents_test: float [n', d].
        factors_test: int [n', k].

    Returns:
        Figures of the training split and of the test split.
    """
    train, test = standardise(latents_train, latents_test)
    accuracies = []
    for y_train, y_test in zip(factors_train.T, factors_test.T, strict=True):
        if np.all(y_train == y_train[0]):
            accuracies.append((1.0, np.mean(y_test == y_train[0])))
            continue
        with undisturbed():
            model = LogisticRegression().fit(train, y_train)
        accuracies.append((model.score(train, y_train), model.score(test, y_test)))
    figures = np.mean(accuracies, axis=0)
    return float(figures[0]), float(figures[1])


def _kept(shares: np.ndarray, k: int) -> np.ndarray:
    """The rows of shares [m, k] that are among the first k claimants of a factor: int [r]."""
    single = np.array([disentanglement(row[None]) for row in shares])  # 1 - relative entropy
    order = np.argsort(-single, kind="stable")
    claimed = shares.argmax(axis=-1)
    kept: list[int] = []
    counts: dict[int, int] = {}
    for row in order:
        if counts.get(int(claimed[row]), 0) < k:
            counts[int(claimed[row])] = counts.get(int(claimed[row]), 0) + 1
            kept.append(int(row))
    return np.array(kept, int)
