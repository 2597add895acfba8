"""Moments, entropies and quantiles of flows by draws; frames and summaries."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows.flows._model import statistics

N = 200_000


@pytest.fixture(scope="module")
def gaussian():
    """Return a flow that is exactly a Gaussian with means 3 and -1."""
    x = np.random.default_rng(0).normal([3.0, -1.0], [2.0, 0.5], size=(5_000, 2))
    flow = tfpf.flows.build("linear", 2, seed=0, columns=["u", "v"])
    flow.adapt(x)
    return flow, x


def test_moments_and_entropy_of_a_gaussian(gaussian):
    flow, x = gaussian
    scale = x.std(axis=0)
    np.testing.assert_allclose(
        flow.mean(seed=1, num_samples=N), x.mean(axis=0), atol=0.03
    )
    np.testing.assert_allclose(flow.stddev(seed=1, num_samples=N), scale, rtol=0.01)
    np.testing.assert_allclose(
        flow.variance(seed=1, num_samples=N), scale**2, rtol=0.02
    )
    entropy = 1.0 + math.log(2.0 * math.pi) + np.log(scale).sum()
    assert float(flow.entropy(seed=1, num_samples=N)) == pytest.approx(
        entropy, abs=0.02
    )
    low, median, high = flow.quantile([0.1587, 0.5, 0.8413], seed=1, num_samples=N)
    np.testing.assert_allclose(median, x.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(high - low, 2.0 * scale, rtol=0.02)


def test_draws_follow_the_seed_and_conditions(gaussian):
    flow, _ = gaussian
    first, second = (flow.mean(seed=s, num_samples=100).numpy() for s in (1, 2))
    np.testing.assert_array_equal(first, flow.mean(seed=1, num_samples=100))
    assert np.abs(first - second).max() > 1e-4
    conditional = small.perturbed(small.build("maf", 2, 1))
    means = conditional.mean([[0.0], [4.0]], seed=1, num_samples=500)
    assert means.shape == (2, 2)
    one = conditional.mean([4.0], seed=1, num_samples=20_000)
    np.testing.assert_allclose(means[1], one, atol=0.3)
    assert conditional.entropy([[0.0], [4.0]], num_samples=100).shape == (2,)


def test_bad_arguments_are_refused(gaussian):
    flow, _ = gaussian
    with pytest.raises(ValueError, match="`value` must lie between 0 and 1"):
        flow.quantile(1.5)
    with pytest.raises(ValueError, match="num_samples"):
        flow.mean(num_samples=1)
    with pytest.raises(ValueError, match="`as_frame` is for flows of vectors"):
        tfpf.flows.build("maf", (2, 2), seed=0).sample(2, as_frame=True)


def test_samples_come_as_frames_that_log_prob_takes(gaussian):
    flow, _ = gaussian
    frame = flow.sample(5, seed=1, as_frame=True)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["u", "v"]
    np.testing.assert_array_equal(frame.to_numpy(), flow.sample(5, seed=1))
    wanted = flow.log_prob(frame.to_numpy())
    np.testing.assert_array_equal(flow.log_prob(frame[["v", "u"]]), wanted)
    assert list(small.build("maf", 2).sample(3, as_frame=True)) == ["x0", "x1"]


def test_summary_lists_the_maps_and_their_numbers():
    lines = []
    flow = small.build("nsf", 3, 1)
    flow.summary(print_fn=lambda line, **_: lines.append(line))
    text = "\n".join(lines)
    for part in ("Coupling", "Standardize", "base: normal", "events (3,) | (1,)"):
        assert part in text
    total = sum(int(np.prod(v.shape)) for v in flow.trainable_variables)
    assert f"{total:,}" in lines[-1]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("count", [1e3, 2.5, "many", 1])
@pytest.mark.parametrize("word", ["mean", "stddev", "variance", "entropy"])
def test_counts_of_draws_are_whole(word, count):
    flow = small.build("linear")
    with pytest.raises((TypeError, ValueError), match="`num_samples` must be "):
        getattr(flow, word)(num_samples=count)


def test_counts_of_queries_are_whole():
    flow = small.build("maf")
    with pytest.raises(TypeError, match="`num_draws` must be a number without"):
        flow.marginal([0], num_draws=1e2)
    with pytest.raises(ValueError, match="`num_draws` must be at least 1, got 0"):
        flow.conditional({0: 0.0}, num_draws=0)


@pytest.mark.parametrize("condition", [None, [[0.0], [1.0]]])
def test_the_entropy_of_discrete_columns_needs_few_exact_values(condition, monkeypatch):
    kinds = ["integer", ("category", [0, 1, 2]), "continuous"]
    shape = None if condition is None else 1
    flow = small.build("nsf-ar", 3, shape, preprocessing=kinds, seed=0)
    rng = np.random.default_rng(0)
    x = np.stack([rng.poisson(3.0, 500), rng.integers(0, 3, 500), rng.normal(size=500)])
    flow.adapt(x.T, None if condition is None else rng.normal(size=[500, 1]))
    for variable in flow.trainable_variables:
        variable.assign_add(0.05 * rng.normal(size=variable.shape))
    rows = []
    exact = flow.log_prob

    def counted(x, *args, **kwargs):
        rows.append(len(x))
        return exact(x, *args, **kwargs)

    monkeypatch.setattr(flow, "log_prob", counted)
    found = flow.entropy(condition, num_samples=4000, seed=3)
    assert sum(rows) < 3000  # of 4000
    draws = flow.sample(20_000, condition, seed=5)
    values = -exact(draws, condition).numpy()
    error = values.std(axis=0) * (1 / np.sqrt(4000) + 1 / np.sqrt(20_000))
    np.testing.assert_array_less(np.abs(found - values.mean(axis=0)), 3.0 * error)


def test_rough_values_that_say_nothing_are_corrected_by_exact_ones_of_all_rows():
    rng = np.random.default_rng(0)
    exact, noise = rng.normal(size=1000), rng.normal(scale=9.0, size=1000)
    rows = np.arange(1000)
    found = statistics._corrected(exact + noise, lambda r: exact[r], rows)
    assert found == pytest.approx(exact.mean(), abs=1e-12)
    cheap = statistics._corrected(exact + 0.5, lambda r: exact[r], rows)
    assert cheap == pytest.approx(exact.mean(), abs=1e-12)
    broken = np.where(rows == 7, -np.inf, exact)
    assert statistics._corrected(broken, lambda r: exact[r], rows) == exact.mean()
