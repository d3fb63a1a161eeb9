"""Shades the meshes of `data.face_geometry`: Lambert, a little gloss, attached and cast shadows.

Sitter, light and camera: the camera is far away in front, so the projection is orthographic; the
light is far away, too, and its angles are the camera's, not the head's. The wall behind is lit
evenly. Radiance is linear until it is averaged over a pixel; then it is encoded by a square root
(gamma 2).
"""

from __future__ import annotations

import numpy as np

from data.face_geometry import NECK_PIVOT
from data.face_paint import paint_face
from data.face_rasteriser import lit_share, rasterise
from data.numba_cache import numba

SAMPLES = 3  # a pixel's side
AMBIENT, DIRECT = 0.30, 1.10  # irradiance, over pi, from everywhere and facing the light
GLOSS = 0.10
VIEW_HEIGHT, VIEW_CENTRE = 310.0, -19.0  # millimetres
FAR = np.float32(-1e9)

_LIGHT_SIZE, _LIGHT_VIEW = 128, 400.0  # samples, millimetres
_BIAS, _RAISE = 3.0, 4.0  # millimetres towards the light, and off the surface
_COLLAR = -150.0
_CHUNK = 16  # images that share buffers
_SHIRT = np.array([0.10, 0.13, 0.19], np.float32)
_PIVOT = NECK_PIVOT.astype(np.float32)


def rotation(azimuth: float, elevation: float) -> np.ndarray:
    """Turns the face to the viewer's right by azimuth, and up by elevation: float32 [3, 3].

    Args:
        azimuth: Degrees.
        elevation: Degrees.
    """
    a, e = np.radians(azimuth), np.radians(elevation)
    nod = np.array([[1, 0, 0], [0, np.cos(e), np.sin(e)], [0, -np.sin(e), np.cos(e)]])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return (turn @ nod).astype(np.float32)


def light_frame(azimuth: float, elevation: float) -> np.ndarray:
    """Rows: the light's right, its up, and the direction towards it: float32 [3, 3].

    Args:
        azimuth: Degrees; positive is to the viewer's right.
        elevation: Degrees; positive is above.
    """
    return rotation(azimuth, elevation).T.copy()


@numba.njit(cache=True, error_model="numpy")
def _turn(
    points: np.ndarray, matrix: np.ndarray, about: np.ndarray, start: int, found: np.ndarray
) -> None:
    """Writes matrix (point - about) + about, for points float32 [n, 3], to found[start:]."""
    for k in range(len(points)):
        x, y, z = points[k, 0] - about[0], points[k, 1] - about[1], points[k, 2] - about[2]
        for i in range(3):
            found[start + k, i] = matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] * z + about[i]


@numba.njit(cache=True, error_model="numpy")
def _project(points: np.ndarray, scale: float, size: int, centre: float) -> np.ndarray:
    """Points in samples (x, y down) with their nearness in millimetres: float32 [n, 3]."""
    found = np.empty_like(points)
    middle = np.float32((size - 1) / 2)
    for k in range(len(points)):
        found[k, 0] = middle + points[k, 0] * np.float32(scale)
        found[k, 1] = middle - (points[k, 1] - np.float32(centre)) * np.float32(scale)
        found[k, 2] = points[k, 2]
    return found


@numba.njit(cache=True, error_model="numpy")
def shade(
    nx: np.float32,
    ny: np.float32,
    nz: np.float32,
    lit: np.float32,
    light: np.ndarray,
    halfway: np.ndarray,
) -> tuple[np.float32, np.float32]:
    """Irradiance over pi, and gloss, of a surface.

    Args:
        nx: The unit normal's part to the right.
        ny: Its part up.
        nz: Its part towards the viewer.
        lit: Share of the light that reaches it.
        light: float32 [3], the unit vector towards the light.
        halfway: float32 [3], the one halfway between the light and the viewer.
    """
    f = np.float32
    cosine = max(nx * light[0] + ny * light[1] + nz * light[2], f(0))
    half = nx * halfway[0] + ny * halfway[1] + nz * halfway[2]
    gloss = f(0)
    if cosine > 0 and half > 0:
        fourth = half * half * half * half
        gloss = f(GLOSS) * fourth * fourth * fourth * lit
    return f(AMBIENT) * (f(0.85) + f(0.15) * ny) + f(DIRECT) * cosine * lit, gloss


