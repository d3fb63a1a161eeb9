"""Verdicts over seeds: on planted arms, from files to sentences."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from data.files import InputError, save_npz, write_text
from reproduce.basis import assessment, bases, representation
from reproduce.basis.representation import Representation
from reproduce.reporting import page, seed_results, seed_verdicts, verdict_words
from reproduce.training import recipes
from reproduce.training.run_directory import RunConfig, RunDirectory, find_runs

FAMILIES = ["haar_active", "haar", "signed_permutation", "pca", "ica", "geodesic"]


def plant(folder, seed, posterior, is_aligned, collapsed=False, beta=4.0):
    """A tested run whose latents are the factors, or a rotation of them, or nearly nothing."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(5, size=(600, 4))
    latents = (factors - 2) / 1.5 + 0.2 * rng.normal(size=(600, 4))
    if not is_aligned:
        latents = latents @ bases.haar(1, 4, rng)[0]
    if collapsed:
        latents[:, 1:] *= 1e-3  # one latent alone is left
    tested = Representation(latents, factors, tuple("abcd"), (5,) * 4)
    recipe = recipes.override(recipes.find("beta_vae", "smoke"), {"posterior": posterior})
    settings = dataclasses.replace(recipe.settings, beta=beta)
    recipe = dataclasses.replace(recipe, settings=settings)
    run = RunDirectory(folder / f"{posterior}-{beta}-{seed}")
    config = RunConfig(recipe, "dsprites", "rendered", None, "", (64, 64, 1), seed)
    write_text(run.config_file, config.to_json())
    write_text(run.training_file, "step,loss,reconstruction,kl,beta\n100,30,20,2.5,4\n")
    representation.save(run.representation_file, tested)
    families = [f for f in FAMILIES if not (collapsed and bases.FAMILIES[f].needs_active)]
    found = assessment.assess(tested, assessment.Plan(families, ["mig"], 99, seed=seed))
    write_text(run.basis_test_file, found.table.to_csv(index=False))
    save_npz(run.path / "null.npz", found.nulls)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(4):
        plant(folder, seed, "diagonal", True)
        plant(folder, seed, "full_covariance", False)
    return find_runs([str(folder)])


def test_aligned_arms_are_special_and_rotated_ones_are_not(runs):
    table, contrasts = seed_verdicts.judge(seed_results.read_results(runs), seed=0)
    special = table.set_index("model")["special"]
    assert special["beta_vae/diagonal"]
    assert not special["beta_vae/full_covariance"]
    assert table["num_seeds"].tolist() == [4, 4]
    assert table["seeds"].tolist() == ["0 1 2 3"] * 2
    contrast = contrasts.iloc[0]
    assert contrast["paired"]
    assert contrast["p_value"] == contrast["smallest_p"] == 1 / 16  # all four pairs differ alike
    assert contrast["active_p_value"] == 1 / 16
    assert 0 < contrast["low"] < contrast["difference"] < contrast["high"]


def test_the_verdicts_are_those_of_corrected_p_and_intervals(runs):
    table, _ = seed_verdicts.judge(seed_results.read_results(runs), seed=0)
    diagonal, full = table.to_dict("records")
    assert diagonal["haar_low"] < diagonal["haar_difference"] < diagonal["haar_high"]
    # A hundred draws cannot reach .05 after Holm's correction for five hypotheses by much.
    assert diagonal["holm_p"] == pytest.approx(0.05)
    assert diagonal["verdict"] == "aligned"
    assert full["verdict"] != "aligned"
    assert full["haar_smallest_difference"] > 0


def test_metrics_that_disagree_are_named():
    def row(metric, special):
        return {
            "model": "mine",
            "data_set": "",
            "metric": metric,
            "side": "",
            "special": special,
            "haar_p": 0.01 if special else 0.6,
            "gate": "not measured",
            "alpha": 0.05,
        }

    table = pd.DataFrame([row("mig", True), row("factor_vae", False), row("modularity", True)])
    (sentence,) = verdict_words.disagreements(table)
    assert "MIG does single out" in sentence
    assert sentence.endswith("these do not: factor VAE.")
    assert verdict_words.disagreements(table[table["special"]]) == []
    spoiled = table.assign(gate="failed")
    assert verdict_words.disagreements(spoiled) == []


def test_arms_that_do_not_fit_alike_are_told(tmp_path):
    for seed in range(2):
        plant(tmp_path, seed, "diagonal", True)
        other = plant(tmp_path, seed, "full_covariance", False)
        write_text(other.training_file, "step,loss,reconstruction,kl,beta\n100,30,20.2,3.5,4\n")
    results = seed_results.read_results(find_runs([str(tmp_path)]))
    _, contrasts = seed_verdicts.judge(results, seed=0)
    row = contrasts.iloc[0]
    assert not row["fits_match"]  # KL 2.5 against 3.5; reconstruction within 1%
    assert "20 against 20.2 (1.0% apart)" in row["fit"]
    assert "2.5 against 3.5 (28.6% apart)" in row["fit"]
    assert "may be one of fits" in row["sentence"]


