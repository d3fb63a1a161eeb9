"""IWO and IWR: is each factor in few directions, orthogonal to the others'? (Geyer et al. 2024).

No rotation changes either, but by the chance of training: a negative control for whatever asks
whether axes are special.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence

import numpy as np

from reproduce.metrics import nested_networks
from reproduce.metrics.modularity import thread_pools
from reproduce.metrics.nested_networks import Task

_SECONDS = 2e-4  # a row, latent and factor: measured at 3.5 s for 1,000 rows, 6 latents, 3 factors
_OFFSET = 1e-4  # the authors', in the logarithm


def iwo(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
    *,
    categorical: Collection[int] = (),
    seed: int = 0,
    epochs: int = nested_networks.EPOCHS,
    progress: Callable[[], object] | None = None,
) -> tuple[float, float]:
    """Importance-weighted orthogonality and rank (Geyer et al. 2024, arXiv 2407.03728).

    For each factor, networks learn to predict it from all latents and from fewer and fewer
    combinations of them (`nested_networks`). The directions dropped one after the other are an
    orthonormal basis b of the latents; what each adds to the prediction is its importance a, which
    sum to 1. IWO is the mean over pairs of factors of 1 - sum_mn sqrt(a_m a'_n) (b_m . b'_n)^2: 1
    if what matters for one is orthogonal to what matters for the other, 0 if it is the same. IWR is
    the mean over factors of 1 - (entropy of a to base d): 1 if one direction tells all. Range 0
    to 1, higher is better. Both are invariant under rotation, permutation, sign flip, shift and one
    common scale, but for the chance of training, which moves them by some .01; scales of single
    latents bend the directions. A constant latent counts in d, and how far directions lean into it
    is chance, which moves IWO by .1 where half of the latents are constant. With one latent alone
    IWR is 1, and with one factor alone IWO.

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k], class indices.
        latents_test: float [n', d], on which predictions are judged.
        factors_test: int [n', k].
        categorical: Which factors are predicted by their classes, and judged by the error rate;
            the others by the class index, and the mean square error.
        seed: The seed of parameters and batches.
        epochs: Times that training sees every row.
        progress: Called after each factor.

    Returns:
        IWO and IWR.
    """
    centre, size = latents_train.mean(axis=0), _size(latents_train)
    train, test = (((z - centre) / size).astype(np.float32) for z in (latents_train, latents_test))
    found = []
    for j, columns in enumerate(zip(factors_train.T, factors_test.T, strict=True)):
        rng = np.random.default_rng([seed, j])
        with thread_pools().limit(limits=1, user_api="blas"):
            found.append(_of_factor((train, test), columns, j in categorical, rng, epochs))
        if progress:
            progress()
    pairs = [orthogonality(*one, *other) for one, other in itertools.combinations(found, 2)]
    ranks = [rank(importance) for _, importance in found]
    return float(np.mean(pairs)) if pairs else 1.0, float(np.mean(ranks))


def seconds(num_latents: int, factors: np.ndarray) -> float:
    """About how long `iwo` takes, for factors int [n, k] in training."""
    return _SECONDS * factors.size * num_latents


def importances(scores: Sequence[float] | np.ndarray, baseline: float) -> np.ndarray:
    """How much each direction adds to the prediction, those that survive longest first.

    Args:
        scores: float [d], errors of the networks, of that which sees all latents first.
        baseline: The error without any.

    Returns:
        float64 [d] that sum to 1. What is left to predict is spread over all alike.
    """
    gains, best = np.zeros(len(scores)), baseline
    for m, score in enumerate(np.asarray(scores, np.float64)[::-1]):
        if score < best:
            gains[m], best = best - score, score
    if not gains.any():
        return np.full(len(gains), 1 / len(gains))
    gains /= baseline
    return gains + (1 - gains.sum()) / len(gains)


def orthogonality(
    basis: np.ndarray, importance: np.ndarray, other_basis: np.ndarray, other: np.ndarray
) -> float:
    """IWO of two factors: bases float [d, d], a direction in each row, and importances [d]."""
    overlaps = (basis @ other_basis.T) ** 2
    return float(1 - np.sqrt(importance) @ overlaps @ np.sqrt(other))


def rank(importance: np.ndarray) -> float:
    """IWR of one factor's importances [d]; 1 for one latent alone."""
    d = len(importance)
    return 1 + float(importance @ np.log(importance + _OFFSET)) / np.log(d) if d > 1 else 1.0


def _size(latents: np.ndarray) -> float:
    """A typical deviation of latents float [n, d], which no rotation changes; 1 of constants.

    The mean of the covariance's eigenvalues, weighted by themselves, so that dead ones don't count.
    """
    covariance = np.atleast_2d(np.cov(latents, rowvar=False, bias=True))
    trace = np.trace(covariance)
    return float(np.sqrt(np.sum(covariance**2) / trace)) if trace > 0 else 1.0


def _of_factor(
    latents: tuple[np.ndarray, np.ndarray],
    values: tuple[np.ndarray, np.ndarray],
    is_categorical: bool,
    rng: np.random.Generator,
    epochs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The basis float64 [d, d] and importances [d] of one factor, of both splits."""
    if is_categorical:
        classes, index = np.unique(np.concatenate(values), return_inverse=True)
        targets, num_classes = np.split(index, [len(values[0])]), len(classes)
    else:
        low, high = values[0].min(), values[0].max()
        targets = [((v - low) / max(high - low, 1)).astype(np.float32) for v in values]
        num_classes = None
    train, test = (Task(z, t, num_classes) for z, t in zip(latents, targets, strict=True))
    networks = nested_networks.train(train, rng, epochs)
    scores = nested_networks.errors(networks, test)
    baseline = 1 - 1 / num_classes if num_classes else float(np.var(test.targets, dtype=float))
    basis = nested_networks.directions(nested_networks.projections(networks))
    return basis, importances(scores, baseline)
