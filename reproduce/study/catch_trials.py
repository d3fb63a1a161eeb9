"""Trials with a right answer: the renderer changes one factor in one strip, two in the other.

Both strips start from the same rendered image and change it by the same energy, as nearly as the
renderer's steps allow, so that they differ in nothing but the number of factors.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from data import coloured_scene, dsprites, faces
from data.dataset import Dataset
from data.files import InputError

# Factors that a viewer may take for one: moving along x and y at once is moving along a diagonal.
# A strip that changes two of a set would be no wrong answer.
_ONE_CHANGE = (
    {"pos_x", "pos_y"},
    {"azimuth", "elevation"},
    {"light_azimuth", "light_elevation"},
)
# What raters are told after a practice trial; other factors go by their names.
WORDS = {"pos_x": "place across", "pos_y": "height", "scale": "size", "orientation": "rotation"}
_NUM_AMPLITUDES = 8
_MAX_ENERGY_RATIO = 1.25  # of the two strips
_MAX_MISS = 2.0  # of either from the energy, where the renderer knows whole classes alone
_SHARE_OF_EACH = (0.25, 0.75)  # of the pair's energy, that either of two factors makes alone
_BATCH = 32
_MAX_BATCHES = 200


@dataclasses.dataclass(frozen=True)
class Renderer:
    """A data set whose images are drawn by their factors.

    Attributes:
        names, sizes: Of all factors.
        movable: Names of those with an order, which a strip can move along.
        cyclic: Those of them whose classes go round.
        whole_classes: Whether nothing is drawn between the classes.
        render: Class indices float [n, k] to images float [n, h, w, c] in [0, 1].
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    movable: tuple[str, ...]
    cyclic: tuple[str, ...]
    whole_classes: bool
    render: Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class CatchPair:
    """A single-factor strip and a two-factor one.

    Attributes:
        start: The class indices of the image in the middle of both.
        single, double: Frames float [f, h, w, c].
        single_factor, double_factors: What changes.
        single_energy, double_energy: The mean squared pixel change at the ends.
    """

    start: tuple[int, ...]
    single: np.ndarray
    double: np.ndarray
    single_factor: str
    double_factors: tuple[str, str]
    single_energy: float
    double_energy: float


def _render_dsprites(indices: np.ndarray) -> np.ndarray:
    classes = np.rint(indices).astype(int)
    classes[:, 2] %= dsprites.FACTOR_SIZES[2] - 1  # the first and the last are the same angle
    rows = np.ravel_multi_index(tuple(classes.T), dsprites.FACTOR_SIZES)
    return _dsprites().images(rows)


@functools.cache
def _dsprites() -> Dataset:
    """Every image rendered beforehand, for thousands are looked at."""
    return dsprites.load()


def _render_faces(indices: np.ndarray) -> np.ndarray:
    columns = [
        np.interp(column, np.arange(len(values)), values)
        for values, column in zip(faces.FACTOR_VALUES.values(), indices.T, strict=True)
    ]
    return faces.render_values(np.stack(columns, axis=1)).astype(np.float32) / 255


def _render_scene(indices: np.ndarray) -> np.ndarray:
    classes = np.rint(indices).astype(int)
    classes[:, :3] %= coloured_scene.NUM_HUES
    return _scene().images(np.ravel_multi_index(tuple(classes.T), coloured_scene.FACTOR_SIZES))


@functools.cache
def _scene() -> Dataset:
    return coloured_scene.load()


DSPRITES = Renderer(
    dsprites.FACTOR_NAMES,
    dsprites.FACTOR_SIZES,
    dsprites.FACTOR_NAMES[1:],
    ("orientation",),
    True,
    _render_dsprites,
)
FACES = Renderer(
    faces.FACTOR_NAMES, faces.FACTOR_SIZES, faces.FACTOR_NAMES, (), False, _render_faces
)
SCENE = Renderer(
    coloured_scene.FACTOR_NAMES,
    coloured_scene.FACTOR_SIZES,
    tuple(name for name in coloured_scene.FACTOR_NAMES if name != "shape"),
    ("floor_hue", "wall_hue", "object_hue"),
    True,
    _render_scene,
)


def renderer_of(dataset: str, num_channels: int) -> Renderer:
    """The renderer of a data set; of one that has none, the one with as many channels."""
    if dataset == "coloured_scene":
        return SCENE
    return DSPRITES if num_channels == 1 else FACES


def draw(
    renderer: Renderer, energy: float, count: int, num_frames: int, rng: np.random.Generator
) -> list[CatchPair]:
    """Draws pairs whose strips change images by about an energy.

    Args:
        renderer: The data set's.
        energy: The mean squared pixel change that is aimed at.
        count: How many.
        num_frames: Frames of a strip, an odd number.
        rng: Draws images and factors, again and again until both strips of a pair are matched.

    Raises:
        InputError: If too few can be matched, as with an energy no factor reaches.
    """
    pairs: list[CatchPair] = []
    for _ in range(_MAX_BATCHES):
        pairs += _batch(renderer, energy, num_frames, rng)
        if len(pairs) >= count:
            return pairs[:count]
    raise InputError(
        f"too few pairs of rendered strips change by an energy of {energy:.3g}, as catch trials "
        "must; give another --energy_share"
    )


