"""A representation: latents of images beside the images' factors, from whatever encoder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from data.arrays import check_factors
from data.files import InputError, load_npz, save_npz

ACTIVE_KL = 0.1  # nats
ACTIVE_VARIANCE = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Representation:
    """Latents and factors of the same images.

    Attributes:
        latents: float64 [n, d], posterior means where there is a posterior.
        factors: int64 [n, k], class indices.
        factor_names: The k names.
        factor_sizes: The k numbers of classes.
        log_variance: float64 [n, d], log of the posterior's marginal variances, or None.
    """

    latents: np.ndarray
    factors: np.ndarray
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    log_variance: np.ndarray | None = None

    def marginal_kl(self) -> np.ndarray | None:
        """KL of each latent's marginal posterior from N(0, 1), mean over images, nats [d]."""
        if self.log_variance is None:
            return None
        kl = (np.square(self.latents) + np.exp(self.log_variance) - 1 - self.log_variance) / 2
        return kl.mean(axis=0)

    def active(self) -> np.ndarray:
        """Indices of the active latents: marginal KL above .1 nat, or else variance above .01.

        A latent whose mean never moves carries nothing and is never active.
        """
        variance, kl = self.latents.var(axis=0), self.marginal_kl()
        if kl is not None:
            return np.flatnonzero((kl > ACTIVE_KL) & (variance > 0))
        return np.flatnonzero(variance > ACTIVE_VARIANCE)

    def standardised_active(self) -> np.ndarray:
        """The active latents, each with mean 0 and standard deviation 1: float64 [n, active].

        Raises:
            InputError: If fewer than two latents are active, so that there is nothing to rotate.
        """
        active = self.latents[:, self.active()]
        if active.shape[1] < 2:
            raise InputError(
                f"{active.shape[1]} of {self.latents.shape[1]} latents is active; the active "
                "latents' rotations need two: the model has collapsed, or leave haar_active, "
                "pca, ica and geodesic out of --families"
            )
        return (active - active.mean(axis=0)) / active.std(axis=0)


def from_arrays(arrays: dict[str, np.ndarray], where: Path | str = "the input") -> Representation:
    """Checks arrays named as in a representation.npz and makes a representation of them.

    Raises:
        InputError: If lengths or shapes differ, a number is not finite, or a factor is constant.
    """
    latents = np.asarray(arrays["latents"])
    if latents.ndim != 2 or latents.size == 0 or not np.issubdtype(latents.dtype, np.number):
        raise InputError(
            f"{where}: latents are {latents.dtype} {list(latents.shape)}; expected float [n, d]"
        )
    if len(latents) < 2 or latents.shape[1] < 2:
        raise InputError(
            f"{where}: {len(latents)} points of {latents.shape[1]} latents; expected 2 or more"
        )
    log_variance = arrays.get("log_variance")
    for name, values in (("latents", latents), ("log_variance", log_variance)):
        if values is None:
            continue
        if values.shape != latents.shape:
            raise InputError(
                f"{where}: {name} are {list(values.shape)}; expected {list(latents.shape)}"
            )
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            raise InputError(
                f"{where}: {name} hold {len(bad)} numbers that are not finite, the first in row "
                f"{bad[0, 0]}, column {bad[0, 1]}; leave such points out"
            )
    factors, names, sizes = check_factors(where, arrays, len(latents))
    return Representation(
        latents.astype(np.float64),
        factors,
        names,
        sizes,
        None if log_variance is None else log_variance.astype(np.float64),
    )


def load(path: Path | str) -> Representation:
    """Reads a representation.npz.

    Raises:
        InputError: If the file is missing, damaged, or its arrays do not fit together.
    """
    required = ["latents", "factors", "factor_names", "factor_sizes"]
    return from_arrays(load_npz(path, required), path)


def save(path: Path | str, representation: Representation) -> None:
    """Writes a representation.npz; latents are stored as float32."""
    arrays = {
        "latents": representation.latents.astype(np.float32),
        "factors": representation.factors.astype(np.int32),
        "factor_names": np.array(representation.factor_names),
        "factor_sizes": np.array(representation.factor_sizes),
    }
    if representation.log_variance is not None:
        arrays["log_variance"] = representation.log_variance.astype(np.float32)
    save_npz(path, arrays)
