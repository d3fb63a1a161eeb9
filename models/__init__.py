"""What is trained: networks, TFP latent distributions, losses. No flags and no files.

Every generative model is an object with the same few members, which are all that the steps of
`reproduce/` know of it:

- `term_names`, `variables()`: names of the logged terms; all state that training changes, by name.
- `initialise(images, seed)`: what depends on a first batch; called once, before the first step.
- `train_step(images, step, seed, num_replicas)`: one step of training inside a `tf.function`;
  returns the terms.
- `encode(images)`: the representation, whose basis is tested: latents float32 [batch, d], and the
  log of their posterior variances [batch, d] or None.
- `start(images, seed)`: decoder inputs float32 [batch, D] that stand for real images.
- `decode(inputs)`: images float32 [batch, height, width, channels] in [0, 1].
- `latent_blocks`: the parts of the decoder's input whose basis can be rotated, the primary first.
- `draw(num, seed)`: decoder inputs [num, D] drawn from the prior, in coordinates that are N(0, 1).
- `sample(num_images, seed, temperature)`: images drawn from the model.
- `layer_chain()`, of some: `decode` as a `models.layer_chain.LayerChain`, for pages without Python.

`models.factor_predictor`, which reads factors from images, has the first four alone; its
`train_step` takes the images' factors as well.
"""

from __future__ import annotations

from typing import Any

from data import random_streams
from models.registry import row_of
from models.settings import Settings


def build(settings: Settings, image_shape: tuple[int, int, int], seed: int) -> Any:
    """Builds a model, as described above, with its initial weights.

    Args:
        settings: Those of a model in `models.registry`; their type says which.
        image_shape: (height, width, channels).
        seed: The seed of the initial weights.
    """
    rng = random_streams.generator(seed, random_streams.WEIGHTS)
    return row_of(settings).load()(settings, image_shape, rng)
