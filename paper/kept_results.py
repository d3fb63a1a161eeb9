"""What the paper keeps of finished results: small files under the same names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from data.files import InputError, load_npz, save_npz
from paper import thin
from paper.sources import Results

_COPIED = ("config.json", "environment.json", "weights.npz")
_PICTURES = ("traversals.npz", "quality_images.npz")
_LEFT_OUT = ("timings.csv",)  # differ from run to run


def collect(source: Path, target: Path) -> int:
    """Copies what the paper needs of a folder of results.

    Args:
        source: The folder.
        target: Replaced when all is copied, and left as it is if anything fails.

    Returns:
        Size of what was copied in bytes.

    Raises:
        InputError: If the results are unfinished, or a file is damaged.
    """
    # The mechanisms' runs are not tested one by one, and have no verdict.
    tested = any(source.glob("runs/*/basis_test.csv"))
    if (source / "runs").is_dir() and not any(source.glob("verdict.csv" if tested else "*.csv")):
        raise InputError(f"{source}: has runs but no table over them; finish the job first")
    if not any(source.rglob("*.csv")):
        raise InputError(f"{source}: holds no result tables; expected a folder of finished results")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        fresh, old = Path(temporary) / "fresh", Path(temporary) / "old"
        for file in _wanted(source):
            _copy(file, fresh / file.relative_to(source))
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


def _wanted(source: Path) -> Iterator[Path]:
    """The files to copy, in order. Pictures are shown of each arm's first seed alone."""
    shown = set()
    for folder, folders, files in os.walk(source):
        folders.sort(key=_by_seed)
        path = Path(folder)
        arm = path.name.partition("-seed")[0]
        for name in sorted(files):
            if name.startswith(".") or name in _LEFT_OUT:
                continue
            is_first = name in _PICTURES and (path.parent, arm, name) not in shown
            if name.endswith(".csv") or name in (*_COPIED, "null.npz", "purity_null.npz"):
                yield path / name
            elif is_first:
                shown.add((path.parent, arm, name))
                yield path / name


def _by_seed(folder: str) -> tuple[str, int]:
    arm, _, seed = folder.partition("-seed")
    return arm, int(seed) if seed.isdecimal() else 0


def _copy(file: Path, target: Path) -> None:
    if file.name.endswith("null.npz"):
        save_npz(target, thin.null(load_npz(file)), compress=True)
    elif file.name == "traversals.npz":
        table = Results(file.parent).table("traversals.csv", ["basis", "axis", "step", "dead"])
        save_npz(target, thin.strips(load_npz(file, ["learned/frames"]), table), compress=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
