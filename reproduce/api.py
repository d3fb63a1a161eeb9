"""The kit from Python, for notebooks; it needs no TensorFlow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data import checked
from data.files import InputError
from reproduce.basis import assessment, representation

_WHERE = "the arguments"  # what messages name in a file's place


def assess_basis(
    latents: Any,
    factors: Any,
    factor_names: Sequence[str] | None = None,
    log_variance: Any = None,
    families: Sequence[str] | str = ("haar_active", "haar"),
    metrics: Sequence[str] | str = ("mig",),
    num_bases: int = 9999,
    num_fits: int = 99,
    seed: int = 0,
    workers: int = 1,
) -> pd.DataFrame:
    """Tests whether the axes of latents are special among random bases.

    Arrays may be NumPy's, pandas' frames, or anything on the CPU that has `__array__` or speaks
    DLPack, such as tensors of PyTorch, JAX and TensorFlow. A notebook shows the progress of tests
    that take more than two seconds.

    Args:
        latents: float [n, d].
        factors: int [n, k], class indices, or [n] for a single factor.
        factor_names: The k names; by default a frame's columns, or else numbers.
        log_variance: float [n, d], log of the posterior's marginal variances, if there are any.
        families: Keys of `bases.FAMILIES`, or one of them.
        metrics: Some of `registry.OF_LATENTS`, or one of them.
        num_bases: Draws of each null family.
        num_fits: Draws for metrics that need a fit for every basis.
        seed: The seed of the draws.
        workers: Processes for such fits.

    Returns:
        A frame as `assessment.Assessment` documents it, a row for each family and metric.

    Raises:
        InputError: If the arrays do not fit together, or a name is unknown.
    """
    _require_one_order({"latents": latents, "factors": factors, "log_variance": log_variance})
    given = checked.plain(_WHERE, "factors", factors)
    classes = checked.whole(_WHERE, "factors", given, ("n", "k")[: max(given.ndim, 1)])
    classes = classes.reshape(len(classes), -1)
    for column in classes.T:
        if column.min() < 0:  # no indices, then, but -1 and 1, or whatever tells classes apart
            column[:] = np.unique(column, return_inverse=True)[1]
    if factor_names is None:
        factor_names = [f"factor {j}" for j in range(classes.shape[1])]
    arrays = {
        "latents": latents,
        "factors": classes,
        "factor_names": factor_names,
        "factor_sizes": classes.max(axis=0) + 1,
    }
    if log_variance is not None:
        arrays["log_variance"] = log_variance
    tested = representation.from_arrays(arrays, _WHERE)
    chosen = (_names(families), _names(metrics))
    plan = assessment.Plan(*chosen, num_bases, num_fits, seed, workers)
    with _progress(plan.total()) as bar:
        return assessment.assess(tested, plan, bar.update).table


def _names(given: Sequence[str] | str | None) -> tuple[str, ...]:
    """Names as a tuple; one name alone is one, not a sequence of letters."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def _require_one_order(given: dict[str, Any]) -> None:
    """Rows are matched by position, so that pandas' row labels may not say otherwise.

    Labels 0, 1, 2, ..., as of a frame that was given none, say nothing unless both have them.

    Raises:
        InputError: If two frames have the same row labels in different places.
    """
    indices = {
        name: values.index
        for name, values in given.items()
        if isinstance(values, (pd.DataFrame, pd.Series))
    }
    first = next(iter(indices), "")
    for name, index in indices.items():
        other = indices[first]
        if len(index) != len(other) or index.equals(other):
            continue
        shared = index.isin(other)
        if shared.all():
            raise InputError(
                f"{_WHERE}: {first} and {name} have the same row labels in different orders, and "
                f"rows are matched by position; give {name}.loc[{first}.index]"
            )
        if shared.any() and not any(map(_is_plain_count, (index, other))):
            raise InputError(
                f"{_WHERE}: {first} and {name} share but {shared.sum()} of {len(index)} row "
                "labels, and rows are matched by position; give rows of the same labels to both, "
                "or .to_numpy() if they do belong together"
            )


def _is_plain_count(index: pd.Index) -> bool:
    """Whether row labels are those that pandas gives where there are none."""
    return index.equals(pd.RangeIndex(len(index)))


def _progress(total: int) -> Any:
    """A bar that a notebook shows as a widget if it has any, else as text; none for short tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's, of a notebook without widgets
        import tqdm.auto
    return tqdm.auto.tqdm(desc="basis test", total=total, unit=" bases", delay=2)
