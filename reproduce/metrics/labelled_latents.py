"""Latents and factors as plain arrays: what metrics score and bases turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from data import blocks, random_streams
from reproduce.metrics import rounding
from reproduce.metrics.rounding import EPS

TEST_SHARE = 1 / 3  # of the rows, where a metric wants a test split and there is none


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledLatents:
    """Latents with their factors, and a test split of their own if there is one.

    Attributes:
        latents: float64 [n, d]; narrower floats may be kept where they are many
            (`blocks.is_large`).
        factors: int64 [n, k].
        latents_test: float64 [n', d] or None.
        factors_test: int64 [n', k] or None.
        eps: The relative rounding error with which the latents were kept (`rounding.precision`),
            whatever was computed from them since.
        readout: float64 [d, r], of latents too large for a second copy: what is meant are
            latents @ readout, which nobody computes as a whole. None: the latents themselves.
    """

    latents: np.ndarray
    factors: np.ndarray
    latents_test: np.ndarray | None = None
    factors_test: np.ndarray | None = None
    eps: float = EPS
    readout: np.ndarray | None = None

    @property
    def dimension(self) -> int:
        """The number of latents that are meant."""
        return self.latents.shape[1] if self.readout is None else self.readout.shape[1]

    @property
    def is_large(self) -> bool:
        """Whether there cannot be a second copy of the latents."""
        return blocks.is_large(self.latents)

    def split(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Latents and factors of the training split, then of the test split.

        Without a test split a third of the rows, drawn by the seed, serves as one.
        """
        if self.latents_test is not None and self.factors_test is not None:
            return self.latents, self.factors, self.latents_test, self.factors_test
        rng = random_streams.generator(seed, random_streams.TEST_SPLIT)
        order = rng.permutation(len(self.latents))
        num_test = max(1, round(TEST_SHARE * len(order)))
        test, train = order[:num_test], order[num_test:]
        return self.latents[train], self.factors[train], self.latents[test], self.factors[test]

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> LabelledLatents:
        """The same points with a function applied to the latents of both splits."""
        test = None if self.latents_test is None else function(self.latents_test)
        return LabelledLatents(
            function(self.latents), self.factors, test, self.factors_test, self.eps
        )

    def read_out(self, matrix: np.ndarray) -> LabelledLatents:
        """The same points with latents @ matrix, float64 [d, r]; see `readout`."""
        readout = matrix if self.readout is None else self.readout @ matrix
        return dataclasses.replace(self, readout=readout)

    def covariance(self) -> np.ndarray:
        """The covariance (over n - 1) of the latents that are meant: float64 [d, d]."""
        covariance = blocks.covariance(self.latents)
        return covariance if self.readout is None else self.readout.T @ covariance @ self.readout

    def rank(self) -> int:
        """How many directions of the latents that are meant vary by more than rounding."""
        if not self.is_large:
            return rounding.rank(self.latents, self.eps)
        noise = rounding.noise(self.latents, self.eps)
        if self.readout is not None:
            noise = np.abs(self.readout).T @ noise
        return rounding.rank_of_covariance(self.covariance(), noise)

    def sample(self, num_numbers: int, rng: np.random.Generator) -> LabelledLatents:
        """Random rows, without a test split: as many as hold so many numbers."""
        count = max(2, min(len(self.latents), num_numbers // self.dimension))
        return self.rows(np.sort(rng.choice(len(self.latents), count, replace=False)))

    def rows(self, chosen: np.ndarray) -> LabelledLatents:
        """Some rows of the training split, without the test split."""
        latents = self.latents[chosen]
        if self.readout is not None:
            latents = latents @ self.readout
        return LabelledLatents(latents, self.factors[chosen], eps=self.eps)
