"""Sweep files: a small TOML file that says which arms, data sets and seeds are run.

    seeds = 12                  # 100, 101, ...; or a list of them
    num_points = 10_000         # images in a representation
    num_bases = 9_999           # draws of each null family

    [[data_set]]                # by default dSprites alone
    dataset = "faces"           # as reproduce.train takes it; so variant, data_source, data_file
    variant = "correlated"
    name = "faces-correlated"   # of its folder; by default made of the others

    [[arm]]
    model = "beta_vae"
    recipe = "locatello2019"    # a list runs each
    name = "vae"                # of its runs' folders; by default the model
    data_sets = ["dsprites"]    # by default all
    changes = { posterior = ["diagonal", "full_covariance"], beta = [1, 4, 16] }

    [purity]                    # left out: no traversal purity
    predictor = "predictor_quick"
    num_bases = 199
    num_images = 8

Lists in `changes` run every combination. It becomes a `Profile`, like those of the main job.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data import DATASETS
from data.files import InputError
from models.registry import MODELS, PREDICTOR
from reproduce.pipeline.profiles import PlannedArm, Profile
from reproduce.pipeline.sweep_results import FILES
from reproduce.training import recipes

_TESTED = [key for key, model in MODELS.items() if model.is_generative]
FIRST_SEED, NUM_SEEDS = 100, 12
MAX_RUNS = 100_000  # a grid of more was not meant
_NAME = re.compile(r"[\w.+-]+", re.ASCII)  # of folders, on command lines between commas


def load(path: Path) -> Profile:
    """Reads a sweep file and checks all of it: every arm's recipe and changes, too.

    Raises:
        InputError: If the file is missing, is no TOML, or has a key or value that is unknown.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; expected a sweep file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no TOML file ({error})") from error
    try:
        return _profile(raw, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _profile(raw: dict[str, Any], folder: Path) -> Profile:
    top = _Table(raw, "at the top")
    seeds = _seeds(top.take("seeds", (int, list), NUM_SEEDS))
    num_points = top.take_count("num_points", 10_000, least=2)
    num_bases = top.take_count("num_bases", 9_999)
    summary = top.take("summary", str, "")
    data_flags = _data_flags(top.take("data_set", list, [{"dataset": "dsprites"}]), folder)
    arms: dict[str, tuple[PlannedArm, ...]] = dict.fromkeys(data_flags, ())
    for table in top.take("arm", list, []):
        where, made = _arms(_Table(table, "in [[arm]]"), tuple(data_flags), len(seeds))
        arms |= {name: arms[name] + made for name in where}
    for name, of_data in arms.items():
        names = [arm.name for arm in of_data]
        if len(set(names)) < len(names):
            twice = max(names, key=names.count)
            raise InputError(f"two arms are called {twice} on {name}; give each a name of its own")
    purity = _Table(top.take("purity", dict, None), "in [purity]")
    predictor = purity.take("predictor", str, "predictor_quick") if purity.is_there else ""
    if predictor:
        recipes.find(PREDICTOR, predictor)
    num_purity_bases = purity.take_count("num_bases", 199)
    num_images = purity.take_count("num_images", 8)
    purity.end()
    top.end()
    if not any(arms.values()):
        raise InputError("there is no [[arm]]; expected at least one")
    return Profile(
        {name: of_data for name, of_data in arms.items() if of_data},
        seeds,
        num_points,
        num_bases,
        num_purity_bases,
        num_images,
        predictor,
        summary,
        data_flags,
    )


def _seeds(value: int | list[Any]) -> tuple[int, ...]:
    if isinstance(value, int):
        _check_runs(value)
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + value)) if isinstance(value, int) else tuple(value)
    fit = all(type(seed) is int and 0 <= seed < 2**31 for seed in seeds)
    if not seeds or not fit or len(set(seeds)) < len(seeds):
        raise InputError(
            f"seeds is {value}; expected how many, or a list of different whole numbers"
        )
    return seeds


