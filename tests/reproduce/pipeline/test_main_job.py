"""The main job from nothing to the report, at the smoke profile."""

import dataclasses
import html
import itertools
import os
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from programs import ROOT

from data import DATASETS, dsprites
from models.registry import PRIMARY
from models.settings import BetaVAESettings
from reproduce.basis import representation
from reproduce.pipeline import profiles
from reproduce.reporting import names, page, seed_results, seed_verdicts
from reproduce.training import recipes
from reproduce.training.run_directory import RunDirectory
from reproduce.training.trained_model import draw_images

VAES = ("beta_vae-diagonal", "beta_vae-full_covariance")
ARMS = (*VAES, "infogan", "glow")


@pytest.fixture(scope="module")
def watched_job(start_program, tmp_path_factory):
    """The job, and its first page."""
    output = tmp_path_factory.mktemp("job")
    flags = ["--profile=smoke", f"--output={output}", "--workers=1"]
    process = start_program("main_job", *flags)
    report = output / "report.html"
    while not report.exists() and process.poll() is None:
        time.sleep(0.1)
    first = report.read_text() if report.exists() else ""
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    done = subprocess.CompletedProcess(process.args, 0, stdout, stderr)
    return output, done, flags, first


@pytest.fixture(scope="module")
def job(watched_job):
    return watched_job[:3]


def test_it_ends_with_the_report_and_the_time(job):
    output, done, _ = job
    assert f"Report: {output / 'report.html'}" in done.stdout
    assert re.search(r"Time: \d+ min \d\d s", done.stdout)
    for sentence in pd.read_csv(output / "verdict.csv")["sentence"]:
        assert sentence in done.stdout


def test_every_step_wrote_its_files(job):
    output = job[0]
    for arm in ARMS:
        run = output / "runs" / f"{arm}-seed0"
        names = {path.name for path in run.iterdir()}
        assert names >= {
            "config.json",
            "training.csv",
            "representation.npz",
            "basis_test.csv",
            "null.npz",
            "traversals.npz",
            "traversals.csv",
            "traversal_purity.csv",
            "purity_null.npz",
            "leakage.csv",
            "labelled_directions.csv",
            "predictor_accuracy.csv",
            "decoder",
        }
        decoder = {path.name for path in (run / "decoder").iterdir()}
        assert decoder >= {"representation.npz", "basis_test.csv", "null.npz"}


def test_representations_belong_to_their_images(job):
    for arm in VAES:
        encoded = representation.load(job[0] / "runs" / f"{arm}-seed0" / "representation.npz")
        assert encoded.latents.shape == (2_000, 10)
        assert encoded.log_variance.shape == (2_000, 10)
        # Latents sit beside the factors of their own images: scale and position are linear
        # enough in them for a least-squares fit to find, and in shuffled ones it would not.
        predictors = np.hstack([encoded.latents, np.ones((2_000, 1))])
        position = encoded.factors[:, 3].astype(float)
        fitted = predictors @ np.linalg.lstsq(predictors, position, rcond=None)[0]
        assert np.corrcoef(fitted, position)[0, 1] > 0.3


def test_runs_may_encode_a_draw_that_is_not_their_own(job, run_program, tmp_path):
    run = job[0] / "runs" / f"{VAES[0]}-seed0"
    own = (run / "representation.npz").read_bytes()
    output = tmp_path / "same.npz"
    flags = ("--seed=5", "--num_points=50", f"--output={output}")
    done = run_program("represent", f"--run_dir={run}", *flags)
    assert done.returncode == 0, done.stderr
    drawn = draw_images(np.arange(dsprites.NUM_IMAGES), 50, 5)
    found = representation.load(output).factors
    np.testing.assert_array_equal(found, dsprites.all_factors()[drawn])
    assert (run / "representation.npz").read_bytes() == own


