"""A run whose files were damaged is named, and does not count as finished."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from test_recipes_runs import CONFIG, RECIPE, Variable

from data.files import InputError, write_text
from reproduce.reporting import page
from reproduce.reporting.seed_results import SeedResult
from reproduce.training import recipes
from reproduce.training.run_directory import RunDirectory, read_log

LOG = "step,loss\n" + "".join(f"{step},{100 / step}\n" for step in range(10, 61, 10))


@pytest.fixture
def finished(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.claim(CONFIG)
    for step in (40, 60):
        run.save_checkpoint(step, {"a": np.arange(5.0)})
    write_text(run.training_file, LOG)
    run.check_end()
    return run


def test_a_stray_file_among_checkpoints_is_none(finished):
    for name in ("step_backup.npz", "step_.npz", "step_60 (copy).npz", "notes.txt"):
        (finished.checkpoint_dir / name).write_bytes(b"")
    assert list(finished.checkpoints()) == [40, 60]
    finished.load_finished({"a": Variable(np.zeros(5))})


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_damaged_last_checkpoint_is_no_end(finished, share):
    file = finished.checkpoints()[60]
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"step_00000060\.npz.*checkpoint before"):
        finished.check_end()


@pytest.mark.parametrize("kept", [0, 5, 12, len(LOG) // 2, len(LOG) - 25])
def test_a_cut_log_is_no_end(finished, kept):
    write_text(finished.training_file, LOG[:kept])
    with pytest.raises(InputError, match=r"training\.csv is damaged or cut short"):
        finished.check_end()


def test_a_log_that_lacks_what_was_logged_is_not_gone_on_with(finished):
    logged = range(RECIPE.log_every, 41, RECIPE.log_every)
    assert len(read_log(finished.training_file, ["step", "loss"], logged)) == 6
    write_text(finished.training_file, LOG[: LOG.index("30,")])
    with pytest.raises(InputError, match="no row of step 30"):
        read_log(finished.training_file, ["step", "loss"], logged)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "one"),
        ("seed", 1.5),
        ("seed", -1),
        ("seed", True),
        ("dataset", None),
        ("image_shape", [32, "32", 1]),
        ("num_steps", "60"),
        ("num_steps", float("nan")),
        ("batch_size", [8]),
        ("num_latents", "ten"),
        ("num_latents", 2.5),
        ("beta", float("inf")),
        ("centred", "no"),
    ],
)
def test_a_setting_of_another_kind_is_named(finished, key, value):
    content = json.loads(finished.config_file.read_text())
    recipe = content["recipe"]
    next(part for part in (content, recipe, recipe["settings"]) if key in part)[key] = value
    write_text(finished.config_file, json.dumps(content))
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        finished.read_config()


def test_a_run_of_another_model_is_named(finished):
    other = dataclasses.replace(CONFIG, recipe=recipes.find("glow", "glow_smoke"))
    with pytest.raises(InputError, match=r"other settings \(model beta_vae there, glow asked\)"):
        finished.claim(other)
    settings = dataclasses.replace(other.recipe.settings, depth=9)
    deeper = dataclasses.replace(other, recipe=dataclasses.replace(other.recipe, settings=settings))
    run = RunDirectory(finished.path / "glow")
    run.claim(other)
    with pytest.raises(InputError, match=r"other settings \(depth \d+ there, 9 asked\)"):
        run.claim(deeper)


def test_a_blank_name_is_no_run(tmp_path):
    with pytest.raises(InputError, match="blank name"), RunDirectory(tmp_path / " ").locked():
        pass
    assert not (tmp_path / " ").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", "\ufeff{}", "[" * 100_000])
def test_a_damaged_config_is_named(finished, text):
    write_text(finished.config_file, text)
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        finished.read_config()


@pytest.mark.parametrize("value", [np.nan, np.inf, "text"])
def test_weights_that_are_no_numbers_are_named(finished, value):
    finished.save_checkpoint(60, {"a": np.array([1.0, 2, 3, 4, value])})
    with pytest.raises(InputError, match=r"step_00000060\.npz .*\(a\)"):
        finished.load_finished({"a": Variable(np.zeros(5))})


@pytest.mark.parametrize("text", ["", "[]", "{", "\0", "[" * 100_000])
def test_a_damaged_environment_is_named(finished, text):
    assert finished.read_environment() == {}
    write_text(finished.environment_file, text)
    with pytest.raises(InputError, match=r"environment\.json is damaged"):
        finished.read_environment()
    result = SeedResult("a", "", 0, None, None, {}, run=finished)
    with pytest.raises(InputError, match=r"environment\.json is damaged"):
        page._environments([result])
