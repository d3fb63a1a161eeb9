"""Mutual information of binned latents and factors, for one basis or thousands.

Definitions are disentanglement_lib's (Locatello et al. 2019): 20 bins of equal width a latent,
plug-in estimates, natural logarithms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  numba's matrix products use it: loaded to be limited
import threadpoolctl

from data import blocks
from data.numba_cache import numba
from reproduce.metrics import rounding

NUM_BINS = 20
_MERGED_CELLS = 1_024  # neighbouring factors are counted in one table of at most so many cells


def discretise(latents: np.ndarray, num_bins: int = NUM_BINS) -> np.ndarray:
    """Bins each latent: int64 [n, d] in 0..num_bins - 1, from float [n, d].

    The edges are `numpy.histogram`'s, so the maximum falls into the last bin; a constant latent
    has one bin.
    """
    bins = np.empty(latents.shape, np.int64)
    for i, column in enumerate(np.asarray(latents, np.float64).T):
        edges = np.histogram_bin_edges(column, num_bins)
        bins[:, i] = np.digitize(column, edges[:-1]) - 1
    return bins


def entropies(factors: np.ndarray) -> np.ndarray:
    """Plug-in entropy of each factor in nats: float64 [k], from int [n, k]."""
    values = []
    for column in factors.T:
        share = np.bincount(column) / len(column)
        share = share[share > 0]
        values.append(-np.sum(share * np.log(share)))
    return np.array(values)


def mutual_information(
    latents: np.ndarray, factors: np.ndarray, num_bins: int = NUM_BINS
) -> np.ndarray:
    """Plug-in mutual information of each binned latent and each factor, in nats.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices.
        num_bins: The number of bins of each latent.

    Returns:
        float64 [d, k]; a constant latent has 0 everywhere.
    """
    bins = discretise(latents, num_bins)
    information = np.empty((latents.shape[1], factors.shape[1]))
    for i, b in enumerate(bins.T):
        for j, g in enumerate(factors.T):
            counts = np.bincount(b * (g.max() + 1) + g, minlength=num_bins * (g.max() + 1))
            joint = counts.reshape(num_bins, -1) / len(b)
            independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
            seen = joint > 0
            information[i, j] = np.sum(joint[seen] * np.log(joint[seen] / independent[seen]))
    return np.maximum(information, 0.0)


class InformationEngine:
    """Mutual information in many bases of the same latents; built once, called on batches."""

    def __init__(self, latents: np.ndarray, factors: np.ndarray, eps: float = rounding.EPS) -> None:
        """Prepares latents float [n, d] and factors int [n, k].

        New latents that vary by no more than rounding, by the relative error `eps` of the given
        ones, count as constant: their bins would hold noise.
        """
        self._noise = rounding.noise(latents, eps)
        self._is_large = blocks.is_large(latents)
        if not self._is_large:
            latents = np.ascontiguousarray(np.asarray(latents, np.float64).T)
        self._latents = latents
        self._blas = threadpoolctl.ThreadpoolController()
        n = len(factors)
        self._sizes = (factors.max(axis=0) + 1).astype(np.int64)
        # Neighbouring factors are counted in one table and summed out afterwards: most of the
        # time goes into counting, and so it is done once for several factors.
        groups: list[list[int]] = []
        for j, size in enumerate(self._sizes):
            cells = np.prod(self._sizes[groups[-1]]) if groups else np.inf
            if cells * size <= _MERGED_CELLS:
                groups[-1].append(j)
            else:
                groups.append([j])
        shapes = [tuple(self._sizes[members]) for members in groups]
        self._num_cells = np.array([np.prod(shape) for shape in shapes])
        self._first_factor = np.cumsum([0, *map(len, groups)])
        self._cells = np.stack(
            [
                np.ravel_multi_index(tuple(factors[:, members].T), shape) * NUM_BINS
                for members, shape in zip(groups, shapes, strict=True)
            ]
        ).astype(np.uint32)
        # Small counts keep the tables in the processor's first cache.
        self._count_type = np.zeros(0, np.uint16 if n < 2**16 else np.uint32)
        counts = np.arange(n + 1, dtype=np.float64)
        self._count_log_count = counts * np.log(np.maximum(counts, 1))
        self._factor_term = np.array(
            [self._count_log_count[np.bincount(column)].sum() for column in factors.T]
        )

    def __call__(self, bases: np.ndarray) -> np.ndarray:
        """Mutual information of the latents in each basis and each factor, in nats.

        Args:
            bases: float [b, d, m]; the new latents are `latents @ bases[i]`.

        Returns:
            float64 [b, m, k].
        """
        noise = np.abs(bases).swapaxes(-1, -2) @ self._noise
        tables = (
            self._cells,
            self._num_cells,
            self._first_factor,
            self._sizes,
            self._count_type,
            self._factor_term,
            self._count_log_count,
        )
        if self._is_large:
            return np.stack(
                [self._in_blocks(*one, tables) for one in zip(bases, noise, strict=True)]
            )
        with self._blas.limit(limits=1, user_api="blas"):  # the bases are what runs in parallel
            return _information(
                self._latents, np.ascontiguousarray(bases, np.float64), noise, *tables
            )

    def entropies(self, bases: np.ndarray) -> np.ndarray:
        """Entropy of each binned latent in each basis, in nats.

        Args:
            bases: float [b, d, m].

        Returns:
            float64 [b, m].
        """
        noise = np.abs(bases).swapaxes(-1, -2) @ self._noise
        found = [
            np.concatenate(
                [
                    _entropies_of_rotated(part, own, self._count_log_count)
                    for part, own in self._rotated(*one)
                ]
            )
            for one in zip(bases, noise, strict=True)
        ]
        return np.array(found).reshape(len(bases), -1)

    def _in_blocks(
        self, basis: np.ndarray, noise: np.ndarray, tables: tuple[Any, ...]
    ) -> np.ndarray:
        """Mutual information [m, k] of large latents in one basis, some new latents at a time."""
        parts = [_information_of_rotated(*part, *tables) for part in self._rotated(basis, noise)]
        return np.concatenate(parts)

    def _rotated(
        self, basis: np.ndarray, noise: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """New latents float64 [_, n] and their noise [_]: all at once, or some of large ones."""
        if not self._is_large:
            yield np.ascontiguousarray(basis.T, np.float64) @ self._latents, noise
            return
        n, m = len(self._latents), basis.shape[1]
        step = max(1, 4 * blocks.ROWS // n)
        for start in range(0, m, step):
            part = np.ascontiguousarray(basis[:, start : start + step], np.float64)
            rotated = np.empty((part.shape[1], n))
            for rows in blocks.rows(self._latents):
                rotated[:, rows] = (self._latents[rows].astype(np.float64) @ part).T
            yield rotated, noise[start : start + step]


@numba.njit(cache=True, fastmath={"nnan", "ninf", "nsz"})
def _extent(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of finite values; the flags let the compiler compare many at once."""
    low, high = values[0], values[0]
    for r in range(len(values)):
        low = min(low, values[r])
        high = max(high, values[r])
    return low, high


