"""CelebA's official files: lists of attributes, partitions and landmarks, and the aligned JPEGs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from data.files import InputError

NUM_IMAGES = 202_599
HEIGHT, WIDTH = 218, 178
PARTITIONS = ("train", "valid", "test")  # as list_eval_partition.txt numbers them
_ATTRIBUTES = """
5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose
Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee
Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard
Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair
Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young
"""
ATTRIBUTES = tuple(_ATTRIBUTES.split())

IMAGES_ZIP, IMAGES_FOLDER = "img_align_celeba.zip", "img_align_celeba"
ATTRIBUTES_FILE = "list_attr_celeba.txt"
PARTITION_FILE = "list_eval_partition.txt"
OFFICIAL_BYTES = {
    IMAGES_ZIP: 1_443_490_838,
    ATTRIBUTES_FILE: 26_721_026,
    PARTITION_FILE: 2_836_386,
}
WHAT_TO_FETCH = (
    f"fetch {', '.join(f'{name} ({size:,} bytes)' for name, size in OFFICIAL_BYTES.items())} from "
    "mmlab.ie.cuhk.edu.hk/projects/CelebA.html into one folder and give "
    "data_source=files data_file=FOLDER"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """What is known of the images, in order of partition and then of file name.

    Attributes:
        names: The n file names; officially 000001.jpg to 202599.jpg, already in this order.
        attributes: uint8 [n, 40] in {0, 1}, in the order of `ATTRIBUTES`.
        partitions: uint8 [n], indices into `PARTITIONS`.
    """

    names: tuple[str, ...]
    attributes: np.ndarray
    partitions: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over all of them."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        digest.update(self.attributes.tobytes())
        digest.update(self.partitions.tobytes())
        return digest.hexdigest()

    def rows(self, partition: str) -> slice:
        """The rows of a partition, or of all where it is `all`."""
        if partition == "all":
            return slice(0, len(self))
        index = PARTITIONS.index(partition)
        start, stop = np.searchsorted(self.partitions, [index, index + 1])
        return slice(int(start), int(stop))


def in_order(names: Sequence[str], attributes: np.ndarray, partitions: np.ndarray) -> Labels:
    """Labels of images that come in any order."""
    order = np.lexsort((np.array(names), partitions))
    return Labels(tuple(names[i] for i in order), attributes[order], partitions[order])


def official_folder(folder: Path) -> Path:
    """The folder of the official files: the given one, or the one folder in it that holds them.

    Archives unpack into a folder of their own, often into one of the same name.
    """
    if (folder / ATTRIBUTES_FILE).exists():
        return folder
    nested = sorted(folder.glob(f"*/{ATTRIBUTES_FILE}"))
    return nested[0].parent if len(nested) == 1 else folder


def read_labels(folder: Path) -> Labels:
    """Reads the attributes and the partition of every image.

    Raises:
        InputError: If a list is missing, cut short or of another format, or they disagree.
    """
    attributes_file, partition_file = folder / ATTRIBUTES_FILE, folder / PARTITION_FILE
    names, signs = _read_table(attributes_file, ATTRIBUTES)
    wrong = np.flatnonzero((np.abs(signs) != 1).any(axis=1))
    if len(wrong):
        raise InputError(f"{attributes_file}: {names[wrong[0]]} has a value that is not 1 or -1")
    partition_of, partitions = _read_rows(partition_file, 1, 0)
    by_name = dict(zip(partition_of, partitions[:, 0].tolist(), strict=True))
    if by_name.keys() != set(names):
        odd = sorted(by_name.keys() ^ set(names))
        raise InputError(
            f"{partition_file}: it lists {len(by_name):,} images, and {ATTRIBUTES_FILE} "
            f"{len(names):,}; {odd[0]} is in one of them alone; fetch both anew"
        )
    if partitions.min() < 0 or partitions.max() >= len(PARTITIONS):
        raise InputError(f"{partition_file}: a partition is not 0 (train), 1 (valid) or 2 (test)")
    numbers = np.array([by_name[name] for name in names], np.uint8)
    return in_order(names, (signs > 0).astype(np.uint8), numbers)


def _read_table(path: Path, columns: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names and values of a list with its number of images and its columns on top."""
    names, values = _read_rows(path, len(columns), 2)
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        count, header = file.readline().strip(), file.readline().split()
    if not count.isdecimal():
        raise InputError(f"{path}: its first line is {count[:40]!r}; expected the number of images")
    if header != list(columns):
        odd = next((name for name in columns if name not in header), "their order")
        raise InputError(
            f"{path}: its second line does not name the {len(columns)} official columns ({odd}); "
            "fetch it anew"
        )
    if len(names) != int(count):
        raise InputError(
            f"{path}: it lists {len(names):,} images, and its first line says {int(count):,}; "
            "it is cut short: fetch it anew"
        )
    return names, values


