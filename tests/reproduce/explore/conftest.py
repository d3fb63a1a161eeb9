"""A VAE that was trained for a moment, for the explorer's tests."""

from __future__ import annotations

import pytest
from explored import config_of

from data import own_npz
from reproduce.basis import representation
from reproduce.training.run_directory import RunDirectory


@pytest.fixture(scope="session")
def trained_run(tensorflow, tiny, tmp_path_factory) -> RunDirectory:
    """A VAE of the tiny data set with a predictor where the main job has it."""
    from reproduce.training import loop, trained_model

    results = tmp_path_factory.mktemp("results")
    vae = {"network": "higgins2017_dsprites", "beta": 0.1, "learning_rate": 1e-3}
    vae |= {"batch_size": 16, "num_steps": 150, "log_every": 150, "checkpoint_every": 150}
    once = {"batch_size": 4, "num_steps": 1, "log_every": 1, "checkpoint_every": 1}
    runs = {
        "runs/a": config_of(tiny, "beta_vae", **vae),
        "predictors/16": config_of(tiny, "factor_predictor", **once),
    }
    dataset = own_npz.load(tiny)
    for name, config in runs.items():
        run = RunDirectory(results / name)
        with run.locked():
            run.claim(config)
            loop.train(config, dataset, run)
    run = RunDirectory(results / "runs/a")
    rows = trained_model.draw_images(dataset, len(dataset), 0)
    encoded = trained_model.encode(trained_model.load_model(run), dataset, rows)
    representation.save(run.representation_file, encoded)
    return run
