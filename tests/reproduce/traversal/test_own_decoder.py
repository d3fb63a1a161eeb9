"""A user's decoder: its images are those that it gives, or what is wrong with them is named."""

import numpy as np
import pytest

from data.files import InputError
from reproduce.traversal import own_decoder

SHAPE = (2, 2, 1)


def decode(latents):
    """Four pixels of two latents in [0, 1]."""
    return np.clip(np.asarray(latents) @ [[0.1, 0.2, 0.3, 0.4]] * 2, 0, 1).reshape(-1, *SHAPE)


LATENTS = np.array([[0.5], [1.0], [0.25]])


class Tensor:
    """What hands its numbers on only by DLPack."""

    def __init__(self, values):
        self._values = values

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


@pytest.mark.parametrize(
    "give", [np.asarray, np.float32, np.asfortranarray, np.ndarray.tolist, Tensor]
)
def test_images_are_those_of_the_function_whatever_holds_them(give):
    found = own_decoder.checked(lambda z: give(decode(z)), SHAPE)(LATENTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, decode(LATENTS), rtol=1e-6)


def test_a_decoder_that_writes_into_its_latents_changes_none_of_ours():
    def writing(latents):
        images = decode(latents)
        latents[:] = 0
        return images

    given = LATENTS.copy()
    np.testing.assert_allclose(
        own_decoder.checked(writing, SHAPE)(given), decode(LATENTS), rtol=1e-6
    )
    np.testing.assert_array_equal(given, LATENTS)


def leave(latents):
    raise SystemExit("no weights")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda z: decode(z) + 0j, r"images complex128 \[3, 2, 2, 1\].*expected float"),
        (lambda z: decode(z).astype(str), "images <U"),
        (lambda z: decode(z)[:-1], r"\[2, 2, 2, 1\] for latents \[3, 1\]"),
        (lambda z: decode(z)[..., 0], r"\[3, 2, 2\]"),
        (lambda z: None, r"object \[\]"),
        (lambda z: [[1.0], [1.0, 2.0]], "images are no array"),
        (lambda z: decode(z) * np.nan, r"leave \[0, 1\]"),
        (lambda z: (255 * decode(z)).astype(np.uint8), r"leave \[0, 1\]"),
        (lambda z: decode(z) - 0.5, r"leave \[0, 1\]"),
        (leave, r"the decoder failed on latents \[3, 1\]: no weights"),
        (3, "not callable"),
    ],
)
def test_what_is_no_image_is_named_in_one_line(wrong, message):
    with pytest.raises(InputError, match=message) as error:
        own_decoder.checked(wrong, SHAPE)(LATENTS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nowhere:f", "numpy:nothing", "numpy", ":", "a module:f"])
def test_a_function_that_is_not_there_is_named(name):
    with pytest.raises(InputError, match=f"--decoder={name}.*expected module:function"):
        own_decoder.load(name)
