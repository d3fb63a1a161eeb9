"""Chains in one pool: what starts when, what failures keep from starting, when it will end."""

from __future__ import annotations

import itertools
import os
import pty
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from reproduce.pipeline import jobs, profile_runs
from reproduce.pipeline.forecast import Forecast
from reproduce.pipeline.profiles import PROFILES
from reproduce.training import progress
from reproduce.training.run_directory import RunDirectory

_MOMENTS = itertools.count()


class Executor:
    """Does no more than write each step's target, or fail, and keeps the order."""

    def __init__(self, room: int, broken: tuple[str, ...] = ()) -> None:
        self.leash = jobs.Leash()
        self.started: list[str] = []
        self._room = room
        self._broken = list(broken)
        self._pool = ThreadPoolExecutor(room)

    def room(self) -> int:
        return self._room

    def submit(self, chain):
        self.started.append(str(chain))
        return self._pool.submit(self._run, chain)

    def stop(self) -> None:
        raise AssertionError

    def _run(self, chain):
        if str(chain) in self._broken:
            self._broken.remove(str(chain))
            return jobs.Failure("a.step", "status 1", "no")
        for step in chain.steps:
            step.target.parent.mkdir(parents=True, exist_ok=True)
            step.target.touch()
            made = next(_MOMENTS)  # a clock that never stands still
            os.utime(step.target, ns=(made, made))
        return None


def chain(folder: Path, name: str, *after: jobs.Chain) -> jobs.Chain:
    sources = tuple(before.steps[-1].target for before in after)
    step = jobs.Step(("a.step",), folder / name / "made", sources)
    return jobs.Chain(RunDirectory(folder / name), 0, (step,), after)


def test_a_chain_waits_for_those_before_it_and_others_overtake_it(tmp_path):
    a, b = chain(tmp_path, "a"), chain(tmp_path, "b")
    both = chain(tmp_path, "both", a, b)
    executor = Executor(1)
    assert jobs.run_chains([a, both, b, chain(tmp_path, "c")], executor, "all") == {}
    assert executor.started == ["a", "b", "both", "c"]
    again = Executor(1)
    assert jobs.run_chains([a, both, b], again, "all") == {}
    assert again.started == []
    a.steps[0].target.unlink()
    jobs.run_chains([a, both, b], again, "all")
    assert again.started == ["a", "both"]  # which was made of the old one


def test_what_comes_after_a_failure_does_not_start(tmp_path):
    a = chain(tmp_path, "a")
    after = chain(tmp_path, "after", a)
    last, other = chain(tmp_path, "last", after), chain(tmp_path, "other")
    ended = []
    executor = Executor(1, ("a", "a"))
    failures = jobs.run_chains(
        [a, after, last, other], executor, "all", 1, lambda *end: ended.append(end)
    )
    assert list(failures) == [a]
    assert executor.started == ["a", "other", "a"]
    assert [(str(c), failure is None) for c, failure, _ in ended] == [
        ("a", False),
        ("other", True),
        ("a", False),
    ]
    assert jobs.run_chains([a, after, last, other], executor, "all") == {}


def test_the_first_pair_is_tested_first_and_a_long_chain_is_not_the_last(tmp_path):
    for name in ("quick", "paper"):
        profile = PROFILES[name]
        runs = profile_runs.plan(profile, {"dsprites": tmp_path})
        ordered = list(map(str, profile_runs.order(runs)))
        assert len(ordered) == len(set(ordered))
        assert len(ordered) == 2 * len(runs) + len({str(run.predictor) for run in runs})
        pair = [run.path.name for run in runs[:2]]
        size = ordered[0]
        assert size.startswith("predictor ")
        assert ordered[1:5] == [pair[0], f"decoder of {pair[0]}", pair[1], f"decoder of {pair[1]}"]
        assert not any("glow" in title for title in ordered[-4:])
        seeds = [title.rpartition("-seed")[2] for title in ordered if "-seed" in title]
        assert sorted(seeds, key=int) == seeds


def test_an_early_page_names_what_is_to_come(tmp_path):
    runs = profile_runs.plan(PROFILES["quick"], {"dsprites": tmp_path})
    pages = []
    early = profile_runs.EarlyPages(runs, lambda done, text: pages.append((list(done), text)))

    def finish(run):
        for step in (*run.predictor.steps, *run.chain.steps, *run.decoder_tests.steps):
            if not step.is_done():
                step.target.parent.mkdir(parents=True, exist_ok=True)
                step.target.touch()

    for run in (runs[0], runs[2], runs[1]):
        finish(run)
        early.update(None)
    for run in runs[3:]:
        finish(run)
    early.close()
    # Others may be added while it is written, but none without the first pair.
    assert all(set(runs[:2]) <= set(done) for done, _ in pages)
    for done, text in pages:
        assert f"{len(done)} of {len(runs)} runs are tested" in text
        for run in runs:
            assert (f"{run.arm.name}, seed" in text) or all(
                other in done for other in runs if other.arm is run.arm
            )


def test_the_forecast_is_a_schedule():
    forecast = Forecast()
    assert forecast.remaining([("a", 5, 0.0)], ["a"], 2) is None
    # Half done after 30 s: 30 s more; the next of its kind takes 60 s, on the other core.
    assert forecast.remaining([("a", 30, 0.5)], ["a"], 2) == pytest.approx(60)
    assert forecast.remaining([("a", 30, 0.5)], ["a"], 1) == pytest.approx(90)
    forecast.end("a", 10)
    forecast.end("a", 20)
    forecast.end("b", 45)
    assert forecast.remaining([], ["a", "b", "unknown"], 1) == pytest.approx(15 + 45 + 30)
    assert forecast.remaining([("a", 14, 0.0), ("b", 50, 0.0)], ["b"], 2) == pytest.approx(45)
    assert forecast.remaining([], [], 2) == 0


def test_a_log_gets_a_line_a_minute_and_nothing_before(capsys, monkeypatch):
    # Other tests silence it (tests/conftest.py), so that it is asked for here.
    seconds = itertools.count(0, 15)  # it is updated every quarter of a minute
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    with progress.bar(desc="work", total=10, unit=" things", mininterval=0, disable=False) as bar:
        for _ in range(2):
            bar.update()
        assert capsys.readouterr().err == ""
        for _ in range(7):
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(", ends in ")[0] for line in lines] == [
        "work: 30%, 3 of 10 things",
        "work: 70%, 7 of 10 things",
    ]


def test_a_terminal_gets_a_bar(monkeypatch):
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.bar(range(3), desc="work", disable=False) as bar:
            assert list(bar) == [0, 1, 2]
        assert b"\r" in os.read(master, 10_000)
    os.close(master)
