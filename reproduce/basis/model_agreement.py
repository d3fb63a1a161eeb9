"""How well several models agree on latents of the same images (UDR)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.files import InputError
from reproduce.basis.representation import Representation
from reproduce.metrics.registry import METRICS


def agreement(representations: Sequence[Representation], metric: str = "udr") -> np.ndarray:
    """A metric that compares models which encoded the same images: float64 [models].

    Raises:
        InputError: If there are fewer than two, two are the same, or the images' factors differ.
    """
    if len(representations) < 2:
        raise InputError(f"{metric} compares models; expected two or more representations")
    if len({one.fingerprint for one in representations}) < len(representations):
        raise InputError(f"{metric} compares models; two of these are the same, give each once")
    first = representations[0].factors
    if not all(np.array_equal(other.factors, first) for other in representations[1:]):
        raise InputError(
            f"{metric} compares models on the same images; these files' factors differ"
        )
    kls = [other.marginal_kl() for other in representations]
    known = [kl for kl in kls if kl is not None]
    latents = [other.latents for other in representations]
    return METRICS[metric].compute(latents, known if len(known) == len(kls) else None)
