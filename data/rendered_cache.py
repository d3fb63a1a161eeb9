"""Arrays that are rendered once and kept in a cache file with their checksum."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.files import atomic_write, exclusive

_DIGEST_BYTES = hashlib.sha256().digest_size


def load(
    path: Path,
    shape: tuple[int, ...],
    render: Callable[[], np.ndarray],
    is_current: Callable[[np.ndarray], bool] = lambda array: True,
) -> np.ndarray:
    """Reads an array, or renders it where its file is missing, damaged or outdated.

    Args:
        path: The cache file.
        shape: Of the array.
        render: Makes the array: uint8.
        is_current: Whether an array that was read is what would be rendered now; where it is not,
            another version of the kit has rendered it.

    Returns:
        uint8 of that shape.
    """
    with exclusive(path.with_suffix(".lock"), wait=True):
        array = _read(path, shape, is_current)
        if array is None:
            array = np.ascontiguousarray(render())
            with atomic_write(path) as file:
                file.write(array.data)
                file.write(hashlib.sha256(array.data).digest())
    return array


def _read(
    path: Path, shape: tuple[int, ...], is_current: Callable[[np.ndarray], bool]
) -> np.ndarray | None:
    """The cached array; None where it is missing, damaged or outdated (which is logged)."""
    if not path.exists():
        return None
    size = math.prod(shape)
    if path.stat().st_size == size + _DIGEST_BYTES:
        content = np.fromfile(path, np.uint8)
        array = content[:size].reshape(shape)
        if hashlib.sha256(array.data).digest() == content[size:].tobytes():
            if is_current(array):
                return array
            logging.warning("%s is another version's; rendering it anew", path)
            return None
    logging.warning("%s is damaged; rendering it anew", path)
    return None
