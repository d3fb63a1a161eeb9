"""Named recipes: every setting of a training but the data set, the seed and the number of steps.

The settings of the literature are cited in `models.architectures` and `models.settings`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from data.files import InputError
from models import objectives
from models.registry import MODELS
from models.settings import (
    BetaVAESettings,
    FactorPredictorSettings,
    GlowSettings,
    InfoGANSettings,
    Settings,
)

WEIGHTS = ("float32", "float16")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        model: A key of `models.registry.MODELS`.
        settings: What defines the model.
        batch_size: Images a step.
        num_steps: Training steps, unless a flag says otherwise; 0 leaves a model untrained.
        log_every: Steps a row of training.csv.
        checkpoint_every: Steps a checkpoint; a multiple of `log_every`.
        image_size: Height of the images that the model sees; larger ones are averaged down to it,
            and smaller ones stay as they are. 0: as they are.
        weights: How the finished model's weights are kept and used: `float32`, or `float16`, in
            which they can be released at a megabyte a model.
    """

    model: str
    settings: Settings
    batch_size: int = 64
    num_steps: int = 300_000
    log_every: int = 1_000
    checkpoint_every: int = 5_000
    image_size: int = 0
    weights: str = "float32"


_QUICK = BetaVAESettings(network="compact", beta=16.0, learning_rate=1e-3)
# Per pixel, a beta of 4 at 32 x 32 is that of 16 at 64 x 64: what Higgins et al. 2017 (section 4.2)
# hold fixed.
_QUICK_32 = dataclasses.replace(_QUICK, beta=4.0)

_GLOW_QUICK = GlowSettings(
    depth=4,
    width=64,
    num_bits=3,  # images of 64 x 64 averaged down to 32 x 32 have five values
    warmup_steps=200,
    recompute=False,
)

_INFOGAN_QUICK = InfoGANSettings(
    network="compact",
    num_codes=5,
    categories=(),
    noise="gaussian",
    num_noise=5,
    information_weight=0.3,
    instance_noise=0.1,
    discriminator_learning_rate=5e-4,
)

# Chosen by reconstruction and by what a predictor reads from reconstructions, by nothing else.
# Tried on dSprites, one seed each (the loss' own floor is 9.9 nats; orientation: median error):
#
#   network, beta               images  thread-min  reconstruction  shape read  orientation
#   compact, .5                 .26 M   2.6         28.5            .38         38 degrees
#   patch, .5                   .26 M   1.0         22.3            .75         12
#   patch, .5                   1.0 M   3.9         18.4            .95          4.3
#   patch, .25                  1.0 M   3.9         15.3            .99          2.6
#   patch, .025 to .25          1.0 M   4.0         15.3            .99          2.6
#   full covariance, the same   1.0 M   4.0         16.0            .98          3.2
#
# Batches of 256 gained nothing. Beta is that of an image of 32 x 32: per pixel a quarter of it is
# that of 64 x 64.
_PATCH = BetaVAESettings(
    network="patch",
    objective="annealed_beta",
    beta_start=0.025,
    beta=0.25,
    ramp_steps=4_800,
    learning_rate=2e-3,
    warmup_steps=100,
    decay_share=0.3,
)

# Chosen by reconstruction alone. Pixels centred at 0 helped most (RMSE .055 to .049), then the
# wider dense layers; 64 x 64 cost twice as much for blurrier faces.
_FACES_PATCH = dataclasses.replace(
    _PATCH,
    network="patch_wide",
    num_latents=16,
    decoder="gaussian",
    decoder_sd=0.1,
    centred=True,
    beta_start=0.1,
    beta=1.0,
    ramp_steps=3_840,
)


def _with_objective(settings: BetaVAESettings, name: str, **changes: Any) -> BetaVAESettings:
    """The same settings under another objective, in the class that it has."""
    values = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    of_objective = getattr(objectives.load(name), "Settings", BetaVAESettings)
    made: BetaVAESettings = of_objective(**{**values, "objective": name, **changes})
    return made


