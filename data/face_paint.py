"""What the skin of `data.faces` looks like: eyes, brows, lips and teeth by place on the face.

Colours are linear red, green and blue: albedos. Places are millimetres, as in `data.face_geometry`.
"""

from __future__ import annotations

import numpy as np

from data.face_geometry import MOUTH_Y
from data.numba_cache import numba

EYE_X, EYE_Y, EYE_HALF_WIDTH, EYE_HALF_HEIGHT = 32.0, 1.0, 16.5, 8.5
IRIS, PUPIL = 7.6, 4.0
SOFT = 1.2  # millimetres over which one colour gives way to the next

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
# Chroma from the darkest to the lightest; each is scaled to a luminance of 1.
_SKINS = np.array([[1.70, 0.83, 0.48], [1.52, 0.88, 0.55], [1.32, 0.93, 0.72]])
_HAIRS = np.array([[1.15, 0.97, 0.85], [1.75, 0.83, 0.42], [1.35, 0.97, 0.40]])
_WALLS = np.array([[0.70, 0.98, 1.75], [0.80, 1.02, 1.35], [0.98, 1.01, 0.95]])


def _colour(albedo: np.ndarray, low: float, high: float, chroma: np.ndarray) -> np.ndarray:
    chroma = chroma / (chroma @ _LUMINANCE)[:, None]
    place = (np.sqrt(albedo) - np.sqrt(low)) / (np.sqrt(high) - np.sqrt(low))
    at = np.linspace(0, 1, len(chroma))
    mixed = np.stack([np.interp(place, at, channel) for channel in chroma.T], axis=-1)
    return (np.asarray(albedo)[..., None] * mixed).astype(np.float32)


def skin(albedo: np.ndarray) -> np.ndarray:
    """Colours float32 [n, 3] of skins with luminous albedos [n], .08 (deep brown) to .56 (pale)."""
    return _colour(albedo, 0.08, 0.56, _SKINS)


def hair(albedo: np.ndarray) -> np.ndarray:
    """Colours float32 [n, 3] of hair with luminous albedos [n], .01 (black) to .45 (blond)."""
    return _colour(albedo, 0.01, 0.45, _HAIRS)


def wall(albedo: np.ndarray) -> np.ndarray:
    """Colours float32 [n, 3] of walls with luminous albedos [n], .04 (navy) to .8 (off-white)."""
    return _colour(albedo, 0.04, 0.8, _WALLS)


@numba.njit(cache=True, inline="always")
def _inside(distance: np.float32) -> np.float32:
    """Coverage at a signed distance in millimetres, positive inside."""
    return min(max(np.float32(0.5) + distance / np.float32(SOFT), np.float32(0)), np.float32(1))


@numba.njit(cache=True, inline="always")
def _mix(
    r: np.float32,
    g: np.float32,
    b: np.float32,
    to: tuple[np.float32, np.float32, np.float32],
    share: np.float32,
) -> tuple[np.float32, np.float32, np.float32]:
    return r + share * (to[0] - r), g + share * (to[1] - g), b + share * (to[2] - b)


