"""Further metrics of the field against their authors' recorded figures, and their invariances."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import recorded
import scipy.spatial
from hypothesis import given, settings
from hypothesis import strategies as st

from data.files import InputError
from reproduce.basis import bases
from reproduce.metrics import basis_scorer
from reproduce.metrics.axis_ratio import ratios
from reproduce.metrics.dci import dci, dci_fast
from reproduce.metrics.dcimig import dcimig
from reproduce.metrics.edi import edi
from reproduce.metrics.factor_distances import PARTS as DISTANCES
from reproduce.metrics.factor_distances import factor_distances, global_distances
from reproduce.metrics.infomec import infoe, infomec
from reproduce.metrics.information import (
    InformationEngine,
    discretise,
    entropies,
    mutual_information,
)
from reproduce.metrics.jemmig import jemmig, joint_entropies
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.med import PARTS, informativeness, med
from reproduce.metrics.neighbours import count_within, nearest

KINDS = ("aligned", "dead", "mixed", "noise", "rotated")
RECORDED = [f"{size}_{kind}" for size in ("small", "dsprites_shaped") for kind in KINDS]


def read(name):
    """Latents and factors of the training split, and the expected figures."""
    arrays = recorded.load(name)
    expected = recorded.load(name, "oracle_more")
    return arrays["latents_train"], arrays["factors_train"].astype(np.int64), expected


@pytest.mark.parametrize("name", RECORDED)
def test_functions_of_binned_information_meet_their_recorded_figures(name):
    latents, factors, expected = read(name)
    known, h = mutual_information(latents, factors), entropies(factors)
    for num_bins, suffix in ((20, ""), (10, "_10bins")):
        binned = known if num_bins == 20 else mutual_information(latents, factors, num_bins)
        own = entropies(discretise(latents, num_bins))
        figures = {
            "dcimig": dcimig(binned, h),
            "dcimig_unnormalised": dcimig(binned, np.ones_like(h)),
            "jemmig": jemmig(binned, own, h, num_bins),
            "jemmig_unnormalised": joint_entropies(binned, own, h).mean(),
        }
        for name_of_figure, value in figures.items():
            key = f"expected_{name_of_figure}{suffix}"
            assert value == pytest.approx(float(expected[key]), abs=1e-9), key
    keys = {"disentanglement": "med", "completeness": "med_completeness"}
    for part, value in zip(PARTS, med(known), strict=True):
        key = f"expected_{keys.get(part, f'med_{part}')}"
        assert value == pytest.approx(float(expected[key]), abs=1e-9), key


@pytest.mark.parametrize("name", RECORDED)
def test_infomec_meets_its_recorded_figures(name):
    latents, factors, expected = read(name)
    infom, infoc = infomec(latents, factors)
    assert infom == pytest.approx(float(expected["expected_infom_finite"]), abs=1e-9)
    assert infoc == pytest.approx(float(expected["expected_infoc"]), abs=1e-9)


@pytest.mark.parametrize("name", [*RECORDED[:5], "dsprites_shaped_mixed", "dsprites_shaped_noise"])
def test_linear_classifiers_meet_their_recorded_figures(name):
    latents, factors, expected = read(name)
    converged = float(expected["expected_infoe_converged"])
    assert infoe(latents, factors) == pytest.approx(converged, abs=1e-6)
    arrays = recorded.load(name)
    test = arrays["latents_test"], arrays["factors_test"].astype(np.int64)
    for split, value in zip(
        ("train", "test"), informativeness(latents, factors, *test), strict=True
    ):
        # Versions of scikit-learn stop at different places.
        figure = float(expected[f"expected_med_informativeness_{split}"])
        assert value == pytest.approx(figure, abs=1.4e-3), split


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("captured", ["max", "sum"])
def test_edi_meets_its_recorded_figures(kind, captured):
    latents, factors, expected = read(f"small_{kind}")
    found = edi(latents, factors, captured=captured)
    for value, part in zip(found, ("modularity", "compactness", "explicitness"), strict=True):
        figure = float(expected[f"expected_edi_{part}_{captured}"])
        assert value == pytest.approx(figure, abs=1e-7), part


@pytest.mark.parametrize("kind", ["aligned", "dead", "mixed", "rotated"])
def test_axis_and_linear_ratio_meet_their_recorded_figures(kind):
    arrays = recorded.load(f"grid_{kind}")
    expected = recorded.load(f"grid_{kind}", "oracle_more")
    factors = np.indices(arrays["factor_sizes"]).reshape(len(arrays["factor_sizes"]), -1).T
    found = ratios(arrays["latents_grid"], factors)
    figures = {
        "axis_ratio": found.axis,
        "linear_ratio": found.linear,
        "axis_alignment": found.alignment,
        "axis_ratio_ave": found.axis_of_mean,
    }
    for key, value in figures.items():
        assert value == pytest.approx(float(expected[f"expected_disent_{key}"]), abs=1e-6), key


@pytest.mark.parametrize("kind", ["aligned", "dead", "mixed", "rotated"])
def test_distances_meet_their_recorded_figures(kind):
    arrays = recorded.load(f"grid_{kind}")
    expected = recorded.load(f"grid_{kind}", "oracle_more")
    factors = np.indices(arrays["factor_sizes"]).reshape(len(arrays["factor_sizes"]), -1).T
    found = zip(
        DISTANCES,
        factor_distances(arrays["latents_grid"], factors),
        global_distances(arrays["latents_grid"], factors),
        strict=True,
    )
    for part, along_factors, of_any in found:
        measure, norm = part.split("_")
        key = f"expected_disent_{measure}_ground_latent_{norm}"
        # Theirs are computed in float32.
        assert along_factors == pytest.approx(float(expected[f"{key}_factor"]), abs=1e-6), part
        spread = float(expected[f"{key}_global_sd"])  # of four draws of few pairs each
        assert of_any == pytest.approx(float(expected[f"{key}_global_mean"]), abs=4 * spread), part


def test_a_rotation_changes_the_axis_ratio_and_not_the_linear_one():
    factors = np.indices((4, 3, 5)).reshape(3, -1).T
    aligned = np.concatenate([factors.astype(float), np.zeros((60, 1))], axis=1)
    perfect = pytest.approx((1.0, 1.0, 1.0, 1.0))
    assert dataclasses.astuple(ratios(aligned, factors)) == perfect
    turn = bases.haar(1, 4, np.random.default_rng(0))[0]
    rotated = ratios(aligned @ turn, factors)
    assert rotated.axis < 0.8
    assert rotated.linear == pytest.approx(1.0)
    assert rotated.alignment == pytest.approx(rotated.axis)
    order = np.random.default_rng(1).permutation(60)  # rows in any order
    assert dataclasses.astuple(ratios(aligned[order], factors[order])) == perfect
    with pytest.raises(InputError, match="59 rows are no full grid of factors with 4 x 3 x 5"):
        ratios(aligned[1:], factors[1:])
    with pytest.raises(InputError, match="no factor has more than one value"):
        ratios(aligned[:1], factors[:1])


def test_a_traversal_on_which_no_latent_moves_counts_nothing():
    factors = np.indices((2, 2)).reshape(2, -1).T
    latents = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    # The first factor moves the first latent in one of two traversals, and nothing in the other;
    # the second one moves one latent, and then both alike.
    assert ratios(latents, factors).axis == pytest.approx(np.sqrt(0.5 * 0.5))
    assert ratios(latents, factors).alignment == pytest.approx(np.sqrt(0.5 * 0.5))
    assert ratios(latents * [0, 1], factors).axis == 0  # the first one never moves anything


def test_distances_of_aligned_latents_are_those_of_the_factors():
    factors = np.indices((4, 3, 5)).reshape(3, -1).T
    turned = factors @ bases.haar(1, 3, np.random.default_rng(0))[0]
    for latents, parts in ((factors, slice(None)), (turned, slice(3, None))):
        assert min(factor_distances(latents, factors)[parts]) == pytest.approx(1)
    found = dict(zip(DISTANCES, global_distances(factors, factors), strict=True))
    rotated = dict(zip(DISTANCES, global_distances(turned, factors), strict=True))
    assert [found[f"{part}_l1"] for part in ("rsame", "rcorr", "lcorr")] == pytest.approx([1.0] * 3)
    for part in ("rsame", "rcorr", "lcorr"):
        assert rotated[f"{part}_l1"] < 0.99
        assert rotated[f"{part}_l2"] == pytest.approx(found[f"{part}_l2"])
    assert factor_distances(np.zeros((60, 2)), factors)[2] == 0


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.booleans())
def test_neighbours_are_those_of_a_tree(seed, n, has_ties):
    rng = np.random.default_rng(seed)
    values = np.sort(rng.normal(size=n).round(1 if has_ties else 12))
    q = int(rng.integers(1, n))
    distance, _ = scipy.spatial.cKDTree(values[:, None]).query(values[:, None], k=[q + 1])
    np.testing.assert_allclose(nearest(values, q), distance[:, 0], atol=1e-12)
    r = nearest(values, q)
    direct = (np.abs(values[:, None] - values[None]) < r[:, None]).sum(axis=1)
    np.testing.assert_array_equal(count_within(values, values, r), np.maximum(direct, 1))


def of_binned(latents, factors):
    """The metrics of binned information."""
    known, h = mutual_information(latents, factors), entropies(factors)
    return [dcimig(known, h), *med(known), jemmig(known, entropies(discretise(latents)), h)]


# What order, signs and scales move a metric by at most, of so many rows. EDI breaks the ties of
# factors by noise.
DRIFTS = {
    "binned": (of_binned, 1e-9, 200),
    "infomec": (infomec, 1e-9, 200),
    "infoe": (infoe, 1e-5, 200),
    "med_informativeness": (lambda z, g: informativeness(z, g, z, g)[0], 1e-2, 200),
    "edi": (edi, 0.015, 1_000),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_order_signs_and_scales_of_latents_change_nothing(name):
    metric, drift, n = DRIFTS[name]

    @settings(max_examples=5, derandomize=True, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        rng = np.random.default_rng(seed)
        factors = rng.integers(4, size=(n, 3))
        latents = factors @ rng.normal(size=(3, 4)) + rng.normal(size=(n, 4))
        other = (latents * [2.0, -1.5, 0.7, -1.0])[:, [2, 0, 3, 1]]
        np.testing.assert_allclose(metric(other, factors), metric(latents, factors), atol=drift)

    check()


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_order_and_signs_change_no_distances_and_a_rotation_none_of_l2(norm):
    rng = np.random.default_rng(4)
    factors = np.indices((3, 4, 2)).reshape(3, -1).T
    latents = factors @ rng.normal(size=(3, 4)) + 0.3 * rng.normal(size=(24, 4))
    parts = [part.endswith(norm) for part in DISTANCES]
    moved = [2 * latents @ bases.signed_permutation(1, 4, rng)[0]]
    moved += [latents @ bases.haar(1, 4, rng)[0]] if norm == "l2" else []
    for figures in (factor_distances, global_distances):
        expected = np.array(figures(latents, factors))[parts]
        for one in moved:
            np.testing.assert_allclose(np.array(figures(one, factors))[parts], expected, atol=1e-7)


def test_many_bases_are_scored_as_single_ones():
    rng = np.random.default_rng(2)
    factors = rng.integers(5, size=(300, 3))
    latents = factors @ rng.normal(size=(3, 4)) + rng.normal(size=(300, 4))
    many = bases.haar(6, 4, rng)
    engine, h = InformationEngine(latents, factors), entropies(factors)
    information, own = engine(many), engine.entropies(many)
    together = [dcimig(information, h), *med(information), jemmig(information, own, h)]
    for b, one in enumerate(information):
        alone = [dcimig(one, h), *med(one), jemmig(one, own[b], h)]
        np.testing.assert_allclose([column[b] for column in together], alone)


def test_the_fast_dci_orders_bases_as_the_exact_one():
    latents, factors, _ = read("small_mixed")
    test = recorded.load("small_mixed")
    rest = test["latents_test"], test["factors_test"].astype(np.int64)
    turns = bases.haar(1, latents.shape[1], np.random.default_rng(0))[0]
    path = bases.geodesic(turns, (0.0, 0.2, 0.4, 1.0))
    exact, fast = (
        [form(latents @ q, factors, rest[0] @ q, rest[1]).disentanglement for q in path]
        for form in (dci, dci_fast)
    )
    assert np.argsort(exact).tolist() == np.argsort(fast).tolist()
    aligned = dci_fast(factors.astype(float), factors, rest[1].astype(float), rest[1])
    assert aligned.disentanglement > 0.9
    assert aligned.informativeness > 0.99


def test_the_programs_take_them(run_program, tmp_path):
    rng = np.random.default_rng(3)
    factors = np.indices((3, 4, 3)).reshape(3, -1).T
    latents = factors + 0.1 * rng.normal(size=(36, 3))
    file = tmp_path / "representation.npz"
    names = ["a", "b", "c"]
    np.savez(file, latents=latents, factors=factors, factor_names=names, factor_sizes=[3, 4, 3])
    new = "dcimig,med,med_informativeness,jemmig,infomec,infoe,edi,axis_ratio,axis_alignment"
    new += ",linear_ratio,factor_distances,global_distances,dci_fast"
    output = tmp_path / "scores.csv"
    done = run_program(
        "score", f"--representation={file}", f"--metrics={new}", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    scores = pd.read_csv(output).set_index("metric")["value"]
    assert {"infomec_infom", "infoe", "med_top1_completeness"} <= set(scores.index)
    assert {f"factor_distances_{part}" for part in DISTANCES} <= set(scores.index)
    assert scores["linear_ratio"] > 0.9
    table = tmp_path / "basis_test.csv"
    flags = (
        "--metrics=dcimig,med,jemmig,axis_ratio,linear_ratio",
        "--families=haar",
        "--num_bases=99",
    )
    done = run_program(
        "basis_test", f"--representation={file}", *flags, "--num_fits=19", f"--output={table}"
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(table).set_index("metric")
    assert rows.loc["dcimig", "p_value"] == pytest.approx(0.01)
    for column in ("med_disentanglement", "jemmig"):
        assert rows.loc[column, "num_bases"] == 99
    assert rows.loc["axis_ratio", "p_value"] == pytest.approx(0.05)
    assert np.isnan(rows.loc["linear_ratio", "p_value"])  # no rotation changes it


@pytest.mark.parametrize("metric", ["infomec", "iwo", "edi"])
def test_what_compares_factors_is_no_metric_of_a_single_one(metric):
    latents, factors = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60)[:, None] % 3
    with pytest.raises(InputError, match=f"{metric} compares factors, and there is 1"):
        basis_scorer.score(LabelledLatents(latents, factors), ["mig", metric], 0)
