"""Images that are drawn on the fly: what is asked for comes, to NumPy and to TensorFlow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from data import drawn
from data.dataset import Dataset
from data.drawn import Drawn

FACTORS = drawn.grid((5, 4))


def draw(rows: np.ndarray) -> np.ndarray:
    """Images of 4 x 4 pixels and three channels, whose values say which image they are of."""
    return ((np.arange(48) + 7 * rows[:, None]) % 256).astype(np.uint8)


def dataset(**changes) -> Dataset:
    storage = dataclasses.replace(Drawn(draw, (20, 48)), **changes)
    return Dataset("drawn", storage, 8, (4, 4, 3), FACTORS, ("a", "b"), (5, 4))


def test_a_grid_has_every_combination_with_the_last_factor_fastest():
    assert FACTORS.tolist() == [list(pair) for pair in np.ndindex(5, 4)]
    assert FACTORS.dtype == np.int32


def test_rows_are_drawn_by_their_numbers():
    storage = dataset().storage
    assert (len(storage), storage.shape, storage.nbytes) == (20, (20, 48), 960)
    np.testing.assert_array_equal(storage[np.array([3, 0, 3])], draw(np.array([3, 0, 3])))
    np.testing.assert_array_equal(storage[4:10:2], draw(np.array([4, 6, 8])))
    assert storage[np.array([], np.int64)].shape == (0, 48)
    for rows in ([20], [-1]):
        with pytest.raises(IndexError, match="of 20"):
            storage[np.array(rows)]


def test_tensorflow_gathers_what_numpy_does(tensorflow):
    from data import tensors

    rows = np.array([[7, 2], [19, 7]])[:, 0]
    for height in (4, 2):
        small = dataset().at_size(height)
        assert tensors.comes_by_batch(small)
        gather = tensorflow.function(tensors.gatherer(small))
        found = gather(tensorflow.constant(rows.astype(np.int32)))
        assert found.shape == (2, height, height, 3)
        np.testing.assert_allclose(found, small.images(rows), atol=1e-6)


def test_fingerprint_tells_drawings_and_sources_apart():
    assert dataset().fingerprint == dataset().fingerprint
    others = (
        dataset(draw=lambda rows: draw(rows + 1)),
        dataset(sources=(np.zeros(3, np.uint8),)),
        dataset(sources=(np.ones(3, np.uint8),)),
    )
    assert len({dataset().fingerprint, *(other.fingerprint for other in others)}) == 4
