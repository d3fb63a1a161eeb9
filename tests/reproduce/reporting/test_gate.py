"""Which runs are good enough to be judged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from data.files import InputError
from reproduce.reporting import gate
from reproduce.training.recipes import RECIPES
from reproduce.training.run_directory import RunConfig, RunDirectory


def made(tmp_path, recipe="patch", read=(1, 1, 0.9), real=(1, 1, 1), distance=(0, 0, 0), told=0.7):
    run = RunDirectory(tmp_path)
    run.claim(RunConfig(RECIPES[recipe], "dsprites", "rendered", None, "0", (32, 32, 1), 0))
    table = pd.DataFrame(
        dict(zip(gate.COLUMNS, (["a", "b", "c"], real, read, distance), strict=True))
    )
    table.to_csv(run.quality_file, index=False)
    steps = np.arange(1, 41)
    log = pd.DataFrame({"step": steps, "discriminator_accuracy": np.where(steps > 36, told, 0.5)})
    log.to_csv(run.training_file, index=False)
    return run


def test_factors_count_where_they_are_read(tmp_path):
    outcome = gate.judge(made(tmp_path, read=(0.8, 0.79, 0.73), real=(1, 1, 0.9)), 0.1)
    assert outcome == gate.Outcome(("a", "c"), ("b",), ())
    assert outcome.passes


def test_one_factor_is_not_enough_nor_is_a_weak_supervised_rotation(tmp_path):
    outcome = gate.judge(made(tmp_path, read=(0.9, 0.1, np.nan)), 0.099)
    assert outcome.counted == ("a",)
    assert len(outcome.reasons) == 2
    assert "1 of 3 factors" in outcome.reasons[0]
    assert "MIG of the supervised rotation 0.099; at least 0.1" in outcome.reasons[1]
    assert "not tested" in gate.judge(RunDirectory(tmp_path), None).reasons[1]
    assert not gate.judge(RunDirectory(tmp_path), float("nan")).passes


def test_a_gan_is_judged_by_its_samples_and_its_discriminator(tmp_path):
    bad = {"read": (0, 0, 0)}  # it need not reconstruct anything
    run = made(tmp_path / "a", "infogan_r1", distance=(0.1, 0.2, 0.5), **bad)
    assert gate.judge(run, 0.2) == gate.Outcome(("a", "b"), ("c",), ())
    run = made(tmp_path / "b", "infogan_r1", told=0.54, **bad)
    (reason,) = gate.judge(run, 0.2).reasons
    assert "tells 0.54 of the images" in reason


def test_an_arm_passes_by_two_thirds_of_its_seeds():
    good, bad = gate.Outcome(("a", "b"), (), ()), gate.Outcome((), ("a", "b"), ("why",))
    assert gate.of_arm([good, good, bad]) == {
        "gate": gate.PASSED,
        "gate_passed": 2,
        "gate_reasons": "why",
    }
    assert gate.of_arm([good, bad, bad])["gate"] == gate.FAILED
    assert gate.of_arm([good, None])["gate"] == gate.NOT_MEASURED


def test_what_was_not_measured_is_no_failure_and_what_is_damaged_is_named(tmp_path):
    run = made(tmp_path)
    run.quality_file.write_text("factor,read\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"quality.csv: damaged"):
        gate.judge(run, 0.2)
    run.quality_file.unlink()
    assert gate.judge(run, 0.2) is None
    assert dataclasses.is_dataclass(gate.Outcome)
