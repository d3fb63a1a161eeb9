"""The trainings of `models` in PyTorch: the same networks, weights and losses, written plainly."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data import Dataset
from models.architectures import GAN_NETWORKS, NETWORKS, Network
from models.beta_vae import num_parameters
from models.settings import (
    BetaVAESettings,
    FactorPredictorSettings,
    GlowSettings,
    InfoGANSettings,
)
from reproduce.training.recipes import Recipe

Shape = tuple[int, int, int]
Step = Callable[[Tensor, Tensor], Tensor]  # images and factors to the loss
CHANNELS_LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format


@dataclasses.dataclass(frozen=True)
class Way:
    """One of the ways in which PyTorch can train the same.

    Attributes:
        layout: How images and kernels lie in memory.
        adam: `fused` or `foreach`.
        compiled: Whether by torch.compile.
    """

    layout: torch.memory_format = CONTIGUOUS
    adam: str = "fused"
    compiled: bool = False

    def __str__(self) -> str:
        words = ["PyTorch", str(self.layout).removeprefix("torch.").removesuffix("_format")]
        return ", ".join([*words, self.adam, *["compiled"] * self.compiled])

    def optimizer(
        self, weights: Iterable[Tensor], rate: float, beta1: float = 0.9
    ) -> torch.optim.Adam:
        """Adam as the models have it."""
        return torch.optim.Adam(weights, rate, (beta1, 0.999), 1e-8, **{self.adam: True})

    def compile(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The function, compiled if this is the way."""
        return torch.compile(function, dynamic=False) if self.compiled else function


def training(recipe: Recipe, dataset: Dataset, way: Way) -> tuple[Callable[[int], float], int]:
    """A recipe's training on a data set of packed bits.

    Returns:
        A function that makes a number of steps and returns their mean loss; the number of weights.
    """
    torch.manual_seed(0)
    model = _RIVALS[recipe.model](recipe.settings, dataset.image_shape)
    model = model.to(memory_format=way.layout)
    step = model.make_step(way)
    packed, factors = torch.from_numpy(dataset.storage), torch.from_numpy(dataset.factors)
    factors = factors.long()
    places = torch.tensor([7, 6, 5, 4, 3, 2, 1, 0], dtype=torch.uint8)
    height, width, channels = dataset.stored_shape

    def one_step() -> Tensor:
        rows = torch.randint(len(packed), (recipe.batch_size,))
        bits = (packed[rows][..., None] >> places) & 1
        images = bits.float().reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        if dataset.reduction > 1:
            images = F.avg_pool2d(images, dataset.reduction)
        return step(images.contiguous(memory_format=way.layout), factors[rows])

    def train(steps: int) -> float:
        return float(sum(one_step() for _ in range(steps))) / steps

    return train, sum(weight.numel() for weight in model.parameters())


class _OneLoss(nn.Module):
    """A model that one optimiser trains by one loss."""

    settings: BetaVAESettings | GlowSettings | FactorPredictorSettings

    def loss(self, images: Tensor, factors: Tensor) -> Tensor:
        """The scalar to minimise."""
        raise NotImplementedError

    def make_step(self, way: Way) -> Step:
        """The function that makes a step."""
        optimizer = way.optimizer(self.parameters(), self.settings.learning_rate)
        loss_of = way.compile(self.loss)

        def step(images: Tensor, factors: Tensor) -> Tensor:
            loss = loss_of(images, factors)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step


