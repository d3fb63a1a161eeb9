"""The repository's root and the command lines of its programs.

They stand here and not in conftest.py: a folder's own conftest.py would hide the one that a test
module imports from.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def command(module: str, *flags: str) -> list[str]:
    """The command line of a program."""
    return [sys.executable, "-m", f"reproduce.{module}", *flags]
