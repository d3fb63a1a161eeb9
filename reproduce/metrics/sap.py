"""SAP, the separated attribute predictability score (Kumar et al. 2018, DIP-VAE, section 3)."""

from __future__ import annotations

import numpy as np
from sklearn.svm import LinearSVC

_CONSTANT_VARIANCE = 1e-12  # disentanglement_lib's: up to here a latent counts as constant


def sap(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
) -> float:
    """SAP for factors that are classes.

    S_ij is the test accuracy of a linear support vector machine (C = .01, classes weighed by the
    inverse of their frequency) that predicts factor j from latent i alone; the score is the mean
    over factors of the largest minus the second largest S_ij over latents (Kumar et al. 2018,
    section 3; no equation number). Range 0 to 1, higher is better. A rotation that mixes aligned
    latents lowers it. Invariant under permutation and, up to the solver's tolerance, sign flip;
    *not* under scaling, which the penalty sees. A constant latent predicts one class, so that it
    scores that class's share and can be second; a constant representation scores 0. With one
    latent, the second is 0. Deterministic.

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k].
        latents_test: float [n', d].
        factors_test: int [n', k].

    Returns:
        The score.
    """
    scores = np.empty((latents_train.shape[1], factors_train.shape[1]))
    for j, (y_train, y_test) in enumerate(zip(factors_train.T, factors_test.T, strict=True)):
        for i, (z_train, z_test) in enumerate(zip(latents_train.T, latents_test.T, strict=True)):
            predicted = _predict(z_train, y_train, z_test)
            scores[i, j] = np.mean(predicted == y_test)
    return float(_gap(scores))


def sap_continuous(latents_train: np.ndarray, factors_train: np.ndarray) -> float:
    """SAP for factors that are numbers.

    S_ij = cov(z_i, g_j)^2 / (var z_i var g_j), the R^2 of a linear regression (Kumar et al. 2018,
    section 3), and the score as in `sap`. Range 0 to 1, higher is better. A rotation that mixes
    aligned latents lowers it. Invariant under permutation, sign flip and positive scaling. A
    latent whose variance is at most 1e-12 has S = 0, and so has a constant factor; a constant
    representation scores 0.

    Args:
        latents_train: float [n, d].
        factors_train: int or float [n, k].

    Returns:
        The score.
    """
    z = latents_train - np.mean(latents_train, axis=0, dtype=np.float64)
    g = factors_train - np.mean(factors_train, axis=0, dtype=np.float64)
    degrees = len(z) - 1
    score = sap_continuous_from_covariance(
        np.sum(z**2, axis=0) / degrees, z.T @ g / degrees, np.sum(g**2, axis=0) / degrees
    )
    return float(score)


def sap_continuous_from_covariance(
    latent_covariance: np.ndarray, cross_covariance: np.ndarray, factor_variances: np.ndarray
) -> np.ndarray:
    """`sap_continuous` from second moments, in one basis or in many.

    In a basis Q the moments are Q^T C Q (of which only the diagonal counts) and Q^T X.

    Args:
        latent_covariance: float [..., m, m], or its diagonal alone, float [..., m].
        cross_covariance: float [..., m, k], of latents and factors.
        factor_variances: float [k].

    Returns:
        float64 [...].
    """
    variances = np.asarray(latent_covariance, np.float64)
    if variances.ndim == np.ndim(cross_covariance):
        variances = np.diagonal(variances, axis1=-2, axis2=-1)
    varies = (variances > _CONSTANT_VARIANCE)[..., None] & (np.asarray(factor_variances) > 0)
    products = variances[..., None] * factor_variances
    squares = np.asarray(cross_covariance, np.float64) ** 2
    return _gap(np.where(varies, squares / np.where(varies, products, 1), 0))


def _predict(z_train: np.ndarray, y_train: np.ndarray, z_test: np.ndarray) -> np.ndarray:
    """Classes (int [n']) that the support vector machine predicts from one latent."""
    if np.all(y_train == y_train[0]):
        return np.full(len(z_test), y_train[0])
    # Of its two solvers, the one that "auto" means for a single feature draws nothing.
    model = LinearSVC(C=0.01, class_weight="balanced", dual="auto", random_state=0)
    return model.fit(z_train[:, None], y_train).predict(z_test[:, None])


def _gap(scores: np.ndarray) -> np.ndarray:
    """From float [..., m, k]: mean over factors of largest minus second largest over latents."""
    if scores.shape[-2] == 1:
        return scores[..., 0, :].mean(axis=-1)
    two = np.partition(scores, -2, axis=-2)[..., -2:, :]
    return np.mean(two[..., 1, :] - two[..., 0, :], axis=-1)
