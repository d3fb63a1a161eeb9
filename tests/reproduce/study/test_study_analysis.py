"""The study's analysis: against other software, closed forms, and raters with known preferences."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
from statsmodels.stats.proportion import proportion_confint

from data.files import InputError
from reproduce.study import (
    design,
    error_rates,
    mixed_model,
    naming,
    page_of_results,
    preference,
    responses,
    results,
    sample_size,
    simulated_raters,
)
from reproduce.study.simulated_raters import Truth

ARM, OTHER = "beta_vae/diagonal", "glow"


def make_study(num_items=16, per_list=8, num_lists=8, arms=(ARM,), seed=0):
    """A key, lists and metrics as reproduce.study.stimuli writes them, without pictures."""
    rng = np.random.default_rng(seed)
    rows, groups = [], {}
    kinds = [("test", "uniform", arm, num_items) for arm in arms]
    kinds += [("catch", "", "", 24), ("identical", "", arms[0], 8)]
    for kind, rule, arm, count in kinds:
        for _ in range(count):
            item, *strips = (rng.bytes(8).hex() for _ in range(3))
            bases = {"test": ("learned", "random"), "catch": ("single", "double")}
            for strip, basis in zip(strips, bases.get(kind, ("same", "same")), strict=True):
                target = basis in ("learned", "single")
                rows.append(
                    (item, strip, kind, basis, rule, f"{arm}-seed1", arm, "dsprites", target)
                )
            groups.setdefault(kind, []).append(design.Pair(item, tuple(strips)))
    columns = ["item", "strip", "kind", "basis", "rule", "run", "model", "data_set", "target"]
    key = pd.DataFrame(rows, columns=columns).assign(
        seed=1, direction="", step=1.0, energy=0.1, start_image=0
    )
    per = {"test": per_list, "catch": 6, "identical": 2}
    dealt = design.deal(
        [design.Group(pairs, per[kind]) for kind, pairs in groups.items()],
        num_lists,
        6,
        rng,
    )
    lists = [
        [{"trial": t} | dataclasses.asdict(trial) for t, trial in enumerate(trials)]
        for trials in dealt
    ]
    return key, lists


def write_study(folder, key, answers):
    """Files of a study; returns the paths of answers and key."""
    key.to_csv(folder / "key.csv", index=False)
    answers.to_csv(folder / "answers.csv", index=False)
    return folder / "answers.csv", folder / "key.csv"


def answered(folder, truth, num_raters=24, arms=(ARM,), truths=None, **kwargs):
    """A study answered by simulated raters, read back."""
    key, lists = make_study(arms=arms, **kwargs)
    answers = simulated_raters.answer(
        lists, key, {"": truth} | (truths or {}), num_raters, np.random.default_rng(1)
    )
    return responses.read(*write_study(folder, key, answers))


# Sample size


@pytest.mark.parametrize(("share", "trials"), [(0.6, 274), (0.65, 121), (0.7, 70)])
def test_independent_trials_are_the_protocols(share, trials):
    assert sample_size.independent_trials(share) == trials


@pytest.mark.parametrize("trials", [1, 5, 6, 40, 121])
def test_exact_power_is_that_of_scipys_binomial_test(trials):
    counts = np.arange(trials + 1)
    p_values = [scipy.stats.binomtest(int(count), trials).pvalue for count in counts]
    rejected = np.array(p_values) <= 0.05
    expected = scipy.stats.binom.pmf(counts, trials, 0.65)[rejected].sum()
    assert sample_size.exact_power(0.65, np.array([trials]))[0] == pytest.approx(expected)


def test_the_protocols_design_detects_60_percent():
    power = sample_size.mixed_power(Truth(0.6), (60, 32, 64), 12, 0)
    assert power >= 0.75  # of a power of .96 fewer than 9 of 12 come about once in 10,000


# The mixed model


def restricted_log_likelihood(successes, trials, sd_rater, sd_item):
    """The likelihood of counts [2, 2], raters by items, by quadrature over effects and mean."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    grids = np.meshgrid(*[nodes] * 4, indexing="ij")
    weight = np.prod(np.meshgrid(*[weights / weights.sum()] * 4, indexing="ij"), axis=0)
    means = np.linspace(-5, 5, 51)
    likelihoods = []
    for mean in means:
        total = 0
        for rater, item in np.ndindex(2, 2):
            eta = mean + sd_rater * grids[rater] + sd_item * grids[2 + item]
            total = total + successes[rater, item] * eta - trials * np.logaddexp(0, eta)
        likelihoods.append(np.sum(weight * np.exp(total)))
    prior = scipy.stats.norm.pdf(means, 0, mixed_model.PRIOR_SD)
    return np.log(np.trapezoid(likelihoods * prior, means))


