"""CelebA on a small archive in the official format: its three doors, its variants, its mistakes."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import re
import shutil
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import celeba, celeba_cache, celeba_files, load
from data.celeba_cache import VARIANTS, crop_and_resize
from data.celeba_files import ATTRIBUTES, NUM_IMAGES, read_labels
from data.files import InputError
from models.architectures import NETWORKS
from models.settings import BetaVAESettings
from reproduce.training.recipes import RECIPES, find, override
from reproduce.training.run_directory import RunConfig, RunDirectory

PAGE = Path(__file__).resolve().parents[2] / "docs" / "celeba.md"
COUNTS = {"train": 150, "valid": 11, "test": 9}
LANDMARKS = [  # which the list of TensorFlow Datasets' archive names
    f"{point}_{axis}"
    for point in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
    for axis in "xy"
]
NAMES = [f"{i:06d}.jpg" for i in range(1, sum(COUNTS.values()) + 1)]


def jpeg(rng: np.random.Generator, size=(178, 218)) -> bytes:
    """A blurred picture of a few random colours."""
    colours = rng.integers(256, size=(7, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)
    image.save(buffer, "JPEG", quality=int(rng.integers(60, 96)))
    return buffer.getvalue()


def table(columns, values) -> str:
    rows = [f"{name}  {' '.join(map(str, row))}" for name, row in zip(NAMES, values, strict=True)]
    return "\n".join([str(len(NAMES)), " ".join(columns) + " ", *rows, ""])


def zip_images(folder, images) -> None:
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as file:
        for name, content in images.items():
            file.writestr(f"img_align_celeba/{name}", content)


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    return {name: jpeg(rng) for name in NAMES}


@pytest.fixture(scope="module")
def signs() -> np.ndarray:
    return np.random.default_rng(1).choice([-1, 1], size=(len(NAMES), 40))


@pytest.fixture(scope="module")
def official(tmp_path_factory, images, signs):
    """A folder of the official files, which no test may change."""
    folder = tmp_path_factory.mktemp("official")
    zip_images(folder, images)
    (folder / "list_attr_celeba.txt").write_text(table(ATTRIBUTES, signs))
    numbers = np.repeat([0, 1, 2], list(COUNTS.values()))
    rows = [f"{name} {number}\n" for name, number in zip(NAMES, numbers, strict=True)]
    (folder / "list_eval_partition.txt").write_text("".join(rows))
    points = np.random.default_rng(2).integers(178, size=(len(NAMES), 10))
    (folder / "list_landmarks_align_celeba.txt").write_text(table(LANDMARKS, points))
    (folder / "identity_CelebA.txt").write_text("".join(f"{name} 7\n" for name in NAMES))
    return folder


@pytest.fixture
def copy(official, tmp_path):
    """The same folder, to be spoilt."""
    return shutil.copytree(official, tmp_path / "celeba")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def prepared(tensorflow, official, cache):
    return celeba.load("files", official, "crop148_64_all", cache)


def decoded(content: bytes) -> np.ndarray:
    """A JPEG by Pillow, float64, whose cosine transform is more exact than TensorFlow's."""
    return np.asarray(Image.open(io.BytesIO(content)), np.float64)


def test_partitions_hold_the_images_of_the_lists(tensorflow, prepared, official, cache, signs):
    assert prepared.image_shape == (64, 64, 3)
    assert prepared.factor_names == ATTRIBUTES
    assert prepared.factor_sizes == (2,) * 40
    assert set(prepared.factor_kinds) == {"categorical"}
    assert isinstance(prepared.storage, np.memmap)
    np.testing.assert_array_equal(prepared.factors, signs > 0)
    first = 0
    for partition, suffix in (("train", ""), ("valid", "_valid"), ("test", "_test")):
        part = celeba.load("files", official, f"crop148_64{suffix}", cache)
        rows = slice(first, first + COUNTS[partition])
        np.testing.assert_array_equal(part.storage, prepared.storage[rows])
        np.testing.assert_array_equal(part.factors, prepared.factors[rows])
        first += COUNTS[partition]
    assert first == len(prepared)
    assert len(celeba.load("files", official, "", cache)) == COUNTS["train"]
    assert len(celeba.load("files", official, "_test", cache)) == COUNTS["test"]


