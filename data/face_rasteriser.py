"""Triangles to samples by a depth buffer: what is seen, and what the light sees."""

from __future__ import annotations

import numpy as np

from data.numba_cache import numba


@numba.njit(cache=True, error_model="numpy")
def rasterise(
    points: np.ndarray,
    triangles: np.ndarray,
    two_sided: tuple[int, int],
    depth: np.ndarray,
    ids: np.ndarray,
    shares: np.ndarray,
) -> None:
    """Draws triangles, orthographically, over what is drawn already.

    Args:
        points: float32 [vertices, 3]: x and y in samples (x to the right, y down; sample (i, j) has
            its centre at x = j, y = i), and nearness in any unit.
        triangles: int32 [triangles, 3]; counter-clockwise in the world, so clockwise in y down.
        two_sided: The triangles from the first of these to before the second are drawn even if
            they are seen from behind.
        depth: float32 [size, size], nearness of the nearest surface so far.
        ids: int32 [size, size], the triangle that it is on.
        shares: float32 [size, size, 2], barycentric coordinates there, of a triangle's second and
            third vertex.
    """
    size = depth.shape[0]
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, z0 = points[a, 0], points[a, 1], points[a, 2]
        x1, y1 = points[b, 0] - x0, points[b, 1] - y0
        x2, y2 = points[c, 0] - x0, points[c, 1] - y0
        area = x2 * y1 - x1 * y2  # positive: seen from outside
        if area == 0 or (area < 0 and not two_sided[0] <= t < two_sided[1]):
            continue
        left = max(int(np.ceil(x0 + min(np.float32(0), x1, x2))), 0)
        right = min(int(np.floor(x0 + max(np.float32(0), x1, x2))), size - 1)
        top = max(int(np.ceil(y0 + min(np.float32(0), y1, y2))), 0)
        bottom = min(int(np.floor(y0 + max(np.float32(0), y1, y2))), size - 1)
        if left > right or top > bottom:
            continue
        scale = np.float32(1) / area
        one_x, one_y = -y2 * scale, x2 * scale
        two_x, two_y = y1 * scale, -x1 * scale
        z1, z2 = points[b, 2] - z0, points[c, 2] - z0
        for i in range(top, bottom + 1):
            y = np.float32(i) - y0
            one_row, two_row = one_y * y, two_y * y
            for j in range(left, right + 1):
                x = np.float32(j) - x0
                one = one_row + one_x * x
                two = two_row + two_x * x
                if min(one, two, np.float32(1) - one - two) < 0:
                    continue
                z = z0 + one * z1 + two * z2
                if z > depth[i, j]:
                    depth[i, j] = z
                    ids[i, j] = t
                    shares[i, j, 0] = one
                    shares[i, j, 1] = two


@numba.njit(cache=True, error_model="numpy")
def lit_share(depth: np.ndarray, x: np.float32, y: np.float32, nearness: np.float32) -> np.float32:
    """Which share of the light reaches a point: bilinear over four tests against the light's depth.

    Args:
        depth: float32 [size, size], nearness to the light of what it meets first.
        x: The point's column in the light's samples.
        y: Its row.
        nearness: The point's to the light, in depth's unit; a bias is the caller's business.
    """
    size = depth.shape[0]
    j, i = int(np.floor(x)), int(np.floor(y))
    if i < 0 or j < 0 or i >= size - 1 or j >= size - 1:
        return np.float32(1)
    u, v = np.float32(x - j), np.float32(y - i)
    above = (np.float32(1) - u) * (depth[i, j] < nearness) + u * (depth[i, j + 1] < nearness)
    below = (np.float32(1) - u) * (depth[i + 1, j] < nearness) + u * (
        depth[i + 1, j + 1] < nearness
    )
    return (np.float32(1) - v) * above + v * below