def test_laplace_meets_the_integral_over_all_effects():
    successes, trials = np.array([[11, 7], [8, 2]]), 12
    raters, items = (part.ravel().repeat(trials) for part in np.indices((2, 2)))
    y = np.concatenate([np.arange(trials) < count for count in successes.ravel()])
    data = mixed_model._Data(np.ones((len(y), 1)), y, raters, items)
    settings = [(0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)]
    ours = np.array([data.log_likelihood(np.array(sds))[0] for sds in settings])
    theirs = np.array([restricted_log_likelihood(successes, trials, *sds) for sds in settings])
    differences = theirs - theirs[0]
    assert np.ptp(differences) > 0.3  # or nothing would be tested
    np.testing.assert_allclose(ours - ours[0], differences, atol=0.1)


def test_without_random_effects_it_is_logistic_regression():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    raters, items = (part.ravel() for part in np.indices((30, 30)))
    x = np.column_stack([np.ones(900), rng.choice([-1.0, 1.0], 900)])
    # Answers that are even more alike over raters and items than chance makes them.
    y = (np.arange(900) * 7 + raters) % 5 < 3
    fitted = mixed_model.fit(x, y, raters, items)
    reference = sm.Logit(y.astype(float), x).fit(disp=False)
    assert fitted.sd_rater < 0.05
    assert fitted.sd_item < 0.05
    np.testing.assert_allclose(fitted.beta, reference.params, atol=2e-3)
    np.testing.assert_allclose(fitted.standard_errors, reference.bse, rtol=0.02)


def test_marginal_is_the_integral_and_conditional_its_inverse():
    density = scipy.stats.norm(0.7, 0.9).pdf
    expected, _ = scipy.integrate.quad(lambda eta: density(eta) / (1 + np.exp(-eta)), -9, 9)
    assert mixed_model.marginal(0.7, 0.9) == pytest.approx(expected, abs=1e-9)
    assert mixed_model.conditional(expected, 0.9) == pytest.approx(0.7, abs=1e-6)


def test_the_interval_covers_and_the_test_keeps_its_level():
    # 30 small studies of each. Of 30 true 95% intervals fewer than 25 cover once in 300 times;
    # of 30 tests at 5% more than 6 reject once in 2,000.
    truths = [Truth(0.5, left_bias=0.3), Truth(0.65), Truth(0.5, sd_rater=0)]
    table = error_rates.measure(truths, (30, 8, 16), 30, seed=1)
    assert (table["coverage"] >= 25 / 30).all()
    none, some, exchangeable = table.to_dict("records")
    assert none["mixed_model_rejects"] <= 6 / 30
    # Where nobody prefers either kind, the strips of a pair could change places.
    assert exchangeable["items_reject"] <= 6 / 30
    assert some["mixed_model_rejects"] > none["mixed_model_rejects"]
    assert abs(some["bias"]) < 0.04
    assert table["simulated"].all()


def test_raters_of_one_mind_are_believed():
    found = simulated_raters.plain_study(Truth(), 20, 8, 16, np.random.default_rng(0))
    found = dataclasses.replace(found, chosen=np.full(len(found), True))
    estimate = preference.estimate(found, 0)
    assert estimate.low > 0.8
    assert estimate.p_value < 0.01


def test_the_side_does_not_pass_for_a_preference():
    truth = Truth(0.5, 0.2, 0.2, left_bias=1.0)
    found = simulated_raters.plain_study(truth, 40, 16, 32, np.random.default_rng(2))
    fitted = mixed_model.fit_preference(found)
    low, high = fitted.interval(1, 0.999)
    assert low < 1.0 < high
    assert fitted.p_value(1) < 1e-6
    assert fitted.p_value(0) > 0.001


# Equivalence and exact tests


@pytest.mark.parametrize(("share", "declared"), [(0.5, True), (0.62, False), (0.38, False)])
def test_equivalence_only_where_it_holds(share, declared):
    rng = np.random.default_rng(5)
    truth = Truth(share, 0.2, 0.2)
    found = preference.estimate(simulated_raters.plain_study(truth, 100, 32, 64, rng), 0)
    assert found.equivalent == declared


