"""Locatello et al. 2019 (1811.12359), theorem 1, as numbers: the likelihood is blind to rotations.

A trained VAE's latents are rotated, z' = R z, and its decoder too, p'(x | z') = p(x | R^T z'):
the prior N(0, I) and so p(x) are the same. For held data, with q(z | x) = N(m, S) of the encoder:

- `iwae`: the importance-weighted estimate of log p(x) (Burda et al. 2016, eq. 8) must not change.
  The rotated model is given fresh noise and the rotated posterior N(R m, R S R^T): the numbers are
  not equal by construction; they are compared within three standard errors over images.
- `elbo`: with that full covariance it must not change, either. A VAE with a diagonal posterior
  cannot have it. Its best diagonal N(R m, D) in the sense of the ELBO, min over D of
  KL(N(R m, D) || N(R m, R S R^T)), has D_ii = 1 / (R S R^T)^-1_ii, so that no refitting is needed
  while the encoder's q is close to p(z | x).
- `kl_gap`: for that D the divergence is 1/2 (log det S + sum_i log (R S R^T)^-1_ii), by which the
  ELBO should drop. It uses no decoder: an independent check. They differ as far as p(z | x) is not
  q(z | x).

The importance-weighted estimate from the diagonal D (`iwae_diagonal`) shows that its loss is of the
posterior's family, not of the model. On images averaged down to 32 x 32, p(x | z) is the Bernoulli
formula at grey values, which is no normalised density; nothing here needs it to be one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.special

from data import random_streams
from reproduce.basis import bases
from reproduce.mechanisms import results, rolinek_table
from reproduce.pipeline import jobs
from reproduce.training import progress

STANDARD_ERRORS = 3.0  # within which two estimates are the same
LogLikelihood = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Settings:
    """The experiment's settings.

    Attributes:
        table: The experiment whose models are used.
        arm: The one that is trained with a beta of 1: its posterior is the ELBO's.
        num_images: Images drawn for the estimates.
        num_samples: K, the samples of an importance-weighted estimate.
        num_rotations: R, for each seed.
    """

    table: rolinek_table.Settings
    arm: str
    num_images: int
    num_samples: int
    num_rotations: int


PROFILES = {
    "smoke": Settings(rolinek_table.PROFILES["smoke"], "beta_vae", 10, 8, 1),
    "quick": Settings(rolinek_table.PROFILES["quick"], "beta_vae", 100, 200, 3),
    "paper": Settings(rolinek_table.PROFILES["paper"], "vae", 500, 5_000, 10),
}


def estimates(
    log_likelihood: LogLikelihood,
    mean: np.ndarray,
    covariance: np.ndarray,
    num_samples: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """ELBO and importance-weighted log-likelihood of each image.

    Args:
        log_likelihood: From latents float [n, K, d], K for each image, to log p(x | z) [n, K].
        mean: float [n, d], of the Gaussian q(z | x).
        covariance: float [n, d, d].
        num_samples: K.
        rng: Draws the noise.

    Returns:
        float64 [n] each, in nats.
    """
    n, d = mean.shape
    root = np.linalg.cholesky(covariance)
    noise = rng.normal(size=(n, num_samples, d))
    latents = mean[:, None] + noise @ np.swapaxes(root, 1, 2)
    log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)[:, None]
    # log p(z) - log q(z | x); the constants of the two Gaussians cancel.
    prior = (np.sum(noise**2, axis=2) - np.sum(latents**2, axis=2)) / 2 + log_det
    weights = log_likelihood(latents) + prior
    return weights.mean(axis=1), scipy.special.logsumexp(weights, axis=1) - np.log(num_samples)


def best_diagonal(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The diagonal D nearest to covariances S [n, d, d], by KL(N(0, D) || N(0, S)), and that KL.

    Returns:
        D float64 [n, d, d] and the divergences [n], nats.
    """
    precision = np.diagonal(np.linalg.inv(covariance), axis1=1, axis2=2)
    gap = (np.linalg.slogdet(covariance)[1] + np.log(precision).sum(axis=1)) / 2
    return np.eye(covariance.shape[1]) / precision[:, None, :], gap


