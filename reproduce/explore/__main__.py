"""Serves a local page on which one turns a trained model's basis and watches.

With --export it writes the page as static files instead, which open from a disk or any web host:
the decoder then runs in the browser.

Example:
    python -m reproduce.explore --run=results/quick
    python -m reproduce.explore --run=results/quick --export=explorer
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from data.files import InputError
from models.registry import MODELS
from reproduce import program, serving
from reproduce.training.run_directory import RunDirectory, find_runs

if TYPE_CHECKING:
    from reproduce.explore.loaded_run import LoadedRun

_RUN = flags.DEFINE_list(
    "run", [], "A finished run, a folder of runs or the main job's results; or several."
)
_PREDICTOR_DIR = flags.DEFINE_string(
    "predictor_dir",
    None,
    "A finished run of --model=factor_predictor, for leakage; by default the main job's.",
)
_HOST = flags.DEFINE_string("host", "127.0.0.1", "The address to listen on: of this machine.")
_PORT = flags.DEFINE_integer("port", 8766, "The port to listen on.", 0, 65535)
_EXPORT = flags.DEFINE_string(
    "export", None, "A folder for the page as static files; nothing is served then."
)
_NUM_PATHS = flags.DEFINE_integer(
    "num_paths", 6, "Random bases of each model that an export holds.", 1, 100
)
_WEIGHTS = flags.DEFINE_enum(
    "weights", "half", ["half", "single"], "Precision of the weights in an export."
)


def main() -> None:
    """Checks the flags, loads the first run, serves."""
    if not _RUN.value:
        raise InputError("--run is missing; give a finished run or a folder of them")
    runs = _find(program.paths(_RUN.value))
    predictor = RunDirectory(_PREDICTOR_DIR.value) if _PREDICTOR_DIR.value else None
    if predictor is not None:
        predictor.read_config()
    if _EXPORT.value is not None:
        _export(Path(_EXPORT.value), runs, predictor)
    else:
        _serve(runs, predictor)


def _loader(predictor: RunDirectory | None) -> Callable[[RunDirectory], LoadedRun]:
    """Loads runs, with a factor predictor or the main job's own."""
    program.start_tensorflow()
    from reproduce.explore import loaded_run

    def load(run: RunDirectory) -> LoadedRun:
        return loaded_run.load(run, [predictor] if predictor else loaded_run.find_predictors(run))

    return load


def _export(folder: Path, runs: list[RunDirectory], predictor: RunDirectory | None) -> None:
    if not str(folder).strip() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"--export={folder} is no folder; give one to be written")
    load = _loader(predictor)
    from reproduce.explore import export

    export.write(folder, runs, load, _NUM_PATHS.value, _WEIGHTS.value)
    print(f"{folder / 'index.html'} opens in any browser, from here or from a web host")


def _serve(runs: list[RunDirectory], predictor: RunDirectory | None) -> None:
    serving.require_extra()
    listening = serving.listen(_HOST.value, _PORT.value)
    load = _loader(predictor)
    import numpy as np

    from reproduce.explore import server

    explorer = server.Explorer(runs, load, np.random.default_rng())
    explorer.loaded_run(0)  # a run that cannot be loaded ends the program, not the page
    host = listening.getsockname()[0]
    hosts: tuple[str, ...] = server.LOOPBACK
    if not ipaddress.ip_address(host).is_loopback:
        logging.warning("listening on %s: whoever reaches this machine sees the page", host)
        hosts = ("*",)
    address = serving.address_of(listening)
    print(f"{address} explores {len(runs)} runs; Ctrl-C ends it", flush=True)
    serving.serve(server.application(explorer, hosts), listening)


def _find(paths: list[str]) -> list[RunDirectory]:
    """The generative models' runs among paths, of which the main job's have them in `runs`."""
    folders = [str(Path(path) / "runs") if Path(path, "runs").is_dir() else path for path in paths]
    runs = [
        run for run in find_runs(folders) if MODELS[run.read_config().recipe.model].is_generative
    ]
    if not runs:
        raise InputError(f"--run={','.join(paths)}: no generative model's run; give one")
    return runs


if __name__ == "__main__":
    program.run(main)