@numba.njit(cache=True, error_model="numpy")
def _draw(
    points: np.ndarray,
    normals: np.ndarray,
    triangles: np.ndarray,
    starts: tuple[int, int],
    turns: np.ndarray,
    light: np.ndarray,
    face: np.ndarray,
    colours: np.ndarray,
    view: tuple[np.ndarray, np.ndarray, np.ndarray],
    light_view: tuple[np.ndarray, np.ndarray, np.ndarray],
    image: np.ndarray,
) -> None:
    """Draws one image, in one kernel: a sample's dozens of numbers are used where they are made.

    Args:
        points: float32 [vertices, 3]: head, hair and bust, turned.
        normals: float32 [vertices, 3], unit vectors.
        triangles: int32 [triangles, 3].
        starts: The first triangles of hair and bust.
        turns: float32 [2, 3, 3]: how head and hair were turned, and how the bust.
        light: float32 [3, 3], of `light_frame`.
        face: float32 [3]: the chart's scale in x, lift and opening of the mouth.
        colours: float32 [3, 3]: of skin, hair and wall.
        view: Scratch of `rasterise`: depth, ids and shares, SAMPLES size a side.
        light_view: The same for what the light sees, _LIGHT_SIZE a side.
        image: uint8 [size, size, 3], to be written.
    """
    f = np.float32
    size = len(image)
    side = size * SAMPLES
    scale, light_scale = f(side / VIEW_HEIGHT), f(_LIGHT_SIZE / _LIGHT_VIEW)
    depth, ids, shares = view
    depth[:] = FAR
    rasterise(_project(points, scale, side, VIEW_CENTRE), triangles, starts, depth, ids, shares)
    shadows = light_view[0]
    shadows[:] = FAR
    lighted = np.empty_like(points)
    _turn(points, light, np.zeros(3, np.float32), 0, lighted)
    lighted = _project(lighted, light_scale, _LIGHT_SIZE, 0.0)
    rasterise(lighted, triangles, starts, shadows, light_view[1], light_view[2])
    middle, light_middle = f((side - 1) / 2), f((_LIGHT_SIZE - 1) / 2)
    step = f(1) / scale
    # Blinn's vector halfway between the light and the viewer, who is at (0, 0, 1).
    halfway = light[2] + np.array([0, 0, 1], np.float32)
    halfway /= np.sqrt(np.sum(halfway**2))
    radiance = np.zeros((size, 3), np.float32)
    for row in range(size):
        radiance[:] = 0
        wall = f(1.08) - f(0.16) * f(row + 0.5) / f(size)
        for i in range(SAMPLES * row, SAMPLES * (row + 1)):
            for j in range(side):
                column = j // SAMPLES
                z = depth[i, j]
                if z == FAR:
                    for c in range(3):
                        radiance[column, c] += colours[2, c] * wall
                    continue
                x, y = (f(j) - middle) * step, f(VIEW_CENTRE) - (f(i) - middle) * step
                t = ids[i, j]
                nx, ny, nz = _normal(normals, triangles, t, shares[i, j, 0], shares[i, j, 1])
                if nz < 0 and starts[0] <= t < starts[1]:  # hair from inside
                    nx, ny, nz = -nx, -ny, -nz
                # The point where it was before the turn m: m^T (point - pivot) + pivot.
                m = 1 if t >= starts[1] else 0
                px, py, pz = x - _PIVOT[0], y - _PIVOT[1], z - _PIVOT[2]
                u = turns[m, 0, 0] * px + turns[m, 1, 0] * py + turns[m, 2, 0] * pz + _PIVOT[0]
                v = turns[m, 0, 1] * px + turns[m, 1, 1] * py + turns[m, 2, 1] * pz + _PIVOT[1]
                w = turns[m, 0, 2] * px + turns[m, 1, 2] * py + turns[m, 2, 2] * pz + _PIVOT[2]
                red, green, blue, gloss = colours[0, 0], colours[0, 1], colours[0, 2], f(1)
                if t >= starts[1]:
                    if v < f(_COLLAR) + f(0.25) * abs(u):
                        red, green, blue, gloss = _SHIRT[0], _SHIRT[1], _SHIRT[2], f(0.2)
                elif t >= starts[0]:
                    red, green, blue, gloss = colours[1, 0], colours[1, 1], colours[1, 2], f(0.7)
                elif w > f(20):
                    red, green, blue, gloss = paint_face(
                        u * face[0], v, face[1], face[2], colours[0], colours[1]
                    )
                # Shadows are looked up a little above the surface, lest it shadows itself.
                x, y, z = x + f(_RAISE) * nx, y + f(_RAISE) * ny, z + f(_RAISE) * nz
                lit = lit_share(
                    shadows,
                    light_middle
                    + light_scale * (light[0, 0] * x + light[0, 1] * y + light[0, 2] * z),
                    light_middle
                    - light_scale * (light[1, 0] * x + light[1, 1] * y + light[1, 2] * z),
                    light[2, 0] * x + light[2, 1] * y + light[2, 2] * z + f(_BIAS),
                )
                bright, shine = shade(nx, ny, nz, lit, light[2], halfway)
                radiance[column, 0] += red * bright + shine * gloss
                radiance[column, 1] += green * bright + shine * gloss
                radiance[column, 2] += blue * bright + shine * gloss
        for column in range(size):
            for c in range(3):
                mean = min(radiance[column, c] / f(SAMPLES * SAMPLES), f(1))
                image[row, column, c] = np.uint8(np.sqrt(mean) * f(255) + f(0.5))