# Published weights, which are of images of 64 x 64, over 4, as beta is: 1/4 stands for the beta of
# 1 beside which they are given. They were fixed before anything was trained with them. Ranges:
# beta-TCVAE's beta 1 to 10 (Locatello et al. 2019), of which 6, less 1; DIP-VAE's lambda_od 1 to 50
# (the same), of which 10, with lambda_d 10 times it in DIP-VAE-I and as much in II; FactorVAE's
# gamma 10 to 100 (the same), of which 35 (Kim & Mnih 2018, on dSprites). InfoVAE has no published
# range on dSprites; 1,000 of its squared discrepancy was taken without a trial. FactorVAE's
# discriminator is narrower by cost alone: 1,000 units a layer would take several times as long as
# encoder and decoder. QLAE's weights count per pixel and latent, and are those of its authors' code
# (for dSprites a tenth of them): of these two, reconstruction chose, one seed each of 96,000
# images: 28.5 nats against 31.0.
_PATCH_OBJECTIVES: dict[str, dict[str, Any]] = {
    "beta_tcvae": {"tc_weight": 5 / 4},
    "dip_vae_i": {"lambda_od": 10 / 4, "lambda_d": 100 / 4},
    "dip_vae_ii": {"lambda_od": 10 / 4, "lambda_d": 10 / 4},
    "info_vae": {"mmd_weight": 1000 / 4},
    "factor_vae": {"tc_weight": 35 / 4, "discriminator_widths": 6 * (200,)},
    "qlae": {"quantization_weight": 1e-2, "commitment_weight": 1e-2, "weight_decay": 0.1},
}

# Locatello et al. 2019, table 2, the middle of each range, but for the two of which it has none:
# InfoVAE and QLAE. These have recipes at 32 x 32 alone.
_LOCATELLO = BetaVAESettings(network="locatello2019", beta=1.0, beta_start=1.0)
_LOCATELLO_OBJECTIVES: dict[str, dict[str, Any]] = {
    "beta_tcvae": {"tc_weight": 5.0},  # beta 6
    "dip_vae_i": {"lambda_od": 10.0, "lambda_d": 100.0},
    "dip_vae_ii": {"lambda_od": 10.0, "lambda_d": 10.0},
    "factor_vae": {"tc_weight": 30.0},
    "capacity": {"capacity": 25.0, "gamma": 1000.0, "ramp_steps": 100_000},  # AnnealedVAE
}

# Bits per dimension still fall at its end (.36 at 32,000 images, .25 at 80,000, .18 at 160,000):
# many of its samples show no sprite, and its gate says so.
_GLOW_32 = dataclasses.replace(_GLOW_QUICK, decay_share=0.3)

# Chosen by samples, their coverage of the data and the discriminator's accuracy, by nothing else.
# What made the difference to `infogan_quick`, whose discriminator is at chance: batches of 16
# instead of 64 (grey pixels .32, in the data .34, instead of .74), a weak R1, a gain of 4, and a
# map of 8 x 8. Spectral or batch normalisation, R1 of .5 and lambda .02 or .1 were worse. Squares
# stay rare, and shape and orientation are not in the codes.
_INFOGAN_R1 = InfoGANSettings(
    network="compact_plain",
    num_codes=5,
    categories=(),
    noise="gaussian",
    num_noise=5,
    information_weight=0.5,
    r1_weight=0.01,
    average_decay=0.999,
    initial_logit=-3.0,
    discriminator_learning_rate=2e-3,
    generator_learning_rate=1e-3,
    adam_beta1=0.0,
    adam_beta2=0.99,
    decay_share=0.3,
)

# Lin et al. 2020: InfoGAN "modified" by a spectral normalisation, without their contrastive loss.
_INFOGAN_CR = InfoGANSettings(
    network="infogan_cr_dsprites",
    num_codes=5,
    categories=(),
    num_noise=5,
    information_weight=0.05,
    constraint="spectral",
    generator_steps=2,  # as their code has it
    discriminator_learning_rate=2e-3,
)

