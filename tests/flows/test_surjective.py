"""Augmented and symmetric flows: what they are densities of, and what they learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from tests.flows import small
from tfp_flows import flows, training


def two_sides(rows=400, seed=0):
    """Return clouds at both sides of 3 in the first column."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2)) * [0.5, 1.0]
    x[:, 0] = 3.0 + (2.0 + x[:, 0]) * rng.choice([-1.0, 1.0], rows)
    return x.astype("float32")


def entropy_of_two_sides():
    return 2.0 * 0.5 * np.log(2.0 * np.pi * np.e) + np.log(0.5) + np.log(2.0)


def augmented(scale=0.3, **options):
    flow = small.build("augmented", 1, dtype="float64", **options)
    flow.adapt(np.random.default_rng(0).normal(size=(200, 1)))
    return small.perturbed(flow, scale)


def test_augmented_density_is_that_of_the_samples_and_integrates_to_one():
    flow = augmented(0.1, num_draws=512)
    grid = np.linspace(-30.0, 30.0, 1201)[:, None]
    p = np.exp(flow.log_prob(grid))
    np.testing.assert_allclose(integrate.trapezoid(p, grid[:, 0]), 1.0, atol=0.02)
    x = flow.sample(4000, seed=1).numpy()[:, 0]
    share = integrate.trapezoid(np.where(grid[:, 0] < 0.3, p, 0.0), grid[:, 0])
    np.testing.assert_allclose(np.mean(x < 0.3), share, atol=0.06)


def test_more_draws_close_the_bound_of_an_augmented_flow():
    flow = augmented(0.15)
    x = np.random.default_rng(1).normal(size=(1000, 1))
    bounds = [flow.importance_log_prob(x, num_draws=k).mean() for k in (1, 8, 512)]
    assert bounds[0] < bounds[1] < bounds[2]
    best = flow.importance_log_prob(x[:5], num_draws=4096, seed=3)
    again = flow.importance_log_prob(x[:5], num_draws=4096, seed=4)
    np.testing.assert_allclose(best, again, atol=0.3)
    np.testing.assert_array_equal(
        flow.importance_log_prob(x, num_draws=8),
        flow.importance_log_prob(x, num_draws=8),
    )
    few = flow.importance_log_prob(x[:3], num_draws=70)  # two blocks of draws
    np.testing.assert_allclose(few, best[:3], atol=1.0)
    with pytest.raises(ValueError, match="`num_draws`"):
        flow.importance_log_prob(x, num_draws=0)
    with pytest.raises(ValueError, match="`x`"):
        flow.importance_log_prob(np.zeros([3, 2]))


@pytest.mark.slow
def test_augmented_flow_trains_and_knows_kinds_of_columns():
    x = two_sides()
    options = {**small.SMALL["augmented"], "num_draws": 16, "hidden_units": (16,)}
    options |= {"num_layers": 4, "epochs": 8, "verbose": 0, "seed": 0}
    options |= {"jit_compile": False, "batch_size": 64}
    flow, history = training.fit("augmented", x, **options)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert flow.is_bound
    assert np.all(np.isfinite(flow.sample(200, seed=1)))
    counts = np.random.default_rng(0).poisson(3.0, size=(100, 1)).astype("float32")
    kinds = {"count": ("integer", "positive")}
    whole = small.build("augmented", 1, columns=kinds, num_draws=256)
    whole.adapt(counts)
    whole.compile("adam")
    whole.fit(counts, epochs=1, verbose=0)
    values = np.arange(60.0, dtype="float32")[:, None]
    np.testing.assert_allclose(np.exp(whole.log_prob(values)).sum(), 1.0, atol=0.05)
    with pytest.raises(ValueError, match="columns that are numbers"):
        whole.importance_log_prob(counts)


def test_symmetric_flow_learns_one_side_from_both():
    x = two_sides()
    options = {**small.SMALL["symmetric"], "hidden_units": (16,), "center": 3.0}
    options |= {"epochs": 25, "verbose": 0, "seed": 0, "jit_compile": False}
    flow, _ = training.fit("symmetric", x, batch_size=64, **options)
    assert not flow.is_bound
    new = two_sides(seed=1)
    mirrored = new * [-1.0, 1.0] + [6.0, 0.0]
    np.testing.assert_allclose(
        flow.log_prob(new), flow.log_prob(mirrored.astype("float32")), atol=1e-3
    )
    assert -np.mean(flow.log_prob(new)) < entropy_of_two_sides() + 0.3
    drawn = flow.sample(1000, seed=1).numpy()[:, 0]
    np.testing.assert_allclose(np.mean(drawn > 3.0), 0.5, atol=0.08)


def test_symmetric_flow_around_the_mean_of_data_has_mass_one():
    flow = small.build("symmetric", 1, dtype="float64")
    flow.adapt(two_sides()[:, :1].astype("float64"))
    flow = small.perturbed(flow, 0.3)
    grid = np.linspace(-60.0, 60.0, 6001)[:, None]
    p = np.exp(flow.log_prob(grid))
    np.testing.assert_allclose(integrate.trapezoid(p, grid[:, 0]), 1.0, atol=1e-3)


@pytest.mark.slow
def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="`event_shape` must be the size of vectors"):
        flows.build("augmented", (2, 2))
    with pytest.raises(ValueError, match="`component` must be trained by gradients"):
        flows.build("augmented", 2, component="mixture")
    with pytest.raises(ValueError, match="must be plain numbers"):
        flows.build("symmetric", 1, columns={"a": "positive"})
    with pytest.raises(ValueError, match="`center` must be one number"):
        flows.build("symmetric", 2, axes=(0, 1), center=(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match="size of events"):
        flows.build("symmetric", 2, axes=(2,))
    with pytest.raises(ValueError, match="`num_noise`"):
        flows.build("augmented", 2, num_noise=0)
