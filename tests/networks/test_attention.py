"""Causal transformers see the tokens before, and no others."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.networks.test_masked import dependence, stirred
from tfp_flows import bijectors, networks


def build(size=6, token_size=1, **options):
    given = {"width": 4, "num_layers": 2, "num_heads": 2, "dtype": "float64", "seed": 3}
    return networks.CausalTransformer(
        size, 2, token_size=token_size, **{**given, **options}
    )


@pytest.mark.parametrize("condition", [None, 2])
@pytest.mark.parametrize(
    ("token_size", "order"),
    [(1, "left-to-right"), (2, "right-to-left"), (3, "random"), (6, "random")],
)
def test_parameters_depend_on_the_tokens_before_only(token_size, order, condition):
    net = stirred(build(6, token_size, order=order, condition_shape=condition))
    found = dependence(net, condition)
    steps = np.array(net.steps)
    np.testing.assert_array_equal(found[0], steps[np.newaxis] < steps[:, np.newaxis])
    assert sorted(net.order) == list(range(6))
    if condition is not None:
        assert np.all(found[1])


@pytest.mark.parametrize("token_size", [1, 2, 6])
@pytest.mark.parametrize("condition", [None, 2])
def test_one_token_after_the_other_gives_what_all_at_once_do(token_size, condition):
    net = stirred(build(6, token_size, order="random", condition_shape=condition))
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(6, 4)))
    given = None if condition is None else tf.constant(rng.normal(size=(2, 4)))
    wanted = net.columns(x, given)
    by_rank = np.argsort(net.order)
    rows = tf.reshape(tf.gather(x, by_rank), [-1, token_size, 4])
    (step, state), last = net.token_by_token(x[0], given), tf.zeros_like(rows[0])
    for i in range(net.num_tokens):
        params, state = step(tf.constant(i), last, state)
        last = rows[i]
        places = by_rank[i * token_size : (i + 1) * token_size]
        np.testing.assert_allclose(
            params, tf.gather(wanted, places, axis=1), atol=1e-10
        )


def test_an_untrained_network_gives_the_initial_parameters():
    net = build(6, 2, initial_output=[0.5, -1.0])
    np.testing.assert_array_equal(net(np.ones([3, 6])), np.tile([0.5, -1.0], (3, 6, 1)))


def test_angles_are_seen_by_cosines_and_sines():
    options = {"period": (-1.0, 1.0), "periodic": [True, False, True, False]}
    net = stirred(build(4, 2, order="random", **options))
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 4))
    turned = x + np.array([2.0, 0.0, -4.0, 0.0])
    np.testing.assert_allclose(net(x), net(turned), atol=1e-9)
    steps = np.array(net.steps)
    np.testing.assert_array_equal(
        dependence(net)[0], steps[np.newaxis] < steps[:, np.newaxis]
    )


def test_dropout_differs_between_steps_of_training():
    net = stirred(build(6, dropout=0.5))
    x = np.ones([2, 6])
    np.testing.assert_array_equal(net(x), net(x))
    with bijectors.training_scope(enabled=True):
        assert not np.allclose(net(x), net(x))


def test_half_precision_computes_close_to_single_precision():
    single = stirred(build(6, dtype="float32"))
    half = build(6, dtype="float32", compute_dtype="bfloat16", weights=single.weights)
    x = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    found, wanted = half(x), single(x)
    assert found.dtype == tf.float32
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"token_size": 4}, "`token_size` must divide the event's size, 6, got 4. Use"),
        ({"num_heads": 3}, "`num_heads` must divide the width, 4, got 3. Use one of 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"order": (0, 1)}, "`order` must be"),
    ],
)
def test_wrong_sizes_are_named(options, match):
    with pytest.raises(ValueError, match=match):
        build(**options)
