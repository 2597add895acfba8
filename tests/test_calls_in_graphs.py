"""What trains or reads numbers says so where it is traced."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows
from tfp_flows import inference

NORMAL = tfd.MultivariateNormalDiag([0.0, 0.0])
X = np.zeros([100, 2], np.float32)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("fit_posterior", lambda: inference.fit_posterior(NORMAL)),
        ("sample_posterior", lambda: inference.sample_posterior(NORMAL)),
        ("importance_sample", lambda: inference.importance_sample(NORMAL, NORMAL, 9)),
        ("evidence", lambda: inference.evidence(NORMAL, X)),
        ("integrate", lambda: inference.integrate(lambda x: x[:, 0], dims=2)),
        ("simulate", lambda: inference.simulate(NORMAL, lambda t: t, 9)),
        ("sequential", lambda: inference.sequential(NORMAL, lambda t: t, X[0])),
        ("NPE.fit", lambda: inference.NPE(NORMAL).fit(X, X)),
        ("fit", lambda: tfp_flows.fit("linear", X)),
    ],
)
def test_calls_that_train_are_named_inside_of_a_function(name, call):
    traced = tf.function(call, autograph=False)
    with pytest.raises(ValueError, match=f"`{name}` must be called outside of a `tf."):
        traced()
