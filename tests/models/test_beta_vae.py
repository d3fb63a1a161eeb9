"""The beta-VAE's parts against closed forms, SciPy, and Monte Carlo."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats

import models
from data.files import InputError
from models.architectures import NETWORKS
from models.settings import BetaVAESettings

D = 4  # latents of the posteriors under test
NUM_SAMPLES = 200_000
POSTERIORS = ("diagonal", "full_covariance")

pytestmark = pytest.mark.usefixtures("tensorflow")


def settings(**changes) -> BetaVAESettings:
    return BetaVAESettings(**{"network": "compact", "num_latents": D, **changes})


def posterior_and_parameters(posterior: str):
    """A posterior of two images with its mean and its scale matrix, the latter built anew here."""
    from models.beta_vae import make_posterior, num_parameters

    made = settings(posterior=posterior)
    parameters = np.random.default_rng(0).normal(0, 0.5, (2, num_parameters(made)))
    distribution = make_posterior(parameters.astype(np.float32), made)
    scale = np.stack([np.diag(np.exp(v / 2)) for v in parameters[:, D : 2 * D]])
    if posterior == "full_covariance":
        below = np.tril_indices(D, -1)
        used = distribution.scale.to_dense().numpy()[:, *below]
        deviations = np.exp(parameters[:, D : 2 * D] / 2)
        entries = used / deviations[:, below[0]]  # in units of their row's deviation
        # Where in the triangle each entry goes is TensorFlow Probability's own order.
        np.testing.assert_allclose(np.sort(entries), np.sort(parameters[:, 2 * D :]), rtol=1e-5)
        scale[:, *below] = used
    return distribution, parameters[:, :D], scale


def build(tf, image_shape=(16, 16, 1), **changes):
    model = models.build(settings(**changes), image_shape, seed=0)
    images = np.random.default_rng(0).random((5, *image_shape), np.float32)
    return model, tf.constant(images)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_kl_divergence_is_the_closed_form(posterior):
    import tensorflow_probability as tfp

    from models import beta_vae

    distribution, mean, scale = posterior_and_parameters(posterior)
    prior = tfp.distributions.MultivariateNormalDiag(np.zeros(D, np.float32))
    covariance = scale @ scale.transpose(0, 2, 1)
    trace = np.trace(covariance, axis1=1, axis2=2)
    expected = (trace + (mean**2).sum(-1) - D - np.linalg.slogdet(covariance)[1]) / 2
    actual = tfp.distributions.kl_divergence(distribution, prior)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    trained_by = beta_vae.kl_from_standard_normal(distribution)
    np.testing.assert_allclose(trained_by, expected, rtol=1e-5)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_kl_divergence_is_what_sampling_gives(posterior, tensorflow):
    """Within four standard errors of the mean log ratio over the posterior's samples."""
    import tensorflow_probability as tfp

    distribution, mean, scale = posterior_and_parameters(posterior)
    prior = tfp.distributions.MultivariateNormalDiag(np.zeros(D, np.float32))
    samples = distribution.sample(NUM_SAMPLES, seed=[0, 1]).numpy().astype(float)
    for i, exact in enumerate(tfp.distributions.kl_divergence(distribution, prior).numpy()):
        q = scipy.stats.multivariate_normal(mean[i], scale[i] @ scale[i].T)
        p = scipy.stats.multivariate_normal(np.zeros(D))
        ratios = q.logpdf(samples[:, i]) - p.logpdf(samples[:, i])
        standard_error = ratios.std() / np.sqrt(NUM_SAMPLES)
        assert standard_error < 0.02
        assert abs(ratios.mean() - exact) < 4 * standard_error


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_samples_have_the_posteriors_mean_and_covariance(posterior):
    """Within five standard errors: a covariance's is sqrt((S_ii S_jj + S_ij^2) / n)."""
    distribution, mean, scale = posterior_and_parameters(posterior)
    samples = distribution.sample(NUM_SAMPLES, seed=[0, 1]).numpy().astype(float)
    for i in range(len(mean)):
        expected = scale[i] @ scale[i].T
        variance = np.diag(expected)
        deviation = np.abs(samples[:, i].mean(axis=0) - mean[i])
        assert np.all(deviation < 5 * np.sqrt(variance / NUM_SAMPLES))
        standard_error = np.sqrt((np.outer(variance, variance) + expected**2) / NUM_SAMPLES)
        assert np.all(np.abs(np.cov(samples[:, i].T) - expected) < 5 * standard_error)


