"""Arrays that are rendered once and kept in a cache file with their checksum.

A file that is there is mapped into memory, which programs that run side by side then share. It is
held against its checksum once, and recognised by size, times and number from then on: a note beside
it says which file was found whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.dataset import Dataset, content_digest
from data.files import atomic_write, exclusive, write_text

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
        shape: The array's.
        render: Makes the array: uint8.
        is_current: Whether an array that was read is what would be rendered now; where it is not,
            another version of the kit has rendered it.

    Returns:
        uint8 of that shape, not to be written to.
    """
    with exclusive(path.with_suffix(".lock"), wait=True):
        array = _read(path, shape, is_current)
        if array is None:
            array = np.ascontiguousarray(render())
            with atomic_write(path) as file:
                file.write(array.data)
                file.write(hashlib.sha256(array.data).digest())
    return array


def with_fingerprint(dataset: Dataset, path: Path) -> Dataset:
    """The same data set, whose fingerprint is computed once for a cache file that was found whole.

    Args:
        dataset: Made of the array in the cache file.
        path: The cache file.
    """
    # Of all that the fingerprint is made of but the array itself, which other versions may change.
    rest = content_digest(
        dataset.bits, dataset.stored_shape, dataset.factor_names, [], dataset.factors
    )
    note = _note(path)
    if note.get("rest") != rest:
        note |= {"rest": rest, "fingerprint": dataset.fingerprint}
        if "file" in note:
            write_text(_note_file(path), json.dumps(note) + "\n")
    return dataclasses.replace(dataset, known_fingerprint=str(note["fingerprint"]))


def _read(
    path: Path, shape: tuple[int, ...], is_current: Callable[[np.ndarray], bool]
) -> np.ndarray | None:
    """The cached array; None where it is missing, damaged or outdated (which is logged)."""
    if not path.exists():
        return None
    size = math.prod(shape)
    if path.stat().st_size == size + _DIGEST_BYTES:
        content = np.asarray(np.memmap(path, np.uint8, "r"))
        array = content[:size].reshape(shape)
        if _note(path) or hashlib.sha256(array.data).digest() == content[size:].tobytes():
            if is_current(array):
                if not _note(path):
                    write_text(_note_file(path), json.dumps({"file": _identity(path)}) + "\n")
                return array
            logging.warning("%s is another version's; rendering it anew", path)
            return None
    logging.warning("%s is damaged; rendering it anew", path)
    return None


def _note_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.checked")


def _identity(path: Path) -> list[int]:
    """What changes whenever a file is written or replaced."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _note(path: Path) -> dict[str, object]:
    """What is known of a cache file; nothing of one that has changed since."""
    try:
        note = json.loads(_note_file(path).read_text(encoding="utf-8"))
        return dict(note) if note["file"] == _identity(path) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
