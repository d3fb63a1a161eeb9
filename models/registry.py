"""What is known of each model, in one row, without TensorFlow.

Training, tests, report, explorer, study and paper read these rows. Adding a model takes its file,
its settings, and a row here.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from models import objectives
from models.settings import (
    BetaVAESettings,
    FactorPredictorSettings,
    GlowSettings,
    InfoGANSettings,
    Settings,
)


@dataclasses.dataclass(frozen=True)
class Term:
    """A logged term by which a training is judged.

    Attributes:
        column: Its name in training.csv.
        label: With its unit, for the report's table.
        curve: The label of its curve's axis; empty if it is not drawn.
        scale: That axis'.
        limit: A column that the term cannot exceed, to be drawn as well, and a note on it with a
            place for its value.
        prose: What the paper says that a training reached, with a place for the value; may be
            empty.
        is_of_some: Whether some trainings of the model alone log it: it is told where it is there.
    """

    column: str
    label: str
    curve: str = ""
    scale: Literal["linear", "from_zero", "log"] = "linear"
    limit: tuple[str, str] | None = None
    prose: str = ""
    is_of_some: bool = False


@dataclasses.dataclass(frozen=True)
class Arm:
    """A model under a setting that results tell apart: seeds of one arm are compared.

    Attributes:
        key: As config.json and result tables name it.
        title: For the report.
        label: For the paper's figures and tables.
        prose: Within a sentence of the paper.
        primary: The metric of its primary hypothesis; None if it has none.
        primary_before: What that was in the protocol's version 1, and is where results have no
            decoder side; None if it was the same.
        control: The arm that it is contrasted with.
    """

    key: str
    title: str
    label: str
    prose: str
    primary: str | None = None
    primary_before: str | None = None
    control: str | None = None


@dataclasses.dataclass(frozen=True)
class Model:
    """A model as the programs see it.

    Attributes:
        key: As `--model` and config.json name it.
        title: For readers.
        settings: The class that defines it; each model has one of its own.
        path: Where its class is, as module:class; loaded only when a model is built.
        default_recipe: A key of `reproduce.training.recipes.RECIPES`; None: the settings' defaults.
        is_generative: Whether it has latents and a decoder, so that its axes can be tested.
        has_posterior: Whether it encodes by a posterior, whose latents are then tested as they
            are and, the active ones, standardised; others' latent blocks have a known prior.
        has_uniform_latents: Whether latents are mapped to normal scores before they are rotated.
        one_per_factor: The setting that counts latents of which a data set's every factor should
            have one; None: there is none.
        axis_nouns: What an axis of each latent block is called.
        terms: Logged terms by which a training is judged, in order.
        published: What others reached, in words.
        arms: What results tell apart.
        arm_of: (settings, number of training steps) to the key of an arm.
        settings_of: Settings by name to the class derived from `settings` that has them.
    """

    key: str
    title: str
    settings: type[Settings]
    path: str
    default_recipe: str | None = None
    is_generative: bool = True
    has_posterior: bool = False
    has_uniform_latents: bool = False
    one_per_factor: str | None = None
    axis_nouns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    published: str = ""
    arms: tuple[Arm, ...] = ()
    arm_of: Callable[[Any, int], str] | None = None
    settings_of: Callable[[Mapping[str, Any]], type[Settings]] | None = None

    @property
    def logged(self) -> tuple[str, ...]:
        """The columns by which every training.csv of the model is judged."""
        return tuple(term.column for term in self.terms if not term.is_of_some)

    def settings_class(self, values: Mapping[str, Any]) -> type[Settings]:
        """The class of settings with these values: `settings`, or one derived from it."""
        return self.settings if self.settings_of is None else self.settings_of(values)

    def arm(self, settings: Settings, num_steps: int) -> str:
        """The key of the arm that a training belongs to."""
        return self.key if self.arm_of is None else self.arm_of(settings, num_steps)

    def load(self) -> Any:
        """The model's class, with TensorFlow."""
        module, _, name = self.path.partition(":")
        return getattr(importlib.import_module(module), name)


