"""The parametric head of `data.faces`: skin, hair and bust as triangle meshes, in millimetres.

Everything is made up from closed curves and bumps, without scans or any other person's likeness.
The origin lies inside the head, at the height of the eyes; x points to the viewer's right, y up and
z out of the face. Every mesh is its own mirror image in x, its triangles included. Proportions
follow an adult's: 230 mm from chin to vertex, 190 mm from front to back.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

HALF_HEIGHT = 115.0
MEAN_BREADTH = 154.0  # `features` widths are stated for this one, and scale with the breadth
MOUTH_Y = -66.0
EAR_X, EAR_Y, EAR_Z = 0.97, -6.0, -12.0  # x in half-breadths
NECK_PIVOT = np.array([0.0, -75.0, -30.0])  # the head turns about it, the bust stays

_FRONT, _BACK = 93.0, 97.0
_HANG = 1.7  # radians from the vertex: hair below falls straight down
_FALL = 110.0  # millimetres that it falls in what would be a radian


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes:
        surface: float32 [2, vertices, 3], positions in millimetres and outward unit normals.
        triangles: int32 [triangles, 3], vertices counter-clockwise as seen from outside.
    """

    surface: np.ndarray
    triangles: np.ndarray


def _bump(
    x: np.ndarray, y: np.ndarray, at: tuple[float, float], widths: tuple[float, float]
) -> np.ndarray:
    """A Gaussian hill of height 1; at |x|, so that there are two of them unless `at` is 0."""
    x = (np.abs(x) - at[0]) / widths[0]
    y = (y - at[1]) / widths[1]
    return np.exp(-0.5 * (x**2 + y**2))


def _ramp(values: np.ndarray, start: float, stop: float) -> np.ndarray:
    """0 at `start`, 1 at `stop`, smooth between."""
    t = np.clip((values - start) / (stop - start), 0, 1)
    return t * t * (3 - 2 * t)


def _angles(columns: int, front: float) -> np.ndarray:
    """Angles around the vertical, 0 in front: [columns] over a full turn, denser in front."""
    s = np.linspace(-1, 1, columns)
    return np.pi * (front * s + (1 - front) * s**3)


