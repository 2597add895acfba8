"""Where variational inference starts: a normal distribution near the target."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _graphs
from tfp_flows.inference.targets import Target

__all__ = ["STARTS", "Start", "choose"]

STARTS = ("auto", "laplace", "mean-field", "none")
# Points from which a mode is sought: 0, and normal numbers.
MODE_STARTS = 8
MODE_ITERATIONS = 500
# Damped Newton steps after it, and how often each is halved.
NEWTON_STEPS, HALVINGS = 20, 20
# Nats below which a step is not worth another one; the smallest curvature.
SMALLEST_GAIN, TINY = 1e-4, 1e-300
# Draws by which starts are compared.
COMPARED = 1_000
# Nats of a lower bound for which no other start is tried.
SLACK = 0.05
# What is called a mode has a precision of at least this share of the largest one.
FLATTEST = 1e-10
# Of the mean-field fit.
STEPS, SAMPLES, RATE = 1_000, 32, 0.03


class Start(NamedTuple):
    """A normal distribution over vectors.

    Attributes:
        kind: How it was found.
        shift: Mean, `[D]`.
        scale: Cholesky factor of the covariance, `[D, D]`.
        elbo: Lower bound of the log-evidence, `-inf` if it is of no use.
        slack: By how much the log-evidence that its draws tell is above this, in nats.
    """

    kind: str
    shift: np.ndarray
    scale: np.ndarray
    elbo: float
    slack: float = math.inf

    def bijector(self, dtype: Any) -> tfb.Bijector:
        """Return the map from standard normal numbers."""
        scale = tf.linalg.LinearOperatorLowerTriangular(tf.constant(self.scale, dtype))
        return tfb.Chain(
            [
                tfb.Shift(tf.constant(self.shift, dtype)),
                tfb.ScaleMatvecLinearOperator(scale),
            ]
        )


def choose(target: Target, kind: str, seed: int) -> Start:
    """Return a start of a kind; by `"auto"` the one of the highest lower bound.

    A Laplace approximation costs little and has all correlations, but not every target
    has a mode, or one whose curvature tells how wide it is. Unless its bound is as high
    as any can be, a mean-field fit is tried beside it.

    Args:
        target: The target.
        kind: One of `STARTS`.
        seed: Int that fixes starting points and draws.
    """
    size = target.size
    found = [_scored(target, "none", np.zeros(size), np.eye(size), seed)]
    if kind in ("auto", "laplace"):
        found.append(_laplace(target, seed))
    if kind == "mean-field" or (kind == "auto" and found[-1].slack > SLACK):
        found.append(_mean_field(target, seed))
    return found[-1] if kind != "auto" else max(found, key=lambda start: start.elbo)


def _scored(
    target: Target, kind: str, shift: np.ndarray, scale: np.ndarray, seed: int
) -> Start:
    """Return a start with its lower bound of the log-evidence."""
    start = Start(kind, shift, scale, -math.inf)
    normal = tfd.Sample(tfd.Normal(tf.zeros([], target.dtype), 1.0), target.size)
    density = tfd.TransformedDistribution(normal, start.bijector(target.dtype))
    x, log_q = density.experimental_sample_and_log_prob(COMPARED, seed=[seed, 1])
    gaps = np.asarray(target.flat_log_prob(x) - log_q, np.float64)
    if not np.all(np.isfinite(gaps)):
        return start
    elbo = float(gaps.mean())
    slack = float(np.logaddexp.reduce(gaps)) - math.log(len(gaps)) - elbo
    return start._replace(elbo=elbo, slack=slack)


class _Surface:
    """The negative log-density of a target with its derivatives, traced once.

    Args:
        target: The target.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        signature = [tf.TensorSpec([None, target.size], target.dtype)]
        self.value_and_gradient = _graphs.for_each_shape(
            self._value_and_gradient, input_signature=signature
        )
        self._curve = _graphs.for_each_shape(
            self._curvatures, input_signature=signature
        )

    def _value_and_gradient(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tfp.math.value_and_gradient(lambda x: -self._target.flat_log_prob(x), z)

    def _curvatures(self, rows: tf.Tensor) -> tf.Tensor:
        """Return row `d` of the second derivatives at row `d` of copies of a vector."""
        identity = tf.eye(self._target.size, dtype=rows.dtype)

        def picked(x: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(self._value_and_gradient(x)[1] * identity)

        return tfp.math.value_and_gradient(picked, rows)[1]

    def at(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values and gradients at vectors, `[N]` and `[N, D]`."""
        found = self.value_and_gradient(tf.constant(z, self._target.dtype))
        return np.asarray(found[0], np.float64), np.asarray(found[1], np.float64)

    def curvature(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues and vectors of the second derivatives at a vector."""
        rows = tf.constant(np.tile(z, (len(z), 1)), self._target.dtype)
        found = np.asarray(self._curve(rows), np.float64)
        if not np.all(np.isfinite(found)):
            return np.full(len(z), math.nan), np.eye(len(z))
        return np.linalg.eigh(0.5 * (found + found.T))


def _laplace(target: Target, seed: int) -> Start:
    """Return the normal distribution of the mode and of the curvature there."""
    size = target.size
    useless = Start("laplace", np.zeros(size), np.eye(size), -math.inf)
    surface = _Surface(target)
    mode = _mode(surface, size, target.dtype, seed)
    if mode is None:
        return useless
    values, vectors = surface.curvature(mode)
    if not values[0] > FLATTEST * values[-1]:
        return useless
    covariance = (vectors / values) @ vectors.T
    return _scored(target, "laplace", mode, np.linalg.cholesky(covariance), seed)


def _mode(surface: _Surface, size: int, dtype: Any, seed: int) -> np.ndarray | None:
    """Return the highest of the modes found from several points, or `None`."""
    points = tf.random.stateless_normal([MODE_STARTS, size], [seed, 2], dtype=dtype)
    points *= tf.constant([[0.0]] + [[1.0]] * (MODE_STARTS - 1), dtype)
    found = tfp.optimizer.lbfgs_minimize(
        surface.value_and_gradient, points, max_iterations=MODE_ITERATIONS
    )
    depths = np.asarray(found.objective_value, np.float64)
    places = np.asarray(found.position, np.float64)
    usable = np.isfinite(depths) & np.all(np.isfinite(places), axis=-1)
    if not usable.any():
        return None
    return _polished(surface, places[np.argmin(np.where(usable, depths, math.inf))])


def _polished(surface: _Surface, z: np.ndarray) -> np.ndarray:
    """Take damped Newton steps downhill, which end where none goes lower."""
    for _ in range(NEWTON_STEPS):
        value, slope = (v[0] for v in surface.at(z[None]))
        values, vectors = surface.curvature(z)
        if np.isnan(values).any():
            return z
        values = np.abs(values)
        values = np.maximum(values, FLATTEST * max(values.max(), TINY))
        step = vectors @ ((vectors.T @ slope) / values)
        tried = z - 0.5 ** np.arange(HALVINGS)[:, None] * step
        depths = np.nan_to_num(surface.at(tried)[0], nan=math.inf)
        best = int(np.argmin(depths))
        if not depths[best] < value - SMALLEST_GAIN:
            return z
        z = tried[best]
    return z


def _mean_field(target: Target, seed: int) -> Start:
    """Return the best normal distribution of independent coordinates."""
    import tf_keras

    loc = tf.Variable(tf.zeros(target.size, target.dtype))
    log_scale = tf.Variable(tf.fill([target.size], tf.constant(-1.0, target.dtype)))
    scale = tfp.util.DeferredTensor(log_scale, tf.exp)
    tfp.vi.fit_surrogate_posterior(
        target.flat_log_prob,
        tfd.Independent(tfd.Normal(loc, scale), 1),
        optimizer=tf_keras.optimizers.Adam(RATE),
        num_steps=STEPS,
        sample_size=SAMPLES,
        seed=[seed, 3],
    )
    shift, spread = (np.asarray(v, np.float64) for v in (loc, tf.exp(log_scale)))
    if not (np.all(np.isfinite(shift)) and np.all(np.isfinite(spread))):
        shift, spread = np.zeros(target.size), np.ones(target.size)
    return _scored(target, "mean-field", shift, np.diag(spread), seed)
