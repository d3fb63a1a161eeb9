"""The metrics against the recorded figures of disentanglement_lib."""

import numpy as np
import pytest
import recorded

from reproduce.metrics.beta_vae_score import beta_vae_score
from reproduce.metrics.correlation import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
)
from reproduce.metrics.dci import dci
from reproduce.metrics.factor_vae_score import factor_vae_score
from reproduce.metrics.information import entropies, mutual_information
from reproduce.metrics.irs import irs
from reproduce.metrics.mig_sup import mig_sup
from reproduce.metrics.modularity import explicitness, modularity
from reproduce.metrics.sap import sap, sap_continuous

KINDS = ("aligned", "dead", "mixed", "noise", "rotated")
RECORDED = [f"{size}_{kind}" for size in ("small", "dsprites_shaped") for kind in KINDS]
NUM_SEEDS = 30

pytestmark = pytest.mark.filterwarnings("error")


def read(name):
    """Training and test latents and factors, and the expected figures by name."""
    arrays = recorded.load(name)
    split = []
    for part in ("train", "test"):
        split += [arrays[f"latents_{part}"], arrays[f"factors_{part}"].astype(np.int64)]
    prefix = "expected_"
    expected = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    return split, expected


@pytest.mark.parametrize("name", RECORDED)
def test_metrics_in_closed_form_meet_their_recorded_figures(name):
    (latents, factors, *_), expected = read(name)
    covariance = np.cov(latents, rowvar=False)
    figures = {
        "modularity": modularity(mutual_information(latents, factors)),
        "irs": irs(latents, factors),
        "sap_continuous": sap_continuous(latents, factors),
        "gaussian_total_correlation": gaussian_total_correlation(covariance),
        "gaussian_wasserstein_correlation": gaussian_wasserstein_correlation(covariance),
    }
    for key, value in figures.items():
        assert np.isfinite(value)
        if key in expected:  # the correlations are not recorded where a code is constant
            assert value == pytest.approx(float(expected[key]), rel=1e-6), key


@pytest.mark.parametrize("name", RECORDED)
def test_sap_and_explicitness_meet_their_recorded_figures(name):
    split, expected = read(name)
    assert sap(*split) == pytest.approx(float(expected["sap"]), abs=1e-3)
    train, test = explicitness(*split)
    if name.endswith("dead"):  # where disentanglement_lib fails
        assert 0.8 < test < 1
    else:
        assert train == pytest.approx(float(expected["explicitness_train"]), abs=1e-3)
        assert test == pytest.approx(float(expected["explicitness_test"]), abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_dci_meets_its_recorded_figures(kind):
    split, expected = read(f"small_{kind}")
    found = dci(*split, seed=0, n_jobs=2)
    np.testing.assert_allclose(found.importance, expected["dci_importance"], atol=3e-3)
    for key, value in [
        ("disentanglement", found.disentanglement),
        ("completeness", found.completeness),
        ("informativeness_train", found.informativeness_train),
        ("informativeness_test", found.informativeness),
    ]:
        assert value == pytest.approx(float(expected[f"dci_{key}"]), abs=3e-3), key


@pytest.mark.parametrize("kind", ["aligned", "dead", "mixed", "rotated"])
@pytest.mark.parametrize("metric", ["beta_vae", "factor_vae"])
def test_scores_of_drawn_groups_meet_the_mean_of_their_recorded_figures(kind, metric):
    file = recorded.load(f"grid_{kind}")
    latents, sizes = file["latents_grid"], file["factor_sizes"]
    expected = file[f"expected_{metric}_eval_accuracy_10_seeds"].mean()
    factors = np.indices(sizes).reshape(len(sizes), -1).T
    score, settings = {
        "beta_vae": (beta_vae_score, {}),
        "factor_vae": (factor_vae_score, {"num_variance": 5000}),
    }[metric]
    scores = [
        score(latents, factors, seed=seed, num_train=2000, num_eval=1000, **settings)
        for seed in range(NUM_SEEDS)
    ]
    assert np.mean(scores) == pytest.approx(expected, abs=0.02)


def test_mig_sup_tells_aligned_from_rotated_codes():
    scores = {}
    for kind in KINDS:
        (latents, factors, *_), _ = read(f"dsprites_shaped_{kind}")
        scores[kind] = mig_sup(mutual_information(latents, factors), entropies(factors))
    assert scores["aligned"] > 2 * scores["rotated"] > 4 * scores["noise"]
