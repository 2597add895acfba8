"""Directions that a greedy fit looks for, and the race of its initial layers."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows.training.greedy import directions, initial_layers, marginals
from tfp_flows.training.greedy import rows as training_rows


def normal(rows, size, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, size))


@pytest.mark.parametrize("method", ["random", "pca", "ica", "sliced"])
def test_rotations_are_orthogonal(method):
    rng = np.random.default_rng(0)
    matrix = directions.find_rotation(method, normal(300, 4), rng)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(4), atol=1e-9)
    alone = directions.find_rotation(method, normal(10, 1), rng)
    np.testing.assert_array_equal(alone, np.eye(1))


def test_methods_find_what_they_are_for():
    rng = np.random.default_rng(1)
    wide = np.array([0.6, 0.0, 0.8])
    x = normal(2000, 3) + 3.0 * normal(2000, 1, 1) * wide
    first = directions.find_rotation("pca", x, rng)[0]
    assert abs(first @ wide) > 0.99
    two = np.sign(normal(2000, 1, 2)) * wide  # two modes along one direction
    x = two + normal(2000, 3) - np.outer(normal(2000, 3) @ wide, wide) * 0.9
    for method in ("ica", "sliced"):
        found = directions.find_rotation(method, x / x.std(axis=0), rng)
        assert np.abs(found @ wide).max() > 0.9, method


def test_conditional_step_names_the_feature_that_scales_the_others():
    x = normal(2000, 3)
    x[:, [0, 1]] *= np.exp(0.7 * x[:, 2:])
    rows = training_rows.Rows([x], 0.0, 12)
    step, gain = directions.conditional_affine_step(rows, [np.eye(3)])
    np.testing.assert_array_equal(np.abs(step.rotation[0]), [0.0, 0.0, 1.0])
    assert gain > 0.1
    rows = training_rows.Rows([normal(2000, 3)], 0.0, 12)
    step, gain = directions.conditional_affine_step(rows, [np.eye(3)])
    assert step is None
    assert gain == 0.0


@pytest.mark.parametrize("winner", ["white", "marginal"])
def test_race_is_won_by_what_the_data_are(winner):
    x = normal(1200, 2)
    x[:, 1] += x[:, 0]
    if winner == "marginal":
        x = np.random.default_rng(0).exponential(size=(1200, 2))
    rows = training_rows.Rows([x[:900], x[900:]], 0.0, 24)
    options = {"rotation": "auto", "marginals": "table"}
    behind, name = initial_layers.race(rows, options, np.random.default_rng(0))
    assert name == winner
    assert behind.losses()[1] < rows.losses()[1]


def test_one_feature_has_one_candidate():
    rows = training_rows.Rows([normal(300, 1)], 0.0, 24)
    options = {"rotation": "auto", "marginals": "spline"}
    _, name = initial_layers.race(rows, options, np.random.default_rng(0))
    assert name == "marginal"


def test_marginal_of_normal_rows_is_a_straight_line():
    u = 3.0 + 2.0 * normal(600, 2)
    folds = np.arange(600) % 5
    positions, values, log_slopes = marginals.best_knots(u, folds, 24, mixtures=True)
    np.testing.assert_allclose(log_slopes, np.log(0.5), atol=0.1)
    np.testing.assert_allclose(values, (positions - 3.0) / 2.0, atol=0.3)


def test_modes_are_told_apart_by_mixtures_only():
    u = np.where(normal(900, 1) > 0, 5.0, -5.0) + 0.3 * normal(900, 1, 1)
    folds = np.arange(900) % 5
    losses = []
    test = np.where(normal(900, 1, 2) > 0, 5.0, -5.0) + 0.3 * normal(900, 1, 3)
    for mixtures in (False, True):
        knots = marginals.best_knots(u, folds, 24, mixtures=mixtures)
        values, log_det = marginals.layers.table(test, knots)
        losses.append(np.mean(0.5 * values**2 - log_det))
    assert losses[1] < losses[0] - 0.02


def test_constant_features_have_deviation_1():
    u = np.stack([np.ones(5), np.arange(5.0)], axis=1)
    np.testing.assert_allclose(marginals.deviations(u), [1.0, np.sqrt(2.0)])
