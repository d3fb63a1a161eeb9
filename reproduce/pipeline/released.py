"""Released weights: runs and factor predictors that nobody needs to train again."""

from __future__ import annotations

import shutil
from pathlib import Path

from data.files import InputError
from reproduce.pipeline import chains
from reproduce.pipeline.profiles import Profile
from reproduce.training.run_directory import RunDirectory

RESULTS = Path(__file__).parents[2] / "paper" / "results"
_PREDICTORS = RESULTS / "predictors"


def lay_out_runs(profile: Profile, dataset: str, output: Path) -> None:
    """Puts a profile's released runs where a job expects trained ones; none if it trains its own.

    Args:
        profile: The profile.
        dataset: One of its data sets.
        output: Where the job's results go.

    Raises:
        InputError: If there are none of the data set.
    """
    if not profile.released:
        return
    source = RESULTS / profile.released.get(dataset, "")
    weights = sorted(source.glob("runs/*/weights.npz")) if dataset in profile.released else []
    if not weights:
        raise InputError(f"no weights were released of {dataset}; train them by another profile")
    for file in weights:
        _lay_out(RunDirectory(file.parent), RunDirectory(output / "runs" / file.parent.name))


def lay_out_predictors(profile: Profile, dataset: str, output: Path) -> None:
    """Puts released predictors of a data set's factors where a job expects its own.

    Args:
        profile: Whose arms say which sizes of images are read.
        dataset: One of its data sets.
        output: Where the job's results go.
    """
    for size in {chains.image_size(arm) for arm in profile.arms[dataset]}:
        name = str(size or "full_size")
        released = RunDirectory(_PREDICTORS / f"{dataset}-{name}")
        if released.weights_file.exists():
            _lay_out(released, RunDirectory(output / "predictors" / name))


def compare(profile: Profile, dataset: str, output: Path) -> str:
    """Says how near verdicts that were made anew are to the released ones.

    Args:
        profile: Whose released runs were tested.
        dataset: One of its data sets.
        output: Where the job's results are.

    Raises:
        InputError: If either table is missing or damaged.
    """
    from reproduce.reporting import result_tables

    keys, values = ["model", "metric"], ["haar_observed", "haar_p"]
    tables = [
        result_tables.read(folder / "verdict.csv", [*keys, *values, "special"])
        for folder in (RESULTS / profile.released[dataset], output)
    ]
    both = tables[0].merge(tables[1], on=keys, suffixes=("", "_anew"))
    alike = (both["special"] == both["special_anew"]).sum()
    score, p = (float((both[v] - both[f"{v}_anew"]).abs().max()) for v in values)
    return (
        f"Against the released results: {alike} of {len(both)} verdicts alike; scores differ "
        f"by up to {score:.1g}, p-values by up to {p:.1g}"
    )


def _lay_out(released: RunDirectory, target: RunDirectory) -> None:
    """Copies a released run, unless there is a run already."""
    if target.config_file.exists():
        return
    target.path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(released.weights_file, target.weights_file)
    _copy(released, target)


def _copy(source: RunDirectory, target: RunDirectory) -> None:
    """Copies settings and logs, the settings last: a run that has them is whole."""
    target.path.mkdir(parents=True, exist_ok=True)
    for file in (source.environment_file, source.training_file, source.config_file):
        if file.exists():
            shutil.copyfile(file, target.path / file.name)
