"""Loops over equal blocks, and gradients that run them once more."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import _context, networks
from tfp_flows import bijectors as maps
from tfp_flows.bijectors._core import looping, scan
from tfp_flows.testing import perturb

MODES = ["values", "training", "checkpoint"]


@pytest.fixture(autouse=True)
def _short_runs(monkeypatch):
    monkeypatch.setattr(looping, "LOOP_TO_TRAIN", 3)


def chain(count, mode="", dropout=0.0, dtype="float64"):
    parts = []
    for seed in range(count):
        net = networks.MLP(2, (2, 2), (5,), dropout=dropout, dtype=dtype, seed=seed)
        places = np.random.default_rng(seed).permutation(4)
        coupling = maps.Coupling(maps.Affine(), net, [True, True, False, False])
        parts += [maps.Permutation(tuple(places.tolist())), coupling]
    first = maps.Standardize.trainable(4, dtype=dtype)
    out = maps.Chain([first, *parts], checkpoint=mode == "checkpoint")
    perturb(out, 0.3, seed=1)
    return out


def scope(mode):
    if mode == "values":
        return _context.values_scope()
    return _context.training_scope(mode == "training")


def points(dtype="float64"):
    return tf.constant(np.random.default_rng(0).normal(size=(6, 4)), dtype)


def evaluated(chain, mode, *, jit=False, inverse=True):
    """Return value, log-det, and the gradient by the input and all variables."""

    @tf.function(autograph=False, jit_compile=jit)
    def function(y):
        with scope(mode), tf.GradientTape() as tape:
            tape.watch(y)
            call = chain.inverse_and_log_det if inverse else chain.forward_and_log_det
            x, log_det = call(y)
            loss = tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(log_det)
        return x, log_det, tape.gradient(loss, [y, *chain.trainable_variables])

    return function(points())


def operations(layers):
    """Return the types of operations of an inverse, those of its loop among them."""
    specs = [tf.TensorSpec([None, 4], tf.float64)]
    with _context.values_scope():
        function = tf.function(
            chain(layers).inverse_and_log_det, input_signature=specs, autograph=False
        )
        graph = function.get_concrete_function().graph.as_graph_def()
    bodies = [graph.node, *(each.node_def for each in graph.library.function)]
    return [node.op for body in bodies for node in body]


def test_a_loop_reads_each_of_its_numbers_by_one_operation():
    found = operations(4)
    assert found.count("While") + found.count("StatelessWhile") == 1
    # Four weights, and two lists of places of a permutation.
    numbers = found.count("TensorListFromTensor")
    assert numbers == found.count("TensorListGetItem") == found.count("Pack") == 6
    # Of what the blocks were given, for the gradient.
    assert found.count("TensorListReserve") == 1


def test_more_layers_add_what_reads_their_weights():
    few, many = (operations(layers) for layers in (4, 5))
    # Four weights are captured and read; two lists of places are constants.
    assert len(many) - len(few) == 2 * 4 + 2


def test_runs_are_blocks_that_differ_in_numbers_only():
    parts = chain(5).bijectors
    found = scan.runs(parts)
    assert found == [scan.Run(0, 1, 1), scan.Run(1, 2, 5)]
    other = networks.MLP(2, (2, 2), (6,), dtype="float64")
    wider = maps.Coupling(maps.Affine(), other, [True, True, False, False])
    assert scan.runs([*parts[1:5], wider]) == [
        scan.Run(0, 2, 2),
        scan.Run(4, 1, 1),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_a_loop_gives_what_the_layers_give(mode, inverse):
    plain = evaluated(chain(3), "", inverse=inverse)
    looped = evaluated(chain(3, mode), mode, inverse=inverse)
    for one, other in zip(tf.nest.flatten(plain), tf.nest.flatten(looped), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_a_loop_compiles_by_xla():
    plain = evaluated(chain(3), "")
    looped = evaluated(chain(3, "checkpoint"), "checkpoint", jit=True)
    for one, other in zip(tf.nest.flatten(plain), tf.nest.flatten(looped), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("mode", MODES)
def test_the_graph_does_not_grow_with_the_number_of_blocks(mode):
    def work(count):
        stack = chain(count, mode)

        def function(y):
            with scope(mode):
                return stack.inverse(y)

        spec = tf.TensorSpec([None, 4], tf.float64)
        graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
        nodes = [
            node.op
            for function in graph.as_graph_def().library.function
            for node in function.node_def
        ]
        outer = [op.type for op in graph.get_operations()]
        return nodes.count("MatMul"), outer.count("MatMul")

    assert work(3) == work(6) == (2, 0)


@pytest.mark.parametrize(
    ("gpu", "count", "loops"), [(False, 2, 1), (True, 2, 0), (True, 3, 1)]
)
def test_values_go_through_short_loops_on_a_cpu_only(monkeypatch, gpu, count, loops):
    monkeypatch.setattr(_context, "on_gpu", lambda: gpu)
    stack = chain(count)

    @tf.function(autograph=False)
    def function(y):
        with _context.values_scope():
            return stack.inverse(y)

    graph = function.get_concrete_function(points()).graph
    kinds = [op.type for op in graph.get_operations()]
    assert sum(kind in ("While", "StatelessWhile") for kind in kinds) == loops


@pytest.mark.slow
@pytest.mark.parametrize("way", ["eager", "traced", "xla"])
def test_checkpoints_can_be_differentiated_twice(way):
    def second(stack):
        def function(y):
            with tf.GradientTape() as outer:
                outer.watch(y)
                with tf.GradientTape() as inner:
                    inner.watch(y)
                    value = tf.reduce_sum(tf.sin(stack.inverse(y)))
                slope = tf.reduce_sum(tf.square(inner.gradient(value, y)))
            return outer.gradient(slope, y)

        if way != "eager":
            function = tf.function(function, jit_compile=way == "xla")
        return function(points())

    plain, again = second(chain(3)), second(chain(3, "checkpoint"))
    np.testing.assert_allclose(plain, again, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("mode", ["training", "checkpoint"])
def test_dropout_in_a_loop_differs_between_steps(mode):
    stack = chain(3, mode, dropout=0.5)

    @tf.function(autograph=False)
    def function(y):
        with _context.training_scope(True):
            return stack.inverse(y)

    one, other = function(points()), function(points())
    assert not np.allclose(one, other)


def test_a_checkpoint_follows_the_condition_of_more_events():
    net = networks.MLP(1, (1, 2), (4,), condition_shape=(3,), seed=0)
    parts = [maps.Coupling(maps.Affine(), net, [True, False]) for _ in range(2)]
    stack = maps.Chain(parts, checkpoint=True)
    perturb(stack, 0.3, seed=1)
    y, condition = tf.ones([2]), tf.random.stateless_normal([5, 3], [1, 2])
    out = tf.function(stack.inverse)(y, condition=condition)
    want = maps.Chain(parts).inverse(y, condition=condition)
    np.testing.assert_allclose(out, want, rtol=1e-5, atol=1e-6)


def looped(parts, value):
    """Return the inverse of a chain as `flow.log_prob` evaluates it."""

    @tf.function(autograph=False)
    def function(y):
        with _context.values_scope():
            return maps.Chain(parts).inverse_and_log_det(y)

    return function(value)


def test_batches_of_parameters_widen_the_input_outside_of_loops():
    skews = tf.random.stateless_normal([3, 5, 6], [1, 2])
    parts = [maps.Orthogonal(skew) for skew in tf.unstack(skews)]
    assert not parts[0].repeatable
    assert maps.Orthogonal(skews[0, 0]).repeatable
    y = tf.random.stateless_normal([4], [3, 4])
    x, log_det = looped(parts, y)
    assert log_det.shape == [5]
    np.testing.assert_allclose(x, maps.Chain(parts).inverse(y), atol=1e-6)


def test_maps_without_numbers_are_left_alone():
    x, log_det = looped([maps.Chain([]) for _ in range(3)], tf.ones([4, 2]))
    np.testing.assert_array_equal(x, np.ones([4, 2]))
    np.testing.assert_array_equal(log_det, np.zeros(4))


SPLINE = maps.RationalQuadratic(3)


def alternating(mask, count=6, transformer=SPLINE):
    """Return a chain of couplings of both halves in turns."""
    parts = []
    for seed in range(count):
        kept = [keep != bool(seed % 2) for keep in mask]
        shape = (len(mask) - sum(kept), transformer.params_size)
        net = networks.MLP(sum(kept), shape, (5,), dtype="float64", seed=seed)
        parts.append(maps.Coupling(transformer, net, kept))
    out = maps.Chain(parts)
    perturb(out, 0.3, seed=1)
    return out


def test_couplings_of_both_halves_are_alike_where_values_are_wanted():
    halves = [True, True, False, False]
    parts = alternating(halves).bijectors
    assert scan.runs(parts) == [scan.Run(0, 2, 3)]
    assert scan.runs(parts, merge=True) == [scan.Run(0, 1, 6)]
    assert len(looping.blocks(parts, 2)[0]) == 3
    with _context.values_scope():
        assert len(looping.blocks(parts, 2)[0]) == 6
        assert len(looping.blocks(parts, 3)[0]) == 3
    # Other masks, and unequal halves, stay what they are.
    for mask in ([True, False, True, False], [True, True, False]):
        parts = alternating(mask).bijectors
        assert scan.runs(parts, merge=True) == [scan.Run(0, 2, 3)]
    # Of few parameters the choice would take longer than it is worth.
    parts = alternating(halves, transformer=maps.Affine()).bijectors
    assert scan.runs(parts, merge=True) == [scan.Run(0, 2, 3)]


@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_loop_over_both_halves_gives_what_the_layers_give(jit, inverse):
    flow = alternating([True, True, False, False], count=2)
    found = evaluated(flow, "values", jit=jit, inverse=inverse)
    wanted = evaluated(flow, "", inverse=inverse)
    assert len(found[2]) == len(wanted[2]) == 1 + 2 * 4
    for ours, theirs in zip(
        tf.nest.flatten(found), tf.nest.flatten(wanted), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
