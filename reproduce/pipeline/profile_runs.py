"""A profile's runs as one job: planned, executed, judged and reported.

The main job is such a grid on one data set, with a page; a sweep is one on several, with a table.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data.files import write_text
from reproduce import program
from reproduce.pipeline import chains, jobs
from reproduce.pipeline.profiles import PlannedArm, Profile

_MAX_FLAG = 100_000  # characters; Linux takes no argument that is much longer


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One seed of one arm on one data set.

    Attributes:
        dataset: The data set's name in the profile.
        arm: What is trained.
        seed: All its programs'.
        chain: From its training to its basis test.
        predictor: What its decoder's tests wait for, shared with other runs.
        decoder_tests: The tests of its decoder, if there are to be any.
    """

    dataset: str
    arm: PlannedArm
    seed: int
    chain: jobs.Chain
    predictor: jobs.Chain | None = None
    decoder_tests: jobs.Chain | None = None

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.chain.run.path

    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.chain.is_done() and (self.decoder_tests is None or self.decoder_tests.is_done())

    def failure(self, failures: Mapping[jobs.Chain, jobs.Failure]) -> jobs.Failure | None:
        """Why it cannot be done, if one of its chains has failed."""
        own = (self.predictor, self.chain, self.decoder_tests)
        return next((failures[chain] for chain in own if chain and chain in failures), None)


def plan(profile: Profile, folders: Mapping[str, Path]) -> list[Run]:
    """The runs of a profile, seed by seed.

    Args:
        profile: What is run.
        folders: Where each data set's results go; others than these are left out.
    """
    runs, predictors = [], {}
    for seed, (dataset, folder) in itertools.product(profile.seeds, folders.items()):
        for arm in profile.arms[dataset]:
            if arm.num_seeds and seed not in profile.seeds[: arm.num_seeds]:
                continue
            chain = chains.of_run(folder, dataset, profile, arm, seed)
            if not profile.predictor:
                runs.append(Run(dataset, arm, seed, chain))
                continue
            size = chains.image_size(arm)
            if (dataset, size) not in predictors:
                predictors[dataset, size] = chains.of_predictor(folder, dataset, profile, size)
            predictor = predictors[dataset, size]
            test = chains.of_decoder_tests(profile, chain, predictor, seed)
            runs.append(Run(dataset, arm, seed, chain, predictor, test))
    return runs


def order(runs: Sequence[Run]) -> list[jobs.Chain]:
    """The chains of runs as they should start.

    The first pair of arms comes first, so that there is something to read early. From then on it is
    seed by seed, and in each from the last arm, which takes longest, to the first: so no core waits
    for a long one's end. Whatever a run needs comes right before it, and its last test right after.
    """
    pair, rest = runs[:2], runs[2:]
    seeds = itertools.groupby(rest, key=lambda run: run.seed)
    ordered = [*pair, *itertools.chain(*(reversed(list(of_seed)) for _, of_seed in seeds))]
    found = [chain for run in ordered for chain in (run.predictor, run.chain, run.decoder_tests)]
    return list(dict.fromkeys(chain for chain in found if chain))


def judge(folder: Path, runs: Sequence[Run], leash: jobs.Leash) -> None:
    """Writes verdict.csv and contrast.csv of finished runs into a folder.

    Raises:
        RunError: If a run's file is missing or damaged; it is named.
    """
    output = folder / "verdict.csv"
    step = jobs.Step(("reproduce.verdict", _flag(folder, runs), f"--output={output}"), output)
    jobs.run_step(step, folder / "log.txt", leash)


def report(
    folder: Path, runs: Sequence[Run], leash: jobs.Leash, profile: str, unfinished: str = ""
) -> None:
    """Writes report.html of runs that were judged into their folder.

    Args:
        folder: Where the verdict is.
        runs: Those that were judged.
        leash: In which the program runs.
        profile: The profile's name.
        unfinished: What is still to come, if anything.

    Raises:
        RunError: If the page could not be written.
    """
    output = folder / "report.html"
    arguments = (
        "reproduce.report",
        _flag(folder, runs),
        f"--verdict={folder / 'verdict.csv'}",
        f"--profile={profile}",
        f"--output={output}",
        *([f"--unfinished={unfinished}"] if unfinished else []),
    )
    jobs.run_step(jobs.Step(arguments, output), folder / "log.txt", leash)


def sentences(folder: Path) -> list[str]:
    """What was judged in a folder, in words."""
    import pandas as pd

    tables = (pd.read_csv(folder / name) for name in ("verdict.csv", "contrast.csv"))
    return [sentence for table in tables for sentence in table["sentence"]]


def still_to_come(runs: Sequence[Run], done: Sequence[Run], end: datetime.datetime | None) -> str:
    """What an unfinished page says of the runs that are not on it, and when they will be.

    Args:
        runs: All of them.
        done: Those on the page; others may have ended since.
        end: When all should be there, if that can be told.
    """
    waiting = [run for run in runs if run not in done]
    arms = {
        name: ", ".join(str(run.seed) for run in waiting if run.arm.name == name)
        for name in dict.fromkeys(run.arm.name for run in waiting)
    }
    named = "; ".join(f"{name}, seed{'s' * (',' in seeds)} {seeds}" for name, seeds in arms.items())
    when = f" All will be here about {jobs.clock(end)}." if end else ""
    return f"{len(done)} of {len(runs)} runs are tested. Still to come: {named}.{when}"


class EarlyPages:
    """Writes a page whenever another run is done, once the first pair is; one page at a time.

    Args:
        runs: All of them, the first pair in front.
        write: Writes a page of some of them, on which is said what is still to come.
    """

    def __init__(self, runs: Sequence[Run], write: Callable[[Sequence[Run], str], object]) -> None:
        self._runs = runs
        self._write = write
        self._writer = ThreadPoolExecutor(1)
        self._num_shown = 0

    def update(self, end: datetime.datetime | None) -> None:
        """Has a page written if there is something new to show; returns at once.

        What fails then is not told: it fails again when all runs are done.
        """
        self._writer.submit(self._page, end)

    def close(self) -> None:
        """Waits until everything that there is to show is shown."""
        self._writer.shutdown()

    def _page(self, end: datetime.datetime | None) -> None:
        done = [run for run in self._runs if run.is_done()]
        has_pair = all(run in done for run in self._runs[:2])
        if has_pair and self._num_shown < len(done) < len(self._runs):
            self._num_shown = len(done)
            self._write(done, still_to_come(self._runs, done, end))


def _flag(folder: Path, runs: Sequence[Run]) -> str:
    """The runs as a flag, by a file if they are too many for a command line."""
    flag = f"--runs={program.listed([run.path for run in runs])}"
    if len(flag) <= _MAX_FLAG:
        return flag
    file = folder / "runs.flags"
    write_text(file, f"{flag}\n")
    return f"--flagfile={file}"
