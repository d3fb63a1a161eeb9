"""Closed forms, invariances, constant latents and batches of the supervised metrics."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier

from reproduce.basis import bases
from reproduce.metrics import factor_vae_score as factor_vae
from reproduce.metrics.beta_vae_score import beta_vae_score
from reproduce.metrics.correlation import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
)
from reproduce.metrics.dci import completeness, dci, dci_linear, disentanglement
from reproduce.metrics.factor_vae_score import factor_vae_score
from reproduce.metrics.information import InformationEngine, entropies, mutual_information
from reproduce.metrics.irs import irs
from reproduce.metrics.mig_sup import axis_gaps, mig_sup
from reproduce.metrics.modularity import explicitness, modularity
from reproduce.metrics.sap import sap, sap_continuous, sap_continuous_from_covariance

pytestmark = pytest.mark.filterwarnings("error")

SEEDS = st.integers(0, 2**32 - 1)
SMALL = {"num_train": 200, "num_eval": 100}


def covariance(latents):
    return np.cov(latents, rowvar=False).reshape(latents.shape[1], -1)


# Each takes latents and factors; where a metric has splits, every third row is the test split.
def split(latents, factors):
    test = np.arange(len(latents)) % 3 == 0
    return latents[~test], factors[~test], latents[test], factors[test]


@dataclasses.dataclass
class Case:
    score: object
    aligned: float  # of the grid of binary factors
    constant: float  # of a constant representation; NaN: depends on the factors
    scaling: str = "each"  # invariant under a scale for `each` latent, under `one`, or `none`
    drift: float = 1e-9  # under what the metric is invariant to
    examples: int = 15
    higher_is_better: bool = True
    tells_rotations: bool = True  # in three dimensions


CASES = {
    "modularity": Case(lambda z, g: modularity(mutual_information(z, g)), 1, 0, drift=0.02),
    "mig_sup": Case(lambda z, g: mig_sup(mutual_information(z, g), entropies(g)), 1, 0, drift=0.02),
    "explicitness": Case(
        lambda z, g: explicitness(*split(z, g))[1], 1, 0.5, drift=1e-3, tells_rotations=False
    ),
    "sap": Case(lambda z, g: sap(*split(z, g)), 0.5, 0, scaling="none", drift=0.01),
    "sap_continuous": Case(sap_continuous, 1, 0),
    "irs": Case(irs, 1, 0, scaling="one"),
    "total_correlation": Case(
        lambda z, g: gaussian_total_correlation(covariance(z)), 0, 0, higher_is_better=False
    ),
    "wasserstein_correlation": Case(
        lambda z, g: gaussian_wasserstein_correlation(covariance(z)),
        0,
        0,
        scaling="none",
        higher_is_better=False,
    ),
    "dci_disentanglement": Case(
        lambda z, g: dci(*split(z, g)).disentanglement, 1, 0, drift=0.05, examples=3
    ),
    "dci_completeness": Case(
        lambda z, g: dci(*split(z, g)).completeness, 1, 0, drift=0.05, examples=3
    ),
    "dci_linear_disentanglement": Case(
        lambda z, g: dci_linear(*split(z, g)).disentanglement, 1, 0, drift=0.01, examples=5
    ),
    "dci_linear_completeness": Case(
        lambda z, g: dci_linear(*split(z, g)).completeness, 1, 0, drift=0.01, examples=5
    ),
    "beta_vae": Case(
        lambda z, g: beta_vae_score(z, g, **SMALL),
        1,
        np.nan,
        scaling="none",
        drift=0.02,
        tells_rotations=False,
    ),
    "factor_vae": Case(lambda z, g: factor_vae_score(z, g, **SMALL), 1, 0),
}
ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def representation(seed, n=300, d=4, sizes=(2, 3, 4)):
    """Noisy latents that mix the factors."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(size, size=n) for size in sizes], axis=1)
    latents = factors @ rng.normal(size=(len(sizes), d)) + 0.5 * rng.normal(size=(n, d))
    return latents, factors


def binary_grid():
    """Three binary factors in every combination, often, and latents that equal them."""
    factors = np.tile(np.indices((2, 2, 2)).reshape(3, -1).T, (30, 1))
    return 2.0 * factors - 1, factors


