"""What measures refuse, and what they take."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import flows, information
from tfp_flows.information import samples

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 2))


def _with(value, row=4, column=1):
    out = X.copy()
    out[row, column] = value
    return out


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (_with(np.nan), r"`x`: column 'x1' must hold finite numbers, got nan in row 5"),
        (_with(np.inf), r"`x`: column 'x1' .* an infinite value"),
        (np.ones([80, 2]), r"`x`: every column must vary, got constant 'x0' = 1.0"),
        (X[:30], r"`x` must have at least 40 rows for 2 columns, got 30"),
        (RNG.normal(size=(80, 9)), r"at least 90 rows for 9 columns, got 80"),
        (np.array(["a", "b"]), r"`x` must be numeric"),
        (X[None], r"`x` must have shape \[n, d\] or \[n\], got \(1, 80, 2\)"),
        (np.empty([80, 0]), r"`x` must have at least one column"),
        (
            np.stack([X[:, 0], 3.0 - 2.0 * X[:, 0]], axis=1),
            r"not be linear functions of each other, got 'x0' of `x`, 'x1' of `x`",
        ),
    ],
)
def test_bad_rows_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        information.entropy(x)


def test_text_columns_are_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": X[:, 0], "color": ["red"] * 80})
    with pytest.raises(ValueError, match=r"`x`: column 'color' must be numeric"):
        information.total_correlation(frame)


def test_pairs_must_have_the_same_rows():
    message = r"`x` and `z` must have the same number of rows, .* got 80 and 70"
    with pytest.raises(ValueError, match=message):
        information.conditional_mutual_information(X[:, 0], X[:, 1], X[:70, 1])


def test_pairs_must_not_share_a_column():
    message = r"'x0' of `x`, 'x0' of `y`. Drop one"
    with pytest.raises(ValueError, match=message):
        information.mutual_information(X[:, 0], X[:, 0])


def test_both_samples_must_have_the_same_columns():
    with pytest.raises(ValueError, match=r"same columns, got 2 and 1"):
        information.kl_divergence(X, X[:, 0])


def test_one_column_has_no_total_correlation():
    with pytest.raises(ValueError, match="at least two columns"):
        information.total_correlation(X[:, 0])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"flow": "rgib"}, ValueError, r"`flow` must be one of .*'rbig'"),
        ({"flow": {"epochs": 2}}, ValueError, r"under the key 'flow', got a dict with"),
        ({"unit": "bans"}, ValueError, r"`unit` must be one of 'nats', 'bits'"),
        ({"folds": 1}, ValueError, r"`folds` must be at least 2"),
        ({"validation": 1.0}, ValueError, r"`validation` must be .* below 1"),
        ({"bootstrap": -1}, ValueError, r"`bootstrap` must be at least 0"),
        ({"fold": 3}, TypeError, r"`options` must be among flow, unit, .* got fold"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        information.entropy(X, **options)


def test_fitted_flows_must_fit_the_columns():
    flow = flows.build("linear", 3, seed=0)
    with pytest.raises(ValueError, match=r"density of `x`, 2 columns in all, got one"):
        information.entropy(X, flow=flow)
    conditional = flows.build("linear", 2, 1, seed=0)
    with pytest.raises(ValueError, match=r"\(2,\) given \(1,\)"):
        information.entropy(X, flow=conditional)


def test_tables_tensors_and_lists_are_the_same():
    pandas = pytest.importorskip("pandas")
    expected = samples.read(X, "x")
    frame = pandas.DataFrame(X, columns=["a", "b"])
    for given in (frame, tf.constant(X), X.tolist()):
        found = samples.read(given, "x")
        np.testing.assert_allclose(found.x, expected.x, atol=1e-6)
    assert samples.read(frame, "x").names == ("a", "b")
    np.testing.assert_allclose(expected.x.std(axis=0), 1.0)
    assert samples.read(X[:, 0], "x").x.shape == (80, 1)


def test_rounded_columns_are_spread_between_their_values():
    rng = np.random.default_rng(0)
    fine = rng.normal(size=1000)
    rounded = np.stack([fine, np.round(fine, 1)], axis=1)
    found = samples.read(rounded, "x", seed=0)
    np.testing.assert_array_equal(found.raw, rounded)
    np.testing.assert_array_equal(found.rows[:, 0], fine)
    moved = found.rows[:, 1] - rounded[:, 1]
    assert 0.04 < np.abs(moved).max() < 0.11  # further out, cells are wider
    assert len(np.unique(found.rows[:, 1])) == 1000
    assert np.corrcoef(moved, fine)[0, 1] == pytest.approx(0.0, abs=0.15)
    as_given = samples.read(rounded, "x", spread=False)
    np.testing.assert_array_equal(as_given.rows, rounded)
