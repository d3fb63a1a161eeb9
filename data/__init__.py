"""What a model sees: images with their factors of variation, one module a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data import arrays, celeba, dsprites, faces
from data.dataset import Dataset
from data.files import InputError

__all__ = ["DATASETS", "NOTICES", "Dataset", "InputError", "load"]


def _load_dsprites(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    if data_file is not None:
        raise InputError(
            "--data_file goes with --dataset=npz; dsprites takes --data_source instead"
        )
    if data_source == "files":
        raise InputError("--data_source=files goes with --dataset=celeb_a; leave it out")
    _no_variant("dsprites", variant)
    if data_source == "tfds":
        return dsprites.load_tfds()
    return dsprites.load()


def _load_npz(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    if data_file is None:
        raise InputError("--dataset=npz needs --data_file=PATH, an .npz with images and factors")
    _no_variant("npz", variant)
    return arrays.load(data_file)


def _no_variant(name: str, variant: str) -> None:
    if variant:
        raise InputError(f"{name} has no variants; leave out --variant={variant}")


def _load_celeba(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    return celeba.load(data_source, data_file, variant)


def _load_faces(data_source: str, data_file: Path | None, variant: str) -> Dataset:
    if data_file is not None:
        raise InputError("--data_file goes with --dataset=npz or celeb_a; faces are rendered here")
    if data_source != "rendered":
        raise InputError(f"faces are rendered by the kit; leave out --data_source={data_source}")
    return faces.load(variant)


DATASETS: dict[str, Callable[[str, Path | None, str], Dataset]] = {
    "celeb_a": _load_celeba,
    "dsprites": _load_dsprites,
    "faces": _load_faces,
    "npz": _load_npz,
}


# What must be said wherever a data set's images are shown.
NOTICES = {"faces": faces.NOTICE}


def load(
    name: str, data_source: str = "rendered", data_file: Path | None = None, variant: str = ""
) -> Dataset:
    """Loads a data set by name.

    Args:
        name: A key of `DATASETS`.
        data_source: `rendered` (the kit's own copy: rendered by itself, or prepared before), `tfds`
            (the original archive through TensorFlow Datasets) or `files` (CelebA's own); all hold
            the same data.
        data_file: The user's own file, for `npz`, or the folder of CelebA's files.
        variant: Of a data set that comes in several, its name; the default one is nameless.

    Raises:
        InputError: If there is no such data set, or its file is missing or damaged.
    """
    if name not in DATASETS:
        raise InputError(f"unknown data set {name!r}; expected one of {', '.join(DATASETS)}")
    return DATASETS[name](data_source, data_file, variant)
