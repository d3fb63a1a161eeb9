"""A user's own data set: what is read is what was written, and mistakes are named."""

from __future__ import annotations

import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import strategies as st

from data import Dataset, load, own_npz
from data.dataset import pack
from data.files import InputError

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))


def write(path, **changes):
    """Writes a correct data set of six images with some arrays changed, or left out where None."""
    content = {
        "images": np.arange(6 * 3 * 5 * 3, dtype=np.uint8).reshape(6, 3, 5, 3),
        "factors": np.indices((2, 3)).reshape(2, -1).T,
        "factor_names": ["side", "size"],
        "factor_sizes": [2, 3],
    }
    content |= changes
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def dataset_of(images: np.ndarray) -> Dataset:
    storage, bits = pack(images)
    return Dataset("test", storage, bits, images.shape[1:], np.zeros((len(images), 0)), (), ())


def test_reads_images_factors_names_and_sizes(tmp_path):
    dataset = own_npz.load(write(tmp_path / "mine.npz"))
    assert (dataset.name, dataset.bits, dataset.image_shape) == ("mine", 8, (3, 5, 3))
    assert (dataset.factor_names, dataset.factor_sizes) == (("side", "size"), (2, 3))
    assert dataset.factors.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    expected = np.arange(6 * 45, dtype=np.uint8).reshape(6, 3, 5, 3)[[4, 1]] / np.float32(255)
    np.testing.assert_array_equal(dataset.images(np.array([4, 1])), expected, strict=True)


def test_images_of_zeros_and_ones_are_binary(tmp_path):
    images = np.random.default_rng(0).integers(2, size=(6, 3, 5), dtype=np.uint8)
    dataset = own_npz.load(write(tmp_path / "file.npz", images=images))
    assert (dataset.bits, dataset.image_shape) == (1, (3, 5, 1))
    assert dataset.storage.shape == (6, 2)  # 15 bits take two bytes
    np.testing.assert_array_equal(dataset.images(np.arange(6))[..., 0], images)


def test_a_single_two_makes_images_of_eight_bits(tmp_path):
    images = np.zeros((6, 3, 5, 1), np.uint8)
    images[5, 2, 4, 0] = 2
    dataset = own_npz.load(write(tmp_path / "file.npz", images=images))
    assert dataset.bits == 8
    assert dataset.images(np.array([5])).max() == np.float32(2 / 255)


@hypothesis.given(SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape)))
def test_eight_bit_images_come_back(images):
    hypothesis.assume(images.max() > 1)
    back = dataset_of(images).images(np.arange(len(images)))
    np.testing.assert_array_equal(back, images / np.float32(255), strict=True)