RECIPES = {
    "smoke": Recipe(
        "beta_vae",
        dataclasses.replace(_QUICK, beta=1.0),
        num_steps=300,
        log_every=20,
        checkpoint_every=100,
    ),
    "quick": Recipe("beta_vae", _QUICK, num_steps=6_250, log_every=50, checkpoint_every=500),
    # Fixed before any of its reported seeds was trained: constant beta, 320,000 images.
    "quick_32": Recipe(
        "beta_vae", _QUICK_32, num_steps=5_000, log_every=50, checkpoint_every=500, image_size=32
    ),
    "patch": Recipe(
        "beta_vae",
        _PATCH,
        num_steps=16_000,
        log_every=100,
        checkpoint_every=1_000,
        image_size=32,
        weights="float16",
    ),
    **{
        f"patch_{name}": Recipe(
            "beta_vae",
            _with_objective(_PATCH, name, **weights),
            num_steps=16_000,
            log_every=100,
            checkpoint_every=1_000,
            image_size=32,
            weights="float16",
        )
        for name, weights in _PATCH_OBJECTIVES.items()
    },
    **{
        f"locatello2019_{name}": Recipe("beta_vae", _with_objective(_LOCATELLO, name, **weights))
        for name, weights in _LOCATELLO_OBJECTIVES.items()
    },
    "locatello2019": Recipe("beta_vae", BetaVAESettings(network="locatello2019", beta=4.0)),
    "higgins2017_dsprites": Recipe(
        "beta_vae",
        BetaVAESettings(
            network="higgins2017_dsprites", beta=4.0, optimizer="adagrad", learning_rate=1e-2
        ),
    ),
    "higgins2017_celeba": Recipe(
        "beta_vae",
        BetaVAESettings(
            network="higgins2017_celeba", num_latents=32, decoder="gaussian", beta=250.0
        ),
    ),
    "burgess2018": Recipe(
        "beta_vae",
        BetaVAESettings(network="burgess2018", objective="capacity", learning_rate=5e-4),
    ),
    "burgess2018_celeba": Recipe(
        "beta_vae",
        BetaVAESettings(
            network="burgess2018", objective="capacity", capacity=50.0, learning_rate=5e-4
        ),
    ),
    "glow_smoke": Recipe(
        "glow",
        dataclasses.replace(_GLOW_QUICK, depth=2, width=16, warmup_steps=20),
        num_steps=60,
        log_every=20,
        checkpoint_every=60,
        image_size=32,
    ),
    "glow_quick": Recipe(
        "glow",
        _GLOW_QUICK,
        batch_size=32,  # so that there are more steps: width and depth are small, too
        num_steps=3_000,
        log_every=50,
        checkpoint_every=500,
        image_size=32,
    ),
    # Binary images of 64 x 64: the paper has none, so its setting for a data set of this size.
    "glow_dsprites": Recipe(
        "glow",
        GlowSettings(num_levels=4, depth=32, width=128, num_bits=1),
        num_steps=100_000,
    ),
    # Kingma & Dhariwal 2018 published no CelebA at this size: their setting for LSUN at 64 x 64,
    # with the 5 bits of their CelebA-HQ.
    "glow2018_celeba64": Recipe(
        "glow",
        GlowSettings(num_levels=4, depth=48, num_bits=5, warmup_steps=4_000),
        batch_size=128,
        image_size=64,
    ),
    "glow2018_cifar10": Recipe("glow", GlowSettings(), batch_size=512, image_size=32),
    "infogan_smoke": Recipe(
        "infogan",
        _INFOGAN_QUICK,
        num_steps=60,
        log_every=20,
        checkpoint_every=60,
        image_size=32,
    ),
    # Fixed before any of its reported seeds was trained, by the samples, L_I and correlations of
    # seed 0 alone; so long that L_I no longer rises.
    "infogan_quick": Recipe(
        "infogan",
        _INFOGAN_QUICK,
        num_steps=5_000,
        log_every=50,
        checkpoint_every=500,
        image_size=32,
    ),
    "infogan_r1": Recipe(
        "infogan",
        _INFOGAN_R1,
        batch_size=16,
        num_steps=37_500,
        log_every=250,
        checkpoint_every=2_500,
        image_size=32,
        weights="float16",
    ),
    "glow_32": Recipe(
        "glow",
        _GLOW_32,
        batch_size=32,
        num_steps=6_250,
        log_every=50,
        checkpoint_every=500,
        image_size=32,
        weights="float16",
    ),
    "infogan2016_mnist": Recipe(  # 50 epochs of 100 batches; images of 28 x 28
        "infogan",
        InfoGANSettings(),
        batch_size=128,
        num_steps=5_000,
        log_every=100,
        checkpoint_every=1_000,
    ),
    # How long it was trained is not published.
    "infogan2016_celeba": Recipe(
        "infogan",
        InfoGANSettings(
            network="infogan2016_celeba", num_codes=0, categories=(10,) * 10, num_noise=128
        ),
        batch_size=128,
        num_steps=100_000,
        image_size=32,
    ),
    # 28 epochs of dSprites.
    "infogan_cr_dsprites": Recipe("infogan", _INFOGAN_CR, num_steps=322_560),
    # 57 epochs of CelebA's 202,599 images.
    "infogan_cr_celeba": Recipe(
        "infogan",
        dataclasses.replace(
            _INFOGAN_CR,
            network="infogan_cr_celeba",
            num_noise=100,
            information_weight=2.0,
            discriminator_learning_rate=2e-4,
            generator_learning_rate=2e-3,
        ),
        batch_size=128,
        num_steps=90_174,
        image_size=32,
    ),
    "faces_patch": Recipe(
        "beta_vae",
        _FACES_PATCH,
        num_steps=12_800,
        log_every=100,
        checkpoint_every=800,
        image_size=32,
        weights="float16",
    ),
    # Chosen by reconstruction and cost alone, as the next. Tried, one seed each, of 512,000 images
    # (the loss' own floor is -4250 nats): patch_wide -4130, patch -4117.
    "scene_patch": Recipe(
        "beta_vae",
        dataclasses.replace(_FACES_PATCH, ramp_steps=2_400),
        num_steps=8_000,
        log_every=100,
        checkpoint_every=800,
        image_size=32,
        weights="float16",
    ),
    # Of 512,000 images (floor 0 nats): patch 12.2, patch_wide 13.8.
    "squares_patch": Recipe(
        "beta_vae",
        dataclasses.replace(_PATCH, ramp_steps=2_400),
        num_steps=8_000,
        log_every=100,
        checkpoint_every=1_000,
        image_size=32,
        weights="float16",
    ),
    "infogan_faces_r1": Recipe(
        "infogan",
        dataclasses.replace(_INFOGAN_R1, num_codes=11, num_noise=16, initial_logit=0.0),
        batch_size=16,
        num_steps=25_000,
        log_every=250,
        checkpoint_every=2_500,
        image_size=32,
        weights="float16",
    ),
    "glow_faces_32": Recipe(
        "glow",
        dataclasses.replace(_GLOW_32, num_bits=5),
        batch_size=32,
        num_steps=5_000,
        log_every=50,
        checkpoint_every=500,
        image_size=32,
        weights="float16",
    ),
    # For rendered faces, in colour: fixed before any of their reported seeds was trained.
    "faces_quick": Recipe(
        "beta_vae",
        dataclasses.replace(_QUICK_32, num_latents=16, decoder="gaussian", decoder_sd=0.1),
        num_steps=4_000,
        log_every=50,
        checkpoint_every=500,
        image_size=32,
    ),
    "infogan_faces_quick": Recipe(
        "infogan",
        dataclasses.replace(_INFOGAN_QUICK, num_codes=11, num_noise=16),
        num_steps=4_000,
        log_every=50,
        checkpoint_every=500,
        image_size=32,
    ),
    "glow_faces_quick": Recipe(
        "glow",
        dataclasses.replace(_GLOW_QUICK, num_bits=5),
        batch_size=32,
        num_steps=2_500,
        log_every=50,
        checkpoint_every=500,
        image_size=32,
    ),
    "predictor_smoke": Recipe(
        "factor_predictor",
        FactorPredictorSettings(),
        num_steps=100,
        log_every=20,
        checkpoint_every=100,
    ),
    "predictor_quick": Recipe(
        "factor_predictor",
        FactorPredictorSettings(),
        128,
        5_000,
        log_every=100,
        checkpoint_every=500,
    ),
    "predictor_32": Recipe(
        "factor_predictor",
        FactorPredictorSettings(blur=1.0, noise=0.1, learning_rate=2e-3),
        128,
        20_000,
        log_every=200,
        checkpoint_every=1_000,
        image_size=32,
        weights="float16",
    ),
    "predictor_paper": Recipe(
        "factor_predictor",
        FactorPredictorSettings(network="locatello2019"),
        256,
        50_000,
    ),
}


