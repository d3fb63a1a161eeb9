"""A user's own data set: one .npz with images and factors of variation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data import checked, dsprites
from data.dataset import FACTOR_KINDS, Dataset, pack
from data.files import InputError, array_names, as_strings, load_npz

_ARRAYS = ("images", "factors", "factor_names", "factor_sizes")
_CHANNELS = (1, 3)  # grey and colour: what pictures of them can show


def load(path: Path | str) -> Dataset:
    """Reads a data set from an .npz.

    The file holds `images` uint8 [n, height, width, channels] (or [n, height, width]), `factors`
    int [n, k], `factor_names` [k] and `factor_sizes` [k]. Images of zeros and ones are binary;
    others run from 0 to 255. The original archive of dSprites is read as it is. Whatever else the
    file holds is left alone.

    Raises:
        InputError: If the file is damaged, or its arrays do not fit together.
    """
    if set(dsprites.ARCHIVE_ARRAYS) <= set(array_names(path)):
        return dsprites.from_archive(Path(path).stem, load_npz(path, dsprites.ARCHIVE_ARRAYS, ()))
    arrays = load_npz(path, _ARRAYS, ["factor_kinds"])
    images = arrays["images"]
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.size == 0:
        raise InputError(
            f"{path}: images are {images.dtype} {list(images.shape)}; "
            "expected uint8 [n, height, width, channels]"
        )
    if images.shape[-1] not in _CHANNELS:
        raise InputError(
            f"{path}: images are {list(images.shape)}, of {images.shape[-1]} channels; expected 1 "
            "or 3, as the last axis: leave an alpha channel out, or move the channels' axis"
        )
    factors, _, names, sizes = checked.factors(
        path, arrays["factors"], arrays["factor_names"], arrays["factor_sizes"], len(images)
    )
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
