"""DIP-VAE-II (Kumar et al. 2018, eq. 7): the aggregate posterior's covariance is drawn to identity.

The penalty is that of DIP-VAE-I, on Cov_q[z] = E_x[S(x)] + Cov_x[mean(x)], by the law of total
covariance. The paper's S(x) is diagonal; that of a full-covariance posterior is all of L L^T, so
that correlations within images count, and can make up for those between them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from models.objectives import base, dip_vae_i

if TYPE_CHECKING:
    import tensorflow as tf

TITLE = "DIP-VAE-II"


@dataclasses.dataclass(frozen=True)
class Settings(dip_vae_i.Settings):
    """Those of DIP-VAE-I; both weights are alike in the literature."""

    lambda_d: float = 5.0


class Objective(base.Penalised):
    """Reconstruction + beta(step) KL + the latents' weighted distance from uncorrelated ones."""

    def penalty(self, batch: base.Batch) -> tf.Tensor:
        """The weighted squares of the covariance less the identity."""
        return dip_vae_i.distance(aggregate_covariance(batch.posterior), self.settings)


def aggregate_covariance(posterior: Any) -> tf.Tensor:
    """The covariance of E_x q(z | x), float32 [d, d], from posteriors of a batch."""
    import tensorflow as tf

    within = tf.reduce_mean(posterior.covariance(), axis=0)
    return within + dip_vae_i.covariance(posterior.mean())
