"""InfoGAN (Chen et al. 2016), with the spectral normalisation of Lin et al. 2020 as an option."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from models import gan_networks, layer_chain, optimizers, schedules
from models.architectures import GAN_NETWORKS
from models.infogan_codes import Codes
from models.latent_blocks import LatentBlock, coordinates
from models.layer_chain import LayerChain
from models.settings import InfoGANSettings
from models.spectral_norm import SpectralNorm


class InfoGAN:
    """G, and D with Q on its body, each with its optimiser.

    As in both papers' code, Q's own layers are the discriminator's optimiser's: it lowers D's loss
    less lambda L_I over D and Q, and the generator's lowers G's loss less lambda L_I over G.
    """

    term_names = (
        "loss",
        "discriminator_loss",
        "generator_loss",
        "mutual_information",
        "mutual_information_fitted",
        "mutual_information_limit",
        "code_entropy",
        "code_correlation",
        "discriminator_accuracy",
    )

    def __init__(
        self, settings: InfoGANSettings, image_shape: tuple[int, int, int], rng: np.random.Generator
    ) -> None:
        """Builds the networks; `rng` draws their initial weights."""
        self.settings = settings
        self.codes = Codes(settings)
        self._network = GAN_NETWORKS[settings.network]
        gain = self._network.output_gain
        self.generator = gan_networks.build_generator(
            self._network,
            image_shape,
            self.codes.size,
            settings.precision,
            rng,
            settings.initial_logit / gain,
        )
        self.average = keras.models.clone_model(self.generator) if settings.average_decay else None
        self.discriminator = gan_networks.build_discriminator(
            self._network, image_shape, self.codes.num_parameters, settings.precision, rng
        )
        self.spectral_norm = None
        if settings.constraint == "spectral":
            self.spectral_norm = SpectralNorm(self.discriminator, rng)
        self.generator_optimizer = self._optimizer(self.generator, settings.generator_learning_rate)
        self.discriminator_optimizer = self._optimizer(
            self.discriminator, settings.discriminator_learning_rate
        )

    def _optimizer(self, model: keras.Model, learning_rate: float) -> keras.optimizers.Optimizer:
        settings = self.settings
        rate = schedules.rate_of(learning_rate, settings)
        optimizer = optimizers.Adam(rate, settings.adam_beta1, settings.adam_beta2, epsilon=1e-8)
        optimizer.build(model.trainable_variables)
        return optimizer

    def variables(self) -> dict[str, keras.Variable]:
        """All state that training changes, by name.

        Weights and the batch normalisation's moving statistics, the average of G's, both
        optimisers' slots, and the singular vectors of a spectral normalisation.
        """
        named: dict[str, keras.Variable] = {}
        for model, optimizer in (
            (self.generator, self.generator_optimizer),
            (self.discriminator, self.discriminator_optimizer),
        ):
            name = model.name
            named |= {f"{name}/{v.path.removeprefix(f'{name}/')}": v for v in model.variables}
            # Not by path: Keras numbers a process's optimisers, a checkpoint must not depend on it.
            named |= {f"{name}_optimizer/{v.name}": v for v in optimizer.variables}
        if self.average is not None:
            named |= {f"average/{v.path}": v for v in self.average.variables}
        if self.spectral_norm is not None:
            named |= {f"spectral_norm/{k}": v for k, v in self.spectral_norm.vectors.items()}
        return named

    @property
    def latent_blocks(self) -> tuple[LatentBlock, ...]:
        """The continuous codes and the noise, both Gaussianised; categories cannot be rotated."""
        settings, size = self.settings, self.codes.size
        codes, noise = np.arange(settings.num_codes), np.arange(size - settings.num_noise, size)
        parts = (
            ("codes", codes, "the continuous codes"),
            ("noise", noise, "the incompressible noise, whose axes nothing favours"),
        )
        return tuple(coordinates(name, at, size, what) for name, at, what in parts if len(at))

    def initialise(self, images: tf.Tensor, seed: tf.Tensor) -> None:
        """Nothing depends on a first batch; the average of G's weights begins with them."""
        if self.average is not None:
            self.average.set_weights(self.generator.get_weights())

    def generate(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """Images in [0, 1], float32 [batch, height, width, channels], of inputs as trained on.

        Outside of training they are made by the average of G's weights, where there is one.
        """
        generator = self.generator if training else self._trained_generator
        outputs = tf.cast(generator(inputs, training=training), tf.float32)
        gain = self._output_gain
        return tf.sigmoid(outputs if gain == 1 else gain * outputs)

    @property
    def _trained_generator(self) -> keras.Model:
        """What makes images outside of training."""
        return self.generator if self.average is None else self.average

    @property
    def _output_gain(self) -> float:
        """By how much G's output is multiplied before the logistic function makes pixels of it."""
        # (tanh(h) + 1) / 2 is the logistic of 2 h.
        return 2.0 if self._network.signed_pixels else self._network.output_gain

    def _keep_average(self) -> None:
        if self.average is None:
            return
        share = 1 - self.settings.average_decay
        for kept, own in zip(self.average.variables, self.generator.variables, strict=True):
            kept.assign_add(share * (own - kept))

    def _discriminator_weights(self) -> tuple[Sequence[tf.Tensor] | None, dict[str, tf.Tensor]]:
        return (None, {}) if self.spectral_norm is None else self.spectral_norm.weights()

    def _discriminate(
        self, images: tf.Tensor, training: bool, weights: Sequence[tf.Tensor] | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """D's logits [batch, 1] and Q's parameters, with other weights than its own if given."""
        seen = 2 * images - 1 if self._network.signed_pixels else images
        if weights is None:
            return self.discriminator(seen, training=training)
        others = self.discriminator.non_trainable_variables
        outputs, updates = self.discriminator.stateless_call(
            weights, others, seen, training=training
        )
        if training:
            for variable, update in zip(others, updates, strict=True):
                variable.assign(update)
        return outputs

    def _parameters(self, images: tf.Tensor) -> tf.Tensor:
        """Q's parameters of images, as a trained model gives them: [batch, num_parameters]."""
        return self._discriminate(images, False, self._discriminator_weights()[0])[1]

    def _noisy(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Images with the instance noise that keeps D from telling the two kinds apart too soon."""
        if not self.settings.instance_noise:
            return images
        noise = tf.random.stateless_normal(tf.shape(images), seed)
        return images + self.settings.instance_noise * noise

    def discriminator_step(
        self,
        images: tf.Tensor,
        generated: tf.Tensor,
        inputs: tf.Tensor,
        seed: tf.Tensor,
        num_replicas: int = 1,
        step: tf.Tensor | int = 0,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A step of D and Q on real images, and generated ones with their inputs.

        Args:
            images: Real ones.
            generated: Those of the inputs.
            inputs: Codes and noise, [batch, codes.size].
            seed: int32 [2], the seed of the instance noise.
            num_replicas: Over how many replicas Keras sums the gradients.
            step: Training steps already made, which say whether R1's turn has come.

        Returns:
            D's loss, nats: the mean of -log D(x) - log(1 - D(G(z, c))); and D's accuracy, the share
            of both kinds of images that it tells.
        """
        real_seed, generated_seed = tf.unstack(tf.random.split(seed, 2))
        both = (self._noisy(images, real_seed), self._noisy(generated, generated_seed))
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            weights, vectors = self._discriminator_weights()
            if self._network.discriminator_has_norm:  # whose statistics are of one kind of images
                real, _ = self._discriminate(both[0], True, weights)
                fake, parameters = self._discriminate(both[1], True, weights)
            else:
                logits, of_all = self._discriminate(tf.concat(both, axis=0), True, weights)
                (real, fake), (_, parameters) = tf.split(logits, 2), tf.split(of_all, 2)
            adversarial = tf.reduce_mean(tf.math.softplus(-real) + tf.math.softplus(fake))
            loss = self._with_information(adversarial, inputs, parameters) / num_replicas
        gradients = tape.gradient(loss, variables)
        if self.settings.r1_weight:
            penalty = self._r1_gradients(images, step, num_replicas)
            gradients = [own + more for own, more in zip(gradients, penalty, strict=True)]
        self.discriminator_optimizer.apply(gradients, variables)
        if self.spectral_norm is not None:
            self.spectral_norm.keep(vectors)
        told = tf.concat([real > 0, fake < 0], axis=0)
        return adversarial, tf.reduce_mean(tf.cast(told, tf.float32))

    def r1(self, images: tf.Tensor) -> tf.Tensor:
        """R1 (Mescheder et al. 2018, eq. 9) without its weight: the mean of |dD / dx|^2 / 2."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            weights, _ = self._discriminator_weights()
            logits = tf.reduce_sum(self._discriminate(images, True, weights)[0])
        squares = tf.square(tape.gradient(logits, images))
        return tf.reduce_mean(tf.reduce_sum(squares, axis=[1, 2, 3])) / 2

    def _r1_gradients(
        self, images: tf.Tensor, step: tf.Tensor | int, num_replicas: int
    ) -> list[tf.Tensor]:
        """The penalty's gradient by D's variables; zero but in every `r1_every`-th step."""
        settings = self.settings
        weights = [variable.value for variable in self.discriminator.trainable_variables]

        def penalise() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                penalty = settings.r1_weight * settings.r1_every * self.r1(images) / num_replicas
            # Q's own layers have no part in it, nor have biases behind the last ReLU.
            zero = tf.UnconnectedGradients.ZERO
            return tape.gradient(penalty, weights, unconnected_gradients=zero)

        its_turn = tf.equal(step % settings.r1_every, 0)
        return tf.cond(its_turn, penalise, lambda: [tf.zeros_like(weight) for weight in weights])

    def generator_step(
        self,
        inputs: tf.Tensor,
        seed: tf.Tensor,
        num_replicas: int = 1,
        made: tuple[tf.Tensor, tf.GradientTape] | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A step of G on the inputs, against D and Q as they are.

        Args:
            inputs: Codes and noise, [batch, codes.size].
            seed: int32 [2], of the instance noise.
            num_replicas: Over how many replicas Keras sums the gradients.
            made: The images of these inputs, with the tape on which G as it is made them; without
                it they are generated here.

        Returns:
            G's loss, nats: the mean of -log D(G(z, c)), which does not saturate (Goodfellow et al.
            2014, section 3); and Q's parameters of the generated images.
        """
        variables = self.generator.trainable_variables
        weights, _ = self._discriminator_weights()
        generated, tape = made or self._generate_on_tape(inputs)
        with tf.GradientTape() as of_discriminator:
            of_discriminator.watch(generated)
            fake, parameters = self._discriminate(self._noisy(generated, seed), True, weights)
            adversarial = tf.reduce_mean(tf.math.softplus(-fake))
            loss = self._with_information(adversarial, inputs, parameters) / num_replicas
        upstream = of_discriminator.gradient(loss, generated)
        gradients = tape.gradient(generated, variables, output_gradients=upstream)
        self.generator_optimizer.apply(gradients, variables)
        return adversarial, parameters

    def _generate_on_tape(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.GradientTape]:
        with tf.GradientTape() as tape:
            generated = self.generate(inputs, training=True)
        return generated, tape

    def _with_information(
        self, adversarial: tf.Tensor, inputs: tf.Tensor, parameters: tf.Tensor
    ) -> tf.Tensor:
        """The loss less lambda L_I (Chen et al. 2016, eq. 6)."""
        information = self.codes.information(inputs, parameters)
        return adversarial - self.settings.information_weight * information

    def train_step(
        self, images: tf.Tensor, step: tf.Tensor, seed: tf.Tensor, num_replicas: int = 1
    ) -> dict[str, tf.Tensor]:
        """One step of D and Q, then `generator_steps` of G on the same inputs.

        Args:
            images: This replica's part of the batch.
            step: Scalar int, training steps already made.
            seed: int32 [2], of this replica's draws.
            num_replicas: Over how many replicas Keras sums the gradients.

        Returns:
            Scalars in nats, of this step: D's and G's loss; L_I, with Q's deviations as they are
            and fitted to the batch; the largest it can be; H(c); the mean |correlation| of the
            continuous codes with Q's estimates; and D's accuracy. `loss` is D's and G's loss less
            lambda L_I.
        """
        settings = self.settings
        inputs_seed, *seeds = tf.unstack(tf.random.split(seed, 2 + settings.generator_steps))
        inputs = self.codes.draw(tf.shape(images)[0], inputs_seed)
        made = self._generate_on_tape(inputs)
        discriminator_loss, accuracy = self.discriminator_step(
            images, made[0], inputs, seeds[0], num_replicas, step
        )
        # G has not changed since it made D's images: its first step needs no others.
        first, *others = seeds[1:]
        generator_loss, parameters = self.generator_step(inputs, first, num_replicas, made)
        for other in others:
            generator_loss, parameters = self.generator_step(inputs, other, num_replicas)
        self._keep_average()
        both = discriminator_loss + generator_loss
        correlation = tf.reduce_sum(self.codes.correlation(inputs, parameters))
        terms = (
            self._with_information(both, inputs, parameters),
            discriminator_loss,
            generator_loss,
            self.codes.information(inputs, parameters),
            self.codes.fitted_information(inputs, parameters),
            tf.constant(self.codes.information_limit, tf.float32),
            tf.constant(self.codes.entropy, tf.float32),
            correlation / max(settings.num_codes, 1),
            accuracy,
        )
        return dict(zip(self.term_names, terms, strict=True))

    def encode(self, images: tf.Tensor) -> tuple[tf.Tensor, None]:
        """Q's means of the continuous codes, [batch, num_codes], which can leave the codes' cube.

        Without any continuous codes there is nothing whose basis could be rotated: [batch, 0].
        """
        return self._parameters(images)[:, : self.settings.num_codes], None

    def start(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Gaussianised inputs from which a traversal starts; `seed` draws the noise."""
        return self.codes.start(self._parameters(images), seed)

    def decode(self, inputs: tf.Tensor) -> tf.Tensor:
        """Images in [0, 1], float32 [batch, height, width, channels], of Gaussianised inputs."""
        return self.generate(self.codes.from_gaussian(inputs), training=False)

    def draw(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Inputs drawn from the priors, Gaussianised: [num, codes.size]."""
        return self.codes.draw_gaussian(num, seed)

    def layer_chain(self) -> LayerChain:
        """`decode` without TensorFlow."""
        return LayerChain(
            self.codes.uniform,
            layer_chain.layers_of(self._trained_generator),
            self.generator.output_shape[1:],
            "logistic",
            self._output_gain,
        )

    def sample(self, num_images: int, seed: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
        """Images of inputs drawn from the priors; `temperature` scales Gaussianised deviations."""
        return self.decode(self.codes.draw_gaussian(num_images, seed, temperature))
