"""What models with latent variables share: a posterior with a flow, and bounds."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _process, flows
from tfp_flows.flows._model import keras_arguments, options
from tfp_flows.models import bounds
from tfp_flows.networks.keras_dense import dense_network

__all__ = ["LatentModel"]

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
# The log of a standard deviation of the posterior stays between minus and plus this.
LOG_SCALE_BOUND = 7.0
# Hidden layers of the networks that make the parameters of the posterior's flow of what
# the encoder, a network already, has made.
HIDDEN = (64,)
# What Keras would compare with targets, of which there are none.
MEANINGLESS = ("loss", "loss_weights", "metrics", "weighted_metrics")


class LatentModel(
    _process.Forkable, _context.Seeded, bounds.Bounds, keras.Model, abc.ABC
):
    """A model of `x` by a latent vector `z`: `p(x) = integral of p(x|z) p(z)`.

    The posterior `q(z|x)` is a diagonal Gaussian that an encoder makes, pushed through
    a flow whose parameters the encoder makes, too. As a Keras model its output is the
    evidence lower bound of each event in nats, of one draw, and its loss the mean of
    its negative; `compile` needs an optimizer only and `fit` the data only.

    Args:
        latent_size: Number of latent numbers `L`.
        posterior: `"gaussian"`, or the name of the flow after it: one that samples
            fast, such as `"planar"`, `"sylvester"`, `"iaf"` or `"nsf"`.
        posterior_options: Options of that flow.
        prior: `None` for a standard normal, the name of a flow whose density is fast,
            such as `"maf"` or `"nsf"`, or a flow of events `(L,)`.
        warmup_steps: Number of updates over which the weight of the divergence between
            posterior and prior rises to 1 in training.
        seed: Int that fixes initial weights and what training draws.
        **kwargs: Of a Keras model.
    """

    def __init__(
        self,
        latent_size: int,
        *,
        posterior: str = "gaussian",
        posterior_options: Mapping[str, Any] | None = None,
        prior: str | flows.Flow | None = None,
        warmup_steps: int = 0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _checks.count(latent_size, 1, "latent_size")
        _checks.one_of(posterior, ("gaussian", *flows.names()), "posterior")
        _checks.count(warmup_steps, 0, "warmup_steps")
        self.latent_size = int(latent_size)
        self.posterior, self.prior = posterior, prior
        self.posterior_options = dict(posterior_options or {})
        self.warmup_steps = int(warmup_steps)
        self.seed = seed
        self._rng = _context.generator(seed)
        self.seed_generator = keras.random.SeedGenerator(self._next_seed())
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def _make_latent(self, num_features: int) -> None:
        """Create posterior and prior.

        Args:
            num_features: How many numbers the encoder makes.
        """
        size = self.latent_size
        self.head = dense_network((), 2 * size, "linear", self._rng, self.dtype_policy)
        self.head.build((None, num_features))
        self.posterior_flow = None
        if self.posterior != "gaussian":
            self.posterior_flow = self._posterior_flow(num_features)
        elif self.posterior_options:
            msg = (
                "`posterior_options` must be left out with posterior='gaussian', got "
                f"{self.posterior_options}. Name a flow as `posterior`."
            )
            raise ValueError(msg)
        self.prior_flow = self._prior_flow()

    def _posterior_flow(self, num_features: int) -> flows.Flow:
        given = dict(self.posterior_options)
        known = options.types_of(flows.flow_class(self.posterior))
        defaults = {"inverted": True, "hidden_units": HIDDEN}
        given = {**{k: v for k, v in defaults.items() if k in known}, **given}
        given.setdefault("seed", self._next_seed())
        given.setdefault("dtype", self.variable_dtype)
        return flows.build(self.posterior, self.latent_size, num_features, **given)

    def _prior_flow(self) -> flows.Flow | None:
        """Return the flow of the prior, `None` for a standard normal.

        Raises:
            ValueError: If its events are no vectors of the latent size.
            TypeError: If it is neither a name nor a flow.
        """
        prior = self.prior
        if isinstance(prior, str):
            return flows.build(
                prior,
                self.latent_size,
                seed=self._next_seed(),
                dtype=self.variable_dtype,
            )
        if prior is None:
            return None
        if not isinstance(prior, flows.Flow):
            msg = (
                "`prior` must be None, the name of a flow or a flow, got "
                f"{type(prior).__name__}."
            )
            raise TypeError(msg)
        found = prior.event_shape, prior.condition_shape
        if found != ((self.latent_size,), None):
            msg = (
                f"`prior` must have events ({self.latent_size},) and no condition, got "
                f"event_shape={found[0]} and condition_shape={found[1]}."
            )
            raise ValueError(msg)
        return prior

    @abc.abstractmethod
    def _features(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Return what the encoder makes of events, `[N, C]`."""

    def _features_of(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Return what the encoder makes, in the type of densities."""
        features = self._features(x, training=training)
        return tf.cast(tf.convert_to_tensor(features), self.variable_dtype)

    @abc.abstractmethod
    def _log_likelihood(
        self, x: tf.Tensor, z: tf.Tensor, *, training: bool
    ) -> tf.Tensor:
        """Return `log p(x|z)`, `[N]`, for events `[N, ...]` and latents `[N, L]`."""

    @abc.abstractmethod
    def check(self, x: Any) -> None:
        """Raise unless an array holds events of this model.

        Args:
            x: Events, `[N, ...]`.

        Raises:
            ValueError: If it does not.
        """

    def _posterior_draw(
        self, features: tf.Tensor, seed: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return one draw of the posterior of each event, `[N, L]`, and its log q."""
        made = tf.cast(self.head(features), features.dtype)
        loc, log_scale = tf.split(made, 2, axis=-1)
        log_scale = LOG_SCALE_BOUND * tf.tanh(log_scale / LOG_SCALE_BOUND)
        if seed is None:
            seed = self.seed_generator.next()
        noise = tf.random.stateless_normal(tf.shape(loc), seed, dtype=loc.dtype)
        z = loc + tf.exp(log_scale) * noise
        log_q = -0.5 * tf.square(noise) - HALF_LOG_TWO_PI - log_scale
        log_q = tf.reduce_sum(log_q, axis=-1)
        if self.posterior_flow is not None:
            push = self.posterior_flow.bijector().forward_and_log_det
            z, log_det = push(z, condition=features)
            log_q -= log_det
        return z, log_q

    def _log_prior(self, z: tf.Tensor) -> tf.Tensor:
        if self.prior_flow is not None:
            return self.prior_flow.continuous_log_prob(z, None)
        return tf.reduce_sum(-0.5 * tf.square(z) - HALF_LOG_TWO_PI, axis=-1)

    def _terms(
        self, x: tf.Tensor, seed: Any = None, draws: int = 1, *, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return `log p(x|z)` and `log p(z) - log q(z|x)`, `[draws, N]` each."""
        with _context.training_scope(training):
            features = self._features_of(x, training=training)
            if draws > 1:
                x, features = (
                    tf.repeat(part[tf.newaxis], draws, axis=0) for part in (x, features)
                )
                x = tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], axis=0))
                features = tf.reshape(features, [-1, features.shape[-1]])
            z, log_q = self._posterior_draw(features, seed)
            ratio = self._log_prior(z) - log_q
            likelihood = self._log_likelihood(x, z, training=training)
        return tf.reshape(likelihood, [draws, -1]), tf.reshape(ratio, [draws, -1])

    def call(
        self,
        inputs: Any,
        training: bool | None = None,  # noqa: FBT001
    ) -> tf.Tensor:
        """Return the lower bound of each event, `[N]`, of one draw.

        Args:
            inputs: Events, `[N, ...]`.
            training: Whether the call is one of training: then the divergence has the
                weight of the warm-up.
        """
        x = tf.cast(tf.convert_to_tensor(inputs), self.variable_dtype)
        likelihood, ratio = self._terms(x, training=bool(training))
        return (likelihood + self._divergence_weight(training) * ratio)[0]

    def _divergence_weight(self, training: Any) -> Any:
        optimizer = getattr(self, "optimizer", None)
        if not training or not self.warmup_steps or optimizer is None:
            return 1.0
        step = tf.cast(tf.convert_to_tensor(optimizer.iterations), self.variable_dtype)
        return tf.minimum(1.0, (step + 1.0) / self.warmup_steps)

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        jit_compile: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        """Configure training as `keras.Model.compile` does, without a loss.

        Args:
            optimizer: Optimizer or its name.
            jit_compile: Whether to compile steps by XLA; `"auto"`: on a GPU only.
            **kwargs: As in Keras, but for losses and metrics.

        Raises:
            ValueError: If there is a loss or there are metrics.
        """
        for name in MEANINGLESS:
            if kwargs.get(name) is not None:
                msg = (
                    f"`{name}` must be left out, got {kwargs[name]!r}: the output is "
                    "the lower bound of each event, and its negative is the loss."
                )
                raise ValueError(msg)
        if jit_compile == "auto":
            jit_compile = _context.on_gpu()
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def compile_from_config(self, config: dict[str, Any] | None) -> None:
        """Compile as the saved model was.

        Args:
            config: What `get_compile_config` returned.
        """
        config = {k: v for k, v in (config or {}).items() if k not in MEANINGLESS}
        if config:
            self.compile(**keras.saving.deserialize_keras_object(config))
            if self.optimizer is not None:
                self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,  # noqa: FBT001, FBT002
    ) -> tf.Tensor:
        """Return the mean of negative bounds, in nats per event, and what layers add.

        Args:
            x: Events.
            y: Not used: there are no targets.
            y_pred: Bounds, `[N]`.
            sample_weight: Weights of events, `[N]`, or `None`.
            training: Not used.
        """
        del x, y, training
        bounds = tf.convert_to_tensor(y_pred)
        if sample_weight is not None:
            bounds *= tf.cast(tf.reshape(sample_weight, [-1]), bounds.dtype)
        loss = -tf.reduce_mean(bounds)
        for extra in self.losses:
            loss += tf.cast(extra, loss.dtype)
        return loss

    def _array(self, x: Any) -> np.ndarray:
        """Return events as an array.

        Raises:
            ValueError: If they are none of this model.
        """
        values = np.asarray(x)
        self.check(values)
        return values

    def _checked(self, x: Any) -> Any:
        """Return events as Keras takes them; datasets and generators as they are."""
        if isinstance(x, (list, tuple)) or hasattr(x, "__array__"):
            x = self._array(x)
            if not len(x):
                msg = f"`x` must hold at least one event, got shape {x.shape}."
                raise ValueError(msg)
            if x.dtype != self.variable_dtype:
                x = x.astype(self.variable_dtype)
        return x

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.fit` does; events alone are enough.

        Args:
            x: Events, `[N, ...]`, or a dataset of batches of them.
            *args: As in Keras.
            **kwargs: As in Keras.

        Raises:
            ValueError: If the model is not compiled, or the values are none of this
                model.
        """
        _process.require_own()
        keras_arguments.require_known("fit", kwargs)
        keras_arguments.require_options(kwargs)
        keras_arguments.require_compiled(self, "fit")
        held = kwargs.get("validation_data")
        if isinstance(held, tuple) and held:
            kwargs["validation_data"] = (self._checked(held[0]), *held[1:])
        elif isinstance(held, list) or hasattr(held, "__array__"):
            kwargs["validation_data"] = (self._checked(held),)
        return super().fit(self._checked(x), *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same model anew."""
        prior = self.prior
        if isinstance(prior, flows.Flow):
            prior = keras.saving.serialize_keras_object(prior)
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "latent_size": self.latent_size,
            "posterior": self.posterior,
            "posterior_options": self.posterior_options,
            "prior": prior,
            "warmup_steps": self.warmup_steps,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Build a model from what `get_config` returned.

        Args:
            config: The configuration.
            custom_objects: Classes by name.
        """
        config = dict(config)
        for key, value in config.items():
            if isinstance(value, dict) and "class_name" in value:
                config[key] = keras.saving.deserialize_keras_object(
                    value, custom_objects
                )
        return cls(**config)