def test_equivalence_is_the_90_percent_interval_within_the_margin():
    rng = np.random.default_rng(6)
    agreed = []
    for share in (0.5, 0.54, 0.56, 0.58, 0.6):
        fitted = mixed_model.fit_preference(
            simulated_raters.plain_study(Truth(share), 40, 16, 32, rng)
        )
        low, high = mixed_model.marginal(np.array(fitted.interval(0, 0.9)), fitted.sd_total)
        inside = low > 0.4 and high < 0.6
        assert inside == (preference.equivalence(fitted) < 0.05)
        agreed.append(inside)
    assert len(set(agreed)) == 2  # both occurred


def test_sign_flip_is_the_count_over_all_signs():
    sums = np.array([2.0, 1.0, 0.5, -0.5, 1.5, 1.0])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    exact = np.mean(np.abs(signs @ sums) >= sums.sum() - 1e-9)
    ours = preference.sign_flip(sums, np.random.default_rng(0))
    assert ours == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))


def test_exact_share_is_clopper_pearson():
    found = preference.exact_share(37, 60)
    assert (found.low, found.high) == pytest.approx(
        proportion_confint(37, 60, method="beta"), abs=1e-6
    )


# Names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Size", "the size changes"),
        ("Größe", "GRÖSSE"),
        ("position (x)", "Position: x!"),
        ("x position", "Position: X!"),
    ],
)
def test_names_are_compared_without_what_says_nothing(one, other):
    assert naming.normalise(one) == naming.normalise(other)


def test_different_names_stay_different():
    names = ["size", "position", "it changes", "回転", "形"]
    assert len({naming.normalise(name) for name in names}) == len(names)


def test_naming_agreement_counts_pairs_of_raters():
    names = ["size", "size", "shape", "size"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    assert naming.agreement_of(names) == pytest.approx(np.mean([a == b for a, b in pairs]))
    assert math.isnan(naming.agreement_of(["size"]))


# The whole analysis


def test_raters_under_80_percent_on_catch_trials_are_left_out():
    rows = []
    for rater, right in (("a", 4), ("b", 3), ("c", 5)):
        rows += [(rater, "catch", trial < right) for trial in range(5)]
    rows.append(("d", "test", True))
    answers = pd.DataFrame(rows, columns=["rater", "kind", "target_chosen"])
    kept, table = responses.exclude(answers)
    assert set(kept["rater"]) == {"a", "c"}
    assert table.set_index("rater")["excluded"].to_dict() == {
        "a": False,
        "b": True,
        "c": False,
        "d": True,
    }


def test_guessers_are_left_out_and_the_preference_is_found(tmp_path):
    truth = Truth(0.75, 0.3, 0.3, catch_accuracy=1, guessers=0.3)
    answers, key = answered(tmp_path, truth, num_raters=48)
    result = results.analyse(answers, key, None)
    (arm,) = result.arms
    assert 0 < result.raters["excluded"].sum() < 24
    assert arm.primary.low < 0.75 < arm.primary.high
    assert arm.word == "learned axes preferred"
    assert arm.naming.num_learned > 0


def test_arms_are_told_apart_and_adjusted_together(tmp_path):
    truths = {ARM: Truth(0.8, 0.2, 0.2)}
    answers, key = answered(tmp_path, Truth(0.5, 0.2, 0.2), 48, (ARM, OTHER), truths, per_list=16)
    first, second = results.analyse(answers, key, None).arms
    assert first.primary.share > 0.7 > second.primary.share
    assert first.holm_p == pytest.approx(2 * first.primary.p_value)
    assert second.holm_p >= second.primary.p_value


def test_a_metric_that_knows_what_raters_choose_agrees_with_them(tmp_path):
    answers, key = answered(tmp_path, Truth(0.8, 0.2, 0.2))
    strips = key[key["kind"] == "test"]
    knowing = strips[["strip"]].assign(metric="knowing", value=strips["target"].astype(float))
    contrary = knowing.assign(metric="contrary", value=-knowing["value"])
    equal = knowing.assign(metric="equal", value=1.0)
    metrics = pd.concat([knowing, contrary, equal])
    (arm,) = results.analyse(answers, key, metrics).arms
    found = {agreement.metric: agreement.preference for agreement in arm.agreements}
    assert set(found) == {"knowing", "contrary"}  # one that prefers none has no agreement
    assert found["knowing"].share == pytest.approx(arm.primary.share, abs=1e-3)
    assert found["contrary"].share == pytest.approx(1 - arm.primary.share, abs=5e-3)


def test_raters_who_are_all_left_out_give_no_verdict(tmp_path):
    answers, key = answered(tmp_path, Truth(0.6, catch_accuracy=0.1), num_raters=4)
    metrics = key[["strip"]].assign(metric="purity", value=np.arange(len(key)) % 2.0)
    result = results.analyse(answers, key, metrics)
    assert result.raters["excluded"].all()
    assert [arm.word for arm in result.arms] == ["too few answers"]
    assert "too few answers" in page_of_results.render(result)
    assert not results.table(result).empty


def test_simulated_is_said_everywhere(tmp_path):
    answers, key = answered(tmp_path, Truth(0.6))
    result = results.analyse(answers, key, None)
    table = results.table(result)
    assert table["simulated"].all()
    assert list(table.columns) == list(results.COLUMNS)
    sentences = table.loc[table["sentence"] != "", "sentence"]
    assert sentences.str.startswith("SIMULATED").all()
    page = page_of_results.render(result)
    assert page.count("SIMULATED") >= 3  # banner, sentence, figures
    real = results.analyse(answers.assign(simulated=False), key, None)
    assert "SIMULATED" not in page_of_results.render(real)
    assert not results.table(real)["simulated"].any()


def spoil(answers, key, how):
    if how == "twice":
        return pd.concat([answers, answers.iloc[:1]]), key
    if how == "mixed":
        return answers.assign(simulated=["false", *answers["simulated"][1:]]), key
    if how == "foreign":
        return answers.assign(chosen=["00", *answers["chosen"][1:]]), key
    if how == "column":
        return answers.drop(columns="side"), key
    if how == "side":
        return answers.assign(side="up"), key
    return answers.iloc[:0], key


@pytest.mark.parametrize("how", ["twice", "mixed", "foreign", "column", "side", "empty"])
def test_spoiled_answers_are_refused_in_one_line(tmp_path, how):
    key, lists = make_study()
    answers = simulated_raters.answer(lists, key, {"": Truth()}, 2, np.random.default_rng(0))
    with pytest.raises(InputError) as error:
        responses.read(*write_study(tmp_path, *spoil(answers, key, how)[::-1]))
    assert "\n" not in str(error.value)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False
    )