def test_the_report_is_one_file_that_says_what_the_table_says(job):
    output = job[0]
    page = (output / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "undefined" not in page.lower()
    for model, rows in pd.read_csv(output / "verdict.csv").groupby("model"):
        primary = names.primary_metric(model, list(rows["metric"]))
        assert rows.set_index("metric").loc[primary, "sentence"] in html.unescape(page)
    settings_of_each = ("full_covariance", "num_codes", "num_levels")
    for text in (*settings_of_each, "smoke", "tensorflow", "seed 0", "people"):
        assert text in page
    assert page.count("<svg") >= 5
    # What the gate looks at, samples and traversals; heat maps are pictures within their figures.
    assert page.count('src="data:image/png;base64,') == 3 * len(ARMS)


def test_the_first_page_is_of_the_first_pair_and_marked_as_unfinished(watched_job):
    output, _, _, first = watched_job
    assert "This page is unfinished" in first
    assert "<title>Unfinished" in first
    assert "2 of 4 runs are tested. Still to come: infogan, seed 0; glow, seed 0." in first
    assert "beta-VAE, full-covariance posterior" in first
    last = (output / "report.html").read_text()
    assert "nfinished" not in last
    assert "Still to come" not in last


def test_the_last_page_is_that_of_the_programs_by_themselves(job, run_program, tmp_path):
    output = job[0]
    runs = f"--runs={','.join(str(output / 'runs' / f'{arm}-seed0') for arm in ARMS)}"
    verdict = tmp_path / "verdict.csv"
    assert run_program("verdict", runs, f"--output={verdict}").returncode == 0
    assert verdict.read_bytes() == (output / "verdict.csv").read_bytes()
    page = tmp_path / "report.html"
    flags = (runs, f"--verdict={verdict}", "--profile=smoke", f"--output={page}")
    assert run_program("report", *flags).returncode == 0
    assert page.read_bytes() == (output / "report.html").read_bytes()


@pytest.mark.parametrize("arm", ["beta_vae-full_covariance", "glow"])
def test_a_page_can_do_with_a_single_arm(job, arm):
    results = seed_results.read_results([RunDirectory(job[0] / "runs" / f"{arm}-seed0")])
    table, contrasts = seed_verdicts.judge(results, seed=0)
    content = page.render(results, table, contrasts, "smoke", "a check", "all others")
    assert "all others" in content
    assert "was not made" in content


def test_every_model_has_a_verdict_by_its_primary_metric(job):
    table = pd.read_csv(job[0] / "verdict.csv").set_index(["model", "metric"])
    for model, metric in PRIMARY.items():
        row = table.loc[(model, metric)]
        assert 0 < row["haar_p"] <= 1
        assert row["holm_p"] >= row["haar_p"]
    # A decoder's latent blocks are standardised by their prior: they have one null alone.
    assert np.isnan(table.loc[("glow", "traversal_purity"), "haar_active_p"])
    assert np.isfinite(table.loc[("beta_vae/diagonal", "traversal_purity"), "haar_active_p"])


def test_both_sides_are_judged_and_labelled(job):
    output = job[0]
    table = pd.read_csv(output / "verdict.csv")
    page = (output / "report.html").read_text()
    for _, rows in table.groupby("model"):
        sides = rows.set_index("metric")["side"]
        assert sides["mig"] == "encoder"
        assert sides["decoder_mig"] == "decoder"
        sentences = rows.set_index("metric")["sentence"]
        assert "MIG (encoder side)" in sentences["mig"]
        assert "MIG (decoder side)" in sentences["decoder_mig"]
    assert page.count("<h2>MIG (encoder side): learned basis") == 1
    assert page.count("<h2>MIG (decoder side): learned basis") == 1
    assert "draws of the channels, decoded and read by 32" in page
    run = RunDirectory(output / "runs" / "glow-seed0")
    found = representation.load(run.decoder_representation_file)
    assert found.reading.num_drawn == 2_000
    np.testing.assert_allclose(found.latents.std(axis=0), 1, atol=0.1)


def test_what_is_done_is_not_done_again(job, run_program):
    output, _, flags = job
    before = {path: path.stat().st_mtime_ns for path in (output / "runs").rglob("*.npz")}
    pages = (output / "report.html").read_bytes()
    assert run_program("main_job", *flags).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (output / "runs").rglob("*.npz")} == before
    assert (output / "report.html").read_bytes() == pages


def test_a_failing_run_is_reported_after_the_others_are_done(job, run_program, tmp_path):
    output, _, flags = job
    broken = output / "runs" / f"{ARMS[0]}-seed0" / "basis_test.csv"
    encoded = broken.with_name("representation.npz")
    good, table = encoded.read_bytes(), broken.read_bytes()
    try:
        encoded.write_bytes(good[:100])
        broken.unlink()
        done = run_program("main_job", *flags)
    finally:
        encoded.write_bytes(good)
        broken.write_bytes(table)
    assert done.returncode == 1
    assert "reproduce.basis_test on" in done.stderr
    assert "log.txt" in done.stderr
    assert "Traceback" not in done.stderr


