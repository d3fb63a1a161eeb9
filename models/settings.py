"""What defines each model, as plain data: no TensorFlow is imported here."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol, Self

from data.dataset import Dataset
from data.files import InputError
from models.architectures import GAN_NETWORKS, NETWORKS
from models.objectives import OBJECTIVES

POSTERIORS = ("diagonal", "full_covariance")
DECODERS = ("bernoulli", "gaussian")
OPTIMIZERS = ("adam", "adagrad", "sgd")
COUPLINGS = ("affine", "affine_exp", "additive")
CODES = ("uniform", "gaussian")
DEVIATIONS = ("fixed", "learned")
CONSTRAINTS = ("none", "spectral")
PRECISIONS = ("float32", "mixed_bfloat16")


class Settings(Protocol):
    """What defines a model: a frozen dataclass of its own, which JSON can hold."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def precision(self) -> str:
        """A key of `PRECISIONS`."""


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """Settings of a model whose learning rate may rise and fall.

    Attributes:
        warmup_steps: Steps over which the learning rate rises linearly.
        decay_share: The last share of the training, over which it falls linearly to 0; 0: never.
        training_steps: Steps of the whole training, which `fitted_to` fills in.
    """

    warmup_steps: int = 0
    decay_share: float = 0.0
    training_steps: int = 0

    def _check_schedule(self) -> None:
        if not self.warmup_steps >= 0:
            raise InputError(f"warmup_steps is {self.warmup_steps}; expected at least 0")
        if not 0 <= self.decay_share <= 1:
            raise InputError(f"decay_share is {self.decay_share}; expected 0 to 1")

    def fitted_to(self, dataset: Dataset, num_steps: int) -> Self:
        """The same for a number of training steps, where they matter."""
        del dataset
        return dataclasses.replace(self, training_steps=num_steps if self.decay_share else 0)


@dataclasses.dataclass(frozen=True)
class BetaVAESettings(Scheduled):
    """Everything that defines a beta-VAE but the images' shape and the seed.

    Attributes:
        network: A key of `architectures.NETWORKS`.
        num_latents: d.
        posterior: `diagonal` (MultivariateNormalDiag) or `full_covariance`
            (MultivariateNormalTriL), the control of Rolinek et al. 2019, section 5.
        decoder: `bernoulli`, or `gaussian` with standard deviation `decoder_sd`.
        objective: One of `objectives.OBJECTIVES`, each of which has a file.
        beta: The weight of the KL divergence, or that at the end of a ramp.
        beta_start: That at the start of a ramp.
        gamma, capacity: The weight of the KL divergence's distance from a capacity, and the
            capacity at the end of its ramp, nats.
        ramp_steps: Steps of either ramp.
        optimizer: `adam` (beta1 .9, beta2 .999, epsilon 1e-8), `adagrad`, or `sgd` with momentum
            .9, a control.
        centred: Whether the networks see and give pixels less 1/2, as suits images whose pixels
            are spread over [0, 1].
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
    centred: bool = False
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
        self._check_schedule()


@dataclasses.dataclass(frozen=True)
class GlowSettings(Scheduled):
    """Everything that defines a Glow but the images' shape and the seed.

    The defaults are those of Kingma & Dhariwal 2018 for CIFAR-10.

    Attributes:
        num_levels: L; height and width must be multiples of 2^L.
        depth: K, steps of flow a level.
        width: Channels of the coupling networks' hidden layers.
        coupling: `affine`, with the scale sigmoid(h + 2) of the authors' code; `affine_exp`, with
            the exp(h) of the paper's table 1; `additive`.
        num_bits: n: images are reduced to 2^n values a channel.
        learning_rate: Adam's (beta1 .9, beta2 .999, epsilon 1e-8), after the warm-up.
        clip_norm: To which the gradient of the bits per dimension is scaled down where its norm is
            larger; 0: never.
        recompute: Whether gradients keep no more of a step than its input, and compute the rest
            again: 30% more time for a sixth of the memory an image, at 3 levels of 32 steps of
            width 64; the wider the networks, the less of it.
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
        if not self.clip_norm >= 0:
            raise InputError(f"clip_norm is {self.clip_norm}; expected at least 0")
        self._check_schedule()
        if self.num_bits not in range(1, 9):
            raise InputError(f"num_bits is {self.num_bits}; expected 1 to 8")