def find(model: str, name: str | None) -> Recipe:
    """The recipe of a name, or the model's default one.

    Raises:
        InputError: If there is no such model or recipe, or the recipe is another model's.
    """
    if model not in MODELS:
        raise InputError(f"unknown model {model!r}; expected one of {', '.join(MODELS)}")
    name = name or MODELS[model].default_recipe
    if name is None:
        return Recipe(model, MODELS[model].settings())
    fitting = [key for key, recipe in RECIPES.items() if recipe.model == model]
    if name not in fitting:
        raise InputError(
            f"unknown recipe {name!r} for {model}; expected one of {', '.join(fitting)}"
        )
    return RECIPES[name]


def _convert(value: Any, like: Any) -> Any:
    """A value, maybe of a flag, in the type of another."""
    if isinstance(like, bool):
        names = {"true": True, "1": True, "false": False, "0": False}
        if str(value).lower() not in names:
            raise ValueError("neither true nor false")
        return names[str(value).lower()]
    if isinstance(like, tuple) and isinstance(value, str):  # whole numbers between commas
        return tuple(int(part) for part in value.split(",") if part)
    return type(like)(value)


def _with_all_fields(recipe: Recipe, changes: dict[str, Any]) -> Settings:
    """A recipe's settings, in the class that has all the fields which changes ask for."""
    values = {f.name: getattr(recipe.settings, f.name) for f in dataclasses.fields(recipe.settings)}
    wanted = MODELS[recipe.model].settings_class(values | changes)
    names = {f.name for f in dataclasses.fields(wanted)}
    return wanted(**{name: value for name, value in values.items() if name in names})


