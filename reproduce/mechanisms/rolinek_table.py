"""Rolinek, Zietlow & Martius 2019 (1812.06775), table 1, on dSprites.

Higgins et al.'s dense networks with 5 latents: a beta-VAE, a VAE, an autoencoder, a beta-VAE with
a full-covariance posterior and an untrained decoder; how disentangled each is, and the decoder's
Distance to Orthogonality (DtO, their eq. 29).

Their disentanglement score is not this kit's: it belongs to the family of the mutual information
gap, but its definition could not be checked. So MIG (Chen et al. 2018) is computed in its place,
no number of theirs is put beside it, and only their order is: the beta-VAE above the three others.
DtO has the same definition there and here, and is compared number by number.

At the quick scale images are averaged down to 32 x 32 and the optimiser is Adam instead of
Adagrad, for 128,000 images instead of 36,864,000. Beta is kept per pixel (Higgins et al. 2017,
section 3: beta N / M): 4 at 64 x 64 is 1 at 32 x 32.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from reproduce import program
from reproduce.mechanisms import results
from reproduce.mechanisms.results import Published
from reproduce.mechanisms.trainings import Training, represented
from reproduce.metrics import distance_to_orthogonality as orthogonality
from reproduce.metrics import information, mig
from reproduce.pipeline import jobs
from reproduce.training import progress
from reproduce.training.run_directory import RunDirectory

DTO, MIG = "distance_to_orthogonality", "mig"
PUBLISHED_DTO = {
    "beta_vae": Published(0.76, 0.08),
    "vae": Published(1.08, 0.15),
    "autoencoder": Published(1.62, 0.03),
    "full_covariance": Published(1.73, 0.14),
    "untrained": Published(1.86, 0.11),
}
_NAMES = {"beta_vae": "beta-VAE", "vae": "VAE", "full_covariance": "full-covariance beta-VAE"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The experiment's settings.

    Attributes:
        seeds: Those trained for each arm.
        beta: The beta-VAEs'.
        vae_beta: The VAE's.
        changes: What is set otherwise than in the recipe higgins2017_dsprites.
        num_points: Images in a representation.
        num_jacobians: Points at which DtO is taken.
    """

    seeds: tuple[int, ...]
    beta: str
    vae_beta: str
    changes: Mapping[str, str]
    num_points: int
    num_jacobians: int

    def trainings(self) -> dict[str, Training]:
        """What is trained, by arm."""
        arms = {
            "beta_vae": {"beta": self.beta},
            "vae": {"beta": self.vae_beta},
            "autoencoder": {"objective": "autoencoder"},
            "full_covariance": {"beta": self.beta, "posterior": "full_covariance"},
            "untrained": {"num_steps": "0"},
        }
        return {
            arm: Training(
                f"rolinek-{arm}",
                "higgins2017_dsprites",
                {"num_latents": "5", **self.changes, **own},
            )
            for arm, own in arms.items()
        }


_QUICK = {
    "image_size": "32",
    "optimizer": "adam",
    "learning_rate": "1e-3",
    "num_steps": "2000",
    "log_every": "50",
    "checkpoint_every": "500",
}
PROFILES = {
    "smoke": Settings((0,), "1", "0.25", _QUICK | {"num_steps": "20", "batch_size": "8"}, 200, 10),
    "quick": Settings((30, 31, 32), "1", "0.25", _QUICK, 10_000, 500),
    # 50 epochs in batches of 64.
    "paper": Settings(tuple(range(300, 310)), "4", "1", {"num_steps": "576000"}, 10_000, 500),
}


def chains(settings: Settings, output: Path) -> list[jobs.Chain]:
    """Trains every arm, seed by seed."""
    return [
        training.chain(output, seed)
        for seed in settings.seeds
        for training in settings.trainings().values()
    ]


def measure(settings: Settings, output: Path) -> pd.DataFrame:
    """Scores every trained model."""
    rows = []
    found: dict[str, dict[str, dict[int, float]]] = {DTO: {}, MIG: {}}
    trainings = settings.trainings()
    cases = [(arm, seed) for arm in trainings for seed in settings.seeds]
    for arm, seed in progress.bar(cases, desc="scoring", unit=" models"):
        for name, value in _scores(settings, trainings[arm].run(output, seed)).items():
            found[name].setdefault(arm, {})[seed] = value
    for arm in trainings:
        rows += results.measured(arm, DTO, found[DTO][arm], PUBLISHED_DTO[arm])
        rows += results.measured(arm, MIG, found[MIG][arm])
    return results.table("rolinek_table", [*rows, *_summaries(found)])


def _scores(settings: Settings, run: RunDirectory) -> dict[str, float]:
    """MIG of a run's representation, and its decoder's distance at the first of its points."""
    encoded = represented(run, settings.num_points)
    program.start_tensorflow()
    from reproduce.training import trained_model

    model = trained_model.load_model(run)
    jacobians = orthogonality.jacobians(model.decode, encoded.latents[: settings.num_jacobians])
    found = information.mutual_information(encoded.latents, encoded.factors)
    return {
        DTO: orthogonality.distance_to_orthogonality(jacobians),
        MIG: float(mig.mig(found, information.entropies(encoded.factors))),
    }


def _summaries(found: dict[str, dict[str, dict[int, float]]]) -> list[results.Row]:
    values = {
        name: {arm: np.array(list(by_seed.values())) for arm, by_seed in arms.items()}
        for name, arms in found.items()
    }
    dto, mig = values[DTO], values[MIG]
    inside = [
        arm
        for arm, published in PUBLISHED_DTO.items()
        if abs(dto[arm].mean() - published.value) <= published.tolerance
    ]
    off = "; ".join(
        f"{_name(arm)} {dto[arm].mean():.2f} against {published.value:.2f} +- {published.sd:.2f}"
        for arm, published in PUBLISHED_DTO.items()
        if arm not in inside
    )
    p, floor = results.contrast(-dto["beta_vae"], -dto["full_covariance"])
    others = {arm: mig[arm].mean() for arm in ("vae", "autoencoder", "full_covariance")}
    listed = ", ".join(f"{_name(arm)} {value:.3f}" for arm, value in others.items())
    met = ", ".join(map(_name, inside)) or "none"
    return [
        results.summary(
            DTO,
            "the five published values, each within twice its spread",
            len(inside) == len(PUBLISHED_DTO),
            f"Of the five published distances to orthogonality {len(inside)} are met within twice "
            f"their spread ({met})" + (f"; not so {off}." if off else "."),
        ),
        results.summary(
            f"{DTO} contrast",
            "smaller with a diagonal posterior than with a full-covariance one",
            dto["beta_vae"].mean() < dto["full_covariance"].mean(),
            f"The decoder of the beta-VAE is {dto['beta_vae'].mean():.2f} from orthogonality with "
            f"a diagonal posterior and {dto['full_covariance'].mean():.2f} with a full-covariance "
            f"one (one-sided permutation of {len(dto['beta_vae'])} seeds an arm: p = {p:.2g}, "
            f"which cannot be below {floor:.2g}).",
            p,
        ),
        results.summary(
            f"{MIG} order",
            "the beta-VAE is the most disentangled (by their own score)",
            mig["beta_vae"].mean() > max(others.values()),
            f"MIG of the beta-VAE is {mig['beta_vae'].mean():.3f}; of the others: {listed}.",
        ),
    ]


def _name(arm: str) -> str:
    return _NAMES.get(arm, arm)