@numba.njit(cache=True, error_model="numpy")
def _normal(
    normals: np.ndarray, triangles: np.ndarray, t: int, one: np.float32, two: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """The unit normal inside triangle t, at the shares of its second and third vertex."""
    a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    zero = np.float32(1) - one - two
    x = zero * normals[a, 0] + one * normals[b, 0] + two * normals[c, 0]
    y = zero * normals[a, 1] + one * normals[b, 1] + two * normals[c, 1]
    z = zero * normals[a, 2] + one * normals[b, 2] + two * normals[c, 2]
    inverse = np.float32(1) / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-9))
    return x * inverse, y * inverse, z * inverse


@numba.njit(cache=True, parallel=True, error_model="numpy")
def draw_many(
    heads: np.ndarray,
    hairs: np.ndarray,
    bust: np.ndarray,
    which: np.ndarray,
    triangles: np.ndarray,
    starts: tuple[int, int],
    turns: np.ndarray,
    lights: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray,
    size: int,
) -> np.ndarray:
    """Draws images, over all threads.

    Args:
        heads: float32 [heads, 2, vertices, 3], positions and normals of the heads that occur.
        hairs: float32 [hairs, 2, vertices, 3], so of hair.
        bust: float32 [2, vertices, 3].
        which: int64 [n, 2], which of the heads and of the hairs each image shows.
        triangles: int32 [triangles, 3], over the vertices of head, hair and bust together.
        starts: The first triangles of hair and bust.
        turns: float32 [n, 2, 3, 3], rotations of head and bust.
        lights: float32 [n, 3, 3], of `light_frame`.
        faces: float32 [n, 3]: the chart's scale in x, lift and opening of the mouth.
        colours: float32 [n, 3, 3], of skin, hair and wall.
        size: The images' sides, pixels.

    Returns:
        uint8 [n, size, size, 3].
    """
    num_images = len(which)
    images = np.empty((num_images, size, size, 3), np.uint8)
    first_hair = heads.shape[2]
    first_bust = first_hair + hairs.shape[2]
    origin = np.zeros(3, np.float32)
    for chunk in numba.prange((num_images + _CHUNK - 1) // _CHUNK):
        view, light_view = _scratch(SAMPLES * size), _scratch(_LIGHT_SIZE)
        turned = np.empty((2, first_bust + bust.shape[1], 3), np.float32)
        for n in range(_CHUNK * chunk, min(_CHUNK * (chunk + 1), num_images)):
            for k in range(2):  # positions turn about the pivot, normals about the origin
                about = _PIVOT if k == 0 else origin
                _turn(heads[which[n, 0], k], turns[n, 0], about, 0, turned[k])
                _turn(hairs[which[n, 1], k], turns[n, 0], about, first_hair, turned[k])
                _turn(bust[k], turns[n, 1], about, first_bust, turned[k])
            _draw(
                turned[0],
                turned[1],
                triangles,
                starts,
                turns[n],
                lights[n],
                faces[n],
                colours[n],
                view,
                light_view,
                images[n],
            )
    return images


@numba.njit(cache=True)
def _scratch(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Buffers of `rasterise` for size x size samples: depth, ids and shares."""
    return (
        np.empty((size, size), np.float32),
        np.empty((size, size), np.int32),
        np.empty((size, size, 2), np.float32),
    )
