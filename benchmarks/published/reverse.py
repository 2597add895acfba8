"""Flows trained by reverse KL on densities that can be evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from published.entries import Figure, entry, minimise
from tfp_flows import bijectors as maps
from tfp_flows import flows
from tfp_flows.testing import perturb

SIZE = 5


def target() -> tuple[tfd.Distribution, np.ndarray]:
    """Return the 5-D Gaussian of eigenvalues .1 to 10 in random axes."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    covariance = axes @ np.diag(np.logspace(-1, 1, SIZE)) @ axes.T
    factor = np.linalg.cholesky(covariance).astype(np.float32)
    return tfd.MultivariateNormalTriL(tf.zeros(SIZE), factor), covariance


def divergence(
    distribution: Callable[[], tfd.Distribution], to: tfd.Distribution, count: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the estimate of the reverse KL as a function of a seed."""

    def loss(seed: tf.Tensor) -> tf.Tensor:
        x, log_q = distribution().experimental_sample_and_log_prob(count, seed=seed)
        return tf.reduce_mean(log_q - to.log_prob(x))

    return loss


def exact(matrix: np.ndarray, covariance: np.ndarray) -> float:
    """Return the KL of a Gaussian `matrix z` of normal z from that of a covariance."""
    ours = matrix @ matrix.T
    inside = np.trace(np.linalg.solve(covariance, ours)) - SIZE
    return float(
        0.5 * (inside - np.linalg.slogdet(np.linalg.solve(covariance, ours))[1])
    )


def images(bijector: maps.Bijector) -> np.ndarray:
    """Return the matrix of an affine map."""
    corners = np.concatenate([np.zeros([1, SIZE]), np.eye(SIZE)]).astype(np.float32)
    found = bijector.forward(tf.constant(corners)).numpy().astype(np.float64)
    return (found[1:] - found[0]).T


@entry("householder-flow", "G15", "Tomczak & Welling 2016")
def householder(quick: bool) -> Iterator[Figure]:
    """A diagonal base and reflections, of which four reach any rotation in 5-D."""
    to, covariance = target()
    steps = 3 if quick else 4_000
    for count, bar, at_least in ((0, 0.3, True), (4, 0.01, False)):
        scale = maps.ActNorm.trainable(SIZE)
        parts: list[maps.Bijector] = [scale]
        if count:
            parts.insert(0, maps.HouseholderProduct.trainable(SIZE, count, seed=0))
            perturb(parts[0], 0.3)
        chain = maps.Chain(parts)
        base = tfd.MultivariateNormalDiag(tf.zeros(SIZE), tf.ones(SIZE))
        density = tfd.TransformedDistribution(base, chain)
        loss = divergence(lambda density=density: density, to, 64 if quick else 512)
        minimise(loss, chain.trainable_variables, steps)
        found = exact(images(chain), covariance)
        what = f"{count} reflections: KL from the target, exact"
        yield Figure(
            what, found, bar, at_least=at_least, reference="0" if count else ""
        )
    x = tf.random.stateless_normal([100, SIZE], [0, 1])
    log_det = parts[0].forward_log_det_jacobian(x, event_ndims=1)
    worst = float(np.abs(log_det).max())
    yield Figure("largest log-det of reflections", worst, 0.0, reference="0")


@entry("inverse-autoregressive-step", "G16", "Kingma et al. 2016, a linear step")
def linear_step(quick: bool) -> Iterator[Figure]:
    """One autoregressive step without hidden layers is a full covariance."""
    to, covariance = target()
    steps = 3 if quick else 4_000
    chain = maps.Chain([maps.TriangularAffine.trainable(SIZE)])
    base = tfd.MultivariateNormalDiag(tf.zeros(SIZE), tf.ones(SIZE))
    density = tfd.TransformedDistribution(base, chain)
    loss = divergence(lambda: density, to, 64 if quick else 512)
    minimise(loss, chain.trainable_variables, steps)
    found = exact(images(chain), covariance)
    yield Figure("linear step: KL from the target, exact", found, 0.01, reference="0")
    flow = flows.build("iaf", SIZE, num_layers=1, hidden_units=(16,), seed=0)
    loss = divergence(flow.distribution, to, 64 if quick else 512)
    minimise(loss, [v.value for v in flow.trainable_variables], 2 * steps, 5e-3)
    x, log_q = flow.distribution().experimental_sample_and_log_prob(
        1_000 if quick else 100_000, seed=[0, 1]
    )
    kl = float(tf.reduce_mean(log_q - to.log_prob(x)))
    yield Figure("iaf, one layer: KL from the target", kl, 0.01, reference="0")
