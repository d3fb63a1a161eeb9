"""MPI3D (Gondal et al. 2019): an object on a robot's arm, drawn, rendered and photographed.

From the official .npz files, whose images [n, 64, 64, 3] have no labels: an image's factors follow
from its number, by the order of `FACTOR_NAMES`, the vertical axis fastest, as the authors give it:

    index = ((((((colour * shapes + shape) * 2 + size) * 3 + height) * 3 + background) * 40
              + horizontal) * 40 + vertical

TensorFlow Datasets does not have it.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from data import prepared
from data.dataset import Dataset
from data.files import InputError
from data.prepared import BLOCK, Blocks, Published

FACTOR_NAMES = (
    "object_color",
    "object_shape",
    "object_size",
    "camera_height",
    "background_color",
    "horizontal_axis",
    "vertical_axis",
)
_KINDS = ("categorical", "categorical", *["ordered"] * 2, "categorical", *["ordered"] * 2)
_OTHERS = (2, 3, 3, 40, 40)
# Colours and shapes of each: early files, of 460,800 images, had four of either, as has the one of
# everyday objects.
VARIANTS = {
    "toy": (6, 6),
    "realistic": (6, 6),
    "real": (6, 6),
    "complex": (4, 4),
    "toy_early": (4, 4),
    "realistic_early": (4, 4),
}
DEFAULT_VARIANT = "toy"
_IMAGES = "images.npy"


def load(
    data_source: str, data_file: Path | None, variant: str = "", cache: Path | None = None
) -> Dataset:
    """Loads all images of a variant, as `prepared.load` does.

    Raises:
        InputError: As it does, and if there is no such variant.
    """
    variant = variant or DEFAULT_VARIANT
    if variant not in VARIANTS:
        raise InputError(f"mpi3d has no variant {variant!r}; expected one of {', '.join(VARIANTS)}")
    found = published(variant)
    return prepared.load(
        found, data_source, data_file, lambda path: from_file(path, found), cache=cache
    )


def published(variant: str) -> Published:
    """What a variant is.

    Args:
        variant: A key of `VARIANTS`.
    """
    what_to_fetch = (
        f"fetch mpi3d_{variant.removesuffix('_early')}.npz, as "
        "github.com/rr-learning/disentanglement_dataset links it, and give data_source=files "
        f"data_file=PATH variant={variant}"
    )
    sizes = (*VARIANTS[variant], *_OTHERS)
    return Published(f"mpi3d_{variant}", (64, 64, 3), FACTOR_NAMES, sizes, _KINDS, what_to_fetch)


def from_file(path: Path, published: Published) -> Blocks:
    """The official file's images in their order, a little at a time.

    Args:
        path: The .npz.
        published: What should be in it.

    Raises:
        InputError: If it is damaged, or other images.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if _IMAGES not in archive.namelist():
                held = ", ".join(name.removesuffix(".npy") for name in archive.namelist())
                raise InputError(f"{path}: has no array images; it holds {held or 'nothing'}")
            with archive.open(_IMAGES) as file:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, is_fortran, dtype = read(file)
                _check(path, published, shape, dtype, is_fortran)
                for start in range(0, shape[0], BLOCK):
                    rows = np.arange(start, min(start + BLOCK, shape[0]))
                    content = file.read(len(rows) * int(np.prod(shape[1:])))
                    images = np.frombuffer(content, np.uint8)
                    yield rows, images.reshape(len(rows), *shape[1:])
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: damaged or no .npz ({reason}); fetch it anew") from error


def _check(
    path: Path,
    published: Published,
    shape: tuple[int, ...],
    dtype: np.dtype,
    is_fortran: bool,
) -> None:
    expected = (published.num_images, *published.image_shape)
    if dtype == np.uint8 and shape == expected and not is_fortran:
        return
    count = shape[0] if shape else 0
    others = [name for name in VARIANTS if _num_images(name) == count]
    hint = f"; so many have variant={' or '.join(others)}" if others and dtype == np.uint8 else ""
    raise InputError(
        f"{path}: images are {dtype} {list(shape)}{' in columns' * is_fortran}; expected uint8 "
        f"{list(expected)}{hint}"
    )


def _num_images(variant: str) -> int:
    return published(variant).num_images
