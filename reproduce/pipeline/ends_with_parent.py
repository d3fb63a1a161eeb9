"""Runs a program of the kit that ends when its parent does, however that ends.

The parent holds the other end of this process's standard input and never writes to it: when the
parent dies, even by SIGKILL, the system closes that end, and reading it here returns.

Example:
    python -m reproduce.pipeline.ends_with_parent reproduce.train --run_dir=runs/a
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from collections.abc import Sequence

PARENT_DIED = 137  # as a shell reports SIGKILL


def _end_with_parent() -> None:
    # Not through sys.stdin, whose lock Python wants back when a program ends.
    while os.read(0, 1):
        pass
    os._exit(PARENT_DIED)


def become(arguments: Sequence[str]) -> None:
    """Watches the parent and becomes a module, as `python -m MODULE FLAGS` would."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    become(sys.argv[1:])
