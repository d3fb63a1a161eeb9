"""Images averaged down by areas, to the same bytes on every machine."""

from __future__ import annotations

import functools
import math

import numpy as np


@functools.cache
def _shares(length: int, parts: int) -> np.ndarray:
    """How much of each of `length` pixels lies in each of `parts` equal parts.

    Returns:
        float32 [parts, length], whole numbers: in units of the largest length that fits a whole
        number of times both into a pixel and into a part.
    """
    divisor = math.gcd(length, parts)
    pixel, part = parts // divisor, length // divisor
    pixels, ends = np.arange(length) * pixel, np.arange(parts)[:, None] * part
    shared = np.minimum(pixels + pixel, ends + part) - np.maximum(pixels, ends)
    return np.maximum(shared, 0).astype(np.float32)


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Averages images down: each pixel is the mean over the area that it covers.

    Sums of areas are whole numbers below 2^24, so float32 holds them exactly and every machine
    gives the same bytes.

    Args:
        images: uint8 [..., height, width, channels], no smaller than the size.
        size: The sides' new length, pixels.

    Returns:
        uint8 [..., size, size, channels], rounded half up.
    """
    *front, height, width, channels = images.shape
    rows, columns = _shares(height, size), _shares(width, size)
    sums = rows @ images.reshape(*front, height, width * channels).astype(np.float32)
    sums = columns @ sums.reshape(*front, size, width, channels)
    area = int(rows[0].sum() * columns[0].sum())
    return ((2 * sums.astype(np.int32) + area) // (2 * area)).astype(np.uint8)
