"""The explorer as static files: the page, and runs whose decoders it computes itself.

A folder that opens from a disk or any web host: index.html, explore.js, explore.css, and a script a
run, for a page from a disk may read no other files. The page makes the strips; what needs the
representation (metrics, information, leakage) it reads from tables over the places of the slider,
so that there are only so many random bases.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from data import random_streams
from data.files import InputError, write_text
from models.layer_chain import Layer, LayerChain
from reproduce.explore import blind, frames, scene
from reproduce.explore.loaded_run import LoadedRun, Space
from reproduce.training import progress
from reproduce.training.run_directory import RunDirectory

Precision = Literal["half", "single"]
PRECISIONS: dict[Precision, Any] = {"half": np.float16, "single": np.float32}
PAGE = Path(__file__).parent / "page" / "dist"
_PLACE = '<script type="application/json" id="exported">null</script>'
_MARK = 'id="exported"'  # of a page that an export wrote
_DIGEST = 12  # hex digits that name a run's file
_DIGITS = 7  # of a number that is written out


def write(
    folder: Path,
    runs: Sequence[RunDirectory],
    load: Callable[[RunDirectory], LoadedRun],
    num_paths: int,
    precision: Precision = "half",
) -> None:
    """Writes the page with runs; index.html comes last, and old runs' files go after it.

    Args:
        folder: Made if it is missing. What is in it and not of an export stays.
        runs: Those whose decoder is no chain of layers are left out, which is said.
        load: Loads one of them.
        num_paths: Random bases of each space.
        precision: The decoders' weights'.

    Raises:
        InputError: If the folder is a file or has a page of another kind, a run cannot be loaded,
            or none can be exported.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one to be written")
    page = folder / "index.html"
    if page.exists() and _MARK not in page.read_text(encoding="utf-8", errors="replace"):
        raise InputError(f"{page} is no export's page; give a folder of its own")
    names, listed = [], []
    with progress.bar(total=len(runs) * (1 + num_paths), desc="export", unit=" parts") as bar:
        for run in runs:
            loaded = load(run)
            bar.update()
            if loaded.layer_chain is None:
                logging.warning("%s is left out: only the served explorer shows %s", run.path, _WHY)
                bar.update(num_paths)
                continue
            text = json.dumps(_run(loaded, num_paths, precision, bar.update), separators=(",", ":"))
            name = f"run-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]}.js"
            write_text(folder / name, f"(globalThis.axisbias??={{}})[{json.dumps(name)}]={text};\n")
            names.append(name)
            listed.append({"title": loaded.title, "data_set": loaded.data_set, "file": name})
    if not listed:
        raise InputError(
            f"{', '.join(str(run.path) for run in runs)}: only the served explorer shows {_WHY}; "
            "start it by the same command without --export"
        )
    for name in ("explore.css", "explore.js"):
        write_text(folder / name, (PAGE / name).read_text(encoding="utf-8"))
    # No text in it can end the script element.
    content = json.dumps(listed, separators=(",", ":")).replace("<", "\\u003c")
    text = (PAGE / page.name).read_text(encoding="utf-8")
    write_text(page, text.replace(_PLACE, _PLACE.replace("null", content)))
    for old in folder.glob(f"run-{'[0-9a-f]' * _DIGEST}.js"):
        if old.name not in names:
            old.unlink()


_WHY = "a decoder that is no chain of dense and transposed convolutional layers, as Glow's"


def _run(
    run: LoadedRun, num_paths: int, precision: Precision, done: Callable[[float], Any]
) -> dict[str, Any]:
    """All that the page needs of a run; `done` is told what share of a path is finished."""
    assert run.layer_chain is not None
    with np.errstate(over="ignore", invalid="ignore"):  # weights beyond half precision
        chain = run.layer_chain.at_precision(PRECISIONS[precision])
        error = _error(run, chain)
    if not np.isfinite(error):
        raise InputError(f"{run.title}: its weights exceed half precision; give --weights=single")
    levels = f"{np.ceil(100 * 255 * error) / 100:.2f}"
    notice = (
        f"computed in this page, weights in {precision} precision: pixels off by {levels} of 255"
    )
    share = 1 / len(run.spaces)
    return {
        "chain": _chain(chain, precision),
        "starts": _numbers(run.starts),
        "spaces": {
            name: _space(run, space, notice, num_paths, lambda: done(share))
            for name, space in run.spaces.items()
        },
    }


def _error(run: LoadedRun, chain: LayerChain) -> float:
    """The largest difference of pixels from the decoder's, at starting points and around them."""
    rng = random_streams.generator(0, random_streams.EXPLORED_BASES)
    around = run.starts + rng.standard_normal(run.starts.shape)
    inputs = np.concatenate([run.starts, around])
    inputs = inputs.astype(np.float32)
    return float(np.abs(chain.decode(inputs) - run.decode(inputs)).max())


def _space(
    run: LoadedRun, space: Space, notice: str, num_paths: int, done: Callable[[], Any]
) -> dict[str, Any]:
    known = scene.describe(run, space)
    paths = []
    for path in range(num_paths):
        paths.append(_path(space, space.rotation(path)))
        done()
    notices = [text for text in (run.notice, notice) if text]
    return {
        "scene": _rounded({**known, "notice": " · ".join(notices)}),
        "axes": _numbers(space.axes),
        "has_unit_steps": space.has_unit_steps,
        "paths": paths,
    }


def _path(space: Space, rotation: np.ndarray) -> dict[str, Any]:
    """A rotation, and what is measured at all places of the slider on the way to it."""
    _, path = frames.path_of(rotation, blind.PLACES + 1)
    measured = frames.measure(space, path)
    tables = {"information": measured.information, "leakage": measured.leakage}
    return {
        "rotation": _numbers(rotation),
        "metrics": {name: _numbers(values) for name, values in measured.metrics.items()},
        **{k: None if v is None else _numbers(v, "half") for k, v in tables.items()},
    }


def _chain(chain: LayerChain, precision: Precision) -> dict[str, Any]:
    return {
        "inputs": chain.num_inputs,
        "uniform": chain.uniform.tolist(),
        "layers": [_layer(layer, precision) for layer in chain.layers],
        "output": {"kind": chain.output, "gain": chain.gain},
        "shape": list(chain.image_shape),
    }


def _layer(layer: Layer, precision: Precision) -> dict[str, Any]:
    arrays = {name: getattr(layer, name) for name in ("kernel", "bias", "scale", "shift")}
    described: dict[str, Any] = {
        "inputs": layer.kernel.shape[-1 if layer.map_shape else 0],
        "outputs": len(layer.bias),
        "activation": layer.activation,
        "slope": layer.slope,
    }
    if layer.map_shape:
        height, width = layer.map_shape
        described |= {"height": height, "width": width}
        described |= {"size": layer.kernel.shape[0], "stride": layer.stride}
    return described | {
        name: _numbers(values, precision) for name, values in arrays.items() if values is not None
    }


def _numbers(values: np.ndarray, precision: Precision = "single") -> dict[str, str]:
    """An array as text: base64 of its numbers, row by row, little-endian."""
    little = np.dtype(PRECISIONS[precision]).newbyteorder("<")
    return {precision: base64.b64encode(np.ascontiguousarray(values, little).tobytes()).decode()}


def _rounded(value: Any) -> Any:
    """JSON's values, with numbers of so many digits that nobody sees the rest."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