def _read_rows(path: Path, num_values: int, skip: int) -> tuple[list[str], np.ndarray]:
    """Rows of a file name and whole numbers, after so many lines: names, int16 [n, num_values]."""
    if not path.is_file():
        if path.with_suffix(".csv").is_file():
            raise InputError(
                f"{path}: no such file; {path.with_suffix('.csv').name} is Kaggle's copy of it, of "
                f"another format; {WHAT_TO_FETCH}"
            )
        raise InputError(f"{path}: no such file; {WHAT_TO_FETCH}")
    names, values = [], array("h")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if number <= skip or not fields:
                continue
            try:
                values.extend([int(field) for field in fields[1:]])
                if len(fields) != num_values + 1:
                    raise ValueError
            except (ValueError, OverflowError) as error:
                raise InputError(
                    f"{path}: line {number} is {line.strip()[:40]!r}; expected a file name and "
                    f"{num_values} whole number{'s' * (num_values > 1)}"
                ) from error
            names.append(fields[0])
    if not names or len(set(names)) != len(names):
        raise InputError(f"{path}: it lists {'an image twice' if names else 'no image'}")
    return names, np.frombuffer(values, np.int16).reshape(len(names), num_values)


@contextlib.contextmanager
def open_images(folder: Path, names: Sequence[str]) -> Iterator[Callable[[str], bytes]]:
    """Opens the zip archive of the images, or else their unpacked folder.

    Args:
        folder: The official files'.
        names: The images that must be there; others may be, too.

    Yields:
        A function from an image's file name to its JPEG, which raises `InputError` where that is
        damaged; not to be called from several threads.

    Raises:
        InputError: If there is neither, the archive is cut short, or an image is missing.
    """
    archive, unpacked = folder / IMAGES_ZIP, folder / IMAGES_FOLDER
    if (unpacked / IMAGES_FOLDER).is_dir():  # unpacked into a folder of the same name
        unpacked /= IMAGES_FOLDER
    if archive.is_file():
        with _open_zip(archive) as file:
            members = {
                PurePosixPath(path).name: path
                for path in file.namelist()
                if not path.startswith("__MACOSX/")  # macOS adds a shadow of every file
            }
            _require(archive, names, members)
            yield lambda name: _read_member(archive, file, members[name])
    elif unpacked.is_dir():
        _require(unpacked, names, os.listdir(unpacked))  # noqa: PTH208 (a tenth of the time)
        yield lambda name: (unpacked / name).read_bytes()
    else:
        raise InputError(
            f"{folder}: no {IMAGES_ZIP} and no folder {IMAGES_FOLDER}; {WHAT_TO_FETCH}"
        )


def _open_zip(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:  # its directory is at its end
        raise InputError(
            f"{archive}: no zip archive, or cut short: it has {archive.stat().st_size:,} bytes, "
            f"the official one {OFFICIAL_BYTES[IMAGES_ZIP]:,}; fetch it anew"
        ) from error


def _read_member(archive: Path, file: zipfile.ZipFile, member: str) -> bytes:
    try:
        return file.read(member)  # and compares its CRC
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise InputError(f"{archive}: {member} is damaged ({error}); fetch it anew") from error


def _require(where: Path, names: Sequence[str], present: Sequence[str] | dict[str, str]) -> None:
    missing = sorted(set(names).difference(present))
    if missing:
        raise InputError(
            f"{where}: {missing[0]} is missing, and with it {len(missing):,} of {len(names):,} "
            "images; fetch it anew"
        )
