"""What forward mode cannot pass is named."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tfp_flows import bijectors, networks


def tangent(function, x):
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
        y = function(x)
    return accumulator.jvp(y)


def test_loops_of_graphs_are_named_and_work_in_eager_mode():
    field = networks.VectorField(2, (4,), seed=0)
    field.weights[-1].assign([1.0, 2.0])
    solved = bijectors.NeuralODE(field, num_steps=2)
    x = tf.constant([[0.3, -0.1]])
    traced = tf.function(lambda x: tangent(solved.forward, x), autograph=False)
    with pytest.raises(NotImplementedError, match="cannot pass a loop of `NeuralODE`"):
        traced(x)
    assert tangent(solved.forward, x).numpy().tolist() == [[1.0, 1.0]]


def test_other_mistakes_keep_their_sentences():
    scale = bijectors.ActNorm.trainable(2)
    traced = tf.function(lambda x: tangent(scale.forward, x), autograph=False)
    with pytest.raises(ValueError, match="must have"):
        traced(tf.ones([3, 4]))
    assert traced(tf.ones([3, 2])).numpy().tolist() == [[1.0, 1.0]] * 3
