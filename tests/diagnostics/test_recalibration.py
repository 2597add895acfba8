"""Calibration: wrong levels are mended, right ones stay, sets hold what they say."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import integrate, stats
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows.diagnostics import recalibration
from tfp_flows.distributions import Recalibrated

SPLINE = recalibration._fitted(stats.beta(3, 2).ppf((np.arange(200) + 0.5) / 200), 1.0)


def linear(scale, dtype="float64"):
    """Return a flow of numbers that is a normal of mean 0 and this deviation."""
    flow = tfpf.flows.build("linear", (), 1, dtype=dtype, base="normal", seed=0)
    rows = scale * stats.norm.ppf((np.arange(500) + 0.5) / 500)
    flow.adapt(rows, np.zeros([500, 1]) + np.arange(500)[:, None] % 2)
    return flow


def rows(count, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=count), rng.integers(2, size=[count, 1]).astype(float)


def test_recalibrated_density_integrates_to_one_and_inverts():
    density = Recalibrated(tfd.Normal(tf.constant(0.0, tf.float64), 1.0), *SPLINE)
    grid = np.linspace(-9.0, 9.0, 20_001)
    total = integrate.trapezoid(density.prob(tf.constant(grid)), grid)
    assert total == pytest.approx(1.0, abs=1e-6)
    x = tf.constant([-1.0, 0.3, 2.0], tf.float64)
    np.testing.assert_allclose(density.quantile(density.cdf(x)), x, atol=1e-9)
    draws = density.sample(4000, seed=1).numpy()
    assert stats.kstest(draws, lambda v: density.cdf(v).numpy()).pvalue > 0.01


@pytest.mark.slow
def test_levels_of_too_narrow_a_flow_are_mended():
    flow = linear(0.7)
    better = tfpf.calibrate(flow, *rows(500, 0))
    x, c = rows(1000, 1)
    before = np.asarray(flow.log_prob(x, c)).mean()
    assert better.log_prob(x, c).mean() > before + 0.05
    held = np.abs(better.cdf(x, c) - 0.5) <= 0.45
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    for ends in (better.interval(c), np.concatenate(better.highest_density(c))):
        held = (x >= ends[:, 0]) & (x <= ends[:, 1])
        assert held.mean() == pytest.approx(0.9, abs=0.03)


def test_levels_of_a_calibrated_flow_stay():
    flow = linear(1.0)
    better = tfpf.calibrate(flow, *rows(200, 3))
    x, c = rows(500, 1)
    gain = better.log_prob(x, c) - np.asarray(flow.log_prob(x, c))
    assert abs(gain.mean()) < 0.01


@pytest.mark.slow
def test_sets_hold_at_least_what_they_say_whatever_the_flow():
    flow, held = linear(0.4), []
    for seed in range(4):
        better = tfpf.calibrate(flow, *rows(60, seed))
        x, c = rows(1000, 100 + seed)
        ends = better.interval(c)
        held.append(np.mean((x >= ends[:, 0]) & (x <= ends[:, 1])))
    assert np.mean(held) == pytest.approx(0.9 + 0.5 / 61, abs=0.03)


def test_a_set_of_two_modes_has_two_parts():
    grid = np.linspace(-3.0, 3.0, 101)
    log_density = np.logaddexp(-8 * (grid - 1.5) ** 2, -8 * (grid + 1.5) ** 2)
    found = recalibration._parts(grid, log_density, 0.6)
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found.mean(axis=1), [-1.5, 1.5], atol=0.05)


def test_a_promise_that_rows_cannot_keep_has_no_ends():
    better = tfpf.calibrate(linear(1.0), *rows(50, 0))
    assert np.all(np.isinf(better.interval([[0.0]], coverage=0.99)))
    assert np.all(np.isinf(better.highest_density([[0.0]], coverage=0.99)[0]))


def test_few_rows_and_other_flows_are_refused():
    with pytest.raises(ValueError, match="at least 50 rows"):
        tfpf.calibrate(linear(1.0), *rows(49, 0))
    with pytest.raises(ValueError, match="must be of numbers"):
        tfpf.calibrate(tfpf.flows.build("linear", 2), *rows(60, 0))
    with pytest.raises(ValueError, match="must be finite"):
        tfpf.calibrate(linear(1.0), np.full(60, np.nan), rows(60, 0)[1])


def test_sets_of_highest_density_come_from_flows_in_float32():
    better = tfpf.calibrate(linear(1.0, "float32"), *rows(200, 0))
    (ends,) = better.highest_density([[0.0]])
    np.testing.assert_allclose(ends[[0, -1], [0, 1]], [-1.645, 1.645], atol=0.35)


@pytest.fixture(scope="module")
def of_columns():
    """Return what is calibrated, of a target that follows one of two columns."""
    rng = np.random.default_rng(0)
    given = pd.DataFrame({"a": rng.uniform(-1, 1, 300), "b": rng.uniform(5, 9, 300)})
    y = 3.0 * given["a"].to_numpy() + 0.3 * rng.normal(size=300)
    flow, _ = tfpf.fit("linear", y[:200], given[:200], epochs=3, seed=0, verbose=0)
    return tfpf.calibrate(flow, y[200:], given[200:]), given[:4], y[:4]


def test_columns_of_a_frame_are_taken_by_their_names(of_columns):
    better, given, y = of_columns
    turned = given[["b", "a"]]
    for found in (
        lambda c: better.interval(c),
        lambda c: better.quantile([0.1, 0.5], c),
        lambda c: np.concatenate(better.highest_density(c)),
        lambda c: better.cdf(y, c),
        lambda c: better.log_prob(y, c),
    ):
        np.testing.assert_array_equal(found(turned), found(given))


def test_one_condition_is_one_row(of_columns):
    better, given, _ = of_columns
    wanted = better.interval(given)[:1]
    first = given.iloc[0]
    for one in (dict(first), first.to_numpy()):
        np.testing.assert_allclose(better.interval(one), wanted, atol=1e-5)
    assert better.interval(np.zeros([0, 2])).shape == (0, 2)


def test_conditions_and_levels_that_are_none_are_named(of_columns):
    better, given, y = of_columns
    with pytest.raises(ValueError, match=r"shape \(N, 2\), one row .* got \(3, 5\)"):
        better.interval(np.zeros([3, 5]))
    with pytest.raises(ValueError, match="NaN or infinity in row 2"):
        better.quantile(0.5, [[0.0, 6.0], [np.nan, 6.0]])
    with pytest.raises(ValueError, match="`levels` must be from 0 to 1"):
        better.quantile([0.5, 5.0], given)
    with pytest.raises(TypeError, match="`coverage` must be a plain number, got str"):
        better.interval(given, coverage="most")
    with pytest.raises(ValueError, match="one number for each condition"):
        better.log_prob(y[:1], given)