@numba.njit(cache=True)
def _bin(values: np.ndarray, noise: float, bins: np.ndarray) -> None:
    """Bins float64 [n] into 0..19 as `numpy.histogram`'s edges do; a constant goes into bin 0.

    A constant is what spreads no wider than the noise.
    """
    low, high = _extent(values)
    if high - low <= noise:
        bins[:] = 0
        return
    width = (high - low) / NUM_BINS
    inverse = 1.0 / width
    last = np.int32(NUM_BINS - 1)
    for r in range(len(values)):
        value = values[r]
        guess = min(np.int32((value - low) * inverse), last)
        # The product may round to the wrong side of an edge; the edges, as NumPy computes them,
        # decide. The maximum belongs to the last bin.
        below = np.int32(value < np.float64(guess) * width + low)
        above = np.int32(value >= np.float64(guess + np.int32(1)) * width + low)
        bins[r] = min(np.int32(guess - below + above), last)


@numba.njit(cache=True)
def _add(into: np.ndarray, other: np.ndarray) -> None:
    for i in range(len(into)):
        into[i] += other[i]


@numba.njit(cache=True)
def _fold(table: np.ndarray, rows: int, width: int) -> None:
    """Sums the rows of a table [rows * width] into the first, by halves: long sums are fast."""
    while rows > 1:
        half = rows // 2
        _add(table[: half * width], table[(rows - half) * width : rows * width])
        rows -= half


@numba.njit(cache=True)
def _sum_of(table: np.ndarray, terms: np.ndarray) -> float:
    total = 0.0
    for count in table:
        total += terms[count]
    return total