def test_full_covariance_without_a_triangle_is_the_diagonal_posterior():
    import tensorflow_probability as tfp

    from models.beta_vae import make_posterior

    rng = np.random.default_rng(0)
    parameters = rng.normal(size=(3, 2 * D)).astype(np.float32)
    triangle = np.zeros((3, D * (D - 1) // 2), np.float32)
    diagonal = make_posterior(parameters, settings())
    full = make_posterior(
        np.concatenate([parameters, triangle], -1), settings(posterior="full_covariance")
    )
    prior = tfp.distributions.MultivariateNormalDiag(np.zeros(D, np.float32))
    points = rng.normal(size=(100, 3, D)).astype(np.float32)
    np.testing.assert_allclose(diagonal.log_prob(points), full.log_prob(points), rtol=1e-5)
    kls = [tfp.distributions.kl_divergence(q, prior).numpy() for q in (diagonal, full)]
    np.testing.assert_allclose(*kls, rtol=1e-5)
    of_one, of_other = (q.sample(NUM_SAMPLES, seed=[0, 1]).numpy() for q in (diagonal, full))
    tolerance = 5 * np.sqrt(2) * np.exp(parameters[:, D:] / 2) / np.sqrt(NUM_SAMPLES)
    assert np.all(np.abs(of_one.mean(0) - of_other.mean(0)) < tolerance)
    assert np.all(np.abs(of_one.std(0) - of_other.std(0)) < tolerance)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_encode_gives_the_mean_and_log_marginal_variance_of_samples(posterior, tensorflow):
    """Within five standard errors: a log variance's is sqrt(2 / n)."""
    model, images = build(tensorflow, posterior=posterior)
    bias = model.encoder.layers[-1].bias
    bias.assign(np.random.default_rng(1).normal(size=bias.shape))  # far from a unit Gaussian
    mean, log_variance = model.encode(images)
    samples = model.posterior(images).sample(NUM_SAMPLES, seed=[0, 1]).numpy()
    tolerance = 5 * samples.std(axis=0) / np.sqrt(NUM_SAMPLES)
    assert np.all(np.abs(samples.mean(axis=0) - mean) < tolerance)
    deviation = np.abs(np.log(samples.var(axis=0)) - log_variance)
    assert np.all(deviation < 5 * np.sqrt(2 / NUM_SAMPLES))


def loss_and_pressure(step: int, **changes) -> tuple[float, float]:
    from models import objectives
    from models.objectives.base import Batch

    own = settings(**changes)
    objective = objectives.load(own.objective).Objective(own, np.random.default_rng(0))
    batch = Batch(None, None, None, np.float32(90), np.float32(7), step, None)
    loss, terms = objective.loss(batch)
    (pressure,) = (terms[name] for name in objective.term_names)
    return float(loss), float(pressure)


@pytest.mark.parametrize("step", [0, 10, 10**6])
def test_beta_objective_weighs_the_kl_divergence(step):
    assert loss_and_pressure(step, beta=6.0) == (90 + 6 * 7, 6)


def test_annealed_beta_falls_geometrically_and_stays():
    constants = {"objective": "annealed_beta", "beta_start": 64.0, "beta": 4.0, "ramp_steps": 400}
    steps = [0, 100, 200, 300, 400, 10**6]
    losses, betas = np.transpose([loss_and_pressure(step, **constants) for step in steps])
    np.testing.assert_allclose(betas, [64, 32, 16, 8, 4, 4], rtol=1e-6)
    np.testing.assert_allclose(losses, 90 + 7 * betas, rtol=1e-6)


def test_capacity_rises_linearly_and_stays():
    constants = {"objective": "capacity", "gamma": 100.0, "capacity": 20.0, "ramp_steps": 1000}
    steps = [0, 250, 500, 1000, 10**6]
    losses, capacities = np.transpose([loss_and_pressure(step, **constants) for step in steps])
    np.testing.assert_allclose(capacities, [0, 5, 10, 20, 20])
    # The divergence of 7 nats is first too much, then too little.
    np.testing.assert_allclose(losses, [90 + 700, 90 + 200, 90 + 300, 90 + 1300, 90 + 1300])


def test_bernoulli_likelihood_is_scipys(tensorflow):
    model, images = build(tensorflow, decoder="bernoulli")
    binary = np.round(images)
    latents = np.random.default_rng(0).normal(size=(5, D)).astype(np.float32)
    probabilities = scipy.special.expit(model.decoder(latents).numpy().astype(float))
    expected = scipy.stats.bernoulli.logpmf(binary, probabilities).sum((1, 2, 3))
    np.testing.assert_allclose(model.likelihood(latents).log_prob(binary), expected, rtol=1e-5)
    np.testing.assert_allclose(model.decode(latents), probabilities, rtol=1e-5)


def test_gaussian_likelihood_is_scipys(tensorflow):
    model, images = build(tensorflow, decoder="gaussian", decoder_sd=0.3)
    latents = np.random.default_rng(0).normal(size=(5, D)).astype(np.float32)
    means = model.decoder(latents).numpy().astype(float)
    expected = scipy.stats.norm.logpdf(images, means, 0.3).sum((1, 2, 3))
    np.testing.assert_allclose(model.likelihood(latents).log_prob(images), expected, rtol=1e-5)
    np.testing.assert_allclose(model.decode(latents), means.clip(0, 1), atol=1e-6)


@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
def test_the_reconstruction_is_the_likelihoods_and_so_is_its_gradient(decoder, tensorflow):
    model, images = build(tensorflow, decoder=decoder, decoder_sd=0.3)
    latents = tensorflow.constant(np.random.default_rng(0).normal(size=(5, D)), tensorflow.float32)
    found = []
    for loss in (
        lambda z: model._reconstruction(z, images),
        lambda z: -tensorflow.reduce_mean(model.likelihood(z).log_prob(images)),
    ):
        with tensorflow.GradientTape() as tape:
            tape.watch(latents)
            value = loss(latents)
        found.append((value, tape.gradient(value, latents)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-5)


def test_losses_are_means_over_images(tensorflow):
    """The reconstruction needs the step's own noise, so it is compared for latents without any."""
    model, images = build(tensorflow, beta=3.0)
    weight, bias = model.encoder.layers[-1].kernel, model.encoder.layers[-1].bias
    weight.assign(np.zeros(weight.shape))
    bias.assign([0.5] * D + [-40.0] * D)  # every image: mean .5, standard deviation 2e-9
    terms = model.losses(images, tensorflow.constant(0), tensorflow.constant([0, 1]))
    logits = model.decoder(np.full((1, D), 0.5, np.float32)).numpy().astype(float)
    cross_entropy = np.logaddexp(0, logits) - images.numpy() * logits
    reconstruction = cross_entropy.sum((1, 2, 3)).mean()
    kl = D * (0.25 + np.exp(-40) - 1 + 40) / 2
    expected = {
        "loss": reconstruction + 3 * kl,
        "reconstruction": reconstruction,
        "kl": kl,
        "beta": 3,
    }
    assert list(terms) == list(model.term_names)
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("image_shape", [(64, 64, 1), (32, 32, 3)])
@pytest.mark.parametrize("network", NETWORKS)
def test_networks_fit_images_and_keep_float32_weights(network, image_shape, precision, tensorflow):
    model, images = build(
        tensorflow, image_shape, network=network, num_latents=7, precision=precision
    )
    mean, log_variance = model.encode(images)
    assert mean.shape == log_variance.shape == (5, 7)
    assert mean.dtype == log_variance.dtype == "float32"
    decoded = model.decode(mean)
    assert decoded.shape == images.shape
    assert decoded.dtype == "float32"
    weights = model.encoder.weights + model.decoder.weights
    assert {str(np.asarray(weight).dtype) for weight in weights} == {"float32"}
    compute = {layer.compute_dtype for layer in model.decoder.layers}
    assert compute == {precision.removeprefix("mixed_")}


def convolution(kernel: int, inputs: int, outputs: int) -> int:
    return kernel * kernel * inputs * outputs + outputs


def dense(*widths: int) -> int:
    return sum((a + 1) * b for a, b in itertools.pairwise(widths))


# Of the published networks for binary images of 64 x 64 with ten latents, by hand.
PARAMETERS = {
    # Locatello et al. 2019, Table 1.
    "locatello2019": (
        convolution(4, 1, 32) + convolution(4, 32, 32)
        + convolution(2, 32, 64) + convolution(2, 64, 64) + dense(4 * 4 * 64, 256, 20),
        dense(10, 256, 4 * 4 * 64) + convolution(4, 64, 64) + convolution(4, 64, 32)
        + convolution(4, 32, 32) + convolution(4, 32, 1),
    ),
    # Burgess et al. 2018, appendix A.
    "burgess2018": (
        convolution(4, 1, 32) + 3 * convolution(4, 32, 32) + dense(4 * 4 * 32, 256, 256, 20),
        dense(10, 256, 256, 4 * 4 * 32) + 3 * convolution(4, 32, 32) + convolution(4, 32, 1),
    ),
    # Higgins et al. 2017, Table 1.
    "higgins2017_dsprites": (
        dense(4096, 1200, 1200, 20),
        dense(10, 1200, 1200, 1200, 4096),
    ),
}  # fmt: skip


@pytest.mark.parametrize("network", PARAMETERS)
def test_published_networks_have_their_number_of_parameters(network, tensorflow):
    model, _ = build(tensorflow, (64, 64, 1), network=network, num_latents=10)
    counts = tuple(
        sum(np.asarray(v).size for v in part.trainable_variables)
        for part in (model.encoder, model.decoder)
    )
    assert counts == PARAMETERS[network]


def test_full_covariance_takes_a_triangle_more(tensorflow):
    from models.beta_vae import num_parameters

    assert num_parameters(settings(num_latents=10)) == 20
    assert num_parameters(settings(num_latents=10, posterior="full_covariance")) == 20 + 45


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "locatello2019", "posterior": "full_covariance"},
        {"network": "burgess2018", "objective": "capacity"},
        {"network": "higgins2017_dsprites", "optimizer": "adagrad"},
        {"network": "higgins2017_celeba", "decoder": "gaussian"},
        {"network": "compact", "precision": "mixed_bfloat16"},
    ],
)
def test_a_step_changes_every_weight_and_lowers_the_loss(changes, tensorflow):
    model, images = build(tensorflow, **changes, learning_rate=1e-4)
    weights = {k: v for k, v in model.variables().items() if k.startswith("weights/")}
    assert len(weights) == len(model.encoder.weights) + len(model.decoder.weights)
    before = {name: np.array(value) for name, value in weights.items()}
    step, seed = tensorflow.constant(0), tensorflow.constant([0, 1])
    first = model.train_step(images, step, seed)["loss"]
    unchanged = [name for name, value in weights.items() if np.array_equal(value, before[name])]
    assert not unchanged
    assert model.losses(images, step, seed)["loss"] < first  # with the same noise


