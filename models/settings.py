"""What defines each model, as plain data: no TensorFlow is imported here."""

from __future__ import annotations

import dataclasses

from data.files import InputError
from models.architectures import NETWORKS

POSTERIORS = ("diagonal", "full_covariance")
DECODERS = ("bernoulli", "gaussian")
OBJECTIVES = ("beta", "annealed_beta", "capacity")
OPTIMIZERS = ("adam", "adagrad")
COUPLINGS = ("affine", "affine_exp", "additive")
PRECISIONS = ("float32", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True)
class BetaVAESettings:
    """Everything that defines a beta-VAE but the images' shape and the seed.

    Attributes:
        network: A key of `architectures.NETWORKS`.
        num_latents: d.
        posterior: `diagonal` (MultivariateNormalDiag) or `full_covariance`
            (MultivariateNormalTriL), the control of Rolinek et al. 2019, section 5.
        decoder: `bernoulli`, or `gaussian` with standard deviation `decoder_sd`.
        objective: `beta`: reconstruction + beta KL (Higgins et al. 2017, eq. 4);
            `annealed_beta`: beta falls geometrically from `beta_start` over `ramp_steps`;
            `capacity`: reconstruction + gamma |KL - C|, C rising from 0 to `capacity` nats over
            `ramp_steps` (Burgess et al. 2018, eq. 8).
        optimizer: `adam` (beta1 .9, beta2 .999, epsilon 1e-8) or `adagrad`.
        precision: `float32`, or `mixed_bfloat16`: bfloat16 layers, float32 weights.
    """

    network: str = "locatello2019"
    num_latents: int = 10
    posterior: str = "diagonal"
    decoder: str = "bernoulli"
    decoder_sd: float = 1.0
    objective: str = "beta"
    beta: float = 4.0
    beta_start: float = 4.0
    gamma: float = 1000.0
    capacity: float = 25.0
    ramp_steps: int = 100_000
    optimizer: str = "adam"
    learning_rate: float = 1e-4
    precision: str = "float32"

    def __post_init__(self) -> None:
        for what, choices in (
            ("network", NETWORKS),
            ("posterior", POSTERIORS),
            ("decoder", DECODERS),
            ("objective", OBJECTIVES),
            ("optimizer", OPTIMIZERS),
            ("precision", PRECISIONS),
        ):
            value = getattr(self, what)
            if value not in choices:
                expected = ", ".join(choices)
                raise InputError(f"unknown {what} {value!r}; expected one of {expected}")
        for what in ("num_latents", "beta", "beta_start", "learning_rate", "decoder_sd"):
            if not getattr(self, what) > 0:
                raise InputError(f"{what} is {getattr(self, what)}; expected more than 0")


@dataclasses.dataclass(frozen=True)
class GlowSettings:
    """Everything that defines a Glow but the images' shape and the seed.

    The defaults are those of Kingma & Dhariwal 2018 for CIFAR-10.

    Attributes:
        num_levels: L; height and width must be multiples of 2^L.
        depth: K, steps of flow a level.
        width: Channels of the coupling networks' hidden layers.
        coupling: `affine`, with the scale sigmoid(h + 2) of the authors' code; `affine_exp`, with
            the exp(h) of the paper's table 1; `additive`.
        num_bits: n: images are reduced to 2^n values a channel.
        learning_rate: Of Adam (beta1 .9, beta2 .999, epsilon 1e-8), after the warm-up.
        warmup_steps: Over which the learning rate rises linearly.
        clip_norm: To which the gradient of the bits per dimension is scaled down where its norm is
            larger; 0: never.
        recompute: Whether gradients keep no more of a step than its input, and compute the rest
            again: a third more time, for memory that the depth hardly changes.
        precision: `float32`, or `mixed_bfloat16`: the coupling networks' convolutions are trained
            in bfloat16; all else, and every use of a trained flow, is float32.
    """

    num_levels: int = 3
    depth: int = 32
    width: int = 512
    coupling: str = "affine"
    num_bits: int = 8
    learning_rate: float = 1e-3
    warmup_steps: int = 1_000
    clip_norm: float = 0.0
    recompute: bool = True
    precision: str = "float32"

    def __post_init__(self) -> None:
        for what, choices in (("coupling", COUPLINGS), ("precision", PRECISIONS)):
            value = getattr(self, what)
            if value not in choices:
                expected = ", ".join(choices)
                raise InputError(f"unknown {what} {value!r}; expected one of {expected}")
        for what in ("num_levels", "depth", "width", "learning_rate"):
            if not getattr(self, what) > 0:
                raise InputError(f"{what} is {getattr(self, what)}; expected more than 0")
        for what in ("warmup_steps", "clip_norm"):
            if not getattr(self, what) >= 0:
                raise InputError(f"{what} is {getattr(self, what)}; expected at least 0")
        if self.num_bits not in range(1, 9):
            raise InputError(f"num_bits is {self.num_bits}; expected 1 to 8")


Settings = BetaVAESettings | GlowSettings

MODELS: dict[str, type[Settings]] = {"beta_vae": BetaVAESettings, "glow": GlowSettings}
