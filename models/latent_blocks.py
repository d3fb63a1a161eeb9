"""Latent blocks: the parts of a decoder's input whose basis can be rotated by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class LatentBlock:
    """A part of a decoder's input, in which every coordinate has prior mean 0 and deviation 1.

    Attributes:
        name: As results name it.
        size: Its dimension k.
        embed: Linear, from directions float [m, k] to directions [m, D] of the decoder's input.
            Steps along a direction are measured before it, in prior standard deviations.
        summary: In a few words, for the report.
    """

    name: str
    size: int
    embed: Callable[[np.ndarray], np.ndarray]
    summary: str

    def read(self, inputs: np.ndarray) -> np.ndarray:
        """The block's latents of inputs [n, D]: [n, k], N(0, 1) where the inputs are.

        A latent that is embedded at several inputs is their sum over the root of their number.
        """
        return inputs @ self.unit_axes().T

    def unit_axes(self) -> np.ndarray:
        """Directions of unit length [k, D] of the decoder's input, one for each latent."""
        axes = self.embed(np.eye(self.size))
        return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def coordinates(name: str, columns: np.ndarray, dimension: int, summary: str) -> LatentBlock:
    """The latent block of some columns of a decoder's input [n, dimension]."""

    def embed(directions: np.ndarray) -> np.ndarray:
        embedded = np.zeros((len(directions), dimension))
        embedded[:, columns] = directions
        return embedded

    return LatentBlock(name, len(columns), embed, summary)