def test_programs_from_study_to_page(tmp_path):
    key, lists = make_study(arms=(ARM,))
    folder = tmp_path / "study"
    (folder / "private").mkdir(parents=True)
    (folder / "public" / "lists").mkdir(parents=True)
    key.to_csv(folder / "private" / "key.csv", index=False)
    for number, trials in enumerate(lists):
        text = json.dumps({"list": number, "trials": trials})
        (folder / "public" / "lists" / f"{number}.json").write_text(text)
    simulated = run(
        "reproduce.study.simulate",
        f"--study={folder}",
        "--preference=0.7",
        "--raters=24",
        f"--output={tmp_path / 'answers.csv'}",
    )
    assert simulated.returncode == 0, simulated.stderr
    analysed = run(
        "reproduce.study.analyse",
        f"--answers={tmp_path / 'answers.csv'}",
        f"--key={folder / 'private' / 'key.csv'}",
        f"--output={tmp_path / 'study.html'}",
    )
    assert analysed.returncode == 0, analysed.stderr
    assert analysed.stdout.startswith("SIMULATED RATERS: ")
    for name in ("study.html", "study.csv", "study_preferences.png", "study_preferences.pdf"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("reproduce.study.analyse",),
        ("reproduce.study.analyse", "--answers=no.csv", "--key=no.csv"),
        ("reproduce.study.simulate", "--study=none", "--preference=2"),
        ("reproduce.study.coverage", "--items=10", "--trials=4"),
    ],
)
def test_mistakes_end_with_status_2_and_one_line(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("target", [True, False])
def test_a_key_whose_pairs_have_no_single_target_is_refused(tmp_path, target):
    key, lists = make_study()
    answers = simulated_raters.answer(lists, key, {"": Truth(0.6)}, 4, np.random.default_rng(0))
    files = write_study(tmp_path, key, answers)
    assert len(responses.read(*files)[1]) == len(key)
    item = key.loc[key["kind"] == "test", "item"].iloc[0]
    key.loc[key["item"] == item, "target"] = target
    write_study(tmp_path, key, answers)
    with pytest.raises(InputError, match=f"pair {item} has {2 * target} targets among 2 strips"):
        responses.read(*files)
