"""The main job's profiles: which arms and seeds are trained, and how hard each is tested."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

POSTERIORS = ("diagonal", "full_covariance")


@dataclasses.dataclass(frozen=True)
class PlannedArm:
    """A model under one setting, trained with several seeds.

    Attributes:
        name: Names its runs' folders.
        model: As `reproduce.train --model` takes it.
        recipe: As `reproduce.train --recipe` takes it.
        changes: As `reproduce.train --set` takes them.
        turned_factors: Two factors, by whose sum and difference its latents are tested as well.
    """

    name: str
    model: str
    recipe: str
    changes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    turned_factors: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Profile:
    """A scale at which the whole job is run.

    Attributes:
        arms: Whatever is compared, by data set; the systems are told apart by their model.
        seeds: Of each arm; fresh ones, on which no recipe was tried.
        num_points: Images in a representation.
        num_bases: Draws of each null family, and of traversal purity's limit of small steps.
        num_purity_bases: Draws whose traversals are decoded.
        num_purity_images: Real images from which traversals start.
        predictor: The recipe of the factor predictor.
        summary: What to expect, for the report.
        data_flags: Of `reproduce.train`, by data set, where its name alone does not say what it is.
    """

    arms: Mapping[str, tuple[PlannedArm, ...]]
    seeds: tuple[int, ...]
    num_points: int
    num_bases: int
    num_purity_bases: int
    num_purity_images: int
    predictor: str
    summary: str
    data_flags: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def flags_of(self, dataset: str) -> tuple[str, ...]:
        """The flags by which `reproduce.train` loads a data set."""
        return self.data_flags.get(dataset, (f"--dataset={dataset}",))


def _pair(recipe: str, name: str = "beta_vae", **changes: str) -> tuple[PlannedArm, ...]:
    """The diagonal posterior and its full-covariance control under the same recipe."""
    suffix = "".join(f"-{key}{value}" for key, value in changes.items())
    return tuple(
        PlannedArm(
            f"{name}-{posterior}{suffix}", "beta_vae", recipe, {"posterior": posterior, **changes}
        )
        for posterior in POSTERIORS
    )


def _others(scale: str) -> tuple[PlannedArm, ...]:
    """InfoGAN and Glow."""
    return (
        PlannedArm("infogan", "infogan", f"infogan_{scale}"),
        PlannedArm("glow", "glow", f"glow_{scale}"),
    )


_FACES_QUICK = (
    *_pair("faces_quick"),
    PlannedArm("infogan", "infogan", "infogan_faces_quick"),
    PlannedArm("glow", "glow", "glow_faces_quick"),
)


def _changed(arms: tuple[PlannedArm, ...], **changes: str) -> tuple[PlannedArm, ...]:
    """The same arms under the same names, with other settings."""
    return tuple(dataclasses.replace(arm, changes={**arm.changes, **changes}) for arm in arms)


_SMOKE = _changed(_pair("smoke"), image_size="32") + _others("smoke")
_FACES_SMOKE = _changed(_FACES_QUICK, num_steps="20", log_every="10")

# Chosen for a loss that falls and stays finite, and by nothing else.
_SGD = {"optimizer": "sgd", "learning_rate": "3e-4"}

PROFILES = {
    "smoke": Profile(
        {"dsprites": _SMOKE, "faces": _FACES_SMOKE},
        (0,),
        2_000,
        199,
        5,
        4,
        "predictor_smoke",
        "a check that every step runs; its numbers mean nothing",
    ),
    "quick": Profile(
        {"dsprites": _pair("quick_32") + _others("quick"), "faces": _FACES_QUICK},
        (20, 21, 22),
        10_000,
        9_999,
        199,
        8,
        "predictor_quick",
        "a demonstration on two CPU cores: few seeds, short trainings",
    ),
    "controls": Profile(
        {
            "dsprites": (
                PlannedArm(
                    "beta_vae-diagonal", "beta_vae", "quick_32", turned_factors=("pos_x", "pos_y")
                ),
                PlannedArm("autoencoder", "beta_vae", "quick_32", {"objective": "autoencoder"}),
                PlannedArm("untrained", "beta_vae", "quick_32", {"num_steps": "0"}),
                PlannedArm("beta_vae-sgd", "beta_vae", "quick_32", _SGD),
                PlannedArm("infogan-gaussian", "infogan", "infogan_quick", {"codes": "gaussian"}),
            )
        },
        (20, 21, 22),
        10_000,
        9_999,
        199,
        8,
        "predictor_quick",
        "controls that decide between explanations, at the quick profile's scale",
    ),
    "paper": Profile(
        {
            "dsprites": (
                *(
                    arm
                    for beta in (1, 2, 4, 6, 8, 16)
                    for arm in _pair("locatello2019", beta=str(beta))
                ),
                PlannedArm("infogan", "infogan", "infogan_cr_dsprites"),
                PlannedArm("glow", "glow", "glow_dsprites"),
            ),
            "faces": (
                *_pair("higgins2017_celeba"),
                *_pair("burgess2018_celeba", "burgess"),
                PlannedArm("infogan", "infogan", "infogan_cr_celeba"),
                PlannedArm("glow", "glow", "glow2018_celeba64"),
            ),
        },
        tuple(range(100, 112)),
        10_000,
        9_999,
        999,
        64,
        "predictor_paper",
        "the literature's full settings (Locatello et al. 2019, Lin et al. 2020), for a GPU",
    ),
}