def override(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """Changes entries of a recipe or of its model's settings, converted to the entry's type.

    Raises:
        InputError: If a key is unknown or a value does not fit.
    """
    recipe = dataclasses.replace(recipe, settings=_with_all_fields(recipe, changes))
    own = {f.name: f for f in dataclasses.fields(recipe) if f.name not in ("model", "settings")}
    inner = {f.name: f for f in dataclasses.fields(recipe.settings)}
    for key, value in changes.items():
        if key not in own and key not in inner:
            raise InputError(f"unknown setting {key!r}; expected one of {', '.join(own | inner)}")
        current = getattr(recipe if key in own else recipe.settings, key)
        try:
            converted = _convert(value, current)
        except ValueError as error:
            raise InputError(f"{key} is {value!r}; expected a value like {current!r}") from error
        if isinstance(converted, float) and not math.isfinite(converted):
            raise InputError(f"{key} is {converted}; expected a finite number")
        if key in own:
            recipe = dataclasses.replace(recipe, **{key: converted})
        else:
            settings = dataclasses.replace(recipe.settings, **{key: converted})
            recipe = dataclasses.replace(recipe, settings=settings)
    if recipe.weights not in WEIGHTS:
        raise InputError(f"weights is {recipe.weights!r}; expected one of {', '.join(WEIGHTS)}")
    for key in set(own) - {"weights"}:
        least = 0 if key in ("image_size", "num_steps") else 1
        if getattr(recipe, key) < least:
            raise InputError(f"{key} is {getattr(recipe, key)}; expected at least {least}")
    if recipe.checkpoint_every % recipe.log_every:
        raise InputError(
            f"checkpoint_every is {recipe.checkpoint_every}; "
            f"expected a multiple of log_every, {recipe.log_every}"
        )
    return recipe
