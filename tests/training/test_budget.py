"""Fits of a given time: what they say of it, and what they refuse."""

import numpy as np
import pytest

import tfp_flows as tfpf
from tfp_flows.training import budget

RNG = np.random.default_rng(2)
X = RNG.normal(size=(300, 2)) @ [[1.0, 0.5], [0.0, 0.5]] + RNG.integers(
    2, size=(300, 1)
)


def test_a_short_budget_gives_a_flow_and_says_so():
    flow, history = tfpf.fit(X, budget="0.5s", seed=0, verbose=0)
    assert isinstance(flow, tfpf.flows.RBIG)
    assert np.isfinite(flow.log_prob(X)).all()
    assert history.report.lead.mean > -0.2
    said = history.report.advice[-1]
    assert "of a budget of 0.5 s: layers from statistics only" in said
    assert "Give about" in said


@pytest.mark.slow
def test_time_that_is_left_trains_the_layers(monkeypatch):
    monkeypatch.setattr(budget, "TRACING_LAYER", 0.0)
    monkeypatch.setattr(budget, "EPOCHS", 2)
    held_out = (X[:60],)
    more = {"validation": held_out, "seed": 0, "verbose": 0}
    flow, history = tfpf.fit(X[60:], budget=300, **more)
    losses = history.history["val_loss"]
    assert history.report.log_likelihood.mean == pytest.approx(-min(losses), abs=1e-3)
    assert "of a budget of 300 s: the last half" in history.report.advice[-1]
    by_layers, _ = tfpf.fit("rbig", X[60:], **more)
    scores = [found.log_prob(X[:60]).numpy().mean() for found in (flow, by_layers)]
    assert scores[0] > scores[1] - 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": "soon"}, "`budget` must be a time above 0, got 'soon'"),
        ({"budget": -1}, "`budget` must be a time"),
        ({"budget": "1.2.3s"}, "`budget` must be a time"),
        ({"budget": "1s", "epochs": 3}, "`epochs` and `budget` both say"),
        ({"budget": "1s", "validation": None}, "`validation` must hold rows out"),
        ({"budget": "1s", "noise": 0.1}, "must be left out for a greedy fit"),
    ],
)
def test_what_a_budget_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        tfpf.fit(X, verbose=0, **arguments)


def test_a_budget_chooses_the_flow():
    with pytest.raises(ValueError, match="`budget` chooses the flow itself, got 'maf'"):
        tfpf.fit("maf", X, budget="1s")
    assert budget.Budget.begin("2min", 0.0).seconds == 120.0
