"""Small calls take a shorter way than big ones, and give the same numbers."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import _arrays
from tfp_flows.flows._model import compiled, direct

SLOW = ("realnvp", "nsf", "maf", "residual", "cnf")


@pytest.fixture
def ways(monkeypatch):
    """Return the list of calls that went the short way."""
    taken = []
    operation = tf.raw_ops.StatefulPartitionedCall

    def spy(**kwargs):
        taken.append(kwargs)
        return operation(**kwargs)

    monkeypatch.setattr(tf.raw_ops, "StatefulPartitionedCall", spy)
    return taken


@pytest.mark.parametrize(
    ("name", "condition_size"),
    [
        ("linear", 1),
        ("planar", None),
        ("rbig", None),
        *(pytest.param(name, 1, marks=pytest.mark.slow) for name in SLOW),
    ],
)
def test_small_calls_give_the_bits_of_big_ones(name, condition_size, ways, monkeypatch):
    flow = small.build(name, 2, condition_size)
    x, c = small.batch(3)
    c = None if condition_size is None else c
    short = flow.log_prob(x, c), flow.sample(5, c, seed=1)
    assert len(ways) == 2
    monkeypatch.setattr(direct, "SMALL", 0)
    long = flow.log_prob(x, c), flow.sample(5, c, seed=1)
    assert len(ways) == 2
    for one, other in zip(short, long, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_small_calls_without_tapes_go_the_short_way(ways):
    flow = small.build("linear", 2, None)
    x = tf.zeros([3, 2])
    flow.log_prob(x)
    assert len(ways) == 1
    flow.log_prob(tf.zeros([200_000, 2]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(flow.log_prob(x))
    assert all(g is not None for g in tape.gradient(loss, flow.trainable_variables))
    tf.function(flow.log_prob)(x)
    assert len(ways) == 1


def test_the_short_way_reads_the_weights_in_each_call(ways):
    flow = small.build("linear", 2, None)
    x = small.batch(3)[0]
    before = flow.log_prob(x)
    for variable in flow.trainable_variables:
        variable.assign_add(tf.ones(variable.shape) / 8)
    after = flow.log_prob(x)
    assert len(ways) == 2
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, flow.distribution().log_prob(x), atol=1e-5)


def test_replicas_call_functions_as_tensorflow_does(ways):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        flow = small.build("linear", 2, None)
        x = small.batch(3)[0]
        assert flow.log_prob(x).shape == (3,)
    assert not ways


def test_seeds_that_nobody_gives_are_those_of_tfp():
    found = []
    for draw in (compiled.stateless_seed, tfp.random.sanitize_seed):
        tf.random.set_seed(3)
        found.append([draw(None).numpy().tolist() for _ in range(3)])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "value",
    [
        np.array([1.5, 1e300, -1e300, np.nan, 1e-310]),
        np.array([2**53 + 1, -7], np.int64),
        np.array([True, False]),
        np.array([0.1, 2.0], ">f4"),
        np.array([0.1, 2.0], np.float16),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", tf.float64])
def test_arrays_become_tensors_as_tensorflow_rounds_them(value, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = _arrays.as_tensor(value, dtype)
    assert found.dtype == dtype
    native = value.astype(value.dtype.newbyteorder("="))
    np.testing.assert_array_equal(found, tf.cast(tf.constant(native), dtype))


def test_lists_tensors_and_arrays_are_one_input():
    flow = tfpf.flows.build("linear", 2, seed=0)
    x = np.array([[0.5, 1.0], [2.0, -3.0]])
    wanted = flow.log_prob(x.astype("float32"))
    for form in (x, x.tolist(), tf.constant(x), tf.Variable(x), tuple(x.tolist())):
        np.testing.assert_array_equal(flow.log_prob(form), wanted)