@ALL
def test_aligned_latents_have_the_score_of_the_closed_form_and_rotated_ones_a_worse_one(case):
    latents, factors = binary_grid()
    assert case.score(latents, factors) == pytest.approx(case.aligned, abs=1e-6)
    if not case.tells_rotations:
        return
    # The covariance of a grid of equal variances is round: stretched, a rotation shows.
    stretched = latents * [1, 2, 3] + 0.1 * np.random.default_rng(1).normal(size=latents.shape)
    basis = bases.haar(1, 3, np.random.default_rng(3))[0]
    aligned, rotated = (case.score(stretched @ q, factors) for q in (np.eye(3), basis))
    assert aligned > rotated if case.higher_is_better else aligned < rotated


@ALL
def test_permutation_sign_and_scale_change_only_what_is_documented(case):
    @given(SEEDS)
    @settings(max_examples=case.examples, deadline=None, derandomize=True)
    def check(seed):
        latents, factors = representation(seed % 1000)
        rng = np.random.default_rng(seed)
        d = latents.shape[1]
        moved = latents @ bases.signed_permutation(1, d, rng)[0]
        if case.scaling == "each":
            moved = moved * rng.uniform(0.5, 5, d)
        elif case.scaling == "one":
            moved = moved * rng.uniform(0.5, 5)
        assert case.score(moved, factors) == pytest.approx(
            case.score(latents, factors), abs=case.drift
        )

    check()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.scaling != "each"])
def test_a_scale_for_each_latent_changes_what_is_documented_to_change(name):
    latents, factors = representation(0)
    scaled = latents * [1e-4, 1e-3, 1e-2, 1]
    assert abs(CASES[name].score(scaled, factors) - CASES[name].score(latents, factors)) > 0.005


@ALL
@pytest.mark.parametrize("value", [0.0, 0.1, -3e7])
def test_a_constant_representation_has_its_documented_score(case, value):
    latents, factors = representation(0)
    score = case.score(np.full_like(latents, value), factors)
    if np.isnan(case.constant):
        assert 0.2 < score < 0.5  # chance
    else:
        assert score == pytest.approx(case.constant, abs=1e-12)


# What a further latent that is constant makes of the score of d latents, where it is known.
FACTORS_OF_CONSTANT = {
    "modularity": 4 / 5,
    "mig_sup": 4 / 5,
    "explicitness": 1,
    "sap_continuous": 1,
    "irs": 1,
    "total_correlation": 1,
    "wasserstein_correlation": 1,
    "dci_linear_disentanglement": 1,
    "beta_vae": 1,
    "factor_vae": 1,
}


@ALL
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_one_constant_latent_does_to_the_score_what_is_documented(case, value):
    latents, factors = representation(1)
    with_constant = case.score(np.insert(latents, 2, value, axis=1), factors)
    assert np.isfinite(with_constant)
    name = next(name for name, other in CASES.items() if other is case)
    if name in FACTORS_OF_CONSTANT:
        expected = case.score(latents, factors) * FACTORS_OF_CONSTANT[name]
        assert with_constant == pytest.approx(expected, abs=max(case.drift, 1e-3))


@ALL
def test_one_latent_and_one_factor_have_a_finite_score(case):
    latents, factors = representation(2)
    for columns, targets in ((1, 3), (4, 1), (1, 1)):
        assert np.isfinite(case.score(latents[:, :columns], factors[:, -targets:]))


def test_a_constant_factor_and_values_missing_from_a_split_are_borne():
    latents, factors = representation(3)
    factors[:, 0] = 0
    factors[::3][factors[::3, 1] == 2, 1] = 1  # a value that the test split lacks
    factors[0, 2] = 9  # a value that the training split lacks
    parts = split(latents, factors)
    assert 0 <= sap(*parts) <= 1
    assert all(0.5 < value <= 1 for value in explicitness(*parts))
    for found in (dci(*parts), dci_linear(*parts)):
        assert np.all(found.importance[:, 0] == 0)
        assert 0 <= found.disentanglement <= 1
        assert 0 <= found.informativeness <= 1
    assert np.isfinite(sap_continuous(latents, factors))
    assert np.isfinite(irs(latents, factors))


