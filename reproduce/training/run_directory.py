"""A run directory: its settings, its lock, its checkpoints, and the names of its files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data import DATASETS
from data.files import TEMPORARY_SUFFIX, InputError, exclusive, load_npz, save_npz, write_text
from models.keras_settings import KERAS
from models.registry import MODELS
from reproduce.training.origins import Origin
from reproduce.training.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from data import Dataset

KEPT_CHECKPOINTS = 2


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result.

    Attributes:
        recipe: What is trained, and how.
        dataset, data_source, data_file: As given to `data.load`: what the model was trained on;
            of imported weights, what it is tested on.
        fingerprint: The data set's content's.
        image_shape: (height, width, channels).
        seed: The seed of the initial weights, the batches and the latents' noise.
        variant: The data set's, as given to `data.load`.
        keras: Keras' own settings.
        origin: Where imported weights come from, with what they were trained on; None for a run
            that the kit trained.
    """

    recipe: Recipe
    dataset: str
    data_source: str
    data_file: str | None
    fingerprint: str
    image_shape: tuple[int, int, int]
    seed: int
    variant: str = ""
    keras: dict[str, Any] = dataclasses.field(default_factory=KERAS.copy)
    origin: Origin | None = None

    @property
    def data_set(self) -> str:
        """The data set's name; a user's own is called as its file.

        Of imported weights it says what they were trained on where that is another.
        """
        name = (
            Path(self.data_file).stem if self.dataset == "npz" and self.data_file else self.dataset
        )
        name = f"{name} ({self.variant})" if self.variant else name
        if self.origin and self.origin.trained_on.lower() != name.lower():
            return f"{name}, model trained on {self.origin.trained_on}"
        return name

    @property
    def data_notice(self) -> str:
        """What must be said wherever the data set's images are shown; empty for most."""
        entry = DATASETS.get(self.dataset)
        notice = entry.notice if entry else ""
        if self.origin:
            about = self.origin
            told = (
                f"The model was trained by others on {about.trained_on} ({about.source}; "
                f"{about.licence}), and is tested here on {self.dataset}."
            )
            return f"{told} {notice}".strip()
        return notice

    def tested_on(
        self,
        dataset: Dataset,
        name: str,
        data_source: str = "rendered",
        data_file: str | None = None,
        variant: str = "",
    ) -> RunConfig:
        """The same model of imported weights, to be tested on a data set.

        Args:
            dataset: The data set, as `data.load` gives it by the other arguments.
            name: A key of `data.DATASETS`.
            data_source: As given to `data.load`.
            data_file: As given to `data.load`.
            variant: As given to `data.load`.

        Raises:
            InputError: If its images have other channels, or cannot be averaged down to the
                model's size.
        """
        height, width, channels = self.image_shape
        if dataset.image_shape[2] != channels:
            kinds = {1: "grey", 3: "in colour"}
            raise InputError(
                f"the model takes images {kinds.get(channels)}, and {name} has "
                f"{dataset.image_shape[2]} channels; give a data set of {channels}"
            )
        if dataset.at_size(height).image_shape != self.image_shape:
            raise InputError(
                f"the model takes images of {height} x {width} pixels, and {name} has "
                f"{dataset.image_shape[0]} x {dataset.image_shape[1]}; give a data set of that "
                "size, or of a multiple of it"
            )
        return dataclasses.replace(
            self,
            dataset=name,
            data_source=data_source,
            data_file=data_file,
            variant=variant,
            fingerprint=dataset.fingerprint,
        )

    @property
    def arm(self) -> str:
        """What seeds are compared within: the model, with what makes it a control if it is one."""
        if self.origin:
            return self.origin.name
        recipe = self.recipe
        return MODELS[recipe.model].arm(recipe.settings, recipe.num_steps)

    def sees_images_of(self, other: RunConfig) -> bool:
        """Whether both were trained on the same images at the same size."""
        return (self.fingerprint, self.image_shape) == (other.fingerprint, other.image_shape)

    def to_json(self) -> str:
        """The settings as indented JSON."""
        entries = dataclasses.asdict(self)
        if self.origin is None:
            del entries["origin"]
        return json.dumps(entries, indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> RunConfig:
        """The inverse of `to_json`; any of `read_config`'s errors where the text is none."""
        raw = json.loads(text)
        recipe = raw.pop("recipe")
        values = recipe.pop("settings")
        settings = MODELS[recipe["model"]].settings_class(values)(**values)
        raw["image_shape"] = tuple(raw["image_shape"])
        if raw.get("origin"):
            raw["origin"] = Origin(**raw["origin"])
        config = RunConfig(Recipe(settings=settings, **recipe), **raw)
        for part in (config, config.recipe, settings):
            _require_types(part)
        return config


def _require_types(settings: Any) -> None:
    """Whether a dataclass that was read holds numbers, texts and truth values where it should.

    Raises:
        ValueError: If it does not.
    """
    for name, kind in typing.get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if kind is float:
            fits = type(value) in (int, float) and math.isfinite(value)
        elif typing.get_origin(kind) is tuple:
            fits = all(type(entry) is typing.get_args(kind)[0] for entry in value)
        else:
            fits = kind not in (int, str, bool) or type(value) is kind
        if not fits:
            raise ValueError(f"{name} is {value!r}")
    if isinstance(settings, RunConfig) and settings.seed < 0:
        raise ValueError(f"seed is {settings.seed}")


class RunDirectory:
    """A folder that holds one training and what is computed from it: every file that may be there.

    Training writes config.json, environment.json, training.csv, timings.csv and checkpoints;
    `represent` the representation; `basis_test` the next four; `traverse` and `purity_test` the
    others, whose last files say that all are there.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.environment_file = self.path / "environment.json"
        self.weights_file = self.path / "weights.npz"  # all that a released run has of them
        self.training_file = self.path / "training.csv"
        self.losses_file = self.path / "losses.csv"
        self.timings_file = self.path / "timings.csv"
        self.representation_file = self.path / "representation.npz"
        self.basis_test_file = self.path / "basis_test.csv"
        self.null_file = self.path / "null.npz"
        self.cherry_picking_file = self.path / "cherry_picking.csv"
        self.turned_test_file = self.path / "turned" / "basis_test.csv"  # null.npz beside it
        self.decoder_representation_file = self.path / "decoder" / "representation.npz"
        self.decoder_test_file = self.path / "decoder" / "basis_test.csv"  # null.npz beside it
        self.quality_file = self.path / "quality.csv"
        self.quality_images_file = self.path / "quality_images.npz"
        self.traversals_file = self.path / "traversals.npz"
        self.traversal_steps_file = self.path / "traversals.csv"
        self.purity_file = self.path / "traversal_purity.csv"
        self.purity_null_file = self.path / "purity_null.npz"
        self.leakage_file = self.path / "leakage.csv"
        self.random_leakage_file = self.path / "random_leakage.csv"
        self.data_leakage_file = self.path / "data_leakage.csv"
        self.labelled_directions_file = self.path / "labelled_directions.csv"
        self.predictor_accuracy_file = self.path / "predictor_accuracy.csv"
        self.tensorboard_dir = self.path / "tensorboard"
        self.checkpoint_dir = self.path / "checkpoints"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run for this process alone, and clears away what a killed one left half done.

        Raises:
            InputError: If another process holds it, or there can be no such folder.
        """
        if self.path.name.isspace():
            raise InputError(f"{str(self.path)!r} has a blank name; give a folder for the run")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise InputError(
                f"{self.path} cannot be a folder ({error.strerror}); give another run directory"
            ) from error
        try:
            with exclusive(self.path / ".lock", wait=False):
                for folder in (self.path, self.checkpoint_dir):
                    for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}"):
                        leftover.unlink(missing_ok=True)
                self._drop_old_checkpoints()
                yield
        except BlockingIOError as error:
            raise InputError(
                f"{self.path} is in use by another process; wait, or give another run directory"
            ) from error

    def read_config(self) -> RunConfig:
        """The run's settings.

        Raises:
            InputError: If there is no run, or its config.json is damaged.
        """
        if not self.config_file.is_file():
            raise InputError(f"{self.path} holds no run; train one with reproduce.train first")
        try:
            return RunConfig.from_json(self.config_file.read_text(encoding="utf-8"))
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{self.config_file} is damaged ({error}); give another run directory"
            ) from error

    def fingerprint(self) -> str:
        """SHA-256 of config.json, from which all of a run follows.

        Raises:
            InputError: If there is no run.
        """
        self.read_config()
        return hashlib.sha256(self.config_file.read_bytes()).hexdigest()

    def check_predictor(self, predictor: RunDirectory) -> None:
        """Whether a factor predictor's run was trained on this run's images at their size.

        Raises:
            InputError: If it was not, or either is no run.
        """
        own, other = self.read_config(), predictor.read_config()
        if not own.sees_images_of(other):
            raise InputError(
                f"{predictor.path} was trained on other images than {self.path} (data set, or "
                f"size {other.image_shape[:2]} and {own.image_shape[:2]}); train a predictor on "
                "the same, with --set=image_size=N"
            )

    def claim(self, config: RunConfig) -> None:
        """Writes the settings of a new run, or checks that an old one has the same.

        Raises:
            InputError: If the run was made with other settings; the message names them.
        """
        if not self.config_file.exists():
            write_text(self.config_file, config.to_json())
            return
        old, new = (flatten(dataclasses.asdict(c)) for c in (self.read_config(), config))
        # Of another model all settings are others.
        keys = ["model"] if old["model"] != new["model"] else [*(old | new)]
        differences = [
            f"{key} {old.get(key, 'not')} there, {new.get(key, 'not')} asked"
            for key in keys
            if old.get(key) != new.get(key)
        ]
        if differences:
            raise InputError(
                f"{self.path} was made with other settings ({'; '.join(differences)}); "
                "give another run directory"
            )

    def checkpoints(self) -> dict[int, Path]:
        """The checkpoints by step, oldest first."""
        files = self.checkpoint_dir.glob("step_*.npz")
        found = [(re.fullmatch(r"step_(\d+)", file.stem), file) for file in files]
        return dict(sorted((int(match[1]), file) for match, file in found if match))

    def save_checkpoint(self, step: int, variables: dict[str, np.ndarray]) -> None:
        """Writes a checkpoint and drops the oldest ones."""
        save_npz(self.checkpoint_dir / f"step_{step:08d}.npz", variables)
        self._drop_old_checkpoints()

    def _drop_old_checkpoints(self) -> None:
        for file in list(self.checkpoints().values())[:-KEPT_CHECKPOINTS]:
            file.unlink()

    def _read_checkpoint(self, step: int) -> dict[str, np.ndarray]:
        try:
            return load_npz(self.checkpoints()[step])
        except InputError as error:
            raise InputError(f"{error}; delete it to go on from the checkpoint before") from error

    def load_checkpoint(self, step: int, variables: dict[str, Any]) -> None:
        """Reads a checkpoint into variables of the same names and shapes.

        Raises:
            InputError: If the file is damaged or another model's.
        """
        _assign(variables, self._read_checkpoint(step), self.checkpoints()[step])

    def check_end(self) -> None:
        """Looks at what a finished run wrote last: its last checkpoint, and the end of its log.

        Raises:
            InputError: If either is damaged, so that the run cannot count as finished.
        """
        num_steps = self.read_config().recipe.num_steps
        self.final_weights()
        if num_steps and self.training_file.exists():
            read_log(self.training_file, ["step"], [num_steps])

    def read_environment(self) -> dict[str, Any]:
        """What environment.json holds; empty if there is none.

        Raises:
            InputError: If it is damaged.
        """
        if not self.environment_file.exists():
            return {}
        try:
            found = json.loads(self.environment_file.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{self.environment_file} is damaged ({error}); delete it to have it written anew"
            ) from error
        return found

    def final_file(self, num_steps: int) -> Path:
        """The file that says that a run is finished: released weights, or the last checkpoint."""
        if self.weights_file.exists():
            return self.weights_file
        return self.checkpoint_dir / f"step_{num_steps:08d}.npz"

    def is_finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.final_file(self.read_config().recipe.num_steps).exists()

    def final_weights(self) -> dict[str, np.ndarray]:
        """The weights of a finished run as they are used: all its state but the optimisers'.

        Those of a recipe that keeps them in float16 are float16, released or not.

        Raises:
            InputError: If the run is unfinished, or the file damaged.
        """
        if self.weights_file.exists():
            return load_npz(self.weights_file)
        recipe = self.read_config().recipe
        if recipe.num_steps not in self.checkpoints():
            reached = max(self.checkpoints(), default=0)
            raise InputError(
                f"{self.path} is unfinished (step {reached} of {recipe.num_steps}); "
                "run reproduce.train on it again to finish it"
            )
        return {
            name: value.astype(recipe.weights) if value.dtype == np.float32 else value
            for name, value in self._read_checkpoint(recipe.num_steps).items()
            if not _is_optimizers(name)
        }

    def release_weights(self) -> None:
        """Writes a finished run's weights into a file of their own, if its recipe says so.

        Raises:
            InputError: If the run is unfinished, or its last checkpoint damaged.
        """
        if self.read_config().recipe.weights == "float16" and not self.weights_file.exists():
            save_npz(self.weights_file, self.final_weights(), compress=True)

    def load_finished(self, variables: dict[str, Any]) -> None:
        """Reads a finished run's weights into variables; optimisers' stay as they are.

        Raises:
            InputError: If the run is unfinished, or its file damaged or another model's.
        """
        weights = {k: variable for k, variable in variables.items() if not _is_optimizers(k)}
        file = self.final_file(self.read_config().recipe.num_steps)
        _assign(weights, self.final_weights(), file)


