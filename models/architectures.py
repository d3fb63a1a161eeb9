"""The networks of the literature by name, as tables of layers.

Autoencoders: higgins2017_dsprites, higgins2017_celeba (Higgins et al. 2017, Table 1), burgess2018
(Burgess et al. 2018, appendix A), locatello2019 (Locatello et al. 2019, Table 1), and some
of this kit's own for a laptop's CPU: compact, and patch and patch_wide, whose kernels equal their
strides, so that every layer is one matrix product.

Adversarial: infogan2016_mnist, infogan2016_celeba (Chen et al. 2016, appendix C),
infogan_cr_dsprites, infogan_cr_celeba (Lin et al. 2020, appendix), and two of this kit's for images
of 32 x 32: compact, and compact_plain, which has no normalisation. Where a paper and its authors'
code differ, or the paper says nothing, they are as in the code.
"""

from __future__ import annotations

import dataclasses

Convolution = tuple[int, int, int]  # channels, kernel size, stride


@dataclasses.dataclass(frozen=True)
class Network:
    """An encoder and its decoder.

    Attributes:
        encoder_convolutions: From the image down.
        encoder_dense: Widths of the dense layers behind them.
        decoder_dense: Widths of the dense layers behind the latents.
        decoder_convolutions: Transposed convolutions up to the image; the last one's channels are
            the image's, whatever is written. Without any, a dense layer gives the pixels.
        decoder_activation: The encoder's is always ReLU.
    """

    encoder_convolutions: tuple[Convolution, ...]
    encoder_dense: tuple[int, ...]
    decoder_dense: tuple[int, ...]
    decoder_convolutions: tuple[Convolution, ...]
    decoder_activation: str = "relu"


NETWORKS = {
    "higgins2017_dsprites": Network((), (1200, 1200), (1200, 1200, 1200), (), "tanh"),
    "higgins2017_celeba": Network(
        ((32, 4, 2), (32, 4, 2), (64, 4, 2), (64, 4, 2)),
        (256,),
        (256, 1024),
        ((64, 4, 2), (32, 4, 2), (32, 4, 2), (0, 4, 2)),
    ),
    "burgess2018": Network(
        ((32, 4, 2), (32, 4, 2), (32, 4, 2), (32, 4, 2)),
        (256, 256),
        (256, 256, 512),
        ((32, 4, 2), (32, 4, 2), (32, 4, 2), (0, 4, 2)),
    ),
    "locatello2019": Network(
        ((32, 4, 2), (32, 4, 2), (64, 2, 2), (64, 2, 2)),
        (256,),
        (256, 1024),
        ((64, 4, 2), (32, 4, 2), (32, 4, 2), (0, 4, 2)),
    ),
    "compact": Network(
        ((32, 8, 4), (64, 4, 2), (64, 4, 2)),
        (256,),
        (256, 1024),
        ((64, 4, 2), (32, 4, 2), (0, 8, 4)),
    ),
    "patch": Network(
        ((64, 4, 4), (64, 2, 2)),
        (256,),
        (256, 1024),
        ((64, 2, 2), (0, 4, 4)),
    ),
    "patch_wide": Network(
        ((64, 4, 4), (64, 2, 2)),
        (512,),
        (512, 1024),
        ((64, 2, 2), (0, 4, 4)),
    ),
}

GANConvolution = tuple[int, int, int, bool]  # channels, kernel size, stride, batch normalisation


@dataclasses.dataclass(frozen=True)
class GANNetwork:
    """A generator G, and a discriminator D whose body it shares with InfoGAN's Q.

    Attributes:
        generator_dense: Widths of the dense layers behind the input; one more makes the map. All
            have a ReLU.
        map_channels: The smallest feature map's.
        generator_convolutions: Transposed convolutions up to the image; the last one's channels are
            the image's, whatever is written, and it has neither normalisation nor ReLU.
        generator_slope: The convolutions' leaky ReLU's below 0; 0 is plain ReLU.
        norm_last: Whether G normalises behind its ReLUs instead of before them.
        generator_dense_slope: As `generator_slope`, for G's dense layers.
        generator_dense_norm: Whether these have batch normalisation.
        body_convolutions: Those that D and Q share, from the image down.
        body_dense: Widths of the dense layers behind them.
        q_dense: Widths of those that only Q has.
        dense_norm: Whether these two kinds have batch normalisation.
        discriminator_slope: The leaky ReLU's below 0 in D and Q.
        signed_pixels: Whether pixels are tanh(h), in [-1, 1], to G and D; else the logistic of
            `output_gain` h.
        output_gain: By which G's output layer learns so many times as fast.
        initializer: All kernels': `dcgan`, N(0, .02^2), or `he`, with the variance that keeps
            that of a layer's outputs (He et al. 2015, eq. 10), and half of it for the last layers.
    """

    generator_dense: tuple[int, ...]
    map_channels: int
    generator_convolutions: tuple[GANConvolution, ...]
    generator_slope: float
    norm_last: bool
    body_convolutions: tuple[GANConvolution, ...]
    body_dense: tuple[int, ...]
    q_dense: tuple[int, ...]
    dense_norm: bool
    discriminator_slope: float
    signed_pixels: bool
    generator_dense_slope: float = 0.0
    generator_dense_norm: bool = True
    output_gain: float = 1.0
    initializer: str = "dcgan"

    @property
    def discriminator_has_norm(self) -> bool:
        """Whether any layer of D and Q has batch normalisation."""
        return self.dense_norm or any(norm for *_, norm in self.body_convolutions)