def _beta_vae_arm(settings: BetaVAESettings, num_steps: int) -> str:
    if num_steps == 0:
        return "untrained"
    if settings.objective == "autoencoder":
        return "autoencoder"
    family = "beta_vae"
    if objectives.title_of(settings.objective):
        family = settings.objective
        if not objectives.has_posterior(family):
            return family
    if settings.optimizer != "sgd":
        return f"{family}/{settings.posterior}"
    return f"{family}/sgd" + ("" if settings.posterior == "diagonal" else "_full_covariance")


def _beta_vae_settings(values: Mapping[str, Any]) -> type[BetaVAESettings]:
    name = values.get("objective", BetaVAESettings.objective)
    if name not in objectives.OBJECTIVES:
        return BetaVAESettings  # which says what is wrong
    return getattr(objectives.load(name), "Settings", BetaVAESettings)


def _arms_of_objective(name: str) -> tuple[Arm, ...]:
    """The arms of an objective with a title of its own: there is no hypothesis about them."""
    title = objectives.title_of(name)
    if not objectives.has_posterior(name):
        return (Arm(name, title, title, f"the {title}"),)
    control = f"{name}/full_covariance"
    return (
        Arm(
            f"{name}/diagonal",
            f"{title}, diagonal posterior",
            f"{title}, diagonal",
            f"the diagonal {title}",
            control=control,
        ),
        Arm(
            control,
            f"{title}, full-covariance posterior",
            f"{title}, full covariance",
            f"the full-covariance {title}",
        ),
        *_arms_by_sgd(name, title, title),
    )


def _arms_by_sgd(family: str, title: str, label: str) -> tuple[Arm, ...]:
    """Both posteriors of an objective, trained by another optimiser: a control."""
    return (
        Arm(
            f"{family}/sgd",
            f"{title}, diagonal posterior, SGD",
            f"{label}, diagonal, SGD",
            f"the {label} trained by SGD",
        ),
        Arm(
            f"{family}/sgd_full_covariance",
            f"{title}, full-covariance posterior, SGD",
            f"{label}, full covariance, SGD",
            f"the full-covariance {label} trained by SGD",
        ),
    )


def _terms_of_objectives() -> tuple[Term, ...]:
    """What single objectives log, each once."""
    labels = {
        column: label for name in objectives.OBJECTIVES for column, label in objectives.terms(name)
    }
    return tuple(Term(column, label, is_of_some=True) for column, label in labels.items())


def _infogan_arm(settings: InfoGANSettings, num_steps: int) -> str:
    del num_steps
    return "infogan/gaussian" if settings.codes == "gaussian" else "infogan"


PREDICTOR = "factor_predictor"  # what tells factors from images for the purity test