def _is_optimizers(name: str) -> bool:
    """Whether a model's variable is an optimiser's own state, by its name."""
    return name.partition("/")[0].endswith("optimizer")


def _assign(variables: dict[str, Any], values: dict[str, np.ndarray], file: Path) -> None:
    for name, variable in variables.items():
        fits = name in values and values[name].shape == tuple(variable.shape)
        if not fits or values[name].dtype.kind not in "biuf":
            raise InputError(f"{file} does not fit the model ({name}); give another run directory")
        if not np.isfinite(values[name]).all():
            raise InputError(
                f"{file} holds numbers that are not finite ({name}); restore it, or train anew in "
                "another run directory"
            )
        is_half = values[name].dtype == np.float16
        variable.assign(values[name].astype(np.float32) if is_half else values[name])


def read_log(file: Path, columns: Sequence[str], steps: Sequence[int]) -> pd.DataFrame:
    """Reads a log of a training: rows that must hold some steps.

    Args:
        file: training.csv or timings.csv.
        columns: What it must hold, numbers in every row.
        steps: What must be among its steps.

    Raises:
        InputError: If it is damaged or cut short.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(file)[list(columns)].apply(pd.to_numeric)
        missing = sorted(set(steps) - set(frame["step"]))
        if frame.isna().any(axis=None) or missing:
            raise ValueError(f"no row of step {missing[0]}" if missing else "an empty cell")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            f"{file} is damaged or cut short ({error}); restore it, or train anew in another "
            "run directory"
        ) from error
    return frame


def find_runs(paths: Sequence[str]) -> list[RunDirectory]:
    """The run directories among paths, each a run or a folder of runs, in order of name.

    Raises:
        InputError: If a path holds none.
    """
    runs = []
    for path in map(Path, paths):
        found = [path] if (path / "config.json").exists() else []
        found = found or sorted(config.parent for config in path.glob("*/config.json"))
        if not found:
            raise InputError(f"{path} holds no run; expected a run directory or a folder of them")
        runs += [RunDirectory(run) for run in found]
    return runs


def flatten(tree: dict[str, Any]) -> dict[str, Any]:
    """Nested settings as one level of keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value)
        else:
            flat[key] = value
    return flat
