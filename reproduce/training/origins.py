"""Where imported weights come from: what they were trained on, how, and what was published."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.files import InputError

SPECIFICATION = "specs.json"  # of disentangling-vae, beside model.pt
LOSSES = "test_losses.log"
PUBLISHED_FROM = "YannDubs/disentangling-vae, commit f045219, folder results"
_UNKNOWN = "not known: ask whoever gave you the weights"
_LICENCES = {
    "dsprites": "weights: MIT",
    "celeba": "weights: MIT; CelebA's terms: non-commercial research only",
}
# Published test losses are of the first batch of 1,000 images, of which FactorVAE takes the first
# half, divided by the number of batches in the data set: so they are met within rounding where the
# images are known.
_BATCH = 1_000
_NUM_IMAGES = {"dSprites": 737_280, "CelebA": 202_599}
_DATA_SETS = {"dsprites": "dSprites", "celeba": "CelebA"}
# SHA-256 of each model.pt of that folder.
PUBLISHED = {
    "VAE_celeba": "a9e1e6cd8f6d26680b9252dd30168b47b7ace801dcd3b60e2cb91ffa57768b56",
    "VAE_dsprites": "d59cf8691ecf38e99784beabfd664c92543bec2232135da8dda07b7d8fb69154",
    "betaB_celeba": "6218609f0706ecd732ecba409ae5dd21287ee5810c41490d4d9e55915517fcbd",
    "betaB_dsprites": "3e00b3aa10c2a8d3e2011a8d454b6447e95a97770f5c70949384b1018813b0ff",
    "betaH_celeba": "39f29f54a3287219fe30e676e0bc8ba8dbf024b3e648d5be633177814bdb0ab7",
    "betaH_dsprites": "44ba28f86d772e428b592c3131fc690d8ea28f415a842673dfd9b7637bef5203",
    "btcvae_celeba": "61c1e59fc3e66c56bffefe2ce90e1da24a8969d2e0148a8a1db45544ed5d6d44",
    "btcvae_celeba_a-5": "68022cd20b124d24f43edff338d0fd79a48ed00f648a3898061b2acfb08faae8",
    "btcvae_celeba_a0": "b44fbdf64e599d64d58f15f0f8c22dcb62c90b278cfae9b375861e49f1f2f4a9",
    "btcvae_celeba_a5": "ce3c246f06949f843401edbc5220eb3189083adb5df2580d8c1c724caf4231ee",
    "btcvae_dsprites": "ea86d65dbbcfe0534d92a7b152187c8056f1841b0e5e57512937b53b5bb3ed72",
    "btcvae_dsprites_a-5": "f5f21d802abb7531c7660c29ff02ff0e6c750c9270ebb7039a58bea11b8266ca",
    "btcvae_dsprites_a0": "ab605a296b9d681330d235f67663ed69cecb1cdc78161f991bfd836f3f5011cc",
    "btcvae_dsprites_a5": "091df99bb2b95072a91c0ddf846838d717adbb4dedf06cf74f1be69479f20161",
    "factor_celeba": "6baabb72ad2d43ae2872cbd73130aa11f749dd6891517d4c5c818e6fdb124a96",
    "factor_dsprites": "363af41ccc1ea4000b40659cc325db26c0839b789a9461977403298646cc9e5f",
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """What is known of a training that was made elsewhere.

    Attributes:
        name: The published model's, or as its folder or file is called.
        trained_on: The data set's name, which the kit may lack.
        loss: In words, with its weights.
        epochs: How long; 0 where it is not known.
        batch_size: Images a step; 0 where it is not known.
        learning_rate: 0 where it is not known.
        seed: The training's.
        published: Losses by name, as published (see `published_nats`).
        licence: Under which weights may be used.
        source: Where the file was published, if its SHA-256 is known.
        sha256: The file of weights'.
    """

    name: str
    trained_on: str
    loss: str = "not known"
    epochs: int = 0
    batch_size: int = 0
    learning_rate: float = 0.0
    seed: int = 0
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)
    licence: str = _UNKNOWN
    source: str = _UNKNOWN
    sha256: str = ""

    @property
    def num_measured(self) -> int:
        """Over how many images, the data set's first, the published losses were measured."""
        return _BATCH // 2 if self.loss.startswith("FactorVAE") else _BATCH

    def published_nats(self, term: str) -> float:
        """A published loss in nats an image, over the first images; NaN where it is not known."""
        batches = -(-_NUM_IMAGES.get(self.trained_on, 0) // _BATCH)
        return batches * self.published[term] if batches and term in self.published else math.nan


def read(weights: Path, trained_on: str = "") -> Origin:
    """Reads what lies beside a file of weights: specs.json and test_losses.log.

    Args:
        weights: The file.
        trained_on: The data set, where there is no specs.json.

    Raises:
        InputError: If one of these files is damaged, or nothing says what the model was trained on.
    """
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    known = next((name for name, own in PUBLISHED.items() if own == digest), None)
    file = weights.with_name(SPECIFICATION)
    if not file.is_file():
        trained_on = trained_on or (known.split("_")[1] if known else "")
        if not trained_on:
            raise InputError(
                f"{file}: no such file, so nothing says what the model was trained on; put it "
                "beside the weights, or name the data set"
            )
        specification: dict[str, Any] = {"dataset": trained_on}
    else:
        specification = _read_object(file)
    own_name = weights.stem if weights.stem != "model" else weights.resolve().parent.name
    try:
        data_set = str(specification["dataset"])
        return Origin(
            known or own_name,
            _DATA_SETS.get(data_set, data_set),
            _loss(specification),
            int(specification.get("epochs", 0)),
            int(specification.get("batch_size", 0)),
            float(specification.get("lr", 0.0)),
            abs(int(specification.get("seed", 0))),
            _read_losses(weights.with_name(LOSSES)),
            _LICENCES[data_set] if known else _UNKNOWN,
            f"{PUBLISHED_FROM}/{known}" if known else _UNKNOWN,
            digest,
        )
    except InputError:  # of the losses
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{file}: damaged ({type(error).__name__}: {error}); expected the settings of a "
            "training of disentangling-vae"
        ) from error


def _loss(specification: Mapping[str, Any]) -> str:
    """The objective in words: names and weights as in disentangling-vae."""
    name = specification.get("loss")
    weight = {
        key: float(specification.get(key, math.nan))
        for key in ("betaH_B", "betaB_G", "betaB_finC", "factor_G", "btcvae_A", "btcvae_B")
    }
    words = {
        "VAE": "VAE (beta 1)",
        "betaH": f"beta-VAE, beta {weight['betaH_B']:g}",
        "betaB": f"capacity-annealed beta-VAE, gamma {weight['betaB_G']:g}, capacity "
        f"{weight['betaB_finC']:g} nats",
        "factor": f"FactorVAE, gamma {weight['factor_G']:g}",
        "btcvae": f"beta-TCVAE, alpha {weight['btcvae_A']:g}, beta {weight['btcvae_B']:g}",
    }
    return words.get(str(name), "not known" if name is None else str(name)[:60])


def _read_losses(file: Path) -> dict[str, float]:
    """The test losses; empty where there are none."""
    if not file.is_file():
        return {}
    found = _read_object(file)
    try:
        losses = {str(key): float(value) for key, value in found.items()}
    except (TypeError, ValueError) as error:
        raise InputError(f"{file}: damaged ({error}); expected numbers by name") from error
    if not all(map(math.isfinite, losses.values())):
        raise InputError(f"{file}: damaged (a loss is not finite); expected numbers by name")
    return losses


def _read_object(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: damaged ({error}); expected a JSON object") from error
    return found
