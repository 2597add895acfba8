"""Flows of series: forecasts, the exact density of the future, errors."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import bijectors, flows
from tfp_flows.flows.vectors import series


def build(shape=6, condition_shape=None, **options):
    given = {"width": 4, "seed": 0, "dtype": "float64", **options}
    return small.perturbed(flows.build("series", shape, condition_shape, **given), 0.3)


def test_forecasts_are_draws_given_the_past():
    flow = build(4, dilations=(1, 2), base="student-t")
    past = np.array([0.3, -0.7])
    draws = flow.forecast(past, 4000, seed=1).numpy()
    assert draws.shape == (4000, 2)
    exact = flow.conditional({0: past[0], 1: past[1]})
    # Levels of each time given those before are uniform.
    wanted = exact.sample(4000, seed=2).numpy()
    for one, other in zip(draws.T, wanted.T, strict=True):
        levels = np.linspace(0.1, 0.9, 9)
        spread = np.quantile(other, 0.9) - np.quantile(other, 0.1)
        gap = np.quantile(one, levels) - np.quantile(other, levels)
        assert np.abs(gap).max() < 0.12 * spread


def test_forecasts_of_many_pasts_with_channels_and_conditions():
    flow = build((5, 2), 3)
    past = np.random.default_rng(0).normal(size=(7, 2, 2))
    condition = np.ones([7, 3])
    draws = flow.forecast(past, 20, condition, seed=0)
    assert draws.shape == (20, 7, 3, 2)
    np.testing.assert_array_equal(draws, flow.forecast(past, 20, condition, seed=0))
    low, high = flow.forecast(past, 20, condition, quantiles=(0.1, 0.9), seed=0)
    assert low.shape == (7, 3, 2)
    assert np.all(low < high)
    np.testing.assert_allclose(low, np.quantile(draws, 0.1, axis=0))


def test_forecasts_in_parts_are_those_at_once(monkeypatch):
    flow = build((5, 2), dilations=(1, 2))
    past = np.random.default_rng(0).normal(size=(3, 2, 2))
    whole = flow.forecast(past, 7, seed=0).numpy()
    # Of 3 series with 10 numbers and 4 channels: two draws at once.
    monkeypatch.setattr(series, "NUMBERS_AT_ONCE", 250)
    calls = []
    forward = type(flow.bijector()).forward
    monkeypatch.setattr(
        type(flow.bijector()),
        "forward",
        lambda self, x, *args, **kw: calls.append(1) or forward(self, x, *args, **kw),
    )
    parts = flow.forecast(past, 7, seed=0).numpy()
    assert len(calls) == 4
    np.testing.assert_allclose(parts, whole, rtol=1e-9)


def test_the_past_changes_with_nothing_that_comes_later():
    flow = build(6)
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 6)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = flow.bijector().inverse(x)
    slopes = np.abs(tape.batch_jacobian(z, x)).max(axis=0) > 0
    np.testing.assert_array_equal(slopes, np.tri(6, dtype=bool))


@pytest.mark.slow
def test_forecasts_of_a_known_process_are_its_own():
    x = tfpf.datasets.autoregressive_series(2000, 12, coefficients=(0.9,), seed=0)
    flow = flows.build(
        "series", 12, transformer="affine", width=8, dilations=(1, 2), seed=0
    )
    flow, _ = tfpf.fit(flow, x, epochs=30, learning_rate=5e-3, seed=0, verbose=0)
    past = np.zeros([2, 8], "float32")
    past[:, -1] = -2.0, 3.0
    draws = flow.forecast(past, 2000, seed=0).numpy()
    for k in range(4):
        factor = 0.9 ** (k + 1)
        deviation = np.sqrt(sum(0.81**j for j in range(k + 1)))
        mean = draws[..., k].mean(axis=0)
        np.testing.assert_allclose(mean, factor * past[:, -1], atol=0.6)
        np.testing.assert_allclose(draws[..., k].std(axis=0), deviation, rtol=0.25)


@pytest.mark.parametrize(
    ("past", "match"),
    [
        (np.zeros(6), "`past` must be the first L times of series, .* from 1 to 5"),
        (np.zeros([3, 0]), "`past` must be the first L times"),
        (np.array([1.0, np.nan]), "`past` must be finite"),
        (None, "`past` must be numbers, got None"),
        (["a", "b"], "`past` must"),
    ],
)
def test_wrong_pasts_are_named(past, match):
    with pytest.raises((TypeError, ValueError), match=match):
        build().forecast(past)


def test_what_has_no_forecast_is_named():
    with pytest.raises(ValueError, match="ties the times together"):
        build(base="gaussian-mixture").forecast([1.0])
    with pytest.raises(ValueError, match=r"must be \(T,\) or \(T, C\)"):
        build((2, 2, 1))
    with pytest.raises(ValueError, match="`quantiles` must be at most"):
        build().forecast([1.0], quantiles=(0.5, 5.0))
    with pytest.raises(TypeError, match="order"):
        build(order="right-to-left")


def test_layers_take_any_transformer():
    flow = build(3, num_layers=2, transformer=bijectors.Affine())
    assert flow.forecast([1.0], 5, seed=0).shape == (5, 2)