# Batches


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_batch_of_bases_equals_one_basis_at_a_time(seed):
    latents, factors = representation(seed)
    many = bases.haar(3, latents.shape[1], np.random.default_rng(seed))
    rotated = [latents @ basis for basis in many]
    h = entropies(factors)
    information = InformationEngine(latents, factors)(many)
    turned = np.swapaxes(many, 1, 2) @ covariance(latents) @ many
    centered = latents - latents.mean(axis=0), factors - factors.mean(axis=0)
    cross = np.swapaxes(many, 1, 2) @ (centered[0].T @ centered[1] / (len(latents) - 1))
    factor_variances = factors.var(axis=0, ddof=1)
    importance = np.abs(np.random.default_rng(seed).normal(size=(3, 5, 4)))
    batches = {
        modularity: (
            modularity(information),
            [modularity(mutual_information(z, factors)) for z in rotated],
        ),
        axis_gaps: (
            axis_gaps(information, h),
            [axis_gaps(mutual_information(z, factors), h) for z in rotated],
        ),
        mig_sup: (
            mig_sup(information, h),
            [mig_sup(mutual_information(z, factors), h) for z in rotated],
        ),
        sap_continuous: (
            sap_continuous_from_covariance(turned, cross, factor_variances),
            [sap_continuous(z, factors) for z in rotated],
        ),
        gaussian_total_correlation: (
            gaussian_total_correlation(turned),
            [gaussian_total_correlation(covariance(z)) for z in rotated],
        ),
        gaussian_wasserstein_correlation: (
            gaussian_wasserstein_correlation(turned),
            [gaussian_wasserstein_correlation(covariance(z)) for z in rotated],
        ),
        disentanglement: (disentanglement(importance), [disentanglement(r) for r in importance]),
        completeness: (completeness(importance), [completeness(r) for r in importance]),
    }
    for metric, (batch, single) in batches.items():
        np.testing.assert_allclose(batch, single, rtol=1e-7, atol=1e-9, err_msg=str(metric))
    variances = np.diagonal(turned, axis1=1, axis2=2)
    np.testing.assert_array_equal(
        sap_continuous_from_covariance(variances, cross, factor_variances),
        sap_continuous_from_covariance(turned, cross, factor_variances),
    )


@pytest.mark.parametrize("chunk", [1, 2**12, 2**21])
def test_factor_vae_scores_of_many_bases_equal_one_basis_at_a_time(monkeypatch, chunk):
    monkeypatch.setattr(factor_vae, "_CHUNK_NUMBERS", chunk)
    latents, factors = representation(5)
    latents[:, 3] = 0.7  # dead, but not in a rotated basis
    sizes = {"num_train": 300, "num_eval": 200, "num_variance": 400}
    found = factor_vae.group_covariances(latents, factors, np.random.default_rng(7), **sizes)
    many = np.concatenate([np.eye(4)[None], bases.haar(6, 4, np.random.default_rng(0))])
    scores = factor_vae.factor_vae_score_from_covariances(*found, sizes["num_train"], many)
    singles = [factor_vae_score(latents @ basis, factors, seed=7, **sizes) for basis in many]
    np.testing.assert_allclose(scores, singles, atol=1e-12)
    narrow = factor_vae.factor_vae_score_from_covariances(
        *found, sizes["num_train"], many[:, :, :2]
    )
    assert narrow[0] == factor_vae_score(latents[:, :2], factors, seed=7, **sizes)


# DCI


def test_disentanglement_and_completeness_by_hand():
    importance = np.array([[0.5, 0.5], [0.0, 1.0], [0.0, 0.0]])
    # Latents: entropies 1 and 0, weights 1/2 and 1/2. Factors: entropies to base 3.
    assert disentanglement(importance) == pytest.approx(0.5, abs=1e-9)
    h = -(1 / 3 * np.log(1 / 3) + 2 / 3 * np.log(2 / 3)) / np.log(3)
    assert completeness(importance) == pytest.approx(0.25 + 0.75 * (1 - h), abs=1e-9)
    assert disentanglement(np.zeros((3, 2))) == completeness(np.zeros((3, 2))) == 0


