"""The memory of maps: what it must serve, and what it must never serve."""

from __future__ import annotations

import copy
import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tests.bijectors.toy_maps import Affine, Scale, Shear, scale
from tfp_flows import testing
from tfp_flows.bijectors import (
    Chain,
    Invert,
    caching,
)

X = tf.constant([[0.3, -1.2], [2.0, 0.7]])


# What it must serve: one pass for each question about one tensor.


def test_inverse_of_an_output_returns_the_input_itself():
    bijector = scale()
    y = bijector.forward(X)
    assert bijector.inverse(y) is X
    assert bijector.calls == 1


def test_identity_of_an_output_is_computed_anew():
    bijector = scale()
    y = bijector.forward(X)
    x = bijector.inverse(tf.identity(y))
    assert x is not X
    assert bijector.calls == 2


@pytest.mark.colab
def test_log_det_after_value_costs_nothing_in_either_order():
    bijector = scale()
    y = bijector.forward(X)
    bijector.forward_log_det_jacobian(X, 1)
    bijector.inverse_log_det_jacobian(y, 1)
    assert bijector.calls == 1
    with caching(enabled=False):
        bijector.forward_log_det_jacobian(X, 1)
    assert bijector.calls == 2


@pytest.mark.slow
@pytest.mark.parametrize("chain", [Chain, tfb.Chain])
@pytest.mark.parametrize("wrap", [lambda b: b, Invert, tfb.Invert])
@pytest.mark.parametrize("traced", [False, True])
def test_chain_of_eight_takes_one_pass_each(chain, wrap, traced):
    parts = [Shear.build(seed=i, flip=i % 2 == 1) for i in range(8)]
    bijector = wrap(chain(parts))
    base = tfd.MultivariateNormalDiag(tf.zeros([2]))
    flow = tfd.TransformedDistribution(base, bijector)
    found = {}

    def calls():
        return sum(part._net.calls for part in parts)

    def run(x):
        start = calls()
        flow.log_prob(x)
        found["log_prob"] = calls() - start
        start = calls()
        flow.experimental_sample_and_log_prob(3, seed=[0, 1])
        found["sample_and_log_prob"] = calls() - start
        start = calls()
        flow.log_prob(flow.sample(3, seed=[0, 1]))
        found["log_prob of a sample"] = calls() - start

    if traced:
        tf.function(run, autograph=False).get_concrete_function(X)
    else:
        run(X)
    assert found == dict.fromkeys(found, 8)


def test_traced_log_prob_under_an_outer_tape_takes_one_pass():
    part = Shear.build()
    flow = tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(tf.zeros([2])), Chain([part])
    )
    log_prob = tf.function(flow.log_prob, autograph=False)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(log_prob(X))
    gradients = tape.gradient(value, flow.trainable_variables)
    assert part._net.calls == 1
    assert len(gradients) == 3
    assert all(g is not None for g in gradients)


def test_log_prob_on_persistent_and_nested_tapes_takes_one_pass():
    bijector = scale()
    flow = tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), bijector)
    with tf.GradientTape() as outer:
        with tf.GradientTape(persistent=True) as inner:
            value = tf.reduce_sum(flow.log_prob(X))
        first = inner.gradient(value, bijector.trainable_variables)[0]
    assert bijector.calls == 1
    # log_prob = -x^2 exp(-2 s) / 2 - s, summed
    square = float(tf.reduce_sum(X**2)) * np.exp(-1.0)
    np.testing.assert_allclose(first, square - 4, rtol=1e-6)
    second = outer.gradient(first, bijector.trainable_variables)[0]
    np.testing.assert_allclose(second, -2 * square, rtol=1e-6)


# What it must never serve: a pair that is not what a new evaluation would give.


def test_update_between_value_and_log_det_is_seen():
    bijector = scale(0.5)
    y = bijector.forward(X)
    bijector._log_scale.assign(2.0)
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(X, 1), [4.0, 4.0])
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(y, 1), [-4.0, -4.0])
    np.testing.assert_allclose(bijector.inverse(y), y * np.exp(-2.0), rtol=1e-6)


