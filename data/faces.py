"""Faces with known factors of variation, rendered by the kit itself: synthetic, nobody's likeness.

`data.face_geometry` makes the head, `data.face_paint` its colours and `data.face_renderer` the
picture. The sitter turns; the camera and, but for its own two factors, the light stay.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data import face_geometry, face_paint, face_renderer, rendered_cache
from data.dataset import Dataset
from data.face_geometry import MEAN_BREADTH, Mesh
from data.files import InputError, cache_directory

# What each class of each factor stands for. Angles are in degrees: azimuths are positive to the
# viewer's right, elevations upwards; the light's are the camera's, not the head's. Lengths are in
# millimetres: how far a smile lifts the corners of the mouth, between the lips, of the hair, and
# from side to side of the head. The rest are luminous albedos: shares of the light reflected.
FACTOR_VALUES: dict[str, np.ndarray] = {
    "azimuth": np.linspace(-45, 45, 19),
    "elevation": np.linspace(-20, 20, 9),
    "light_azimuth": np.linspace(-60, 60, 13),
    "light_elevation": np.linspace(0, 48, 7),
    "smile": np.linspace(-4, 14, 7),
    "mouth_opening": np.linspace(0, 24, 7),
    "skin_tone": np.linspace(0.08, 0.56, 7),
    "hair_colour": np.linspace(0.01, 0.43, 7),
    "hair_length": np.linspace(0, 300, 7),
    "head_breadth": np.linspace(136, 172, 7),
    "background": np.linspace(0.05, 0.77, 7),
}
FACTOR_NAMES = tuple(FACTOR_VALUES)
FACTOR_SIZES = tuple(len(values) for values in FACTOR_VALUES.values())
NUM_IMAGES = 20_000
IMAGE_SIZE = 64

# Of each variant, the pairs of factors that go together; all others are independent. In celeba_crop
# faces are placed as in CelebA's aligned images.
VARIANTS: dict[str, tuple[tuple[str, str], ...]] = {
    "": (),
    "correlated": (("smile", "mouth_opening"), ("hair_colour", "skin_tone")),
    "celeba_crop": (),
}
CORRELATION = 0.8  # of the pairs, before their normal variates are cut into equally likely classes

# Of celeba_crop. CelebA's aligned images have the eyes at .51 of the height, rendered ones at .435,
# and faces are less high once squeezed to 64 x 64. Of heights of 1, .9 and .8, and breadths of 1
# and 1.09, published models of CelebA reconstruct these images best, by which alone they were
# chosen: beyond the images' own entropy 347 nats an image, 482 as rendered (VAE); 341, 462
# (beta-VAE); 353, 459 (beta-TCVAE).
_EYES, _RENDERED_EYES, _SQUEEZED = 0.51, 0.435, 0.8

_SEED = 20_190_214
_NUM_CHECKED = 16  # images that tell another version's cache


def render(factors: np.ndarray, size: int = IMAGE_SIZE) -> np.ndarray:
    """Renders images by their factors.

    Args:
        factors: int [n, 11], class indices in the order of FACTOR_NAMES.
        size: Height and width of the images, pixels.

    Returns:
        uint8 [n, size, size, 3], gamma 2.

    Raises:
        ValueError: If the shape is another, or an index is out of its factor's range.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != len(FACTOR_SIZES):
        raise ValueError(f"factors are {list(factors.shape)}; expected [n, {len(FACTOR_SIZES)}]")
    if np.any(factors < 0) or np.any(factors >= FACTOR_SIZES):
        raise ValueError(f"a factor is out of range; expected indices below {FACTOR_SIZES}")
    columns = zip(FACTOR_VALUES.values(), factors.T, strict=True)
    return render_values(np.stack([values[column] for values, column in columns], axis=1), size)


