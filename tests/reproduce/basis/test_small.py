"""Few points, rare classes: the right number or a clear refusal, and no warning on the way."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from definitions import mig

from data.files import InputError
from reproduce.api import assess_basis
from reproduce.basis import assessment, bases
from reproduce.basis.representation import Representation
from reproduce.metrics import basis_scorer, registry
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.reporting import page, seed_results, seed_verdicts

OF_LATENTS = [registry.METRICS[name] for name in registry.OF_LATENTS]
FITS = tuple(m.name for m in OF_LATENTS if m.source == "fit" and not m.needs_grid)
CLOSED = tuple(m.name for m in OF_LATENTS if m.source != "fit")


@pytest.fixture(autouse=True)
def _strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def few(n, d):
    rng = np.random.default_rng(n)
    factors = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], axis=1)
    if n == 2:
        factors = np.array([[0, 0], [1, 1]])
    latents = np.hstack([factors, rng.normal(size=(n, d - 2))]) + 0.1 * rng.normal(size=(n, d))
    return Representation(latents, factors, ("a", "b"), (2, 2))


def rare(positives, n=1_000):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(4, size=n), np.arange(n) < positives], axis=1).astype(int)
    latents = factors + 0.3 * rng.normal(size=factors.shape)
    return Representation(latents, factors, ("hue", "bald"), (4, 2))


TESTED = {
    **{f"{n} points, {d} latents": few(n, d) for n, d in ((2, 2), (3, 2), (5, 3), (6, 8))},
    **{f"{k} of 1000": rare(k) for k in (1, 3)},
}


@pytest.mark.parametrize("family", bases.FAMILIES)
@pytest.mark.parametrize("kind", TESTED)
def test_every_family_gives_numbers_or_says_why_not(kind, family):
    plan = assessment.Plan([family], CLOSED, 9, num_groups=20)
    try:
        table = assessment.assess(TESTED[kind], plan).table
    except InputError:
        assert family == "supervised"  # which halves the points
        assert TESTED[kind].factors.shape[0] <= 5
        return
    assert np.isfinite(table["observed"]).all()
    if family not in ("pca", "ica"):
        assert np.isfinite(table["null_mean"]).all()


@pytest.mark.parametrize("kind", TESTED)
def test_mig_is_that_of_the_definition(kind):
    tested = TESTED[kind]
    found = basis_scorer.score(tested.points(), ["mig"], 0)["mig"]
    assert found == pytest.approx(mig(tested.latents, tested.factors), abs=1e-12)


@pytest.mark.parametrize("metric", FITS)
@pytest.mark.parametrize("kind", TESTED)
def test_every_fit_gives_a_number(monkeypatch, kind, metric):
    monkeypatch.setattr(basis_scorer, "NUM_GROUPS", 50)
    scorer = basis_scorer.BasisScorer(TESTED[kind].points(), [metric], 0, num_groups=50)
    identity = np.eye(TESTED[kind].latents.shape[1])[None]
    (found,) = scorer.fits(identity)
    assert np.isfinite(list(found.values())).all()


def test_a_single_random_basis_has_no_spread_and_a_verdict_all_the_same():
    tested = rare(3)
    found = assessment.assess(tested, assessment.Plan(["haar", "haar_active"], ["mig"], 1))
    result = seed_results.SeedResult("mine", "", 0, tested, found.table, found.nulls)
    table, contrasts = seed_verdicts.judge([result], seed=0)
    assert "nan" not in table["sentence"].item()
    assert "(p = 0.5)" in table["sentence"].item()
    assert "not distinguishable" in page.render([result], table, contrasts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_bases": 0}, "num_bases is 0"),
        ({"num_bases": 1e4}, r"num_bases is 10000\.0"),
        ({"seed": -1}, "seed is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"families": ["haar", "haar"]}, "family haar is named twice"),
        ({"metrics": ["mig", "mig"]}, "metric mig is named twice"),
        ({"families": "h"}, "unknown family 'h'"),
    ],
)
def test_numbers_out_of_range_and_names_given_twice_are_refused(change, message):
    tested = TESTED["6 points, 8 latents"]
    with pytest.raises(InputError, match=message):
        assess_basis(tested.latents, tested.factors, **change)


def test_a_factor_that_a_half_knows_nothing_of_is_left_out_of_the_supervised_rotation():
    tested = rare(1)
    plan = assessment.Plan(["supervised"], ["mig"], 9)
    found = assessment.assess(tested, plan).table.iloc[0]
    # As if there were the other factor alone.
    alone = Representation(tested.latents, tested.factors[:, :1], ("hue",), (4,))
    expected = assessment.assess(alone, plan).table.iloc[0]
    assert found["observed"] == expected["observed"]
    assert found["rho"] == expected["rho"]


def test_a_split_that_loses_a_class_is_scored_by_what_it_holds():
    tested = rare(3)
    split = LabelledLatents(
        tested.latents[:600], tested.factors[:600], tested.latents[600:], tested.factors[600:]
    )
    scorer = basis_scorer.BasisScorer(
        split, ["sap", "explicitness", "dci", "dci_linear", "dci_es"], 0
    )
    (found,) = scorer.fits(np.eye(2)[None])
    assert np.isfinite(list(found.values())).all()


def test_a_factor_that_tells_rows_apart_is_said_and_warned_of_by_nothing_else():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(3, size=60), np.arange(60), np.arange(60) // 2], axis=1)
    latents = factors[:, :2] / [1, 20] + 0.1 * rng.normal(size=(60, 2))
    tested = Representation(latents, factors, ("hue", "file", "pair"), (3, 60, 30))
    told = tested.identifiers()
    assert "file (60 of 60 rows)" in told
    assert "hue" not in told
    assert "pair" not in told  # two rows a class
    assert few(10, 3).identifiers() == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fits = ("explicitness", "dci_fast")
        found = basis_scorer.score(tested.points(), ("mig", *fits), 0)
    assert found["mig"] == pytest.approx(mig(latents, factors), abs=1e-12)
    assert np.isfinite(list(found.values())).all()
