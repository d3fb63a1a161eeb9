"""DCI-ES: explicitness and size (Eastwood et al. 2023, arXiv 2210.00364, section 4)."""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.linear_model import LogisticRegression

from reproduce.metrics.modularity import standardise, undisturbed

NUM_FEATURES = (1, 4, 16, 64, 256)
_LEAST_GAIN = 0.01


@dataclasses.dataclass(frozen=True)
class DciEs:
    """What `dci_es` returns.

    Attributes:
        explicitness: E, the mean of `factor_explicitness`.
        size: S = K / L, number of factors over number of latents (constant latents count): 1 is
            as small as a disentangled representation gets, lower is larger.
        factor_explicitness: float64 [k].
        capacities: float64 [t], log2 of the number of random features.
        losses: float64 [k, t], test loss at each capacity.
        baselines: float64 [k], test loss of predicting the values' shares in training.
    """

    explicitness: float
    size: float
    factor_explicitness: np.ndarray
    capacities: np.ndarray
    losses: np.ndarray
    baselines: np.ndarray


def dci_es(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
    *,
    seed: int = 0,
    num_features: tuple[int, ...] = NUM_FEATURES,
    num_draws: int = 3,
) -> DciEs:
    """Explicitness: how little capacity does a probe need to read the factors off the latents?

    The probe family is the paper's random Fourier features, here with a multinomial logistic
    regression (scikit-learn's defaults) on features sqrt(2) cos(w^T z + b), w ~ N(0, 1 / d), b
    uniform, of latents standardised by the training split (d of them not constant). Capacity is
    the logarithm of the number of features; the loss is the mean negative log-likelihood of the
    test split in nats, averaged over draws of features. A probe with more features contains those
    with fewer. `explicitness` makes the score of each factor's losses. Test rows with a value
    that training does not have are left out.

    Range -1 to 1, higher is better; it does not ask how good the best probe is, so read it beside
    informativeness. A rotation of standardised latents hardly changes it (the features'
    distribution is isotropic): no evidence on axes. Invariant under positive scaling, and in
    distribution under permutation and sign flip. Constant latents are dropped (but count in
    `size`); a constant representation scores 0.

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k].
        latents_test: float [n', d].
        factors_test: int [n', k].
        seed: The seed of the features.
        num_features: Rising; at least two.
        num_draws: Draws of the features, whose losses are averaged.

    Returns:
        The scores and the curves.
    """
    train, test = standardise(latents_train, latents_test)
    varies = np.any(train != 0, axis=0)
    train, test = train[:, varies], test[:, varies]
    d, largest = train.shape[1], max(num_features)
    rng = np.random.default_rng(seed)
    losses = np.zeros((factors_train.shape[1], len(num_features)))
    baselines = np.zeros(len(losses))
    for _ in range(num_draws):
        frequencies = rng.normal(size=(d, largest)) / np.sqrt(max(d, 1))
        phases = rng.uniform(0, 2 * np.pi, size=largest)
        features = np.sqrt(2) * np.cos(train @ frequencies + phases)
        test_features = np.sqrt(2) * np.cos(test @ frequencies + phases)
        for j, (y, y_test) in enumerate(zip(factors_train.T, factors_test.T, strict=True)):
            baselines[j], curve = _curve(features, y, test_features, y_test, num_features)
            losses[j] += curve / num_draws
    capacities = np.log2(num_features)
    scores = explicitness(losses, baselines, capacities)
    return DciEs(
        explicitness=float(scores.mean()),
        size=len(losses) / latents_train.shape[1],
        factor_explicitness=scores,
        capacities=capacities,
        losses=losses,
        baselines=baselines,
    )


def _curve(
    features: np.ndarray,
    y: np.ndarray,
    test_features: np.ndarray,
    y_test: np.ndarray,
    num_features: tuple[int, ...],
) -> tuple[float, np.ndarray]:
    """One factor's baseline, and its losses float64 [t]; no losses where there is nothing to read.

    Args:
        features: float [n, m] of the training split.
        y: int [n], the factor.
        test_features: float [n', m].
        y_test: int [n'].
        num_features: How many of the features each probe sees.
    """
    losses = np.zeros(len(num_features))
    values, counts = np.unique(y, return_counts=True)
    known = np.isin(y_test, values)
    labels = np.searchsorted(values, y_test[known])
    baseline = float(-np.mean(np.log(counts / len(y))[labels])) if known.any() else 0.0
    if len(values) == 1 or not known.any():
        return baseline, losses
    for t, m in enumerate(num_features):
        with undisturbed():
            model = LogisticRegression().fit(features[:, :m], y)
        probabilities = model.predict_proba(test_features[known, :m])
        likelihoods = probabilities[np.arange(len(labels)), labels]
        losses[t] = -np.mean(np.log(np.maximum(likelihoods, 1e-12)))
    return baseline, losses


def explicitness(losses: np.ndarray, baselines: np.ndarray, capacities: np.ndarray) -> np.ndarray:
    """E = 1 - AULCC / Z of loss-capacity curves (Eastwood et al. 2023, section 4.1).

    AULCC is the area between the curve of the lowest loss up to each capacity and the lowest loss
    of all, up to the capacity that first reaches it, by trapezoids; Z = (largest - smallest
    capacity) (baseline - lowest loss) / 2 is the area of the triangle of a curve that falls
    linearly from the baseline. 1 where the weakest probe is as good as any, 0 for the triangle,
    towards -1 where only the strongest beats the baseline. Losses above the baseline count as the
    baseline. Where no probe beats the baseline by 1% of it there is nothing to read, and E is 0
    (a rule of this project; the paper leaves 0 / 0 open).

    Args:
        losses: float [..., t].
        baselines: float [...].
        capacities: float [t], rising.

    Returns:
        float64 [...].
    """
    baselines = np.asarray(baselines, np.float64)[..., None]
    curve = np.minimum(np.minimum.accumulate(losses, axis=-1), baselines)
    lowest = curve[..., -1:]
    area = np.sum(
        (curve[..., :-1] + curve[..., 1:] - 2 * lowest) * np.diff(capacities) / 2, axis=-1
    )
    gain = (baselines - lowest)[..., 0]
    known = gain > _LEAST_GAIN * baselines[..., 0]
    triangle = (capacities[-1] - capacities[0]) * np.where(known, gain, 1) / 2
    return np.where(known, 1 - area / triangle, 0.0)
