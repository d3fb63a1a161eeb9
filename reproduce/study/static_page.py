"""The experiment page as static files, with a study inside."""

from __future__ import annotations

import json
from pathlib import Path

from data.files import InputError, write_text
from reproduce.study import public_files

_PAGE = Path(__file__).parent / "page" / "dist"
FILES = tuple(_PAGE / name for name in ("index.html", "study.js", "study.css", "licenses.txt"))
# Empty in the page that the collector serves, which then asks for study.json.
_PLACE = '<script type="application/json" id="study">null</script>'


def install(study: Path) -> Path:
    """Writes the page, with the study and all its lists inside, into STUDY/public.

    A page from the disk may not read files beside it, so they are within.

    Args:
        study: The folder that reproduce.study.stimuli wrote.

    Returns:
        The page, STUDY/public/index.html.

    Raises:
        InputError: If STUDY/public is not whole.
    """
    found = public_files.read(study)
    names = [f"lists/{number}.json" for number in range(len(found.lists))]
    lists = [json.loads(found.files[name].read_bytes()) for name in names]
    data = json.dumps({"study": found.document, "lists": lists}, separators=(",", ":"))
    data = data.replace("<", "\\u003c")  # no text in it can end the script element
    index, *others = FILES
    page = index.read_text(encoding="utf-8")
    if _PLACE not in page:
        raise InputError(f"{index}: has no place for the study; run make study-page")
    for file in others:
        write_text(study / "public" / file.name, file.read_text(encoding="utf-8"))
    write_text(study / "public" / index.name, page.replace(_PLACE, _PLACE.replace("null", data)))
    return study / "public" / index.name
