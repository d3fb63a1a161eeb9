"""dSprites' variants: sprites stay, what is added is random and always the same."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import data
from data import dsprites, dsprites_variants
from data.dataset import Dataset, pack
from data.files import InputError

COUNT = 300
BITS = 2**64 - 1


@pytest.fixture(scope="module")
def original():
    """A random part of dSprites."""
    factors = np.random.default_rng(0).integers(dsprites.FACTOR_SIZES, size=(COUNT, 5))
    storage, bits = pack(dsprites.render(factors))
    names, sizes, kinds = dsprites.FACTOR_NAMES, dsprites.FACTOR_SIZES, dsprites.FACTOR_KINDS
    return Dataset(
        "dsprites", storage, bits, (64, 64, 1), factors, names, sizes, kinds, dsprites.SYMMETRIES
    )


@pytest.fixture(scope="module")
def sprites(original):
    return original.images(np.arange(COUNT))[..., 0] > 0


def images_of(original: Dataset, variant: str) -> np.ndarray:
    """All images: uint8 [n, 64, 64, 3]."""
    found = dsprites_variants.of(original, variant)
    return found.storage[np.arange(len(found))].reshape(-1, 64, 64, 3)


def outputs(state: int, count: int) -> list[int]:
    """The first outputs of SplitMix64 from a state, in Python's own whole numbers."""
    found = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & BITS
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & BITS
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
        found.append(z ^ (z >> 31))
    return found


def test_the_generator_is_splitmix64():
    # The first outputs from the seed 1234567, as its authors' program gives them.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert outputs(1234567, 3) == expected
    state = np.uint64(1234567)
    with np.errstate(over="ignore"):
        for value in expected:
            state += np.uint64(0x9E3779B97F4A7C15)
            assert int(dsprites_variants._mixed(state)) == value


def test_sprites_have_one_bright_colour_on_black(original, sprites):
    images = images_of(original, "colour")
    assert not images[~sprites].any()
    colours = np.array([image[mask][0] for image, mask in zip(images, sprites, strict=True)])
    for image, mask, colour in zip(images, sprites, colours, strict=True):
        assert np.all(image[mask] == colour)
    assert colours.min() >= 128
    for channel in colours.T:
        assert scipy.stats.kstest(channel, scipy.stats.randint(128, 256).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(colours.T)[~np.eye(3, dtype=bool)]).max() < 0.2


def test_noise_is_uniform_and_white_behind_a_white_sprite(original, sprites):
    images = images_of(original, "noise")
    assert np.all(images[sprites] == 255)
    ground = images[~sprites]
    counts = np.bincount(ground.reshape(-1), minlength=256)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    values = images[~sprites[:, :5].any(axis=(1, 2)), :5].astype(float)
    assert len(values) > 200
    for one, other in (
        (values[:, :, 1:], values[:, :, :-1]),
        (values[:, 1:], values[:, :-1]),
        (values[1:], values[:-1]),
        (values[..., 1:], values[..., :-1]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


def test_painted_sprites_are_the_negative_of_their_ground(original, sprites):
    """The ground is a patch of the picture, half mixed with a colour."""
    images, picture = (
        images_of(original, "painted").astype(int),
        dsprites_variants.paint().astype(int),
    )
    for row in range(0, COUNT, 10):
        start = outputs((20_190_613 + (row - 1) * 0x9E3779B97F4A7C15) & BITS, 1)[0]
        place, bits = outputs(start, 2)
        top, left = (place & 0xFFFF) % 449, (place >> 16) % 449
        colour = np.array([(bits >> (8 * c)) & 255 for c in range(3)])
        ground = (picture[top : top + 64, left : left + 64] + colour) // 2
        expected = np.where(sprites[row][..., None], 255 - ground, ground)
        np.testing.assert_array_equal(images[row], expected)
    assert picture.shape == (512, 512, 3)
    assert picture.std() > 40


@pytest.mark.parametrize("variant", dsprites_variants.VARIANTS)
def test_an_image_is_always_the_same_in_any_company(original, variant):
    found = dsprites_variants.of(original, variant)
    rows = np.array([5, 250, 17])
    np.testing.assert_array_equal(found.storage[rows], found.storage[:COUNT][rows])
    assert found.fingerprint == dsprites_variants.of(original, variant).fingerprint
    others = {dsprites_variants.of(original, v).fingerprint for v in dsprites_variants.VARIANTS}
    assert len(others | {original.fingerprint}) == 4


@pytest.mark.parametrize("variant", dsprites_variants.VARIANTS)
def test_factors_are_dsprites_own(original, variant):
    found = dsprites_variants.of(original, variant)
    np.testing.assert_array_equal(found.factors, original.factors)
    assert (found.factor_names, found.symmetries) == (original.factor_names, original.symmetries)
    assert found.image_shape == (64, 64, 3)
    small = found.at_size(32).images(np.arange(4))
    large = found.images(np.arange(4))
    np.testing.assert_allclose(
        small, large.reshape(4, 32, 2, 32, 2, 3).mean(axis=(2, 4)), atol=1e-6
    )


def test_an_unknown_variant_is_named():
    with pytest.raises(InputError, match="no variant 'scream'; expected colour, noise, painted"):
        data.load("dsprites", variant="scream")