def _signed_power(values: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(values) * np.abs(values) ** exponent


def _skull(
    polar: np.ndarray, angle: np.ndarray, breadth: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The head without its features: x, y, z of a superellipsoid, narrower and longer to the chin.

    Args:
        polar: Radians from the vertex, 0 to pi.
        angle: Radians around the vertical, 0 in front.
        breadth: Millimetres.
    """
    height = np.cos(polar)
    below = _ramp(-height, 0.0, 1.0)
    # A broad head has a square jaw, a narrow one a pointed chin.
    jaw = 1.62 + 0.018 * (breadth - MEAN_BREADTH)
    side = (1 - np.abs(height) ** np.where(height > 0, 2.3, jaw)).clip(0) ** (1 / 2.15)
    front = (1 - np.abs(height) ** np.where(height > 0, 2.4, 3.6)).clip(0) ** (1 / 2.4)
    back = (1 - np.abs(height) ** np.where(height > 0, 2.3, 2.0)).clip(0) ** (1 / 2.2)
    depth = np.where(np.cos(angle) > 0, _FRONT * front, _BACK * back * (1 - 0.25 * below))
    x = breadth / 2 * side * _signed_power(np.sin(angle), 0.92)
    z = depth * _signed_power(np.cos(angle), 0.92)
    return x, HALF_HEIGHT * height, z


def _features(x: np.ndarray, y: np.ndarray, lift: float) -> np.ndarray:
    """How far the face's features stand out: millimetres of z at x (for MEAN_BREADTH) and y.

    Args:
        x: Millimetres.
        y: Millimetres.
        lift: How high the corners of the mouth are, millimetres.
    """
    relief = -10 * _bump(x, y, (32, 1), (13, 10)) + 4 * _bump(x, y, (32, 0), (11, 6))
    relief += 5 * _bump(x, y, (24, 20), (20, 7))  # ridge of the brows
    relief += 5 * _bump(x, y, (48, -24), (16, 14)) - 3 * _bump(x, y, (46, -60), (13, 20))
    # Nose: a ridge that rises to the tip and breaks off below it, with wings.
    along = np.clip((12 - y) / 52, 0, 1) ** 1.3
    edge = _ramp(y, -53, -43)
    ridge = (6 + 19 * along) * _ramp(-y, -22, 0) * edge
    relief += ridge * np.exp(-0.5 * np.abs(x / (5.5 + 4.5 * along)) ** 2.4)
    relief += 8 * _bump(x, y, (12, -43), (5, 5)) * edge
    # Muzzle, lips and chin.
    relief += 6 * _bump(x, y, (0, -66), (24, 18)) + 4 * _bump(x, y, (0, -61), (17, 3.5))
    relief += 4.5 * _bump(x, y, (0, -73), (14, 4)) - 4 * _bump(x, y, (0, -84), (16, 5))
    relief += 9 * _bump(x, y, (0, -99), (16, 10))
    # A smile pushes the cheeks up and out, and folds the skin beside the mouth.
    smile = lift / 12
    relief += 7 * smile * _bump(x, y, (42, -36), (11, 10))
    relief -= 3.5 * smile * _bump(x, y, (29 + 0.35 * lift, -58), (4, 12))
    return relief


def _normals(grid: np.ndarray) -> np.ndarray:
    """Unit normals [rows, columns, 3] of a grid of points, by central differences."""
    down, along = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    if np.allclose(grid[:, 0], grid[:, -1]):  # the first and the last column meet
        seam = (grid[:, 1] - grid[:, -2]) / 2
        along[:, 0] = along[:, -1] = seam
    normals = np.cross(down, along)
    # The points of a pole's row coincide, so that it takes the normal of the ring around it.
    for pole, ring in ((0, 1), (-1, -2)):
        if np.allclose(grid[pole], grid[pole, :1]):
            normals[pole] = normals[ring, :-1].mean(axis=0)
    return _unit(normals)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-9)


def _grid_triangles(rows: int, columns: int) -> np.ndarray:
    """Triangles [2 (rows - 1) (columns - 1), 3] of a grid; diagonals mirrored left and right."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    a, b = i * columns + j, i * columns + j + 1
    c, d = a + columns, b + columns
    left = (j < (columns - 1) / 2)[..., None, None]
    one = np.stack([np.stack([a, c, b], -1), np.stack([b, c, d], -1)], -2)
    two = np.stack([np.stack([a, c, d], -1), np.stack([a, d, b], -1)], -2)
    return np.where(left, one, two).reshape(-1, 3)


def _join(*grids: np.ndarray) -> Mesh:
    """One mesh of several grids of points [rows, columns, 3]."""
    starts = np.cumsum([0] + [g.shape[0] * g.shape[1] for g in grids])
    triangles = [_grid_triangles(*g.shape[:2]) + s for g, s in zip(grids, starts[:-1], strict=True)]
    surfaces = [np.stack([grid, _normals(grid)]).reshape(2, -1, 3) for grid in grids]
    return Mesh(
        np.concatenate(surfaces, axis=1).astype(np.float32),
        np.concatenate(triangles).astype(np.int32),
    )


@functools.lru_cache(maxsize=512)
def head(breadth: float, lift: float, opening: float) -> Mesh:
    """The head's skin, with ears.

    Args:
        breadth: The head's, millimetres.
        lift: How high the corners of the mouth are, millimetres.
        opening: Between the lips, millimetres.
    """
    polar, angle = np.meshgrid(np.linspace(0, np.pi, 77), _angles(73, 0.45), indexing="ij")
    x, y, z = _skull(polar, angle, breadth)
    jaw = _ramp(z, -25, 45) * _ramp(-y, -MOUTH_Y - 0.3 * np.abs(x), -MOUTH_Y + 9 + 0.6 * np.abs(x))
    z = z + _ramp(z, 0, 45) * _features(x * MEAN_BREADTH / breadth, y, lift)
    face = np.stack([x, y - 0.8 * opening * jaw, z], axis=-1)
    right = _ear(breadth)
    left = right[:, ::-1] * np.array([-1.0, 1.0, 1.0])
    return _join(face, left, right)


def _ear(breadth: float) -> np.ndarray:
    """The right ear, a flattened ellipsoid that stands off: [rows, columns, 3]."""
    polar, angle = np.meshgrid(np.linspace(0, np.pi, 11), _angles(15, 1.0), indexing="ij")
    u = 9 * np.sin(polar) * np.sin(angle)
    v = 29 * np.cos(polar)
    w = 17 * np.sin(polar) * np.cos(angle)
    x = EAR_X * breadth / 2 + u - 0.45 * w + 0.12 * v
    return np.stack([x, EAR_Y + v, EAR_Z + w + 0.15 * v], axis=-1)


@functools.lru_cache(maxsize=512)
def hair(breadth: float, length: float) -> Mesh:
    """The hair: a shell over the skull whose edge dips under the skin; nothing where length is 0.

    Args:
        breadth: The head's, millimetres.
        length: How long the hair is at the back and sides, millimetres.
    """
    angle = _angles(73, 0.8)
    turned = np.abs(angle)
    # Down to which height it grows, or falls: forehead, temples, sides and nape.
    fall = -8 - 0.6 * max(length - 50, 0)
    side = np.minimum(-70 + 62 * _ramp(-turned, -2.3, -1.6), fall)
    side = np.where(turned < 1.6, fall, side)
    forehead = 74 - 22 * (turned / 0.9) ** 2
    bottom = forehead + (side - forehead) * _ramp(turned, 0.7, 1.25)
    lowest = HALF_HEIGHT * np.cos(_HANG)
    end = np.where(
        bottom > lowest,
        np.arccos(np.clip(bottom / HALF_HEIGHT, -1, 1)),
        _HANG + (lowest - bottom) / _FALL,
    )
    share = np.linspace(0, 1, 33)[:, None]
    meridian = share * end
    x, y, z = _skull(np.minimum(meridian, _HANG), angle[None] + 0 * meridian, breadth)
    y = y - _FALL * np.maximum(meridian - _HANG, 0)
    grid = np.stack([x, y, z], axis=-1)
    thickness = 3 + 13 * (1 - np.exp(-length / 90))
    # The edge is tucked in under the skin, so that the hairline is where the two meet.
    taper = np.sqrt(1 - np.clip(2 * share - 1, 0, 1) ** 3)
    profile = thickness * taper - 7 * _ramp(share, 0.85, 1.0)
    radial = grid / np.array([breadth / 2, HALF_HEIGHT, 95.0]) ** 2
    radial[..., 1] = np.maximum(radial[..., 1], 0)
    mesh = _join((grid + profile[..., None] * _unit(radial)) * (length > 0))
    mesh.surface[1] = _combed(mesh.surface[1], angle)
    return mesh


def _combed(normals: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Normals [rows columns, 3] tilted to the sides by turns, which shades strands into hair."""
    normals = normals.reshape(-1, len(angle), 3)
    from_crown = np.linspace(0, 1, len(normals))[:, None, None]
    strand = 0.22 * np.sin(21 * angle) * (1 + 0.4 * np.cos(6 * angle))
    sideways = np.stack([np.cos(angle), 0 * angle, -np.sin(angle)], axis=-1)
    tilt = _ramp(from_crown, 0, 0.25) * strand[:, None] * sideways
    return _unit(normals + tilt).reshape(-1, 3)


@functools.lru_cache(maxsize=1)
def bust() -> Mesh:
    """The neck and the shoulders, down to below the picture."""
    y = np.concatenate([np.linspace(-45, -105, 10), np.linspace(-112, -230, 24)])[:, None]
    angle = _angles(49, 1.0)[None]
    slope = _ramp(-y, 112, 168)
    dome = np.sqrt(1 - np.clip((y + 105) / 60, 0, 1) ** 2)  # hidden, however the head nods
    width = 52 * dome + 6 * _ramp(-y, 90, 130) + 95 * slope**1.5
    depth = 52 * dome + 14 * slope
    x = width * _signed_power(np.sin(angle), 0.9)
    z = depth * _signed_power(np.cos(angle), 0.9) - 30 + 0 * y
    return _join(np.stack([x, y + 0 * angle, z], axis=-1))
