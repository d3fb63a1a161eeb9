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
        num_seeds: How many of the profile's seeds, from the first on; 0: all.
    """

    name: str
    model: str
    recipe: str
    changes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    turned_factors: tuple[str, ...] = ()
    num_seeds: int = 0


@dataclasses.dataclass(frozen=True)
class Profile:
    """A scale at which the whole job is run.

    Attributes:
        arms: Whatever is compared, by data set; the systems are told apart by their model.
        seeds: Each arm's; fresh ones, on which no recipe was tried.
        num_points: Images in a representation.
        num_bases: Draws of each null family, and of traversal purity's limit of small steps.
        num_purity_bases: Draws whose traversals are decoded.
        num_purity_images: Real images from which traversals start.
        predictor: The recipe of the factor predictor.
        summary: What to expect, for the report.
        data_flags: Flags of `reproduce.train`, by data set, where its name does not say all.
        metrics: Those by which latents are tested, as `reproduce.basis_test --metrics` takes them.
        released: By data set, the folder of paper/results whose released runs are tested, so that
            nothing is trained.
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
    metrics: tuple[str, ...] = ("mig",)
    released: Mapping[str, str] = dataclasses.field(default_factory=dict)

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


def _few(infogan: str, glow: str, num_seeds: int) -> tuple[PlannedArm, ...]:
    """InfoGAN and Glow by their recipes, with fewer seeds than the VAEs."""
    return (
        PlannedArm("infogan", "infogan", infogan, num_seeds=num_seeds),
        PlannedArm("glow", "glow", glow, num_seeds=num_seeds),
    )


_QUICK = (*_pair("patch"), *_few("infogan_r1", "glow_32", 1))
_FACES_QUICK = (*_pair("faces_patch"), *_few("infogan_faces_r1", "glow_faces_32", 1))


def _changed(arms: tuple[PlannedArm, ...], **changes: str) -> tuple[PlannedArm, ...]:
    """The same arms under the same names, with other settings."""
    return tuple(dataclasses.replace(arm, changes={**arm.changes, **changes}) for arm in arms)


_SMOKE = _changed(_pair("smoke"), image_size="32", network="patch") + _others("smoke")
_FEW_STEPS = {"num_steps": "20", "log_every": "10"}
_FACES_SMOKE = _changed(_FACES_QUICK, **_FEW_STEPS)

# Chosen for a loss that falls and stays finite, and by nothing else.
_SGD = {"optimizer": "sgd", "learning_rate": "3e-4"}

_HALF_A_MILLION = {"num_steps": "8000", "ramp_steps": "2400"}  # of images, in batches of 64

_QUICK_PROFILE = Profile(
    {
        "dsprites": _QUICK,
        "faces": _FACES_QUICK,
        "coloured_scene": _pair("scene_patch"),
        "xysquares": _pair("squares_patch"),
    },
    (30, 31, 32),
    10_000,
    9_999,
    199,
    8,
    "predictor_32",
    "a demonstration on two CPU cores: three seeds of each VAE and, on dSprites and faces, one of "
    "InfoGAN and one of Glow",
)

PROFILES = {
    "smoke": Profile(
        {
            "dsprites": _SMOKE,
            "faces": _FACES_SMOKE,
            "coloured_scene": _changed(_pair("scene_patch"), **_FEW_STEPS),
            "xysquares": _changed(_pair("squares_patch"), **_FEW_STEPS),
        },
        (0,),
        2_000,
        199,
        5,
        4,
        "predictor_smoke",
        "a check that every step runs; its numbers mean nothing",
    ),
    "quick": _QUICK_PROFILE,
    "standard": Profile(
        {
            "dsprites": (
                *_changed(_pair("patch"), num_steps="32000"),
                *_changed(_few("infogan_r1", "glow_32", 6), num_steps="75000"),
            ),
            "faces": (
                *_changed(_pair("faces_patch"), num_steps="25600"),
                *_changed(_few("infogan_faces_r1", "glow_faces_32", 6), num_steps="50000"),
            ),
        },
        tuple(range(200, 212)),
        10_000,
        9_999,
        999,
        64,
        "predictor_32",
        "a night on two CPU cores: twelve seeds of each VAE, six of InfoGAN and six of Glow",
    ),
    "released": dataclasses.replace(
        _QUICK_PROFILE,
        arms={"dsprites": _QUICK, "faces": _FACES_QUICK},
        summary="the quick profile's runs, tested anew from their released weights",
        released={"dsprites": "quick", "faces": "quick-faces"},
    ),
    "short": Profile(
        {
            "dsprites": _pair("quick_32") + _others("quick"),
            "faces": (
                *_pair("faces_quick"),
                PlannedArm("infogan", "infogan", "infogan_faces_quick"),
                PlannedArm("glow", "glow", "glow_faces_quick"),
            ),
        },
        (20, 21, 22),
        10_000,
        9_999,
        199,
        8,
        "predictor_quick",
        "trainings of two minutes, which show position and size alone: what was reported first",
    ),
    "datasets": Profile(
        {
            "dsprites": _changed(_pair("patch"), **_HALF_A_MILLION),
            "coloured_scene": _pair("scene_patch"),
            "xysquares": _pair("squares_patch"),
            "faces": _changed(_pair("faces_patch"), **_HALF_A_MILLION),
        },
        tuple(range(50, 56)),
        10_000,
        1_999,
        49,
        4,
        "predictor_32",
        "the beta-VAEs on four data sets, six seeds each, of 512,000 images",
    ),
    "objectives": Profile(
        {
            "dsprites": _changed(
                (
                    *_pair("patch"),
                    *(
                        arm
                        for name in (
                            "factor_vae",
                            "beta_tcvae",
                            "dip_vae_i",
                            "dip_vae_ii",
                            "info_vae",
                        )
                        for arm in _pair(f"patch_{name}", name)
                    ),
                    PlannedArm("qlae", "beta_vae", "patch_qlae"),
                ),
                **_HALF_A_MILLION,
            )
        },
        tuple(range(40, 46)),
        10_000,
        1_999,
        49,
        4,
        "predictor_32",
        "the VAE's objectives on dSprites, six seeds each, of 512,000 images",
    ),
    "controls": Profile(
        {
            "dsprites": (
                PlannedArm(
                    "beta_vae-diagonal", "beta_vae", "patch", turned_factors=("pos_x", "pos_y")
                ),
                PlannedArm("autoencoder", "beta_vae", "patch", {"objective": "autoencoder"}),
                PlannedArm("untrained", "beta_vae", "patch", {"num_steps": "0"}),
                PlannedArm("beta_vae-sgd", "beta_vae", "patch", _SGD),
                PlannedArm("infogan-gaussian", "infogan", "infogan_r1", {"codes": "gaussian"}),
            )
        },
        (30, 31, 32),
        10_000,
        9_999,
        199,
        8,
        "predictor_32",
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
                *(
                    arm
                    for name in ("factor_vae", "beta_tcvae", "dip_vae_i", "dip_vae_ii", "capacity")
                    for arm in _pair(f"locatello2019_{name}", name)
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
