"""`fit(x, conditionals="any")`, with cells that are missing."""

from __future__ import annotations

import numpy as np
import pytest

import tfp_flows as tfpf


def _rows(count):
    z = np.random.default_rng(0).normal(size=(count, 3))
    y, w = 0.8 * z[:, 0] + 0.6 * z[:, 1], -0.5 * z[:, 0] + 0.87 * z[:, 2]
    x = np.stack([z[:, 0], y, w], axis=1)
    missing = np.random.default_rng(1).uniform(size=x.shape) < 0.3
    return np.where(missing, np.nan, x)


@pytest.mark.slow
def test_rows_with_gaps_teach_every_split():
    flow, history = tfpf.fit(
        _rows(3000),
        conditionals="any",
        missing="marginal",
        columns=["x", "y", "w"],
        epochs=20,
        hidden_units=(32, 32),
        num_components=3,
        dropout=0.0,
        seed=0,
        verbose=0,
    )
    assert "missing cells are left out" in str(history.report)
    for given, place, mean, deviation in (
        ({"y": 1.0}, 0, 0.8, 0.6),
        ({"x": 1.0}, 0, 0.8, 0.6),
        ({"x": 1.0, "y": 1.0}, 0, -0.5, 0.87),
    ):
        draws = flow.conditional(given).sample(4000, seed=0).numpy()[:, place]
        assert abs(draws.mean() - mean) < 0.25
        assert abs(draws.std() - deviation) < 0.25


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"missing": "marginal"}, "`missing` 'marginal' needs a flow whose density"),
        ({"conditionals": "any"}, "Leave out the flow"),
        ({"conditionals": "all"}, "`conditionals` must be one of 'any'"),
    ],
)
def test_what_other_flows_cannot_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        tfpf.fit("maf", _rows(50), epochs=1, verbose=0, **given)


def test_ensembles_are_refused():
    with pytest.raises(ValueError, match="`members` must be left out"):
        tfpf.fit(_rows(50), conditionals="any", missing="marginal", members=2)
