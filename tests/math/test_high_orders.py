"""Gradients written down have right derivatives of orders 1 to 5."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows import testing
from tfp_flows.bijectors._core import checkpoint, scan
from tfp_flows.math import (
    adjoint,
    bends,
    implicit,
    indexing,
    lines,
    mixtures,
    monotone_network,
    normal,
    quadrature,
)
from tfp_flows.math.gaussianization import rosenblatt_inverse
from tfp_flows.math.linear import low_rank, products
from tfp_flows.math.splines import tails
from tfp_flows.testing import high_orders

ORDERS = (1, 2, 3, 4, 5)
RNG = np.random.default_rng(0)
NETWORK = monotone_network.integral(8, -3.0, 3.0)


def numbers(*shape, scale=1.0):
    return tf.constant(scale * RNG.normal(size=shape))


def curve(t, *shape, scale=0.5, seed=0):
    """Return numbers that bend with the times, `[*shape, N]`."""
    start, along = (np.random.default_rng([seed, i]).normal(size=shape) for i in (0, 1))
    bent = tf.sin(along[..., np.newaxis] * t + start[..., np.newaxis])
    return scale * bent


def events(t, *shape, **options):
    """Return numbers that bend with the times, `[N, *shape]`."""
    return tf.transpose(curve(t, *shape, **options), [len(shape), *range(len(shape))])


def logistics(t):
    weights = tf.nn.log_softmax(curve(t, 3, seed=1), axis=0)
    return weights, curve(t, 3, seed=2), curve(t, 3, scale=0.3, seed=3)


def of_mixture(t):
    value, log_slope = mixtures.logit_cdf_inverse(curve(t, seed=4), *logistics(t))
    return value + log_slope


def of_bends(t):
    strict = products.with_diagonal(
        tf.linalg.band_part(events(t, 2, 2, seed=1), 0, -1), tf.zeros([2], t.dtype)
    )
    p = events(t, 2, seed=2)
    found = bends.unbend_triangular(events(t, 2, seed=3), strict, p, 1.0 + p)
    return tf.reduce_sum(found * [1.0, -0.7], axis=-1)


def of_network(t):
    params = curve(t, 8, seed=5)
    value, log_slope = lines.forward(NETWORK, curve(t, seed=6), [params], -3.0, 3.0)
    return value + log_slope


def of_network_inverse(t):
    params = curve(t, 5, seed=5)
    value, _ = lines.inverse(NETWORK, curve(t, seed=6), [params], -3.0, 3.0)
    return value


def moved(part, seed=0):
    """Return a map or a network whose weights are not those of the start."""
    rng = np.random.default_rng(seed)
    for variable in part.trainable_variables:
        variable.assign_add(0.3 * rng.normal(size=variable.shape))
    return part


def residual():
    net = tfpf.networks.LipschitzMLP(
        2, (3,), condition_shape=1, dtype="float64", seed=0
    )
    return tfpf.bijectors.ResidualBlock(moved(net))


def of_residual(t, block=None):
    block = residual() if block is None else block
    y, condition = events(t, 2, seed=7), events(t, 1, seed=8)
    found = block.inverse(y, condition=condition)
    return tf.reduce_sum(found * [1.0, -0.7], axis=-1)


def of_autoregression(t):
    net = moved(tfpf.networks.MADE(2, 2, (4,), dtype="float64", seed=0))
    affine = tfpf.bijectors.Affine()
    flow = tfpf.bijectors.MaskedAutoregressive(affine, net)
    z = events(t, 2, seed=9)
    log_det = flow.forward_log_det_jacobian(tf.identity(z), event_ndims=1)
    return log_det + tf.reduce_sum(flow.forward(z) * [1.0, -0.7], axis=-1)


def of_rosenblatt(t):
    parameters = [
        numbers_of(seed, *shape) for seed, shape in enumerate([(2,), (2, 2), (2, 2)])
    ]
    parameters[0] = tf.nn.log_softmax(parameters[0])
    x, log_slope = rosenblatt_inverse.sample_map(
        events(t, 2, seed=10), *parameters, numbers_of(3, 2, 2, 2)
    )
    return tf.reduce_sum(x * [1.0, -0.7] + log_slope, axis=-1)


def numbers_of(seed, *shape):
    return tf.constant(0.5 * np.random.default_rng(seed).normal(size=shape))


def of_spline(t):
    position, params = curve(t, seed=11, scale=2.0), curve(t, 13, seed=12)
    value, log_slope = tails.apply_logits(
        position, params, 4, (-3.0, 3.0), "linear", inverse=False
    )
    back, _ = tails.apply_logits(
        position, params, 4, (-3.0, 3.0), "linear", inverse=True
    )
    return value + log_slope + back


def of_determinant(t):
    return low_rank.log_abs_det(events(t, 3, 3, seed=15))


def of_rows(t):
    table = curve(t, 4, seed=16)
    table = indexing.put(table, tf.constant(2), tf.cos(t))
    return tf.reduce_prod(indexing.take(table, [2, 0, 2]), axis=0)


def of_places(t):
    x = products.permute(events(t, 3, seed=17), (2, 0, 1), (1, 2, 0))
    x = products.transpose(x)
    return tf.sin(x[0]) * x[1] + tf.exp(x[2])


def of_checkpoint(t):
    def block(x, weight):
        return tf.sin(x * weight), x * x

    first, second = checkpoint.recomputed(block, curve(t, seed=18), [tf.exp(t)])
    return first * second


def of_loop(t):
    def block(x, given, weight):
        return tf.sin(x * given + weight), tf.reduce_sum(x * weight, axis=-1)

    weights, given = numbers_of(4, 3, 2), events(t, 2, seed=20)
    value, log_det = scan._recomputed(
        block, events(t, 2, seed=19), [given], [weights], 1
    )
    return log_det + value[:, 0] * value[:, 1]


def flow_of(solve):
    def of_flow(t):
        def field(_, x, rate):
            return -rate * x * x

        found = solve(field, events(t, 1, seed=21), [tf.constant(0.5, t.dtype)])
        return found.state[:, 0]

    return of_flow


RULES = {
    "searches": of_mixture,
    "triangular systems": of_bends,
    "monotone networks": of_network,
    "their inverses": of_network_inverse,
    "autoregression": of_autoregression,
    "splines": of_spline,
    "determinants": of_determinant,
    "rows": of_rows,
    "places": of_places,
    "checkpoints": of_checkpoint,
    "loops": of_loop,
    "quantiles": lambda t: normal.quantile(
        tf.sigmoid(curve(t, seed=22)), tf.sigmoid(-curve(t, seed=22))
    ),
    "quantiles far out": lambda t: normal.quantile_of_logs(
        -30.0 - tf.exp(t), -tf.exp(-30.0 - tf.exp(t))
    ),
    "tails": lambda t: normal.log_tails(8.0 + curve(t, seed=23))[1],
    "residual blocks": of_residual,
    "conditional mixtures": of_rosenblatt,
    "equal steps": flow_of(lambda f, x, p: adjoint.fixed(f, x, p, 0.0, 0.5, 6)),
    "adaptive steps": flow_of(
        lambda f, x, p: adjoint.adaptive(f, x, p, 0.0, 0.5, 1e-9)
    ),
}


# More than a second of CPU each.
SLOW = {
    "searches",
    "monotone networks",
    "their inverses",
    "tails",
    "autoregression",
    "splines",
    "residual blocks",
    "conditional mixtures",
    "equal steps",
    "adaptive steps",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in RULES],
)
def test_derivatives_of_orders_one_to_five_are_differences(name):
    case = testing.BijectorCase(tfpf.bijectors.Chain([]), (2,), name=name)

    def function(times, rows):
        return RULES[name](times + 0.3 * tf.cast(rows, times.dtype))

    high_orders.compare_orders(case, "orders", name, function, ORDERS)


@pytest.mark.slow
def test_third_derivatives_of_a_residual_inverse_have_right_gradients_by_weights():
    block = residual()
    kernel = block.network.trainable_variables[0]
    direction = numbers_of(5, *kernel.shape)
    times = tf.zeros([1], tf.float64)

    def third():
        return high_orders.derivatives(lambda t: of_residual(t, block), times, 3)[-1]

    with tf.GradientTape() as tape:
        value = third()
    found = tf.reduce_sum(tape.gradient(value, kernel) * direction)
    before, ends = tf.identity(kernel), []
    for step in (1e-4, -1e-4):
        kernel.assign(before + step * direction)
        ends.append(third())
    np.testing.assert_allclose([found], (ends[0] - ends[1]) / 2e-4, rtol=1e-6)


@pytest.mark.parametrize("accumulators", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_orders_that_cannot_be_had_raise(accumulators, monkeypatch):
    """A persistent tape counts as one, whatever is asked of it."""
    monkeypatch.setattr(quadrature, "LOCAL_NODES", 1)
    x, params = tf.constant([0.4], tf.float64), numbers_of(1, 5, 1)

    def function(t):
        return lines.forward(NETWORK, t, [params], -3.0, 3.0)[0]

    def asked(orders):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            value = function(x)
            for _ in range(orders):
                value = tape.gradient(value, x)
        return value

    def taken(orders):
        if not accumulators:
            return asked(orders)
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
            value = asked(orders - 1)
        return accumulator.jvp(value)

    nested = high_orders.derivatives(function, x, 3)
    np.testing.assert_allclose(taken(2), nested[2], rtol=1e-9)
    with pytest.raises(NotImplementedError, match="No derivative of so high an order"):
        taken(3)
    ends = [high_orders.derivatives(function, x + h, 2)[2] for h in (1e-4, -1e-4)]
    np.testing.assert_allclose(nested[3], (ends[0] - ends[1]) / 2e-4, rtol=1e-6)


@pytest.mark.slow
def test_roots_in_forward_mode_refuse_what_their_steps_do_not_have(monkeypatch):
    monkeypatch.setattr(implicit, "LEAST_STEPS", 1)
    x = tf.constant([0.4], tf.float64)
    parameters = [numbers_of(i, 3, 1) for i in range(3)]
    with (
        tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)),
        tf.GradientTape(persistent=True) as tape,
    ):
        tape.watch(x)
        value, _ = mixtures.logit_cdf_inverse(x, *parameters)
        for _ in range(2):
            value = tape.gradient(value, x)
        with pytest.raises(NotImplementedError, match="so high an order"):
            tape.gradient(value, x)
