"""A coloured scene of the kit's own: an object in the corner of a room, with six factors.

Of the kind of 3D Shapes (Burgess & Kim 2018), with the same factors, and otherwise another data
set: the kit renders it, and no image of the one is one of the other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data import rendered_cache, scene_renderer
from data.dataset import Dataset
from data.drawn import Drawn, grid
from data.files import cache_directory

NUM_HUES = 10
# What each class of a factor stands for: hues in degrees, around the circle; sizes of the object as
# multiples; names of shapes by their indices; the camera's way around the object in degrees.
FACTOR_VALUES: dict[str, np.ndarray] = {
    "floor_hue": np.arange(NUM_HUES) * 360 / NUM_HUES,
    "wall_hue": np.arange(NUM_HUES) * 360 / NUM_HUES,
    "object_hue": np.arange(NUM_HUES) * 360 / NUM_HUES,
    "scale": np.linspace(0.55, 1.1, 8),
    "shape": np.arange(len(scene_renderer.SHAPES)),
    "orientation": np.linspace(-30, 30, 15),
}
FACTOR_NAMES = tuple(FACTOR_VALUES)
FACTOR_SIZES = tuple(len(values) for values in FACTOR_VALUES.values())
FACTOR_KINDS = ("categorical", "categorical", "categorical", "ordered", "categorical", "ordered")
IMAGE_SIZE = 64

_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 3)
_POSES = FACTOR_SIZES[3:]  # scale, shape and orientation
_NUM_CHECKED = 4  # poses that tell another version's cache


def colours(hues: np.ndarray) -> np.ndarray:
    """The colours of hues.

    They lie on a circle around grey, so that neighbours are equally far apart everywhere on it:
    each of red, green and blue is (1 + cos) / 2 of the angle from its own hue.

    Args:
        hues: float [...], degrees; red is 0, green 120, blue 240.

    Returns:
        uint8 [..., 3].
    """
    angles = np.radians(np.asarray(hues)[..., None] - [0, 120, 240])
    return np.rint(255 * (1 + np.cos(angles)) / 2).astype(np.uint8)


def render(factors: np.ndarray) -> np.ndarray:
    """Renders images by their factors.

    Args:
        factors: int [n, 6], class indices in the order of `FACTOR_NAMES`.

    Returns:
        uint8 [n, 64, 64, 3].

    Raises:
        ValueError: If the shape is another, or an index is out of its factor's range.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != len(FACTOR_SIZES):
        raise ValueError(f"factors are {list(factors.shape)}; expected [n, {len(FACTOR_SIZES)}]")
    if np.any(factors < 0) or np.any(factors >= FACTOR_SIZES):
        raise ValueError(f"a factor is out of range; expected indices below {FACTOR_SIZES}")
    poses, which = np.unique(factors[:, 3:], axis=0, return_inverse=True)
    return _coloured(_layers(poses), which.reshape(-1), factors)


def _layers(poses: np.ndarray) -> np.ndarray:
    """Layers uint8 [n, 3, 64, 64] of class indices int [n, 3] of scale, shape and orientation."""
    return scene_renderer.layers(
        poses[:, 1],
        FACTOR_VALUES["scale"][poses[:, 0]],
        FACTOR_VALUES["orientation"][poses[:, 2]],
        IMAGE_SIZE,
    )


def _coloured(layers: np.ndarray, poses: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Images of layers, by which pose each shows and by its hues."""
    palette = colours(FACTOR_VALUES["object_hue"])[factors[:, :3]]
    flat = layers.reshape(*layers.shape[:2], -1)
    return scene_renderer.colour(flat, poses.astype(np.int64), palette).reshape(-1, *_SHAPE)


def load(cache: Path | None = None) -> Dataset:
    """All 480,000 images, coloured when they are asked for.

    Their 480 poses are rendered once and kept in a cache file with its checksum.

    Args:
        cache: The folder of the cache file; by default the kit's own.
    """
    every_pose = grid(_POSES)
    layers = rendered_cache.load(
        (cache or cache_directory()) / "coloured_scene.layers",
        (len(every_pose), len(scene_renderer.LAYERS), IMAGE_SIZE, IMAGE_SIZE),
        lambda: _layers(every_pose),
        lambda found: np.array_equal(
            found[:: len(found) // _NUM_CHECKED], _layers(every_pose[:: len(found) // _NUM_CHECKED])
        ),
    )
    factors = grid(FACTOR_SIZES)

    def draw(rows: np.ndarray) -> np.ndarray:
        return _coloured(layers, rows % len(every_pose), factors[rows]).reshape(len(rows), -1)

    storage = Drawn(draw, (len(factors), int(np.prod(_SHAPE))), (layers,))
    return Dataset(
        "coloured_scene", storage, 8, _SHAPE, factors, FACTOR_NAMES, FACTOR_SIZES, FACTOR_KINDS
    )