def _batch(
    renderer: Renderer, energy: float, num_frames: int, rng: np.random.Generator
) -> list[CatchPair]:
    """What can be matched of a batch of draws, rendered together, for a call has its price."""
    starts = rng.integers(renderer.sizes, size=(_BATCH, len(renderer.sizes)))
    names = np.stack([rng.choice(renderer.movable, 3, replace=False) for _ in starts])
    targets = energy * np.array([1, 0.5, 0.5])  # the single factor's; each of the two others'
    moves, found = _matched_moves(renderer, starts, names, targets)
    alike = [any(set(pair) <= words for words in _ONE_CHANGE) for pair in names[:, 1:]]
    kept = np.flatnonzero(found.all(axis=1) & ~np.array(alike))
    if not len(kept):
        return []
    starts, names, moves = starts[kept], names[kept], moves[kept]
    both = moves[:, 1] + moves[:, 2]
    every = np.concatenate([moves, both[:, None]], axis=1)  # [n, 4, k]
    energies = _energies(renderer, starts[:, None], every)
    single, shares, double = energies[:, 0], energies[:, 1:3] / energies[:, 3:], energies[:, 3]
    low, high = _SHARE_OF_EACH
    good = np.abs(np.log(single / double)) < np.log(_MAX_ENERGY_RATIO)
    good &= np.all((shares >= low) & (shares <= high), axis=1)
    chosen = np.flatnonzero(good)
    if not len(chosen):
        return []
    places = np.linspace(-1, 1, num_frames)[:, None]
    points = np.stack(
        [[starts[i] + places * moves[i, 0], starts[i] + places * both[i]] for i in chosen]
    )
    images = renderer.render(points.reshape(-1, points.shape[-1]))
    strips = images.reshape(*points.shape[:3], *images.shape[1:])
    return [
        CatchPair(
            tuple(int(index) for index in starts[i]),
            frames[0],
            frames[1],
            str(names[i, 0]),
            (str(names[i, 1]), str(names[i, 2])),
            float(single[i]),
            float(double[i]),
        )
        for i, frames in zip(chosen, strips, strict=True)
    ]


def _matched_moves(
    renderer: Renderer, starts: np.ndarray, names: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One factor's changes of indices that make energies.

    Args:
        renderer: The data set's.
        starts: int [n, k].
        names: [n, m], the factors.
        targets: float [m].

    Returns:
        Changes float64 [n, m, k], and whether there is one: bool [n, m].
    """
    columns = np.array([[renderer.names.index(name) for name in row] for row in names])
    sizes = np.array(renderer.sizes)[columns]
    at = np.take_along_axis(starts, columns, axis=1)
    room = np.where(np.isin(names, renderer.cyclic), sizes / 4, np.minimum(at, sizes - 1 - at))
    amplitudes = room[..., None] * np.linspace(0, 1, _NUM_AMPLITUDES + 1)[1:]
    if renderer.whole_classes:
        amplitudes = np.rint(amplitudes)
    units = np.eye(len(renderer.sizes))[columns]  # [n, m, k]
    energies = _energies(renderer, starts[:, None, None], amplitudes[..., None] * units[:, :, None])
    chosen = np.zeros(columns.shape)
    for i, j in np.ndindex(*columns.shape):
        if renderer.whole_classes:
            misses = np.abs(np.log(np.maximum(energies[i, j], 1e-12) / targets[j]))
            best = int(np.argmin(misses))
            near = misses[best] < np.log(_MAX_MISS)
            chosen[i, j] = amplitudes[i, j, best] if near else 0
        elif energies[i, j, -1] > targets[j]:
            growing = np.maximum.accumulate(np.sqrt([0, *energies[i, j]]))
            chosen[i, j] = np.interp(np.sqrt(targets[j]), growing, [0, *amplitudes[i, j]])
    return chosen[..., None] * units, chosen > 0


def _energies(renderer: Renderer, starts: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Mean squared pixel change of moves forwards and backwards: float64 [...].

    Args:
        renderer: The data set's.
        starts: [..., k], broadcast to the moves.
        moves: float [..., k].
    """
    starts = np.broadcast_to(starts, moves.shape)
    points = np.stack([starts, starts + moves, starts - moves]).reshape(-1, moves.shape[-1])
    images = renderer.render(points).reshape(3, *moves.shape[:-1], -1)
    return np.square(images[1:] - images[0]).mean(axis=(0, -1), dtype=np.float64)
