"""Masked networks block exactly the right inputs."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import networks
from tfp_flows.math import masks

ORDERS = ("left-to-right", "right-to-left", "random")


def stirred(network, seed=0):
    """Give all weights random values, those behind masks and of the head too."""
    rng = np.random.default_rng(seed)
    for v in network.weights:
        if v.trainable:
            v.assign(tf.cast(rng.normal(size=v.shape), v.dtype))
    return network


def dependence(made, condition=None, rows=6):
    """Return which outputs depend on which inputs, `[D, D]` and `[D, C]`."""
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(size=(rows, made.input_size)), made.dtype)
    sources = [x]
    if condition is not None:
        sources.append(tf.constant(rng.normal(size=(rows, condition)), made.dtype))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(sources)
        out = made(*sources)
        out = tf.reduce_sum(out, axis=-1)
    found = []
    for source in sources:
        jacobian = tape.batch_jacobian(out, source, experimental_use_pfor=False)
        found.append(np.abs(jacobian).max(axis=0) > 0.0)
    return found


GRAPH = ((0, 0, 1, 0), (0, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0))


@pytest.mark.parametrize("condition", [None, 2])
@pytest.mark.parametrize("residual", [False, True])
def test_parameters_depend_on_the_parents_in_a_graph_only(residual, condition):
    made = networks.MADE(
        *(4, 3, (12, 12)),
        adjacency=GRAPH,
        residual=residual,
        condition_shape=condition,
        activation="tanh",
        dtype="float64",
        seed=3,
    )
    found = dependence(stirred(made), condition)
    np.testing.assert_array_equal(found[0], np.array(GRAPH, bool))
    assert made.order == (2, 0, 1, 3)
    if condition is not None:
        assert found[1].all()


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_parameters_depend_on_all_earlier_coordinates_only(size, order, residual):
    made = networks.MADE(
        size,
        3,
        (32, 32),
        order=order,
        residual=residual,
        activation="tanh",
        dtype="float64",
        seed=3,
    )
    (found,) = dependence(stirred(made))
    rank = np.array(made.order)
    assert sorted(made.order) == list(range(size))
    np.testing.assert_array_equal(found, rank[:, None] > rank[None])


def test_angles_keep_the_order_and_both_ends_of_a_period_are_one_point():
    options = {"dtype": "float64", "seed": 0, "period": (-2.0, 2.0)}
    made = stirred(networks.MADE(3, 2, (16,), order=(1, 2, 0), **options))
    rank = np.array(made.order)
    np.testing.assert_array_equal(dependence(made)[0], rank[:, None] > rank)
    mlp = stirred(networks.MLP(3, (2, 2), (16,), **options))
    for network in (made, mlp):
        low, high = (network([[0.5, end, end]]) for end in (-2.0, 2.0))
        np.testing.assert_allclose(low, high, atol=1e-12)
        assert np.any(np.abs(low - network([[0.5, 1.0, 1.0]])) > 0.0)
    with pytest.raises(ValueError, match=r"`period\[0\]` must be below"):
        networks.MLP(1, (1, 1), (4,), period=(1.0, -1.0))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("size", [1, 4])
def test_every_parameter_sees_the_whole_condition(size, residual):
    made = networks.MADE(
        size,
        2,
        (24, 24),
        order=np.random.default_rng(size).permutation(size),
        residual=residual,
        activation="tanh",
        condition_shape=3,
        dtype="float64",
        seed=0,
    )
    inner, outer = dependence(stirred(made), 3)
    rank = np.array(made.order)
    np.testing.assert_array_equal(inner, rank[:, None] > rank[None])
    assert outer.all()


@pytest.mark.colab
def test_order_by_name_and_by_rank_agree():
    named = networks.MADE(4, 1, (8,), order="right-to-left", seed=0)
    ranked = networks.MADE(4, 1, (8,), order=[3, 2, 1, 0], seed=0)
    assert named.order == ranked.order == (3, 2, 1, 0)
    first = networks.MADE(9, 1, (8,), order="random", seed=0).order
    assert first == networks.MADE(9, 1, (8,), order="random", seed=0).order
    assert first != networks.MADE(9, 1, (8,), order="random", seed=1).order


@pytest.mark.parametrize("order", ["up", [0, 0, 1], [1, 2, 3], [0, 1]])
def test_order_that_is_no_permutation_is_refused(order):
    with pytest.raises(ValueError, match=r"`order` must be .*range\(3\)"):
        networks.MADE(3, 1, (8,), order=order)


def test_masks_survive_an_update_that_is_no_optimizers():
    made = networks.MADE(4, 2, (16, 16), activation="tanh", dtype="float64", seed=0)
    for v in made.weights:
        v.assign(tf.ones_like(v))
    (found,) = dependence(made)
    assert not np.triu(found).any()
    # Nor do gradients reach what is masked.
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(made(tf.ones([3, 4], tf.float64))))
    gradient = tape.gradient(loss, made.weights[0])
    mask = made._masks()["kernel_0"]
    assert np.all(gradient.numpy()[~mask] == 0.0)
    assert np.all(gradient.numpy()[mask] != 0.0)


def test_first_coordinate_has_constant_parameters():
    made = stirred(networks.MADE(3, 2, (8,), seed=0))
    out = made(np.random.default_rng(0).normal(size=(5, 3)).astype("float32"))
    assert np.ptp(out[:, 0], axis=0).max() == 0.0
    assert np.ptp(out[:, 1], axis=0).min() > 0.0


def test_hidden_units_are_spread_over_the_degrees():
    np.testing.assert_array_equal(
        masks.hidden_degrees(6, 4, with_zero=False), [1, 1, 2, 2, 3, 3]
    )
    np.testing.assert_array_equal(
        masks.hidden_degrees(4, 4, with_zero=True), [0, 1, 2, 3]
    )
    np.testing.assert_array_equal(masks.hidden_degrees(3, 1, with_zero=True), [0] * 3)


def test_few_hidden_units_never_break_the_order():
    made = stirred(networks.MADE(6, 1, (2, 3), activation="tanh", dtype="float64"))
    (found,) = dependence(made)
    assert not np.triu(found).any()
