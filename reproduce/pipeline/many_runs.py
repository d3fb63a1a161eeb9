"""Sweeps: many runs as one job, with one row of results for each."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from data.files import InputError, write_text
from reproduce.pipeline import chains, jobs
from reproduce.pipeline.profiles import Arm, Profile
from reproduce.training import recipes
from reproduce.training.run_directory import flatten

FIELDS = ("observed", "null_mean", "z", "p_value")  # of a test that has a p-value, in sweep.csv
_ATTEMPT_COLUMNS = ("ended", "run", "outcome")


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One seed of one arm on one data set.

    Attributes:
        dataset: The data set's name in the sweep, and its folder.
        arm: What is trained.
        seed: The seed of all its programs.
        chain: From its training to its basis test.
        predictor: What its purity test waits for, shared with other runs.
        purity_test: The test of its decoder, if there is to be one.
    """

    dataset: str
    arm: Arm
    seed: int
    chain: jobs.Chain
    predictor: jobs.Chain | None = None
    purity_test: jobs.Chain | None = None

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.chain.run.path

    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.chain.is_done() and (self.purity_test is None or self.purity_test.is_done())


def plan(profile: Profile, output: Path) -> list[Run]:
    """The runs of a profile, seed by seed, so that every arm has a result as early as possible.

    Each data set has a folder of its own in `output`, as the main job writes one.
    """
    runs, predictors = [], {}
    for seed in profile.seeds:
        for dataset, arms in profile.arms.items():
            for arm in arms:
                folder = output / dataset
                chain = chains.of_run(folder, dataset, profile, arm, seed)
                if not profile.predictor:
                    runs.append(Run(dataset, arm, seed, chain))
                    continue
                size = chains.image_size(arm)
                if (dataset, size) not in predictors:
                    predictors[dataset, size] = chains.of_predictor(folder, dataset, profile, size)
                predictor = predictors[dataset, size]
                test = chains.of_purity_test(profile, chain, predictor, seed)
                runs.append(Run(dataset, arm, seed, chain, predictor, test))
    return runs


