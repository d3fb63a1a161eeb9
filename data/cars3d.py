"""Cars3D (Reed et al. 2015): 183 CAD models of cars, each from 24 sides and 4 elevations.

From the archive of their paper on visual analogies, or the folder that it unpacks into. Images are
averaged down from 128 x 128 to 64 x 64, as the field has them (Locatello et al. 2019). TensorFlow
Datasets does not have it.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from data import prepared
from data.area_means import shrink
from data.dataset import Dataset
from data.files import InputError
from data.prepared import Blocks, Published

ARCHIVE = "nips2015-analogy-data.tar.gz"
STORED_SIZE = 128  # pixels a side, in the archive
WHAT_TO_FETCH = (
    f"fetch {ARCHIVE} from www.scottreed.info/files and give data_source=files data_file=PATH, "
    "of the archive or of its folder cars"
)
PUBLISHED = Published(
    "cars3d",
    (64, 64, 3),
    ("elevation", "azimuth", "object"),
    (4, 24, 183),
    ("ordered", "categorical", "categorical"),  # azimuths go round, for which there is no kind
    WHAT_TO_FETCH,
)


def load(data_source: str, data_file: Path | None, cache: Path | None = None) -> Dataset:
    """Loads all images, as `prepared.load` does."""
    return prepared.load(PUBLISHED, data_source, data_file, from_files, cache=cache)


def from_files(path: Path) -> Blocks:
    """The official images, a block a car; cars are numbered by the names of their files.

    Args:
        path: The archive, unpacked or not.

    Raises:
        InputError: If it is damaged, or no such archive.
    """
    elevations, azimuths, objects = PUBLISHED.factor_sizes
    names = sorted(name for name, _ in _meshes(path, read=False))
    if len(names) != objects:
        raise InputError(
            f"{path}: it holds {len(names)} cars/*.mat; expected {objects}; {WHAT_TO_FETCH}"
        )
    views = np.indices((azimuths, elevations)).reshape(2, -1)  # as a file has them
    for name, content in _meshes(path, read=True):
        number = np.full(views.shape[1], names.index(name))
        rows = np.ravel_multi_index((views[1], views[0], number), PUBLISHED.factor_sizes)
        yield rows, shrink(_views(f"{path}: {name}", content), PUBLISHED.image_shape[0])


def _meshes(path: Path, read: bool) -> Iterator[tuple[str, bytes]]:
    """The names of all cars' files, and what is in them if it is wanted."""
    if path.is_dir():
        inner = path / "cars" if (path / "cars").is_dir() else path
        for file in sorted(inner.glob("*.mat")):
            yield file.name, file.read_bytes() if read else b""
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                is_car = place.parent.name == "cars" and place.suffix == ".mat"
                if not is_car or place.name.startswith("."):  # macOS adds a shadow of every file
                    continue
                content = archive.extractfile(member) if read else None
                yield place.name, content.read() if content else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: damaged or no archive ({reason}); fetch it anew") from error


def _views(where: str, content: bytes) -> np.ndarray:
    """A car from all sides: uint8 [24 * 4, 128, 128, 3], elevations fastest."""
    import scipy.io

    try:
        file: Any = io.BytesIO(content)
        arrays = scipy.io.loadmat(file, variable_names=["im"])
    except Exception as error:  # whatever a damaged file makes of the reader
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{where}: damaged or no MATLAB file ({reason}); fetch it anew") from error
    if "im" not in arrays:
        raise InputError(f"{where}: has no array im; fetch it anew")
    images = arrays["im"]
    elevations, azimuths, _ = PUBLISHED.factor_sizes
    expected = (STORED_SIZE, STORED_SIZE, 3, azimuths, elevations)
    if images.dtype != np.uint8 or images.shape != expected:
        raise InputError(
            f"{where}: im is {images.dtype} {list(images.shape)}; expected uint8 {list(expected)}"
        )
    return images.transpose(3, 4, 0, 1, 2).reshape(-1, *expected[:3])
