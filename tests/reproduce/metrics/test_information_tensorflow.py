"""The engine for GPUs gives the numbers of the one for CPUs; here it runs on a CPU."""

import numpy as np
import pytest

from reproduce.basis import assessment, bases
from reproduce.basis.representation import Representation
from reproduce.metrics.information import InformationEngine, mutual_information


@pytest.fixture(scope="module")
def engine(tensorflow):
    from reproduce.metrics import information_tensorflow

    return information_tensorflow


def test_it_equals_the_other_engine_on_random_bases(engine, monkeypatch):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=2_000) for size in (3, 6, 40)], axis=1)
    latents = factors @ rng.normal(size=(3, 5)) + rng.normal(size=(2_000, 5))
    many = bases.haar(7, 5, rng)
    monkeypatch.setattr(engine, "_CHUNK_NUMBERS", 3 * 2_000 * 5 * 20)  # several chunks
    ours = engine.TensorFlowInformationEngine(latents, factors)
    theirs = InformationEngine(latents, factors)
    np.testing.assert_allclose(ours(many), theirs(many), atol=1e-9)
    np.testing.assert_allclose(ours.entropies(many), theirs.entropies(many), atol=1e-9)


def test_edges_of_bins_and_constant_latents(engine):
    # 21 equally spaced values lie on the edges themselves, where rounding decides.
    latents = np.repeat(np.linspace(-0.3, 0.7, 21), 5)[:, None] * [1.0, 3.0, 0.0]
    factors = np.stack([np.tile(np.arange(5), 21), np.repeat(np.arange(21), 5)], axis=1)
    ours = engine.TensorFlowInformationEngine(latents, factors)(np.eye(3)[None])[0]
    np.testing.assert_allclose(ours, mutual_information(latents, factors), atol=1e-12)
    assert np.all(ours[2] == 0)


def test_a_plan_chooses_it(engine):
    rng = np.random.default_rng(1)
    factors = rng.integers(4, size=(300, 2))
    tested = Representation(factors + rng.normal(size=(300, 2)), factors, ("a", "b"), (4, 4))
    tables = [
        assessment.assess(tested, assessment.Plan(["haar"], ["mig"], 20, device=device)).table.drop(
            columns="t"
        )
        for device in ("cpu", "gpu")
    ]
    np.testing.assert_allclose(
        tables[0].select_dtypes("number"), tables[1].select_dtypes("number"), atol=1e-9
    )


def test_more_points_than_a_small_count_holds():
    rng = np.random.default_rng(2)
    factors = rng.integers(2, size=(70_000, 1))  # more than 2 ** 16 in a cell
    factors[:66_000] = 0
    latents = np.zeros((70_000, 2))
    latents[-1] = 1.0
    latents[:, 1] = factors[:, 0]
    ours = InformationEngine(latents, factors)(np.eye(2)[None])[0]
    np.testing.assert_allclose(ours, mutual_information(latents, factors), atol=1e-12)
