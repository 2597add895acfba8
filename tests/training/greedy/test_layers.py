"""Layers of a greedy fit: what they make of rows is what the flow does."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows import flows
from tfp_flows.math.gaussianization import components
from tfp_flows.training.greedy import directions, estimates, layers
from tfp_flows.training.greedy import rows as training_rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 2))
X[:, 1] += 0.5 * X[:, 0] ** 2


def all_layers():
    """Return rows behind one layer of each step."""
    rows = training_rows.Rows([X], 0.0, 12)
    matrix = directions.find_rotation("random", X, RNG)
    found = components.fit(X, 2, RNG, max_steps=5, tolerance=1e-3)
    for step in (
        estimates.Step("mixture", mixture=found),
        estimates.Step("white"),
        estimates.Step("radius"),
        rows.rotation_step("quantile", matrix),
        rows.rotation_step("conditional-affine", np.eye(2)[::-1]),
        estimates.Step("ratio", share=0.5),
    ):
        rows.apply_layer(step)
    rows.marginal = "table"
    rows.apply_layer(estimates.Step("quantile"))
    return rows


@pytest.fixture(scope="module")
def made():
    rows = all_layers()
    flow = flows.build("rbig", 2, num_bins=12, dtype="float64")
    layers.write(flow, rows.layers)
    return rows, flow


def test_flow_maps_rows_as_its_layers_did(made):
    rows, flow = made
    assert set(flow.layer_types) == {
        "mixture",
        "spline",
        "radial",
        "conditional-affine",
        "table",
    }
    z = flow.bijector().inverse(X)
    # Rows are kept in float32.
    np.testing.assert_allclose(z, rows.parts[0], atol=2e-3)
    np.testing.assert_allclose(-flow.log_prob(X), rows.row_losses()[0], atol=1e-2)


def test_layers_that_are_read_are_those_that_were_written(made):
    rows, flow = made
    found = layers.read(flow)
    assert [type(layer) for layer in found] == [type(layer) for layer in rows.layers]
    z, total = X, np.zeros(len(X))
    for layer in found:
        z, log_det = layer.apply(z)
        total += log_det
    np.testing.assert_allclose(z, flow.bijector().inverse(X), atol=1e-8)
    log_prob = total - layers.normal_losses(z)
    np.testing.assert_allclose(log_prob, flow.log_prob(X), atol=1e-8)


def test_rows_of_other_data_are_not_changed_by_a_copy(made):
    rows, _ = made
    before, number = rows.parts[0].copy(), len(rows.layers)
    twin = rows.copy()
    twin.apply_layer(estimates.Step("white"))
    np.testing.assert_array_equal(rows.parts[0], before)
    assert len(rows.layers) == number
    assert len(twin.layers) == number + 1


def test_rotations_of_white_rows_are_kept_in_the_axes_of_the_data():
    matrix = directions.find_rotation("random", X, RNG)
    rows = training_rows.Rows([X], 0.0, 12)
    rows.apply_layer(estimates.Step("white"))
    step = rows.rotation_step("quantile", matrix)
    rows.apply_layer(step)
    np.testing.assert_allclose(rows.layers[1].rotation, matrix, atol=1e-6)
    # Principal directions of other rows may have other signs.
    other = training_rows.Rows([X * [1.0, -1.0]], 0.0, 12)
    other.apply_layer(estimates.Step("white"))
    frame = other.layers[0].rotation
    other.apply_layer(step)
    wanted = step.rotation @ frame.T
    np.testing.assert_allclose(other.layers[1].rotation, wanted, atol=1e-6)


def test_sums_over_shards_are_those_of_all_rows(monkeypatch):
    monkeypatch.setattr(training_rows, "CHUNK", 64)
    rows = training_rows.Rows([X, X[:10]], 0.0, 12)
    count, first = rows.total(lambda x, folds: (len(x), x.sum(axis=0)))
    assert count == len(X)
    np.testing.assert_allclose(first, X.sum(axis=0), rtol=1e-4)
    folds = np.bincount(rows.ranked_folds, minlength=estimates.NUM_FOLDS)
    assert np.ptp(folds) <= 1


def test_sample_is_bounded_and_its_rows_are_of_the_training_part(monkeypatch):
    monkeypatch.setattr(training_rows, "SEARCH_ROWS", 50)
    rows = training_rows.Rows([X, X], 0.0, 12)
    few = rows.subset()
    assert [len(part) for part in few.parts] == [50, 50]
    np.testing.assert_array_equal(few.parts[0], rows.sample)
    np.testing.assert_array_equal(few.sample, rows.sample)
    np.testing.assert_array_equal(few.ranked_folds, rows.sample_folds)