def test_update_back_to_the_old_value_serves_the_old_pair():
    bijector = scale(0.5)
    y = bijector.forward(X)
    bijector._log_scale.assign(2.0)
    bijector._log_scale.assign(0.5)
    assert bijector.inverse(y) is X


def test_variable_shared_by_two_maps_is_seen_by_both():
    variable = tf.Variable(0.5)
    first, second = Scale(variable), Scale(variable)
    kept = first.forward(X), second.forward(X)
    variable.assign(1.5)
    for bijector, y in zip((first, second), kept, strict=True):
        assert float(bijector.inverse_log_det_jacobian(y, 1)[0]) == -3.0


def test_two_maps_do_not_serve_each_other():
    first, second = scale(0.5), scale(1.5)
    y = first.forward(X)
    assert second.inverse(y) is not X
    np.testing.assert_allclose(second.inverse(y), X * np.exp(-1.0), rtol=1e-6)
    assert float(second.forward_log_det_jacobian(X, 1)[0]) == 3.0
    assert float(first.forward_log_det_jacobian(X, 1)[0]) == 1.0


def test_map_that_stands_twice_in_a_chain_is_applied_twice():
    bijector = scale(0.5)
    chain = Chain([bijector, Invert(bijector), bijector])
    y = chain.forward(X)
    np.testing.assert_allclose(y, X * np.exp(0.5), rtol=1e-6)
    np.testing.assert_allclose(chain.forward_log_det_jacobian(X, 1), [1.0, 1.0])
    assert bijector.calls == 3


@pytest.mark.parametrize(
    "write",
    [
        lambda v: v.assign(2.0),
        lambda v: v.assign_add(1.5),
        lambda v: tf.raw_ops.AssignVariableOp(resource=v.handle, value=2.0),
        lambda v: tf.cond(tf.constant(1) > 0, lambda: v.assign(2.0), lambda: v + 0),
        lambda v: tf.function(lambda: v.assign(2.0))(),
        lambda v: tf.while_loop(
            lambda i: i < 1, lambda i: (v.assign(2.0), i + 1)[1:], [0]
        ),
    ],
    ids=["assign", "assign_add", "raw", "cond", "function", "while"],
)
def test_write_inside_one_traced_function_is_seen(write):
    bijector = scale(0.5)

    @tf.function(autograph=False)
    def run(x):
        y = bijector.forward(x)
        before = bijector.forward_log_det_jacobian(x, 1)
        with tf.control_dependencies([y, before]):
            write(bijector._log_scale)
        return before, bijector.forward_log_det_jacobian(x, 1), y

    before, after, _ = run(X)
    np.testing.assert_allclose(before, [1.0, 1.0])
    np.testing.assert_allclose(after, [4.0, 4.0])


def test_write_to_a_slice_inside_one_traced_function_is_seen():
    bijector = Affine(tf.Variable([0.5, 0.5]), tf.Variable([0.0, 0.0]))

    @tf.function(autograph=False)
    def run(x):
        y = bijector.forward(x)
        bijector._log_scale[:1].assign([2.0])
        return bijector.forward_log_det_jacobian(x, 1), y

    np.testing.assert_allclose(run(X)[0], [2.5, 2.5])


def test_optimizer_step_inside_one_traced_function_is_seen():
    bijector = scale(0.5)
    optimizer = keras.optimizers.SGD(1.0)
    variable = keras.Variable(bijector._log_scale)
    optimizer.build([variable])

    @tf.function
    def run(x):
        y = bijector.forward(x)
        before = bijector.forward_log_det_jacobian(x, 1)
        optimizer.apply([tf.constant(-1.5)])
        return before, bijector.forward_log_det_jacobian(x, 1), y

    before, after, _ = run(X)
    np.testing.assert_allclose(before, [1.0, 1.0])
    np.testing.assert_allclose(after, [4.0, 4.0])


