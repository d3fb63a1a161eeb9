"""The supervised rotation and the cherry-picking curve on cases that can be worked out."""

import numpy as np
import pytest

from reproduce.basis import assessment, bases, cherry_picking, supervised_rotation
from reproduce.basis.representation import Representation
from reproduce.metrics import basis_scorer
from reproduce.metrics.labelled_latents import LabelledLatents


def hidden_axes(rng, d=4, n=2_000):
    """Aligned latents that a rotation hides, and the rotation."""
    factors = rng.integers(5, size=(n, d))
    rotation = bases.haar(1, d, rng)[0]
    latents = (factors - 2) / np.sqrt(2) + 0.1 * rng.normal(size=(n, d))
    names = tuple("abcdefgh"[:d])
    return Representation(latents @ rotation, factors, names, (5,) * d), latents, rotation


def test_the_search_finds_axes_that_a_rotation_hides():
    rotation = bases.haar(1, 4, np.random.default_rng(0))[0]

    def peakedness(many):
        """Highest, 4, where the rotation is undone up to order and sign."""
        return np.sum(np.max(np.abs(rotation @ many), axis=1) ** 4, axis=1)

    found = supervised_rotation.best_rotation(
        supervised_rotation.of_bases(peakedness), np.eye(4)[None]
    )
    assert peakedness(found[None])[0] == pytest.approx(4, abs=0.01)
    np.testing.assert_allclose(found @ found.T, np.eye(4), atol=1e-9)


@pytest.mark.parametrize("metric", ["mig", "mig_sup", "modularity"])
def test_measuring_turned_axes_alone_finds_what_measuring_whole_bases_does(metric):
    hidden, _, _ = hidden_axes(np.random.default_rng(4), n=500)
    points = LabelledLatents(hidden.latents, hidden.factors)
    scorer = basis_scorer.BasisScorer(points, [metric], seed=0)
    whole = supervised_rotation.of_bases(lambda many: scorer.closed_forms(many)[metric])
    by_axis = assessment._objective(scorer, metric)
    starts = np.eye(4)[None]
    np.testing.assert_allclose(
        supervised_rotation.best_rotation(by_axis, starts),
        supervised_rotation.best_rotation(whole, starts),
        atol=1e-9,
    )


def test_rho_is_one_at_the_ceiling_and_zero_among_random_bases():
    rng = np.random.default_rng(1)
    hidden, latents, _ = hidden_axes(rng)
    aligned = Representation(latents, hidden.factors, hidden.factor_names, hidden.factor_sizes)
    values = {}
    for name, tested in (("hidden", hidden), ("aligned", aligned)):
        plan = assessment.Plan(["supervised"], ["mig"], 199, seed=0)
        row = assessment.assess(tested, plan).table.iloc[0]
        values[name] = row["rho"]
        # Both find the same axes, so the value is the same whatever the learned basis is.
        assert row["observed"] > row["null_max"]
    assert values["aligned"] == pytest.approx(1.0, abs=0.05)
    assert abs(values["hidden"]) < 0.4


def test_the_best_of_learned_axes_against_the_best_of_random_ones_by_hand():
    learned = np.array([0.1, 0.9, 0.5])
    random = np.array([[0.2, 0.8, 0.1], [0.95, 0.0, 0.3], [0.4, 0.4, 0.4]])
    curve = cherry_picking.curve(learned, random, np.random.default_rng(0)).set_index("k")
    np.testing.assert_allclose(curve["learned"], [0.9, 0.7, 0.5])
    np.testing.assert_allclose(curve["null_mean"][1], (0.8 + 0.95 + 0.4) / 3)
    np.testing.assert_allclose(curve["null_mean"][2], (0.5 + 0.625 + 0.4) / 3)
    np.testing.assert_allclose(curve["p_value"], [2 / 4, 1 / 4, 1 / 4])


def test_m_star_is_how_long_one_searches():
    # One direction in ten is good enough: the first is found after 7 draws in the median (the
    # median of a geometric distribution, ln 2 / -ln .9 = 6.6, rounded up).
    pool = np.zeros((1_000, 10))
    pool[:, 0] = 1.0
    curve = cherry_picking.curve(np.array([1.0] + [0.0] * 9), pool, np.random.default_rng(2))
    assert curve["m_star"][0] == pytest.approx(7, abs=2)


def test_m_star_is_infinite_where_no_random_direction_is_good_enough():
    curve = cherry_picking.curve(np.array([2.0, 0.0]), np.ones((50, 2)), np.random.default_rng(3))
    assert curve["m_star"][0] == np.inf
    assert curve["m_star"][1] == 2


def test_traversal_axes_are_dual_to_readout_axes():
    readout = bases.general_linear(5, 4, np.random.default_rng(5))
    traversal = bases.general_linear_traversal(5, 4, np.random.default_rng(5))
    np.testing.assert_allclose(np.swapaxes(traversal, 1, 2) @ readout, [np.eye(4)] * 5, atol=1e-9)
    condition = np.linalg.cond(readout)
    assert condition.max() <= bases.MAX_CONDITION
    assert condition.min() < 6 < condition.max()


def test_max_t_adjusts_over_metrics_and_never_below_the_single_p():
    rng = np.random.default_rng(6)
    tested, _, _ = hidden_axes(rng)
    plan = assessment.Plan(["haar"], ["mig", "modularity", "sap_continuous"], 199, seed=0)
    table = assessment.assess(tested, plan).table
    assert (table["p_max_t"] >= table["p_value"] - 1e-12).all()
    alone = assessment.assess(tested, assessment.Plan(["haar"], ["mig"], 199, seed=0)).table
    assert alone["p_max_t"].item() == pytest.approx(alone["p_value"].item())


def test_of_many_starts_the_best_is_found_and_none_is_lost():
    rotation = bases.haar(1, 6, np.random.default_rng(7))[0]

    def narrow(many):
        """High only near one basis, so that a climb from far away finds nothing."""
        return np.exp(-30 * np.sum((many - rotation) ** 2, axis=(1, 2)))

    objective = supervised_rotation.of_bases(narrow)
    random = bases.haar(20, 6, np.random.default_rng(8))
    near = rotation @ bases.geodesic(bases.haar(1, 6, np.random.default_rng(9))[0], (0.02,))[0]
    found = supervised_rotation.best_rotation(objective, np.stack([*random, near]))
    assert narrow(found[None])[0] > narrow(near[None])[0]


def test_the_rotation_is_also_scored_on_the_half_that_it_was_found_on():
    rng = np.random.default_rng(10)
    factors = rng.integers(4, size=(300, 2))
    noise = Representation(rng.normal(size=(300, 4)), factors, ("a", "b"), (4, 4))
    row = assessment.assess(noise, assessment.Plan(["supervised"], ["mig"], 99)).table.iloc[0]
    # Latents that know nothing: what is found is chance, and is not there on the other half.
    assert row["found_on"] > row["observed"] + row["null_sd"]
