"""One check for every array that is read: its type, shape and numbers, named where they are wrong.

A message says whose array it is (a file, or the arguments of a function), what is wrong with it,
what was expected, and what to do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, KeysView, Sequence, ValuesView
from pathlib import Path
from typing import Any

import numpy as np

from data import blocks
from data.files import InputError, as_strings

LARGEST = 1e100  # beyond it and its inverse, squares leave the range of float64
MAX_CLASSES = 2**16  # indices from here on are identifiers, not classes
MAX_NAME = 200  # characters; a longer one is a description
_EXACT = 2**53  # whole numbers up to here are exact in float64

Size = int | str  # a length, or a letter that stands for any


def reals(where: Path | str, name: str, values: Any, shape: Sequence[Size]) -> np.ndarray:
    """Checks an array of real numbers.

    Args:
        where: Whose it is, for messages.
        name: The array's.
        values: Integers or floats of any width, byte order and layout.
        shape: What is expected; letters stand for lengths of 1 or more.

    Returns:
        float64, of the same shape; a large array of narrower floats stays what it is
        (`blocks.is_large`).

    Raises:
        InputError: If the type or the shape is another, a number is missing or not finite, or all
            are so large or so small that their squares leave float64.
    """
    array = plain(where, name, values)
    if array.dtype.kind in "OV":
        array = _converted(where, name, array)
    if array.dtype.kind not in "iuf" or not _fits(array.shape, shape):
        raise InputError(
            f"{where}: {name} are {array.dtype} {list(array.shape)}; expected float "
            f"[{', '.join(map(str, shape))}]"
        )
    if array.dtype.kind in "iu" and (array.max() > _EXACT or array.min() < -_EXACT):
        raise InputError(
            f"{where}: {name} are whole numbers from {array.min()} to {array.max()}, which float64 "
            "would round; subtract the same number from all"
        )
    with np.errstate(over="ignore"):  # what leaves float64 is found as infinite
        is_kept = blocks.is_large(array) and array.dtype in (np.float16, np.float32, np.float64)
        array = array if is_kept else array.astype(np.float64)
    _require_finite(where, name, array)
    largest = max(float(np.abs(array[block]).max()) for block in blocks.rows(array))
    if largest > LARGEST or 0 < largest < 1 / LARGEST:
        raise InputError(
            f"{where}: {name} run up to {largest:.2g}; expected magnitudes from {1 / LARGEST:g} to "
            f"{LARGEST:g}: multiply all by one number"
        )
    return array


def _require_finite(where: Path | str, name: str, array: np.ndarray) -> None:
    count, first = 0, ""
    for block in blocks.rows(array):
        bad = np.argwhere(~np.isfinite(array[block]))
        if len(bad) and not count:
            index = (block.start + bad[0][0], *bad[0][1:])
            places = ("row", "column", "layer")
            first = ", ".join(f"{place} {i}" for place, i in zip(places, index, strict=False))
        count += len(bad)
    if count:
        raise InputError(
            f"{where}: {name} hold {count} numbers that are not finite, the first in {first}; "
            "leave such points out"
        )


def whole(
    where: Path | str,
    name: str,
    values: Any,
    shape: Sequence[Size],
    meaning: str = "class indices from 0",
) -> np.ndarray:
    """Checks an array of whole numbers, which may be kept as floats or booleans.

    Args:
        where: Whose it is, for messages.
        name: The array's.
        values: Booleans, integers, or floats that are whole.
        shape: What is expected; letters stand for lengths of 1 or more.
        meaning: What the numbers should be.

    Returns:
        int64, of the same shape.

    Raises:
        InputError: If the type or the shape is another, or a number is not whole or not exact.
    """
    array = plain(where, name, values)
    if array.dtype.kind in "OV":
        array = _converted(where, name, array)
    rows = shape[0]
    if isinstance(rows, int) and (array.ndim != len(shape) or len(array) != rows):
        raise InputError(
            f"{where}: {name} are {list(array.shape)}; expected one row for each of {rows}"
        )
    if array.dtype.kind not in "biuf" or not _fits(array.shape, shape):
        hint = ": number the classes by numpy.unique" if array.dtype.kind in "US" else ""
        raise InputError(
            f"{where}: {name} are {array.dtype} {list(array.shape)}; expected int "
            f"[{', '.join(map(str, shape))}]{hint}"
        )
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
        if not np.all(np.isfinite(array) & (array == np.floor(array))):
            raise InputError(f"{where}: {name} are not whole numbers; give {meaning}")
    if array.dtype.kind != "b" and (array.max() > _EXACT or array.min() < -_EXACT):
        raise InputError(
            f"{where}: {name} run from {array.min():g} to {array.max():g}; expected {meaning}"
        )
    return array.astype(np.int64)


def factors(
    where: Path | str,
    values: Any,
    names: Any,
    sizes: Any,
    num_rows: int,
    values_test: Any = None,
    num_rows_test: int = 0,
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...], tuple[int, ...]]:
    """Checks factors of variation, with their names and numbers of classes, in both splits alike.

    Class indices run from 0. Two other habits are understood: classes from 1 up to their number,
    and -1 and 1 for no and yes. Indices of `MAX_CLASSES` and more are identifiers, and their
    classes are numbered in order.

    Args:
        where: Whose they are, for messages.
        values: int [n, k], or [n] for a single factor.
        names: k different ones: strings or bytes, in a list, an array or an index.
        sizes: k numbers of classes.
        num_rows: n.
        values_test: int [n', k] of a test split, or None.
        num_rows_test: n'.

    Returns:
        Factors int64 [n, k], those of the test split or None, names, and numbers of classes.

    Raises:
        InputError: If lengths differ, two names are the same or one is no name, a factor is no
            class index below its size, or is constant.
    """
    found_names = _names(where, names)
    flat = np.ravel(plain(where, "factor_sizes", sizes))
    found_sizes = whole(where, "factor_sizes", flat, ("k",), "numbers of classes")
    splits = [("factors", values, num_rows)]
    if values_test is not None:
        splits.append(("factors_test", values_test, num_rows_test))
    checked = []
    for name, given, rows in splits:
        array = plain(where, name, given)
        if array.ndim == 1 and len(found_names) == 1:
            array = array[:, None]
        checked.append(whole(where, name, array, (rows, "k")))
    k = checked[0].shape[1]
    if not k == len(found_names) == len(found_sizes):
        raise InputError(
            f"{where}: {k} factors, {len(found_names)} factor_names and {len(found_sizes)} "
            "factor_sizes; expected one of each for each factor"
        )
    twice = next((name for name in found_names if found_names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{where}: factor_names hold {twice!r} twice; expected different names")
    if checked[-1].shape[1] != k:
        raise InputError(f"{where}: factors_test have {checked[-1].shape[1]} columns; expected {k}")
    new_sizes = []
    for j, (name, size) in enumerate(zip(found_names, found_sizes.tolist(), strict=True)):
        columns = [split[:, j] for split in checked]
        columns, size = _numbered(where, name, columns, size)
        for split, column in zip(checked, columns, strict=True):
            split[:, j] = column
        new_sizes.append(size)
    return checked[0], checked[1] if len(checked) > 1 else None, found_names, tuple(new_sizes)


def _names(where: Path | str, values: Any) -> tuple[str, ...]:
    """Names of factors, each of which has to stand in a table and on a page."""
    import pandas as pd

    if isinstance(values, (list, tuple)):
        values = np.array(values, dtype=object)  # else NaN beside names would be one
    array = plain(where, "factor_names", values).ravel()
    found = as_strings(array)
    for index, (name, is_missing) in enumerate(zip(found, pd.isna(array), strict=True)):
        if is_missing or not name.strip():
            raise InputError(f"{where}: factor_names[{index}] is empty; name every factor")
        is_odd = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
        if is_odd or len(name) > MAX_NAME:
            raise InputError(
                f"{where}: factor_names[{index}] is {name[:20]!r}, of {len(name)} characters; "
                f"expected at most {MAX_NAME}, and no line breaks or other control characters"
            )
    return found


def _numbered(
    where: Path | str, name: str, columns: list[np.ndarray], size: int
) -> tuple[list[np.ndarray], int]:
    """One factor's class indices from 0, in all splits, and their number."""
    low, high = min(c.min() for c in columns), max(c.max() for c in columns)
    if columns[0].min() == columns[0].max():
        raise InputError(
            f"{where}: factor {name!r} is constant, so nothing can be learned about it; "
            "leave its column out of factors, factor_names and factor_sizes"
        )
    if low == 1 and high == size:
        columns = [column - 1 for column in columns]
    elif size == 2 and all(np.all(np.abs(column) == 1) for column in columns):
        columns = [(column + 1) // 2 for column in columns]
    elif low >= 0 and high >= MAX_CLASSES:
        classes = np.unique(np.concatenate(columns))
        if len(classes) <= size:
            return [np.searchsorted(classes, column) for column in columns], len(classes)
    for column, split in zip(columns, ("factor", "factors_test: factor"), strict=False):
        if column.min() < 0 or column.max() >= size:
            raise InputError(
                f"{where}: {split} {name!r} runs from {column.min()} to {column.max()}; expected "
                f"class indices from 0 to {size - 1}, as its factor_sizes entry says"
            )
    return columns, size


def plain(where: Path | str, name: str, values: Any) -> np.ndarray:
    """An array of what was given: by `__array__` or DLPack, if nothing of it is lost thereby.

    Raises:
        InputError: If entries are masked, or it is no array, or none in the CPU's memory.
    """
    if isinstance(
        values, (Iterator, KeysView, ValuesView)
    ):  # NumPy would take it for a single object
        values = list(values)
    rows = values if isinstance(values, (list, tuple)) else ()
    if np.ma.is_masked(values) or any(map(np.ma.is_masked, rows)):
        raise InputError(f"{where}: {name} have masked entries; leave such points out")
    try:
        if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
            return np.from_dlpack(values)
        return np.asarray(values)
    except Exception as first:  # of a library's own array, or rows of different lengths
        try:
            return np.from_dlpack(values)
        except Exception:
            reason = " ".join(str(first).split())
            raise InputError(
                f"{where}: {name} are no array ({reason}); give numbers in memory that NumPy can "
                "read, all rows of one length"
            ) from first


def _converted(where: Path | str, name: str, array: np.ndarray) -> np.ndarray:
    """Numbers that NumPy knows as objects, or in a type that is not its own, as float64."""
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        what = f"are {array.dtype} {list(array.shape)}; expected plain numbers: "
        todo = "convert them by numpy.asarray(..., dtype=float)"
        if array.dtype.kind == "O" and array.ndim:
            import pandas as pd

            if pd.isna(array).any():
                what, todo = "have missing entries; ", "leave such points out"
            elif any(isinstance(value, str) for value in array.flat):
                todo = "number the classes by numpy.unique or pandas.factorize"
        raise InputError(f"{where}: {name} {what}{todo}") from error


def _fits(shape: tuple[int, ...], expected: Sequence[Size]) -> bool:
    return len(shape) == len(expected) and all(
        length == wanted if isinstance(wanted, int) else length > 0
        for length, wanted in zip(shape, expected, strict=True)
    )
