"""Noise on batches: of a given deviation, and by the rule of thumb."""

from __future__ import annotations

import numpy as np
import pytest

import tfp_flows as tfpf
from tests.training.tiny import fit
from tfp_flows import flows
from tfp_flows.training.data import arrays, batches, members, noises

ROWS = 400
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 2)) * [3.0, 0.5]
C = np.stack(
    [RNG.normal(size=ROWS), RNG.integers(2, size=ROWS), RNG.integers(3, size=ROWS)], 1
)
NAMES = {"a": "continuous", "b": "continuous", "c": ("category", [0.0, 1.0, 2.0])}


def _flow(**options):
    return flows.build(
        "maf", 2, 3, num_layers=1, hidden_units=(4,), condition_columns=NAMES, **options
    )


def _read(noise, flow, data, dtype="float64"):
    """Return the noise on 50 batches, of events and conditions by columns."""
    found = noises.noise_of(flow, data, noise)
    given = data.select(np.zeros(len(data), int))  # all rows are one: noise is left
    given.x, given.condition = given.x.astype(dtype), given.condition.astype(dtype)
    drawn = list(batches.for_training(given, 100, found, 1, dtype).repeat().take(50))
    return [
        np.concatenate([batch[0][name].numpy() for batch in drawn])
        - getattr(given, name)[0]
        for name in ("x", "condition")
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rule_of_thumb_is_of_rows_and_columns_and_spares_labels(dtype):
    data = arrays.Data(X, C)
    x, condition = _read("rule-of-thumb", _flow(), data, dtype)
    share = 1.06 * ROWS ** (-1 / (4 + 2 + 3))
    assert noises.rule_of_thumb(ROWS, 5) == pytest.approx(share)
    np.testing.assert_allclose(x.std(axis=0), share * X.std(axis=0), rtol=0.04)
    np.testing.assert_allclose(
        condition.std(axis=0)[0], share * C[:, 0].std(), rtol=0.04
    )
    assert np.abs(np.corrcoef(x[:, 0], condition[:, 0])[0, 1]) < 0.05
    np.testing.assert_array_equal(condition[:, 1:], 0.0)  # yes or no, and labels
    assert x.dtype == condition.dtype == dtype


def test_number_is_noise_on_events_alone():
    x, condition = _read(0.2, _flow(), arrays.Data(X, C))
    np.testing.assert_allclose(x.std(axis=0), 0.2 * X.std(axis=0), rtol=0.04)
    np.testing.assert_array_equal(condition, 0.0)


def test_rows_of_weight_zero_do_not_count():
    weights = np.repeat([1.0, 0.0], ROWS // 2)
    x = np.where(weights[:, None] > 0, X, 1e3)
    found = noises.noise_of(_flow(), arrays.Data(x, C, weights), "rule-of-thumb")
    share = noises.rule_of_thumb(ROWS // 2, 5)
    np.testing.assert_allclose(found.x, share * X[: ROWS // 2].std(axis=0))


def test_columns_with_cells_and_ends_get_none():
    kinds = {"preprocessing": [("bounded", -20, 20), "continuous"]}
    found = noises.noise_of(_flow(**kinds), arrays.Data(X, C), "rule-of-thumb")
    assert found.x[0] == 0.0
    assert found.x[1] > 0.0


def test_members_have_noise_on_conditions_of_their_own():
    data = arrays.Data(X, C)
    found = noises.noise_of(_flow(), data, "rule-of-thumb")
    one = data.select(np.zeros(ROWS, int))
    drawn = next(iter(members.for_members(one, 2, 200, found, 5, "float64")))[0]
    x, condition = (drawn[name].numpy() for name in ("x", "condition"))
    for noise in (x[..., 0] - X[0, 0], condition[..., 0] - C[0, 0]):
        assert len(np.unique(noise)) == 400
    np.testing.assert_allclose(
        (condition - C[0]).std(axis=(0, 1)), found.condition, rtol=0.15
    )
    assert abs(np.corrcoef(x[..., 0].ravel(), condition[..., 0].ravel())[0, 1]) < 0.2


def test_report_says_the_deviation_and_validation_rows_have_none():
    held_out = (X[:50], C[:50])
    options = {"noise": "rule-of-thumb", "validation": held_out, "epochs": 1}
    flow, history = fit(_flow(), X, C, **options)
    text = str(history.report)
    assert "noise of 0.545 deviations of each column, in training only" in text
    assert "on 2 of 2 columns of the events and 1 of 3 columns of the con" in text
    loss = -flow.log_prob(*held_out).numpy().mean()
    assert history.history["val_loss"][0] == pytest.approx(loss, rel=1e-5)
    _, history = fit(_flow(), X, C, noise=0.1)
    assert "noise" not in str(history.report)


@pytest.mark.parametrize("members", [None, 2])
def test_events_of_one_number_are_fitted_with_noise(members):
    flow, history = fit(
        "maf-mol",
        X[:, 0],
        C[:, :1],
        noise="rule-of-thumb",
        **({} if members is None else {"members": members}),
    )
    assert np.isfinite(flow.log_prob(X[:, 0], C[:, :1])).all()
    assert "1 of 1 columns of the events and 1 of 1" in str(history.report)


@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        ("rule_of_thumb", ValueError, "did you mean 'rule-of-thumb'"),
        ("much", ValueError, "must be a number from 0 on, or 'rule-of-thumb', got 'm"),
        (-1.0, ValueError, "`noise` must be at least 0"),
        (None, TypeError, "`noise` must be a number"),
    ],
)
def test_bad_noise_is_refused(noise, error, message):
    with pytest.raises(error, match=message):
        fit("maf", X, noise=noise)


def test_rule_is_refused_where_noise_is():
    with pytest.raises(ValueError, match="`noise` must be left out for a greedy fit"):
        tfpf.fit("rbig", X, noise="rule-of-thumb", verbose=0)
