"""STUDY/public as a collector or a static page reads it: checked whole before anybody sees it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

from data.files import InputError

_NAME = re.compile(r"[0-9a-f]{8,64}")
# What is served of STUDY/public, by its place there; all else lies there in vain.
_SERVED = re.compile(r"study\.json|lists/\d+\.json|strips/[0-9a-f]{8,64}\.(?:png|gif|webp)")
# What must never lie where a browser can fetch it.
_PRIVATE = {"private", "key.csv", "design.json"}
_STUDY_KEYS = {"study", "title", "num_lists", "trials_per_list", "break_every", "practice", "image"}
_TRIAL_KEYS = {"trial", "item", "left", "right", "ask_name"}
_PRACTICE_KEYS = {"item", "left", "right", "correct", "feedback"}


@dataclasses.dataclass(frozen=True)
class Trial:
    """One question: which of two strips changes just one thing?

    Attributes:
        item: The pair's identifier.
        left: The strip shown on the left.
        right: The strip shown on the right.
        ask_name: Whether the rater is asked what changed.
    """

    item: str
    left: str
    right: str
    ask_name: bool


@dataclasses.dataclass(frozen=True)
class PublicStudy:
    """What raters may see.

    Attributes:
        identifier: The study's random identifier.
        digest: SHA-256 of study.json and all lists: answers belong to these alone.
        document: study.json.
        lists: The trials of every list, in their order.
        files: The file behind each path that is served.
    """

    identifier: str
    digest: str
    document: dict[str, Any]
    lists: tuple[tuple[Trial, ...], ...]
    files: dict[str, Path]


def read(study: Path) -> PublicStudy:
    """Reads and checks STUDY/public.

    Args:
        study: The folder that reproduce.study.stimuli wrote.

    Raises:
        InputError: If a file is missing, malformed, a link, or private material lies inside.
    """
    public = study / "public"
    if not public.is_dir():
        raise InputError(f"{public}: no such folder; give --study the folder that stimuli wrote")
    _refuse_private(study, public)
    document = _read_study(public / "study.json")
    digest = hashlib.sha256((public / "study.json").read_bytes())
    lists = []
    for number in range(document["num_lists"]):
        file = public / "lists" / f"{number}.json"
        lists.append(_read_list(file, number, document["trials_per_list"]))
        digest.update(file.read_bytes())
    image = document["image"]
    size = (image["frames"] * image["width"], image["height"])
    shown = [pair for trials in lists for trial in trials for pair in (trial.left, trial.right)]
    shown += [pair[side] for pair in document["practice"] for side in ("left", "right")]
    for strip in sorted(set(shown)):
        _check_strip(public / "strips" / f"{strip}.png", size)
    files = {file.relative_to(public).as_posix(): file for file in public.rglob("*")}
    served = {name: file for name, file in files.items() if _SERVED.fullmatch(name)}
    return PublicStudy(document["study"], digest.hexdigest(), document, tuple(lists), served)


def _refuse_private(study: Path, public: Path) -> None:
    """Raises InputError if the key could be fetched: it is inside public/, or a link leads out."""
    private = (study / "private").resolve()
    if private.is_relative_to(public.resolve()):
        raise InputError(f"{private}: private/ is inside {public}, which is served; move it out")
    for path in (public, *sorted(public.rglob("*"))):
        if path.is_symlink():
            raise InputError(f"{path}: a link; what is served must be plain files and folders")
        if path.name.lower() in _PRIVATE:
            raise InputError(f"{path}: private material in {public}, which is served; move it out")


def _read_object(file: Path, keys: set[str]) -> dict[str, Any]:
    """A JSON object that has all the keys."""
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; write the study anew by stimuli") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: no JSON ({error}); write the study anew by stimuli") from error
    if not isinstance(value, dict) or not keys <= value.keys():
        raise InputError(f"{file}: expected an object with {', '.join(sorted(keys))}")
    return value


def _read_study(file: Path) -> dict[str, Any]:
    """study.json, with all that the page relies on."""
    document = _read_object(file, _STUDY_KEYS)
    image, practice = document["image"], document["practice"]
    if not _is_name(document["study"]) or not isinstance(document["title"], str):
        raise InputError(f"{file}: expected a study of 8 to 64 hex digits, and a title")
    if not isinstance(image, dict) or not isinstance(practice, list):
        raise InputError(f"{file}: expected an object, image, and an array, practice")
    counts = {key: document[key] for key in ("num_lists", "trials_per_list", "break_every")}
    counts |= {key: image.get(key) for key in ("width", "height", "frames")}
    for key, value in counts.items():
        if type(value) is not int or value < 1:
            raise InputError(f"{file}: {key} is {value!r}; expected a whole number from 1")
    for pair in practice:
        if not isinstance(pair, dict) or not pair.keys() >= _PRACTICE_KEYS:
            raise InputError(f"{file}: a practice pair needs {', '.join(sorted(_PRACTICE_KEYS))}")
        _check_names(pair, file)
        if pair["correct"] not in (pair["left"], pair["right"]):
            raise InputError(f"{file}: a practice pair's correct strip is neither left nor right")
    return document


def _read_list(file: Path, number: int, num_trials: int) -> tuple[Trial, ...]:
    """The trials of one list, numbered 0, 1, ..."""
    document = _read_object(file, {"list", "trials"})
    entries = document["trials"]
    if document["list"] != number or not isinstance(entries, list) or len(entries) != num_trials:
        raise InputError(f"{file}: expected list {number} with {num_trials} trials")
    for position, entry in enumerate(entries):
        # Not a key more: one that tells the conditions apart would travel to the rater.
        if not isinstance(entry, dict) or entry.keys() != _TRIAL_KEYS:
            raise InputError(f"{file}: trial {position} must have {', '.join(sorted(_TRIAL_KEYS))}")
        if entry["trial"] != position or type(entry["ask_name"]) is not bool:
            raise InputError(f"{file}: trial {position} is out of order, or ask_name no boolean")
        _check_names(entry, file)
    return tuple(Trial(e["item"], e["left"], e["right"], e["ask_name"]) for e in entries)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _check_names(entry: dict[str, Any], file: Path) -> None:
    for key in ("item", "left", "right"):
        if not _is_name(entry[key]):
            raise InputError(f"{file}: {key} is {entry[key]!r}; expected 8 to 64 hex digits")


def _check_strip(file: Path, size: tuple[int, int]) -> None:
    """Checks that a strip is a PNG of that width and height; the page cuts it into its frames."""
    if not file.is_file():
        raise InputError(f"{file}: no such strip; write the study anew by stimuli")
    with file.open("rb") as stream:
        head = stream.read(24)
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or len(head) < 24:
        raise InputError(f"{file}: no PNG, or damaged; write the study anew by stimuli")
    found = struct.unpack(">II", head[16:24])
    if found != size:
        raise InputError(
            f"{file}: {found[0]} x {found[1]} pixels; study.json says {size[0]} x {size[1]}"
        )
