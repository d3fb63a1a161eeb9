"""Imported weights of published models give the representations that their own kit gives."""

import json

import numpy as np
import pytest
import torch_by_hand as by_hand

from data.files import InputError
from reproduce.basis import representation
from reproduce.training import origins, torch_weights
from reproduce.training.run_directory import RunDirectory

SPECIFICATION = {"dataset": "celeba", "loss": "betaH", "betaH_B": 10, "epochs": 200, "seed": 1234}


@pytest.fixture
def folder(tmp_path):
    """A published model in miniature: random weights, in colour, with six latents."""
    path = tmp_path / "betaH_small"
    path.mkdir()
    state = by_hand.burgess(3, 6, np.random.default_rng(0))
    (path / "model.pt").write_bytes(by_hand.stream(state))
    (path / "specs.json").write_text(json.dumps(SPECIFICATION))
    (path / "test_losses.log").write_text('{"recon_loss": 32.0, "kl_loss": 0.1}')
    return path, state


@pytest.fixture
def pictures(tmp_path):
    """A small data set in colour of 64 x 64 pixels."""
    rng = np.random.default_rng(1)
    factors = rng.integers(4, size=(60, 2))
    images = rng.integers(256, size=(60, 64, 64, 3)).astype(np.uint8)
    images[..., 0] = 60 * factors[:, 0, None, None]
    path = tmp_path / "pictures.npz"
    names = {"factor_names": ["red", "other"], "factor_sizes": [4, 4]}
    np.savez(path, images=images, factors=factors, **names)
    return path, images, factors


def test_networks_compute_what_numpy_does(folder, pictures, run_program, tensorflow, tmp_path):
    from reproduce.training import trained_model

    (weights, state), (file, images, factors) = folder, pictures
    run = RunDirectory(tmp_path / "run")
    data = ("--dataset=npz", f"--data_file={file}")
    done = run_program("import_weights", f"--weights={weights}", f"--run_dir={run.path}", *data)
    assert done.returncode == 0, done.stderr
    config = run.read_config()
    assert config.origin.trained_on == "CelebA"
    assert config.origin.loss == "beta-VAE, beta 10"
    assert config.origin.published == {"recon_loss": 32.0, "kl_loss": 0.1}
    assert "pictures" in config.data_set
    assert "CelebA" in config.data_set
    assert "ask" in config.origin.licence  # weights of nobody knows where
    assert run_program("represent", f"--run_dir={run.path}").returncode == 0
    encoded = representation.load(run.representation_file)
    assert sorted(map(tuple, encoded.factors.tolist())) == sorted(map(tuple, factors.tolist()))
    model = trained_model.load_model(run)
    pixels = images.astype(np.float32) / 255
    mean, log_variance = by_hand.encode(state, pixels)
    found = [np.asarray(part) for part in model.encode(tensorflow.constant(pixels))]
    np.testing.assert_allclose(found[0], mean, atol=1e-4)
    np.testing.assert_allclose(found[1], log_variance, atol=1e-4)
    latents = np.random.default_rng(2).normal(size=(20, 6)).astype(np.float32)
    decoded = trained_model.decoder(model)(latents)
    assert np.ptp(decoded) > 0.5  # no constant images
    np.testing.assert_allclose(decoded, by_hand.decode(state, latents), atol=1e-4)