@dataclasses.dataclass(frozen=True)
class InfoGANSettings(Scheduled):
    """Everything that defines an InfoGAN but the images' shape and the seed.

    The defaults are those of Chen et al. 2016, appendix C.1, and its authors' code for MNIST.

    Attributes:
        network: A key of `architectures.GAN_NETWORKS`.
        codes: What each continuous code is: `uniform`, U(-1, 1), or `gaussian`, N(0, 1).
        num_codes: How many of them.
        categories: The number of classes of each one-hot category.
        noise: What each incompressible dimension is, as `codes`.
        num_noise: How many of them.
        information_weight: lambda, of L_I in both losses.
        q_deviation: The Gaussian Q(c | x)'s: `fixed` to 1 as in both papers, or `learned`. Q can
            then read codes from differences in pixels that nobody sees.
        min_deviation: The least that a learned one can be.
        constraint: What bounds D and Q: `none`, or `spectral` normalisation of every kernel.
        instance_noise: Standard deviation of Gaussian noise on all the images that D is trained
            on, whose pixels are in [0, 1]; 0: none.
        r1_weight: gamma, the weight of R1, half the squared norm of D's gradient at real images
            (Mescheder et al. 2018, eq. 9); 0: none.
        r1_every: Steps from one to the next with R1, which then counts so many times as much
            (Karras et al. 2020, section 3.1).
        average_decay: The decay a step of the average of G's weights, which then makes every image
            outside of training (Karras et al. 2018, section 5); 0: there is none.
        initial_logit: The logit of every pixel that G begins with, before its weights say anything.
        generator_steps: Steps of G for each of D.
        discriminator_learning_rate, generator_learning_rate: The two Adams' rates.
        adam_beta1, adam_beta2: Both Adams', with epsilon 1e-8.
        precision: `float32`, or `mixed_bfloat16`: bfloat16 layers, float32 weights.
    """

    network: str = "infogan2016_mnist"
    codes: str = "uniform"
    num_codes: int = 2
    categories: tuple[int, ...] = (10,)
    noise: str = "uniform"
    num_noise: int = 62
    information_weight: float = 1.0
    q_deviation: str = "fixed"
    min_deviation: float = 0.3
    constraint: str = "none"
    instance_noise: float = 0.0
    r1_weight: float = 0.0
    r1_every: int = 16
    average_decay: float = 0.0
    initial_logit: float = 0.0
    generator_steps: int = 1
    discriminator_learning_rate: float = 2e-4
    generator_learning_rate: float = 1e-3
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    precision: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))  # a list, from JSON
        for what, choices in (
            ("network", GAN_NETWORKS),
            ("codes", CODES),
            ("noise", CODES),
            ("q_deviation", DEVIATIONS),
            ("constraint", CONSTRAINTS),
            ("precision", PRECISIONS),
        ):
            value = getattr(self, what)
            if value not in choices:
                expected = ", ".join(choices)
                raise InputError(f"unknown {what} {value!r}; expected one of {expected}")
        for what in (
            "min_deviation",
            "generator_steps",
            "r1_every",
            "discriminator_learning_rate",
            "generator_learning_rate",
        ):
            if not getattr(self, what) > 0:
                raise InputError(f"{what} is {getattr(self, what)}; expected more than 0")
        for what in (
            "num_codes",
            "num_noise",
            "information_weight",
            "instance_noise",
            "r1_weight",
        ):
            if not getattr(self, what) >= 0:
                raise InputError(f"{what} is {getattr(self, what)}; expected at least 0")
        for what in ("adam_beta1", "adam_beta2", "average_decay"):
            if not 0 <= getattr(self, what) < 1:
                raise InputError(f"{what} is {getattr(self, what)}; expected at least 0, below 1")
        self._check_schedule()
        if not all(isinstance(n, int) and n >= 2 for n in self.categories):
            raise InputError(
                f"categories are {self.categories}; expected whole numbers of at least 2"
            )
        if not self.num_codes and not self.categories:
            raise InputError("num_codes is 0 and there are no categories; expected some codes")


@dataclasses.dataclass(frozen=True)
class FactorPredictorSettings:
    """Everything that defines a predictor of a data set's factors from its images.

    Attributes:
        network: A key of `architectures.NETWORKS`, whose encoder is used.
        factor_kinds, factor_sizes, symmetries: The data set's, as `fitted_to` fills them in.
        held_out: The share of images that training never sees.
        learning_rate: Adam's, falling to zero over `decay_steps` along half a cosine.
        decay_steps: As many as there are training steps.
        blur: How far half of the training images are blurred, between not at all (0) and twice by
            the mean of 3 x 3 pixels (1), so that a decoder's soft images are read as well.
        noise: The largest standard deviation of Gaussian noise that is added to these.
        precision: As `BetaVAESettings`.
    """

    network: str = "compact"
    factor_kinds: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    symmetries: tuple[int, ...] = ()
    held_out: float = 0.05
    learning_rate: float = 1e-3
    decay_steps: int = 5_000
    blur: float = 0.0
    noise: float = 0.0
    precision: str = "float32"

    def __post_init__(self) -> None:
        for what in ("factor_kinds", "factor_sizes", "symmetries"):
            object.__setattr__(self, what, tuple(getattr(self, what)))  # JSON knows lists alone
        for what, choices in (("network", NETWORKS), ("precision", PRECISIONS)):
            value = getattr(self, what)
            if value not in choices:
                expected = ", ".join(choices)
                raise InputError(f"unknown {what} {value!r}; expected one of {expected}")
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out is {self.held_out}; expected a share between 0 and 1")
        for what in ("blur", "noise"):
            if not 0 <= getattr(self, what) <= 1:
                raise InputError(f"{what} is {getattr(self, what)}; expected 0 to 1")

    @property
    def head_sizes(self) -> tuple[int, ...]:
        """How many numbers each factor's prediction takes.

        A categorical factor has a probability for each class, an ordered one its class index as a
        real number, and an angle a point on the unit circle for each of `symmetries`.
        """
        sizes = {"ordered": 1, "angle": 2 * max(1, len(self.symmetries))}
        return tuple(
            sizes.get(kind, size)
            for kind, size in zip(self.factor_kinds, self.factor_sizes, strict=True)
        )

    def fitted_to(self, dataset: Dataset, num_steps: int) -> FactorPredictorSettings:
        """The same for a data set's factors and a number of training steps."""
        return dataclasses.replace(
            self,
            factor_kinds=dataset.factor_kinds,
            factor_sizes=dataset.factor_sizes,
            symmetries=dataset.symmetries,
            decay_steps=num_steps,
        )
