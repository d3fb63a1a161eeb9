"""3D Shapes from a small file in the official format, and from TensorFlow Datasets' own builder."""

from __future__ import annotations

import dataclasses

import numpy as np
import published_archives as archives
import pytest

import data
from data import shapes3d
from data.files import InputError

SIZES = archives.SHAPES3D_SIZES


@pytest.fixture
def few(monkeypatch):
    """Shrinks the data set; the same code then reads it."""
    small = dataclasses.replace(shapes3d.PUBLISHED, factor_sizes=SIZES)
    monkeypatch.setattr(shapes3d, "PUBLISHED", small)


def test_the_published_form():
    published = shapes3d.PUBLISHED
    assert published.num_images == 480_000
    assert published.factor_names == (
        "floor_hue",
        "wall_hue",
        "object_hue",
        "scale",
        "shape",
        "orientation",
    )
    assert published.factor_sizes == (10, 10, 10, 8, 4, 15)


def test_images_belong_to_their_factors_in_any_order(few, tmp_path, monkeypatch):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path))
    path = archives.write_shapes3d(tmp_path / "3dshapes.h5")
    found = data.load("shapes3d", "files", path)
    rows = np.arange(len(found))
    expected = archives.pictures(SIZES, (64, 64, 3))
    np.testing.assert_array_equal(found.images(rows), expected / np.float32(255))
    np.testing.assert_array_equal(found.factors, list(np.ndindex(SIZES)))
    other = archives.write_shapes3d(
        tmp_path / "shuffled.h5", np.random.default_rng(0).permutation(len(found))
    )
    again = shapes3d.load("files", other, tmp_path / "elsewhere")
    assert again.fingerprint == found.fingerprint
    assert data.load("shapes3d", "files", tmp_path).fingerprint == found.fingerprint  # its folder
    assert data.load("shapes3d").fingerprint == found.fingerprint  # as prepared before


def swapped() -> np.ndarray:
    """Labels whose columns for scale and orientation have changed places."""
    return archives.shapes3d_values()[:, [0, 1, 2, 5, 4, 3]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "has no labels; it holds images"),
        ({"images": None}, "has no images; it holds labels"),
        ({"images": np.zeros((144, 64, 64, 3), np.float32)}, "images are float32"),
        ({"images": np.zeros((143, 64, 64, 3), np.uint8)}, r"images are uint8 \[143, 64, 64, 3\]"),
        ({"labels": np.zeros((144, 5))}, r"labels are \[144, 5\]; expected \[144, 6\]"),
        ({"labels": swapped()}, "its labels have 2, 2, 3, 3, 2, 2 values; expected 2, 2, 3, 2, 2"),
        ({"labels": archives.shapes3d_values()[np.r_[:143, 0]]}, "same factors are there twice"),
    ],
)
def test_other_files_are_refused_in_one_line(few, tmp_path, changes, message):
    path = archives.write_shapes3d(tmp_path / "3dshapes.h5", **changes)
    with pytest.raises(InputError, match=message) as error:
        shapes3d.load("files", path, tmp_path / "cache")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.95])
def test_a_file_cut_short_is_refused_in_one_line(few, tmp_path, keep):
    path = archives.write_shapes3d(tmp_path / "3dshapes.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(InputError, match="damaged or no HDF5 file") as error:
        shapes3d.load("files", path, tmp_path / "cache")
    assert "\n" not in str(error.value)


def test_nothing_there_says_what_to_fetch(tmp_path):
    for arguments in (("rendered", None), ("files", tmp_path / "none.h5"), ("files", tmp_path)):
        with pytest.raises(InputError, match=r"fetch 3dshapes.h5 from storage.googleapis.com"):
            shapes3d.load(*arguments, cache=tmp_path / "cache")


def test_tensorflow_datasets_builder_gives_the_same(few, tmp_path, monkeypatch, tensorflow):
    """Its own builder prepares the same small file; then it is read through `data_source=tfds`."""
    tfds = pytest.importorskip("tensorflow_datasets")
    order = np.random.default_rng(1).permutation(144)
    path = archives.write_shapes3d(tmp_path / "3dshapes.h5", order)
    builder = tfds.builder("shapes3d", data_dir=str(tmp_path / "tfds"))
    monkeypatch.setattr(tfds.download.DownloadManager, "download", lambda self, url: str(path))
    builder.download_and_prepare()
    monkeypatch.setattr(tfds, "load", lambda name, split: builder.as_dataset(split=split))
    found = shapes3d.load("tfds", None, tmp_path / "a")
    assert found.fingerprint == shapes3d.load("files", path, tmp_path / "b").fingerprint
    features = builder.info.features
    for name, size in zip(shapes3d.PUBLISHED.factor_names, (10, 10, 10, 8, 4, 15), strict=True):
        assert features[f"label_{name}"].num_classes == size
