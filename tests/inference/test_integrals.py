"""Integrals over boxes, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows.inference import integrate

TINY = {"evaluations": 4_000, "num_layers": 2, "hidden_units": (16, 16), "steps": 60}


@pytest.mark.slow
def test_flow_beats_uniform_points_on_two_peaks_in_a_shifted_box():
    calls = []

    def peaks(x):
        calls.append(len(x))
        z = (x - [-1.0, 3.0]) / [4.0, 2.0]  # back to the unit square
        return np.exp(-200.0 * np.sum((z - 0.25) ** 2, axis=-1)) - 0.5 * np.exp(
            -200.0 * np.sum((z - 0.75) ** 2, axis=-1)
        )

    found = integrate(peaks, 2, box=([-1.0, 3.0], [3.0, 5.0]), seed=0, **TINY)
    truth = 8.0 * 0.5 * np.pi / 200.0
    assert abs(found.value - truth) < 4.0 * found.stderr
    # Uniform points: the squares integrate to pi / 400 * 1.25 of the unit square.
    uniform = np.sqrt(np.pi / 400.0 * 1.25) / (0.5 * np.pi / 200.0)
    assert found.relative_deviation < 0.5 * uniform
    assert sum(calls) == found.evaluations == 4_000
    assert len(found.rounds) == 4
    assert "agree" in repr(found)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda x: x, {}, "one number for each of"),
        (lambda x: x[:, 0] * np.nan, {}, "must be finite inside of the box"),
        (lambda x: x[:, 0] * 0.0, {}, "must not be 0 everywhere"),
        (lambda x: x[:, 0], {"box": (0.0, np.inf)}, "Map unbounded coordinates"),
        (lambda x: x[:, 0], {"box": (0.0,)}, "got 1 parts"),
        (lambda x: x[:, 0], {"evaluations": 10}, "at least 1000"),
    ],
)
def test_bad_arguments_are_named(function, options, message):
    with pytest.raises(ValueError, match=message):
        integrate(function, 2, seed=0, **{**TINY, **options})
    with pytest.raises(TypeError, match="`function` must be a function, got int"):
        integrate(3, 2)
