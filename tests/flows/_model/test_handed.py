"""What Keras' methods are handed is looked at, as `log_prob` looks at it."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows._findings import DataNotice

METHODS = (
    "__call__",
    "predict",
    "predict_on_batch",
    "evaluate",
    "test_on_batch",
)


def answer(flow, method, x):
    quiet = {"verbose": 0} if method in ("predict", "evaluate") else {}
    return getattr(flow, method)(x, **quiet)


@pytest.fixture(scope="module")
def flow():
    built = small.build("linear", 2, 1)
    built.compile("sgd", run_eagerly=True)
    return built


@pytest.mark.parametrize("method", METHODS)
def test_missing_values_and_conditions_are_noticed_once(flow, method):
    x, c = small.batch(20)
    for name, broken in (("data hold NaN", x), ("conditions hold NaN", c)):
        kept = broken[3, 0]
        broken[3, 0] = np.nan
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always", DataNotice)
            answer(flow, method, {"x": x, "condition": c})
        broken[3, 0] = kept
        said = [str(w.message) for w in seen if w.category is DataNotice]
        assert said
        assert all(f"{name}" in text and "first in row 4" in text for text in said)
        if method in ("__call__", "predict_on_batch"):
            assert seen[0].filename == __file__


def test_whole_data_are_not_noticed(flow):
    x, c = small.batch(20)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataNotice)
        for method in METHODS:
            answer(flow, method, {"x": x, "condition": c})
        flow({"x": tf.constant(x), "condition": tf.constant(c)})
        tf.function(flow)({"x": tf.constant(x), "condition": tf.constant(c)})


def test_values_between_steps_are_noticed():
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=200), rng.integers(0, 5, 200)], 1)
    flow, _ = tfpf.fit("linear", x, epochs=1, seed=0, verbose=0)
    x[7, 1] = 2.4
    for method in ("__call__", "predict"):
        with pytest.warns(DataNotice, match=r"column 2 holds 2\.4"):
            answer(flow, method, x)


X, C = small.batch(20)
ROWS = np.ones(20, "float32")


@pytest.fixture
def fresh():
    built = small.build("linear", 2, 1)
    built.compile("sgd", run_eagerly=True)
    return built


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        ((X, C), r"must be one array of events, got a tuple of 2\. Pass \{'x': x,"),
        ([X, X], "must be one array of events, got a list of 2"),
        ({}, "must be data, or a dict with 'x' and 'condition'"),
        ("a.csv", r"must be an array of events, got 'a\.csv'"),
        (X[:, :1], r"must have trailing shape \(2,\)"),
    ],
)
def test_what_is_no_array_of_events_is_refused(fresh, method, x, message):
    if method == "__call__" and not isinstance(x, (list, tuple, str)):
        pytest.skip("Keras checks what a layer is called with")
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        answer(fresh, method, x)
    assert "Pack" not in str(caught.value)


def test_data_without_rows_are_refused(fresh):
    for method in METHODS[1:]:
        with pytest.raises(ValueError, match="`x` must hold at least one row"):
            answer(fresh, method, {"x": X[:0], "condition": C[:0]})
    with pytest.raises(ValueError, match=r"rows of events of shape .* x\[None\]"):
        fresh.predict(X[0])


def test_tuples_in_datasets_are_explained(fresh):
    data = tf.data.Dataset.from_tensors(((X, C), ROWS))
    for method in (fresh.evaluate, fresh.fit):
        with pytest.raises(ValueError, match=r"Pass \{'x': x, 'condition': condition"):
            method(data, verbose=0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-ROWS, "numbers from 0 on, got -1 in row 1"),
        (ROWS * np.nan, "numbers from 0 on, got nan in row 1"),
        (0 * ROWS, "have a number above 0"),
        (np.ma.masked_array(ROWS, np.arange(20) == 3), "got a masked one in row 4"),
        (np.ones([20, 2]), r"one number for each event, got \(20, 2\)"),
    ],
)
def test_weights_of_events_are_looked_at(fresh, weights, message):
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=f"`sample_weight` must .*{message}"):
            getattr(fresh, method)(X, C, sample_weight=weights)
    with pytest.raises(ValueError, match=message):
        fresh.fit(X, C, validation_data=(X, C, weights), verbose=0)
    column = fresh.evaluate(X, C, sample_weight=ROWS[:, None], verbose=0)
    assert column == pytest.approx(fresh.evaluate(X, C, verbose=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "`epochs` must be at least 0"),
        ({"epochs": 1.5}, "`epochs` must be a number without a fraction"),
        ({"batch_size": -3}, "`batch_size` must be at least 1"),
        ({"batch_size": "auto"}, "`batch_size` must be a number without a fraction"),
        ({"validation_split": 2.0}, "`validation_split` must be at least 0 and below"),
        ({"validation_split": -0.1}, "`validation_split` must be at least 0"),
        ({"callbacks": keras.callbacks.Callback}, "got the class `Callback`"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(fresh, options, message):
    before = fresh.get_weights()
    with pytest.raises((TypeError, ValueError), match=message):
        fresh.fit(X, C, verbose=0, **options)
    for old, new in zip(before, fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_lists_and_series_are_arrays(fresh):
    pandas = pytest.importorskip("pandas")
    assert fresh.evaluate(X.tolist(), C, verbose=0) == pytest.approx(
        fresh.evaluate(X, C, verbose=0), abs=1e-5
    )
    one = tfpf.flows.build("linear", (), seed=0)
    series = pandas.Series(X[:, 0])
    np.testing.assert_array_equal(
        one.predict(series, verbose=0), one.predict(X[:, 0], verbose=0)
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda flow, x, c: flow(x, c),
        lambda flow, x, c: flow(x, condition=c),
        lambda flow, x, c: flow(x, c, training=False),
        lambda flow, x, c: flow(x.tolist(), c.tolist()),
        lambda flow, x, c: flow(tf.constant(x), tf.constant(c[:, 0])),
        lambda flow, x, c: tf.function(flow)(x, c),
    ],
)
def test_a_condition_may_follow_the_events(call):
    flow = tfpf.flows.build("realnvp", 2, 1, seed=0, num_layers=1, hidden_units=(4,))
    rng = np.random.default_rng(0)
    x, c = (rng.normal(size=[3, size]).astype("float32") for size in (2, 1))
    np.testing.assert_allclose(call(flow, x, c), flow.log_prob(x, c), rtol=1e-5)


@pytest.mark.parametrize("condition_shape", [None, 1])
def test_a_condition_is_asked_for_before_keras_calls(condition_shape):
    flow = tfpf.flows.build("realnvp", 2, condition_shape, seed=0, num_layers=1)
    given = () if condition_shape else (np.zeros([3, 1]),)
    with pytest.raises(ValueError, match=r"^`condition` (is missing|was given)"):
        flow(np.zeros([3, 2]), *given)
