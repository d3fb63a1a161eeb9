"""A step that does what a test asks of it: python -m probe WHAT..."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.program import RunError

_END = flags.DEFINE_string("end", "well", "How.")
_NAMES = flags.DEFINE_list("names", [], "Environment variables to print.")
_READY = flags.DEFINE_string("ready", None, "A file to write; then it waits for ever.")


def main() -> None:
    print("flags", *sys.argv[1:])
    print("environment", *(os.environ.get(name) for name in _NAMES.value))
    print("main", Path(sys.modules["__main__"].__file__ or "").name, __name__)
    sys.stderr.write("on the error stream\n")
    if _READY.value:
        Path(_READY.value).write_text(str(os.getpid()))
        while True:
            time.sleep(1)
    match _END.value:
        case "mistake":
            raise InputError("a flag is\nwrong")
        case "failure":
            raise RunError("the loss is not finite")
        case "bug":
            raise KeyError("surprise")
        case "exit":
            sys.exit(7)


if __name__ == "__main__":
    program.run(main)
