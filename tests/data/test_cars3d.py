"""Cars3D from a small archive in the official format."""

from __future__ import annotations

import dataclasses
import io
import tarfile

import numpy as np
import published_archives as archives
import pytest
import scipy.io

import data
from data import cars3d
from data.files import InputError

SIZES = archives.CARS_SIZES


@pytest.fixture
def few(monkeypatch):
    """Shrinks the data set to two cars; the same code then reads it."""
    small = dataclasses.replace(cars3d.PUBLISHED, factor_sizes=SIZES)
    monkeypatch.setattr(cars3d, "PUBLISHED", small)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return archives.write_cars3d(tmp_path_factory.mktemp("cars") / "nips2015-analogy-data.tar.gz")


def mat(**arrays) -> bytes:
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, arrays)
    return buffer.getvalue()


def test_images_belong_to_their_factors(few, archive, tmp_path, monkeypatch):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path))
    found = data.load("cars3d", "files", archive)
    assert found.factor_names == ("elevation", "azimuth", "object")
    assert found.image_shape == (64, 64, 3)
    # Pictures are of 4 x 4 blocks, so that averaging down leaves them.
    expected = archives.pictures(SIZES, (64, 64, 3))
    np.testing.assert_array_equal(found.storage, expected.reshape(len(found), -1))
    np.testing.assert_array_equal(found.factors, list(np.ndindex(SIZES)))
    assert data.load("cars3d").fingerprint == found.fingerprint


def test_the_folder_that_it_unpacks_into_is_the_same(few, archive, tmp_path):
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    found = cars3d.load("files", archive, tmp_path / "a")
    for folder in (tmp_path / "data", tmp_path / "data" / "cars"):
        assert cars3d.load("files", folder, tmp_path / "b").fingerprint == found.fingerprint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds 1 cars/"),
        (b"no matrix", "car_002_mesh.mat: damaged or no MATLAB file"),
        (mat(images=np.zeros(3)), "has no array im"),
        (mat(im=np.zeros((128, 128, 3, 24, 4))), "im is float64"),
        (
            mat(im=np.zeros((128, 128, 3, 4, 24), np.uint8)),
            r"expected uint8 \[128, 128, 3, 24, 4\]",
        ),
    ],
)
def test_other_archives_are_refused_in_one_line(few, tmp_path, content, message):
    path = archives.write_cars3d(tmp_path / "cars.tar.gz", **{"car_002_mesh.mat": content})
    with pytest.raises(InputError, match=message) as error:
        cars3d.load("files", path, tmp_path / "cache")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_an_archive_cut_short_is_refused_in_one_line(few, archive, tmp_path, keep):
    content = archive.read_bytes()
    path = tmp_path / "cut.tar.gz"
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(InputError, match=r"damaged or no archive|holds . cars") as error:
        cars3d.load("files", path, tmp_path / "cache")
    assert "\n" not in str(error.value)


def test_nothing_there_says_what_to_fetch(tmp_path):
    with pytest.raises(InputError, match=r"fetch nips2015-analogy-data\.tar\.gz"):
        cars3d.load("rendered", None, tmp_path)
    with pytest.raises(InputError, match="cars3d is not read from data_source=tfds"):
        data.load("cars3d", "tfds")
