"""Adam as one operation a weight."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015) with TensorFlow's fused kernel: one operation a weight."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: Any) -> None:
        """Updates a weight and its two moments.

        As in section 2 of the paper, last paragraph, epsilon is added to the square root of the
        second moment before its bias is corrected; so does Keras.
        """
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