def turned_estimates(
    log_likelihood: LogLikelihood,
    mean: np.ndarray,
    covariance: np.ndarray,
    rotation: np.ndarray,
    num_samples: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """What the rotated model gives for each image, by measure: float64 [n] each."""
    turned = mean @ rotation.T, rotation @ covariance @ rotation.T
    diagonal, gap = best_diagonal(turned[1])

    def decode(latents: np.ndarray) -> np.ndarray:
        return log_likelihood(latents @ rotation)

    elbo_full, iwae = estimates(decode, *turned, num_samples, rng)
    elbo, iwae_diagonal = estimates(decode, turned[0], diagonal, num_samples, rng)
    return {
        "iwae": iwae,
        "elbo_full": elbo_full,
        "elbo": elbo,
        "iwae_diagonal": iwae_diagonal,
        "kl_gap": gap,
    }


def chains(settings: Settings, output: Path) -> list[jobs.Chain]:
    """Trains the one arm."""
    name = settings.table.trainings()[settings.arm].name
    return [
        chain
        for chain in rolinek_table.chains(settings.table, output)
        if chain.run.path.name.startswith(f"{name}-seed")
    ]


def measure(settings: Settings, output: Path) -> pd.DataFrame:
    """Evaluates every seed's model as it is and rotated."""
    training = settings.table.trainings()[settings.arm]
    learned: dict[int, dict[str, np.ndarray]] = {}
    turned: dict[int, dict[str, np.ndarray]] = {}
    bar = progress.bar(
        total=len(settings.table.seeds) * settings.num_rotations,
        desc="rotations",
        unit=" models",
    )
    with bar:
        for seed in settings.table.seeds:
            log_likelihood, mean, covariance = _model(training.run(output, seed).path, settings)
            rng = random_streams.generator(seed, random_streams.LATENT_ROTATIONS)
            elbo, iwae = estimates(log_likelihood, mean, covariance, settings.num_samples, rng)
            learned[seed] = {"iwae": iwae, "elbo": elbo}
            parts = []
            for rotation in bases.haar(settings.num_rotations, mean.shape[1], rng):
                parts.append(
                    turned_estimates(
                        log_likelihood, mean, covariance, rotation, settings.num_samples, rng
                    )
                )
                bar.update()
            turned[seed] = {
                name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]
            }
    return results.table("likelihood", _rows(learned, turned))


def _model(path: Path, settings: Settings) -> tuple[LogLikelihood, np.ndarray, np.ndarray]:
    """A run's log p(x | z) of some images, and its posterior's means [n, d] and covariances."""
    from reproduce import program

    tf = program.start_tensorflow()
    from reproduce.training import trained_model
    from reproduce.training.run_directory import RunDirectory

    run = RunDirectory(path)
    model, dataset = trained_model.load_model(run), trained_model.load_dataset(run)
    images = dataset.images(trained_model.draw_images(dataset, settings.num_images, seed=0))
    posterior = model.posterior(tf.constant(images))
    mean, variance = posterior.mean().numpy(), posterior.variance().numpy()

    @tf.function(reduce_retracing=True, autograph=False)
    def of_image(latents: Any, image: Any) -> Any:
        return model.likelihood(latents).log_prob(image[None])

    def log_likelihood(latents: np.ndarray) -> np.ndarray:
        pairs = zip(latents.astype(np.float32), images, strict=True)
        return np.array([of_image(tf.constant(z), tf.constant(x)).numpy() for z, x in pairs])

    covariance = variance.astype(np.float64)[:, :, None] * np.eye(mean.shape[1])
    return log_likelihood, mean.astype(np.float64), covariance


def _rows(
    learned: dict[int, dict[str, np.ndarray]], turned: dict[int, dict[str, np.ndarray]]
) -> list[results.Row]:
    rows = []
    for arm, found in (("learned", learned), ("turned", turned)):
        for name in next(iter(found.values())):
            values = {seed: float(of_images[name].mean()) for seed, of_images in found.items()}
            rows += results.measured(arm, name, values)

    def change(name: str, reference: str) -> tuple[float, float]:
        """The mean change in nats over seeds and images, and its standard error over images."""
        differences = np.concatenate([turned[s][name] - learned[s][reference] for s in learned])
        return float(differences.mean()), float(differences.std(ddof=1) / len(differences) ** 0.5)

    likelihood, error = change("iwae", "iwae")
    full, full_error = change("elbo_full", "elbo")
    drop, drop_error = change("elbo", "elbo")
    diagonal, diagonal_error = change("iwae_diagonal", "iwae")
    gap = float(np.mean([found["kl_gap"].mean() for found in turned.values()]))
    return [
        *rows,
        results.summary(
            "iwae",
            "the likelihood does not change",
            abs(likelihood) <= STANDARD_ERRORS * error,
            f"Turning latents and decoder together changes the importance-weighted log-likelihood "
            f"by {likelihood:+.3f} +- {error:.3f} nats an image, and the ELBO of the turned, full "
            f"posterior by {full:+.3f} +- {full_error:.3f}.",
        ),
        results.summary(
            "elbo",
            "the ELBO of a diagonal posterior drops",
            drop < -STANDARD_ERRORS * drop_error,
            f"The ELBO of the best diagonal posterior changes by {drop:+.2f} +- {drop_error:.2f} "
            f"nats; its divergence from the turned posterior, in closed form, is {gap:.2f}. By "
            f"importance weighting, the same diagonal posterior recovers the likelihood to "
            f"{diagonal:+.3f} +- {diagonal_error:.3f} nats.",
        ),
    ]
