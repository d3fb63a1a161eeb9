"""What TensorFlow Datasets has of a data set; where it fails, a line says what else to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from data.files import InputError


def load(name: str, split: str, otherwise: str) -> Iterable[Mapping[str, np.ndarray]]:
    """The examples of a data set, which TensorFlow Datasets downloads and prepares at first use.

    Args:
        name: As it calls the data set.
        split: As it calls the part of it, or parts, as in `train+test`.
        otherwise: What to do where that fails, in words.

    Raises:
        InputError: If TensorFlow Datasets is not installed or cannot fetch the data set.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(
            f"data_source=tfds needs TensorFlow Datasets; install axisbias[tfds], or {otherwise}"
        ) from error
    try:
        return tfds.as_numpy(tfds.load(name, split=split))
    except Exception as error:  # whatever a download can raise
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"TensorFlow Datasets could not fetch {name} ({first_line}); {otherwise}"
        ) from error
