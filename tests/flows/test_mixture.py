"""Mixtures of flows that are trained together."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate

from tests.flows import small
from tfp_flows import flows, training
from tfp_flows.distributions.members import MixtureOfMembers


def two_groups(rows=300, seed=0):
    """Return two tight groups of points, far from each other, and which is which."""
    rng = np.random.default_rng(seed)
    which = rng.uniform(size=rows) < 0.25
    x = rng.normal(size=(rows, 2)) * 0.3 + np.where(which[:, None], 4.0, -4.0)
    return x.astype("float32"), which


def test_density_is_the_weighted_sum_of_its_components_and_has_mass_one():
    flow = small.build("mixture", 1, dtype="float64")
    flow.adapt(two_groups()[0][:, :1])
    flow = small.perturbed(flow, 0.2)
    grid = np.linspace(-40.0, 40.0, 8001)[:, None]
    p = np.exp(flow.log_prob(grid))
    np.testing.assert_allclose(integrate.trapezoid(p, grid[:, 0]), 1.0, atol=1e-4)
    z = flow.bijector().inverse(grid)
    log_det = flow.bijector().inverse_log_det_jacobian(tf.identity(z) * 0.0 + grid, 1)
    parts = [np.exp(part.log_prob(z) + log_det) for part in flow.components]
    np.testing.assert_allclose(
        np.tensordot(flow.component_weights(), parts, 1), p, atol=1e-300
    )


def test_components_start_at_clusters_and_train_together():
    x, which = two_groups()
    options = {**small.SMALL["mixture"], "epochs": 6, "verbose": 0, "seed": 0}
    flow, _ = training.fit("mixture", x, jit_compile=False, **options)
    weights = np.sort(flow.component_weights())
    np.testing.assert_allclose(weights, [which.mean(), 1.0 - which.mean()], atol=0.03)
    likely = np.argmax(flow.responsibilities(x), axis=0)
    assert np.all(likely == likely[0] + (which != which[0]) * (1 - 2 * likely[0]))
    # Two normal groups, and the entropy of which it is.
    entropy = 2.0 * np.log(0.3 * np.sqrt(2.0 * np.pi * np.e)) + 0.56
    assert -np.mean(flow.log_prob(two_groups(seed=1)[0])) < entropy + 0.15
    assert all(v.trainable for v in flow.trainable_variables)
    drawn = flow.sample(400, seed=1).numpy()
    np.testing.assert_allclose(np.mean(drawn[:, 0] > 0.0), which.mean(), atol=0.08)
    assert np.abs(drawn).max() < 12.0


def test_weights_depend_on_the_condition():
    flow = small.perturbed(small.build("mixture", 2, 1), 1.0)
    condition = np.array([[-2.0], [0.0], [2.0]], np.float32)
    weights = flow.component_weights(condition).numpy()
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, rtol=1e-6)
    assert np.ptp(weights[0]) > 0.01
    x = small.table(3)
    batch = flow.distribution(condition)
    assert isinstance(batch.distribution, MixtureOfMembers)
    for i in range(3):
        for one in (batch[i], flow.distribution(condition[i])):
            np.testing.assert_allclose(
                one.log_prob(x[i]), flow.log_prob(x, condition)[i], rtol=1e-5
            )
    assert batch.sample(5, seed=[0, 1]).shape == (5, 3, 2)


def test_what_can_be_no_component_is_refused():
    for name in ("rbig", "mixture"):
        with pytest.raises(
            ValueError, match="`component` must be trained by gradients"
        ):
            flows.build("mixture", 2, component=name)
    with pytest.raises(ValueError, match="`component` must be one of"):
        flows.build("mixture", 2, component="glow")
    with pytest.raises(TypeError, match="num_bins"):
        flows.build("mixture", 2, component="maf", component_options={"num_bins": 3})
    with pytest.raises(ValueError, match="`base` must have tails"):
        flows.build("mixture", 2, base="uniform")
    with pytest.raises(ValueError, match="mixture already"):
        flows.build("mixture", 2, members=2)
