"""MPI3D from a small .npz in the official format: the order of its factors above all."""

from __future__ import annotations

import numpy as np
import published_archives as archives
import pytest

import data
from data import mpi3d
from data.files import InputError

SIZES = archives.MPI3D_SIZES


@pytest.fixture
def few(monkeypatch):
    """Shrinks the data set; the same code then reads it."""
    monkeypatch.setattr(mpi3d, "VARIANTS", {"toy": SIZES[:2], "complex": (1, 2)})
    monkeypatch.setattr(mpi3d, "_OTHERS", SIZES[2:])


@pytest.mark.parametrize(
    ("variant", "sizes"),
    [
        ("toy", (6, 6, 2, 3, 3, 40, 40)),
        ("realistic", (6, 6, 2, 3, 3, 40, 40)),
        ("real", (6, 6, 2, 3, 3, 40, 40)),
        ("complex", (4, 4, 2, 3, 3, 40, 40)),
        ("toy_early", (4, 4, 2, 3, 3, 40, 40)),
    ],
)
def test_the_published_order(variant, sizes):
    published = mpi3d.published(variant)
    assert published.factor_names == (
        "object_color",
        "object_shape",
        "object_size",
        "camera_height",
        "background_color",
        "horizontal_axis",
        "vertical_axis",
    )
    assert published.factor_sizes == sizes
    assert published.num_images == (1_036_800 if sizes[0] == 6 else 460_800)


def test_numbers_are_those_of_the_authors_table():
    """Of the early files: colour * 115,200 + shape * 28,800 + size * 14,400 + height * 4,800 +
    background * 1,600 + horizontal * 40 + vertical."""
    strides = [115_200, 28_800, 14_400, 4_800, 1_600, 40, 1]
    sizes = mpi3d.published("toy_early").factor_sizes
    classes = np.random.default_rng(0).integers(sizes, size=(50, 7))
    numbers = np.ravel_multi_index(tuple(classes.T), sizes)
    np.testing.assert_array_equal(numbers, classes @ strides)


def test_images_belong_to_their_factors(few, tmp_path, monkeypatch):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path))
    path = archives.write_mpi3d(tmp_path / "mpi3d_toy.npz")
    found = data.load("mpi3d", "files", path)
    np.testing.assert_array_equal(found.factors, list(np.ndindex(SIZES)))
    for row in (0, 1, 100, len(found) - 1):
        expected = archives.picture(found.factors[row], (64, 64, 3)).reshape(-1)
        np.testing.assert_array_equal(found.storage[row], expected)
    assert data.load("mpi3d").fingerprint == found.fingerprint
    assert data.load("mpi3d", variant="toy").fingerprint == found.fingerprint
    with pytest.raises(InputError, match="mpi3d_complex is not prepared yet"):
        data.load("mpi3d", variant="complex")


def test_an_npz_that_is_not_compressed_is_the_same(few, tmp_path):
    path = archives.write_mpi3d(tmp_path / "packed.npz")
    np.savez(tmp_path / "plain.npz", images=archives.mpi3d_images(), note=np.zeros(2))
    first, second = (
        mpi3d.load("files", tmp_path / f"{name}.npz", "toy", tmp_path / name)
        for name in ("packed", "plain")
    )
    assert path.exists()
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"imgs": np.zeros(3)}, "has no array images; it holds imgs"),
        ({"images": np.zeros((576, 64, 64, 3), np.float32)}, "images are float32"),
        ({"images": np.zeros((575, 64, 64, 3), np.uint8)}, r"expected uint8 \[576, 64, 64, 3\]"),
        ({"images": np.zeros((288, 64, 64, 3), np.uint8)}, "so many have variant=complex"),
        ({"images": np.zeros((64, 64, 3, 576), np.uint8)}, r"images are uint8 \[64, 64, 3, 576\]"),
        (
            {"images": np.asfortranarray(np.zeros((576, 64, 64, 3), np.uint8))},
            "in columns; expected uint8",
        ),
    ],
)
def test_other_files_are_refused_in_one_line(few, tmp_path, arrays, message):
    path = archives.write_mpi3d(tmp_path / "mpi3d_toy.npz", **arrays)
    with pytest.raises(InputError, match=message) as error:
        mpi3d.load("files", path, "", tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["empty", "cut", "flip"])
def test_a_damaged_file_is_refused_in_one_line(few, tmp_path, damage):
    path = archives.write_mpi3d(tmp_path / "mpi3d_toy.npz")
    good = path.read_bytes()
    middle = len(good) // 2
    bad = {
        "empty": b"",
        "cut": good[:middle],
        "flip": good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :],
    }
    path.write_bytes(bad[damage])
    with pytest.raises(InputError, match=r"damaged or no \.npz") as error:
        mpi3d.load("files", path, "", tmp_path)
    assert "\n" not in str(error.value)


def test_unknown_variants_and_doors_are_named(tmp_path):
    with pytest.raises(InputError, match="no variant 'fake'; expected one of toy, realistic, real"):
        data.load("mpi3d", variant="fake")
    with pytest.raises(InputError, match="mpi3d is not read from data_source=tfds"):
        data.load("mpi3d", "tfds")
    with pytest.raises(InputError, match=r"fetch mpi3d_real\.npz.*variant=real"):
        mpi3d.load("rendered", None, "real", tmp_path)
