"""What every program does alike: flags, one-line errors, exit statuses, a quick start.

Exit statuses: 0 done, 1 a run failed, 2 a mistake in a flag or a file, or a system that cannot
read or write one, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import importlib
import io
import logging
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from absl import flags

from data.files import InputError
from models import keras_settings


class RunError(RuntimeError):
    """A run that failed although its input was right; its message is one line."""


def run(main: Callable[[], None]) -> NoReturn:
    """Parses the command line, calls `main`, and turns its errors into a line and a status.

    Heavy modules belong inside `main`: `--help` and mistaken flags then answer at once.
    """
    module = sys.modules["__main__"]
    _open_closed_streams()
    path = Path(module.__file__ or "program")
    name = path.parent.name if path.stem == "__main__" else path.stem  # a package is a program, too
    if any(argument in ("--help", "-help", "-h", "--helpfull") for argument in sys.argv[1:]):
        print(f"{module.__doc__ or ''}\n{_describe_flags()}")
        sys.exit(0)
    _prepare_surroundings()
    logging.basicConfig(format=f"{name}: %(message)s", level=logging.WARNING)
    try:
        rest = flags.FLAGS(sys.argv)[1:]
        if rest:
            raise InputError(f"unexpected argument {rest[0]!r}; flags are given as --name=value")
        for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0]):
            if isinstance(flag.value, float) and not math.isfinite(flag.value):
                raise InputError(f"--{flag.name}={flag.value}; expected a finite number")
        main()
        sys.stdout.flush()
    except (InputError, flags.Error) as error:
        _end(name, " ".join(str(error).split()), 2)
    except RunError as error:
        _end(name, str(error), 1)
    except BrokenPipeError:  # whoever reads has seen enough; what was to be written is written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        what = error.strerror or str(error) or type(error).__name__
        _end(name, f"{error.filename or 'output'}: {what}; nothing was overwritten", 2)
    except Exception as error:
        # TensorFlow, which writes TensorBoard's events, has its own class for a full disk.
        full = os.strerror(errno.ENOSPC)
        if full not in str(error):
            raise
        _end(name, f"output: {full}; nothing was overwritten", 2)
    except KeyboardInterrupt as error:
        _end(name, str(error) or "interrupted; the same command starts or goes on again", 130)
    sys.exit(0)


def _open_closed_streams() -> None:
    """Opens what was closed of the standard streams, or the next file opened would be one of them.

    What native libraries print would then go into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def _prepare_surroundings() -> None:
    """Takes from consoles, desktops and installations what could stop a program at its end.

    A character that a console does not know is written as its number. Figures go into files, so
    that whatever shows them elsewhere, as a notebook's MPLBACKEND says, is not asked.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    os.environ["MPLBACKEND"] = "Agg"


def _end(name: str, message: str, status: int) -> NoReturn:
    print(f"{name}: {message}", file=sys.stderr)
    sys.exit(status)


def _describe_flags() -> str:
    """The flags of the program itself, as absl prints them."""
    return flags.FLAGS.main_module_help()


def require_choice(value: str, choices: Any, what: str) -> str:
    """Returns `value` if it is among `choices`.

    Raises:
        InputError: If it is not; the message names `what` and lists the choices.
    """
    if value not in choices:
        raise InputError(f"unknown {what} {value!r}; expected one of {', '.join(choices)}")
    return value


def paths(pieces: Sequence[str]) -> list[str]:
    """The paths of a flag that takes several, with commas between.

    A path that holds commas itself is put together again, if there is such a file; in quotes it is
    always one.

    Args:
        pieces: The flag's value, split at commas.
    """
    found, rest = [], list(pieces)
    while rest:
        tries = [
            (count, comma.join(rest[:count]))
            for count in range(1, len(rest) + 1)
            for comma in (",", ", ")
        ]
        count, path = next(((n, path) for n, path in tries if Path(path).exists()), tries[0])
        found.append(path)
        rest = rest[count:]
    return found


def listed(values: Sequence[object]) -> str:
    """Values as one flag takes them, in quotes where they hold commas or quotes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(str, values))
    return line.getvalue()


def num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keeps native libraries' start-up chatter, which no log level stops, off the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    """Within, packages that were not imported before cannot be; to others they are optional."""
    hidden = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def import_tensorflow() -> Any:
    """Imports TensorFlow, quietly; nothing is started, so that a fork of the process may still be.

    Returns:
        The module.

    Raises:
        InputError: If it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # By default TensorFlow takes oneDNN's kernels on the newest processors alone, although they are
    # up to twice as fast on any with AVX2.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    keras_settings.shield()
    # Keras would import these for wrappers and pictures that nothing here uses: a quarter of the
    # time that it takes to start.
    try:
        with _silent_stderr(), _without("sklearn", "matplotlib"):
            return importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        raise InputError(
            f"training and decoders need TensorFlow ({error}); pip install the kit with its extra "
            'train, as in pip install ".[train]"'
        ) from error


def start_tensorflow(num_threads: int = 1) -> Any:
    """Imports TensorFlow, quietly, for reproducible results; call it once, before models.

    On a CPU, one thread gives the same bits at every run; with more, or on a GPU, TensorFlow's
    deterministic kernels are asked for. GPU memory grows as needed.

    Args:
        num_threads: CPU threads within an operation.

    Raises:
        InputError: If it is not installed.
    """
    tf = import_tensorflow()
    with _silent_stderr(), _without("sklearn", "matplotlib"):
        keras_settings.configure()
        gpus = tf.config.list_physical_devices("GPU")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(1 if num_threads == 1 else 2)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    # With it a GPU would round the factors of float32 products to 10 bits, and a flow's inverse
    # would not be its inverse.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if gpus or num_threads > 1:
        tf.config.experimental.enable_op_determinism()
    return tf