def test_losses_are_told_as_means_over_the_last_tenth_with_those_of_the_objective(tmp_path):
    run = plant(tmp_path, 0, "diagonal", True)
    rows = [f"{step},9,{100 - step},2.5,4,{step / 10}\n" for step in range(1, 21)]
    write_text(run.training_file, "".join(["step,loss,reconstruction,kl,beta,penalty\n", *rows]))
    (told,) = page._reached(seed_results.read_results([run]))
    assert told["reached"] == (  # of steps 19 and 20
        "reconstruction, nats 80.5; KL, nats 2.5; beta 4; penalty of the objective, nats 1.95"
    )


def test_fits_are_compared_by_what_every_objective_logs(tmp_path):
    heads = "step,loss,reconstruction,kl,beta,penalty\n"
    for seed in range(2):
        plant(tmp_path, seed, "diagonal", True)  # which logs no penalty
        other = plant(tmp_path, seed, "full_covariance", False)
        write_text(other.training_file, f"{heads}100,30,20,2.5,8,7\n")
    results = seed_results.read_results(find_runs([str(tmp_path)]))
    _, contrasts = seed_verdicts.judge(results, seed=0)
    assert contrasts["fits_match"].item()
    assert "penalty" not in contrasts["fit"].item()


def test_an_untrained_run_has_an_empty_log_and_a_verdict_and_a_trained_one_has_not(tmp_path):
    run = plant(tmp_path, 0, "diagonal", False)
    heads = "step,loss,reconstruction,kl,beta\n"
    write_text(run.training_file, heads)
    with pytest.raises(InputError, match=r"training\.csv: missing or damaged"):
        seed_results.read_results([run])
    config = run.read_config()
    untrained = dataclasses.replace(config.recipe, num_steps=0)
    write_text(run.config_file, dataclasses.replace(config, recipe=untrained).to_json())
    results = seed_results.read_results([run])
    table, _ = seed_verdicts.judge(results, seed=0)
    assert not table["special"].any()
    assert page._reached(results)[0]["reached"] == "not trained"


def test_holms_family_has_five_hypotheses_whatever_was_tested(runs):
    table, contrasts = seed_verdicts.judge(seed_results.read_results(runs), seed=0)
    diagonal = table.set_index("model").loc["beta_vae/diagonal"]
    larger = max(diagonal["haar_p"], diagonal["haar_active_p"])
    assert diagonal["holm_p"] == pytest.approx(5 * larger)
    assert contrasts["holm_p"].item() == pytest.approx(4 * contrasts["p_value"].item())


def test_sentences_say_the_numbers_and_what_would_have_been_detected(runs):
    table, contrasts = seed_verdicts.judge(seed_results.read_results(runs), seed=0)
    diagonal, full = table["sentence"]
    assert "beta-VAE, diagonal posterior, 4 seeds" in diagonal
    assert f"p = {table['haar_p'][0]:.2g}" in diagonal
    assert "not distinguishable" in full
    needed = table[["haar_smallest_difference", "haar_active_smallest_difference"]].loc[1].max()
    assert f"true difference of {needed:.3f} with a probability of .8" in full
    assert "smallest that 4 and 4 seeds allow is 0.062" in contrasts["sentence"].item()


def test_a_collapsed_seed_counts_as_one_that_shows_nothing(tmp_path):
    plant(tmp_path, 0, "diagonal", True, collapsed=True)
    results = seed_results.read_results(find_runs([str(tmp_path)]))
    table, contrasts = seed_verdicts.judge(results, seed=0)
    assert table["collapsed"].item() == 1
    assert table["haar_active_p"].item() == 1.0
    assert not table["special"].item()
    assert "fewer than two active latents" in table["sentence"].item()
    assert contrasts.empty


def test_settings_that_differ_make_arms_of_their_own(tmp_path):
    for beta in (1.0, 8.0):
        for seed in range(2):
            plant(tmp_path, seed, "diagonal", True, beta=beta)
            plant(tmp_path, seed, "full_covariance", False, beta=beta)
    results = seed_results.read_results(find_runs([str(tmp_path)]))
    table, contrasts = seed_verdicts.judge(results, seed=0)
    assert set(table["model"]) == {
        f"beta_vae/{posterior} beta={beta}"
        for posterior in ("diagonal", "full_covariance")
        for beta in (1.0, 8.0)
    }
    assert (table["num_seeds"] == 2).all()
    pairs = set(zip(contrasts["model"], contrasts["control"], strict=True))
    assert ("beta_vae/diagonal beta=8.0", "beta_vae/full_covariance beta=8.0") in pairs
    assert len(pairs) == 2


