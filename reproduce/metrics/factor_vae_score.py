"""The FactorVAE score (Kim & Mnih 2018, section 4), for one basis or for many."""

from __future__ import annotations

import dataclasses

import numpy as np

from data import blocks
from data.numba_cache import numba

_CONSTANT_VARIANCE = 1e-12  # up to here a latent is constant, whatever the pruning threshold
_CHUNK_NUMBERS = 2**21  # so many float64 (16 MiB) are worked on at once


def factor_vae_score(
    latents: np.ndarray,
    factors: np.ndarray,
    *,
    seed: int = 0,
    num_train: int = 10_000,
    num_eval: int = 5_000,
    num_variance: int = 10_000,
    batch_size: int = 64,
    prune_threshold: float = 0.05,
) -> float:
    """The FactorVAE score: which latent varies least while a factor is held fixed?

    A group is `batch_size` rows that share the value of one factor. It votes, for that factor,
    with argmin_i of var_group(z_i) / var_all(z_i); a latent stands for the factor that voted for
    it most in the training groups, and the score is the accuracy of that on the evaluation groups
    (Kim & Mnih 2018, section 4, figure 2; no equation number). Range 0 to 1, higher is better;
    the most frequent factor's share (about 1 / k) by chance. A rotation that mixes aligned
    latents lowers it. Invariant under permutation and sign flip, and under positive scaling that
    moves no latent across the pruning threshold. Latents with a standard deviation below
    `prune_threshold` are left out, constant ones (variance at most 1e-12) always; if none is
    left, as in a constant representation, the score is 0.

    Rows are drawn with replacement: for a group a factor, a row whose value is held fixed, and
    rows that have it. Values that few rows have give groups of repeated rows; the score means
    little where most values are such.

    Args:
        latents: float [n, d].
        factors: int [n, k].
        seed: The seed of the draws.
        num_train: Groups that vote.
        num_eval: Groups that are predicted.
        num_variance: Rows from which the global variances are estimated.
        batch_size: Rows in a group.
        prune_threshold: On the standard deviation.

    Returns:
        The accuracy on the evaluation groups.
    """
    latents = np.asarray(latents, np.float64)
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(latents), size=num_variance)
    variances = latents[rows].var(axis=0, ddof=1)
    groups, group_factors = draw_groups(factors, num_train + num_eval, batch_size, rng)
    local = np.empty((len(groups), latents.shape[1]))
    step = max(1, _CHUNK_NUMBERS // (batch_size * latents.shape[1]))
    for start in range(0, len(groups), step):
        chunk = slice(start, start + step)
        local[chunk] = latents[groups[chunk]].var(axis=1, ddof=1)
    kept = _kept(variances, prune_threshold)
    ratios = local / np.where(kept, variances, 1)
    return float(_accuracies(ratios[:, None], kept[None], group_factors, num_train)[0])


def group_covariances(
    latents: np.ndarray,
    factors: np.ndarray,
    rng: np.random.Generator,
    *,
    num_train: int = 10_000,
    num_eval: int = 5_000,
    num_variance: int = 10_000,
    batch_size: int = 64,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the score needs of the latents, whatever the basis.

    With the generator `numpy.random.default_rng(seed)` the rows are those that `factor_vae_score`
    draws with that seed. The result takes 8 (num_train + num_eval) d^2 bytes.

    Args:
        latents: float [n, d].
        factors: int [n, k].
        rng: Draws the rows.
        num_train: Groups that vote; they come first.
        num_eval: Groups that are predicted.
        num_variance: Rows from which the global covariance is estimated.
        batch_size: Rows in a group.

    Returns:
        Global covariance float64 [d, d], covariances of the groups float64 [g, d, d], and the
        factor that each group shares, int64 [g]. All covariances have ddof 1.
    """
    d = latents.shape[1]
    rows = rng.integers(len(latents), size=num_variance)
    drawn = np.asarray(latents[rows], np.float64)
    global_covariance = np.cov(drawn, rowvar=False, ddof=1).reshape(d, d)
    groups, group_factors = draw_groups(factors, num_train + num_eval, batch_size, rng)
    covariances = np.empty((len(groups), d, d))
    step = max(1, _CHUNK_NUMBERS // (batch_size * d))
    for start in range(0, len(groups), step):
        points = np.asarray(latents[groups[start : start + step]], np.float64)
        points -= points.mean(axis=1, keepdims=True)
        covariances[start : start + step] = points.swapaxes(1, 2) @ points / (batch_size - 1)
    return global_covariance, covariances, group_factors


@dataclasses.dataclass(frozen=True, eq=False)
class DrawnRows:
    """The rows that the score is computed from, whatever the basis.

    Attributes:
        rows: int64 [num_variance], from which the global variances are estimated.
        groups: int64 [num_train + num_eval, batch_size].
        factors: int64 [num_train + num_eval], the factor that each group shares.
    """

    rows: np.ndarray
    groups: np.ndarray
    factors: np.ndarray


def draw(
    factors: np.ndarray,
    rng: np.random.Generator,
    *,
    num_train: int = 10_000,
    num_eval: int = 5_000,
    num_variance: int = 10_000,
    batch_size: int = 64,
) -> DrawnRows:
    """Draws the rows that `group_covariances` draws by the same generator, of factors int [n, k].

    Their covariances take 8 (num_train + num_eval) d^2 bytes; the rows themselves take a number
    for each, whatever d.
    """
    rows = rng.integers(len(factors), size=num_variance)
    return DrawnRows(rows, *draw_groups(factors, num_train + num_eval, batch_size, rng))


def factor_vae_scores(
    latents: np.ndarray,
    drawn: DrawnRows,
    num_train: int,
    bases: np.ndarray,
    *,
    prune_threshold: float = 0.05,
) -> np.ndarray:
    """`factor_vae_score` in many bases, one after the other, in memory that does not grow with d^2.

    Args:
        latents: float [n, d].
        drawn: The groups.
        num_train: So many of the groups, the first, vote; the others are predicted.
        bases: float [b, d, m].
        prune_threshold: On the standard deviation.

    Returns:
        float64 [b].
    """
    scores = np.empty(len(bases))
    for index, basis in enumerate(bases):
        rotated = _Rotated(latents, basis)
        variances = rotated[drawn.rows].var(axis=0, ddof=1)
        local = np.empty((len(drawn.groups), basis.shape[1]))
        step = max(1, _CHUNK_NUMBERS // (drawn.groups.shape[1] * basis.shape[1]))
        for start in range(0, len(local), step):
            chunk = slice(start, start + step)
            local[chunk] = rotated[drawn.groups[chunk]].var(axis=1, ddof=1)
        kept = _kept(variances, prune_threshold)
        local /= np.where(kept, variances, 1)
        scores[index] = _accuracies(local[:, None], kept[None], drawn.factors, num_train)[0]
    return scores


class _Rotated:
    """Latents in a basis: computed at once, or row by row where they are large."""

    def __init__(self, latents: np.ndarray, basis: np.ndarray) -> None:
        self._basis = basis if blocks.is_large(latents) else None
        self._latents = latents if blocks.is_large(latents) else latents @ basis

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        chosen = self._latents[rows]
        return chosen if self._basis is None else chosen.astype(np.float64) @ self._basis


def factor_vae_score_from_covariances(
    global_covariance: np.ndarray,
    group_covariances: np.ndarray,
    group_factors: np.ndarray,
    num_train: int,
    bases: np.ndarray,
    *,
    prune_threshold: float = 0.05,
) -> np.ndarray:
    """`factor_vae_score` in many bases of the same latents, on the same groups of rows.

    The variances in a basis Q are diag(Q^T C Q); pruning is by those, so it depends on the basis.

    Args:
        global_covariance: float [d, d], as `group_covariances` gives it.
        group_covariances: float [g, d, d].
        group_factors: int [g].
        num_train: So many of the groups, the first, vote; the others are predicted.
        bases: float [b, d, m]; the new latents are `latents @ bases[i]`.
        prune_threshold: On the standard deviation.

    Returns:
        float64 [b].
    """
    num_bases, d, m = bases.shape
    # z^T C z needs half of a symmetric C: the diagonal once, what is above it twice.
    first, second = np.triu_indices(d)
    halves = np.ascontiguousarray(group_covariances[:, first, second])
    global_half = global_covariance[first, second]
    twice = np.where(first == second, 1.0, 2.0)
    scores = np.empty(num_bases)
    step = max(1, _CHUNK_NUMBERS // (len(halves) * m))
    for start in range(0, num_bases, step):
        chunk = np.asarray(bases[start : start + step], np.float64).transpose(1, 0, 2)
        products = chunk[first] * chunk[second] * twice[:, None, None]
        variances = np.tensordot(global_half, products, axes=1)
        kept = _kept(variances, prune_threshold)
        products /= np.where(kept, variances, 1)
        ratios = halves @ products.reshape(len(first), -1)
        scores[start : start + step] = _accuracies(
            ratios.reshape(len(halves), -1, m), kept, group_factors, num_train
        )
    return scores


def draw_groups(
    factors: np.ndarray, num_groups: int, batch_size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws groups of rows that share the value of a factor, which is drawn uniformly.

    Args:
        factors: int [n, k].
        num_groups: How many.
        batch_size: Rows in a group, drawn with replacement.
        rng: Draws the rows.

    Returns:
        Rows int64 [num_groups, batch_size], and the factor that each group shares [num_groups].
    """
    group_factors = rng.integers(factors.shape[1], size=num_groups)
    examples = rng.integers(len(factors), size=num_groups)
    rows = RowsByValue(factors).draw(
        np.broadcast_to(examples[:, None], (num_groups, batch_size)), group_factors[:, None], rng
    )
    return rows, group_factors


class RowsByValue:
    """Finds rows that have the same value of a factor as a given row."""

    def __init__(self, factors: np.ndarray) -> None:
        """Sorts the rows of factors, int [n, k]."""
        self._order = np.argsort(factors, axis=0, kind="stable")
        self._start = np.empty(factors.shape, np.int64)
        self._count = np.empty(factors.shape, np.int64)
        for j, column in enumerate(factors.T):
            _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
            self._start[:, j] = (np.cumsum(counts) - counts)[inverse]
            self._count[:, j] = counts[inverse]

    def draw(self, rows: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each row one that shares its value of the chosen factor, uniformly.

        Args:
            rows: int [...].
            chosen: int, factors, of a shape that broadcasts to that of rows.
            rng: Draws the rows.

        Returns:
            int64 [...], rows; a row may be drawn for itself.
        """
        positions = self._start[rows, chosen] + rng.integers(0, self._count[rows, chosen])
        return self._order[positions, chosen]


def _kept(variances: np.ndarray, prune_threshold: float) -> np.ndarray:
    """Which latents are not pruned: bool, of the shape of their variances."""
    deviations = np.sqrt(np.maximum(variances, 0))
    return (variances > _CONSTANT_VARIANCE) & (deviations >= prune_threshold)


@numba.njit(cache=True, parallel=True)
def _accuracies(
    ratios: np.ndarray, kept: np.ndarray, group_factors: np.ndarray, num_train: int
) -> np.ndarray:
    """Scores float64 [b], from variance ratios float64 [g, b, m] and which are kept, bool [b, m].

    Ties, in the smallest ratio or in votes, go to the first.
    """
    num_groups, num_bases, m = ratios.shape
    k = group_factors.max() + 1
    scores = np.zeros(num_bases)
    for b in numba.prange(num_bases):
        if not kept[b].any():
            continue
        votes = np.zeros((2, m, k), np.int64)
        for g in range(num_groups):
            best, smallest = -1, np.inf
            for i in range(m):
                if kept[b, i] and (best < 0 or ratios[g, b, i] < smallest):
                    best, smallest = i, ratios[g, b, i]
            votes[int(g >= num_train), best, group_factors[g]] += 1
        for i in range(m):
            scores[b] += votes[1, i, votes[0, i].argmax()]
        scores[b] /= num_groups - num_train
    return scores