FAILING_JOB = """
import sys
from pathlib import Path
from reproduce import main_job, program

def reproduce(dataset, *others):
    if dataset == "faces":
        raise program.RunError("failed: faces")
    return Path(dataset)

main_job._reproduce = reproduce
program.run(main_job.main)
"""


def test_a_data_set_that_fails_stops_no_other(tmp_path):
    (tmp_path / "job.py").write_text(FAILING_JOB)
    flags = ["--profile=datasets", "--dataset=all", "--workers=1"]
    done = subprocess.run(
        [sys.executable, tmp_path / "job.py", *flags],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("failed: faces")
    reports = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Report")]
    assert reports == [
        f"{name}/report.html" for name in ("dsprites", "coloured_scene", "xysquares")
    ]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--profile=slow", "unknown profile 'slow'"),
        ("--systems=gan", "unknown system 'gan'"),
        ("--seeds=a", "expected whole numbers"),
    ],
)
def test_mistakes_take_one_line(run_program, flag, message):
    done = run_program("main_job", flag)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_profile_is_possible():
    for profile in profiles.PROFILES.values():
        for arms in profile.arms.values():
            assert len({arm.name for arm in arms}) == len(arms)
        for arm in itertools.chain(*profile.arms.values()):
            recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))


def test_the_datasets_profile_compares_posteriors_at_half_a_million_images():
    profile = profiles.PROFILES["datasets"]
    assert set(profile.arms) == {"dsprites", "coloured_scene", "xysquares", "faces"}
    assert set(profile.arms) <= set(DATASETS)
    others = [p.seeds for name, p in profiles.PROFILES.items() if name != "datasets"]
    assert profile.seeds == (50, 51, 52, 53, 54, 55)
    assert not set(profile.seeds) & set(itertools.chain(*others))
    for arms in profile.arms.values():
        found = [recipes.override(recipes.find(a.model, a.recipe), dict(a.changes)) for a in arms]
        assert [recipe.settings.posterior for recipe in found] == ["diagonal", "full_covariance"]
        for recipe in found:
            assert recipe.num_steps * recipe.batch_size == 512_000
            assert recipe.image_size == 32
            assert recipe.settings.ramp_steps < recipe.num_steps / 2


def test_the_objectives_profile_differs_in_the_objective_alone():
    profile = profiles.PROFILES["objectives"]
    others = [p.seeds for name, p in profiles.PROFILES.items() if name != "objectives"]
    assert profile.seeds == (40, 41, 42, 43, 44, 45)
    assert not set(profile.seeds) & set(itertools.chain(*others))
    shared = {f.name for f in dataclasses.fields(BetaVAESettings)} - {"objective", "posterior"}
    told = set()
    for arm in profile.arms["dsprites"]:
        recipe = recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))
        assert (recipe.num_steps, recipe.batch_size, recipe.image_size) == (8_000, 64, 32)
        told.add(tuple(sorted((name, getattr(recipe.settings, name)) for name in shared)))
    assert len(told) == 1
    assert len(profile.arms["dsprites"]) == 13


def test_the_paper_profile_is_locatellos_setting():
    profile = profiles.PROFILES["paper"]
    assert len(profile.seeds) == 12
    betas = set()
    assert {arm.model for arm in profile.arms["dsprites"]} == {"beta_vae", "infogan", "glow"}
    for arm in profile.arms["dsprites"]:
        if arm.model != "beta_vae":
            continue
        recipe = recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))
        betas.add(recipe.settings.beta)
        assert (recipe.num_steps, recipe.batch_size) == (300_000, 64)
        assert (recipe.settings.network, recipe.settings.learning_rate) == ("locatello2019", 1e-4)
    assert betas == {1, 2, 4, 6, 8, 16}


def test_images_are_drawn_once_by_the_seed():
    class Sized:
        def __len__(self):
            return 1_000

    first, again, other = (draw_images(Sized(), 100, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(set(first)) == 100
    assert np.array_equal(draw_images(Sized(), 5_000, 3), np.arange(1_000))