def test_anybodys_files_are_judged_by_arm_and_contrasted(tmp_path, run_program):
    runs = [
        plant(tmp_path, seed, posterior, posterior == "diagonal")
        for posterior in ("diagonal", "full_covariance")
        for seed in range(4)
    ]
    files = [str(run.representation_file) for run in runs]
    tests = [str(run.basis_test_file) for run in runs]
    output = tmp_path / "verdict.csv"
    flags = (
        f"--representation={','.join(files)}",
        f"--basis_test={','.join(tests)}",
        f"--output={output}",
    )
    arms = "--arms=" + ",".join(["mine"] * 4 + ["theirs"] * 4)
    done = run_program("verdict", *flags, arms, "--control=theirs")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(output).set_index("model")
    assert table["num_seeds"].to_dict() == {"mine": 4, "theirs": 4}
    assert table["special"].to_dict() == {"mine": True, "theirs": False}
    contrast = pd.read_csv(tmp_path / "contrast.csv").iloc[0]
    assert (contrast["model"], contrast["control"]) == ("mine", "theirs")
    assert contrast["p_value"] == pytest.approx(1 / 70)
    for mistake in ("--arms=mine", "--control=nobody"):
        done = run_program("verdict", *flags, mistake)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1


def test_the_same_seed_twice_is_refused(runs):
    results = seed_results.read_results([runs[0], runs[0]])
    with pytest.raises(InputError, match="given twice"):
        seed_verdicts.judge(results, seed=0)


@pytest.mark.parametrize("name", ["null.npz", "basis_test.csv", "training.csv"])
def test_a_damaged_result_file_is_named(tmp_path, name):
    run = plant(tmp_path, 0, "diagonal", True)
    file = run.path / name
    file.write_bytes(file.read_bytes()[:15])
    with pytest.raises(InputError, match=name):
        seed_results.read_results([run])


def test_the_same_runs_give_the_same_verdict(runs):
    first, second = (
        seed_verdicts.judge(seed_results.read_results(runs), seed=0)[0] for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)


def test_a_verdict_needs_both_nulls(tmp_path):
    run = plant(tmp_path, 0, "diagonal", True)
    with np.load(run.path / "null.npz") as file:
        kept = {key: file[key] for key in file.files if not key.startswith("haar_active/")}
    save_npz(run.path / "null.npz", kept)
    with pytest.raises(InputError, match="no draws of haar_active"):
        seed_results.read_results([run])


@pytest.mark.parametrize(
    ("special", "verdict", "gate", "words"),
    [
        (True, "aligned", "passed", "aligned beyond chance"),
        (
            True,
            "inconclusive",
            "passed",
            "inconclusive: aligned beyond chance by itself, not after",
        ),
        (False, "inconclusive", "passed", "inconclusive: not distinguishable from random axes"),
        (False, "equivalent to random", "passed", "equivalent to random axes, within 0.02 by the"),
        (True, "inconclusive", "failed", "inconclusive: the model is not good enough"),
    ],
)
def test_the_headline_is_what_is_left_after_correction_and_gate(special, verdict, gate, words):
    row = {"special": special, "verdict": verdict, "gate": gate}
    assert verdict_words.headline(row).startswith(words)


def test_equivalence_is_told_with_the_interval_that_decides_it():
    """Student's 90% quantile with two degrees of freedom is 2.92: half widths of .0014."""
    row = {"model": "mine", "data_set": "faces", "metric": "mig", "side": "encoder"}
    row |= {"num_seeds": 3, "collapsed": 0, "special": False, "special_seeds": 0}
    row |= {"gate": "passed", "verdict": "equivalent to random", "holm_p": 0.9}
    of_null = {"observed": 0.016, "null_mean": 0.023, "z": -1.6, "p": 0.96, "sd": 0.000845}
    of_null |= {"difference": -0.0073, "low": -0.0094, "high": -0.0052}
    for family in ("haar", "haar_active"):
        row |= {f"{family}_{key}": value for key, value in of_null.items()}
    decided = "lie within 0.02 of none: -0.009 to -0.006 and -0.009 to -0.006"
    below = ", slightly below random axes all the same"
    assert f"{decided}{below}: MIG" in verdict_words.arm_sentence(row)
    row["haar_high"] = 0.001
    assert f"{decided}: MIG" in verdict_words.arm_sentence(row)


def test_a_page_of_faces_says_that_they_are_synthetic(tmp_path):
    run = plant(tmp_path, 0, "diagonal", True)
    (dsprites,) = seed_results.read_results([run])
    assert page._describe_dataset(dsprites)["notice"] == ""
    config = dataclasses.replace(run.read_config(), dataset="faces")
    write_text(run.config_file, config.to_json())
    (faces,) = seed_results.read_results([run])
    assert "synthetic" in page._describe_dataset(faces)["notice"]
    assert "no photographs" in page._describe_dataset(faces)["notice"]
