"""Fits with a base of bounded support."""

from __future__ import annotations

import numpy as np
import pytest

import tfp_flows as tfpf

X = np.random.default_rng(0).normal(size=(300, 2)).astype("float32")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsf", "nsf-ar"])
def test_box_is_mapped_to_the_range_of_the_data(name):
    options = {"hidden_units": (8, 8), "num_layers": 2, "base": "uniform"}
    flow, _ = tfpf.fit(name, X, epochs=2, seed=0, verbose=0, **options)
    assert np.all(np.isfinite(flow.log_prob(X)))
    outside = [[9.0, 0.0], [0.0, -9.0], [9.0, 9.0]]
    np.testing.assert_array_equal(flow.log_prob(outside), -np.inf)
    samples = flow.sample(500, seed=1).numpy()
    assert np.all(samples < 1.2 * X.max(axis=0))
    assert np.all(samples > 1.2 * X.min(axis=0))


@pytest.mark.parametrize("name", ["maf", "linear"])
def test_flow_that_leaves_the_box_refuses_the_base(name):
    with pytest.raises(ValueError, match=r"`base` must have tails .* 'uniform'"):
        tfpf.fit(name, X, base="uniform", epochs=1, verbose=0)
