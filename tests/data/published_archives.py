"""Small archives in the official formats, whose images say which factors they are of."""

from __future__ import annotations

import functools
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import scipy.io

from data import smallnorb


def picture(classes: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """An image that no other factors have: uint8 of a shape."""
    rng = np.random.default_rng([int(c) for c in classes])
    colours = rng.integers(256, size=(4, 4, shape[2]), dtype=np.uint8)
    return np.kron(colours, np.ones((shape[0] // 4, shape[1] // 4, 1), np.uint8))


def pictures(sizes: tuple[int, ...], shape: tuple[int, int, int]) -> np.ndarray:
    """Of every combination, the last factor fastest: uint8 [n, *shape]."""
    return np.stack([picture(np.array(classes), shape) for classes in np.ndindex(sizes)])


SHAPES3D_SIZES = (2, 2, 3, 2, 2, 3)


def shapes3d_values(sizes: tuple[int, ...] = SHAPES3D_SIZES) -> np.ndarray:
    """Labels as the official file has them: values of the factors, float64 [n, 6]."""
    ranges = [(0, 0.9), (0, 0.9), (0, 0.9), (0.75, 1.25), (0, 3), (-30, 30)]
    values = [np.linspace(*ends, size) for ends, size in zip(ranges, sizes, strict=True)]
    classes = np.indices(sizes).reshape(len(sizes), -1)
    return np.stack([v[c] for v, c in zip(values, classes, strict=True)], axis=1)


def write_shapes3d(path: Path, order: np.ndarray | None = None, **changes: np.ndarray) -> Path:
    """A 3dshapes.h5, maybe with its images in another order, or with other or fewer arrays."""
    import h5py

    arrays = {"images": pictures(SHAPES3D_SIZES, (64, 64, 3)), "labels": shapes3d_values()}
    if order is not None:
        arrays = {key: array[order] for key, array in arrays.items()}
    arrays |= changes
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            if array is not None:
                file.create_dataset(key, data=array, compression="gzip")
    return path


CARS_SIZES = (4, 24, 2)


@functools.cache
def car(number: int) -> bytes:
    """The .mat of a car."""
    views = np.empty((128, 128, 3, 24, 4), np.uint8)
    for azimuth, elevation in np.ndindex(24, 4):
        classes = np.array([elevation, azimuth, number])
        views[..., azimuth, elevation] = picture(classes, (128, 128, 3))
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"im": views})
    return buffer.getvalue()


def write_cars3d(path: Path, **changes) -> Path:
    """The archive with cars/*.mat; `changes` are contents of files by name, or None."""
    files = {f"car_{number + 1:03d}_mesh.mat": car(number) for number in range(CARS_SIZES[2])}
    files |= changes
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in [("../sprites/a.mat", b"no car"), ("list.txt", b""), *files.items()]:
            if content is None:
                continue
            place = f"data/cars/{name}" if not name.startswith("..") else "data/sprites/a.mat"
            entry = tarfile.TarInfo(place)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


NORB_SIZES = (2, 2, 3, 2, 4)  # instances last
_MAGIC = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54, "float32": 0x1E3D4C51}


def norb_matrix(array: np.ndarray) -> bytes:
    """A binary matrix as the data set's page describes it."""
    sizes = list(array.shape) + [1] * max(0, 3 - array.ndim)
    words = np.array([_MAGIC[array.dtype.name], array.ndim, *sizes], "<i4")
    return words.tobytes() + array.tobytes()


def norb_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The six matrices by their files' names: a shuffled half in each part."""
    classes = np.stack(list(np.ndindex(NORB_SIZES)))
    order = np.random.default_rng(seed).permutation(len(classes))
    found = {}
    for part, rows in zip(smallnorb.PARTS, np.array_split(order, 2), strict=True):
        own = classes[rows]
        first = np.stack([picture(c, (96, 96, 1))[..., 0] for c in own])
        stem = f"smallnorb-{part}"
        found[f"{stem}-dat.mat"] = np.stack([first, 255 - first], axis=1)
        found[f"{stem}-cat.mat"] = own[:, 0].astype(np.int32)
        info = np.stack([own[:, 4], own[:, 1], 2 * own[:, 2], own[:, 3]], axis=1)
        found[f"{stem}-info.mat"] = info.astype(np.int32)
    return found


def write_smallnorb(folder: Path, packed: bool = True, **changes) -> Path:
    """The six files; `changes` are arrays or contents by the end of a name, as in `testing_cat`."""
    folder.mkdir(exist_ok=True)
    for name, array in norb_arrays().items():
        key = "_".join(name.removesuffix(".mat").split("-")[-2:])
        value = changes.get(key, array)
        if value is None:
            continue
        content = value if isinstance(value, bytes) else norb_matrix(value)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
        else:
            (folder / name).write_bytes(content)
    return folder


MPI3D_SIZES = (2, 2, 2, 3, 3, 2, 4)


def write_mpi3d(path: Path, **arrays: np.ndarray) -> Path:
    """An .npz with images alone, by default those of a small data set in the official order."""
    np.savez_compressed(path, **(arrays or {"images": mpi3d_images()}))
    return path


def mpi3d_images() -> np.ndarray:
    """Images placed by the authors' formula, whatever order they are made in."""
    sizes = MPI3D_SIZES
    images = np.empty((int(np.prod(sizes)), 64, 64, 3), np.uint8)
    for classes in np.random.default_rng(0).permutation(list(np.ndindex(sizes))):
        colour, shape, size, height, background, horizontal, vertical = map(int, classes)
        number = colour * sizes[1] + shape
        number = (number * 2 + size) * 3 + height
        number = (number * 3 + background) * sizes[5] + horizontal
        images[number * sizes[6] + vertical] = picture(classes, (64, 64, 3))
    return images