def test_dci_draws_one_stream_in_factor_order_whatever_the_number_of_threads():
    latents, factors = representation(4, n=200)
    latents[:, 3] = latents[:, 2]  # ties, which draws decide
    parts = split(latents, factors)
    found = [dci(*parts, seed=5, n_jobs=n_jobs) for n_jobs in (1, 3)]
    stream = np.random.RandomState(5)
    sequential = [
        GradientBoostingClassifier(random_state=stream).fit(parts[0], column).feature_importances_
        for column in parts[1].T
    ]
    for scores in found:
        np.testing.assert_array_equal(scores.importance, np.transpose(sequential))
    assert found[0].informativeness == found[1].informativeness
    other = dci(*parts, seed=6).importance
    assert np.any(other != found[0].importance)


def test_dci_of_a_constant_representation_predicts_the_largest_class():
    latents, factors = representation(6)
    parts = split(np.zeros_like(latents), factors)
    share = np.mean(
        [
            np.mean(test == np.bincount(train).argmax())
            for train, test in zip(parts[1].T, parts[3].T, strict=True)
        ]
    )
    for metric in (dci, dci_linear):
        found = metric(*parts)
        assert np.all(found.importance == 0)
        assert found.informativeness == pytest.approx(share)


def test_linear_dci_reads_ordered_factors_off_one_latent_each():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=900) for size in (2, 8)], axis=1)
    latents = np.c_[factors[:, 1], rng.normal(size=900), factors[:, 0]] + 0.05 * rng.normal(
        size=(900, 3)
    )
    found = dci_linear(*split(latents, factors))
    assert np.argmax(found.importance, axis=0).tolist() == [2, 0]
    np.testing.assert_allclose(found.importance.sum(axis=0), 1)
    assert found.disentanglement > 0.9
    assert found.completeness > 0.9


# Correlations, groups


def test_correlations_by_hand():
    rho = 0.6
    pair = np.array([[1, rho], [rho, 1]])
    assert gaussian_total_correlation(pair) == pytest.approx(-np.log(1 - rho**2) / 2)
    roots = np.sqrt(1 + rho) + np.sqrt(1 - rho)
    assert gaussian_wasserstein_correlation(pair) == pytest.approx(4 - 2 * roots)
    assert gaussian_wasserstein_correlation(9 * pair) == pytest.approx(9 * (4 - 2 * roots))


def test_total_correlation_of_a_dependent_latent_is_large_and_finite():
    value = gaussian_total_correlation(np.ones((2, 2)))
    assert 15 < value < 20


def test_groups_share_the_value_of_their_factor_and_draw_rows_evenly():
    _, factors = representation(0)
    rows, chosen = factor_vae.draw_groups(factors, 3000, 8, np.random.default_rng(0))
    values = factors[rows, chosen[:, None]]
    assert np.all(values == values[:, :1])
    assert np.all(np.bincount(chosen, minlength=3) > 800)
    assert len(np.unique(rows)) == len(factors)
    # A value comes up as often as rows have it.
    share = np.mean(values[chosen == 1, 0] == 2)
    assert share == pytest.approx(np.mean(factors[:, 1] == 2), abs=0.05)


def test_a_dead_latent_never_votes_even_without_pruning():
    latents, factors = representation(1)
    with_dead = np.insert(latents, 0, 0.1, axis=1)
    kept = factor_vae_score(latents, factors, prune_threshold=0, **SMALL)
    assert factor_vae_score(with_dead, factors, prune_threshold=0, **SMALL) == kept
    assert factor_vae_score(0.01 * latents, factors, **SMALL) == 0  # all pruned


@pytest.mark.parametrize("score", [beta_vae_score, factor_vae_score])
def test_drawn_scores_depend_on_the_seed_alone(score):
    latents, factors = representation(2)
    np.random.seed(0)  # noqa: NPY002
    first = score(latents, factors, seed=3, **SMALL)
    np.random.seed(1)  # noqa: NPY002
    assert score(latents, factors, seed=3, **SMALL) == first
