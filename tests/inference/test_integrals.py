"""Integrals over boxes, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows.inference import cube, integrals, integrate

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


def test_values_that_a_few_points_decide_are_not_to_be_trusted():
    rng = np.random.default_rng(0)

    def judged(shape):
        values = rng.pareto(1.0 / shape, (4, 5_000))  # ratios of a tail of that shape
        rounds = [integrals._Round(v[:, None], np.zeros(len(v)), v) for v in values]
        return integrals._combined(rounds, 20_000, None)

    heavy, light = judged(1.2), judged(0.2)
    assert light.k_hat < 0.4
    assert light.judgement.startswith("The rounds agree")
    assert heavy.k_hat > 1.0
    assert "do not trust" in heavy.judgement


def test_rounds_of_few_effective_points_train_for_few_passes():
    taken = []

    class Counter:
        def train(self, points, weights, steps):
            assert len(points) == len(weights)
            taken.append(steps)

    def trained(values, steps):
        done = [integrals._Round(values[:, None], 0.0 * values, values)]
        integrals._train(Counter(), done, 1.0, steps)

    many = np.ones(100 * cube.BATCH_SIZE)
    trained(many, 10_000)  # all are effective: 100 batches in a pass
    trained(many, 200)
    trained(np.where(np.arange(len(many)) < 20, many, 1e-9), 10_000)
    assert taken == [500, 200, 30]
