"""Smoothed weights and their judgement."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfp_flows.diagnostics import psis


def normal_weights(deviation, count=10_000):
    """Return log-weights of a normal target and a standard normal proposal."""
    x = np.random.default_rng(0).normal(size=count)
    return x, stats.norm.logpdf(x, scale=deviation) - stats.norm.logpdf(x)


def test_weights_of_a_target_inside_of_the_proposal_are_trusted():
    x, log_weights = normal_weights(0.8)
    found = psis(log_weights + 1e4)
    assert found.reliable
    assert "can be trusted" in found.judgement
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.weights @ x**2 == pytest.approx(0.64, abs=0.03)
    # Of a normal target of variance v the ratio is sqrt(v * (2 - v)) / v, inverted.
    assert found.ess / 10_000 == pytest.approx(0.8 * np.sqrt(2 - 0.64), abs=0.02)


def test_weights_of_a_wider_target_are_not():
    found = psis(normal_weights(5.0)[1])
    assert not found.reliable
    assert "do not trust" in repr(found)


def test_heavy_tail_of_nearly_equal_weights_is_called_so():
    found = psis(np.log1p(1e-5 * np.random.default_rng(0).pareto(0.8, 10_000)))
    assert not found.reliable
    assert found.ess > 9_000
    assert "nearly equal" in found.judgement
    assert "do not trust" not in found.judgement


def test_equal_weights_are_the_best_there_are():
    found = psis(np.zeros(500))
    assert found.k_hat == -np.inf
    assert found.ess == pytest.approx(500)
    assert found.reliable


def test_few_draws_are_not_judged():
    found = psis(np.zeros(10))
    assert not found.reliable
    assert "Too few draws" in found.judgement


def test_fewer_draws_have_a_lower_threshold():
    assert psis(np.zeros(100)).threshold == pytest.approx(0.5)
    assert psis(np.zeros(10_000)).threshold == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("log_weights", "message"),
    [
        ([0.0, np.nan, np.inf], "got nan at draw 1 and 1 more"),
        ([-np.inf, -np.inf], "got 2 draws of weight 0"),
        ([[0.0]], r"shape \[N\], N > 0, got \[1, 1\]"),
        ([], r"got \[0\]"),
    ],
)
def test_bad_weights_are_named(log_weights, message):
    with pytest.raises(ValueError, match=message):
        psis(log_weights)


def test_draws_of_a_chain_count_as_fewer():
    log_weights = normal_weights(0.8)[1]
    plain, chain = psis(log_weights), psis(log_weights, relative_efficiency=0.1)
    # The tail that is smoothed is longer: 3 * sqrt(N / efficiency) draws.
    changed = [
        np.sum(~np.isclose(w, log_weights - log_weights.max()))
        for w in (f.log_weights - f.log_weights.max() for f in (plain, chain))
    ]
    assert changed[1] > changed[0]
    assert chain.ess / plain.ess == pytest.approx(0.1, rel=0.05)
    with pytest.raises(ValueError, match="`relative_efficiency` must be at least"):
        psis(log_weights, relative_efficiency=0.0)
