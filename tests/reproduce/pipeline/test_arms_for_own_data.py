"""The main job on a user's own data set: which models it gets, and from the file to the verdict."""

from __future__ import annotations

import numpy as np
import pytest

from data import own_npz
from data.files import InputError
from reproduce.pipeline import arms_for_own_data
from reproduce.pipeline.profiles import PROFILES
from reproduce.training import recipes


def write(path, shape, top=255, num_factors=3):
    """Noise of those sides and channels, with factors that say nothing about it."""
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(40, num_factors))
    factors[:4] = np.arange(4)[:, None]
    names = [f"factor {j}" for j in range(num_factors)]
    images = (rng.random((40, *shape)) * (top + 0.999)).astype(np.uint8)
    images[0].flat[:2] = [0, top]
    np.savez(
        path, images=images, factors=factors, factor_names=names, factor_sizes=[4] * num_factors
    )
    return path


def settings_of(arm):
    return recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper"])
def test_colour_gets_the_arms_of_faces_and_binary_those_of_dsprites(tmp_path, profile):
    for shape, top, like in (((64, 64, 3), 255, "faces"), ((64, 64, 1), 1, "dsprites")):
        path = write(tmp_path / "mine.npz", shape, top)
        name, planned = arms_for_own_data.plan(PROFILES[profile], path)
        arms, models = planned.arms[name], PROFILES[profile].arms[like]
        assert (name, set(planned.arms)) == ("mine", {"mine"})
        assert [(a.name, a.model, a.recipe) for a in arms] == [
            (a.name, a.model, a.recipe) for a in models
        ]
        assert planned.flags_of("mine") == ("--dataset=npz", f"--data_file={path}")
        for arm, model in zip(arms, models, strict=True):
            assert settings_of(arm).image_size == settings_of(model).image_size
            if arm.model == "infogan":
                assert settings_of(arm).settings.num_codes == 3


@pytest.mark.parametrize(
    ("height", "width", "seen"),
    [(16, 16, 16), (32, 32, 32), (48, 48, 16), (64, 48, 64), (80, 160, 16), (128, 64, 32)],
)
def test_images_are_averaged_down_as_far_as_the_arms_see_them_and_sides_allow(
    tmp_path, height, width, seen
):
    path = write(tmp_path / "mine.npz", (height, width, 3))
    name, planned = arms_for_own_data.plan(PROFILES["quick"], path)
    for arm in planned.arms[name]:
        dataset = own_npz.load(path).at_size(settings_of(arm).image_size)
        assert dataset.image_shape[0] == seen
        assert not dataset.image_shape[0] % 16
        assert not dataset.image_shape[1] % 16


def test_a_name_that_is_taken_and_a_single_factor(tmp_path):
    path = write(tmp_path / "faces.npz", (32, 32, 3), num_factors=1)
    name, planned = arms_for_own_data.plan(PROFILES["quick"], path)
    assert name == "faces-own"
    assert [a.changes["num_codes"] for a in planned.arms[name] if a.model == "infogan"] == ["2"]


def test_factors_that_are_not_there_are_not_turned(tmp_path):
    name, planned = arms_for_own_data.plan(
        PROFILES["controls"], write(tmp_path / "mine.npz", (64, 64, 1), 1)
    )
    assert any(arm.turned_factors for arm in PROFILES["controls"].arms["dsprites"])
    assert not any(arm.turned_factors for arm in planned.arms[name])


def test_what_no_model_takes_is_refused(tmp_path):
    with pytest.raises(InputError, match="images are 50 x 64; expected sides that are multiples"):
        arms_for_own_data.plan(PROFILES["quick"], write(tmp_path / "mine.npz", (50, 64, 3)))
    with pytest.raises(InputError, match="no models for images that are not binary"):
        arms_for_own_data.plan(PROFILES["controls"], write(tmp_path / "mine.npz", (64, 64, 3)))


def test_the_main_job_trains_on_the_file(run_program, tmp_path):
    """Up to its trainings, which refuse folders that hold others: the whole takes a minute."""
    path = write(tmp_path / "mine.npz", (48, 48, 3))
    output = tmp_path / "out-mine"
    for run in (output / "predictors" / "16", output / "runs" / "infogan-seed0"):
        run.mkdir(parents=True)
        (run / "config.json").write_text("{}")
    flags = (f"--dataset={path}", "--profile=smoke", "--systems=infogan", "--workers=1")
    done = run_program("main_job", *flags, f"--output={tmp_path / 'out'}")
    assert done.returncode == 1
    for run in ("predictors/16", "runs/infogan-seed0"):
        assert f"reproduce.train on {output / run} (status 2)" in done.stderr
        log = (output / run / "log.txt").read_text()
        assert f"--dataset=npz --data_file={path}" in log
        assert "config.json" in log


def test_a_missing_file_takes_one_line(run_program):
    done = run_program("main_job", "--dataset=nowhere.npz")
    assert done.returncode == 2
    assert "nowhere.npz" in done.stderr
    assert done.stderr.count("\n") == 1
