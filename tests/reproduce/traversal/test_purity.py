"""Traversal purity: closed forms on planted decoders, and the programs from predictor to table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import dsprites
from models.latent_blocks import LatentBlock, coordinates
from models.settings import FactorPredictorSettings
from reproduce.basis import bases
from reproduce.traversal import predicted_factors, purity, purity_assessment
from reproduce.traversal.purity import TraversalSetup

D = 4


def fitted(kinds, sizes, symmetries=()):
    return FactorPredictorSettings(factor_kinds=kinds, factor_sizes=sizes, symmetries=symmetries)


def ordered(k=D):
    names = tuple(f"factor {j}" for j in range(k))
    return predicted_factors.Factors(names, ("ordered",) * k, (9,) * k, (), (1,) * k, (1.0,) * k)


def linear_scene(matrix, energy=0.01, num_images=3):
    """Images are pixels z A; the predictor reads the pixels: one factor each."""
    rng = np.random.default_rng(0)
    k = matrix.shape[1]

    def decode(inputs):
        return (inputs @ matrix).reshape(-1, 1, k, 1).astype(np.float64)

    def predict(images):
        return images.reshape(len(images), -1)

    return TraversalSetup(
        decode, predict, ordered(k), rng.normal(size=(num_images, len(matrix))), energy
    )


def test_steps_of_a_linear_decoder_are_the_closed_form():
    setup = linear_scene(np.diag([1.0, 2.0, 0.5, 4.0]))
    found = purity.measure(setup, np.eye(D))
    # A step delta along axis i changes one of four pixels by delta A_ii.
    expected = np.sqrt(setup.energy * D) / np.array([1.0, 2.0, 0.5, 4.0])
    np.testing.assert_allclose(found.steps, expected, rtol=0.03)
    np.testing.assert_allclose(found.energies, setup.energy, rtol=0.05)
    assert not found.dead.any()


def test_aligned_axes_are_pure_and_mixed_ones_as_impure_as_computed():
    setup = linear_scene(np.eye(D))
    assert purity.purity_of_basis(purity.measure(setup, np.eye(D))) == pytest.approx(1, abs=1e-4)
    mixed = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]) / np.sqrt([[2.0], [4.0]])
    found = purity.measure(setup, mixed)
    np.testing.assert_allclose(found.rows, [[0.5, 0.5, 0, 0], [0.25] * 4], atol=1e-4)
    expected = [1 - np.log(2) / np.log(4), 0.0]
    np.testing.assert_allclose(purity.purity_of_rows(found.rows), expected, atol=1e-4)


def test_directions_that_cannot_reach_the_energy_are_dead_and_left_out():
    setup = linear_scene(np.diag([1.0, 1.0, 1.0, 1e-4]))
    found = purity.measure(setup, np.eye(D))
    assert found.dead.tolist() == [False, False, False, True]
    assert found.steps[3] == 3.0
    assert purity.purity_of_basis(found) == pytest.approx(1, abs=1e-4)
    nothing = linear_scene(np.zeros((D, D)))
    found = purity.measure(nothing, np.eye(D))
    assert found.dead.all()
    np.testing.assert_allclose(found.rows, 1 / D)
    assert np.isnan(purity.purity_of_basis(found))


def test_a_saturating_decoder_is_matched_all_the_same():
    setup = linear_scene(np.eye(D))
    bent = TraversalSetup(
        lambda z: np.tanh(3 * setup.decode(z)),
        setup.predict,
        setup.factors,
        setup.start * 0.1,
        0.05,
    )
    found = purity.measure(bent, np.eye(D))
    np.testing.assert_allclose(found.energies, 0.05, rtol=0.05)


@given(st.integers(0, 2**32 - 1))
def test_order_and_sign_of_axes_leave_purity_unchanged(seed):
    rng = np.random.default_rng(seed)
    setup = linear_scene(rng.normal(size=(D, D)))
    axes = bases.haar(1, D, rng)[0]
    moved = bases.signed_permutation(1, D, rng)[0] @ axes
    before, after = (
        purity.purity_of_basis(purity.measure(setup, directions)) for directions in (axes, moved)
    )
    assert after == pytest.approx(before, abs=1e-9)


def test_the_limit_of_small_steps_is_exact_for_a_linear_decoder():
    rng = np.random.default_rng(1)
    setup = linear_scene(rng.normal(size=(D, D)))
    draws = bases.haar(5, D, rng)
    derivative = purity.differentiate(setup, np.eye(D))
    finite = [purity.purity_of_basis(purity.measure(setup, basis.T)) for basis in draws]
    np.testing.assert_allclose(derivative.purity(draws), finite, atol=1e-4)


def test_aligned_axes_beat_random_ones_and_a_random_basis_does_not():
    rng = np.random.default_rng(2)
    plan = purity_assessment.PurityPlan(99, 999)
    everything = coordinates("latents", np.arange(D), D, "")
    found = purity_assessment.assess(
        linear_scene(np.eye(D)), [("haar", "purity", everything)], plan
    )
    table = found.table.set_index("metric")
    assert table.loc["purity", "p_value"] == 1 / 100
    assert table.loc["purity_linear", "p_value"] == 1 / 1000
    assert table.loc["purity", "agreement"] > 0.99
    assert found.leakage["purity"].min() > 0.99
    p_values = []
    for seed in range(40):
        setup = linear_scene(bases.haar(1, D, rng)[0])
        plan = purity_assessment.PurityPlan(1, 99, seed)
        found = purity_assessment.assess(setup, [("haar", "purity", everything)], plan)
        p_values.append(found.table.set_index("metric").loc["purity_linear", "p_value"])
    assert 0.3 < np.mean(p_values) < 0.7  # 40 uniform values: SD of the mean .046
    assert np.mean(np.array(p_values) <= 0.1) < 0.3


@pytest.mark.parametrize(
    ("k", "metrics"),
    [(50, {"purity", "purity_linear"}), (140, {"purity_linear"})],
)
def test_large_strata_are_looked_at_by_some_of_their_axes(k, metrics):
    setup = linear_scene(np.eye(k))
    block = coordinates("everything", np.arange(k), k, "")
    plan = purity_assessment.PurityPlan(19, 99)
    found = purity_assessment.assess(setup, [("haar", "purity", block)], plan)
    table = found.table.set_index("metric")
    assert set(table.index) == metrics
    for metric in metrics:
        assert table.loc[metric, "p_value"] == 1 / (1 + table.loc[metric, "num_bases"])
        assert table.loc[metric, "observed"] > 0.99
    # The axes are those of the latent block, by their own numbers: each changes its own factor.
    looked_at = found.leakage.set_index("axis")
    assert len(looked_at) == purity_assessment.MAX_AXES
    shares = looked_at[list(setup.factors.names)].to_numpy()
    assert list(shares.argmax(axis=1)) == list(looked_at.index)


def test_a_basis_that_moves_nothing_counts_as_a_tie():
    nothing = linear_scene(np.diag([1e-6] * 4))
    everything = coordinates("latents", np.arange(D), D, "")
    found = purity_assessment.assess(
        nothing, [("haar", "purity", everything)], purity_assessment.PurityPlan(9, 9)
    )
    assert found.table.set_index("metric").loc["purity", "p_value"] == 1.0


def test_labelled_directions_find_a_planted_factor():
    rng = np.random.default_rng(5)
    factors = rng.integers(9, size=(2_000, D))
    matrix = bases.haar(1, D, rng)[0]
    inputs = (factors - 4) @ matrix.T  # decode(inputs) = factors - 4, whose axes are rotated
    setup = linear_scene(matrix)
    kinds = ("ordered",) * D
    found = purity.labelled_directions(inputs, factors, kinds)
    for j, direction in found.items():
        assert abs(direction @ matrix[:, j]) > 0.99
    table = purity_assessment.compare_labelled_directions(
        setup, inputs, factors, coordinates("latents", np.arange(D), D, ""), 99, rng
    )
    assert (table["p_value"] == 1 / 100).all()
    assert (table["share"] > 0.85).all()


def test_strata_embed_linearly():
    block = coordinates("codes", np.array([1, 3]), 5, "")
    np.testing.assert_array_equal(block.embed(np.array([[2.0, 3.0]])), [[0.0, 2.0, 0.0, 3.0, 0.0]])
    assert isinstance(block, LatentBlock)


def turned(degrees, orders=(4, 2, 1)):
    angles = np.deg2rad(degrees) * np.array(orders)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).ravel()


def test_changes_by_kind_of_factor():
    factors = predicted_factors.describe(
        dsprites.FACTOR_NAMES[:3],
        fitted(("categorical", "ordered", "angle"), dsprites.FACTOR_SIZES[:3], (4, 2, 1)),
        np.stack(np.meshgrid(*map(np.arange, (3, 6, 40)), indexing="ij"), -1).reshape(-1, 3),
    )
    one_hot_sd = np.sqrt((1 - 3 / 9) / 2)
    np.testing.assert_allclose(factors.scales, [one_hot_sd, np.sqrt(35 / 12), 1 / np.sqrt(12)])
    square = np.concatenate([[0.8, 0.1, 0.1], [2.0], turned(10)])
    # A quarter turn leaves a square as it was; a turn by 30 degrees is a third of its period.
    for degrees, turns in ((100, 0.0), (40, 1 / 3), (-20, 1 / 3), (55, 0.5)):
        moved = np.concatenate([[0.5, 0.1, 0.4], [3.5], turned(degrees)])
        found = predicted_factors.changes(factors, square, moved) * factors.scales
        np.testing.assert_allclose(found, [0.3, 1.5, turns], atol=1e-9)
    heart = np.concatenate([[0.0, 0.1, 0.9], [2.0], turned(10)])
    moved = np.concatenate([[0.0, 0.1, 0.9], [2.0], turned(100)])
    found = predicted_factors.changes(factors, heart, moved) * factors.scales
    np.testing.assert_allclose(found, [0, 0, 0.25], atol=1e-9)


def test_rows_of_the_data_are_the_datas_correlations():
    rng = np.random.default_rng(6)
    n = 200_000
    first = rng.integers(20, size=n)
    other = rng.integers(2, size=n)
    second = np.where(rng.random(n) < 0.5, first, rng.integers(20, size=n))  # correlation .5
    labels = np.stack([first, second, other], axis=1)
    kinds = ("ordered", "ordered", "categorical")
    factors = predicted_factors.describe(("a", "b", "c"), fitted(kinds, (20, 20, 2)), labels)
    rows = predicted_factors.rows_of_the_data(factors, labels)
    expected = [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(rows, expected / np.sum(expected, axis=1)[:, None], atol=0.01)
    tied = np.stack([first, second, first >= 10], axis=1).astype(int)
    factors = predicted_factors.describe(("a", "b", "c"), fitted(kinds, (20, 20, 2)), tied)
    rows = predicted_factors.rows_of_the_data(factors, tied)
    correlation = np.corrcoef(first, first >= 10)[0, 1]
    assert rows[0, 2] / rows[0, 0] == pytest.approx(correlation, abs=0.01)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_leakage_of_axes_is_told_from_leakage_of_the_data(correlation):
    rng = np.random.default_rng(7)
    normal = rng.normal(size=(50_000, 3))
    normal[:, 1] = correlation * normal[:, 0] + np.sqrt(1 - correlation**2) * normal[:, 1]
    labels = np.clip(np.rint(2 * normal + 8), 0, 16).astype(int)
    factors = predicted_factors.describe(
        ("a", "b", "c"), fitted(("ordered",) * 3, (17,) * 3), labels
    )
    data_rows = predicted_factors.rows_of_the_data(factors, labels)

    def setup(matrix):
        planted = linear_scene(matrix)
        return TraversalSetup(planted.decode, planted.predict, factors, planted.start, 0.01)

    # A renderer with one factor a latent: no leakage by axes, whatever the data's correlation is.
    found = purity.measure(setup(np.eye(3)), np.eye(3))
    np.testing.assert_allclose(found.rows, np.eye(3), atol=1e-3)
    assert data_rows[0, 1] == pytest.approx(correlation / (1 + correlation), abs=0.02)
    # One whose latents are the data's principal axes: the first of them moves what goes together.
    _, axes = np.linalg.eigh(np.cov(labels / labels.std(axis=0), rowvar=False))
    if correlation:
        first = purity.measure(setup(axes[:, ::-1].T), np.eye(3)).rows[0]
        np.testing.assert_allclose(first, data_rows[first.argmax()], atol=0.05)


def test_accuracy_in_the_factors_own_units():
    factors = predicted_factors.Factors(
        ("shape", "scale", "orientation"),
        ("categorical", "ordered", "angle"),
        (3, 6, 40),
        (4, 2, 1),
        (3, 1, 6),
        (1.0, 1.0, 1.0),
    )
    truth = np.array([[0, 2, 0], [1, 3, 13], [2, 4, 39]])  # 0, 120 and 360 degrees
    read = np.stack(
        [
            np.concatenate([[1, 0, 0], [2.5], turned(90 + 3)]),  # a square: 3 degrees off
            np.concatenate([[0, 1, 0], [3.5], turned(120 + 180 - 3)]),  # an ellipse: the same
            np.concatenate([[1, 0, 0], [4.5], turned(3)]),
        ]
    )
    found = predicted_factors.accuracy(factors, read, truth)
    assert found["shape"] == pytest.approx(2 / 3)
    assert found["scale"] == pytest.approx(0.5)
    assert found["orientation"] == pytest.approx(3.0)


def test_anybodys_decoder_is_tested(predictor, tiny, run_program, tmp_path):
    with np.load(tiny) as file:
        factors = file["factors"]
    latents = (factors - 3.5) / 1.5
    mine = tmp_path / "mine.npz"
    np.savez(
        mine, latents=latents, factors=factors, factor_names=["pos_y", "pos_x"], factor_sizes=[8, 8]
    )
    flags = (
        f"--representation={mine}",
        f"--predictor_dir={predictor}",
        "--num_bases=19",
        "--num_linear_bases=99",
        "--num_images=4",
        "--num_directions=19",
        f"--output_dir={tmp_path / 'out'}",
    )
    done = run_program("purity_test", "--decoder=planted_decoder:decode", *flags)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "out" / "traversal_purity.csv")
    assert set(table["family"]) == {"haar", "haar_active"}
    row = table[(table["family"] == "haar") & (table["metric"] == "traversal_purity")].iloc[0]
    assert row["observed"] > row["null_mean"]  # its axes are the factors
    leakage = pd.read_csv(tmp_path / "out" / "leakage.csv")
    assert leakage["pos_y"][0] > 0.5 > leakage["pos_y"][1]
    accuracy = pd.read_csv(tmp_path / "out" / "predictor_accuracy.csv").set_index("factor")["value"]
    assert accuracy.max() < 1.0
    for mistake, message in (
        ("--decoder=planted_decoder:wrong", "expected float [4, 16, 16, 1]"),
        ("--decoder=planted_decoder:none", "no attribute"),
        ("--decoder=planted_decoder:failing", "the decoder failed on latents [4, 2]: no weights"),
        ("--decoder=nowhere", "expected module:function"),
    ):
        done = run_program("purity_test", mistake, *flags)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_mistakes_are_named_in_one_line(predictor, run_program, tmp_path):
    for flags, message in (
        ([], "--run_dir"),
        ([f"--run_dir={predictor}"], "--predictor_dir is missing"),
        ([f"--run_dir={predictor}", f"--predictor_dir={tmp_path}"], "holds no run"),
        ([f"--run_dir={predictor}", f"--predictor_dir={predictor}"], "expected a generative model"),
    ):
        done = run_program("purity_test", *flags)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
