"""The renderer against real images, an exact point-in-polygon test, and the archive's totals."""

from __future__ import annotations

import logging
import os
import sys

import numpy as np
import pytest

from data import dsprites
from data.files import InputError

ON_PIXELS = 128_328_864  # of the original archive, all images together


@pytest.fixture(scope="module")
def whole_set(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    dataset = dsprites.load(cache)
    for file in cache.iterdir():
        file.unlink()  # 377 MB, which pytest would keep for three sessions
    return dataset


@pytest.fixture
def few(monkeypatch):
    """Shrinks dSprites to 72 images; the same code then loads, caches and orders these."""
    sizes = (3, 2, 3, 2, 2)
    monkeypatch.setattr(dsprites, "FACTOR_SIZES", sizes)
    monkeypatch.setattr(dsprites, "NUM_IMAGES", 72)
    return sizes


def test_renders_real_images_without_a_wrong_pixel(shared):
    with np.load(shared / "data" / "dsprites_real_images.npz", allow_pickle=False) as real:
        factors, expected = real["factors"], np.unpackbits(real["images_packed"], axis=-1)
    assert len(expected) >= 300
    np.testing.assert_array_equal(dsprites.render(factors), expected)


def test_whole_set_has_the_archives_on_pixels(whole_set):
    assert whole_set.storage.shape == (737_280, 512)
    assert abs(int(np.bitwise_count(whole_set.storage).sum()) - ON_PIXELS) <= 2


def test_whole_set_is_in_the_archives_order(whole_set):
    indices = np.random.default_rng(0).integers(len(whole_set), size=200)
    factors = np.stack(np.unravel_index(indices, (3, 6, 40, 32, 32)), axis=-1)
    np.testing.assert_array_equal(whole_set.factors[indices], factors)
    np.testing.assert_array_equal(whole_set.images(indices)[..., 0], dsprites.render(factors))
    assert whole_set.factors[-1].tolist() == [2, 5, 39, 31, 31]


def inside(x: int, y: int, polygon: list[tuple[int, int]]) -> bool:
    """Whether a point is inside, by a ray to the left, in integers.

    The point is first moved right by 2^-16 and up by 2^-32 of a grid unit, which takes it off every
    edge that it may lie on, to the side that the archive counts: in on a left or bottom edge, out
    on a right or top one. No edge so long is flatter than 2^-16, so rightwards wins over upwards.
    """
    unit = 1 << 32
    x, y = x * unit + (1 << 16), y * unit - 1
    odd = False
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        x0, y0, x1, y1 = (unit * value for value in (x0, y0, x1, y1))
        if (y0 > y) != (y1 > y):
            side = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
            odd ^= (side < 0) == (y1 > y0)
    return odd


def fill(vertices: np.ndarray) -> np.ndarray:
    """The image of a polygon, its vertices in 1/256 pixel, by `inside`."""
    polygon = [(int(x), int(y)) for x, y in vertices]
    image = np.zeros((64, 64), np.uint8)
    (left, top), (right, bottom) = vertices.min(axis=0) // 256, vertices.max(axis=0) // 256
    for row in range(int(top), int(bottom) + 1):
        for column in range(int(left), int(right) + 1):
            image[row, column] = inside(256 * column + 128, 256 * row + 128, polygon)
    return image


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_render_agrees_with_an_exact_point_in_polygon_test(shape):
    rng = np.random.default_rng(shape)
    poses = rng.integers((6, 40, 32, 32), size=(6, 4))
    poses[0, 1] = 0  # upright: a square's edges then run along the grid
    for scale, orientation, i, j in poses:
        centre = 16 + 32 * np.array([i, j]) / 31
        vertices = np.rint(256 * (dsprites.outline(shape, scale, orientation) + centre))
        image = dsprites.render([[shape, scale, orientation, i, j]])[0]
        np.testing.assert_array_equal(image, fill(vertices))


def test_render_decides_pixels_exactly_on_an_edge(monkeypatch):
    rng = np.random.default_rng(0)
    corners = [[(-4, -4), (4, -4), (4, 4), (-4, 4)], [(0, -5), (5, 0), (0, 5), (-5, 0)]]
    corners += rng.integers(-8, 9, size=(8, 4, 2)).tolist()  # some of them cross themselves
    for polygon in np.array(corners) + 0.5:  # vertices on the centres of pixels
        monkeypatch.setattr(dsprites, "outline", lambda *pose, polygon=polygon: polygon)
        image = dsprites.render([[0, 0, 0, 0, 0]])[0]
        np.testing.assert_array_equal(image, fill(256 * (polygon + 16)))


def test_point_in_polygon_test_counts_left_and_bottom_edges_in():
    square = [(0, 0), (10, 0), (10, 10), (0, 10)]
    on_left, on_right, on_top, on_bottom = (0, 5), (10, 5), (5, 0), (5, 10)
    assert inside(5, 5, square)
    assert inside(*on_left, square)
    assert inside(*on_bottom, square)
    assert not inside(*on_right, square)
    assert not inside(*on_top, square)


@pytest.mark.parametrize(
    "factors", [[[3, 0, 0, 0, 0]], [[0, -1, 0, 0, 0]], [[0, 0, 40, 0, 0]], [[0, 0, 0, 0, 32]]]
)
def test_render_rejects_an_index_out_of_range(factors):
    with pytest.raises(ValueError, match="out of range"):
        dsprites.render(np.array(factors))


@pytest.mark.parametrize("factors", [[0, 0, 0, 0, 0], [[0, 0, 0, 0]]])
def test_render_rejects_another_shape(factors):
    with pytest.raises(ValueError, match=r"expected \[n, 5\]"):
        dsprites.render(np.array(factors))


def test_cache_is_reused_while_it_is_whole(few, tmp_path, monkeypatch, caplog):
    first = dsprites.load(tmp_path)
    assert first.storage.shape == (72, 512)
    monkeypatch.delattr(dsprites, "_render_packed")  # a second rendering would be an error
    second = dsprites.load(tmp_path)
    np.testing.assert_array_equal(first.storage, second.storage)
    assert not caplog.records


def flip_a_byte(content: bytes) -> bytes:
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


def cut(content: bytes) -> bytes:
    return content[:-100]


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [flip_a_byte, cut, empty])
def test_damaged_cache_is_rendered_anew_and_logged(few, tmp_path, caplog, damage):
    storage = dsprites.load(tmp_path).storage
    file = tmp_path / "dsprites.bits"
    good = file.read_bytes()
    file.write_bytes(damage(good))
    with caplog.at_level(logging.WARNING):
        again = dsprites.load(tmp_path).storage
    assert "damaged" in caplog.text
    assert str(file) in caplog.text
    np.testing.assert_array_equal(storage, again)
    assert file.read_bytes() == good


