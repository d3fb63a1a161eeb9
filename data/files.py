"""Files that are either whole or absent: atomic writes, and reads that name what is wrong."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import logging
import lzma
import os
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

TEMPORARY_SUFFIX = ".partial"


class InputError(ValueError):
    """A mistake in what the user gave: a flag, a file, a setting.

    The message is one line that says what is wrong, what was expected and what to do. Programs
    print it and end with exit status 2.
    """


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[IO[bytes]]:
    """Opens a temporary file beside `path` that takes its place only when the block succeeds.

    A symbolic link stays one: the file that it leads to is written.

    Raises:
        InputError: If something stands there that is no regular file, or there can be no such file.
    """
    path = check_output(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own, which fits wherever the file's does, up to 255 bytes long.
        handle, name = tempfile.mkstemp(TEMPORARY_SUFFIX, f".{path.name[:40]}.", path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What the system refuses within the block is said of `path`, not of a temporary file."""
    try:
        yield
    except OSError as error:
        if error.filename is None or str(error.filename).endswith(TEMPORARY_SUFFIX):
            error.filename = str(path)
        raise


def check_outputs(outputs: Sequence[Path | str], inputs: Sequence[Path | str] = ()) -> None:
    """`check_output` of several files, none of which may be another one or an input.

    Raises:
        InputError: If two files are one, or one cannot be written.
    """
    taken = {os.path.realpath(path): "an input" for path in inputs}
    for path in outputs:
        check_output(path)
        real = os.path.realpath(path)
        if real in taken:
            raise InputError(f"{path} would take the place of {taken[real]}; give another name")
        taken[real] = "another output"


def check_output(path: Path | str) -> Path:
    """The file that would be written: `path`, or what it leads to if it is a symbolic link.

    Raises:
        InputError: If something stands there that is no regular file, or there can be no such file.
    """
    if Path(path).name.isspace():
        raise InputError(f"{str(path)!r} has a blank name; give the name of a file to be written")
    try:
        path = Path(os.path.realpath(path)) if Path(path).is_symlink() else Path(path)
        if path.is_symlink() or (path.exists() and not path.is_file()):  # a link to itself, too
            kind = "a folder" if path.is_dir() else "no regular file"
            raise InputError(f"{path} is {kind}; give the name of a file to be written")
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give another name to be written") from error
    if not folder.is_dir():
        raise InputError(f"{path}: {folder} is no folder; give another name to be written")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: {folder} cannot be written; give a name in another folder")
    return path


def write_text(path: Path | str, text: str) -> None:
    """Writes a text file atomically, in UTF-8."""
    with atomic_write(path) as file:
        file.write(text.encode(errors="backslashreplace"))  # undecodable names of files


def save_npz(path: Path | str, arrays: dict[str, np.ndarray], compress: bool = False) -> None:
    """Writes an .npz atomically; the same arrays give the same bytes."""
    with atomic_write(path) as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)  # type: ignore[arg-type]


def load_npz(
    path: Path | str, required: Sequence[str] = (), optional: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Reads an .npz, without ever unpickling.

    Args:
        path: The file.
        required: Arrays that must be there.
        optional: Others that are read if they are; by default all. What is not read may be
            anything, such as a pickled description.

    Raises:
        InputError: If the file is missing or damaged (each entry's CRC is checked), or an array is
            missing or holds pickled objects; it is named.
    """
    with _opened(Path(path), required) as archive:
        missing = [name for name in required if name not in archive.files]
        if missing:
            raise InputError(
                f"{path}: has no array {', '.join(missing)}; it holds "
                f"{', '.join(archive.files) or 'nothing'}"
            )
        wanted = archive.files if optional is None else (*required, *optional)
        found = {}
        for name in archive.files:
            if name not in wanted:
                continue
            try:
                found[name] = archive[name]
            except ValueError as error:
                if "pickle" not in str(error):
                    raise
                raise InputError(
                    f"{path}: its array {name} holds pickled objects, which are not read; save "
                    f"plain arrays (names with dtype=str)"
                ) from error
        return found


def array_names(path: Path | str) -> list[str]:
    """The names of an .npz's arrays.

    Raises:
        InputError: If the file is missing or damaged.
    """
    with _opened(Path(path), ()) as archive:
        return list(archive.files)


@contextlib.contextmanager
def _opened(path: Path, wanted: Sequence[str]) -> Iterator[Any]:
    """An .npz, opened; whatever is wrong with it, within the block as well, is an InputError."""
    if not path.is_file():
        expected = f" with {', '.join(wanted)}" if wanted else ""
        what = "no such file"
        if path.exists():
            what = "a folder" if path.is_dir() else "no regular file, so that it cannot be searched"
        raise InputError(f"{path}: {what}; expected an .npz{expected}")
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("not a zip archive, or cut short")
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except InputError:
        raise
    except (
        ValueError,
        EOFError,
        OSError,
        KeyError,
        TypeError,
        OverflowError,
        MemoryError,  # a length that is none
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        RuntimeError,  # encryption, or a compression method that zipfile does not know
    ) as error:
        reason = f"it is damaged or no .npz ({error}); write it anew"
        raise InputError(f"{path}: {' '.join(reason.split())}") from error


@contextlib.contextmanager
def exclusive(path: Path, *, wait: bool) -> Iterator[None]:
    """Holds an advisory lock on the file `path`; the lock ends with the process, however it ends.

    Args:
        path: The lock file, made if missing and left where it is.
        wait: Whether to wait for another holder or to give up at once.

    Raises:
        BlockingIOError: If another process holds the lock and `wait` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            say_once(
                f"the file system of {path.parent} has no locks ({error.strerror}); let no two "
                "programs write there at once"
            )
        yield


_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)


@functools.cache
def say_once(message: str) -> None:
    """Warns of something, but once a process."""
    if logging.getLogger().hasHandlers():
        logging.warning(message)
    else:  # which would set up logging, before a program does
        print(f"axisbias: {message}", file=sys.stderr)


def cache_directory() -> Path:
    """Where data sets are kept: $AXISBIAS_CACHE, or axisbias in the user's cache folder.

    Where there is no home that can be written, as in a container, a folder for temporary files
    takes its place, and this is said.
    """
    own = os.environ.get("AXISBIAS_CACHE")
    if own:
        return Path(own)
    folder = user_caches() / "axisbias"
    if is_writable(folder) and not str(folder).startswith("~"):  # as where there is no home
        return folder
    return temporary_cache(f"{folder} cannot be written")


def user_caches() -> Path:
    """The user's cache folder, whether it is there or not; one below ~ where there is no home."""
    own = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative one is to be ignored (XDG Base Directory Specification).
    return own if own.is_absolute() else Path(os.path.expanduser("~/.cache"))  # noqa: PTH111


def temporary_cache(why: str) -> Path:
    """A folder of this user's among those for temporary files; `why` is said once."""
    folder = Path(tempfile.gettempdir()) / f"axisbias-{os.getuid()}"
    say_once(f"{why}; {folder} is used instead, or wherever AXISBIAS_CACHE says")
    return folder


def is_writable(folder: Path) -> bool:
    """Whether a folder that is there can be written, or else be made."""
    with contextlib.suppress(OSError, RuntimeError):
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return False


def as_strings(values: Any) -> tuple[str, ...]:
    """An array of names as a tuple of Python strings; bytes are decoded, as UTF-8 if they are."""
    return tuple(
        v.decode(errors="backslashreplace") if isinstance(v, bytes) else str(v)
        for v in np.asarray(values).ravel()
    )
