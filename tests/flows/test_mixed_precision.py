"""Keras' mixed policies: networks in half precision, densities in float32."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.flows import cases, small
from tfp_flows import flows

# Of each kind one runs every time.
QUICK = ("maf", "any-order", "glow", "sphere")
# Digits of a network in half precision, in nats of a coordinate: 10 bits, or 7.
GAPS = {"mixed_float16": 0.01, "mixed_bfloat16": 0.1}


@pytest.fixture(params=GAPS)
def policy(request):
    """Set one policy for all, as users of Keras do."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def events(name):
    """Return the shape of an event, and 16 events."""
    rng = np.random.default_rng(0)
    if name in flows.image_names():
        return (4, 4, 1), rng.integers(0, 256, size=(16, 4, 4, 1)).astype("float32")
    if name in flows.manifold_names():
        x = rng.normal(size=(16, 3))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return (3,), x.astype("float32")
    return (2,), small.table(16)


def build(name, event_shape, **options):
    """Build a small flow; pictures keep their noise and their logit."""
    own = dict(cases.SMALL[name])
    if name in flows.image_names():
        own = {k: v for k, v in own.items() if k not in ("dequantize", "logit_alpha")}
    return flows.build(name, event_shape, seed=0, **own, **options)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in flows.all_names()
    ],
)
def test_flows_train_and_answer_in_float32_under_a_mixed_policy(name, policy):
    event_shape, x = events(name)
    flow = build(name, event_shape)
    assert flow.dtype_policy.name == policy
    flow.compile("adam", run_eagerly=True, jit_compile=False)
    losses = flow.fit(x, batch_size=8, epochs=1, shuffle=False, verbose=0).history
    assert np.isfinite(losses["loss"][0])
    assert {v.dtype for v in flow.trainable_variables} == {"float32"}
    small.perturbed(flow, 0.05)
    log_prob = flow.distribution().log_prob(x)
    samples = flow.distribution().sample(4, seed=1)
    for found in (log_prob, samples):
        assert found.dtype == tf.float32
        assert np.isfinite(found).all()
    twin = build(name, event_shape, dtype="float32")
    twin.set_weights(flow.get_weights())
    gap = np.abs(log_prob - twin.distribution().log_prob(x)).max()
    assert gap < GAPS[policy] * np.prod(event_shape)