@hypothesis.given(
    SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.just(1) | st.just(0)))
)
def test_binary_images_come_back_at_an_eighth_of_the_memory(images):
    dataset = dataset_of(images)
    assert dataset.storage.nbytes == len(images) * -(-images[0].size // 8)
    back = dataset.images(np.arange(len(images)))
    np.testing.assert_array_equal(back, images.astype(np.float32), strict=True)


@pytest.mark.parametrize("largest", [1, 255])
@pytest.mark.parametrize("shape", [(64, 64, 1), (16, 16, 3), (5, 3, 1), (1, 7, 3)])
def test_tensorflow_gathers_the_same_images(tensorflow, shape, largest):
    from data.tensors import gatherer

    rng = np.random.default_rng(0)
    images = rng.integers(largest + 1, size=(20, *shape), dtype=np.uint8)
    indices = rng.integers(20, size=7)
    gathered = tensorflow.function(gatherer(dataset_of(images)))(tensorflow.constant(indices))
    expected = images[indices] / np.float32(largest)
    # TensorFlow multiplies by 1 / 255 where NumPy divides by 255.
    np.testing.assert_array_max_ulp(gathered.numpy(), expected, 1 if largest > 1 else 0)


def test_fingerprint_tells_data_sets_apart(tmp_path):
    def fingerprint(**changes):
        return own_npz.load(write(tmp_path / "file.npz", **changes)).fingerprint

    images = np.arange(6 * 45, dtype=np.uint8).reshape(6, 3, 5, 3)
    factors = np.indices((2, 3)).reshape(2, -1).T
    assert fingerprint() == fingerprint(factors=factors.astype(np.uint8))
    others = [
        fingerprint(images=images[::-1]),
        fingerprint(images=images.reshape(6, 5, 3, 3)),
        fingerprint(factors=factors[::-1]),
        fingerprint(factor_names=["size", "side"]),
    ]
    assert len({fingerprint(), *others}) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((6, 3, 5, 1))}, r"images are float64 \[6, 3, 5, 1\]; expected uint8"),
        ({"images": np.zeros((6, 15), np.uint8)}, r"images are uint8 \[6, 15\]; expected"),
        ({"images": np.zeros((0, 3, 5, 1), np.uint8)}, r"images are uint8 \[0, 3, 5, 1\]"),
        ({"images": np.zeros((5, 3, 5, 1), np.uint8)}, "expected one row for each of 5"),
        ({"factors": np.arange(6)}, r"factors are \[6\]; expected one row for each of 6"),
        ({"factors": np.array([["a", "b"]] * 6)}, "expected int"),
        ({"factors": np.full((6, 2), 0.5)}, "not whole numbers"),
        ({"factors": np.full((6, 2), np.nan)}, "not whole numbers"),
        ({"factors": np.full((6, 2), np.inf)}, "not whole numbers"),
        ({"factors": np.zeros((6, 0))}, "expected int"),
        ({"factor_names": ["side"]}, "2 factors, 1 factor_names and 2 factor_sizes"),
        ({"factor_sizes": [2, 3, 4]}, "2 factors, 2 factor_names and 3 factor_sizes"),
        ({"factor_sizes": [2, 2]}, "'size' runs from 0 to 2; expected class indices from 0 to 1"),
        ({"factors": np.indices((2, 3)).reshape(2, -1).T - 1}, "'side' runs from -1 to 0"),
        ({"factors": np.array([[0, 1]] * 5 + [[1, 1]])}, "'size' is constant"),
        ({"images": None}, "has no array images; it holds factors"),
        ({"factor_sizes": None}, "has no array factor_sizes"),
        ({"factor_names": np.array(["side", {}], dtype=object)}, "pickled objects"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path, changes, message):
    path = write(tmp_path / "mine.npz", **changes)
    with pytest.raises(InputError, match=message) as error:
        own_npz.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_data_sets_are_loaded_by_name(tmp_path):
    path = write(tmp_path / "mine.npz")
    assert load("npz", data_file=path).fingerprint == own_npz.load(path).fingerprint
    with pytest.raises(InputError, match="unknown data set 'mnist'; expected one of"):
        load("mnist")
    with pytest.raises(InputError, match="npz needs data_file=PATH"):
        load("npz")
    with pytest.raises(InputError, match="dsprites is no file; leave out data_file="):
        load("dsprites", data_file=path)


def test_images_are_averaged_down_alike_by_both_readers(tensorflow):
    from data.tensors import gatherer

    rng = np.random.default_rng(5)
    for top, channels in ((2, 1), (256, 3)):
        images = rng.integers(top, size=(6, 16, 24, channels), dtype=np.uint8)
        dataset = dataset_of(images).at_size(8)
        assert dataset.image_shape == (8, 12, channels)
        assert dataset.at_size(8).reduction == 2
        assert dataset.fingerprint == dataset_of(images).fingerprint
        blocks = images.reshape(6, 8, 2, 12, 2, channels).mean(axis=(2, 4)) / (top - 1)
        np.testing.assert_allclose(dataset.images(np.arange(6)), blocks, atol=1e-6)
        gathered = gatherer(dataset)(tensorflow.constant([4, 1]))
        np.testing.assert_allclose(gathered, blocks[[4, 1]], atol=1e-6)
    assert dataset_of(images).at_size(0).reduction == dataset_of(images).at_size(99).reduction == 1
    with pytest.raises(InputError, match="divisor of 16"):
        dataset_of(images).at_size(5)


def test_kinds_of_factors_are_read_and_checked(tmp_path):
    arrays_ = {
        "images": np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1),
        "factors": np.arange(6)[:, None] % 3,
        "factor_names": ["shape"],
        "factor_sizes": [3],
    }
    path = tmp_path / "kinds.npz"
    for kinds in (["categorical"], ["angle"]):
        np.savez(path, factor_kinds=kinds, **arrays_)
        assert own_npz.load(path).factor_kinds == tuple(kinds)
    np.savez(path, **arrays_)
    assert own_npz.load(path).factor_kinds == ("ordered",)
    np.savez(path, factor_kinds=["colour"], **arrays_)
    with pytest.raises(InputError, match="expected one of categorical, ordered, angle"):
        own_npz.load(path)
