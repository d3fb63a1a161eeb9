"""Casts rays into a small room: a floor, two walls that meet in a corner, and one object.

An image is linear in the colours of what it shows, so what is rendered is how much of the light of
floor, walls and object each pixel gets: three layers, which any colours can then be given. Shading
is Lambert's, under one far-away light that is fixed to the room, with cast shadows.

The floor is the plane y = 0, the walls are x = -WALL and z = -WALL; the object stands on the floor
at the origin, and the camera circles around it.
"""

from __future__ import annotations

import numpy as np

from data.numba_cache import numba

SHAPES = ("cube", "cylinder", "sphere", "cone")
LAYERS = ("floor", "wall", "object")
SAMPLES = 4  # a pixel's side
AMBIENT, DIRECT = 0.30, 0.69  # light from everywhere, and of what faces the light; below 1 in all
WALL = 2.9

_LIGHT = np.array([0.30, 1.0, 0.72]) / np.linalg.norm([0.30, 1.0, 0.72])
_CAMERA_DISTANCE, _CAMERA_ELEVATION = 9.0, 24.0  # degrees
_TARGET_HEIGHT = 1.0
_HALF_VIEW = 0.26  # tangent of half the angle of view
# Half the side of the cube, and radius and height of the others, at scale 1.
_CUBE, _CYLINDER, _CONE = 0.82, (0.82, 1.75), (1.05, 2.05)
_NEAR = 1e-6


@numba.njit(cache=True)
def _first_hit(
    shape: int, s: float, px: float, py: float, pz: float, dx: float, dy: float, dz: float
) -> tuple[float, float, float, float]:
    """Where a ray p + t d first meets the object: t, infinite if nowhere, and the unit normal."""
    best, nx, ny, nz = np.inf, 0.0, 0.0, 0.0
    if shape == 0:
        half = _CUBE * s
        enter, leave = -np.inf, np.inf
        for axis in range(3):
            p = px if axis == 0 else (py - half if axis == 1 else pz)
            d = dx if axis == 0 else (dy if axis == 1 else dz)
            if abs(d) < 1e-12:
                if abs(p) > half:
                    return np.inf, 0.0, 0.0, 0.0
                continue
            one, two = (-half - p) / d, (half - p) / d
            if min(one, two) > enter:
                enter = min(one, two)
                sign = -1.0 if d > 0 else 1.0
                nx = sign if axis == 0 else 0.0
                ny = sign if axis == 1 else 0.0
                nz = sign if axis == 2 else 0.0
            leave = min(leave, max(one, two))
        if enter <= leave and enter > _NEAR:
            best = enter
        return best, nx, ny, nz
    if shape == 2:
        qy = py - s
        a = dx * dx + dy * dy + dz * dz
        b = px * dx + qy * dy + pz * dz
        c = px * px + qy * qy + pz * pz - s * s
        root = b * b - a * c
        if root > 0:
            t = (-b - np.sqrt(root)) / a
            if t > _NEAR:
                best = t
                nx, ny, nz = (px + t * dx) / s, (qy + t * dy) / s, (pz + t * dz) / s
        return best, nx, ny, nz
    # A cylinder or a cone: x^2 + z^2 = (radius - slope y)^2 up to its height.
    radius, height = _CYLINDER if shape == 1 else _CONE
    radius, height = radius * s, height * s
    slope = 0.0 if shape == 1 else radius / height
    r = radius - slope * py
    a = dx * dx + dz * dz - slope * slope * dy * dy
    b = px * dx + pz * dz + slope * r * dy
    c = px * px + pz * pz - r * r
    root = b * b - a * c
    if root > 0 and abs(a) > 1e-12:
        for sign in (-1.0, 1.0):
            t = (-b + sign * np.sqrt(root)) / a
            y = py + t * dy
            if _NEAR < t < best and 0 <= y <= height:
                x, z = px + t * dx, pz + t * dz
                across = np.sqrt(x * x + z * z)
                length = np.sqrt(1 + slope * slope)
                best = t
                if across > 1e-9:
                    nx, ny, nz = x / across / length, slope / length, z / across / length
                else:  # the tip
                    nx, ny, nz = 0.0, 1.0, 0.0
    if shape == 1 and abs(dy) > 1e-12:
        t = (height - py) / dy
        x, z = px + t * dx, pz + t * dz
        if _NEAR < t < best and x * x + z * z <= radius * radius:
            best, nx, ny, nz = t, 0.0, 1.0, 0.0
    return best, nx, ny, nz


@numba.njit(cache=True)
def _shade(
    shape: int, s: float, px: float, py: float, pz: float, nx: float, ny: float, nz: float
) -> float:
    """How bright a point is whose colour is white; it must not face away from the room."""
    lx, ly, lz = _LIGHT[0], _LIGHT[1], _LIGHT[2]
    cosine = nx * lx + ny * ly + nz * lz
    if cosine <= 0:
        return AMBIENT
    # From a little above the surface, lest it shadows itself.
    t, _, _, _ = _first_hit(shape, s, px + 1e-4 * nx, py + 1e-4 * ny, pz + 1e-4 * nz, lx, ly, lz)
    return AMBIENT + DIRECT * cosine if t == np.inf else AMBIENT


