"""Arrays and tables that `fit` is given, good ones and bad ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.flows import small
from tests.training.tiny import X, fit
from tfp_flows.preprocessing import DataNotice
from tfp_flows.training.data import arrays


@pytest.mark.slow
def test_arrays_of_every_kind_give_the_same_fit():
    wanted = fit("linear", X)[1].history["val_loss"]
    for convert in (tf.constant, pd.DataFrame, lambda x: x.tolist()):
        flow, history = fit("linear", convert(X))
        assert flow.event_shape == (2,)
        np.testing.assert_allclose(history.history["val_loss"], wanted, atol=1e-5)


@pytest.mark.colab
def test_names_of_a_frame_are_kept():
    frame = pd.DataFrame(X, columns=["acid", "sugar"])
    condition = pd.DataFrame({"colour": X[:, 0] > 0})
    flow, _ = fit("linear", frame, condition, epochs=1)
    assert flow.columns == ("acid", "sugar")
    assert flow.condition_columns == ("colour",)
    given = small.build("linear")
    fit(given, frame, epochs=1)
    assert given.columns == ("acid", "sugar")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(120), "numbers from 0 on, got -1 in row 1"),
        (np.zeros(120), "have a number above 0"),
        (np.ones((120, 2)), r"one number for each event, got \(120, 2\)"),
        (np.ones(7), "one row per event, got 7 rows for 120 events"),
        (np.full(120, np.nan), "`weights` must be finite"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        fit(weights=weights)


def test_bad_data_are_refused_with_their_place():
    bad = X.copy()
    bad[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"got nan in row 8, column 2\. Drop"):
        fit(x=bad)
    frame = pd.DataFrame(bad, columns=["a", "b"])
    with pytest.raises(ValueError, match="row 8, column 'b'"):
        fit(x=frame)
    with pytest.raises(
        ValueError, match="column 'b' must be numeric, got 'red' in row 1"
    ):
        fit(x=frame.assign(b="red"))
    with pytest.raises(ValueError, match="`x` must be numeric"):
        fit(x=np.array([["a", "b"]]))
    with pytest.raises(ValueError, match="at least one row"):
        fit(x=X[:0])
    with pytest.raises(ValueError, match="at least one number in each row"):
        fit(x=X[:, :0])
    with pytest.raises(ValueError, match="got 100 rows for 120 events"):
        fit(condition=X[:100])
    infinite = np.where(np.isnan(bad), np.inf, bad)
    with pytest.raises(ValueError, match="`condition` must be finite, got inf"):
        fit(condition=infinite)


def test_data_that_do_not_fit_the_flow_are_refused():
    flow = small.build("maf", 3)
    with pytest.raises(ValueError, match=r"`x` .*\(3,\)"):
        fit(flow)
    with pytest.raises(ValueError, match="`condition` is missing"):
        fit(small.build("maf", 2, 1))
    with pytest.raises(ValueError, match="condition"):
        fit(small.build("maf", 2), X, X)


def test_data_smaller_than_a_batch_are_fitted():
    flow, history = fit("linear", X[:12], batch_size=None)
    assert np.all(np.isfinite(history.history["loss"]))
    assert np.all(np.isfinite(flow.log_prob(X)))


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_few_rows_are_refused(rows):
    with pytest.raises(ValueError, match=f"at least 10 for a fit, got {rows}"):
        fit("linear", X[:rows], validation=None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsf", "maf-mol"])
def test_data_of_one_column_are_fitted(name):
    flow, history = fit(name, X[:, :1])
    assert flow.event_shape == (1,)
    assert np.all(np.isfinite(history.history["val_loss"]))


def test_vector_of_numbers_is_a_table_of_scalars():
    flow, _ = fit("linear", X[:, 0])
    assert flow.event_shape == ()
    assert flow.log_prob(X[:, 0]).shape == [120]
    assert flow.sample(3, seed=0).shape == [3]


def test_events_may_have_several_dimensions():
    x = np.random.default_rng(0).normal(size=(60, 2, 3)).astype("float32")
    flow, _ = fit("realnvp", x)
    assert flow.event_shape == (2, 3)
    assert flow.sample(4, seed=0).shape == [4, 2, 3]
    with pytest.raises(ValueError, match="`columns` must name"):
        fit("realnvp", x, columns=["a", "b"])


def test_condition_of_one_number_per_event_is_taken():
    x, condition = small.batch(120)
    flow, history = fit("linear", x, condition[:, 0])
    assert flow.condition_shape == (1,)
    given = small.build("linear", 2, 1, num_layers=1, hidden_units=(8,), base="normal")
    found = fit(given, x, condition[:, 0])[1].history["loss"]
    wanted = fit("linear", x, condition)[1].history["loss"]
    np.testing.assert_allclose(history.history["loss"], wanted, atol=1e-6)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
def test_data_far_from_the_origin_are_fitted_like_others():
    x = small.table(200, dtype="float64")
    scores = []
    for offset in (0.0, 1e5):
        flow, _ = fit("linear", x + offset, epochs=10, dtype="float64")
        scores.append(np.mean(flow.log_prob(x + offset)))
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
    # In float32 the data themselves are rounded to 1/128.
    flow, _ = fit("linear", x + 1e5, epochs=10)
    assert scores[0] == pytest.approx(np.mean(flow.log_prob(x + 1e5)), abs=0.05)


@pytest.mark.slow
def test_constant_column_breaks_nothing_in_keras():
    x = np.concatenate([X, np.full((120, 1), 7.0)], axis=1).astype("float32")
    for name in ("maf", "nsf"):
        with pytest.raises(ValueError, match=r"^column 3 is constant, 7 in every row"):
            fit(name, x)
        flow = small.build(name, 3)
        flow.adapt(x)
        flow.compile("adam")
        history = flow.fit(x, epochs=2, verbose=0)
        assert np.all(np.isfinite(history.history["loss"]))
        assert np.all(np.isfinite(flow.log_prob(x)))
        assert np.all(np.isfinite(flow.sample(100, seed=0)))


def test_constant_condition_breaks_nothing():
    with pytest.warns(DataNotice, match=r"^condition column 1 is constant"):
        flow, history = fit("maf", X, np.full((120, 1), 1e6, "float32"))
    assert np.all(np.isfinite(history.history["loss"]))
    assert np.all(np.isfinite(flow.log_prob(X, [1e6])))


@pytest.mark.slow
def test_events_of_weight_zero_have_no_influence():
    wild = np.concatenate([X, 1000.0 + 0.0 * X[:40]]).astype("float32")
    weights = np.concatenate([np.full(120, 3.0), np.zeros(40)])
    flow, history = fit(
        "linear", wild, weights=weights, validation=None, epochs=8, batch_size=160
    )
    twin, wanted = fit("linear", X, validation=None, epochs=8, batch_size=120)
    found, wanted = history.history["loss"], wanted.history["loss"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    np.testing.assert_allclose(flow.log_prob(X), twin.log_prob(X), atol=0.05)


def test_integers_may_lose_digits_that_are_nothing_beside_their_spread():
    """Nanoseconds since 1970, but not identifiers in a row."""
    rng = np.random.default_rng(0)
    time = np.int64(1_700_000_000_000_000_000) + rng.integers(0, 60 * 10**9, (50, 1))
    found = arrays.Data(time)
    np.testing.assert_array_equal(found.x, time.astype(np.float64))
    with pytest.raises(ValueError, match=r"within \+-2\*\*53"):
        arrays.Data(np.int64(2**60) + np.arange(50)[:, None])
