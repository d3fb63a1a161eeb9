"""InfoMEC: modularity, compactness, explicitness by information (Hsu et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import digamma, log_softmax
from sklearn.linear_model import LogisticRegression

from reproduce.metrics.information import entropies
from reproduce.metrics.modularity import standardise, undisturbed
from reproduce.metrics.neighbours import count_within, nearest

_NEIGHBOURS = 10
_ACTIVE = 1 / 20  # of the widest latent's range, below which a latent is not counted
_JITTER = 1e-10
_SECONDS = 1.4e-6  # a row, latent and class, where classes are told apart; else a tenth


def infomec(latents: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    """InfoM and InfoC (Hsu et al. 2023, Disentanglement via latent quantization).

    InfoM, modularity: does each latent tell about one factor alone? InfoC, compactness: does one
    latent alone tell about each factor? N[j, i] = I(z_i; g_j) / H(g_j) by Ross's nearest-neighbour
    estimator (2014) of continuous latents. InfoM = (mean over latents of max_j N / sum_j N - 1/k) /
    (1 - 1/k), InfoC the same of factors with the number of latents in the place of k. Latents whose
    range is below 1/20 of the widest one's are left out, and from InfoM also those that tell
    nothing. Range 0 to 1, higher is better. A rotation that mixes aligned latents lowers both.
    Invariant under permutation, sign flip, and scaling within the rule on ranges.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices; at least two values each.

    Returns:
        InfoM and InfoC.
    """
    latents = np.asarray(latents, np.float64)
    ranges = np.ptp(latents, axis=0)
    active = ranges > _ACTIVE * ranges.max()
    information = neighbour_information(latents[:, active], factors)
    shares = information / entropies(factors)
    return _peakedness(shares), _peakedness(shares.T)


def infoe(
    latents: np.ndarray, factors: np.ndarray, progress: Callable[[], object] | None = None
) -> float:
    """InfoE, explicitness: can a linear classifier read the factors off all latents?

    The mean over factors of 1 - cross-entropy over ln(number of values), of an unpenalised logistic
    regression on all latents, classes weighted alike, fitted to convergence (Hsu et al. 2023).
    Range 0 to 1, higher is better. Latents are standardised, so that neither an invertible linear
    map nor a constant latent changes it.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices; at least two values each.
        progress: Called after each factor.
    """
    points, _ = standardise(latents, latents)
    scores = []
    for classes in factors.T:
        values, index = np.unique(classes, return_inverse=True)
        with undisturbed():
            model = LogisticRegression(
                C=np.inf, class_weight="balanced", tol=1e-9, max_iter=20_000
            ).fit(points, classes)
        logits = model.decision_function(points)
        if logits.ndim == 1:  # of the second of two classes
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        fitted = log_softmax(logits, axis=1)[np.arange(len(points)), index]
        scores.append((np.log(len(values)) + fitted.mean()) / np.log(len(values)))
        if progress:
            progress()
    return float(np.mean(scores))


def seconds(num_latents: int, factors: np.ndarray) -> float:
    """About how long `infoe` takes, for factors int [n, k]."""
    classes = sum(len(np.unique(column)) for column in factors.T)
    return _SECONDS * len(factors) * num_latents * classes


def neighbour_information(latents: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Ross's estimate of I(z_i; g_j) in nats: float64 [d, k] (Ross 2014, PLoS ONE 9, eq. 2).

    Of each point the distance r to the tenth nearest other point of its class is taken (or to the
    farthest, in smaller classes), and m, how many points of any class lie strictly within r, itself
    included: I = psi(n) + mean psi(q) - mean psi(n_class) - mean psi(m), at least 0. Points alone
    in their class are left out.

    Args:
        latents: float [n, d].
        factors: int [n, k].
    """
    rng = np.random.default_rng(0)
    found = np.zeros((latents.shape[1], factors.shape[1]))
    for i, column in enumerate(np.asarray(latents, np.float64).T):
        spread = column.std()
        values = column / spread if spread > 0 else column
        values = values + _JITTER * max(1, np.mean(np.abs(values))) * rng.standard_normal(
            len(values)
        )
        for j, classes in enumerate(factors.T):
            found[i, j] = _ross(values, classes)
    return found


def _ross(values: np.ndarray, classes: np.ndarray) -> float:
    """One latent's and one factor's estimate."""
    distances, neighbours, sizes, kept = [], [], [], []
    for one in np.unique(classes):
        members = np.flatnonzero(classes == one)
        if len(members) < 2:
            continue
        order = members[np.argsort(values[members], kind="stable")]
        q = min(_NEIGHBOURS, len(members) - 1)
        distances.append(nearest(values[order], q))
        neighbours.append(np.full(len(order), q))
        sizes.append(np.full(len(order), len(order)))
        kept.append(order)
    if not kept:
        return 0.0
    points = np.concatenate(kept)
    r = np.concatenate(distances)
    ordered = np.sort(values[points])
    within = count_within(ordered, values[points], r)
    return max(
        0.0,
        digamma(len(points))
        + digamma(np.concatenate(neighbours)).mean()
        - digamma(np.concatenate(sizes)).mean()
        - digamma(within).mean(),
    )


def _peakedness(shares: np.ndarray) -> float:
    """(mean over rows of max / sum - 1 / columns) / (1 - 1 / columns); rows of 0 are left out."""
    columns = shares.shape[1]
    total = shares.sum(axis=1)
    informed = total > 0
    if columns < 2 or not informed.any():
        return float("nan") if columns < 2 else 0.0
    ratio = np.mean(shares[informed].max(axis=1) / total[informed])
    return float((ratio - 1 / columns) / (1 - 1 / columns))
