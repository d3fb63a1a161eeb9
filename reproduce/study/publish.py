r"""Puts the experiment page into STUDY/public, which then runs as static files.

It opens from any web server, from JATOS, or from the disk. Answers stay in the rater's browser and
are downloaded at the end; reproduce.study.collect collects them by itself instead.

Example:
    python -m reproduce.study.publish --study=STUDY
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program

_STUDY = flags.DEFINE_string("study", None, "The folder that reproduce.study.stimuli wrote.")


def main() -> None:
    """Checks the flag, installs, prints."""
    if not _STUDY.value:
        raise InputError("--study is missing; give the folder that reproduce.study.stimuli wrote")
    from reproduce.study import static_page

    study = Path(_STUDY.value)
    page = static_page.install(study)
    database, key = study / "private" / "answers.sqlite", study / "private" / "key.csv"
    python = os.path.relpath(sys.executable)
    print(
        f"{page} opens in any browser; whoever answers there downloads the answers at the end",
        "to collect them instead, on this machine:",
        f"  {python} -m reproduce.study.collect --study={study} --database={database}",
        "and once people have answered:",
        f"  {python} -m reproduce.study.collect --database={database} --export=answers.csv",
        f"  {python} -m reproduce.study.analyse --answers=answers.csv --key={key}",
        sep="\n",
    )


if __name__ == "__main__":
    program.run(main)
