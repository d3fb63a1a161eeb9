"""DCI: disentanglement, completeness, informativeness (Eastwood & Williams 2018, section 2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.parallel import Parallel, delayed

from reproduce.metrics.modularity import standardise, undisturbed

_NUM_TREES = 100  # scikit-learn's default number of boosting iterations
_TREE_SEED_BOUND = 2**31 - 1  # scikit-learn's trees draw their own seeds below it
_SECONDS_A_SPLIT = 2.7e-5  # a row, class and latent: measured at 31 ms a row of dSprites' factors
_FAST = {"n_estimators": 10, "max_depth": 8, "max_features": None}
_SAGA_TOLERANCE = 1e-3  # within .01 of a tenth of it, in a third of the time

# scikit-learn 1.8 folded `penalty` into `l1_ratio`.
_L1 = (
    {"penalty": "l1"}
    if LogisticRegression().get_params().get("penalty") == "l2"
    else {"l1_ratio": 1.0}
)


@dataclasses.dataclass(frozen=True)
class Dci:
    """What `dci` and `dci_linear` return.

    Attributes:
        disentanglement: See `disentanglement`.
        completeness: See `completeness`.
        informativeness_train: Mean accuracy over factors on the training split, 0 to 1.
        informativeness: The same on the test split; higher is better.
        importance: R, float64 [d, k]: how much each latent matters for predicting each factor.
    """

    disentanglement: float
    completeness: float
    informativeness_train: float
    informativeness: float
    importance: np.ndarray


def disentanglement(importance: np.ndarray) -> np.ndarray:
    """Does each latent matter for one factor only? For one importance matrix or many.

    sum_i rho_i (1 - H_k(P_i)): P_i is row i of R normalised to sum 1, H_k the entropy to base k,
    and rho_i the share of row i in all of R (Eastwood & Williams 2018, section 2, D). Range 0 to
    1, higher is better. A constant latent has no importance and so no weight; all of R 0 gives 0.
    With one factor alone, every latent that matters counts 1.

    Args:
        importance: float [..., d, k], not negative.

    Returns:
        float64 [...].
    """
    importance = np.asarray(importance, np.float64)
    weights = importance.sum(axis=-1)
    total = weights.sum(axis=-1, keepdims=True)
    shares = weights / np.where(total > 0, total, 1)
    return np.sum(shares * (1 - _relative_entropy(importance)), axis=-1)


def completeness(importance: np.ndarray) -> np.ndarray:
    """Does one latent alone matter for each factor? For one importance matrix or many.

    The same as `disentanglement` with rows and columns exchanged: sum_j rho_j (1 - H_d(P_j)),
    entropies to base d (Eastwood & Williams 2018, section 2, C). Range 0 to 1, higher is better.
    A constant latent has no importance, but counts in d. All of R 0 gives 0.

    Args:
        importance: float [..., d, k], not negative.

    Returns:
        float64 [...].
    """
    return disentanglement(np.swapaxes(np.asarray(importance), -1, -2))


def seconds(num_latents: int, factors: np.ndarray, n_jobs: int = 1) -> float:
    """About how long `dci` takes on this kind of machine, for factors int [n, k] in training."""
    classes = np.where(_num_values(factors) > 2, _num_values(factors), 1).sum()
    return _SECONDS_A_SPLIT * len(factors) * num_latents * float(classes) / max(n_jobs, 1)


def dci(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
    *,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[], object] | None = None,
) -> Dci:
    """DCI with gradient-boosted trees, as in disentanglement_lib.

    For each factor one GradientBoostingClassifier with scikit-learn's defaults on all latents;
    column j of R holds its impurity importances, which sum to 1. A rotation that mixes aligned
    latents lowers disentanglement and completeness, and informativeness less. Invariant, but for
    the draws of ties, under permutation, sign flip and positive scaling. A constant latent is
    never split on: importance 0. A constant representation scores 0 in disentanglement and
    completeness and the largest class's share in informativeness. A factor of which training
    holds one value only has importance 0.

    The figures do not depend on `n_jobs`: the fits draw from one stream in factor order, as if
    one numpy.random.RandomState(seed) were handed from factor to factor, which each fit gets to
    by skipping what the fits before it draw (a number for each tree).

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k].
        latents_test: float [n', d].
        factors_test: int [n', k].
        seed: The seed of the trees' own draws (the order in which they try latents).
        n_jobs: Factors fitted at once, in threads; -1 for as many as there are cores.
        progress: Called after each factor's fit.

    Returns:
        The scores.
    """
    sizes = _num_values(factors_train)
    trees = _NUM_TREES * np.where(sizes > 2, sizes, sizes - 1)  # one for each class, or for two
    skipped = np.cumsum(trees) - trees

    def fit(j: int) -> tuple[np.ndarray, float, float]:
        stream = np.random.RandomState(seed)
        stream.randint(_TREE_SEED_BOUND, size=skipped[j])
        model = GradientBoostingClassifier(n_estimators=_NUM_TREES, random_state=stream)
        model.fit(latents_train, factors_train[:, j])
        if progress is not None:
            progress()
        return (
            model.feature_importances_,
            model.score(latents_train, factors_train[:, j]),
            model.score(latents_test, factors_test[:, j]),
        )

    return _dci(fit, latents_train.shape[1], factors_train, factors_test, n_jobs)


def dci_linear(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
    *,
    penalty_strength: float = 1.0,
    seed: int = 0,
    n_jobs: int = 1,
) -> Dci:
    """DCI with linear probes: the lasso of Eastwood & Williams 2018, for factors that are classes.

    For each factor one multinomial logistic regression with an L1 penalty (scikit-learn's SAGA)
    on latents standardised by the training split. Column j of R is the sum over classes of
    |coefficient|, normalised to sum 1 as the trees' importances are: coefficients of a factor
    with many classes are not more important for being many. A rotation that mixes aligned latents
    lowers disentanglement and completeness; informativeness hardly changes. Invariant under
    permutation, sign flip and positive scaling, up to the solver's tolerance. A constant latent
    has importance 0. A constant representation scores 0 in disentanglement and completeness and
    the largest class's share in informativeness.

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k].
        latents_test: float [n', d].
        factors_test: int [n', k].
        penalty_strength: 1 / C of scikit-learn.
        seed: The seed of the solver's order of points.
        n_jobs: Factors fitted at once, in threads; -1 for as many as there are cores.

    Returns:
        The scores.
    """
    train, test = standardise(latents_train, latents_test)

    def fit(j: int) -> tuple[np.ndarray, float, float]:
        model = LogisticRegression(
            C=1 / penalty_strength,
            solver="saga",
            tol=_SAGA_TOLERANCE,
            max_iter=1000,
            random_state=np.random.RandomState(seed),
            **_L1,
        ).fit(train, factors_train[:, j])
        sizes = np.abs(model.coef_).sum(axis=0)
        return (
            sizes / (sizes.sum() or 1),
            model.score(train, factors_train[:, j]),
            model.score(test, factors_test[:, j]),
        )

    return _dci(fit, latents_train.shape[1], factors_train, factors_test, n_jobs)


def dci_fast(
    latents_train: np.ndarray,
    factors_train: np.ndarray,
    latents_test: np.ndarray,
    factors_test: np.ndarray,
    *,
    seed: int = 0,
) -> Dci:
    """DCI with a small forest, for nulls of many bases: an approximation of `dci`.

    For each factor one ExtraTreesClassifier of 10 trees of depth 8 on all latents, whose impurity
    importances take the place of the boosted trees'. `benchmarks/dci_fast.py` measures the
    agreement: over random and partly rotated bases of the recorded arrays, rank correlation of
    disentanglement with `dci`'s is above .9, at more than 50 times the speed. That of
    informativeness, over random bases, is .67 to .90 only. The values themselves differ by up to
    .13, so that both bases of a comparison need the same form. Invariances are `dci`'s. A constant
    latent has importance 0; a constant representation scores 0 in disentanglement and completeness.

    Args:
        latents_train: float [n, d].
        factors_train: int [n, k].
        latents_test: float [n', d].
        factors_test: int [n', k].
        seed: The seed of the trees' splits.
    """

    def fit(j: int) -> tuple[np.ndarray, float, float]:
        y_train, y_test = factors_train[:, j], factors_test[:, j]
        model = ExtraTreesClassifier(random_state=seed, **_FAST).fit(latents_train, y_train)
        accuracies = (
            model.score(z, y) for z, y in ((latents_train, y_train), (latents_test, y_test))
        )
        return model.feature_importances_, *accuracies

    return _dci(fit, latents_train.shape[1], factors_train, factors_test, n_jobs=1)


def _num_values(factors: np.ndarray) -> np.ndarray:
    """How many values each factor has: int [k], from int [n, k]."""
    return np.array([len(np.unique(column)) for column in factors.T])


def _dci(
    fit: Callable[[int], tuple[np.ndarray, float, float]],
    num_latents: int,
    factors_train: np.ndarray,
    factors_test: np.ndarray,
    n_jobs: int,
) -> Dci:
    """The scores from `fit(j)`: importances float [d], training and test accuracy of factor j."""
    sizes = _num_values(factors_train)
    # The largest first, so that no thread is left alone with it at the end.
    order = [j for j in np.argsort(-sizes, kind="stable") if sizes[j] > 1]
    with undisturbed():
        results = Parallel(n_jobs=n_jobs, backend="threading")(delayed(fit)(j) for j in order)
    fits = dict(zip(order, results, strict=True))
    importance = np.zeros((num_latents, len(sizes)))
    accuracies = np.empty((len(sizes), 2))
    for j in range(len(sizes)):
        if j in fits:
            importance[:, j], *accuracies[j] = fits[j]
        else:
            accuracies[j] = 1, np.mean(factors_test[:, j] == factors_train[0, j])
    train, test = accuracies.mean(axis=0)
    return Dci(
        disentanglement=float(disentanglement(importance)),
        completeness=float(completeness(importance)),
        informativeness_train=float(train),
        informativeness=float(test),
        importance=importance,
    )


def _relative_entropy(importance: np.ndarray) -> np.ndarray:
    """Entropy of each row over its maximum: float [..., d, k] to [..., d]; a row of 0 has 1."""
    size = importance.shape[-1]
    if size == 1:
        return (importance[..., 0] <= 0).astype(np.float64)
    positive = importance + 1e-11  # disentanglement_lib's
    shares = positive / positive.sum(axis=-1, keepdims=True)
    return -np.sum(shares * np.log(shares), axis=-1) / np.log(size)
