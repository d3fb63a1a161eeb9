"""XYSquares: squares where they should be, and the distances that are the point of the data set."""

from __future__ import annotations

import numpy as np
import pytest

import data
from data import xysquares
from data.files import InputError

NAMES = ("red", "green", "blue")


def random_classes(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(8, size=(count, 6))


def is_in_square(first: int) -> np.ndarray:
    """Whether each of 64 columns, or rows, is in a square that starts at one."""
    return (np.arange(64) >= first) & (np.arange(64) < first + 8)


@pytest.mark.parametrize("spacing", [1, 4, 7, 8])
def test_squares_stand_on_a_grid_in_the_middle(spacing):
    factors = random_classes(spacing, 20)
    images = xysquares.render(factors, spacing)
    assert images.shape == (20, 64, 64, 3)
    assert images.dtype == np.uint8
    first = (64 - 8 - 7 * spacing) // 2  # as much room on the one side as on the other
    for image, classes in zip(images, factors, strict=True):
        for channel in range(3):
            x, y = first + spacing * classes[2 * channel : 2 * channel + 2]
            expected = is_in_square(y)[:, None] & is_in_square(x)
            np.testing.assert_array_equal(image[..., channel], 255 * expected)


def squared_distances(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """In pixels' values of 0 to 1."""
    difference = (images.astype(float) - others) / 255
    return np.square(difference).sum(axis=(1, 2, 3))


def test_every_move_without_overlap_is_equally_far():
    """Michlo et al. 2022: 64 pixels go out and 64 others on, wherever a square moves to."""
    one, two = random_classes(0, 400), random_classes(1, 400)
    two[:100, 2:] = one[:100, 2:]  # of a hundred, the red square alone moves
    moved = (one.reshape(-1, 3, 2) != two.reshape(-1, 3, 2)).any(axis=2).sum(axis=1)
    found = squared_distances(xysquares.render(one), xysquares.render(two))
    np.testing.assert_array_equal(found, 2 * 64 * moved)
    assert set(moved) >= {1, 3}


@pytest.mark.parametrize("spacing", [1, 2, 4, 6])
def test_with_overlap_the_nearer_place_is_nearer(spacing):
    """The distance is that of two squares less their overlap, to the closed form."""
    start = np.zeros(6, int)
    steps = np.arange(8)
    moved = np.repeat(start[None], 8, axis=0)
    moved[:, 2] = steps
    found = squared_distances(
        xysquares.render(np.repeat(start[None], 8, 0), spacing), xysquares.render(moved, spacing)
    )
    expected = 2 * 8 * np.minimum(steps * spacing, 8)
    np.testing.assert_array_equal(found, expected)
    assert expected[1] < expected[2] or spacing > 4


@pytest.mark.parametrize("name", xysquares.FACTOR_NAMES)
def test_a_factor_moves_its_own_square_its_own_way(name):
    j = xysquares.FACTOR_NAMES.index(name)
    colour, axis = name.split("_")
    factors = random_classes(2, 8)
    factors[:, j] = np.arange(8)
    factors[:, [k for k in range(6) if k != j]] = factors[0, [k for k in range(6) if k != j]]
    images = xysquares.render(factors)
    channel = NAMES.index(colour)
    others = [c for c in range(3) if c != channel]
    assert np.all(images[..., others] == images[:1, ..., others])
    rows, columns = (
        np.array([np.nonzero(i)[k].min() for i in images[..., channel]]) for k in (0, 1)
    )
    moving, still = (columns, rows) if axis == "x" else (rows, columns)
    np.testing.assert_array_equal(moving, 8 * np.arange(8))  # to the right, and down
    assert len(set(still)) == 1


def test_all_images_are_there_in_order():
    dataset = data.load("xysquares")
    assert len(dataset) == 8**6
    assert dataset.factor_sizes == (8,) * 6
    assert set(dataset.factor_kinds) == {"ordered"}
    rows = np.random.default_rng(0).integers(8**6, size=50)
    factors = np.stack(np.unravel_index(rows, (8,) * 6), axis=1)
    np.testing.assert_array_equal(dataset.factors[rows], factors)
    np.testing.assert_array_equal(dataset.images(rows), xysquares.render(factors) / np.float32(255))


def test_images_stay_sharp_at_half_the_size():
    small = data.load("xysquares").at_size(32)
    images = small.images(np.arange(0, 8**6, 9_973))
    assert images.shape[1:] == (32, 32, 3)
    assert set(np.unique(images)) == {0, 1}
    np.testing.assert_array_equal(images.sum(axis=(1, 2)), 16)


def test_variants_have_their_spacing():
    sets = [data.load("xysquares", variant=variant) for variant in ("", "spacing8", "spacing3")]
    assert sets[0].fingerprint == sets[1].fingerprint != sets[2].fingerprint
    rows = np.array([123_456])
    found = sets[2].images(rows) * 255
    np.testing.assert_array_equal(found, xysquares.render(sets[2].factors[rows], 3))


def test_mistakes_are_named():
    with pytest.raises(InputError, match="no variant 'spacing9'; expected spacing1 to spacing8"):
        data.load("xysquares", variant="spacing9")
    with pytest.raises(ValueError, match="out of range"):
        xysquares.render([[0, 0, 0, 0, 0, 8]])
    with pytest.raises(ValueError, match=r"expected \[n, 6\]"):
        xysquares.render([[0, 0, 0]])
