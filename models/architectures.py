"""The networks of the literature by name, as tables of layers.

Sources: higgins2017_dsprites, higgins2017_celeba (Higgins et al. 2017, Table 1), burgess2018
(Burgess et al. 2018, appendix A), locatello2019 (Locatello et al. 2019, Table 1), compact (this
kit's, for a laptop's CPU).
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
}
