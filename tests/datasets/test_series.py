"""Simulated series have the moments of their process."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows import datasets


def test_series_have_the_variance_and_correlation_of_their_process():
    x = datasets.autoregressive_series(
        20000, 3, coefficients=(0.6,), noise=2.0, seed=0
    ).astype("float64")
    assert x.dtype == "float64"
    np.testing.assert_allclose(x.var(axis=0), 4.0 / (1.0 - 0.36), rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(x.T)[0], [1.0, 0.6, 0.36], atol=0.03)


def test_times_are_what_the_coefficients_say():
    x = datasets.autoregressive_series(
        5, 30, coefficients=(1.6, -0.9), noise=1e-6, seed=0
    )
    wanted = 1.6 * x[:, 1:-1] - 0.9 * x[:, :-2]
    np.testing.assert_allclose(x[:, 2:], wanted, atol=1e-5)
    again = datasets.autoregressive_series(
        5, 30, coefficients=(1.6, -0.9), noise=1e-6, seed=0
    )
    np.testing.assert_array_equal(x, again)


def test_series_of_sines_follow_the_equation_of_two_frequencies():
    x = datasets.sine_series(4, 100, noise=0.0, seed=0).astype("float64")
    # Each sine is rid of by `x[t + 1] - 2 cos(w) x[t] + x[t - 1]`, of its own `w`.
    spectrum = np.abs(np.fft.rfft(x * np.hanning(100), 4_000, axis=1))
    for series, power in zip(x, spectrum, strict=True):
        assert 1.0 <= np.argmax(power) / 40.0 <= 8.5
        a = np.stack([series[3:-1] + series[1:-3], series[2:-2]], axis=1)
        wanted = series[4:] + series[:-4]
        found = np.linalg.lstsq(a, wanted, rcond=None)[0]
        np.testing.assert_allclose(a @ found, wanted, atol=1e-4)
    noisy = datasets.sine_series(2_000, 20, waves=1, noise=0.5, seed=0)
    np.testing.assert_allclose(noisy.astype("float64").var(), 0.75, rtol=0.05)
    again = datasets.sine_series(2_000, 20, waves=1, noise=0.5, seed=0)
    np.testing.assert_array_equal(noisy, again)


def test_wrong_sines_are_named():
    with pytest.raises(ValueError, match="`frequencies` must be two numbers from 0"):
        datasets.sine_series(2, frequencies=(8.0, 1.0))
    with pytest.raises(ValueError, match="`noise` must not be negative"):
        datasets.sine_series(2, noise=-1.0)
    with pytest.raises(ValueError, match="`waves` must be at least 1"):
        datasets.sine_series(2, waves=0)


def test_series_that_grow_without_end_are_refused():
    with pytest.raises(ValueError, match="`coefficients` must be those of a stationar"):
        datasets.autoregressive_series(2, coefficients=(1.01,))
    with pytest.raises(ValueError, match="`length` must be at least 1"):
        datasets.autoregressive_series(2, 0)
