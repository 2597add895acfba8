"""Panels of a Gaussianization, information per layer, marginals."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import tfp_flows
from tfp_flows import datasets, flows, plots


@pytest.fixture(scope="module")
def x():
    """Return 200 points."""
    return datasets.toy("banana", 200)


@pytest.fixture(scope="module")
def fitted(x):
    """Return a small greedy fit, and its history."""
    return tfp_flows.fit("rbig", x, epochs=2, num_bins=16, seed=0, verbose=0)


def test_panels_lead_from_the_data_to_the_base(x, fitted):
    flow, _ = fitted
    axes = plots.gaussianization(flow, x, ks=[0, 1, flow.num_maps])
    assert [ax.get_title() for ax in axes[:2]] == ["data", "behind 1 map"]
    first, *_, last = (ax.collections[0].get_offsets() for ax in axes)
    np.testing.assert_allclose(first, x, atol=1e-3)
    np.testing.assert_allclose(last, flow.bijector().inverse(x), atol=1e-4)
    whole = plots.gaussianization(flow, x)
    assert len(whole) == min(flow.num_maps + 1, 10)


def test_panels_go_on_a_given_figure_and_need_two_numbers(x, fitted):
    figure = Figure()
    axes = plots.gaussianization(fitted[0], x, ks=[0], figure=figure)
    assert axes[0].figure is figure
    with pytest.raises(ValueError, match="Draw `marginals` instead"):
        plots.gaussianization(flows.build("linear", 1), x[:, :1])


def test_information_adds_up(fitted):
    _, history = fitted
    ax = plots.information_per_layer(history)
    assert len(ax.patches) == len(history.history["information"])
    (held_out,) = ax.lines
    np.testing.assert_allclose(held_out.get_ydata(), history.history["val_information"])
    total = next(other for other in ax.figure.axes if other is not ax).lines[0]
    np.testing.assert_allclose(
        total.get_ydata(), np.cumsum(history.history["val_information"])
    )
    with pytest.raises(ValueError, match=r"must hold 'information', got \['loss'\]"):
        plots.information_per_layer({"loss": [1.0]})


def test_marginals_have_a_column_each(x):
    flow = flows.build("linear", 2, columns=["left", "right"], seed=0)
    flow.adapt(x)
    axes = plots.marginals(flow, x, columns=[1])
    assert axes.shape == (2, 1)
    assert [ax.get_xlabel() for ax in axes[:, 0]] == ["right", "z1"]
    heights = [patch.get_height() for patch in axes[0, 0].patches]
    assert max(heights) > 0


def test_discrete_columns_are_drawn_as_they_are_and_spread():
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=60), rng.integers(0, 4, size=60)], axis=-1)
    kinds = {"a": "continuous", "b": "integer"}
    flow = flows.build("linear", 2, columns=kinds, seed=0)
    flow.adapt(x)
    first, *_, last = plots.gaussianization(flow, x, ks=[0, flow.num_maps])
    np.testing.assert_allclose(first.collections[0].get_offsets(), x, atol=1e-6)
    z = last.collections[0].get_offsets()
    assert len(np.unique(np.round(z[:, 1], 6))) > 50
    drawn = plots.layers(flow, ks=[flow.num_maps], num_samples=50, density=False)
    values = drawn[0].collections[0].get_offsets()[:, 1]
    np.testing.assert_array_equal(values, np.round(values))
