"""Causal convolutions see the times before, as far as they reach."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.networks.test_masked import dependence, stirred
from tfp_flows import networks
from tfp_flows.networks.causal_convolution import default_dilations


def build(size=6, **options):
    given = {"width": 5, "activation": "tanh", "dtype": "float64", "seed": 3}
    return networks.CausalConvolution(size, 2, **{**given, **options})


@pytest.mark.parametrize("condition", [None, 2])
@pytest.mark.parametrize(
    ("channels", "kernel_size", "dilations", "order"),
    [
        (1, 2, None, "left-to-right"),
        (1, 2, (1, 1), "right-to-left"),
        (2, 3, (1,), "left-to-right"),
        (6, 2, (1,), "left-to-right"),
    ],
)
def test_parameters_see_so_many_times_before(
    channels, kernel_size, dilations, order, condition
):
    net = stirred(
        build(
            kernel_size=kernel_size,
            dilations=dilations,
            token_size=channels,
            order=order,
            condition_shape=condition,
        )
    )
    found = dependence(net, condition)
    times = np.array(net.steps)
    before = times[:, np.newaxis] - times[np.newaxis]
    np.testing.assert_array_equal(
        found[0], (before > 0) & (before <= net.receptive_field)
    )
    if condition is not None:
        assert np.all(found[1])


@pytest.mark.parametrize("condition", [None, 2])
@pytest.mark.parametrize(("channels", "kernel_size"), [(1, 2), (2, 3), (6, 2)])
def test_one_time_after_the_other_gives_what_all_at_once_do(
    channels, kernel_size, condition
):
    net = stirred(
        build(token_size=channels, kernel_size=kernel_size, condition_shape=condition)
    )
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(6, 4)))
    given = None if condition is None else tf.constant(rng.normal(size=(2, 4)))
    wanted = tf.reshape(net.columns(x, given), [2, -1, channels, 4])
    rows = tf.reshape(x, [-1, channels, 4])
    (step, state), last = net.token_by_token(x[0], given), tf.zeros_like(rows[0])
    for i in range(net.num_tokens):
        params, state = step(tf.constant(i), last, state)
        last = rows[i]
        np.testing.assert_allclose(params, wanted[:, i], atol=1e-10)


def test_the_weights_are_the_same_at_each_time():
    net = stirred(build(8, dilations=(1,)))
    x = np.random.default_rng(0).normal(size=(1, 8))
    params, later = net(x).numpy(), net(np.roll(x, 2, axis=1)).numpy()
    np.testing.assert_allclose(later[:, 5:], params[:, 3:6], atol=1e-10)


def test_dilations_double_until_a_time_sees_all():
    assert default_dilations(2, 2) == (1,)
    assert default_dilations(64, 2) == (1, 2, 4, 8, 16, 32)
    assert default_dilations(1000, 2) == (1, 2, 4, 8, 16, 32)
    assert default_dilations(20, 3) == (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"token_size": 4}, "`token_size` must divide the event's size, 6, got 4. Use"),
        ({"kernel_size": 1}, "`kernel_size` must be at least 2"),
        ({"dilations": (0, 1)}, "`dilations`"),
    ],
)
def test_wrong_sizes_are_named(options, match):
    with pytest.raises(ValueError, match=match):
        build(**options)
