"""Averaging by areas, against exact fractions and against blocks."""

from __future__ import annotations

from fractions import Fraction

import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from data.area_means import shrink


@hypothesis.settings(max_examples=20)
@hypothesis.given(hnp.arrays(np.uint8, (3, 8, 8, 2)))
def test_whole_blocks_are_rounded_means(images):
    sums = images.reshape(3, 4, 2, 4, 2, 2).sum(axis=(2, 4), dtype=int)
    np.testing.assert_array_equal(shrink(images, 4), (sums + 2) // 4)  # half up


@hypothesis.settings(max_examples=20)
@hypothesis.given(hnp.arrays(np.uint8, (1, 9, 9, 1)), st.integers(0, 5), st.integers(0, 5))
def test_parts_of_pixels_count_by_their_areas(images, i, j):
    """From nine pixels to six: each part is one and a half long."""
    total = Fraction(0)
    for y in range(9):
        for x in range(9):
            high = max(
                Fraction(0), min(Fraction(3 * (i + 1), 2), y + 1) - max(Fraction(3 * i, 2), y)
            )
            wide = max(
                Fraction(0), min(Fraction(3 * (j + 1), 2), x + 1) - max(Fraction(3 * j, 2), x)
            )
            total += int(images[0, y, x, 0]) * high * wide
    mean = total / Fraction(9, 4)
    assert shrink(images, 6)[0, i, j, 0] == (2 * mean + 1) // 2


def test_a_single_image_and_its_own_size():
    image = np.random.default_rng(0).integers(256, size=(6, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(shrink(image, 6), image)
    assert shrink(image, 3).shape == (3, 3, 3)
