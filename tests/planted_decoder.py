"""A decoder of anybody's, for the programs: a blot whose place in 16 x 16 pixels is two latents."""

from __future__ import annotations

import numpy as np


def decode(latents: np.ndarray) -> np.ndarray:
    """float [n, 2] to images [n, 16, 16, 1] in [0, 1]."""
    places = np.arange(16)
    y, x = (np.clip(latents[:, i], -3, 3) * 1.5 + 7.5 for i in (0, 1))
    column = np.exp(-((places - y[:, None]) ** 2) / 8)
    row = np.exp(-((places - x[:, None]) ** 2) / 8)
    return (column[:, :, None] * row[:, None, :])[..., None]


def wrong(latents: np.ndarray) -> np.ndarray:
    """Half of each image."""
    return decode(latents)[:, :8]


def failing(latents: np.ndarray) -> np.ndarray:
    """No image at all."""
    raise RuntimeError("no weights")
