"""Published losses of published models are met on the rendered dSprites, within rounding."""

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


def test_losses_of_unknown_data_have_no_published_figure():
    unknown = origins.Origin("mine", "my own", published={"kl_loss": 1.0})
    assert np.isnan(unknown.published_nats("kl_loss"))
    assert np.isnan(origins.Origin("mine", "CelebA").published_nats("kl_loss"))
    known = origins.Origin("mine", "CelebA", published={"kl_loss": 1.0})
    assert known.published_nats("kl_loss") == 203