def test_partitions_may_lie_anyhow(tensorflow, copy, tmp_path, prepared):
    rng = np.random.default_rng(3)
    numbers = rng.integers(3, size=len(NAMES))
    order = rng.permutation(len(NAMES))
    rows = "".join(f"{NAMES[i]} {numbers[i]}\n" for i in order)
    (copy / "list_eval_partition.txt").write_text(rows)
    for number, suffix in enumerate(("", "_valid", "_test")):
        part = celeba.load("files", copy, suffix, tmp_path)
        np.testing.assert_array_equal(part.storage, prepared.storage[numbers == number])
        np.testing.assert_array_equal(part.factors, prepared.factors[numbers == number])


def mean_over_area(image: np.ndarray, size: int, i: int, j: int) -> list[Fraction]:
    """The mean over one of size x size equal areas of an image, exactly, channel by channel."""
    height, width, _ = image.shape
    top, bottom = Fraction(height * i, size), Fraction(height * (i + 1), size)
    left, right = Fraction(width * j, size), Fraction(width * (j + 1), size)
    sums = np.zeros(3, object)
    for y in range(int(top), -int(-bottom // 1)):
        share_y = min(bottom, y + 1) - max(top, y)
        for x in range(int(left), -int(-right // 1)):
            share = share_y * (min(right, x + 1) - max(left, x))
            sums += share * image[y, x].astype(object)
    return list(sums / ((bottom - top) * (right - left)))


@pytest.mark.parametrize(
    ("name", "rows", "columns", "size"),
    [
        ("crop148_64", slice(35, 183), slice(15, 163), 64),
        ("crop148_128", slice(35, 183), slice(15, 163), 128),
        ("whole_64", slice(0, 218), slice(0, 178), 64),
        ("crop128_32", slice(45, 173), slice(25, 153), 32),
    ],
)
def test_variants_are_means_over_areas_of_centre_crops(tensorflow, name, rows, columns, size):
    rng = np.random.default_rng(4)
    image = rng.integers(256, size=(218, 178, 3), dtype=np.uint8)
    image[:50] = 255  # the largest sums
    found = crop_and_resize(image, VARIANTS[name])
    part = image[rows, columns]
    theirs = tensorflow.image.resize(part, [size, size], "area")
    np.testing.assert_allclose(found, theirs, atol=0.501)
    for i, j in [(0, 0), (size - 1, size - 1), *rng.integers(size, size=(200, 2)).tolist()]:
        means = mean_over_area(part, size, i, j)
        assert found[i, j].tolist() == [int(mean + Fraction(1, 2)) for mean in means]


def test_cached_images_are_those_of_the_files(prepared, images):
    for row in (0, 77, 169):
        expected = crop_and_resize(
            decoded(images[NAMES[row]]).astype(np.uint8), VARIANTS["crop148_64"]
        )
        stored = prepared.storage[row].reshape(64, 64, 3)
        np.testing.assert_allclose(stored.astype(int), expected, atol=8)
        assert abs(stored.astype(int) - expected).mean() < 2


def tfds_builder(official, folder, monkeypatch):
    """TensorFlow Datasets' own builder, prepared from the files of the test."""
    tfds = pytest.importorskip("tensorflow_datasets")
    files = {
        "img_align_celeba": "img_align_celeba.zip",
        "list_eval_partition": "list_eval_partition.txt",
        "list_attr_celeba": "list_attr_celeba.txt",
        "landmarks_celeba": "list_landmarks_align_celeba.txt",
        "identity_celeba": "identity_CelebA.txt",
    }
    manager = tfds.download.DownloadManager
    local = {key: official / file for key, file in files.items()}
    monkeypatch.setattr(manager, "download", lambda self, urls: {key: local[key] for key in urls})
    builder = tfds.builder("celeb_a", data_dir=folder)
    skip = tfds.download.ComputeStatsMode.SKIP
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            compute_stats=skip, num_shards=3, try_download_gcs=False
        )
    )
    return builder


def test_tensorflow_datasets_reads_the_same(
    tensorflow, prepared, official, tmp_path, monkeypatch, images
):
    builder = tfds_builder(official, tmp_path / "tfds", monkeypatch)
    found = celeba.from_builder(builder, "crop148_64", "all", tmp_path)
    # File by file the same bytes, though its examples come in another order and without names.
    np.testing.assert_array_equal(found.storage, prepared.storage)
    np.testing.assert_array_equal(found.factors, prepared.factors)
    assert found.fingerprint == prepared.fingerprint

    # And the pixels are those that its own pipeline decodes.
    tfds = pytest.importorskip("tensorflow_datasets")
    for split, partition in (("train", "train"), ("validation", "valid"), ("test", "test")):
        examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
        own = sorted(
            crop_and_resize(example["image"], VARIANTS["crop148_64"]).tobytes()
            + bytes([int(example["attributes"][name]) for name in ATTRIBUTES])
            for example in examples
        )
        part = celeba.load(
            "files", official, f"crop148_64_{partition}".removesuffix("_train"), tmp_path
        )
        rows = zip(part.storage, part.factors.astype(np.uint8), strict=True)
        assert own == sorted(image.tobytes() + factors.tobytes() for image, factors in rows)
    assert len(examples) == COUNTS["test"]


def test_fingerprint_is_that_of_the_content(prepared, official, cache):
    for suffix in ("", "_valid", "_all"):
        part = celeba.load("files", official, suffix, cache)
        in_memory = np.array(part.storage)
        again = dataclasses.replace(part, storage=in_memory, known_fingerprint="")
        assert part.fingerprint == again.fingerprint
    assert part.at_size(32).fingerprint == part.fingerprint


def test_an_unpacked_folder_and_windows_line_ends_give_the_same(
    tensorflow, copy, tmp_path, images, prepared
):
    (copy / "img_align_celeba.zip").unlink()
    (copy / "img_align_celeba").mkdir()
    for name, content in images.items():
        (copy / "img_align_celeba" / name).write_bytes(content)
    for file in copy.glob("list_*.txt"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    found = celeba.load("files", copy, "_all", tmp_path)
    np.testing.assert_array_equal(found.storage, prepared.storage)
    assert found.fingerprint == prepared.fingerprint


class Interrupted(Exception):
    pass


def interrupt_after(monkeypatch, num_images):
    """Makes the decoder fail at an image, as if the program had been killed there."""
    decode, count = celeba_cache.decode, iter(range(1, 10_000))

    def failing(name, content):
        if next(count) > num_images:
            raise Interrupted
        return decode(name, content)

    monkeypatch.setattr(celeba_cache, "decode", failing)
    return decode


@pytest.mark.parametrize("spoilt", ["nothing", "journal", "images", "other door"])
def test_interrupted_preparation_goes_on_to_the_same_bytes(
    tensorflow, official, tmp_path, cache, prepared, monkeypatch, spoilt
):
    monkeypatch.setattr(celeba_cache, "_num_cores", lambda: 1)
    decode = interrupt_after(monkeypatch, 2 * celeba_cache.BLOCK + 3)
    with pytest.raises(Interrupted):
        celeba.load("files", official, "", tmp_path)
    folder = tmp_path / "celeb_a" / f"crop148_64-{len(NAMES)}"
    journal = folder / "journal.txt"
    whole = len(journal.read_text().splitlines()) - 1
    assert whole in (1, 2)
    if spoilt == "journal":
        journal.write_text(journal.read_text()[:-3])  # its last line is cut short
    if spoilt == "images":
        content = bytearray((folder / "images.u8").read_bytes())
        content[1000] ^= 1
        (folder / "images.u8").write_bytes(content)
    if spoilt == "other door":
        journal.write_text(journal.read_text().replace("files", "tfds"))
    left = {"nothing": whole, "journal": whole - 1, "images": 0, "other door": 0}[spoilt]

    again = []
    monkeypatch.setattr(
        celeba_cache, "decode", lambda name, jpeg: again.append(name) or decode(name, jpeg)
    )
    found = celeba.load("files", official, "_all", tmp_path)
    assert len(again) == len(NAMES) - left * celeba_cache.BLOCK
    assert (folder / "images.u8").read_bytes() == prepared.storage.tobytes()
    assert found.fingerprint == prepared.fingerprint
    assert not journal.exists()
    monkeypatch.delattr(celeba_cache, "decode")  # a third preparation would be an error
    celeba.load("files", official, "_test", tmp_path)


def test_a_thread_for_each_core_prepares_the_same(
    tensorflow, official, tmp_path, monkeypatch, prepared
):
    monkeypatch.setattr(celeba_cache, "_num_cores", lambda: 5)
    monkeypatch.setattr(celeba_cache, "BLOCK", 7)
    found = celeba.load("files", official, "_all", tmp_path)
    np.testing.assert_array_equal(found.storage, prepared.storage)


@pytest.mark.parametrize("file", ["header.json", "labels.npz", "images.u8"])
def test_damaged_cache_is_prepared_anew_and_logged(
    tensorflow, official, tmp_path, caplog, prepared, file
):
    celeba.load("files", official, "crop128_32", tmp_path)
    folder = tmp_path / "celeb_a" / f"crop128_32-{len(NAMES)}"
    good = (folder / file).read_bytes()
    (folder / file).write_bytes(good[:-50])
    with caplog.at_level(logging.WARNING):
        celeba.load("files", official, "crop128_32", tmp_path)
    assert f"{folder} is damaged" in caplog.text
    assert (folder / file).read_bytes() == good


def test_other_files_of_the_same_number_are_prepared_anew(tensorflow, copy, tmp_path, prepared):
    celeba.load("files", copy, "crop128_32", tmp_path)
    file = copy / "list_attr_celeba.txt"
    content = file.read_text()
    file.write_text(content.replace(" 1\n", " -1\n"))
    assert celeba.load("files", copy, "crop128_32", tmp_path).factors[:, -1].sum() == 0


def test_licence_is_shown_once(tensorflow, official, tmp_path, capsys):
    for variant in ("crop128_32", "crop128_32_test", "whole_64"):
        celeba.load("files", official, variant, tmp_path)
    assert capsys.readouterr().out.count("non-commercial research") == 1


def test_numbers_other_than_the_official_ones_are_warned_of(
    tensorflow, official, cache, caplog, prepared
):
    with caplog.at_level(logging.WARNING):
        celeba.load("files", official, "", cache)
    assert re.search(r"lists 170 images; CelebA has 202,599", caplog.text)


def test_prepared_images_are_read_without_files(
    tensorflow, official, tmp_path, cache, monkeypatch, prepared
):
    with pytest.raises(
        InputError, match=r"not prepared yet; fetch img_align_celeba.zip \(1,443,490,838"
    ):
        celeba.load("rendered", None, "", tmp_path)
    monkeypatch.setattr(celeba, "NUM_IMAGES", len(NAMES))
    assert celeba.load("rendered", None, "_all", cache).fingerprint == prepared.fingerprint
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # not asked, either
    assert celeba.load("tfds", None, "_all", cache).fingerprint == prepared.fingerprint


def cut_a_jpeg(folder, images):
    zip_images(folder, images | {NAMES[4]: images[NAMES[4]][:-900]})


def another_size(folder, images):
    zip_images(folder, images | {NAMES[4]: jpeg(np.random.default_rng(5), (180, 218))})


def no_jpeg(folder, images):
    zip_images(folder, images | {NAMES[4]: b"<html>"})


def leave_one_out(folder, images):
    zip_images(folder, {name: images[name] for name in NAMES if name != NAMES[4]})


def cut_the_zip(folder, images):
    file = folder / "img_align_celeba.zip"
    file.write_bytes(file.read_bytes()[:-2000])


def quota_page(folder, images):
    (folder / "img_align_celeba.zip").write_text("<html>quota exceeded</html>")


def flip_in_the_zip(folder, images):
    file = folder / "img_align_celeba.zip"
    content = bytearray(file.read_bytes())
    content[content.index(images[NAMES[4]]) + 1000] ^= 1
    file.write_bytes(content)


def no_images(folder, images):
    (folder / "img_align_celeba.zip").unlink()


def one_missing_in_the_folder(folder, images):
    no_images(folder, images)
    (folder / "img_align_celeba").mkdir()
    for name in NAMES[:4] + NAMES[5:]:
        (folder / "img_align_celeba" / name).touch()


def edit(name, old, new):
    def change(folder, images):
        file = folder / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    change.__name__ = f"{name}_{old.strip()[:8]}"
    return change


def cut_the_list(folder, images):
    file = folder / "list_attr_celeba.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-5]))


def cut_in_a_line(folder, images):
    file = folder / "list_attr_celeba.txt"
    file.write_text(file.read_text()[:-20])


def no_list(folder, images):
    (folder / "list_attr_celeba.txt").unlink()


def empty_list(folder, images):
    (folder / "list_eval_partition.txt").write_text("")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_a_jpeg, "000005.jpg is no whole JPEG"),
        (another_size, "000005.jpg is 180 x 218 pixels; expected the aligned images of 178 x 218"),
        (no_jpeg, "000005.jpg is no whole JPEG"),
        (leave_one_out, "000005.jpg is missing, and with it 1 of 170 images"),
        (one_missing_in_the_folder, "img_align_celeba: 000005.jpg is missing"),
        (
            cut_the_zip,
            "no zip archive, or cut short: it has .* bytes, the official one 1,443,490,838",
        ),
        (quota_page, "no zip archive, or cut short: it has 27 bytes"),
        (flip_in_the_zip, r"000005.jpg is damaged \(Bad CRC-32"),
        (no_images, "no img_align_celeba.zip and no folder img_align_celeba; fetch"),
        (
            edit("list_attr_celeba.txt", "170", "filename"),
            "its first line is 'filename'; expected the",
        ),
        (edit("list_attr_celeba.txt", "Bald", "Bold"), r"official columns \(Bald\)"),
        (edit("list_attr_celeba.txt", "Bald Bangs", "Bangs Bald"), r"columns \(their order\)"),
        (edit("list_attr_celeba.txt", "000005.jpg  ", "000005.jpg 1 "), "line 7 is '000005.jpg 1 "),
        (
            edit("list_attr_celeba.txt", "000005.jpg  ", "000005.jpg x"),
            "expected a file name and 40",
        ),
        (
            edit("list_attr_celeba.txt", "000005.jpg  -1", "000005.jpg 0"),
            "has a value that is not 1",
        ),
        (edit("list_attr_celeba.txt", "000005.jpg", "000004.jpg"), "lists an image twice"),
        (cut_the_list, "it lists 165 images, and its first line says 170; it is cut short"),
        (cut_in_a_line, "line 172 is '000170.jpg"),
        (no_list, r"list_attr_celeba.txt: no such file; fetch .*\(26,721,026 bytes\)"),
        (empty_list, "list_eval_partition.txt: it lists no image"),
        (
            edit("list_eval_partition.txt", "000005.jpg", "555555.jpg"),
            "000005.jpg is in one of them",
        ),
        (edit("list_eval_partition.txt", "000005.jpg 0", "000005.jpg 3"), "a partition is not 0"),
        (
            edit("list_eval_partition.txt", "000005.jpg 0", "000005.jpg"),
            "expected a file name and 1 w",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_mistakes_are_one_line_that_names_them(
    tensorflow, copy, images, signs, tmp_path, spoil, message
):
    if spoil.__name__ == "list_attr_celeba.txt_000005.j" and "value" in message:
        assert signs[4, 0] in (-1, 1)
    spoil(copy, images)
    with pytest.raises(InputError, match=message) as error:
        celeba.load("files", copy, "crop128_32", tmp_path / "cache")
    assert str(copy) in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("cache/celeb_a/*/header.json"))


def test_a_mended_image_lets_the_preparation_go_on(tensorflow, copy, images, tmp_path, prepared):
    another_size(copy, images)
    with pytest.raises(InputError, match="000005"):
        celeba.load("files", copy, "_all", tmp_path)
    zip_images(copy, images)
    assert celeba.load("files", copy, "_all", tmp_path).fingerprint == prepared.fingerprint


def test_wrong_flags_are_named(tmp_path):
    with pytest.raises(
        InputError, match="unknown variant 'crop108_64' of celeb_a; expected one of c"
    ):
        load("celeb_a", variant="crop108_64")
    with pytest.raises(InputError, match="data_source=files and data_file=FOLDER together"):
        load("celeb_a", "files")
    with pytest.raises(InputError, match="data_source=files and data_file=FOLDER together"):
        load("celeb_a", data_file=tmp_path)
    with pytest.raises(InputError, match="nowhere: no such folder; fetch"):
        load("celeb_a", "files", tmp_path / "nowhere")
    with pytest.raises(InputError, match="dsprites is not read from data_source=files"):
        load("dsprites", "files")


def test_failing_download_is_one_line_with_the_way_on(monkeypatch, tensorflow, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    def builder(*args, **kwargs):
        raise ConnectionError("quota exceeded\nsecond line")

    monkeypatch.setattr(tfds, "builder", builder)
    with pytest.raises(InputError, match=r"could not fetch celeb_a \(quota exceeded\)") as error:
        celeba.load("tfds", None, "", tmp_path)
    assert "\n" not in str(error.value)
    for part in ("1,443,490,838", "26,721,026", "2,836,386", "data_file=FOLDER"):
        assert part in str(error.value)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"install axisbias\[tfds\]"):
        celeba.load("tfds", None, "", tmp_path)


def test_official_numbers():
    assert len(ATTRIBUTES) == 40
    assert NUM_IMAGES == 202_599


def test_order_of_tensorflow_datasets_is_a_permutation_within_splits():
    rows = celeba._rows_of_examples([f"{i:06d}.jpg" for i in range(1, 8)], [4, 2, 1])
    assert sorted(rows[:4]) == [0, 1, 2, 3]
    assert sorted(rows[4:6]) == [4, 5]
    assert rows[6] == 6


@pytest.mark.parametrize("in_file", [True, False])
def test_tensorflow_gathers_from_the_file_or_the_device(tensorflow, prepared, monkeypatch, in_file):
    from data import tensors

    monkeypatch.setattr(tensors, "comes_by_batch", lambda dataset: in_file)
    indices = np.array([169, 3, 3, 40], np.int32)
    for dataset in (prepared, prepared.at_size(32)):
        gather = tensorflow.function(tensors.gatherer(dataset))
        gathered = gather(tensorflow.constant(indices))
        np.testing.assert_allclose(gathered, dataset.images(indices), atol=1e-6)
        assert gather.get_concrete_function(
            tensorflow.TensorSpec([4], tensorflow.int32)
        ).output_shapes == (4, *dataset.image_shape)


def test_large_files_stay_where_they_are(tensorflow, prepared, monkeypatch):
    from data import tensors

    gpus = []
    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: gpus)
    assert tensors.comes_by_batch(prepared)
    in_memory = dataclasses.replace(prepared, storage=np.array(prepared.storage))
    assert not tensors.comes_by_batch(in_memory)
    gpus.append("GPU:0")
    assert not tensors.comes_by_batch(prepared)
    monkeypatch.setattr(tensors, "LARGEST_ON_DEVICE", prepared.storage.nbytes - 1)
    assert tensors.comes_by_batch(prepared)


def test_xla_is_refused_for_images_in_a_file(tensorflow, prepared, tmp_path):
    from reproduce.training.loop import _choose_compilation

    run, strategy = RunDirectory(tmp_path), tensorflow.distribute.get_strategy()
    with pytest.raises(InputError, match="xla=on cannot read or draw celeb_a batch by batch"):
        _choose_compilation("on", None, None, prepared, strategy, run)
    assert not _choose_compilation("auto", None, None, prepared, strategy, run)


def test_recipes_are_those_of_the_papers():
    """Higgins et al. 2017, table 1; Burgess et al. 2018, appendix A."""
    higgins, burgess = (
        RECIPES["higgins2017_celeba"].settings,
        RECIPES["burgess2018_celeba"].settings,
    )
    network = NETWORKS[higgins.network]
    assert network.encoder_convolutions == ((32, 4, 2), (32, 4, 2), (64, 4, 2), (64, 4, 2))
    assert network.encoder_dense == (256,)
    assert (higgins.num_latents, higgins.decoder, higgins.objective) == (32, "gaussian", "beta")
    assert (higgins.optimizer, higgins.learning_rate) == ("adam", 1e-4)

    network = NETWORKS[burgess.network]
    assert network.encoder_convolutions == ((32, 4, 2),) * 4
    assert network.encoder_dense == (256, 256)
    expected = BetaVAESettings(
        network="burgess2018",
        num_latents=10,
        decoder="bernoulli",
        objective="capacity",
        gamma=1000.0,
        capacity=50.0,
        ramp_steps=100_000,
        optimizer="adam",
        learning_rate=5e-4,
    )
    assert burgess == expected
    assert RECIPES["burgess2018_celeba"].batch_size == 64


def commands_on_the_page() -> list[dict[str, list[str]]]:
    """The flags of the page's trainings on CelebA, by name."""
    commands = []
    for line in PAGE.read_text().splitlines():
        if "reproduce.train --dataset=celeb_a" in line:
            flags = re.findall(r"--(\w+)=(\S+)", line)
            commands.append({name: [v for n, v in flags if n == name] for name, _ in flags})
    return commands


SHORT = {"batch_size": "4", "num_steps": "100", "log_every": "20", "checkpoint_every": "100"}


def test_training_on_the_official_files_end_to_end(
    run_program, tensorflow, official, tmp_path, monkeypatch
):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path / "cache"))
    command, *_ = commands_on_the_page()
    assert command.keys() == {"dataset", "data_source", "data_file", "recipe", "run_dir"}
    flags = ["--dataset=celeb_a", "--data_source=files", f"--data_file={official}"]
    flags += [f"--recipe={command['recipe'][0]}", *(f"--set={k}={v}" for k, v in SHORT.items())]
    done = run_program("train", *flags, f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert "non-commercial research" in done.stdout
    assert "CelebA has 202,599" in done.stderr
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["dataset"], config["image_shape"]) == ("celeb_a", [64, 64, 3])
    assert not json.loads((tmp_path / "run" / "environment.json").read_text())["xla"]
    from reproduce.training import trained_model

    dataset = trained_model.load_dataset(RunDirectory(tmp_path / "run"))  # checks its fingerprint
    assert len(dataset) == COUNTS["train"]