def _data_flags(tables: list[Any], folder: Path) -> dict[str, tuple[str, ...]]:
    """The flags of `reproduce.train` for each data set, by its name."""
    found: dict[str, tuple[str, ...]] = {}
    for raw in tables:
        table = _Table(raw, "in [[data_set]]")
        dataset = _known("data set", table.take("dataset", str), DATASETS)
        variant = table.take("variant", str, "")
        data_source = table.take("data_source", str, "")
        data_file = table.take("data_file", str, "")
        label = "-".join(filter(None, [Path(data_file).stem or dataset, variant]))
        name = _checked_name(table.take("name", str, label))
        table.end()
        flags = [f"--dataset={dataset}"]
        flags += [f"--variant={variant}"] if variant else []
        flags += [f"--data_source={data_source}"] if data_source else []
        if data_file:
            file = (folder / data_file).absolute()  # the same on every node of a cluster
            if not file.exists():
                raise InputError(f"data_file {file} is not there; paths start at the sweep file")
            flags.append(f"--data_file={file}")
        if name in FILES:
            raise InputError(f"a data set is called {name}, as a file of the sweep; name it anew")
        if name in found:
            raise InputError(f"two data sets are called {name}; give each a name of its own")
        found[name] = tuple(flags)
    return found


def _check_runs(count: int) -> None:
    if count > MAX_RUNS:
        raise InputError(f"{count:,} runs; expected at most {MAX_RUNS:,}: shorten lists or seeds")


def _arms(
    table: _Table, datasets: tuple[str, ...], num_seeds: int
) -> tuple[list[str], tuple[PlannedArm, ...]]:
    """The data sets of an entry, and its arms: one for each combination of what is listed."""
    model = _known("model", table.take("model", str), _TESTED)
    listed = table.take("recipe", (str, list), (MODELS[model].default_recipe or ""))
    name = table.take("name", str, model)
    where = [_known("data set", w, datasets) for w in table.take("data_sets", list, [*datasets])]
    turned = tuple(map(str, table.take("turned_factors", list, [])))
    changes = table.take("changes", dict, {})
    table.end()
    if len(turned) not in (0, 2):
        raise InputError(f"turned_factors is {list(turned)}; expected two names")
    axes = {"recipe": listed, **changes}
    choices = [value if isinstance(value, list) else [value] for value in axes.values()]
    _check_runs(num_seeds * len(where) * math.prod(map(len, choices)))
    arms = []
    for values in itertools.product(*choices):
        chosen = {key: _text(value) for key, value in zip(axes, values, strict=True)}
        varied = [_label(key, chosen[key]) for key in axes if isinstance(axes[key], list)]
        recipe = chosen.pop("recipe")
        recipes.override(recipes.find(model, recipe), dict(chosen))
        folder = _checked_name("-".join([name, *varied]))
        arms.append(PlannedArm(folder, model, recipe, chosen, turned))
    if not arms:
        raise InputError(f"arm {name} has an empty list; expected values in it")
    return where, tuple(arms)


def _text(value: Any) -> str:
    """A value as `--set` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _label(key: str, value: str) -> str:
    """A varied setting within an arm's name: beta4, but diagonal."""
    word = re.sub(r"[^\w.+-]", "_", value, flags=re.ASCII)
    return word if word[:1].isalpha() and word not in ("true", "false") else key + word


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise InputError(f"{name!r} cannot name a folder; use letters, digits and . _ + -")
    return name


def _known(what: str, value: Any, choices: Any) -> str:
    if value not in choices:
        raise InputError(f"unknown {what} {value!r}; expected one of {', '.join(choices)}")
    return str(value)


class _Table:
    """A table whose entries are taken out one by one; what is left at the end is a mistake."""

    def __init__(self, raw: Any, where: str) -> None:
        if raw is not None and not isinstance(raw, Mapping):
            raise InputError(f"{where} is {raw!r}; expected a table")
        self.is_there = raw is not None
        self._rest = dict(raw or {})
        self._known: list[str] = []
        self._where = where

    def take(self, key: str, kind: type | tuple[type, ...], *default: Any) -> Any:
        """An entry of a type; without a default there has to be one."""
        self._known.append(key)
        if key not in self._rest:
            if not default:
                raise InputError(f"{key} is missing {self._where}")
            return default[0]
        value = self._rest.pop(key)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if type(value) not in kinds:
            expected = " or ".join(_KINDS[kind] for kind in kinds)
            raise InputError(f"{key} {self._where} is {value!r}; expected {expected}")
        return value

    def take_count(self, key: str, default: int, least: int = 1) -> int:
        """A whole number that is not too small."""
        value: int = self.take(key, int, default)
        if value < least:
            raise InputError(f"{key} {self._where} is {value}; expected at least {least}")
        return value

    def end(self) -> None:
        """Refuses whatever has not been taken."""
        for key in self._rest:
            raise InputError(
                f"unknown key {key!r} {self._where}; expected some of {', '.join(self._known)}"
            )


_KINDS = {int: "a whole number", str: "a string", list: "a list", dict: "a table"}
