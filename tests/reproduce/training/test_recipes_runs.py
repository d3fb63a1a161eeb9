"""Settings are converted and checked; a run directory refuses what is not its own or damaged."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from data.files import InputError
from models.registry import MODELS
from models.settings import BetaVAESettings
from reproduce.training import recipes
from reproduce.training.recipes import RECIPES, Recipe, find, override
from reproduce.training.run_directory import RunConfig, RunDirectory, find_runs

RECIPE = Recipe("beta_vae", BetaVAESettings(), 32, 60, log_every=10, checkpoint_every=20)
CONFIG = RunConfig(RECIPE, "npz", "rendered", "a.npz", "0123", (16, 32, 3), 7)


class Variable:
    """So much of a variable as a run directory uses."""

    def __init__(self, value):
        self.value = np.asarray(value)
        self.shape = self.value.shape

    def assign(self, value):
        self.value = value


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.claim(CONFIG)
    return run


def test_every_recipe_is_consistent():
    for name, recipe in RECIPES.items():
        assert override(recipe, {}) == recipe
        assert find(recipe.model, name) is recipe
    for name, model in MODELS.items():
        assert find(name, None) is RECIPES[model.default_recipe]


def test_values_are_converted_to_their_settings_type():
    changes = {"num_steps": "80", "beta": "1e1", "posterior": "full_covariance", "gamma": 3}
    changed = override(RECIPE, changes)
    settings = dataclasses.replace(
        RECIPE.settings, beta=10.0, posterior="full_covariance", gamma=3.0
    )
    assert changed == dataclasses.replace(RECIPE, num_steps=80, settings=settings)
    assert type(changed.num_steps) is int
    assert type(changed.settings.beta) is type(changed.settings.gamma) is float


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"betta": "4"}, "unknown setting 'betta'; expected one of .*beta"),
        ({"model": "glow"}, "unknown setting 'model'"),
        ({"settings": "x"}, "unknown setting 'settings'"),
        ({"num_steps": "1e3"}, "num_steps is '1e3'; expected a value like 60"),
        ({"beta": "inf"}, "beta is inf; expected a finite number"),
        ({"gamma": "nan"}, "gamma is nan; expected a finite number"),
        ({"beta": "four"}, "beta is 'four'; expected a value like 4.0"),
        ({"beta": "-4"}, "beta is -4.0; expected more than 0"),
        ({"network": "resnet"}, "unknown network 'resnet'; expected one of .*compact"),
        ({"num_steps": "-1"}, "num_steps is -1; expected at least 0"),
        ({"batch_size": "-1"}, "batch_size is -1; expected at least 1"),
        ({"log_every": "7"}, "checkpoint_every is 20; expected a multiple of log_every, 7"),
    ],
)
def test_wrong_setting_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        override(RECIPE, changes)


def test_unknown_model_and_recipe_are_refused_with_the_choices(monkeypatch):
    with pytest.raises(InputError, match="unknown model 'gan'; expected one of beta_vae"):
        find("gan", None)
    with pytest.raises(InputError, match=r"unknown recipe 'slow' for beta_vae; expected.*quick"):
        find("beta_vae", "slow")
    other = dataclasses.replace(RECIPE, model="other")
    monkeypatch.setitem(recipes.RECIPES, "others_own", other)
    with pytest.raises(InputError, match="unknown recipe 'others_own' for beta_vae"):
        find("beta_vae", "others_own")


def test_config_comes_back_from_json(run):
    assert RunConfig.from_json(CONFIG.to_json()) == CONFIG
    assert run.read_config() == CONFIG
    written = json.loads(run.config_file.read_text())
    assert written["recipe"]["settings"]["beta"] == 4.0
    assert (written["seed"], written["fingerprint"]) == (7, "0123")


def test_arm_names_the_posterior():
    assert CONFIG.arm == "beta_vae/diagonal"


def test_same_settings_claim_a_run_again(run):
    before = run.config_file.read_bytes()
    run.claim(CONFIG)
    assert run.config_file.read_bytes() == before


def test_other_settings_are_refused_by_name(run):
    recipe = override(RECIPE, {"beta": "5", "num_steps": "80"})
    before = run.config_file.read_bytes()
    with pytest.raises(InputError) as error:
        run.claim(dataclasses.replace(CONFIG, recipe=recipe, seed=8, fingerprint="89ab"))
    message = str(error.value)
    for part in (
        str(run.path),
        "beta 4.0 there, 5.0 asked",
        "num_steps 60 there, 80 asked",
        "seed 7 there, 8 asked",
        "fingerprint 0123 there, 89ab asked",
    ):
        assert part in message
    assert "gamma" not in message
    assert "\n" not in message
    assert run.config_file.read_bytes() == before


def test_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        RunDirectory(tmp_path).read_config()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"recipe": null}',
        CONFIG.to_json()[:200],
        CONFIG.to_json().replace('"beta_vae"', '"gan"'),
        CONFIG.to_json().replace('"beta"', '"betta"'),
        CONFIG.to_json().replace('"seed"', '"sead"'),
        "\udcff",
    ],
)
def test_damaged_config_is_named(run, text):
    run.config_file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError) as error:
        run.read_config()
    assert str(run.config_file) in str(error.value)
    assert "damaged" in str(error.value)


def test_a_run_is_locked_by_one_at_a_time(run):
    with run.locked():
        with pytest.raises(InputError, match="in use by another process"), run.locked():
            pass
        # Having been refused does not free it.
        with pytest.raises(InputError, match="in use by another process"), run.locked():
            pass
    with run.locked():
        pass


def test_locking_clears_what_a_killed_process_left(run):
    run.save_checkpoint(20, {"a": np.arange(3)})
    leftovers = [run.path / ".training.csv.x1.partial", run.checkpoint_dir / ".step.npz.x2.partial"]
    for leftover in leftovers:
        leftover.touch()
    with run.locked():
        assert not any(leftover.exists() for leftover in leftovers)
        assert set(run.checkpoints()) == {20}
        assert run.read_config() == CONFIG


def test_a_checkpoint_that_a_killed_process_did_not_drop_is_dropped(run):
    for step in (20, 40):
        run.save_checkpoint(step, {"weights/a": np.zeros(1)})
    oldest = run.checkpoint_dir / "step_00000000.npz"
    oldest.write_bytes((run.checkpoint_dir / "step_00000020.npz").read_bytes())
    with run.locked():
        assert list(run.checkpoints()) == [20, 40]


def test_last_two_checkpoints_are_kept_and_come_back(run):
    values = {"w": np.random.default_rng(0).random((2, 3), np.float32), "step": np.array(7)}
    for step in (5, 20, 100, 1000):
        run.save_checkpoint(step, {"w": values["w"] * step, "step": values["step"]})
    assert list(run.checkpoints()) == [100, 1000]
    variables = {"w": Variable(np.zeros((2, 3))), "step": Variable(0)}
    run.load_checkpoint(100, variables)
    np.testing.assert_array_equal(variables["w"].value, values["w"] * 100)
    assert variables["step"].value == 7


def test_damaged_checkpoint_is_named_with_the_way_on(run):
    run.save_checkpoint(20, {"w": np.arange(300)})
    file = run.checkpoints()[20]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="go on from the checkpoint before") as error:
        run.load_checkpoint(20, {"w": Variable(np.zeros(300))})
    assert str(file) in str(error.value)


@pytest.mark.parametrize("name_and_shape", [("w", (4,)), ("v", (3,))])
def test_another_models_checkpoint_is_refused(run, name_and_shape):
    name, shape = name_and_shape
    run.save_checkpoint(20, {"w": np.arange(3)})
    with pytest.raises(InputError, match=rf"does not fit the model \({name}\)"):
        run.load_checkpoint(20, {name: Variable(np.zeros(shape))})


def test_unfinished_run_is_said_to_be_so(run):
    variables = {"w": Variable(np.zeros(3))}
    with pytest.raises(InputError, match=r"unfinished \(step 0 of 60\)"):
        run.load_finished(variables)
    run.save_checkpoint(40, {"w": np.arange(3)})
    with pytest.raises(InputError, match=r"unfinished \(step 40 of 60\).*reproduce\.train"):
        run.load_finished(variables)
    run.save_checkpoint(60, {"w": np.arange(3) + 5})
    run.load_finished(variables)
    np.testing.assert_array_equal(variables["w"].value, [5, 6, 7])


def test_runs_are_found_singly_and_in_folders(tmp_path):
    for name in ("b", "a", "c/inner"):
        RunDirectory(tmp_path / name).claim(CONFIG)
    (tmp_path / "no_run").mkdir()
    found = find_runs([str(tmp_path), str(tmp_path / "c" / "inner")])
    assert [run.path.relative_to(tmp_path).as_posix() for run in found] == ["a", "b", "c/inner"]
    with pytest.raises(InputError, match="no_run holds no run"):
        find_runs([str(tmp_path / "no_run")])