def test_initial_weights_follow_from_the_seed(tensorflow):
    def weights(seed):
        model = models.build(settings(), (16, 16, 1), seed)
        return np.concatenate([np.ravel(value) for value in model.variables().values()])

    np.testing.assert_array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))


@pytest.mark.parametrize("network", [n for n in NETWORKS if NETWORKS[n].decoder_convolutions])
def test_image_size_that_does_not_fit_is_named(network):
    stride = math.prod(stride for _, _, stride in NETWORKS[network].decoder_convolutions)
    with pytest.raises(InputError, match=rf"50 x 50 do not fit.* multiples of {stride}$"):
        models.build(settings(network=network), (50, 50, 1), 0)


def test_dense_network_takes_any_image_size(tensorflow):
    model, images = build(tensorflow, (50, 30, 1), network="higgins2017_dsprites")
    assert model.decode(model.encode(images)[0]).shape == images.shape


@pytest.mark.parametrize(
    "what", ["network", "posterior", "decoder", "objective", "optimizer", "precision"]
)
def test_unknown_name_is_refused_with_the_choices(what):
    default = getattr(BetaVAESettings(), what)
    with pytest.raises(InputError, match=f"unknown {what} 'nonsense'; expected one of.*{default}"):
        BetaVAESettings(**{what: "nonsense"})


@pytest.mark.parametrize("what", ["num_latents", "beta", "learning_rate", "decoder_sd"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_number_that_must_be_positive_is_refused(what, value):
    with pytest.raises(InputError, match=f"{what} is {value}; expected more than 0"):
        BetaVAESettings(**{what: value})