@numba.njit(cache=True)
def _information_of_one(
    values: np.ndarray,
    noise: float,
    bins: np.ndarray,
    merged: np.ndarray,
    table: np.ndarray,
    cells: np.ndarray,
    num_cells: np.ndarray,
    first_factor: np.ndarray,
    sizes: np.ndarray,
    factor_term: np.ndarray,
    count_log_count: np.ndarray,
    information: np.ndarray,
) -> None:
    """One latent's row [k]; see `InformationEngine`.

    n MI = sum c log c (joint) - (latent) - (factor) + n log n. `bins` [n], `merged` and `table` are
    worked in.
    """
    n, k = len(values), len(sizes)
    _bin(values, noise, bins)
    for g in range(len(num_cells)):
        merged[: num_cells[g] * NUM_BINS] = 0
        for r in range(n):
            merged[cells[g, r] + bins[r]] += 1
        # The last factor first: its table is the sum over all before it; then it is summed out
        # itself, cell by cell of those before.
        before = num_cells[g]
        for f in range(first_factor[g + 1] - 1, first_factor[g] - 1, -1):
            width = sizes[f] * NUM_BINS
            before //= sizes[f]
            own = table[:width]
            own[:] = merged[:width]
            for cell in range(1, before):
                _add(own, merged[cell * width : (cell + 1) * width])
            information[f] = _sum_of(own, count_log_count)
            for cell in range(before):
                used = merged[cell * width : (cell + 1) * width]
                _fold(used, sizes[f], NUM_BINS)
                merged[cell * NUM_BINS : (cell + 1) * NUM_BINS] = used[:NUM_BINS]
    latent_term = _sum_of(merged[:NUM_BINS], count_log_count)
    for f in range(k):
        total = information[f] - latent_term - factor_term[f] + count_log_count[n]
        information[f] = max(total / n, 0.0)


@numba.njit(cache=True, parallel=True)
def _information(
    latents: np.ndarray,
    bases: np.ndarray,
    noise: np.ndarray,
    cells: np.ndarray,
    num_cells: np.ndarray,
    first_factor: np.ndarray,
    sizes: np.ndarray,
    count_type: np.ndarray,
    factor_term: np.ndarray,
    count_log_count: np.ndarray,
) -> np.ndarray:
    """The information of latents [d, n] in bases [b, d, m]: float64 [b, m, k]."""
    num_bases, _, m = bases.shape
    information = np.empty((num_bases, m, len(sizes)))
    for b in numba.prange(num_bases):
        rotated = np.dot(bases[b].T.copy(), latents)
        bins = np.empty(latents.shape[1], np.uint32)
        merged = np.empty(num_cells.max() * NUM_BINS, count_type.dtype)
        table = np.empty(sizes.max() * NUM_BINS, count_type.dtype)
        for j in range(m):
            _information_of_one(
                rotated[j],
                noise[b, j],
                bins,
                merged,
                table,
                cells,
                num_cells,
                first_factor,
                sizes,
                factor_term,
                count_log_count,
                information[b, j],
            )
    return information


@numba.njit(cache=True, parallel=True)
def _information_of_rotated(
    rotated: np.ndarray,
    noise: np.ndarray,
    cells: np.ndarray,
    num_cells: np.ndarray,
    first_factor: np.ndarray,
    sizes: np.ndarray,
    count_type: np.ndarray,
    factor_term: np.ndarray,
    count_log_count: np.ndarray,
) -> np.ndarray:
    """The information of latents [m, n] that are in their basis already: float64 [m, k]."""
    m, n = rotated.shape
    information = np.empty((m, len(sizes)))
    for j in numba.prange(m):
        _information_of_one(
            rotated[j],
            noise[j],
            np.empty(n, np.uint32),
            np.empty(num_cells.max() * NUM_BINS, count_type.dtype),
            np.empty(sizes.max() * NUM_BINS, count_type.dtype),
            cells,
            num_cells,
            first_factor,
            sizes,
            factor_term,
            count_log_count,
            information[j],
        )
    return information


@numba.njit(cache=True, parallel=True)
def _entropies_of_rotated(
    rotated: np.ndarray, noise: np.ndarray, count_log_count: np.ndarray
) -> np.ndarray:
    """Of latents [m, n] that are in their basis already: float64 [m]."""
    m, n = rotated.shape
    found = np.empty(m)
    for j in numba.prange(m):
        bins = np.empty(n, np.uint32)
        _bin(rotated[j], noise[j], bins)
        counts = np.zeros(NUM_BINS, np.int64)
        for r in range(n):
            counts[bins[r]] += 1
        found[j] = max((count_log_count[n] - _sum_of(counts, count_log_count)) / n, 0.0)
    return found
