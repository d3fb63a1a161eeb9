"""Latents and factors as plain arrays: what metrics score and bases turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from data import random_streams
from reproduce.metrics.rounding import EPS

TEST_SHARE = 1 / 3  # of the rows, where a metric wants a test split and there is none


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledLatents:
    """Latents with their factors, and a test split of their own if there is one.

    Attributes:
        latents: float64 [n, d].
        factors: int64 [n, k].
        latents_test: float64 [n', d] or None.
        factors_test: int64 [n', k] or None.
        eps: The relative rounding error with which the latents were kept (`rounding.precision`),
            whatever was computed from them since.
    """

    latents: np.ndarray
    factors: np.ndarray
    latents_test: np.ndarray | None = None
    factors_test: np.ndarray | None = None
    eps: float = EPS

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

    def rows(self, chosen: np.ndarray) -> LabelledLatents:
        """Some rows of the training split, without the test split."""
        return LabelledLatents(self.latents[chosen], self.factors[chosen], eps=self.eps)