def render_values(values: np.ndarray, size: int = IMAGE_SIZE) -> np.ndarray:
    """Renders images by what their factors stand for, between the classes, too.

    Args:
        values: float [n, 11], in the order and the units of FACTOR_VALUES.
        size: Height and width of the images, pixels.

    Returns:
        uint8 [n, size, size, 3], gamma 2.

    Raises:
        ValueError: If the shape is another, or a value is out of its factor's range.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(FACTOR_NAMES):
        raise ValueError(f"values are {list(values.shape)}; expected [n, {len(FACTOR_NAMES)}]")
    for name, column in zip(FACTOR_NAMES, values.T, strict=True):
        low, high = FACTOR_VALUES[name][[0, -1]]
        if not np.all((column >= low) & (column <= high)):
            raise ValueError(f"{name} is out of range; expected {low:g} to {high:g}")
    if not len(values):
        return np.empty((0, size, size, 3), np.uint8)
    of = dict(zip(FACTOR_NAMES, values.T, strict=True))
    breadth, lift, opening = of["head_breadth"], of["smile"], of["mouth_opening"]
    heads, which_head, head = _surfaces(face_geometry.head, breadth, lift, opening)
    hairs, which_hair, hair = _surfaces(face_geometry.hair, breadth, of["hair_length"])
    bust = face_geometry.bust()
    first_hair = heads.shape[2]
    first_bust = first_hair + hairs.shape[2]
    return face_renderer.draw_many(
        heads,
        hairs,
        bust.surface,
        np.stack([which_head, which_hair], axis=1),
        np.concatenate([head, hair + first_hair, bust.triangles + first_bust]),
        (len(head), len(head) + len(hair)),
        np.stack(
            [
                [face_renderer.rotation(azimuth, elevation), face_renderer.rotation(azimuth / 2, 0)]
                for azimuth, elevation in zip(of["azimuth"], of["elevation"], strict=True)
            ]
        ),
        np.stack(
            [
                face_renderer.light_frame(azimuth, elevation)
                for azimuth, elevation in zip(
                    of["light_azimuth"], of["light_elevation"], strict=True
                )
            ]
        ),
        np.stack([MEAN_BREADTH / breadth, lift, opening], axis=1).astype(np.float32),
        np.stack(
            [
                face_paint.skin(of["skin_tone"]),
                face_paint.hair(of["hair_colour"]),
                face_paint.wall(of["background"]),
            ],
            axis=1,
        ),
        size,
    )


def _surfaces(
    build: Callable[..., Mesh], *columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The meshes that occur: surfaces [m, 2, vertices, 3], which [n], triangles, shared by all."""
    settings, which = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    meshes = [build(*map(float, setting)) for setting in settings]
    return np.stack([m.surface for m in meshes]), which.reshape(-1), meshes[0].triangles


def draw_factors(variant: str = "") -> np.ndarray:
    """The factors of a variant's images, the same ones always: int32 [NUM_IMAGES, 11].

    Every class of a factor is equally likely. Factors are independent, but for the variant's pairs,
    which are coupled by a Gaussian copula with CORRELATION.

    Raises:
        InputError: If there is no such variant.
    """
    if variant not in VARIANTS:
        expected = ", ".join(name for name in VARIANTS if name)
        raise InputError(f"faces has no variant {variant!r}; expected {expected}, or none")
    normal = np.random.default_rng(_SEED).standard_normal((NUM_IMAGES, len(FACTOR_NAMES)))
    for one, other in VARIANTS[variant]:
        i, j = FACTOR_NAMES.index(one), FACTOR_NAMES.index(other)
        normal[:, j] = CORRELATION * normal[:, i] + np.sqrt(1 - CORRELATION**2) * normal[:, j]
    columns = []
    for size, column in zip(FACTOR_SIZES, normal.T, strict=True):
        edges = [statistics.NormalDist().inv_cdf(k / size) for k in range(1, size)]
        columns.append(np.searchsorted(edges, column))
    return np.stack(columns, axis=1).astype(np.int32)


def load(variant: str = "", cache: Path | None = None) -> Dataset:
    """Loads a variant's images, rendered once and kept in a cache file with its checksum.

    Args:
        variant: A key of VARIANTS.
        cache: The folder of the cache file; by default the kit's own.

    Raises:
        InputError: If there is no such variant.
    """
    factors = draw_factors(variant)
    name = f"faces_{variant}" if variant else "faces"
    path = (cache or cache_directory()) / f"{name}.rgb"
    storage = rendered_cache.load(
        path,
        (len(factors), IMAGE_SIZE * IMAGE_SIZE * 3),
        lambda: _render_variant(factors, variant),
        lambda found: np.array_equal(
            found[:_NUM_CHECKED], _render_variant(factors[:_NUM_CHECKED], variant)
        ),
    )
    shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
    dataset = Dataset("faces", storage, 8, shape, factors, FACTOR_NAMES, FACTOR_SIZES)
    return rendered_cache.with_fingerprint(dataset, path)


def _render_variant(factors: np.ndarray, variant: str) -> np.ndarray:
    """A variant's images as they are stored: uint8 [n, bytes]."""
    images = render(factors)
    if variant == "celeba_crop":
        images = as_aligned(images)
    return images.reshape(len(factors), -1)


def as_aligned(images: np.ndarray) -> np.ndarray:
    """Places faces as CelebA's aligned images have them: lower, and less high.

    Rows are interpolated linearly; beyond an image's edge it goes on as at the edge.

    Args:
        images: uint8 [n, height, width, channels], as `render` gives them.

    Returns:
        uint8 of the same shape.
    """
    height = images.shape[1]
    centres = (np.arange(height) + 0.5) / height
    places = ((centres - _EYES) / _SQUEEZED + _RENDERED_EYES) * height - 0.5
    places = np.clip(places, 0, height - 1)
    above = np.minimum(places.astype(int), height - 2)
    share = (places - above).astype(np.float32)[:, None, None]
    placed = np.empty_like(images)
    for image, own in zip(placed, images, strict=True):
        rows = own.astype(np.float32)
        image[:] = np.rint(rows[above] * (1 - share) + rows[above + 1] * share)
    return placed