def test_cache_directory_follows_the_environment(few, tmp_path, monkeypatch):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path / "here"))
    dsprites.load()
    assert os.listdir(tmp_path / "here")  # noqa: PTH208


def as_examples(images: np.ndarray, sizes: tuple[int, ...], order: np.ndarray) -> list[dict]:
    names = ("shape", "scale", "orientation", "x_position", "y_position")
    return [
        {"image": images[i, :, :, None]}
        | {f"label_{n}": c for n, c in zip(names, np.unravel_index(i, sizes), strict=True)}
        for i in order
    ]


def test_from_examples_restores_the_archives_order(few):
    rng = np.random.default_rng(0)
    images = rng.integers(2, size=(72, 64, 64), dtype=np.uint8)
    dataset = dsprites.from_examples(as_examples(images, few, rng.permutation(72)))
    np.testing.assert_array_equal(dataset.images(np.arange(72))[..., 0], images)
    np.testing.assert_array_equal(dataset.factors, list(np.ndindex(few)))


def test_from_examples_rejects_a_missing_image(few):
    images = np.zeros((72, 64, 64), np.uint8)
    with pytest.raises(InputError, match="71 of dSprites' 72"):
        dsprites.from_examples(as_examples(images, few, np.arange(71)))


def test_reads_what_the_tfds_builder_gives(tensorflow):
    """Mocked examples have the real builder's features; three are too few, and that is said."""
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=3):
        features = tfds.builder("dsprites").info.features
        with pytest.raises(InputError, match="of dSprites' 737280 images"):
            dsprites.load_tfds()
    assert features["image"].shape == (64, 64, 1)
    for key, size in zip(dsprites._EXAMPLE_KEYS, dsprites.FACTOR_SIZES, strict=True):
        assert features[f"label_{key}"].num_classes == size


def test_failing_download_is_one_line(monkeypatch, tensorflow):
    tfds = pytest.importorskip("tensorflow_datasets")

    def load(*args, **kwargs):
        raise ConnectionError("no route to host\nsecond line")

    monkeypatch.setattr(tfds, "load", load)
    with pytest.raises(InputError, match=r"could not fetch dsprites \(no route to host\)") as error:
        dsprites.load_tfds()
    assert "\n" not in str(error.value)


def test_missing_tensorflow_datasets_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"install axisbias\[tfds\]"):
        dsprites.load_tfds()
