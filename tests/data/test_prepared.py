"""The cache of published data sets: prepared once, whatever the door; half of one is none."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from data import prepared
from data.dataset import Dataset
from data.files import InputError
from data.prepared import Published

SIZES = (3, 4, 2)
SMALL = Published("small", (2, 2, 1), ("a", "b", "own"), SIZES, ("ordered",) * 3, "fetch it", 1)
IMAGES = np.random.default_rng(0).integers(256, size=(24, 2, 2, 1), dtype=np.uint8)


def blocks(order=None, images=IMAGES):
    """The images in an order, five at a time."""
    order = np.arange(24) if order is None else order
    for start in range(0, len(order), 5):
        rows = order[start : start + 5]
        yield rows, images[rows]


def load(cache, from_files=lambda path: blocks(), source="files", file="here", tfds=blocks):
    file = cache if file == "here" else file
    return prepared.load(SMALL, source, file, from_files, tfds, cache)


def test_images_are_in_the_order_of_their_factors_by_any_door(tmp_path):
    order = np.random.default_rng(1).permutation(24)
    for name in "abc":
        (tmp_path / name).mkdir()
    ways = {
        "files": load(tmp_path / "a"),
        "shuffled": load(tmp_path / "b", lambda path: blocks(order)),
        "tfds": load(tmp_path / "c", source="tfds", file=None, tfds=lambda: blocks(order)),
    }
    for found in ways.values():
        assert isinstance(found.storage, np.memmap)
        np.testing.assert_array_equal(found.storage, IMAGES.reshape(24, -1))
        assert (found.factor_names, found.factor_sizes) == (("a", "b"), (3, 4))
        expected = [[a, b] for a, b, _ in np.ndindex(SIZES)]
        assert found.factors.tolist() == expected
        assert found.known_fingerprint == ways["files"].known_fingerprint


def test_the_fingerprint_is_that_of_the_images_in_memory(tmp_path):
    found = load(tmp_path)
    again = Dataset(
        "other", np.array(found.storage), 8, (2, 2, 1), found.factors, ("a", "b"), (3, 4)
    )
    assert found.fingerprint == again.fingerprint


def test_what_is_prepared_is_not_prepared_again(tmp_path):
    load(tmp_path)
    files = []

    def first_block_alone(path):
        files.append(path)
        yield next(blocks())
        raise AssertionError("read on")

    load(tmp_path, first_block_alone)
    assert files == [tmp_path]
    for source in ("tfds", "rendered"):
        assert len(load(tmp_path, None, source, None, None)) == 24


def test_other_files_are_prepared_anew_and_this_is_said(tmp_path, caplog):
    load(tmp_path)
    other = 255 - IMAGES
    with caplog.at_level(logging.WARNING):
        found = load(tmp_path, lambda path: blocks(images=other))
    assert "prepared from other files" in caplog.text
    np.testing.assert_array_equal(found.storage, other.reshape(24, -1))


def test_a_wrong_file_leaves_what_was_prepared(tmp_path):
    first = load(tmp_path).fingerprint
    with pytest.raises(InputError, match="23 of 24 images"):
        load(tmp_path, lambda path: blocks(np.arange(23), 255 - IMAGES))
    assert load(tmp_path, source="rendered", file=None).fingerprint == first


def test_an_interrupted_preparation_leaves_nothing_that_is_taken_for_whole(tmp_path):
    def broken(path):
        yield from list(blocks())[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, broken)
    assert not list((tmp_path / "small").iterdir())
    with pytest.raises(InputError, match="small is not prepared yet; fetch it"):
        load(tmp_path, source="rendered", file=None)
    np.testing.assert_array_equal(load(tmp_path).storage, IMAGES.reshape(24, -1))
    assert {path.name for path in (tmp_path / "small").iterdir()} == {"header.json", "images.u8"}


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (np.arange(23), "small: 23 of 24 images are there"),
        (np.r_[np.arange(23), 0], "the same factors are there twice"),
        (np.r_[0, 0, np.arange(22)], "the same factors are there twice"),
    ],
)
def test_a_missing_or_doubled_image_is_named(tmp_path, order, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, lambda path: blocks(order))


@pytest.mark.parametrize("damage", ["cut", "header", "shape", "gone"])
def test_a_damaged_cache_is_logged_and_prepared_anew(tmp_path, caplog, damage):
    load(tmp_path)
    folder = tmp_path / "small"
    if damage == "cut":
        (folder / "images.u8").write_bytes(IMAGES.tobytes()[:-1])
    elif damage == "gone":
        (folder / "images.u8").unlink()
    else:
        text = (folder / "header.json").read_text()
        (folder / "header.json").write_text(text[:9] if damage == "header" else "{}")
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match="not prepared yet"):
        load(tmp_path, source="rendered", file=None)
    assert f"{folder} is damaged" in caplog.text
    np.testing.assert_array_equal(load(tmp_path).storage, IMAGES.reshape(24, -1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "files", "file": None}, "small takes data_source=files and data_file together"),
        ({"source": "rendered"}, "or data_source=tfds, or neither of them once it is prepared"),
        ({"file": Path("missing.h5")}, "missing.h5: no such file; fetch it"),
    ],
)
def test_doors_that_do_not_fit_are_named(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, **arguments)
