"""Modularity and explicitness (Ridgeway & Mozer 2018, F-statistic loss)."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator

import numpy as np
import scipy.stats
import sklearn
import threadpoolctl
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression


def modularity(information: np.ndarray) -> np.ndarray:
    """Modularity, of one basis or of many at once: does each latent inform about one factor only?

    With I_ij = I(z_i; g_j) and k factors, a latent's modularity is
    1 - (sum_j I_ij^2 - max_j I_ij^2) / ((k - 1) max_j I_ij^2): 1 less Ridgeway & Mozer's
    deviation delta_i from the template that is max_j I_ij at the best factor and 0 elsewhere. The
    score is the mean over latents. Range 0 to 1, higher is better. It does not ask how much is
    known: noise scores about .7, so read it beside explicitness. A rotation that mixes aligned
    latents lowers it. Invariant under permutation, sign flip and positive scaling of latents, as
    the binned information is (but for values on bin edges). A constant latent counts as 0, so a
    constant representation scores 0. With one factor alone, every informed latent scores 1.

    Args:
        information: float [..., m, k], mutual information of m latents and k factors in nats, as
            `information.mutual_information` gives it.

    Returns:
        float64 [...].
    """
    squared = np.asarray(information, np.float64) ** 2
    largest = squared.max(axis=-1)
    informed = largest > 0
    others = (squared.sum(axis=-1) - largest) / max(squared.shape[-1] - 1, 1)
    return np.mean(informed * (1 - others / np.where(informed, largest, 1)), axis=-1)


def explicitness(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
) -> tuple[float, float]:
    """Explicitness: can a linear classifier read each factor's values off all latents?

    Mean over factors and their values of the one-against-rest ROC-AUC of a multinomial logistic
    regression on all latents (Ridgeway & Mozer 2018; the AUC is not rescaled to 0..1), latents
    standardised by the training split first. Range 0 to 1, .5 by chance, higher is better. A
    rotation hardly changes it: only through the scaling and the ridge penalty. Invariant under
    permutation, sign flip and positive scaling, up to the solver's tolerance. A constant latent
    changes nothing, and a constant representation scores .5. A value that is not in a split, or a
    factor with one value only, has no AUC there and is left out; where nothing is left, the
    figure is .5.

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k].
        latents_test: float [n', d].
        factors_test: int [n', k].

    Returns:
        Figures of the training split and of the test split.
    """
    train, test = standardise(latents_train, latents_test)
    scores: tuple[list[float], list[float]] = ([], [])
    for y_train, y_test in zip(factors_train.T, factors_test.T, strict=True):
        if np.all(y_train == y_train[0]):
            continue
        with undisturbed():
            model = LogisticRegression().fit(train, y_train)
        for split, (z, y) in enumerate([(train, y_train), (test, y_test)]):
            areas = _areas_under_roc(model.predict_proba(z), y[:, None] == model.classes_)
            if len(areas):
                scores[split].append(float(areas.mean()))
    figures = [float(np.mean(values)) if values else 0.5 for values in scores]
    return figures[0], figures[1]


def standardise(
    latents_train: np.ndarray, latents_test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both splits by the training split's mean and standard deviation; constants become 0.

    Args:
        latents_train: float [n, d].
        latents_test: float [n', d].

    Returns:
        float64 [n, d] and [n', d]. What is constant in training is 0 in both.
    """
    train, test = np.asarray(latents_train, np.float64), np.asarray(latents_test, np.float64)
    varies = np.ptp(train, axis=0) > 0
    mean, scale = train.mean(axis=0), np.where(varies, train.std(axis=0), 1)
    return varies * (train - mean) / scale, varies * (test - mean) / scale


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """For fits: one BLAS thread, and no warning where the last iteration has to serve.

    The fits are so small that further threads only wait for each other, and that scikit-learn's
    checks of what it is given would take a quarter of the time.
    """
    with (
        warnings.catch_warnings(),
        thread_pools().limit(limits=1, user_api="blas"),
        sklearn.config_context(assume_finite=True, skip_parameter_validation=True),
    ):
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@functools.cache
def thread_pools() -> threadpoolctl.ThreadpoolController:
    """The libraries' thread pools; looked up once, for that takes longer than a small fit."""
    return threadpoolctl.ThreadpoolController()


def _areas_under_roc(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Areas of the columns (float and bool [n, c]) that have both labels, by Mann-Whitney's U."""
    positives = labels.sum(axis=0)
    negatives = len(labels) - positives
    both = (positives > 0) & (negatives > 0)
    ranks = scipy.stats.rankdata(probabilities[:, both], axis=0)
    u = np.sum(ranks * labels[:, both], axis=0) - positives[both] * (positives[both] + 1) / 2
    return u / (positives[both] * negatives[both])