_ROWS = (
    Model(
        "beta_vae",
        "beta-VAE",
        BetaVAESettings,
        "models.beta_vae:BetaVAE",
        default_recipe="patch",
        has_posterior=True,
        axis_nouns={"latents": "latent"},
        terms=(
            Term(
                "reconstruction",
                "reconstruction, nats",
                "reconstruction loss, nats an image",
                "log",
                prose="a reconstruction loss of {} nats",
            ),
            Term("kl", "KL, nats", "KL, nats an image", "from_zero", prose="a KL term of {}"),
            *_terms_of_objectives(),
        ),
        published="on dSprites with beta 4: reconstruction 35.6, KL 15.4 (disentangling-vae, the "
        "authors' logs); MIG .03 to .35 over beta 1 to 16 (Locatello et al. 2019, from figures)",
        arms=(
            Arm(
                "beta_vae/diagonal",
                "beta-VAE, diagonal posterior",
                "β-VAE, diagonal",
                "the diagonal β-VAE",
                primary="mig",
                control="beta_vae/full_covariance",
            ),
            Arm(
                "beta_vae/full_covariance",
                "beta-VAE, full-covariance posterior",
                "β-VAE, full covariance",
                "the full-covariance β-VAE",
                primary="mig",
            ),
            *_arms_by_sgd("beta_vae", "beta-VAE", "β-VAE"),
            Arm("autoencoder", "plain autoencoder", "autoencoder", "the autoencoder"),
            Arm("untrained", "untrained encoder", "untrained encoder", "the untrained encoder"),
            *(
                arm
                for name in objectives.OBJECTIVES
                if objectives.title_of(name)
                for arm in _arms_of_objective(name)
            ),
        ),
        arm_of=_beta_vae_arm,
        settings_of=_beta_vae_settings,
    ),
    Model(
        "infogan",
        "InfoGAN",
        InfoGANSettings,
        "models.infogan:InfoGAN",
        default_recipe="infogan_r1",
        has_uniform_latents=True,
        one_per_factor="num_codes",
        axis_nouns={"codes": "code", "noise": "noise"},
        terms=(
            Term(
                "mutual_information",
                "L_I, nats",
                "L_I, bound on the information\nof codes in images, nats",
                limit=("mutual_information_limit", "the most that a deviation of 1 allows, {:.2f}"),
            ),
            Term("mutual_information_fitted", "with Q's deviation fitted"),
            Term("code_entropy", "of H(c)"),
            Term(
                "code_correlation",
                "correlation of codes with Q's estimates",
                "correlation of codes\nwith Q's estimates",
                prose="a correlation of {} between codes and _Q_’s estimates",
            ),
            Term(
                "discriminator_accuracy",
                "share of images that D tells",
                "share of images that\nthe discriminator tells",
            ),
        ),
        published="on dSprites MIG .22 +- .01, FactorVAE score .82 +- .01 (Lin et al. 2020, 50 "
        "runs); on MNIST L_I about 2.30 of H(c) = 2.30 for the category (Chen et al. 2016)",
        arms=(
            Arm(
                "infogan",
                "InfoGAN",
                "InfoGAN, codes",
                "InfoGAN's codes",
                primary="decoder_mig",
                primary_before="mig",
            ),
            Arm(
                "infogan/gaussian",
                "InfoGAN, Gaussian codes",
                "InfoGAN, Gaussian codes",
                "InfoGAN with Gaussian codes",
            ),
        ),
        arm_of=_infogan_arm,
    ),
    Model(
        "glow",
        "Glow",
        GlowSettings,
        "models.glow:Glow",
        default_recipe="glow_32",
        axis_nouns={"channels": "channel", "position": "channel"},
        terms=(
            Term(
                "bits_per_dim",
                "bits per dimension",
                "bits per dimension",
                "log",
                prose="{} bits per dimension",
            ),
        ),
        published="none on dSprites; CIFAR-10 3.35 at 8 bits, 1.67 at 5 bits (Kingma & Dhariwal "
        "2018)",
        arms=(
            Arm(
                "glow",
                "Glow",
                "Glow, channels",
                "Glow's channels",
                primary="decoder_mig",
                primary_before="traversal_purity",
            ),
        ),
    ),
    Model(
        PREDICTOR,
        "factor predictor",
        FactorPredictorSettings,
        "models.factor_predictor:FactorPredictor",
        default_recipe="predictor_32",
        is_generative=False,
    ),
)
MODELS = {model.key: model for model in _ROWS}
ARMS = {arm.key: arm for model in _ROWS for arm in model.arms}
# The metric of each arm's primary hypothesis.
PRIMARY = {arm.key: arm.primary for arm in ARMS.values() if arm.primary}


def primary_metric(arm: str, tested: Collection[str]) -> str | None:
    """The metric of an arm's primary hypothesis among those by which it was tested.

    Args:
        arm: A key of `ARMS`, or anything else, which has no such hypothesis.
        tested: Metrics as result tables name them.

    Returns:
        The protocol's, or that of its version 1 in results that have no decoder side; None if
        neither was tested.
    """
    row = ARMS.get(arm)
    wanted = (row.primary, row.primary_before) if row else ()
    return next((metric for metric in wanted if metric in tested), None)


def row_of(settings: Settings) -> Model:
    """The row of the model that settings define.

    Raises:
        TypeError: If they define none.
    """
    for model in MODELS.values():
        if isinstance(settings, model.settings):
            return model
    raise TypeError(f"no model has the settings {settings!r}")
