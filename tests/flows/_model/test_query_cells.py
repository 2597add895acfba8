"""Densities of cells given others against closed forms."""

import numpy as np
import pytest
from scipy import stats

import tfp_flows as tfpf
from tfp_flows.flows._model import query_cells


class Density:
    """What the integrals need of a flow."""

    cells = None

    def __init__(self, log_prob):
        self.log_prob = log_prob


def test_densities_of_cells_are_exact_along_narrow_lines(monkeypatch):
    monkeypatch.setattr(query_cells, "LINES", 50)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 3))
    x[:, 2] = x[:, 0] + 1e-3 * x[:, 2]  # a copy but for a thousandth
    loc, covariance = x.mean(axis=0), np.cov(x.T)
    flow = Density(stats.multivariate_normal(loc, covariance).logpdf)
    rows = np.concatenate([x[:60], [[9.0, 0.0, 9.0], [0.0, 0.0, 0.02]]])
    found = query_cells.log_given_others(flow, rows, x[:1_000], [0, 2])
    precision = np.linalg.inv(covariance)
    z = (rows - loc) @ precision
    for place, j in enumerate((0, 2)):
        scale = precision[j, j] ** -0.5
        exact = stats.norm.logpdf(z[:, j] / precision[j, j], scale=scale)
        np.testing.assert_allclose(found[:, place], exact, atol=0.03)


def test_masses_far_from_what_is_expected_are_found():
    """Two arms: given the first coordinate, the second is near +-10 times its size."""

    def log_prob(x):
        arms = [stats.norm.logpdf(x[:, 1], s * 10 * x[:, 0], 0.2) for s in (-1, 1)]
        return stats.norm.logpdf(x[:, 0]) + np.logaddexp(*arms) - np.log(2.0)

    rng = np.random.default_rng(1)
    x = rng.normal(size=(1_000, 2))
    x[:, 1] = 10 * x[:, 0] * rng.choice([-1, 1], 1_000) + 0.2 * x[:, 1]
    found = query_cells.log_given_others(Density(log_prob), x[:200], x, [1])[:, 0]
    exact = log_prob(x[:200]) - stats.norm.logpdf(x[:200, 0])
    np.testing.assert_allclose(found, exact, atol=0.05)


def test_peaks_that_no_point_shows_are_said(monkeypatch):
    monkeypatch.setattr(query_cells, "MOST_ROUNDS", 4)

    def log_prob(x):
        return stats.norm.logpdf(x[:, 0]) + stats.norm.logpdf(
            x[:, 1], np.sin(40 * x[:, 0]), 1e-4
        )

    x = np.random.default_rng(2).normal(size=(500, 2))
    x[:, 1] = np.sin(40 * x[:, 0])
    with pytest.warns(UserWarning, match="of 50 densities of cells given the others"):
        query_cells.log_given_others(Density(log_prob), x[:50], x, [1])


def test_bounds_and_angles_have_lines_of_their_own():
    rng = np.random.default_rng(3)
    x = np.column_stack(
        [rng.uniform(size=400), rng.gamma(2.0, size=400), rng.uniform(0, 360, size=400)]
    )
    columns = [("bounded", 0, 1), "positive", ("periodic", 0, 360)]
    flow = tfpf.flows.build(
        "nsf", 3, preprocessing=columns, num_layers=2, hidden_units=(8,),
        dtype="float64", seed=0,
    )  # fmt: skip
    flow.adapt(x)
    rows = x[:3]
    found = query_cells.log_given_others(flow, rows, x, [0, 1, 2])
    for j, (low, high) in enumerate(((0, 1), (0, 60), (0, 360))):
        edges = np.linspace(low, high, 20_001)
        middles = 0.5 * (edges[1:] + edges[:-1])
        for i, row in enumerate(rows):
            line = np.repeat(row[np.newaxis], len(middles), axis=0)
            line[:, j] = middles
            density = np.exp(flow.log_prob(line).numpy()).sum() * (edges[1] - edges[0])
            exact = flow.log_prob(row).numpy() - np.log(density)
            np.testing.assert_allclose(found[i, j], exact, atol=0.03)
    outside = np.array([[0.5, -1.0, 90.0]])
    found = query_cells.log_given_others(flow, outside, x, [0, 1, 2])
    assert np.isneginf(found[0, 1])
    assert np.isnan(found[0, [0, 2]]).all()


def test_masses_of_discrete_columns_are_summed():
    """Counts, a long grid, labels, and amounts with an atom, against all values."""
    rng = np.random.default_rng(4)
    g = rng.normal(size=400)
    x = np.column_stack(
        [
            rng.poisson(np.exp(0.5 * g)),
            0.5 * np.round(10 * (g + rng.normal(size=400))),
            rng.integers(0, 3, size=400),
            np.where(rng.uniform(size=400) < 0.3, 0.0, rng.gamma(2.0, size=400)),
        ]
    )
    labels = ("category", [0, 1, 2])
    columns = ["integer", ("rounded", 0.5), labels, ["positive", ("atom", 0.0)]]
    flow = tfpf.flows.build(
        "nsf", 4, preprocessing=columns, num_layers=1, hidden_units=(8,),
        dtype="float64", seed=0,
    )  # fmt: skip
    flow.adapt(x)
    rows = np.concatenate([x[:1], [[60.0, 0.0, 1.0, 0.0]]])  # a count far from all
    found = query_cells.log_given_others(flow, rows, x, range(4))
    edges = np.linspace(0.0, 60.0, 601)
    lines = {
        0: (np.arange(-6.0, 64.0), 1.0),
        1: (0.5 * np.arange(-120, 121), 0.5),
        2: (np.arange(3.0), 1.0),
        3: (0.5 * (edges[1:] + edges[:-1]), edges[1]),
    }
    for j, (values, weight) in lines.items():
        for i, row in enumerate(rows):
            line = np.repeat(row[np.newaxis], len(values), axis=0)
            line[:, j] = values
            masses = flow.log_prob(line).numpy() + np.log(weight)
            if j == 3:
                line[0, j] = 0.0
                masses = np.append(masses, flow.log_prob(line[:1]).numpy())
            exact = flow.log_prob(row).numpy() - np.logaddexp.reduce(masses)
            np.testing.assert_allclose(found[i, j], exact, atol=0.03)
    outside = np.array([[0.5, 0.0, 1.0, 0.0], [0.0, 0.0, 7.0, 1.0]])
    found = query_cells.log_given_others(flow, outside, x, range(4))
    assert np.isneginf(found[[0, 1], [0, 2]]).all()
    assert np.isnan(found[0, 1:]).all()