@numba.njit(cache=True, error_model="numpy")
def paint_face(
    x: np.float32,
    y: np.float32,
    lift: np.float32,
    opening: np.float32,
    skin_colour: np.ndarray,
    hair_colour: np.ndarray,
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """The colour at a place on the front of the head; it is symmetric in x.

    Args:
        x: Millimetres, for a head of `MEAN_BREADTH`.
        y: Millimetres, after the jaw has dropped.
        lift: How high the corners of the mouth are, millimetres.
        opening: Between the lips, millimetres.
        skin_colour: float32 [3].
        hair_colour: float32 [3].

    Returns:
        Red, green, blue, and how glossy it is (1 for skin).
    """
    f = np.float32
    x = abs(x)
    r, g, b = skin_colour[0], skin_colour[1], skin_colour[2]
    gloss = f(1)
    if y > -20:
        return (*_paint_eye(x, y, r, g, b, hair_colour), gloss)
    if y > -56:
        # Rosy cheeks, and nostrils.
        d = f(2.2) - np.sqrt((x - f(6.5)) ** 2 * f(0.55) + (y + f(50)) ** 2 * f(1.5))
        share = f(0.65) * _inside(d)
        return r * (1 - share), g * (1 - share), b * (1 - share), gloss
    half = f(23) + f(0.55) * lift
    u = x / half
    if u >= f(1.1):
        return r, g, b, gloss
    bow = max(f(1) - u * u, f(0))
    line = f(MOUTH_Y) - f(0.25) * lift + lift * u * u * f(0.9)
    upper_lip = line + f(0.12) * opening * bow
    lower_lip = line - f(0.88) * opening * bow
    full = np.sqrt(bow)
    top = upper_lip + f(6.5) * full * (f(1) - f(0.3) * max(f(0), f(1) - f(5) * u))
    bottom = lower_lip - f(9) * full
    lips = _inside(min(top - y, y - bottom)) * _inside((f(1) - u) * half)
    lip_colour = (f(0.62) * r + f(0.10), f(0.42) * g + f(0.012), f(0.45) * b + f(0.015))
    r, g, b = _mix(r, g, b, lip_colour, lips)
    gap = min(upper_lip - y, y - lower_lip)
    dark = (f(0.035), f(0.008), f(0.008))
    if opening > 1:
        hole = _inside(gap)
        r, g, b = _mix(r, g, b, dark, hole)
        teeth = (
            hole * _inside(min(y - (upper_lip - f(6.5)), gap - f(0.5))) * _inside(f(0.8) * half - x)
        )
        r, g, b = _mix(r, g, b, (f(0.75), f(0.72), f(0.64)), teeth)
        gloss = f(1) - hole
    closed = lips * max(f(0), f(1) - opening / f(4)) * _inside(f(1.3) - abs(y - line))
    r, g, b = _mix(r, g, b, dark, f(0.75) * closed)
    return r, g, b, gloss


@numba.njit(cache=True, error_model="numpy")
def _paint_eye(
    x: np.float32,
    y: np.float32,
    r: np.float32,
    g: np.float32,
    b: np.float32,
    hair_colour: np.ndarray,
) -> tuple[np.float32, np.float32, np.float32]:
    """The colour around the eyes and brows, on skin (r, g, b), at x >= 0."""
    f = np.float32
    u = (x - f(EYE_X)) / f(EYE_HALF_WIDTH)
    if abs(u) > f(1.5) or y > f(40):
        return r, g, b
    # Brow: an arch, thicker towards the nose.
    arch = f(22) + f(3.5) * (f(1) - (u - f(0.15)) ** 2)
    thick = f(3.6) - f(1.0) * u
    brow = _inside(min(thick - abs(y - arch), (f(1.25) - abs(u)) * f(EYE_HALF_WIDTH)))
    dark = f(0.6)
    tint = (
        dark * min(hair_colour[0], r * f(0.7)),
        dark * min(hair_colour[1], g * f(0.6)),
        dark * min(hair_colour[2], b * f(0.6)),
    )
    r, g, b = _mix(r, g, b, tint, f(0.9) * brow)
    v = y - f(EYE_Y)
    bow = max(f(1) - u * u, f(0))
    upper, lower = (
        f(EYE_HALF_HEIGHT) * np.sqrt(bow) * bow ** f(0.15),
        f(-0.75 * EYE_HALF_HEIGHT) * bow,
    )
    opening = _inside(min(upper - v, v - lower))
    # Lid: a dark line of lashes over the eye, and a shade above it.
    lash = _inside(f(2.2) - abs(v - upper)) * _inside((f(1.08) - abs(u)) * f(EYE_HALF_WIDTH))
    r, g, b = _mix(
        r,
        g,
        b,
        (f(0.62) * r, f(0.55) * g, f(0.55) * b),
        _inside(f(6) - abs(v - upper - f(3))) * (abs(u) < 1) * f(0.6),
    )
    r, g, b = _mix(r, g, b, (f(0.80), f(0.78), f(0.74)), opening)
    radius = np.sqrt((x - f(EYE_X)) ** 2 + v * v)
    r, g, b = _mix(r, g, b, (f(0.10), f(0.07), f(0.04)), opening * _inside(f(IRIS) - radius))
    r, g, b = _mix(r, g, b, (f(0.008), f(0.008), f(0.008)), opening * _inside(f(PUPIL) - radius))
    return _mix(r, g, b, (f(0.02), f(0.012), f(0.01)), f(0.9) * lash)
