"""Imported weights of published models give the representations that their own kit gives."""

import numpy as np
import pytest

from reproduce.basis import representation


@pytest.mark.parametrize(
    ("model", "name"), [("VAE", "dsprites_vae"), ("betaB", "dsprites_annealed_vae")]
)
def test_the_representation_is_the_published_models(
    shared, run_program, tensorflow, tmp_path, model, name
):
    from data import dsprites
    from reproduce.training import trained_model
    from reproduce.training.run_directory import RunDirectory

    weights, run_dir = shared / "reference_models" / f"{model}_dsprites.npz", tmp_path / "run"
    done = run_program("import_weights", f"--weights={weights}", f"--run_dir={run_dir}")
    assert done.returncode == 0, done.stderr
    expected = representation.load(shared / "representations" / f"{name}.npz")
    loaded = trained_model.load_model(RunDirectory(run_dir))
    images = dsprites.render(expected.factors[:1_000])[..., None].astype(np.float32)
    mean, log_variance = loaded.encode(tensorflow.constant(images))
    np.testing.assert_allclose(mean, expected.latents[:1_000], atol=2e-4)
    np.testing.assert_allclose(log_variance, expected.log_variance[:1_000], atol=2e-3)
    # The decoder, too: these models reconstruct sprites to within a few pixels.
    decoded = np.asarray(loaded.decode(mean))
    assert np.mean((decoded > 0.5) != (images > 0.5)) < 0.02

    again = run_program("import_weights", f"--weights={weights}", f"--run_dir={run_dir}")
    assert again.returncode == 2
    assert "holds a run already" in again.stderr


def test_weights_of_another_architecture_are_named(shared, run_program, tmp_path):
    with np.load(shared / "reference_models" / "VAE_dsprites.npz") as file:
        state = {key: file[key] for key in file.files}
    state["encoder.lin2.weight"] = np.zeros((128, 256), np.float32)
    np.savez(tmp_path / "other.npz", **state)
    flags = [f"--weights={tmp_path / 'other.npz'}", f"--run_dir={tmp_path / 'run'}"]
    done = run_program("import_weights", *flags)
    assert done.returncode == 2
    assert "encoder.lin2" in done.stderr
    assert done.stderr.count("\n") == 1
    del state["decoder.convT3.bias"]
    np.savez(tmp_path / "other.npz", **state)
    assert "decoder.convT3.bias" in run_program("import_weights", *flags).stderr
