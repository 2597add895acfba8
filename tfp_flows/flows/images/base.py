"""What flows of images share: raw pixels, dequantization, bits per dimension."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _checks, _context
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.flows._model import policy
from tfp_flows.flows._model.batch import Batch
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.flows.images import dequantization, temperature

__all__ = ["ImageFlow"]

# So many images set ActNorm and the like: enough for means, little memory.
ADAPT_IMAGES = 256
# Under this name `call` gets the normal numbers of which learned noise is made.
BASE_NOISE = "base_noise"


class ImageFlow(Recipe):
    """Base class of flows on images `[H, W, C]` of raw pixels.

    Subclasses implement `_make_layers`, maps on images, and `_make_preprocessing`, a
    fixed map from numbers around zero to pixels; and they have the option
    `dequantize`.

    Raises:
        ValueError: If the event is no image, or if the noise is unknown.
    """

    # Activations of images fill the memory, and on a CPU XLA has no fast convolutions.
    fit_policy = policy.FitPolicy(largest_batch=64, xla="gpu")
    _on_vectors = False
    _noise: dequantization.PixelNoise | None = None

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        shape = _checks.event_shape(event_shape)
        if len(shape) != 3:
            msg = (
                f"`event_shape` must be (H, W, C) for a flow of images, got {shape}. "
                "Give grey images one channel: x[..., np.newaxis]."
            )
            raise ValueError(msg)
        super().__init__(shape, condition_shape, **given)
        self._dequantize = bool(self.options["dequantize"])
        self._noise_seed = self._next_seed()
        self._temperatures = temperature.Temperatures(self)

    def dequantize(
        self,
        images: TensorLike,
        seed: Seed = None,
        *,
        condition: Condition = None,
    ) -> tf.Tensor:
        """Add noise in [0, 1) to integer pixels.

        Args:
            images: Pixels, `[..., H, W, C]`.
            seed: Int or stateless seed `[2]`.
            condition: Conditions, `[..., *condition_shape]`: needed by a conditional
                flow whose noise is learned.

        Returns:
            Continuous pixels; those given, if the flow was built with
            `dequantize=False`.
        """
        return self.dequantize_and_log_prob(images, seed, condition=condition)[0]

    def dequantize_and_log_prob(
        self,
        images: TensorLike,
        seed: Seed = None,
        *,
        condition: Condition = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Add noise to integer pixels, and return the log-density of the noise.

        Without noise, the density of integers has no upper bound. With it, the mean
        over the noise of its log-density less `log_prob` bounds the negative
        log-likelihood of the integers from above.

        Args:
            images: Pixels, `[..., H, W, C]`.
            seed: Int or stateless seed `[2]`.
            condition: Conditions, `[..., *condition_shape]`: needed by a conditional
                flow whose noise is learned.

        Returns:
            Continuous pixels, and the log-density of the noise in nats, `[...]`: zeros
            for uniform noise, and where there is none.
        """
        x = tf.cast(tf.convert_to_tensor(images), self.variable_dtype)
        batch = tf.shape(x)[:-3]
        if not self._dequantize:
            return x, tf.zeros(batch, x.dtype)
        seed = _context.stateless_seed(seed)
        if self._noise is None:
            noise = tf.random.stateless_uniform(tf.shape(x), seed, dtype=x.dtype)
            return x + noise, tf.zeros(batch, x.dtype)
        rows = tf.reshape(x, [-1, *self._event_shape])
        inner = None
        if self._condition_shape is not None:
            owner = "noise that is learned"
            _checks.require_condition(condition, self._condition_shape, owner)
            inner = tf.cast(tf.convert_to_tensor(condition), x.dtype)
            inner = tf.broadcast_to(
                inner, tf.concat([batch, self._condition_shape], axis=0)
            )
            inner = tf.reshape(inner, [-1, *self._condition_shape])
        start = tf.random.stateless_normal(tf.shape(rows), seed, dtype=x.dtype)
        noise, log_prob = self._learned_noise(self._noise, rows, start, inner)
        return x + tf.reshape(noise, tf.shape(x)), tf.reshape(log_prob, batch)

    def _learned_noise(
        self,
        noise: dequantization.PixelNoise,
        rows: tf.Tensor,
        start: tf.Tensor,
        condition: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self._embedding is not None:
            condition = self._embedding(condition)
        return noise.noise_and_log_prob(rows, start, condition)

    def call(
        self,
        inputs: TensorLike | dict[str, TensorLike],
        training: bool | None = None,  # noqa: FBT001
    ) -> tf.Tensor:
        """Return `log_prob` as `Flow.call`; with `BASE_NOISE`, normal numbers, a bound.

        The bound is that of integers `x` by noise that is learned from such numbers.
        """
        learned = self._noise
        if learned is None or not (isinstance(inputs, dict) and BASE_NOISE in inputs):
            return super().call(inputs, training)
        inputs = dict(inputs)
        x = tf.cast(inputs["x"], self.variable_dtype)
        condition = inputs.get("condition")
        if condition is not None:
            condition = tf.cast(condition, self.variable_dtype)
        with _context.training_scope(bool(training)):
            start = inputs.pop(BASE_NOISE)
            noise, log_prob = self._learned_noise(learned, x, start, condition)
        return super().call({**inputs, "x": x + noise}, training) - log_prob

    def adapt(self, x: TensorLike, condition: Condition = None) -> None:
        """Set data-dependent layers such as `ActNorm` from the first 256 images.

        The scaling of the condition is set from all conditions.

        Args:
            x: Raw images, `[..., H, W, C]`.
            condition: Conditions, `[..., *condition_shape]`.
        """
        owner = f"this flow (`{type(self).__name__}`)"
        _checks.require_condition(condition, self._condition_shape, owner)
        images = np.asarray(_arrays.unmasked(x, "x"))
        shape = tf.TensorShape(images.shape)
        _checks.require_trailing(shape, self._event_shape, "x", owner)
        self.require_pixels(images)
        if not images.size:
            msg = f"`x` must hold at least one image, got shape {images.shape}."
            raise ValueError(msg)
        images = images.reshape(-1, *self._event_shape)[:ADAPT_IMAGES]
        inner = None
        if self._embedding is not None:
            self._embedding.adapt(condition)
            rows = np.asarray(condition, self.variable_dtype)
            shape = self._embedding.condition_shape or ()
            rows = rows.reshape(-1, *shape)[:ADAPT_IMAGES]
            inner = self._embedding(tf.constant(rows))
        y = tf.cast(images, self.variable_dtype)
        if self._dequantize:
            # Noise that is learned is uniform as well before the training.
            seed = [self._noise_seed, 0]
            y += tf.random.stateless_uniform(y.shape, seed, dtype=y.dtype)
        for current in reversed(self._maps):
            if hasattr(current, "adapt") and current.trainable_variables:
                current.adapt(y, inner)
            y, _ = bijector_base.inverse_and_log_det(current, y, inner, event_ndims=3)

    def require_pixels(self, images: TensorLike, argument: str = "x") -> None:
        """Raise unless images are pixels of the kind that the flow was built for.

        Args:
            images: Images, `[..., H, W, C]`.
            argument: What to call them in the message.

        Raises:
            TypeError: If they are no numbers.
            ValueError: If a pixel is NaN or out of range, or if pixels are scaled.
        """

    def bits_per_dim(
        self,
        images: TensorLike,
        condition: Condition = None,
        *,
        num_samples: int = 1,
        seed: Seed = 0,
        batch_size: int = 256,
    ) -> np.ndarray:
        """Return bits per dimension of raw images, the measure that papers report.

        It is `(log_q - log_prob(images + noise)) / (H * W * C * log(2))`, where `log_q`
        is the log-density of the noise, 0 where it is uniform: in the mean an upper
        bound of the bits that a lossless code of the integers needs.

        Args:
            images: Raw pixels, `[N, H, W, C]`.
            condition: Conditions, `[N, *condition_shape]`.
            num_samples: Number of draws of the noise; the logarithm of the mean density
                over several makes the bound tighter. Papers take 1.
            seed: Int or stateless seed `[2]` of the noise.
            batch_size: Number of images that are scored at once.

        Returns:
            Bits per dimension of each image, `[N]`.
        """
        _checks.count(num_samples, 1, "num_samples")
        images = np.asarray(images)
        owner = f"this flow (`{type(self).__name__}`)"
        _checks.require_trailing(
            tf.TensorShape(images.shape), self._event_shape, "images", owner
        )
        self.require_pixels(images, "images")
        first, second = _context.stateless_seed(seed).numpy().tolist()
        parts = []
        for start in range(0, len(images), batch_size):
            rows = slice(start, start + batch_size)
            given = None if condition is None else np.asarray(condition)[rows]
            draws = []
            for i in range(num_samples):
                words = _folded(first, second, start * num_samples + i)
                noisy, log_q = self.dequantize_and_log_prob(
                    images[rows], words, condition=given
                )
                draws.append((self.log_prob(noisy, given) - log_q).numpy())
            parts.append(np.logaddexp.reduce(draws, axis=0) - math.log(num_samples))
        nats = np.concatenate(parts) if parts else np.zeros([0])
        return -nats / (self.event_size * math.log(2.0))

    def sample(
        self,
        sample_shape: Shape | tuple[()] = (),
        condition: Condition = None,
        seed: Seed = None,
        *,
        temperature: float = 1.0,
        jit_compile: bool = False,
    ) -> tf.Tensor:
        """Return samples by a compiled function.

        Args:
            sample_shape: Shape of independent samples; an int or a tuple.
            condition: `[..., *condition_shape]`; one sample of `sample_shape` for each.
            seed: Int or stateless seed `[2]`.
            temperature: Factor of the deviation of the base density and of the learned
                priors; below 1, samples are closer to the mode.
            jit_compile: Whether to compile by XLA.

        Returns:
            Continuous pixels, `[*sample_shape, ..., H, W, C]`.
        """
        _checks.at_least(temperature, 0.0, "temperature")
        functions = self._compiled
        if temperature != 1.0:
            functions = self._temperatures.functions(float(temperature))
        return functions.sample(sample_shape, condition, seed, jit_compile=jit_compile)

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Train as `Flow.fit`; logs have `bits_per_dim` and `val_bits_per_dim`, too.

        Raises:
            ValueError: If arrays are no raw pixels.
        """
        held_out = kwargs.get("validation_data")
        for given, argument in ((x, "x"), (held_out, "validation_data")):
            images = given[0] if isinstance(given, (tuple, list)) else given
            images = images.get("x") if isinstance(images, dict) else images
            if isinstance(images, (np.ndarray, tf.Tensor)):
                self.require_pixels(images, argument)
        callbacks = kwargs.get("callbacks") or []
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = (
                [callbacks]
                if isinstance(callbacks, keras.callbacks.Callback)
                else list(callbacks)
            )
            kwargs["callbacks"] = [_BitsPerDim(self.event_size), *callbacks]
        return super().fit(x, y, *args, **kwargs)

    def _prepared(self, batch: Batch | None, step: tf.Tensor) -> Batch | None:
        """Add noise that depends on the seed and the step: one in validation."""
        if batch is None or batch.x is None:
            return batch
        seed = tf.stack([self._noise_seed, step])
        if self._noise is None:
            return dataclasses.replace(batch, x=self.dequantize(batch.x, seed))
        # The noise is made where its gradient is taken, in `call`.
        noise = tf.random.stateless_normal(
            tf.shape(batch.x), seed, dtype=self.variable_dtype
        )
        return dataclasses.replace(batch, extra={BASE_NOISE: noise})


class _BitsPerDim(keras.callbacks.Callback):
    """Adds losses in bits per dimension to the logs, for the callbacks after it."""

    def __init__(self, event_size: int) -> None:
        super().__init__()
        self._unit = event_size * math.log(2.0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        for prefix in ("", "val_"):
            if f"{prefix}loss" in logs:
                logs[f"{prefix}bits_per_dim"] = logs[f"{prefix}loss"] / self._unit


def _folded(first: int, second: int, number: int) -> list[int]:
    """Return a seed for one of many draws, as two 32-bit integers."""
    words = np.random.SeedSequence([first % 2**32, second % 2**32, number])
    return words.generate_state(2).view(np.int32).tolist()