def test_an_imported_run_is_tested_on_other_data(folder, pictures, run_program, tmp_path):
    (weights, _), (file, *_) = folder, pictures
    run = RunDirectory(tmp_path / "run")
    data = ("--dataset=npz", f"--data_file={file}")
    run_program("import_weights", f"--weights={weights}", f"--run_dir={run.path}", *data)
    grey = run_program("represent", f"--run_dir={run.path}", "--dataset=dsprites")
    assert grey.returncode == 2
    assert "channels" in grey.stderr
    before = run.fingerprint()
    other = tmp_path / "others.npz"
    other.write_bytes(file.read_bytes())
    again = ("--dataset=npz", f"--data_file={other}")
    assert run_program("represent", f"--run_dir={run.path}", *again).returncode == 0
    assert run.fingerprint() != before
    assert "others" in run.read_config().data_set
    assert run_program("traverse", f"--run_dir={run.path}").returncode == 0
    test = run.basis_test_file
    flags = [f"--representation={run.representation_file}", f"--output={test}"]
    flags += ["--families=haar_active,haar", "--num_bases=19"]
    assert run_program("basis_test", *flags).returncode == 0
    verdict, page = tmp_path / "verdict.csv", tmp_path / "page.html"
    runs = f"--runs={run.path}"
    assert run_program("verdict", runs, f"--output={verdict}").returncode == 0
    done = run_program("report", runs, f"--verdict={verdict}", f"--output={page}")
    assert done.returncode == 0, done.stderr
    html = page.read_text()
    assert "trained on CelebA" in html
    assert "exploratory" in html
    assert "Factor by factor" in html


@pytest.mark.parametrize(
    ("model", "name"), [("VAE", "dsprites_vae"), ("betaB", "dsprites_annealed_vae")]
)
def test_the_representation_is_the_published_models(
    shared, run_program, tensorflow, tmp_path, model, name
):
    from data import dsprites
    from reproduce.training import trained_model

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


def test_published_files_are_the_published_ones(shared):
    from reproduce.training import torch_files

    published = shared / "published_models"
    if not published.is_dir():
        pytest.skip("no published models")
    for name in origins.PUBLISHED:
        file = published / name / "model.pt"
        origin = origins.read(file)
        assert (origin.name, origin.epochs > 0) == (name, True)
        assert "MIT" in origin.licence
        assert ("non-commercial" in origin.licence) == (origin.trained_on == "CelebA")
    # The same arrays as PyTorch itself once read from the same file.
    reference = np.load(shared / "reference_models" / "VAE_dsprites.npz")
    found = torch_files.read(published / "VAE_dsprites" / "model.pt")
    assert set(found) == set(reference.files)
    for key in reference.files:
        np.testing.assert_array_equal(found[key], reference[key])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("encoder.lin2.weight", np.zeros((128, 256), np.float32)), "encoder.lin2.weight"),
        (("encoder.lin1.weight", np.zeros((256, 128), np.float32)), "encoder.lin1.weight"),
        (("encoder.conv1.weight", np.zeros((32, 2, 4, 4), np.float32)), "1 or 3"),
        (("encoder.mu_logvar_gen.bias", np.zeros(11, np.float32)), "2 d"),
        (("decoder.lin3.bias", np.full(512, np.nan, np.float32)), "not finite"),
        (("decoder.lin3.bias", np.zeros(512, np.int64)), "int64"),
        (("decoder.convT3.bias", None), "decoder.convT3.bias"),
    ],
)
def test_weights_of_another_architecture_are_named(tmp_path, change, told):
    state = by_hand.burgess(1, 10, np.random.default_rng(0))
    name, value = change
    if value is None:
        del state[name]
    else:
        state[name] = value
    file = tmp_path / "model.pt"
    file.write_bytes(by_hand.archive(state))
    with pytest.raises(InputError) as caught:
        torch_weights.read(file)
    assert told in str(caught.value)


def test_mistakes_are_one_line(folder, run_program, tmp_path):
    path, _ = folder
    flags = (f"--weights={path}", f"--run_dir={tmp_path / 'run'}")
    (path / "test_losses.log").write_text('{"recon_loss": NaN}')
    done = run_program("import_weights", *flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "test_losses.log: damaged (a loss is not finite)" in done.stderr
    assert "specs.json" not in done.stderr
    (path / "specs.json").write_text("[]")
    done = run_program("import_weights", *flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "specs.json" in done.stderr
    (path / "specs.json").unlink()
    done = run_program("import_weights", *flags)
    assert done.returncode == 2
    assert "specs.json" in done.stderr
    (path / "model.pt").write_bytes(b"cos\nsystem\n(Vtrue\ntR.")
    done = run_program("import_weights", *flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nothing in it was executed" in done.stderr
