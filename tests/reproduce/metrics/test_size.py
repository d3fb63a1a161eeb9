"""Many latents and many rows: memory stays bounded, and the numbers are the same."""

from __future__ import annotations

import resource
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from programs import ROOT

from data import blocks
from reproduce.basis import assessment, bases, representation
from reproduce.metrics import basis_scorer, dci
from reproduce.metrics.factor_vae_score import factor_vae_score
from reproduce.metrics.labelled_latents import LabelledLatents

SCRIPT = """
import numpy as np, resource
from reproduce.metrics import basis_scorer
from reproduce.metrics.labelled_latents import LabelledLatents
rng = np.random.default_rng(0)
factors = rng.integers(4, size=({n}, 3))
latents = rng.normal(size=({n}, {d}))
latents[:, :3] += 3 * factors
found = basis_scorer.score(LabelledLatents(latents, factors), {metrics}, 0)
print(found["factor_vae"])
"""


def test_what_is_not_kept_is_computed_alike(monkeypatch):
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(500, 3))
    points = LabelledLatents(factors + 0.5 * rng.normal(size=(500, 3)), factors)
    many = np.concatenate([np.eye(3)[None], bases.haar(5, 3, rng)])
    kept = basis_scorer.BasisScorer(points, ["factor_vae"], 7, num_groups=200).closed_forms(many)
    monkeypatch.setattr(basis_scorer, "_MAX_COVARIANCES", 0)
    found = basis_scorer.BasisScorer(points, ["factor_vae"], 7, num_groups=200).closed_forms(many)
    np.testing.assert_allclose(found["factor_vae"], kept["factor_vae"], atol=0.01)
    directly = factor_vae_score(points.latents, factors, seed=7, num_train=200, num_eval=100)
    assert found["factor_vae"][0] == directly


def test_haar_draws_are_the_same_in_batches_of_any_size(monkeypatch):
    family = bases.FAMILIES["haar"]
    plan = assessment.Plan(["haar"], ["mig"], 7)
    points = LabelledLatents(np.zeros((2, 4)), np.zeros((2, 1), int))

    def drawn():
        return np.concatenate(
            list(assessment._draw(family, plan, points, np.random.default_rng(3)))
        )

    whole = drawn()
    monkeypatch.setattr(assessment, "_BATCH_NUMBERS", 32)
    np.testing.assert_array_equal(drawn(), whole)


def test_dci_tells_how_long_it_takes_and_how_far_it_is():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=100_000) for size in (3, 6, 40, 32, 32)], axis=1)
    # As it was measured on dSprites' factors and ten latents: 31 ms a row.
    assert dci.seconds(10, factors) == pytest.approx(3_100, rel=0.05)
    points = LabelledLatents(rng.normal(size=(60, 2)), factors[:60, :3] % 2)
    calls = []
    basis_scorer.score(points, ["dci"], 0, progress=lambda: calls.append(1))
    assert len(calls) == 3


CLOSED = ["mig", "mig_sup", "modularity", "jemmig", "sap_continuous"]
CLOSED += ["gaussian_total_correlation"]
ROTATED = ["haar_active", "haar", "general_linear", "general_linear_traversal", "geodesic"]


def planted(n, d):
    """Three factors in three of d latents of different scales, one of which never moves."""
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(n, 3))
    latents = rng.normal(size=(n, d))
    latents[:, :3] = latents[:, :3] * 0.5 + factors
    latents = (latents * np.linspace(1, 2, d) + 3).astype(np.float32)
    latents[:, -1] = 7
    return {
        "latents": latents,
        "factors": factors,
        "factor_names": ["a", "b", "c"],
        "factor_sizes": [4, 4, 4],
    }


def test_blocks_give_what_the_whole_array_gives(monkeypatch):
    arrays = planted(700, 5)
    plan = assessment.Plan(ROTATED, [*CLOSED, "factor_vae"], 6, num_groups=60)
    whole = assessment.assess(representation.from_arrays(arrays), plan)
    monkeypatch.setattr(blocks, "LARGE", 100)
    monkeypatch.setattr(blocks, "ROWS", 500)
    large = representation.from_arrays(arrays)
    assert large.latents.dtype == np.float32
    for file in (basis_scorer, assessment):
        monkeypatch.setattr(file, "_MAX_COVARIANCES", 0, raising=False)
    found = assessment.assess(large, plan)
    assert found.nulls.keys() == whole.nulls.keys()
    # The same bases, but for rounding, which may move a value across a bin's edge.
    names = ["observed", "null_mean", "null_sd", "null_max"]
    is_group = whole.table["metric"] == "factor_vae"
    for rows, tolerance in ((~is_group, 2e-3), (is_group, 0.08)):
        np.testing.assert_allclose(
            found.table.loc[rows, names].to_numpy(float),
            whole.table.loc[rows, names].to_numpy(float),
            atol=tolerance,
        )


def test_components_of_large_latents_are_fitted_to_a_sample(monkeypatch):
    arrays = planted(2000, 4)
    plan = assessment.Plan(["pca", "supervised"], ["mig"], 19)
    whole = assessment.assess(representation.from_arrays(arrays), plan).table
    monkeypatch.setattr(blocks, "LARGE", 100)
    found = assessment.assess(representation.from_arrays(arrays), plan).table
    monkeypatch.setattr(assessment, "SAMPLE", 4 * 1500)
    sampled = assessment.assess(representation.from_arrays(arrays), plan).table
    # A sample of all rows gives the same components; three quarters of them nearly the same.
    assert found["observed"][0] == pytest.approx(whole["observed"][0], abs=1e-3)
    assert sampled["observed"][1] == pytest.approx(whole["observed"][1], abs=0.1)


def test_large_latents_are_kept_once(monkeypatch):
    monkeypatch.setattr(blocks, "LARGE", 2**18)
    monkeypatch.setattr(blocks, "ROWS", 2**16)
    monkeypatch.setattr(assessment, "SAMPLE", 2**14)
    arrays = planted(40_000, 64)
    plan = assessment.Plan(["haar", "haar_active", "general_linear"], CLOSED, 2)
    small = {**arrays, "latents": arrays["latents"][:50], "factors": arrays["factors"][:50]}
    assessment.assess(representation.from_arrays(small), plan)  # imports and compiles
    tracemalloc.start()
    try:
        assessment.assess(representation.from_arrays(arrays), plan)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < arrays["latents"].nbytes  # a second copy, in float64, would take twice as much


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "d", "metrics"),
    [
        (20_000, 512, ["mig", "modularity", "sap_continuous", "factor_vae"]),
        (1_200_000, 10, ["mig", "mig_sup", "sap_continuous", "factor_vae"]),
    ],
)
def test_large_representations_are_scored_within_four_gibibytes(n, d, metrics):
    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(n=n, d=d, metrics=metrics)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.9  # three latents are the three factors
