"""Functions that several objects have traced, each for itself."""

from __future__ import annotations

import logging

import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import _graphs


def test_functions_are_traced_once_for_each_shape():
    shapes = []

    def doubled(x):
        shapes.append(x.shape)
        return 2.0 * x

    function = _graphs.traced(doubled)
    for size in (2, 3, 2, 3):
        assert function(tf.ones([size])).numpy().tolist() == [2.0] * size
    assert shapes == [[2], [3]]
    everywhere = _graphs.traced(doubled, input_signature=[tf.TensorSpec([None])])
    for size in (2, 3):
        assert everywhere(tf.ones([size])).shape == [size]
    assert len(shapes) == 3


def test_calls_one_after_the_other_are_no_retracing(caplog, monkeypatch):
    caplog.set_level(logging.WARNING, logger="tensorflow")
    monkeypatch.setattr(tf.get_logger(), "propagate", True)
    for seed in range(7):
        tfpf.inference.importance_sample(
            tfd.Normal(0.0, 1.0), tfd.Normal(0.0, 1.5), 50, seed=seed
        )
    assert "retracing" not in caplog.text
