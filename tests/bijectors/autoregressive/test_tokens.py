"""Maps token by token, by networks that keep what later tokens need."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.networks.test_masked import stirred
from tfp_flows import bijectors, networks
from tfp_flows.bijectors.autoregressive import sampling

SIZE, ROWS = 6, 7


def build(transformer, condition_shape=None, *, scale=0.3, **options):
    net = networks.CausalTransformer(
        *(SIZE, transformer.params_size, 4, 1),
        num_heads=2,
        condition_shape=condition_shape,
        dtype="float64",
        seed=0,
        **options,
    )
    stirred(net)
    for weight in net.trainable_variables:
        weight.assign(scale * weight)
    return bijectors.MaskedAutoregressive(transformer, net)


def numbers(*shape):
    return tf.constant(np.random.default_rng(1).normal(size=shape))


@pytest.mark.parametrize("token_size", [1, 3, 6])
@pytest.mark.parametrize("name", ["affine", "spline", "mixture"])
def test_tokens_give_what_whole_passes_give(token_size, name):
    transformer = {
        "affine": bijectors.Affine(),
        "spline": bijectors.RationalQuadratic(4),
        "mixture": bijectors.LogisticMixture(3),
    }[name]
    map_ = build(transformer, 2, token_size=token_size, order="random")
    ways = sampling.OneByOne(map_.transformer, map_.conditioner, map_.order)
    x, condition = numbers(SIZE, ROWS), numbers(2, ROWS)
    found = ways.by_tokens(x, condition)
    wanted = ways.by_passes(x, condition)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    y = tf.transpose(found[0])
    back, log_det = map_.inverse_and_log_det(y, tf.transpose(condition))
    np.testing.assert_allclose(back, tf.transpose(x), atol=1e-8)
    np.testing.assert_allclose(log_det, -found[1], atol=1e-8)


@pytest.mark.slow
def test_gradients_of_samples_are_those_of_whole_passes():
    map_ = build(bijectors.Affine(), token_size=3)
    ways = sampling.OneByOne(map_.transformer, map_.conditioner, map_.order)
    x = numbers(SIZE, ROWS)

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, log_det = function(x, None)
            loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.square(log_det))
        return tape.gradient(loss, [x, *map_.trainable_variables])

    wanted = gradients(ways.by_passes)
    traced = tf.function(lambda: gradients(ways.by_tokens), autograph=False)
    for found in (gradients(ways.by_tokens), traced()):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-9)


def test_samples_while_training_have_dropout():
    map_ = build(bijectors.Affine(), dropout=0.5)
    x = numbers(ROWS, SIZE)
    np.testing.assert_array_equal(map_.forward(x), map_.forward(tf.identity(x)))
    with bijectors.training_scope(enabled=True):
        assert not np.allclose(map_.forward(x), map_.forward(tf.identity(x)))


def test_each_token_of_a_pass_takes_one_step():
    map_ = build(bijectors.Affine(), token_size=3)
    calls = []
    plain = map_.conditioner.token_by_token

    def token_by_token(*given):
        step, state = plain(*given)

        def counted(i, *rest):
            calls.append(int(i))
            return step(i, *rest)

        return counted, state

    map_.conditioner.token_by_token = token_by_token
    map_.forward(numbers(ROWS, SIZE))
    assert calls == [0, 1]
