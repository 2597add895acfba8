"""What is said where TFP and NumPy do not go together."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import _numpy_guard

NEW_NUMPY = "newshape" not in inspect.signature(np.reshape).parameters


def test_error_over_the_missing_word_says_what_to_install():
    @_numpy_guard.explained
    def fails(self, word):
        np.zeros(1).reshape(**{word: [1]})

    with pytest.raises(RuntimeError, match=r"`Pad`, .* do not work .* numpy<2\.4"):
        fails(None, "newshape")
    with pytest.raises(TypeError, match="another"):
        fails(None, "another")
    assert list(inspect.signature(fails).parameters) == ["self", "word"]


@pytest.mark.skipif(NEW_NUMPY, reason="this NumPy does not know the word any more")
def test_maps_of_tfp_that_pad_work_in_chains():
    chain = tfpf.bijectors.Chain([tfb.SoftmaxCentered(), tfb.Shift(1.0)])
    x = tf.constant([[0.5, -1.0]])
    np.testing.assert_allclose(chain.inverse(tf.identity(chain.forward(x))), x, 1e-5)


@pytest.mark.skipif(not NEW_NUMPY, reason="this NumPy still knows the word")
def test_maps_of_tfp_that_pad_are_explained():
    assert tfpf.bijectors.Chain([tfb.Exp()])  # whatever of ours comes first
    dirichlet = tfd.Dirichlet([1.0, 2.0]).experimental_default_event_space_bijector
    for make in (tfb.Pad, tfb.SoftmaxCentered, tfb.UnitVector, dirichlet):
        with pytest.raises(RuntimeError, match=r"Install numpy<2\.4"):
            make()
