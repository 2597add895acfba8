"""Variational autoencoders whose posterior and prior have flows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _serialize, flows
from tfp_flows._types import Shape
from tfp_flows.models import latent, likelihoods
from tfp_flows.networks.keras_dense import dense_network

__all__ = ["FlowVAE"]


@_serialize.register()
class FlowVAE(latent.LatentModel):
    """A variational autoencoder with flows for posterior and prior.

    An encoder makes a diagonal Gaussian of each event, and the parameters of a flow
    after it; a decoder makes a distribution of values of each latent vector. As a Keras
    model its output is the evidence lower bound of each event in nats, of one draw, and
    its loss the mean of its negative: `compile` needs an optimizer only.

    Args:
        event_shape: Shape of an event, such as `(28, 28, 1)` or 64.
        latent_size: Number of latent numbers `L`.
        likelihood: Distribution of each value given the latent vector: `"bernoulli"`
            for 0 and 1; `"gaussian"` for numbers of a scale near 1, with a standard
            deviation each; `"logistic"` (cells of a logistic) or `"categorical"` for
            whole numbers from 0 on.
        num_levels: Number of levels of whole numbers.
        posterior: `"gaussian"`, or the name of the flow after it: one that samples
            fast, such as `"planar"`, `"sylvester"`, `"householder"`, `"iaf"` or
            `"nsf"`. See `flows.names()`.
        posterior_options: Options of that flow, such as `{"num_layers": 4}`.
        prior: `None` for a standard normal, the name of a flow whose density is fast,
            such as `"maf"` or `"nsf"`, or a flow of events `(L,)`.
        encoder: Network of Keras from events, scaled to between -1 and 1 unless
            Gaussian, to `[N, C]`; by default dense.
        decoder: Network of Keras from `[N, L]` to as many numbers as the likelihood
            needs for each value: 1, of `"gaussian"` and `"logistic"` 2, of
            `"categorical"` `num_levels`; by default dense.
        hidden_units: Widths of the default networks, in reverse for the decoder.
        activation: Of the default networks.
        warmup_steps: Number of updates over which the weight of the divergence between
            posterior and prior rises to 1 in training.
        seed: Int that fixes initial weights and what training draws.
        **kwargs: Of a Keras model.

    Raises:
        ValueError: If a name is unknown, or networks do not fit.

    Shapes:
        Events `[N, *event_shape]`, bounds `[N]`, latent vectors `[N, L]`.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import models
        >>> x = np.random.default_rng(0).integers(0, 2, size=(50, 16))
        >>> vae = models.FlowVAE(16, 2, posterior="planar", seed=0)
        >>> vae.compile("adam")
        >>> history = vae.fit(x, epochs=1, verbose=0)
        >>> vae.log_prob_bound(x, draws=10, seed=1).shape
        (50,)
        >>> vae.sample(3, seed=1).shape.as_list()
        [3, 16]

    References:
        Kingma, Welling (2014). Auto-Encoding Variational Bayes.
        https://arxiv.org/abs/1312.6114

        Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
        https://arxiv.org/abs/1505.05770

        Kingma et al. (2016). Improving Variational Inference with Inverse
        Autoregressive Flow. https://arxiv.org/abs/1606.04934

        van den Berg et al. (2018). Sylvester Normalizing Flows for Variational
        Inference. https://arxiv.org/abs/1803.05649
    """

    def __init__(
        self,
        event_shape: Shape,
        latent_size: int,
        *,
        likelihood: str = "bernoulli",
        num_levels: int = 256,
        posterior: str = "gaussian",
        posterior_options: Mapping[str, Any] | None = None,
        prior: str | flows.Flow | None = None,
        encoder: keras.Layer | None = None,
        decoder: keras.Layer | None = None,
        hidden_units: Sequence[int] = (256, 128),
        activation: str = "relu",
        warmup_steps: int = 0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            latent_size,
            posterior=posterior,
            posterior_options=posterior_options,
            prior=prior,
            warmup_steps=warmup_steps,
            seed=seed,
            **kwargs,
        )
        self.event_shape = _checks.static_shape(event_shape, "event_shape")
        self.likelihood, self.num_levels = likelihood, num_levels
        self.hidden_units = _checks.hidden_units(hidden_units, least=0)
        self.activation = activation
        self._values = likelihoods.likelihood(likelihood, num_levels)
        self._given = {"encoder": encoder, "decoder": decoder}
        numbers = self._values.numbers * math.prod(self.event_shape)
        self.encoder = encoder or dense_network(
            self.hidden_units, None, activation, self._rng, self.dtype_policy
        )
        self.decoder = decoder or dense_network(
            self.hidden_units[::-1], numbers, activation, self._rng, self.dtype_policy
        )
        features = self.encoder(tf.zeros([1, *self.event_shape], self.variable_dtype))
        if len(features.shape) != 2:
            msg = (
                "`encoder` must return vectors [N, C], got shape "
                f"{tuple(features.shape)} for one event. End it with Flatten()."
            )
            raise ValueError(msg)
        self._make_latent(int(features.shape[-1]))
        made = self.decoder(tf.zeros([1, self.latent_size], self.variable_dtype))
        if math.prod(made.shape) != numbers:
            msg = (
                f"`decoder` must return {numbers} numbers for each latent vector, "
                f"{self._values.numbers} for each value of an event "
                f"{self.event_shape}, got shape {tuple(made.shape[1:])}."
            )
            raise ValueError(msg)
        self.built = True

    def check(self, x: Any) -> None:
        """Raise unless an array holds events of this model.

        Args:
            x: Events, `[N, *event_shape]`.

        Raises:
            ValueError: If shape or values are others, or not finite.
        """
        values = np.asarray(x)
        if values.shape[1:] != self.event_shape or values.ndim == 0:
            msg = (
                f"`x` must have shape (N, {', '.join(map(str, self.event_shape))}), "
                f"got {values.shape}. Reshape it, or build with another event_shape."
            )
            raise ValueError(msg)
        if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
            msg = "`x` must be finite, got NaN or infinity. Leave such events out."
            raise ValueError(msg)
        self._values.check(values)

    def _features(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        return self.encoder(self._values.scaled(x), training=training)

    def _numbers(self, z: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Return what the decoder makes, `[N, *event_shape, P]`."""
        made = tf.cast(self.decoder(z, training=training), self.variable_dtype)
        return tf.reshape(made, [-1, *self.event_shape, self._values.numbers])

    def _log_likelihood(
        self, x: tf.Tensor, z: tf.Tensor, *, training: bool
    ) -> tf.Tensor:
        density = self._values.distribution(self._numbers(z, training=training))
        return likelihoods.event_log_prob(density, x)

    def sample(
        self, count: int, *, mean: bool = False, seed: int | None = None
    ) -> tf.Tensor:
        """Return new events, `[count, *event_shape]`.

        Args:
            count: Number of events.
            mean: Whether to return means given the latent vectors, in place of draws.
            seed: Int that fixes the draws.
        """
        rng = _context.generator(seed)
        z = self.sample_latent(count, seed=int(rng.integers(2**31 - 1)))
        if mean:
            return self._run("mean", lambda: self._means)(z)
        return self._run("draw", lambda: self._drawn)(
            z, tf.constant(rng.integers(2**31 - 1, size=2), tf.int32)
        )

    def decode(self, z: Any) -> tf.Tensor:
        """Return means of events given latent vectors, `[N, *event_shape]`.

        Args:
            z: Latent vectors, `[N, L]`.
        """
        z = tf.convert_to_tensor(z, self.variable_dtype)
        _checks.require_trailing(z.shape, (self.latent_size,), "z", "this model")
        return self._run("mean", lambda: self._means)(z)

    def reconstruct(self, x: Any, *, seed: int | None = None) -> tf.Tensor:
        """Return means of events given draws of the posteriors of others.

        Args:
            x: Events, `[N, *event_shape]`.
            seed: Int that fixes the draws.
        """
        return self.decode(self.encode(x, seed=seed))

    def _means(self, z: tf.Tensor) -> tf.Tensor:
        return self._values.mean(self._numbers(z, training=False))

    def _drawn(self, z: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        density = self._values.distribution(self._numbers(z, training=False))
        return density.sample(seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same model anew."""
        networks = {
            name: None if net is None else keras.saving.serialize_keras_object(net)
            for name, net in self._given.items()
        }
        return {
            **super().get_config(),
            **networks,
            "event_shape": list(self.event_shape),
            "likelihood": self.likelihood,
            "num_levels": self.num_levels,
            "hidden_units": list(self.hidden_units),
            "activation": self.activation,
        }
