"""Further metrics of the field against their authors' recorded figures, and their invariances."""

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
from reproduce.metrics.infomec import infomec
from reproduce.metrics.information import InformationEngine, entropies, mutual_information
from reproduce.metrics.jemmig import jemmig
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.med import PARTS, med
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
    assert dcimig(known, h) == pytest.approx(float(expected["expected_dcimig"]), abs=1e-9)
    assert jemmig(latents, factors) == pytest.approx(float(expected["expected_jemmig"]), abs=1e-9)
    keys = {"disentanglement": "med", "completeness": "med_completeness"}
    for part, value in zip(PARTS, med(known), strict=True):
        key = f"expected_{keys.get(part, f'med_{part}')}"
        assert value == pytest.approx(float(expected[key]), abs=1e-9), key


@pytest.mark.parametrize("name", RECORDED)
def test_infomec_meets_its_recorded_figures(name):
    latents, factors, expected = read(name)
    is_small = name.startswith("small")  # the logistic regressions of the others take a minute
    found = infomec(latents, factors, with_explicitness=is_small)
    assert found.modularity == pytest.approx(float(expected["expected_infom_finite"]), abs=1e-9)
    assert found.compactness == pytest.approx(float(expected["expected_infoc"]), abs=1e-9)
    if is_small:
        converged = float(expected["expected_infoe_converged"])
        assert found.explicitness == pytest.approx(converged, abs=1e-5)


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
    axis, linear = ratios(arrays["latents_grid"], factors)
    assert axis == pytest.approx(float(expected["expected_disent_axis_ratio"]), abs=1e-6)
    assert linear == pytest.approx(float(expected["expected_disent_linear_ratio"]), abs=1e-6)


def test_a_rotation_changes_the_axis_ratio_and_not_the_linear_one():
    factors = np.indices((4, 3, 5)).reshape(3, -1).T
    aligned = np.concatenate([factors.astype(float), np.zeros((60, 1))], axis=1)
    assert ratios(aligned, factors) == pytest.approx((1.0, 1.0))
    turn = bases.haar(1, 4, np.random.default_rng(0))[0]
    axis, linear = ratios(aligned @ turn, factors)
    assert axis < 0.8
    assert linear == pytest.approx(1.0)
    order = np.random.default_rng(1).permutation(60)  # rows in any order
    assert ratios(aligned[order], factors[order]) == pytest.approx((1.0, 1.0))
    with pytest.raises(InputError, match="59 rows are no full grid of factors with 4 x 3 x 5"):
        ratios(aligned[1:], factors[1:])


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


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_order_signs_and_scales_of_latents_change_nothing(seed):
    rng = np.random.default_rng(seed)
    factors = rng.integers(4, size=(200, 3))
    latents = factors @ rng.normal(size=(3, 4)) + 0.3 * rng.normal(size=(200, 4))
    other = (latents * [2.0, -1.5, 0.7, -1.0])[:, [2, 0, 3, 1]]
    for metric, atol in ((jemmig, 1e-9), (lambda z, g: infomec(z, g).modularity, 1e-3)):
        assert metric(latents, factors) == pytest.approx(metric(other, factors), abs=atol + 0.02)
    known, turned = (mutual_information(z, factors) for z in (latents, latents[:, ::-1]))
    assert dcimig(known, entropies(factors)) == pytest.approx(dcimig(turned, entropies(factors)))
    np.testing.assert_allclose(med(known), med(turned))


def test_many_bases_are_scored_as_single_ones():
    rng = np.random.default_rng(2)
    factors = rng.integers(5, size=(300, 3))
    latents = factors @ rng.normal(size=(3, 4)) + rng.normal(size=(300, 4))
    many = bases.haar(6, 4, rng)
    information, h = InformationEngine(latents, factors)(many), entropies(factors)
    together = [dcimig(information, h), *med(information)]
    for b, one in enumerate(information):
        alone = [dcimig(one, h), *med(one)]
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
    new = "dcimig,med,jemmig,infomec,edi,axis_ratio,linear_ratio,dci_fast"
    output = tmp_path / "scores.csv"
    done = run_program(
        "score", f"--representation={file}", f"--metrics={new}", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    scores = pd.read_csv(output).set_index("metric")["value"]
    assert {"infomec_infom", "med_top1_completeness", "edi_explicitness"} <= set(scores.index)
    assert scores["linear_ratio"] > 0.9
    table = tmp_path / "basis_test.csv"
    flags = ("--metrics=dcimig,med,axis_ratio,linear_ratio", "--families=haar", "--num_bases=99")
    done = run_program(
        "basis_test", f"--representation={file}", *flags, "--num_fits=19", f"--output={table}"
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(table).set_index("metric")
    assert rows.loc["dcimig", "p_value"] == pytest.approx(0.01)
    assert rows.loc["med_disentanglement", "num_bases"] == 99
    assert rows.loc["axis_ratio", "p_value"] == pytest.approx(0.05)
    assert np.isnan(rows.loc["linear_ratio", "p_value"])  # no rotation changes it


@pytest.mark.parametrize("metric", ["infomec", "edi"])
def test_what_compares_factors_is_no_metric_of_a_single_one(metric):
    latents, factors = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60)[:, None] % 3
    with pytest.raises(InputError, match=f"{metric} compares factors, and there is 1"):
        basis_scorer.score(LabelledLatents(latents, factors), ["mig", metric], 0)