GAN_NETWORKS = {
    "infogan2016_mnist": GANNetwork(
        generator_dense=(1024,),
        map_channels=128,
        generator_convolutions=((64, 4, 2, True), (0, 4, 2, False)),
        generator_slope=0.0,
        norm_last=False,
        body_convolutions=((64, 4, 2, False), (128, 4, 2, True)),
        body_dense=(1024,),
        q_dense=(128,),
        dense_norm=True,
        discriminator_slope=0.01,  # the paper says .1
        signed_pixels=False,
    ),
    "infogan2016_celeba": GANNetwork(
        generator_dense=(),
        map_channels=448,
        generator_convolutions=(
            (256, 4, 2, True),
            (128, 4, 2, False),
            (64, 4, 2, False),
            (0, 4, 2, False),
        ),
        generator_slope=0.0,
        norm_last=False,
        body_convolutions=((64, 4, 2, False), (128, 4, 2, True), (256, 4, 2, True)),
        body_dense=(),
        q_dense=(128,),
        dense_norm=True,
        discriminator_slope=0.1,
        signed_pixels=True,
    ),
    "infogan_cr_dsprites": GANNetwork(
        generator_dense=(128,),
        map_channels=64,
        generator_convolutions=(
            (64, 4, 2, True),
            (32, 4, 2, True),
            (32, 4, 2, True),
            (0, 4, 2, False),
        ),
        generator_slope=0.2,
        norm_last=True,
        body_convolutions=(
            (32, 4, 2, False),
            (32, 4, 2, False),
            (64, 4, 2, False),
            (64, 4, 2, False),
        ),
        body_dense=(128,),
        q_dense=(128,),
        dense_norm=False,
        discriminator_slope=0.2,
        signed_pixels=False,
    ),
    "infogan_cr_celeba": GANNetwork(
        generator_dense=(1024,),
        map_channels=256,
        generator_convolutions=((128, 5, 2, True), (64, 5, 2, True), (0, 5, 2, False)),
        generator_slope=0.0,
        norm_last=False,
        body_convolutions=(
            (64, 5, 2, False),
            (128, 5, 2, False),
            (256, 5, 2, False),
            (512, 5, 2, False),
        ),
        body_dense=(),
        q_dense=(),
        dense_norm=False,
        discriminator_slope=0.2,
        signed_pixels=True,
    ),
    "compact": GANNetwork(
        generator_dense=(128,),
        map_channels=64,
        generator_convolutions=((64, 4, 2, True), (0, 8, 4, False)),
        generator_slope=0.2,
        norm_last=True,
        body_convolutions=((32, 8, 4, False), (64, 4, 2, False)),
        body_dense=(128,),
        q_dense=(128,),
        dense_norm=False,
        discriminator_slope=0.2,
        signed_pixels=False,
    ),
    "compact_plain": GANNetwork(
        generator_dense=(128, 128),
        map_channels=32,
        generator_convolutions=((16, 4, 2, False), (0, 4, 2, False)),
        generator_slope=0.2,
        norm_last=False,
        body_convolutions=((16, 4, 2, False), (32, 4, 2, False), (64, 4, 2, False)),
        body_dense=(128,),
        q_dense=(128,),
        dense_norm=False,
        discriminator_slope=0.2,
        signed_pixels=False,
        generator_dense_slope=0.2,
        generator_dense_norm=False,
        output_gain=4.0,
        initializer="he",
    ),
}