def _down(inputs: int, channels: int, size: int, stride: int) -> nn.Module:
    return nn.Conv2d(inputs, channels, size, stride, (size - stride) // 2)


def _up(inputs: int, channels: int, size: int, stride: int) -> nn.Module:
    return nn.ConvTranspose2d(inputs, channels, size, stride, (size - stride) // 2)


def _dense(widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> list[nn.Module]:
    pairs = itertools.pairwise(widths)
    return [layer for pair in pairs for layer in (nn.Linear(*pair), activation())]


def _encoder(network: Network, shape: Shape, num_outputs: int) -> nn.Sequential:
    height, width, channels = shape
    layers: list[nn.Module] = []
    for outputs, size, stride in network.encoder_convolutions:
        layers += [_down(channels, outputs, size, stride), nn.ReLU()]
        height, width, channels = height // stride, width // stride, outputs
    widths = (height * width * channels, *network.encoder_dense)
    return nn.Sequential(*layers, nn.Flatten(), *_dense(widths), nn.Linear(widths[-1], num_outputs))


def _decoder(network: Network, shape: Shape, num_latents: int) -> nn.Sequential:
    convolutions = network.decoder_convolutions
    total = math.prod(stride for *_, stride in convolutions)
    map_shape = (convolutions[0][0], shape[0] // total, shape[1] // total)
    widths = [num_latents, *network.decoder_dense]
    if widths[-1] != math.prod(map_shape):
        widths.append(math.prod(map_shape))
    layers: list[nn.Module] = [*_dense(widths), nn.Unflatten(1, map_shape)]
    inputs = map_shape[0]
    for outputs, size, stride in convolutions[:-1]:
        layers += [_up(inputs, outputs, size, stride), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, _up(inputs, shape[2], *convolutions[-1][1:]))


class BetaVAE(_OneLoss):
    """The model of `models.beta_vae`, with Bernoulli pixels and a constant beta."""

    def __init__(self, settings: BetaVAESettings, shape: Shape) -> None:
        super().__init__()
        self.settings, network = settings, NETWORKS[settings.network]
        self.encoder = _encoder(network, shape, num_parameters(settings))
        self.decoder = _decoder(network, shape, settings.num_latents)

    def loss(self, images: Tensor, factors: Tensor) -> Tensor:
        """Reconstruction + beta KL, nats an image."""
        d = self.settings.num_latents
        mean, v, below = self.encoder(images).tensor_split([d, 2 * d], dim=1)
        sd, noise = torch.exp(v / 2), torch.randn_like(mean)
        squares = sd.square().sum() + mean.square().sum()
        latents = mean + sd * noise
        if self.settings.posterior == "full_covariance":
            triangle = below.new_zeros(len(below), d, d)
            rows, columns = torch.tril_indices(d, d, -1)
            triangle[:, rows, columns] = below
            latents = latents + (triangle @ noise[..., None])[..., 0]
            squares = squares + below.square().sum()
        kl = (squares - v.sum() - mean.numel()) / 2
        logits = self.decoder(latents)
        pixels = F.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        return (pixels + self.settings.beta * kl) / len(images)


class FactorPredictor(_OneLoss):
    """The network of `models.factor_predictor`."""

    def __init__(self, settings: FactorPredictorSettings, shape: Shape) -> None:
        super().__init__()
        self.settings = settings
        outputs = sum(settings.head_sizes)
        self.network = _encoder(NETWORKS[settings.network], shape, outputs)
        self.register_buffer("turns", torch.tensor(settings.symmetries or (1,)))

    def loss(self, images: Tensor, factors: Tensor) -> Tensor:
        """The sum of the factors' losses."""
        settings = self.settings
        outputs = self.network(images).split(settings.head_sizes, dim=1)
        heads = zip(settings.factor_kinds, settings.factor_sizes, outputs, factors.T, strict=True)
        return sum(self._loss(*head, factors) for head in heads)

    def _loss(self, kind: str, size: int, output: Tensor, truth: Tensor, factors: Tensor) -> Tensor:
        if kind == "categorical":
            return F.cross_entropy(output, truth)
        if kind == "ordered":
            sd = math.sqrt((size**2 - 1) / 12)
            return F.mse_loss(output[:, 0], (truth - (size - 1) / 2) / sd)
        kinds = self.settings.factor_kinds
        own = factors[:, kinds.index("categorical")] if self.settings.symmetries else truth * 0
        angle = 2 * math.pi * truth / (size - 1) * self.turns[own]
        pairs = output.unflatten(1, (-1, 2))[torch.arange(len(own)), own]
        return (pairs - torch.stack([angle.cos(), angle.sin()], 1)).square().sum(1).mean()


class InfoGAN(nn.Module):
    """`models.infogan` with continuous codes, Q's deviation fixed, no normalisation in D."""

    def __init__(self, settings: InfoGANSettings, shape: Shape) -> None:
        super().__init__()
        self.settings, network = settings, GAN_NETWORKS[settings.network]
        self.generator = self._make_generator(shape)
        height, width, channels = shape
        leaky = lambda: nn.LeakyReLU(network.discriminator_slope)  # noqa: E731
        body: list[nn.Module] = []
        for outputs, size, stride, _ in network.body_convolutions:
            body += [_down(channels, outputs, size, stride), leaky()]
            height, width, channels = height // stride, width // stride, outputs
        widths = (height * width * channels, *network.body_dense)
        q_widths = (widths[-1], *network.q_dense)
        self.body = nn.Sequential(*body, nn.Flatten(), *_dense(widths, leaky))
        self.logit = nn.Linear(widths[-1], 1)
        self.q = nn.Sequential(
            *_dense(q_widths, leaky), nn.Linear(q_widths[-1], settings.num_codes)
        )
        for name, weight in self.named_parameters():
            if weight.ndim > 1:
                nn.init.normal_(weight, 0, 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def _make_generator(self, shape: Shape) -> nn.Sequential:
        settings, network = self.settings, GAN_NETWORKS[self.settings.network]
        *inner, (_, last_size, last_stride, _) = network.generator_convolutions
        total = last_stride * math.prod(stride for _, _, stride, _ in inner)
        inputs = network.map_channels
        map_shape = (inputs, shape[0] // total, shape[1] // total)
        widths = (settings.num_codes + settings.num_noise, *network.generator_dense)
        layers: list[nn.Module] = []
        for pair in itertools.pairwise((*widths, math.prod(map_shape))):
            layers += [nn.Linear(*pair), nn.ReLU(), nn.BatchNorm1d(pair[1])]
        layers.append(nn.Unflatten(1, map_shape))
        for outputs, size, stride, _ in inner:
            layers += [_up(inputs, outputs, size, stride), nn.LeakyReLU(network.generator_slope)]
            layers.append(nn.BatchNorm2d(outputs))
            inputs = outputs
        last = _up(inputs, shape[2], last_size, last_stride)
        return nn.Sequential(*layers, last, nn.Sigmoid())

    def _noisy(self, images: Tensor) -> Tensor:
        return images + self.settings.instance_noise * torch.randn_like(images)

    def _with_information(self, adversarial: Tensor, codes: Tensor, means: Tensor) -> Tensor:
        log_q = -((codes - means).square() + math.log(2 * math.pi)).sum(1).mean() / 2
        information = log_q + codes.shape[1] * math.log(2)
        return adversarial - self.settings.information_weight * information

    def discriminator_loss(self, images: Tensor, generated: Tensor, codes: Tensor) -> Tensor:
        """D's loss less lambda L_I."""
        features = self.body(self._noisy(torch.cat([images, generated])))
        real, fake = self.logit(features).chunk(2)
        adversarial = (F.softplus(-real) + F.softplus(fake)).mean()
        return self._with_information(adversarial, codes, self.q(features[len(images) :]))

    def generator_loss(self, generated: Tensor, codes: Tensor) -> Tensor:
        """G's loss less lambda L_I."""
        features = self.body(self._noisy(generated))
        adversarial = F.softplus(-self.logit(features)).mean()
        return self._with_information(adversarial, codes, self.q(features))

    def make_step(self, way: Way) -> Step:
        """The function that makes a step of D and Q, and one of G with the same images."""
        settings, d_weights = (
            self.settings,
            [weight for part in (self.body, self.logit, self.q) for weight in part.parameters()],
        )
        rates = settings.discriminator_learning_rate, settings.generator_learning_rate
        of_d = way.optimizer(d_weights, rates[0], settings.adam_beta1)
        of_g = way.optimizer(self.generator.parameters(), rates[1], settings.adam_beta1)
        parts = (self.generator, self.discriminator_loss, self.generator_loss)
        generate, d_loss, g_loss = map(way.compile, parts)

        def step(images: Tensor, factors: Tensor) -> Tensor:
            codes = 2 * torch.rand(len(images), settings.num_codes) - 1
            noise = torch.randn(len(images), settings.num_noise)
            generated = generate(torch.cat([codes, noise], 1))
            first = d_loss(images, generated.detach(), codes)
            of_d.zero_grad(set_to_none=True)
            first.backward()
            of_d.step()
            for weight in d_weights:  # G's gradients go through D, and need none of its weights'
                weight.requires_grad_(False)
            second = g_loss(generated, codes)
            of_g.zero_grad(set_to_none=True)
            second.backward()
            of_g.step()
            for weight in d_weights:
                weight.requires_grad_(True)
            return (first + second).detach()

        return step


class _FlowStep(nn.Module):
    """Actnorm and 1x1 convolution as one convolution, and an affine coupling."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(channels, channels))
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        packed = lower.tril(-1) + upper.triu(1) + diagonal.abs().log().diag()
        self.lu = nn.Parameter(packed)
        self.register_buffer("permutation", permutation)
        self.register_buffer("signs", diagonal.sign())
        half = channels // 2
        self.kernels = nn.ParameterList(
            [
                0.05 * torch.randn(width, half, 3, 3),
                0.05 * torch.randn(width, width, 1, 1),
                torch.zeros(channels, width, 3, 3),
            ]
        )
        sizes = (channels, width, width, channels)
        self.shifts = nn.ParameterList([torch.zeros(size) for size in sizes])
        self.log_scales = nn.ParameterList([torch.zeros(size) for size in sizes])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The step's output, and the sum of its log-determinants over the batch."""
        scale, *scales = (torch.exp(3 * log_scale) for log_scale in self.log_scales)
        log_diagonal = self.lu.diagonal()
        lower = self.lu.tril(-1) + torch.eye(len(self.lu))
        upper = self.lu.triu(1) + (self.signs * log_diagonal.exp()).diag()
        rotation = self.permutation @ lower @ upper
        offset = rotation @ (self.shifts[0] * scale)
        x = F.conv2d(x, (rotation * scale)[..., None, None], offset)
        given, changed = x.chunk(2, dim=1)
        h = given
        for i, (kernel, shift, s) in enumerate(
            zip(self.kernels, self.shifts[1:], scales, strict=True)
        ):
            # Scaling the kernel costs less than scaling every image.
            h = F.conv2d(h, kernel * s[:, None, None, None], shift * s, padding="same")
            h = F.relu(h) if i < 2 else h
        t, h = h.chunk(2, dim=1)
        changed = (changed + t) * torch.sigmoid(h + 2)
        places = x.numel() // x.shape[1]
        log_det = places * (3 * self.log_scales[0].sum() + log_diagonal.sum())
        return torch.cat([given, changed], 1), log_det + F.logsigmoid(h + 2).sum()


class _Prior(nn.Module):
    """A Gaussian of half of the channels, given the other half; or of all, given nothing."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(outputs, inputs, 3, 3)) if inputs else None
        self.shift = nn.Parameter(torch.zeros(outputs))
        self.log_scale = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, given: Tensor | None) -> Tensor:
        """The log-density of x, summed over the batch."""
        scale = torch.exp(3 * self.log_scale)
        if self.kernel is None:
            parameters = (self.shift * scale)[None, :, None, None]
        else:
            kernel = self.kernel * scale[:, None, None, None]
            parameters = F.conv2d(given, kernel, self.shift * scale, padding="same")
        mean, log_sd = parameters.chunk(2, dim=1)
        squares = ((x - mean) * torch.exp(-log_sd)).square()
        return -(squares / 2 + log_sd + math.log(2 * math.pi) / 2).sum()


class Glow(_OneLoss):
    """`models.glow`, affine, but for the actnorms' first batch and the rate's warm-up."""

    def __init__(self, settings: GlowSettings, shape: Shape) -> None:
        super().__init__()
        self.settings, channels = settings, shape[2]
        self.levels, self.priors = nn.ModuleList(), nn.ModuleList()
        for level in range(settings.num_levels):
            channels *= 4 if level == 0 else 2
            steps = [_FlowStep(channels, settings.width) for _ in range(settings.depth)]
            self.levels.append(nn.ModuleList(steps))
            is_last = level == settings.num_levels - 1
            inputs, outputs = (0, 2 * channels) if is_last else (channels // 2, channels)
            self.priors.append(_Prior(inputs, outputs))

    def make_step(self, way: Way) -> Step:
        """The function that makes a step; all of a flow at once would compile for many minutes."""
        if way.compiled:
            for step in itertools.chain(*self.levels):
                step.compile(dynamic=False)
        return super().make_step(dataclasses.replace(way, compiled=False))

    def loss(self, images: Tensor, factors: Tensor) -> Tensor:
        """Bits a dimension."""
        num_bins = 2**self.settings.num_bits
        bins = (images * num_bins).floor().clamp(max=num_bins - 1)
        x = (bins + torch.rand_like(bins)) / num_bins - 0.5
        log_density = x.new_zeros(())
        for i, (steps, prior) in enumerate(zip(self.levels, self.priors, strict=True)):
            x, given = F.pixel_unshuffle(x, 2), None
            for step in steps:
                x, log_det = step(x)
                log_density = log_density + log_det
            if i < len(self.levels) - 1:
                given, x = x.chunk(2, dim=1)
            log_density = log_density + prior(x, given)
            x = given
        return self.settings.num_bits - log_density / (images.numel() * math.log(2))


_RIVALS: dict[str, Callable[..., nn.Module]] = {
    "beta_vae": BetaVAE,
    "factor_predictor": FactorPredictor,
    "infogan": InfoGAN,
    "glow": Glow,
}
