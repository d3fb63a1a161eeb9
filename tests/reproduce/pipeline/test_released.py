"""Released weights: laid out where a job expects trained runs, and used as they were trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from data.files import InputError, save_npz
from reproduce.pipeline import profile_runs, released
from reproduce.pipeline.profiles import PROFILES
from reproduce.training.recipes import RECIPES
from reproduce.training.run_directory import RunConfig, RunDirectory

PROFILE = PROFILES["released"]
WEIGHTS = {"weights/a": np.array([1 / 3, 1e-3], np.float16), "optimizer/m": np.zeros(2)}


class Variable:
    """As much of a variable as a run directory uses."""

    def __init__(self):
        self.value, self.shape = None, (2,)

    def assign(self, value):
        self.value = value


def make_run(path, recipe="patch"):
    run = RunDirectory(path)
    run.claim(RunConfig(RECIPES[recipe], "dsprites", "rendered", None, "0", (32, 32, 1), 30))
    return run


@pytest.fixture
def results(tmp_path, monkeypatch):
    folder = tmp_path / "released"
    monkeypatch.setattr(released, "RESULTS", folder)
    monkeypatch.setattr(released, "_PREDICTORS", folder / "predictors")
    for name in ("quick/runs/beta_vae-diagonal-seed30", "predictors/dsprites-32"):
        run = make_run(folder / name)
        save_npz(run.weights_file, WEIGHTS)
        run.training_file.write_text("step,loss\n16000,1\n", encoding="utf-8")
    return folder


def test_a_checkpoint_is_used_as_its_released_weights_are(tmp_path):
    trained, other = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    assert not trained.is_finished()
    exact = {"weights/a": np.array([1 / 3, 1e-3], np.float32), "optimizer/m": np.ones(2)}
    trained.save_checkpoint(16_000, exact)
    assert trained.is_finished()
    kept = trained.final_weights()
    assert list(kept) == ["weights/a"]
    save_npz(other.weights_file, kept)
    variables = {"weights/a": Variable(), "optimizer/m": Variable()}
    for run in (trained, other):
        variables["weights/a"].value = None
        run.load_finished(variables)
        assert variables["weights/a"].value.dtype == np.float32
        np.testing.assert_array_equal(variables["weights/a"].value, np.float16([1 / 3, 1e-3]))
        assert variables["optimizer/m"].value is None


def test_weights_of_other_recipes_stay_as_they_were(tmp_path):
    run = make_run(tmp_path, "quick_32")
    run.save_checkpoint(5_000, {"weights/a": np.array([1 / 3, 0], np.float32)})
    np.testing.assert_array_equal(run.final_weights()["weights/a"], np.float32([1 / 3, 0]))


def test_nothing_is_left_to_train(results, tmp_path):
    output = tmp_path / "output"
    released.lay_out_runs(PROFILE, "dsprites", output)
    released.lay_out_predictors(PROFILE, "dsprites", output)
    run, *others = profile_runs.plan(PROFILE, {"dsprites": output})
    assert run.chain.steps[0].is_done()
    assert run.predictor.is_done()
    assert not run.chain.steps[1].is_done()
    assert not any(other.chain.steps[0].is_done() for other in others)  # which were not released


def test_a_run_that_is_there_is_not_replaced(results, tmp_path):
    own = make_run(tmp_path / "output" / "runs" / "beta_vae-diagonal-seed30", "quick_32")
    before = own.config_file.read_bytes()
    released.lay_out_runs(PROFILE, "dsprites", tmp_path / "output")
    assert own.config_file.read_bytes() == before
    assert not own.weights_file.exists()


def test_a_profile_that_trains_takes_no_runs_and_one_without_weights_says_so(results, tmp_path):
    released.lay_out_runs(PROFILES["quick"], "dsprites", tmp_path)
    assert not (tmp_path / "runs").exists()
    with pytest.raises(InputError, match="no weights were released of faces"):
        released.lay_out_runs(PROFILE, "faces", tmp_path)
    mine = dataclasses.replace(PROFILE, arms={"mine": PROFILE.arms["dsprites"]})
    with pytest.raises(InputError, match="no weights were released of mine"):
        released.lay_out_runs(mine, "mine", tmp_path)


def test_verdicts_are_compared(results, tmp_path):
    table = pd.DataFrame(
        {
            "model": ["a", "b"],
            "metric": "mig",
            "haar_observed": [0.1, 0.2],
            "haar_p": [0.01, 0.5],
            "special": [True, False],
        }
    )
    table.to_csv(results / "quick" / "verdict.csv", index=False)
    table["haar_observed"] += [0, 0.003]
    table["special"] = True
    table.to_csv(tmp_path / "verdict.csv", index=False)
    said = released.compare(PROFILE, "dsprites", tmp_path)
    assert said.endswith("1 of 2 verdicts alike; scores differ by up to 0.003, p-values by up to 0")
