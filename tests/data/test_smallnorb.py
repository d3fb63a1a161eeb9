"""SmallNORB from small files in the official format, and from TensorFlow Datasets' own builder."""

from __future__ import annotations

import dataclasses
import gzip

import numpy as np
import published_archives as archives
import pytest

import data
from data import smallnorb
from data.area_means import shrink
from data.files import InputError

SIZES = archives.NORB_SIZES
ARRAYS = {
    "_".join(name.removesuffix(".mat").split("-")[-2:]): array
    for name, array in archives.norb_arrays().items()
}


@pytest.fixture
def few(monkeypatch):
    """Shrinks the data set; the same code then reads it."""
    small = dataclasses.replace(smallnorb.PUBLISHED, factor_sizes=SIZES)
    monkeypatch.setattr(smallnorb, "PUBLISHED", small)


def expected_images() -> np.ndarray:
    return shrink(archives.pictures(SIZES, (96, 96, 1)), 64)


@pytest.mark.parametrize("packed", [True, False])
def test_images_belong_to_their_factors(few, tmp_path, packed):
    folder = archives.write_smallnorb(tmp_path / "norb", packed)
    found = smallnorb.load("files", folder, tmp_path)
    np.testing.assert_array_equal(found.storage, expected_images().reshape(len(found), -1))
    assert found.factor_names == ("category", "elevation", "azimuth", "lighting")
    assert found.factor_sizes == SIZES[:4]
    # Ten instances, here four, have the same factors.
    np.testing.assert_array_equal(found.factors, np.repeat(list(np.ndindex(SIZES[:4])), 4, axis=0))


def test_the_published_form():
    assert smallnorb.PUBLISHED.num_images == 48_600
    assert smallnorb.PUBLISHED.factor_sizes == (5, 9, 18, 6, 10)


def test_it_is_read_by_its_name(few, tmp_path, monkeypatch):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path))
    folder = archives.write_smallnorb(tmp_path / "norb")
    first = data.load("smallnorb", "files", folder)
    assert data.load("smallnorb").fingerprint == first.fingerprint


def with_label(column: int, value: int) -> np.ndarray:
    info = ARRAYS["training_info"].copy()
    info[0, column] = value
    return info


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"testing_cat": None}, "testing-cat.mat.gz: no such file; fetch the six"),
        ({"training_dat": b"GIF89a and so on"}, "no binary matrix of NORB's"),
        ({"training_dat": b""}, "it is cut short"),
        (
            {"training_cat": ARRAYS["training_cat"].astype(np.uint8)},
            r"a matrix of uint8 \[48\]; expected int32 \[n\]",
        ),
        ({"training_info": ARRAYS["training_info"][:, :3].copy()}, r"expected int32 \[48, 4\]"),
        (
            {"training_dat": ARRAYS["training_dat"][:, :1].copy()},
            r"a matrix of uint8 \[48, 1, 96, 96\]; expected uint8 \[48, 2, 96, 96\]",
        ),
        ({"training_info": with_label(2, 1)}, "azimuth runs from 0 to 2; expected class indices"),
        ({"training_info": with_label(1, 9)}, "elevation runs from 0 to 9; expected class"),
        ({"training_info": np.roll(ARRAYS["training_info"], 1, axis=1)}, "expected class indices"),
        ({"testing_cat": 1 - ARRAYS["testing_cat"]}, "the same factors are there twice"),
    ],
)
def test_other_files_are_refused_in_one_line(few, tmp_path, changes, message):
    folder = archives.write_smallnorb(tmp_path / "norb", **changes)
    with pytest.raises(InputError, match=message) as error:
        smallnorb.load("files", folder, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_short_is_refused_in_one_line(few, tmp_path, packed):
    folder = archives.write_smallnorb(tmp_path / "norb", packed)
    (file,) = folder.glob("*testing-dat.mat*")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cut short|damaged") as error:
        smallnorb.load("files", folder, tmp_path)
    assert "\n" not in str(error.value)


def test_tensorflow_datasets_builder_gives_the_same(few, tmp_path, monkeypatch, tensorflow):
    """Its own builder prepares the same small files; then they are read by `data_source=tfds`."""
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = archives.write_smallnorb(tmp_path / "norb", packed=False)
    builder = tfds.builder("smallnorb", data_dir=str(tmp_path / "tfds"))

    def unpacked(self, urls):
        return {
            key: str(folder / url.split("/")[-1].removesuffix(".gz")) for key, url in urls.items()
        }

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", unpacked)
    builder.download_and_prepare()
    monkeypatch.setattr(tfds, "load", lambda name, split: builder.as_dataset(split=split))
    found = smallnorb.load("tfds", None, tmp_path / "a")
    assert found.fingerprint == smallnorb.load("files", folder, tmp_path / "b").fingerprint
    for name, size in zip(
        ("category", "elevation", "azimuth", "lighting"), (5, 9, 18, 6), strict=True
    ):
        assert builder.info.features[f"label_{name}"].num_classes == size


def test_gzip_files_are_what_they_say(tmp_path):
    """The test's own archives have the header of the official ones: 1E3D4C55, 4, n, 2, 96, 96."""
    folder = archives.write_smallnorb(tmp_path / "norb")
    (file,) = folder.glob("*training-dat.mat.gz")
    words = np.frombuffer(gzip.decompress(file.read_bytes())[:24], "<i4")
    assert words.tolist() == [0x1E3D4C55, 4, 48, 2, 96, 96]
