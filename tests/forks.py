"""A program as a fork of a warm process: begun at once, and killed as any other process is."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from reproduce.pipeline import warm


class Fork:
    """`python -m reproduce.MODULE FLAGS`, running.

    Attributes:
        pid: Its process id.
    """

    def __init__(
        self, process: warm.WarmProcess, environment: Mapping[str, str], module: str, *flags: str
    ) -> None:
        self._status: int | None = None
        self._output, self._errors = (tempfile.NamedTemporaryFile() for _ in range(2))  # noqa: SIM115
        self._thread = threading.Thread(
            target=self._run, args=(process, [f"reproduce.{module}", *flags], environment)
        )
        self._thread.start()
        self.pid = self._find()

    def _run(
        self, process: warm.WarmProcess, arguments: list[str], environment: Mapping[str, str]
    ) -> None:
        self._status = process.run(arguments, self._output, environment, self._errors)

    def _find(self) -> int:
        """The process that writes to its output; no other does."""
        while self._thread.is_alive():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    is_it = (process / "fd/1").readlink() == Path(self._output.name)
                except OSError:
                    continue
                if is_it and int(process.name) != os.getpid():
                    return int(process.name)
            time.sleep(0.001)
        raise AssertionError(f"ended at once: {self.communicate()[1]}")

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return None if self._thread.is_alive() else self._status

    @property
    def returncode(self) -> int | None:
        """The same."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self) -> tuple[str, str]:
        """Waits for its end; returns what it printed, and what of that as errors."""
        self._thread.join()
        for file in (self._output, self._errors):
            file.seek(0)
        return self._output.read().decode(), self._errors.read().decode()