def claim(output: Path, profile: Profile, runs: Sequence[Run]) -> None:
    """Writes plan.json, every run's settings, or checks that those of old runs are the same.

    Runs can be added to a sweep and left out of it, but none can change.

    Raises:
        InputError: If a run was planned with other settings; the message names them.
    """
    file = output / "plan.json"
    try:
        old = json.loads(file.read_text()) if file.exists() else {}
        for run in runs:
            name, settings = _name(run.path, output), _settings(profile, run)
            before = old.get(name, {})
            differences = [
                f"{key} {before[key]} there, {value} asked"
                for key, value in settings.items()
                if key in before and before[key] != value
            ]
            if differences:
                raise InputError(
                    f"{output / name} was planned with other settings ({'; '.join(differences)}); "
                    "give another --output"
                )
            old[name] = settings
    except (ValueError, AttributeError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is damaged ({error}); delete it to plan anew") from error
    write_text(file, json.dumps(old, indent=2, sort_keys=True) + "\n")


def execute(
    runs: Sequence[Run], executor: jobs.Executor, retries: int, table: Table
) -> dict[Path, jobs.Failure]:
    """Does whatever is not done yet.

    Args:
        runs: Of `plan`.
        executor: Where they run.
        retries: How often a failed chain is run again.
        table: Is told of every end.

    Returns:
        What failed at last, by run directory.
    """
    # Each once, in an order that does not depend on a hash.
    predictors = list({id(run.predictor): run.predictor for run in runs if run.predictor}.values())
    training = [*predictors, *(run.chain for run in runs)]
    ended = jobs.run_chains(training, executor, "training", retries, table.record)
    failures = {chain.run.path: failure for chain, failure in ended}
    for run in runs:
        if run.predictor and run.predictor.run.path in failures and run.path not in failures:
            failures[run.path] = failures[run.predictor.run.path]
            table.fail(run.path, failures[run.path])
    tests = [run.purity_test for run in runs if run.purity_test and run.path not in failures]
    if tests:
        ended = jobs.run_chains(tests, executor, "traversal purity", retries, table.record)
        failures |= {chain.run.path: failure for chain, failure in ended}
    return failures


def judge(output: Path, runs: Sequence[Run]) -> list[str]:
    """Judges each data set's finished runs as `reproduce.verdict` does; returns the sentences.

    Writes verdict.csv and contrast.csv into each data set's folder.

    Raises:
        InputError: If a run's file is missing or damaged; it is named.
    """
    from reproduce.reporting import judging

    sentences: list[str] = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        done = [run.chain.run for run in runs if run.dataset == dataset and run.is_done()]
        if not done:
            continue
        table, contrasts = judging.judge(judging.read_results(done), seed=0)
        write_text(output / dataset / "verdict.csv", table.to_csv(index=False))
        write_text(output / dataset / "contrast.csv", contrasts.to_csv(index=False))
        sentences += [f"{dataset}: {s}" for frame in (table, contrasts) for s in frame["sentence"]]
    return sentences


class Table:
    """sweep.csv, a row for each run, and attempts.csv, a row for each time that one was tried.

    sweep.csv is the same whatever the order in which runs end, wherever they ran and whatever
    befell them; attempts.csv is a log. Both are whole at every moment.
    """

    def __init__(self, output: Path, runs: Sequence[Run]) -> None:
        self._output = output
        self._runs = {run.path: run for run in runs}
        self._results = {run.path: results_of(run) for run in runs}
        self._errors: dict[Path, str] = {}
        self._attempts_file = output / "attempts.csv"
        self._attempts = _read(self._attempts_file)
        self._write()

    def record(self, chain: jobs.Chain, failure: jobs.Failure | None) -> None:
        """Takes down how a chain ended."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        outcome = str(failure) if failure else "done"
        name = _name(chain.run.path, self._output)
        self._attempts.append({"ended": now, "run": name, "outcome": outcome})
        write_text(self._attempts_file, _to_csv(_ATTEMPT_COLUMNS, self._attempts))
        if chain.run.path in self._runs:
            self.fail(chain.run.path, failure)

    def fail(self, path: Path, failure: jobs.Failure | None) -> None:
        """Takes down that a run failed, or, by None, that it did not."""
        self._errors.pop(path, None)
        if failure:
            self._errors[path] = str(failure)
        self._results[path] = results_of(self._runs[path])
        self._write()

    def _write(self) -> None:
        rows = []
        for path, run in self._runs.items():
            error = self._errors.get(path, "")
            changes = [f"{key}={value}" for key, value in run.arm.changes.items()]
            rows.append(
                {
                    "run": _name(path, self._output),
                    "data_set": run.dataset,
                    "arm": run.arm.name,
                    "model": run.arm.model,
                    "recipe": run.arm.recipe,
                    "settings": " ".join(changes),
                    "seed": str(run.seed),
                    "status": "failed" if error else "done" if run.is_done() else "pending",
                    "error": error,
                    **self._results[path],
                }
            )
        columns = list(dict.fromkeys(key for row in rows for key in row))
        write_text(self._output / "sweep.csv", _to_csv(columns, rows))


def results_of(run: Run) -> dict[str, str]:
    """What a run's tests found so far, in the words of their files.

    Returns:
        By "family_metric_field", for those families that have a p-value.
    """
    found: dict[str, str] = {}
    directory = run.chain.run
    for file in (directory.basis_test_file, directory.purity_file):
        for row in _read(file):
            if row.get("p_value"):
                key = f"{row['family']}_{row['metric']}"
                found |= {f"{key}_{field}": row.get(field, "") for field in FIELDS}
    return found


def _settings(profile: Profile, run: Run) -> dict[str, Any]:
    """Everything that decides a run's results, on one level."""
    arm = run.arm
    recipe = recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))
    settings = flatten(dataclasses.asdict(recipe)) | {
        "data": " ".join(profile.flags_of(run.dataset)),
        "num_points": profile.num_points,
        "num_bases": profile.num_bases,
        "turned_factors": " ".join(arm.turned_factors),
    }
    if profile.predictor:
        settings |= {
            "predictor": profile.predictor,
            "num_purity_bases": profile.num_purity_bases,
            "num_purity_images": profile.num_purity_images,
        }
    return json.loads(json.dumps(settings))  # with lists for tuples, as it will be read again


def _name(path: Path, output: Path) -> str:
    return path.relative_to(output).as_posix()


def _read(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def _to_csv(columns: Iterable[str], rows: Iterable[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