def test_pair_of_an_outer_graph_is_not_served_in_a_branch():
    bijector = scale(0.5)

    @tf.function(autograph=False)
    def run(x, flag):
        y = bijector.forward(x)

        def changed():
            bijector._log_scale.assign(2.0)
            return bijector.forward_log_det_jacobian(x, 1)

        def unchanged():
            return bijector.forward_log_det_jacobian(x, 1)

        return tf.cond(flag, changed, unchanged), y

    np.testing.assert_allclose(run(X, tf.constant(0) > 0)[0], [1.0, 1.0])
    np.testing.assert_allclose(run(X, tf.constant(1) > 0)[0], [4.0, 4.0])


def test_eager_pair_is_not_served_while_tracing():
    bijector = scale(0.5)
    y = bijector.forward(X)  # stays alive, and X is captured by the function
    run = tf.function(lambda: bijector.forward_log_det_jacobian(X, 1), autograph=False)
    np.testing.assert_allclose(run(), [1.0, 1.0])
    bijector._log_scale.assign(2.0)
    np.testing.assert_allclose(run(), [4.0, 4.0])
    del y


def test_condition_decides_about_the_pair():
    bijector = Shear.build(condition_shape=(3,))
    one, other = tf.zeros([3]), tf.ones([3])
    y = bijector.forward(X, condition=one)
    with caching(enabled=False):
        wanted = bijector.inverse(y, condition=other)
        log_det = bijector.inverse_log_det_jacobian(y, 1, condition=other)
    np.testing.assert_array_equal(bijector.inverse(y, condition=other), wanted)
    found = bijector.inverse_log_det_jacobian(y, 1, condition=other)
    np.testing.assert_array_equal(found, log_det)
    assert bijector.inverse(y, condition=one) is X


def test_numpy_condition_changed_in_place_is_seen():
    bijector = Shear.build(condition_shape=(3,))
    condition = np.zeros(3, np.float32)
    y = bijector.forward(X, condition=condition)
    condition += 1
    with caching(enabled=False):
        wanted = bijector.inverse(y, condition=condition)
    np.testing.assert_array_equal(bijector.inverse(y, condition=condition), wanted)


@pytest.mark.parametrize("method", ["copy", "deepcopy"])
def test_copy_has_a_memory_of_its_own(method):
    bijector = scale(0.5)
    bijector.forward(X)
    twin = bijector.copy() if method == "copy" else copy.deepcopy(bijector)
    y = twin.forward(X)
    twin._log_scale.assign(2.0)
    np.testing.assert_allclose(twin.forward_log_det_jacobian(X, 1), [4.0, 4.0])
    np.testing.assert_allclose(twin.inverse(y), y * np.exp(-2.0), rtol=1e-6)


def test_disabled_memory_computes_every_time():
    bijector = scale()
    bijector.cache = False
    y = bijector.forward(X)
    bijector.inverse(y)
    bijector.forward_log_det_jacobian(X, 1)
    assert bijector.calls == 3


# Life and death of a pair.


def test_pair_dies_with_its_output():
    bijector = scale()
    x = tf.identity(X)
    reference = weakref.ref(x)
    y = bijector.forward(x)
    del x
    assert reference() is not None  # the pair of y needs it
    del y
    gc.collect()
    assert reference() is None


def test_pair_keeps_no_map_alive():
    bijector = scale()
    reference = weakref.ref(bijector)
    y = bijector.forward(X)
    del bijector
    gc.collect()
    assert reference() is None
    del y


def test_chain_of_outputs_is_freed_without_the_cycle_collector():
    chain = Chain([Shear.build(), Shear.build(flip=True)])
    x = tf.identity(X)
    reference = weakref.ref(x)
    gc.disable()
    try:
        y = chain.forward(x)
        chain.inverse(y)
        chain.inverse(tf.identity(y))
        del x, y
        assert reference() is None
    finally:
        gc.enable()


def test_map_that_returns_its_input_leaks_nothing():
    chain = Chain([])
    x = tf.identity(X)
    reference = weakref.ref(x)
    gc.disable()
    try:
        y = chain.forward(x)
        assert chain.inverse(y) is x
        del x, y
        assert reference() is None
    finally:
        gc.enable()


def test_counted_counts_the_parts():
    chain = Chain([scale(), scale()])
    with testing.counted(chain) as calls:
        chain.forward(X)
    assert calls() == 3
    chain.forward(tf.identity(X))
    assert calls() == 3
