"""A process that has imported what steps need, and of which each step is a fork.

Importing TensorFlow takes seconds, and a job has dozens of steps. This process imports once and
starts nothing, neither a thread nor a device, so that a fork of it is as good as a process that was
begun anew: it has its own flags, log and exit status, and can be killed alone.

`WarmProcess` is the job's side; run as a program, this module is the other. The job asks through a
socket, which is the program's standard input, and sends along the step's log and the pipe for the
answer. When the job dies the socket ends, and this process with it; when this process dies its
steps do, each of which reads from a pipe that this process alone holds.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

from reproduce import program
from reproduce.pipeline import ends_with_parent

_MAX_BYTES = 2**17  # of a request; Linux takes no longer argument either
_BEGUN = b"begun\n"
# What the steps of a job import; no programs, whose flags would meet.
IMPORTED: tuple[str, ...] = (
    "tensorflow",  # first: it wants some of the others hidden
    "tensorflow_probability.python.distributions",  # else it is imported when it is first used
    "models.beta_vae",
    "models.factor_predictor",
    "models.glow",
    "models.infogan",
    "reproduce.basis.assessment",
    "reproduce.reporting.page",
    "reproduce.traversal.purity_assessment",
    "reproduce.training.trained_model",
    "reproduce.training.loop",
    "reproduce.traversal.energy_matching",
)


def is_possible() -> bool:
    """Whether this system can fork a process whose libraries are loaded, and watch the fork."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


class WarmProcess:
    """The job's side; steps may be asked for from several threads at once.

    Args:
        environment: The variables of the process and of all its steps.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *IMPORTED],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()

    def run(
        self,
        arguments: Sequence[str],
        output: IO[bytes],
        environment: Mapping[str, str],
        errors: IO[bytes] | None = None,
    ) -> int | None:
        """Runs a step.

        Args:
            arguments: Module and flags.
            output: A file that takes what it prints.
            environment: Variables besides the process's own.
            errors: One that takes what it prints as errors, if not the same.

        Returns:
            Its exit status, negative for a signal; None if it could not be begun.
        """
        request = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
        reading, writing = os.pipe()
        with open(reading, "rb") as answer:  # noqa: PTH123 (no path)
            try:
                files = [output.fileno(), (errors or output).fileno(), writing]
                socket.send_fds(self._socket, [request], files)
            except OSError:
                return None
            finally:
                os.close(writing)
            if answer.readline() != _BEGUN:
                return None
            # The step holds the pipe, too: it is empty once both have ended.
            status = answer.readline()
        return int(status) if status else self._process.wait() or -signal.SIGKILL

    def has_ended(self) -> bool:
        """Whether it can be asked for nothing more."""
        return self._process.poll() is not None

    def end(self) -> None:
        """Ends it, and with it every step; may be called again."""
        self._process.kill()

    def close(self) -> None:
        """Ends it and waits until it is gone."""
        self.end()
        self._process.wait()
        self._socket.close()


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Forks a process for each request.

    Returns:
        In a fork: what it is to do. In this process: None, once the job has ended.
    """
    leash, held = os.pipe()
    steps: dict[int, tuple[int, int]] = {}  # process id and answer, by what tells of its end
    with selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not requests:
                    pid, answer = steps.pop(key.fd)
                    ready.unregister(key.fd)
                    os.close(key.fd)
                    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    os.write(answer, b"%d\n" % status)
                    os.close(answer)
                    continue
                request, (*files,), _, _ = socket.recv_fds(requests, _MAX_BYTES, 3)
                if not request:
                    return None
                output, errors, answer = files
                os.set_inheritable(answer, False)
                pid = os.fork()
                if pid == 0:
                    os.dup2(leash, 0)
                    os.dup2(output, 1)
                    os.dup2(errors, 2)
                    for other in (
                        leash,
                        held,
                        output,
                        errors,
                        *steps,
                        *(a for _, a in steps.values()),
                    ):
                        os.close(other)
                    requests.close()
                    return json.loads(request)
                os.close(output)
                os.close(errors)
                steps[end := os.pidfd_open(pid)] = (pid, answer)
                ready.register(end, selectors.EVENT_READ)
                os.write(answer, _BEGUN)


def main() -> None:
    """Imports, serves, and in a fork becomes the step."""
    # A terminal sends interrupts to all its processes; this one is ended by the job.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in sys.argv[1:]:
        program.import_tensorflow() if name == "tensorflow" else importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that a fork's collections copy no page of what was imported
    step = _serve(socket.socket(fileno=os.dup(0)))
    if step is not None:
        signal.signal(signal.SIGINT, interrupt)
        os.environ.update(step["environment"])
        ends_with_parent.become(step["arguments"])


if __name__ == "__main__":
    main()
