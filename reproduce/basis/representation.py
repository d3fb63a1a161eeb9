"""A representation: latents of images beside the images' factors, from whatever encoder."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data import blocks, checked
from data.files import InputError, load_npz, save_npz
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.rounding import noise, precision

ACTIVE_KL = 0.1  # nats
ACTIVE_VARIANCE = 0.01  # of the largest
_SHOWN = 20  # latents that a message names
RESPONSIVE = "responsive"  # of a representation.npz: 0 or 1 for each latent
READING = "reading_"  # of a representation.npz: begins the names of what `Reading` holds
RUN_KEY = "run_fingerprint"  # of a representation.npz, for `run_of`
MAX_LOG_VARIANCE = 300.0  # nats; a variance of e^300 and its inverse are still numbers


@dataclasses.dataclass(frozen=True)
class Reading:
    """How factors were read from the images that a decoder made of latents from its prior.

    Attributes:
        reader: What read them.
        fingerprint: SHA-256 of all that decides what it reads.
        errors: How exact it reads each factor from images of known factors.
        units: The errors'.
        block: The latent block whose basis is tested.
        num_drawn: How many images were decoded; those that could not be read are left out.
        left_out: Factors that hardly vary over the images, and are left out.
    """

    reader: str
    fingerprint: str
    errors: tuple[float, ...]
    units: tuple[str, ...]
    block: str
    num_drawn: int
    left_out: tuple[str, ...] = ()

    def to_arrays(self) -> dict[str, np.ndarray]:
        """As a representation.npz holds it."""
        values = dataclasses.asdict(self)
        dtypes = {"errors": np.float64, "num_drawn": np.int64}
        return {READING + k: np.array(v, dtypes.get(k, np.str_)) for k, v in values.items()}

    @staticmethod
    def from_arrays(where: Path | str, arrays: Mapping[str, Any], num_factors: int) -> Reading:
        """The inverse of `to_arrays`.

        Raises:
            InputError: If an array is missing or not as `to_arrays` makes it.
        """
        try:
            parts = {f.name: arrays[READING + f.name] for f in dataclasses.fields(Reading)}
            found = Reading(
                str(parts["reader"]),
                str(parts["fingerprint"]),
                tuple(np.asarray(parts["errors"], np.float64).tolist()),
                tuple(map(str, parts["units"])),
                str(parts["block"]),
                int(parts["num_drawn"]),
                tuple(map(str, parts["left_out"])),
            )
            if not len(found.errors) == len(found.units) == num_factors:
                raise ValueError(f"{len(found.errors)} errors of {num_factors} factors")
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{where}: damaged ({READING}*: {error}); make it anew by reproduce.represent "
                "--from_prior"
            ) from error
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class Representation:
    """Latents and factors of the same images.

    Attributes:
        latents: float64 [n, d], posterior means where there is a posterior; narrower floats may be
            kept where they are many (`blocks.is_large`).
        factors: int64 [n, k], class indices.
        factor_names: The k names.
        factor_sizes: The k numbers of classes.
        log_variance: float64 [n, d], log of the posterior's marginal variances, or None.
        latents_test: float64 [n', d], a test split of the encoder's own, or None.
        factors_test: int64 [n', k], with it.
        responsive: bool [d], which latents a decoder's images respond to; None: unknown. Where it
            is known, these are the active ones.
        reading: Where latents were drawn from a decoder's prior: how factors were read from its
            images. None for an encoder's.
    """

    latents: np.ndarray
    factors: np.ndarray
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    log_variance: np.ndarray | None = None
    latents_test: np.ndarray | None = None
    factors_test: np.ndarray | None = None
    responsive: np.ndarray | None = None
    reading: Reading | None = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all of it: what is computed from it says so by that."""
        digest = hashlib.sha256(repr((self.factor_names, self.factor_sizes)).encode())
        parts = (
            self.latents,
            self.factors,
            self.log_variance,
            self.latents_test,
            self.factors_test,
            self.responsive,
        )
        for part in parts:
            if part is not None:
                digest.update(repr(part.shape).encode())
                digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def points(self) -> LabelledLatents:
        """The latents as they are, with their factors."""
        return LabelledLatents(
            self.latents,
            self.factors,
            self.latents_test,
            self.factors_test,
            precision(self.latents),
        )

    def active_points(self) -> LabelledLatents:
        """The active latents as they are, with their factors.

        Raises:
            InputError: If fewer than two latents are active, so that there is nothing to rotate.
        """
        active = self.active()
        if len(active) < 2:
            raise InputError(
                f"{len(active)} of {self.latents.shape[1]} latents is active (others have "
                f"{self._rule()}); rotations of the active latents need two: the model has "
                "collapsed, or test other families"
            )
        points = self.points()
        if points.is_large:
            return points.read_out(np.eye(self.latents.shape[1])[:, active])
        return points.mapped(lambda latents: latents[:, active])

    def marginal_kl(self) -> np.ndarray | None:
        """KL of each latent's marginal posterior from N(0, 1), mean over images, nats [d]."""
        if self.log_variance is None:
            return None
        kl = (np.square(self.latents) + np.exp(self.log_variance) - 1 - self.log_variance) / 2
        return kl.mean(axis=0)

    def active(self) -> np.ndarray:
        """Indices of the active latents.

        Their marginal KL is above .1 nat; without a log variance, their variance is more than .01
        of the largest (the protocol's rule). Of a decoder's latents it is the images' variance that
        counts, of which each latent's part must be above .01 of the largest part. A latent whose
        mean never moves, or by rounding alone, carries nothing and is never active.
        """
        kl = self.marginal_kl()
        spread = blocks.extreme(self.latents, np.max) - blocks.extreme(self.latents, np.min)
        moves = spread > noise(self.latents, precision(self.latents))
        variance = blocks.variance(self.latents)
        if self.responsive is not None:
            return np.flatnonzero(self.responsive & moves)
        if kl is not None:
            return np.flatnonzero((kl > ACTIVE_KL) & moves)
        return np.flatnonzero((variance > ACTIVE_VARIANCE * variance.max()) & moves)

    def _rule(self) -> str:
        """What latents that are not active have."""
        if self.responsive is not None:
            return f"a part in the images' variance of at most {ACTIVE_VARIANCE:g} of the largest"
        if self.log_variance is None:
            return f"a variance of at most {ACTIVE_VARIANCE:g} of the largest"
        return f"a marginal KL of at most {ACTIVE_KL:g} nat, or a mean that never moves"

    def left_out(self) -> str:
        """In words: which latents are not active, and why; empty if all are."""
        inactive = sorted(set(range(self.latents.shape[1])) - set(self.active().tolist()))
        if not inactive:
            return ""
        shown = ", ".join(map(str, inactive[:_SHOWN]))
        more = f" and {len(inactive) - _SHOWN} more" if len(inactive) > _SHOWN else ""
        return (
            f"{len(inactive)} of {self.latents.shape[1]} latents are not active and left out where "
            f"active ones are rotated ({self._rule()}): {shown}{more}, counted from 0"
        )

    def identifiers(self) -> str:
        """In words: which factors have more classes than half the rows; empty if none has."""
        counts = [len(np.unique(column)) for column in self.factors.T]
        found = [
            f"{name} ({count:,} of {len(self.factors):,} rows)"
            for name, count in zip(self.factor_names, counts, strict=True)
            if 2 * count > len(self.factors)
        ]
        if not found:
            return ""
        return (
            f"factors with few rows a class: {', '.join(found)}; what is estimated of them is far "
            "too high, so give a continuous factor in bins, and leave identifiers out"
        )


def turned(representation: Representation, first: str, second: str) -> Representation:
    """The same latents with two factors described by their sum and difference.

    The factor-frame control: positions as (x + y, x - y) tell as much as (x, y), and nothing but
    our words prefers one of them. Both are halved, so that they have as many classes as before.

    Args:
        representation: Without a test split.
        first: An ordered factor's name.
        second: Another one's, of as many classes.

    Raises:
        InputError: If there are no such factors.
    """
    names, sizes = list(representation.factor_names), list(representation.factor_sizes)
    if first == second or first not in names or second not in names:
        raise InputError(f"no factors {first!r} and {second!r}; expected two of {', '.join(names)}")
    i, j = names.index(first), names.index(second)
    if sizes[i] != sizes[j]:
        raise InputError(
            f"{first} has {sizes[i]} classes and {second} {sizes[j]}; expected as many"
        )
    factors = representation.factors.copy()
    a, b = representation.factors[:, i], representation.factors[:, j]
    factors[:, i], factors[:, j] = (a + b) // 2, (a - b + sizes[j] - 1) // 2
    names[i], names[j] = f"{first} + {second}", f"{first} - {second}"
    return dataclasses.replace(representation, factors=factors, factor_names=tuple(names))


def normal_scores(latents: np.ndarray) -> np.ndarray:
    """The standard normal's quantiles at each latent's ranks, (rank - 1/2) / n: float64 [n, d].

    A constant latent scores 0 everywhere.
    """
    import scipy.stats

    ranks = scipy.stats.rankdata(latents, axis=0)
    return scipy.stats.norm.ppf((ranks - 0.5) / len(latents))


def from_arrays(arrays: Mapping[str, Any], where: Path | str = "the input") -> Representation:
    """Checks arrays named as in a representation.npz and makes a representation of them.

    Raises:
        InputError: If an array is not what `data.checked` expects of it; the message names it.
    """
    latents = checked.reals(where, "latents", arrays["latents"], ("n", "d"))
    n, d = latents.shape
    if n < 2 or d < 2:
        raise InputError(f"{where}: {n} points of {d} latents; expected 2 or more")
    log_variance = latents_test = None
    if "log_variance" in arrays:
        log_variance = checked.reals(where, "log_variance", arrays["log_variance"], (n, d))
        if np.abs(log_variance).max() > MAX_LOG_VARIANCE:
            raise InputError(
                f"{where}: log_variance runs from {log_variance.min():g} to "
                f"{log_variance.max():g}; expected natural logarithms of variances, within "
                f"{MAX_LOG_VARIANCE:g} of 0"
            )
    if ("latents_test" in arrays) != ("factors_test" in arrays):
        raise InputError(f"{where}: latents_test and factors_test go together; one is missing")
    if "latents_test" in arrays:
        latents_test = checked.reals(where, "latents_test", arrays["latents_test"], ("n", d))
    responsive = reading = None
    if RESPONSIVE in arrays:
        responsive = checked.whole(where, RESPONSIVE, arrays[RESPONSIVE], (d,)).astype(bool)
    if READING + "reader" in arrays:
        reading = Reading.from_arrays(where, arrays, np.shape(arrays["factors"])[-1])
        if np.shape(arrays["factors"]) == (n, 0):  # no factor varied over a decoder's images
            return Representation(
                latents, np.zeros((n, 0), np.int64), (), (), responsive=responsive, reading=reading
            )
    factors, factors_test, names, sizes = checked.factors(
        where,
        arrays["factors"],
        arrays["factor_names"],
        arrays["factor_sizes"],
        n,
        arrays.get("factors_test"),
        0 if latents_test is None else len(latents_test),
    )
    return Representation(
        latents,
        factors,
        names,
        sizes,
        log_variance,
        latents_test,
        factors_test,
        responsive,
        reading,
    )


def load(path: Path | str, run: str | None = None) -> Representation:
    """Reads a representation.npz.

    Args:
        path: The file.
        run: The fingerprint of the run that has to have encoded it, if it says which one did.

    Raises:
        InputError: If the file is missing, damaged, of another run, or its arrays do not fit
            together.
    """
    if run is not None and run_of(path) not in (None, run):
        raise InputError(
            f"{path} was encoded by another run; encode it anew by reproduce.represent, and test it"
        )
    required = ["latents", "factors", "factor_names", "factor_sizes"]
    optional = ["log_variance", "latents_test", "factors_test", RESPONSIVE]
    optional += [READING + field.name for field in dataclasses.fields(Reading)]
    return from_arrays(load_npz(path, required, optional), path)


def save(path: Path | str, representation: Representation, run: str | None = None) -> None:
    """Writes a representation.npz; latents are stored as float32.

    Args:
        path: The file.
        representation: What it holds.
        run: The fingerprint of the run that encoded it, if one did.
    """
    arrays = {
        "latents": representation.latents.astype(np.float32),
        "factors": representation.factors.astype(np.int32),
        "factor_names": np.array(representation.factor_names),
        "factor_sizes": np.array(representation.factor_sizes),
    }
    if representation.log_variance is not None:
        arrays["log_variance"] = representation.log_variance.astype(np.float32)
    if representation.latents_test is not None and representation.factors_test is not None:
        arrays["latents_test"] = representation.latents_test.astype(np.float32)
        arrays["factors_test"] = representation.factors_test.astype(np.int32)
    if representation.responsive is not None:
        arrays[RESPONSIVE] = representation.responsive.astype(np.int32)
    if representation.reading is not None:
        arrays |= representation.reading.to_arrays()
    if run is not None:
        arrays[RUN_KEY] = np.array(run)
    save_npz(path, arrays)


def run_of(path: Path | str) -> str | None:
    """The fingerprint of the run that encoded a representation.npz; None if it holds none."""
    found = load_npz(path, [], [RUN_KEY]).get(RUN_KEY)
    return None if found is None else str(found)