@numba.njit(cache=True)
def _layers_of(shape: int, s: float, eye: np.ndarray, axes: np.ndarray, layers: np.ndarray) -> None:
    """Renders one pose.

    Args:
        shape: An index of `SHAPES`.
        s: The scale.
        eye: float64 [3], where the camera is.
        axes: float64 [3, 3], its right, its up and where it looks to.
        layers: uint8 [3, size, size], to be written.
    """
    size = layers.shape[1]
    side = size * SAMPLES
    step = 2 * _HALF_VIEW / side
    ox, oy, oz = eye[0], eye[1], eye[2]
    sums = np.zeros(3)
    for row in range(size):
        for column in range(size):
            sums[:] = 0
            for i in range(SAMPLES * row, SAMPLES * (row + 1)):
                for j in range(SAMPLES * column, SAMPLES * (column + 1)):
                    u, v = (j + 0.5) * step - _HALF_VIEW, _HALF_VIEW - (i + 0.5) * step
                    dx = axes[2, 0] + u * axes[0, 0] + v * axes[1, 0]
                    dy = axes[2, 1] + u * axes[0, 1] + v * axes[1, 1]
                    dz = axes[2, 2] + u * axes[0, 2] + v * axes[1, 2]
                    t, nx, ny, nz = _first_hit(shape, s, ox, oy, oz, dx, dy, dz)
                    layer = 2
                    if dy < 0 and -oy / dy < t:
                        t, nx, ny, nz, layer = -oy / dy, 0.0, 1.0, 0.0, 0
                    if dx < 0 and (-WALL - ox) / dx < t:
                        t, nx, ny, nz, layer = (-WALL - ox) / dx, 1.0, 0.0, 0.0, 1
                    if dz < 0 and (-WALL - oz) / dz < t:
                        t, nx, ny, nz, layer = (-WALL - oz) / dz, 0.0, 0.0, 1.0, 1
                    sums[layer] += _shade(
                        shape, s, ox + t * dx, oy + t * dy, oz + t * dz, nx, ny, nz
                    )
            for layer in range(3):
                layers[layer, row, column] = np.uint8(255 * sums[layer] / SAMPLES**2 + 0.5)


@numba.njit(cache=True, parallel=True)
def _layers_of_many(
    shapes: np.ndarray, scales: np.ndarray, eyes: np.ndarray, axes: np.ndarray, size: int
) -> np.ndarray:
    layers = np.empty((len(shapes), 3, size, size), np.uint8)
    for i in numba.prange(len(shapes)):
        _layers_of(shapes[i], scales[i], eyes[i], axes[i], layers[i])
    return layers


def layers(shapes: np.ndarray, scales: np.ndarray, azimuths: np.ndarray, size: int) -> np.ndarray:
    """Renders poses.

    Args:
        shapes: int [n], indices of `SHAPES`.
        scales: float [n].
        azimuths: float [n], degrees by which the camera circles around the object, to the right;
            at 0 it looks into the corner. Less than 45 either way.
        size: Height and width of the images, pixels.

    Returns:
        uint8 [n, 3, size, size]: the shares, of 255, of the colours of `LAYERS` in each pixel.
    """
    around = np.radians(45 - np.asarray(azimuths, float))  # from z to x, as seen from above
    above = np.radians(_CAMERA_ELEVATION)
    backwards = np.stack(
        [
            np.cos(above) * np.sin(around),
            np.full(len(around), np.sin(above)),
            np.cos(above) * np.cos(around),
        ],
        axis=1,
    )
    eyes = _CAMERA_DISTANCE * backwards + [0, _TARGET_HEIGHT, 0]
    right = np.cross([0.0, 1.0, 0.0], backwards)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    axes = np.stack([right, np.cross(backwards, right), -backwards], axis=1)
    return _layers_of_many(
        np.asarray(shapes, np.int64), np.asarray(scales, float), eyes, axes, size
    )


@numba.njit(cache=True)
def colour(layers: np.ndarray, poses: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Gives layers their colours.

    Args:
        layers: uint8 [poses, 3, pixels].
        poses: int64 [n], which of them each image shows.
        colours: uint8 [n, 3, 3]: the colour (red, green, blue) of each layer.

    Returns:
        uint8 [n, pixels, 3].
    """
    images = np.empty((len(poses), layers.shape[2], 3), np.uint8)
    for i in range(len(poses)):
        floor, wall, thing = layers[poses[i], 0], layers[poses[i], 1], layers[poses[i], 2]
        for c in range(3):
            of_floor, of_wall = np.uint32(colours[i, 0, c]), np.uint32(colours[i, 1, c])
            of_thing = np.uint32(colours[i, 2, c])
            for k in range(len(floor)):
                total = floor[k] * of_floor + wall[k] * of_wall + thing[k] * of_thing
                images[i, k, c] = (total + np.uint32(127)) // np.uint32(255)  # rounds
    return images
