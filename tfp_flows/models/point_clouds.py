"""A distribution of shapes, and of the points on each: clouds of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _serialize, flows
from tfp_flows.models import bounds, latent
from tfp_flows.networks import embeddings

__all__ = ["PointFlow"]


@_serialize.register()
class PointFlow(latent.LatentModel):
    """Clouds of points: a latent shape, and points that are independent given it.

    An encoder that does not see the order of points makes a posterior of the shape `z`;
    a flow on points with `z` as condition is the density of points on it, and a flow on
    `z` the distribution of shapes. A cloud may be sampled with any number of points. As
    a Keras model its output is the evidence lower bound of each cloud in nats, of one
    draw, and its loss the mean of its negative: `adapt` first, then `compile` with an
    optimizer and `fit`.

    Args:
        num_dims: Number of coordinates `D` of a point, such as 3.
        latent_size: Number of latent numbers `L` of a shape.
        flow: Name of the flow of points: `"nsf"` or `"realnvp"` couple coordinates,
            both directions fast, from 2 coordinates on; `"cnf"` is a continuous flow,
            tens of times slower; see `flows.names()`.
        flow_options: Options of that flow, such as `{"num_layers": 4}`.
        prior: The name of the flow of shapes, a flow of events `(L,)`, or `None` for
            a standard normal.
        posterior: `"gaussian"`, or the name of a flow after it that samples fast.
        posterior_options: Options of that flow.
        hidden_units: Widths of the encoder's networks, over points and over shapes.
        warmup_steps: Number of updates over which the weight of the divergence between
            posterior and prior rises to 1 in training.
        seed: Int that fixes initial weights and what training draws.
        **kwargs: Of a Keras model.

    Raises:
        ValueError: If a name is unknown, or a number out of its range.

    Shapes:
        Clouds `[N, points, D]`, bounds `[N]`, shapes `[N, L]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.point_clouds("rings", 20, points=30)
        >>> model = tfpf.models.PointFlow(2, 4, flow_options={"num_layers": 2}, seed=0)
        >>> model.adapt(x)
        >>> model.compile("adam")
        >>> history = model.fit(x, epochs=1, verbose=0)
        >>> model.sample(3, points=100, seed=1).shape.as_list()
        [3, 100, 2]

    References:
        Yang et al. (2019). PointFlow: 3D Point Cloud Generation with Continuous
        Normalizing Flows. https://arxiv.org/abs/1906.12320
    """

    def __init__(
        self,
        num_dims: int,
        latent_size: int = 16,
        *,
        flow: str = "nsf",
        flow_options: Mapping[str, Any] | None = None,
        prior: str | flows.Flow | None = "realnvp",
        posterior: str = "gaussian",
        posterior_options: Mapping[str, Any] | None = None,
        hidden_units: Sequence[int] = (128, 128),
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
        _checks.count(num_dims, 1, "num_dims")
        _checks.one_of(flow, flows.names(), "flow")
        self.num_dims, self.flow = int(num_dims), flow
        self.flow_options = dict(flow_options or {})
        self.hidden_units = _checks.hidden_units(hidden_units)
        self.encoder = embeddings.SetEmbedding(
            self.hidden_units[-1],
            self.hidden_units,
            seed=self._next_seed(),
            pooling="both",
            dtype=self.dtype_policy,
        )
        self.encoder.build((None, None, self.num_dims))
        self._make_latent(self.hidden_units[-1])
        given = {"seed": self._next_seed(), "dtype": self.variable_dtype}
        given |= self.flow_options
        self.point_flow = flows.build(flow, self.num_dims, self.latent_size, **given)
        self.loc = self._statistic((self.num_dims,), "zeros", "loc")
        self.scale = self._statistic((), "ones", "scale")
        self.built = True

    def _statistic(self, shape: tuple[int, ...], value: str, name: str) -> Any:
        return self.add_weight(
            shape=shape,
            initializer=value,
            trainable=False,
            autocast=False,
            name=name,
        )

    def adapt(self, x: Any) -> None:
        """Set middle and scale, which is one for all coordinates, from clouds.

        Args:
            x: Clouds, `[N, points, D]`.

        Raises:
            ValueError: If all points are equal.
        """
        values = self._array(x)
        points = values.reshape(-1, self.num_dims).astype(np.float64)
        scale = points.std(axis=0).max() if len(points) else 0.0
        if not scale > 0.0:
            msg = "`x` must have points that differ, got none. Pass more clouds."
            raise ValueError(msg)
        self.loc.assign(points.mean(axis=0))
        self.scale.assign(scale)

    def _array(self, x: Any) -> np.ndarray:
        """Return clouds as an array.

        Raises:
            ValueError: If they are none of this model.
        """
        if isinstance(x, (list, tuple)):
            counts = sorted({len(cloud) for cloud in x})
            if len(counts) > 1:
                msg = (
                    f"`x` must have clouds of equally many points, got {counts[0]} to "
                    f"{counts[-1]}. Draw {counts[0]} points of each, or fit a dataset "
                    "of batches that are equal within."
                )
                raise ValueError(msg)
        values = np.asarray(x)
        self.check(values)
        return values

    def check(self, x: Any) -> None:
        """Raise unless an array holds clouds of this model.

        Args:
            x: Clouds, `[N, points, D]`.

        Raises:
            ValueError: If shapes do not fit, if there are no points, or if values are
                not finite.
        """
        values = np.asarray(x)
        if values.ndim != 3 or values.shape[-1] != self.num_dims:
            msg = (
                f"`x` must have shape (N, points, {self.num_dims}), got "
                f"{values.shape}. Stack clouds of equally many points."
            )
            raise ValueError(msg)
        if values.shape[1] == 0:
            msg = "`x` must have points in each cloud, got 0. Leave empty clouds out."
            raise ValueError(msg)
        if not np.all(np.isfinite(values)):
            cloud = np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))[0]
            msg = (
                f"`x` must be finite, got NaN or infinity in cloud {cloud}. Leave such "
                "points out."
            )
            raise ValueError(msg)

    def _standard(self, x: tf.Tensor) -> tf.Tensor:
        return (x - self.loc.value) / self.scale.value

    def _features(self, x: tf.Tensor, *, training: bool) -> tf.Tensor:
        return self.encoder(self._standard(x), training=training)

    def _log_likelihood(
        self, x: tf.Tensor, z: tf.Tensor, *, training: bool
    ) -> tf.Tensor:
        del training  # the flow reads it from its surroundings
        shape = z[:, tf.newaxis, :]
        log_probs = self.point_flow.continuous_log_prob(self._standard(x), shape)
        unit = float(self.num_dims) * tf.math.log(self.scale.value)
        return tf.reduce_sum(log_probs - unit, axis=-1)

    def _events_at_once(self, x: np.ndarray) -> int:
        return max(1, bounds.AT_ONCE * 4 // x.shape[1])

    def sample(
        self, count: int, *, points: int = 1_024, seed: int | None = None
    ) -> tf.Tensor:
        """Return new clouds, `[count, points, D]`.

        Args:
            count: Number of clouds.
            points: Number of points of each.
            seed: Int that fixes the draws.
        """
        rng = _context.generator(seed)
        z = self.sample_latent(count, seed=int(rng.integers(2**31 - 1)))
        return self.decode(z, points=points, seed=int(rng.integers(2**31 - 1)))

    def decode(
        self, z: Any, *, points: int = 1_024, seed: int | None = None
    ) -> tf.Tensor:
        """Return clouds of given shapes, `[N, points, D]`.

        Args:
            z: Shapes, `[N, L]`.
            points: Number of points of each.
            seed: Int that fixes the draws.
        """
        _checks.count(points, 1, "points")
        z = tf.convert_to_tensor(z, self.variable_dtype)
        _checks.require_trailing(z.shape, (self.latent_size,), "z", "this model")
        drawn = _context.generator(seed).integers(2**31 - 1, size=2)
        run = self._run("points", lambda: self._points)
        return run(z, tf.constant(points), tf.constant(drawn, tf.int32))

    def _points(self, z: tf.Tensor, points: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        base = self.point_flow.base.distribution()
        noise = base.sample([tf.shape(z)[0], points], seed=seed)
        push = self.point_flow.bijector().forward
        x = push(noise, condition=z[:, tf.newaxis, :])
        x.set_shape([z.shape[0], None, self.num_dims])
        return self.loc.value + self.scale.value * x

    def reconstruct(
        self, x: Any, *, points: int | None = None, seed: int | None = None
    ) -> tf.Tensor:
        """Return clouds of the shapes that posteriors of others give.

        Args:
            x: Clouds, `[N, points, D]`.
            points: Number of points of each, by default as many.
            seed: Int that fixes the draws.
        """
        values = self._array(x)
        count = values.shape[1] if points is None else points
        z = self.encode(values, seed=seed)
        return self.decode(z, points=count, seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same model anew."""
        return {
            **super().get_config(),
            "num_dims": self.num_dims,
            "flow": self.flow,
            "flow_options": self.flow_options,
            "hidden_units": list(self.hidden_units),
        }
