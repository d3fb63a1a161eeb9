"""What a model sees: images with their factors of variation, one module a data set.

Adding a data set takes its file, and a row here. Rows import their modules when data are loaded,
so that names are checked before Numba loads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from data.dataset import Dataset
from data.files import InputError

__all__ = ["DATASETS", "Dataset", "InputError", "load"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A data set as the programs see it.

    Attributes:
        load: (data_source, data_file, variant) to the data set, as `data.load` takes them.
        sources: The values of `data_source` that it takes.
        file: Whether a `data_file` is `needed`, `refused` or `optional`.
        has_variants: Whether it comes in several variants.
        notice: What must be said wherever its images are shown.
    """

    load: Callable[[str, Path | None, str], Dataset]
    sources: tuple[str, ...] = ("rendered",)
    file: Literal["needed", "refused", "optional"] = "refused"
    has_variants: bool = False
    notice: str = ""


def _cars3d(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import cars3d

    del variant
    return cars3d.load(data_source, data_file)


def _celeba(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import celeba

    return celeba.load(data_source, data_file, variant)


def _coloured_scene(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import coloured_scene

    del data_source, data_file, variant
    return coloured_scene.load()


def _dsprites(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import dsprites, dsprites_variants

    del data_file
    dsprites_variants.check(variant)
    original = dsprites.load_tfds() if data_source == "tfds" else dsprites.load()
    return dsprites_variants.of(original, variant) if variant else original


def _faces(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import faces

    del data_source, data_file
    return faces.load(variant)


def _mpi3d(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import mpi3d

    return mpi3d.load(data_source, data_file, variant)


def _npz(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import own_npz

    del data_source, variant
    assert data_file is not None
    return own_npz.load(data_file)


def _shapes3d(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import shapes3d

    del variant
    return shapes3d.load(data_source, data_file)


def _smallnorb(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import smallnorb

    del variant
    return smallnorb.load(data_source, data_file)


def _xysquares(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    from data import xysquares

    del data_source, data_file
    return xysquares.load(variant)


DATASETS = {
    "cars3d": Entry(_cars3d, ("rendered", "files"), "optional"),
    "celeb_a": Entry(_celeba, ("rendered", "tfds", "files"), "optional", has_variants=True),
    "coloured_scene": Entry(_coloured_scene),
    "dsprites": Entry(_dsprites, ("rendered", "tfds"), has_variants=True),
    "faces": Entry(
        _faces,
        has_variants=True,
        notice="The faces are synthetic: drawn by a computer, no photographs, and nobody's "
        "likeness.",
    ),
    "mpi3d": Entry(_mpi3d, ("rendered", "files"), "optional", has_variants=True),
    "npz": Entry(_npz, ("rendered", "tfds", "files"), "needed"),
    "shapes3d": Entry(_shapes3d, ("rendered", "tfds", "files"), "optional"),
    "smallnorb": Entry(_smallnorb, ("rendered", "tfds", "files"), "optional"),
    "xysquares": Entry(_xysquares, has_variants=True),
}


def load(
    name: str, data_source: str = "rendered", data_file: Path | None = None, variant: str = ""
) -> Dataset:
    """Loads a data set by name.

    Args:
        name: A key of `DATASETS`.
        data_source: `rendered` (the kit's own copy: rendered by itself, or prepared before), `tfds`
            (the original archive through TensorFlow Datasets) or `files` (the official ones); all
            hold the same data.
        data_file: The user's own file, for `npz`, or the official file or folder, for `files`.
        variant: The name of one, where a data set comes in several; the default one is nameless.

    Raises:
        InputError: If there is no such data set, or its file is missing or damaged.
    """
    if name not in DATASETS:
        raise InputError(f"unknown data set {name!r}; expected one of {', '.join(DATASETS)}")
    entry = DATASETS[name]
    if data_source not in entry.sources:
        raise InputError(
            f"{name} is not read from data_source={data_source}; expected one of "
            f"{', '.join(entry.sources)}"
        )
    if data_file is None and entry.file == "needed":
        raise InputError(f"{name} needs data_file=PATH, an .npz with images and factors")
    if data_file is not None and entry.file == "refused":
        raise InputError(f"{name} is no file; leave out data_file={data_file}")
    if variant and not entry.has_variants:
        raise InputError(f"{name} has no variants; leave out variant={variant}")
    return entry.load(data_source, data_file, variant)
