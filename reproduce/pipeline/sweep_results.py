"""A sweep's files: every run's settings, one row of results for each, a log of attempts."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from data.files import TEMPORARY_SUFFIX, InputError, write_text
from reproduce.metrics.registry import DECODER_SIDE
from reproduce.pipeline import jobs
from reproduce.pipeline.profile_runs import Run
from reproduce.pipeline.profiles import Profile
from reproduce.training import recipes
from reproduce.training.run_directory import flatten

PLAN, SWEEP, ATTEMPTS = FILES = ("plan.json", "sweep.csv", "attempts.csv")
FIELDS = ("observed", "null_mean", "z", "p_value")  # of a test that has a p-value, in sweep.csv
_ATTEMPT_COLUMNS = ("ended", "run", "outcome")


def claim(output: Path, profile: Profile, runs: Sequence[Run]) -> None:
    """Writes plan.json, every run's settings, or checks that those of old runs are the same.

    Runs can be added to a sweep and left out of it, but none can change. What a killed driver left
    half written is cleared away; the caller holds the sweep's lock.

    Raises:
        InputError: If a run was planned with other settings; the message names them.
    """
    for leftover in output.glob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)
    file = output / PLAN
    try:
        old = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
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
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is damaged ({error}); delete it to plan anew") from error
    write_text(file, json.dumps(old, indent=2, sort_keys=True) + "\n")


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
        self._attempts_file = output / ATTEMPTS
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
        write_text(self._output / SWEEP, _to_csv(columns, rows))


def results_of(run: Run) -> dict[str, str]:
    """What a run's tests found so far, in the words of their files.

    Returns:
        By "family_metric_field", for those families that have a p-value; the decoder side's
        metrics bear their prefix.
    """
    found: dict[str, str] = {}
    directory = run.chain.run
    for file, prefix in (
        (directory.basis_test_file, ""),
        (directory.decoder_test_file, DECODER_SIDE),
        (directory.purity_file, ""),
    ):
        for row in _read(file):
            if row.get("p_value"):
                key = f"{row['family']}_{prefix}{row['metric']}"
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
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def _to_csv(columns: Iterable[str], rows: Iterable[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