# Dubois et al.'s released settings: Bernoulli, 64 x 64, batches of 64, 200 epochs, 10 latents.
@pytest.mark.parametrize(
    ("place", "objective", "pressure"),
    [
        (1, "beta", {"beta": 1.0, "learning_rate": 5e-4}),
        (2, "beta", {"beta": 10.0, "learning_rate": 5e-4}),
        (3, "capacity", {"capacity": 50.0, "gamma": 100.0, "learning_rate": 1e-3}),
    ],
)
def test_commands_for_published_figures_have_their_settings_and_run(
    tensorflow, official, tmp_path, cache, monkeypatch, place, objective, pressure
):
    from reproduce.training import loop

    command = commands_on_the_page()[place]
    changes = dict(item.split("=") for item in command["set"])
    recipe = override(find("beta_vae", command["recipe"][0]), changes)
    settings = BetaVAESettings(network="burgess2018", objective=objective, **pressure)
    used = {"objective", "network", "num_latents", "decoder", "posterior", "optimizer", *pressure}
    for name in used | ({"ramp_steps"} if objective == "capacity" else set()):
        assert getattr(recipe.settings, name) == getattr(settings, name)
    assert (settings.decoder, settings.num_latents, settings.ramp_steps) == ("bernoulli", 10, 10**5)
    assert recipe.batch_size == 64
    assert int(command["num_steps"][0]) == 200 * -(-NUM_IMAGES // 64)

    celeba.load("files", official, command["variant"][0], cache)
    monkeypatch.setattr(celeba, "NUM_IMAGES", len(NAMES))
    monkeypatch.setenv("AXISBIAS_CACHE", str(cache))
    dataset = load("celeb_a", variant=command["variant"][0])
    assert len(dataset) == len(NAMES)
    short, run = override(recipe, SHORT), RunDirectory(tmp_path)
    source = ("celeb_a", "rendered", None, dataset.fingerprint, dataset.image_shape)
    loop.train(RunConfig(short, *source, seed=0), dataset, run)
    assert max(run.checkpoints()) == 100
    losses = np.genfromtxt(run.training_file, delimiter=",", names=True)["reconstruction"]
    # In nats, of 12,288 values: log 2 each before there is anything learned.
    assert 0.6 * 12_288 * np.log(2) < losses[-1] < losses[0] < 1.1 * 12_288 * np.log(2)


def test_files_one_folder_further_in_are_found(copy, tmp_path):
    assert celeba_files.official_folder(tmp_path) == copy
    assert celeba_files.official_folder(copy) == copy
    shutil.copytree(copy, tmp_path / "another")  # which of the two?
    assert celeba_files.official_folder(tmp_path) == tmp_path


def test_images_unpacked_twice_are_found(copy, images):
    (copy / "img_align_celeba.zip").unlink()
    inner = copy / "img_align_celeba" / "img_align_celeba"
    inner.mkdir(parents=True)
    for name, content in images.items():
        (inner / name).write_bytes(content)
    with celeba_files.open_images(copy, NAMES) as read:
        assert read(NAMES[3]) == images[NAMES[3]]


def test_the_shadows_that_macos_packs_are_no_images(copy, images):
    with zipfile.ZipFile(copy / "img_align_celeba.zip", "a") as file:
        for name in NAMES:
            file.writestr(f"__MACOSX/img_align_celeba/{name}", b"\0\5\x16\7")
    with celeba_files.open_images(copy, NAMES) as read:
        assert read(NAMES[3]) == images[NAMES[3]]


def test_kaggles_lists_are_explained(copy):
    file = copy / "list_attr_celeba.txt"
    file.rename(file.with_suffix(".csv"))
    with pytest.raises(InputError, match="Kaggle's copy"):
        read_labels(copy)
