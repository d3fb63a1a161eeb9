"""A VAE's losses: published ones are met on the rendered dSprites, and a covariance counts."""

import types

import numpy as np
import pytest

from reproduce.training import origins, torch_weights, vae_losses


@pytest.mark.parametrize("name", ["VAE_dsprites", "factor_dsprites"])
def test_published_losses_are_met(shared, tensorflow, name):
    import models
    from data import dsprites
    from reproduce.training import recipes

    file = shared / "published_models" / name / "model.pt"
    if not file.is_file():
        pytest.skip("no published models")
    changes = {"objective": "beta", "num_latents": 10}
    recipe = recipes.override(recipes.find("beta_vae", "burgess2018"), changes)
    model = models.build(recipe.settings, (64, 64, 1), 0)
    variables = model.variables()
    for key, value in torch_weights.convert(torch_weights.read(file)).items():
        variables[key].assign(value)
    few = np.arange(10)
    counted = []
    table = vae_losses.table(model, dsprites.load(), few, origins.read(file), counted.append)
    assert sum(counted) == (510 if name.startswith("factor") else 1_010)
    drawn, first = table.to_dict("records")
    assert first["reconstruction"] == pytest.approx(first["published_reconstruction"], rel=1e-5)
    assert first["kl"] == pytest.approx(first["published_kl"], rel=1e-5)
    assert drawn["kl"] != first["kl"]


@pytest.mark.parametrize("posterior", ["diagonal", "full_covariance"])
def test_the_kl_is_that_of_the_whole_posterior(posterior, tensorflow):
    """(tr S + |m|^2 - d - log det S) / 2, by NumPy, of covariances far from diagonal ones."""
    import models
    from models.settings import BetaVAESettings

    d = 3
    settings = BetaVAESettings(network="compact", num_latents=d, posterior=posterior)
    model = models.build(settings, (16, 16, 1), 0)
    bias = model.encoder.layers[-1].bias
    bias.assign(np.random.default_rng(1).normal(size=bias.shape))
    images = np.random.default_rng(0).random((7, 16, 16, 1), np.float32)
    dataset = types.SimpleNamespace(images=lambda indices: images[indices])
    _, kl = vae_losses.measure(model, dataset, np.arange(7), lambda seen: None)

    found = model.posterior(tensorflow.constant(images))
    mean, covariance = np.array(found.mean(), float), np.array(found.covariance(), float)
    trace = np.trace(covariance, axis1=1, axis2=2)
    expected = (trace + (mean**2).sum(1) - d - np.linalg.slogdet(covariance)[1]) / 2
    assert kl == pytest.approx(expected.mean(), rel=1e-5)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    of_marginals = (variance + mean**2 - 1 - np.log(variance)).sum(1) / 2
    assert (expected.mean() - of_marginals.mean() > 0.1) == (posterior == "full_covariance")


def test_losses_of_unknown_data_have_no_published_figure():
    unknown = origins.Origin("mine", "my own", published={"kl_loss": 1.0})
    assert np.isnan(unknown.published_nats("kl_loss"))
    assert np.isnan(origins.Origin("mine", "CelebA").published_nats("kl_loss"))
    known = origins.Origin("mine", "CelebA", published={"kl_loss": 1.0})
    assert known.published_nats("kl_loss") == 203
