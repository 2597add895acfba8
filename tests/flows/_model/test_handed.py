"""What Keras' methods are handed is looked at, as `log_prob` looks at it."""

import warnings

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
    "train_on_batch",
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
