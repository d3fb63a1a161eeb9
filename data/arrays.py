"""A user's own data set: one .npz with images and factors of variation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.dataset import FACTOR_KINDS, Dataset, pack
from data.files import InputError, as_strings, load_npz


def load(path: Path | str) -> Dataset:
    """Reads a data set from an .npz.

    The file holds `images` uint8 [n, height, width, channels] (or [n, height, width]), `factors`
    int [n, k], `factor_names` [k] and `factor_sizes` [k]. Images of zeros and ones are binary;
    others run from 0 to 255.

    Raises:
        InputError: If the file is damaged, or its arrays do not fit together.
    """
    arrays = load_npz(path, ["images", "factors", "factor_names", "factor_sizes"])
    images = arrays["images"]
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.size == 0:
        raise InputError(
            f"{path}: images are {images.dtype} {list(images.shape)}; "
            "expected uint8 [n, height, width, channels]"
        )
    factors, names, sizes = check_factors(path, arrays, len(images))
    kinds = _factor_kinds(path, arrays, len(names))
    storage, bits = pack(images)
    _, height, width, channels = images.shape
    return Dataset(
        Path(path).stem, storage, bits, (height, width, channels), factors, names, sizes, kinds
    )


def _factor_kinds(
    path: Path | str, arrays: dict[str, np.ndarray], num_factors: int
) -> tuple[str, ...]:
    """The optional entry `factor_kinds`; every factor is ordered without it."""
    if "factor_kinds" not in arrays:
        return ("ordered",) * num_factors
    kinds = as_strings(arrays["factor_kinds"])
    if len(kinds) != num_factors or not set(kinds) <= set(FACTOR_KINDS):
        raise InputError(
            f"{path}: factor_kinds are {', '.join(kinds)}; expected one of "
            f"{', '.join(FACTOR_KINDS)} for each of {num_factors} factors"
        )
    return kinds


def check_factors(
    path: Path | str, arrays: dict[str, np.ndarray], num_rows: int
) -> tuple[np.ndarray, tuple[str, ...], tuple[int, ...]]:
    """Checks `factors`, `factor_names` and `factor_sizes` of an .npz against each other.

    Returns:
        Factors int64 [n, k], their names and their numbers of classes.

    Raises:
        InputError: If lengths differ, a factor is no class index below its size, or is constant.
    """
    factors = arrays["factors"]
    names = as_strings(arrays["factor_names"])
    if factors.ndim != 2 or len(factors) != num_rows:
        raise InputError(
            f"{path}: factors are {list(factors.shape)}; expected one row for each of {num_rows}"
        )
    if factors.shape[1] == 0 or not np.issubdtype(factors.dtype, np.number):
        raise InputError(f"{path}: factors are {factors.dtype} {list(factors.shape)}; expected int")
    if not np.array_equal(factors, np.floor(factors)) or not np.all(np.isfinite(factors)):
        raise InputError(f"{path}: factors are not whole numbers; give class indices from 0")
    sizes = np.asarray(arrays["factor_sizes"]).ravel()
    if not len(names) == len(sizes) == factors.shape[1]:
        raise InputError(
            f"{path}: {factors.shape[1]} factors, {len(names)} factor_names and "
            f"{len(sizes)} factor_sizes; expected one of each for each factor"
        )
    factors = factors.astype(np.int64)
    for column, name, size in zip(factors.T, names, sizes, strict=True):
        if column.min() < 0 or column.max() >= size:
            raise InputError(
                f"{path}: factor {name!r} runs from {column.min()} to {column.max()}; expected "
                f"class indices from 0 to {int(size) - 1}, as its factor_sizes entry says"
            )
        if column.min() == column.max():
            raise InputError(
                f"{path}: factor {name!r} is constant, so nothing can be learned about it; "
                "leave its column out of factors, factor_names and factor_sizes"
            )
    return factors, names, tuple(int(size) for size in sizes)
