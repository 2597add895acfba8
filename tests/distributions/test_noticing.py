"""What densities say of values that are doubtful, and what they refuse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows import flows
from tfp_flows.preprocessing import Column, DataNotice

X = small.table(3)
GAP = np.where(np.eye(3, 2, dtype=bool), np.nan, X).astype("float32")


@pytest.fixture(scope="module", params=["flow", "distribution"])
def densities(request):
    """Return what gives the density of a flow, by the flow and by TFP's object."""
    if request.param == "flow":
        return lambda flow, *condition: lambda x: flow.log_prob(x, *condition)
    return lambda flow, *condition: flow.distribution(*condition).log_prob


def silent(function, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataNotice)
        return function(*arguments)


def test_missing_values_are_noticed_once(densities):
    log_prob = densities(small.build("linear"))
    with pytest.warns(DataNotice, match="NaN in 2 of 3 cases, first in row 1") as said:
        found = log_prob(GAP)
    assert np.isnan(found).tolist() == [True, True, False]
    assert len(said) == 1
    assert said[0].filename == __file__
    silent(log_prob, X)
    silent(tf.function(log_prob), GAP)


def test_values_between_steps_are_noticed(densities):
    kinds = [Column(step=1.0, found=True), Column()]
    flow = flows.build("linear", 2, preprocessing=kinds, seed=0)
    log_prob = densities(flow)
    silent(log_prob, np.array([[1.0, 0.2]]))
    with pytest.warns(DataNotice, match=r"column 1 holds 1\.5 \(1 such rows\)"):
        log_prob(np.array([[1.5, 0.2]]))


def test_gaps_of_an_any_order_flow_are_no_notice(densities):
    found = silent(densities(small.build("any-order")), GAP)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_conditions_that_are_not_finite_are_noticed(densities, bad):
    flow, condition = small.build("linear", 2, 1), np.array([[0.0], [bad], [1.0]])
    with pytest.warns(DataNotice, match="conditions hold NaN or infinite .* row 2"):
        densities(flow, condition)(X)
    with pytest.warns(DataNotice, match="samples given them are NaN"):
        flow.sample(2, condition, seed=0)
    silent(densities(flow, condition[:1]), X)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (X.astype(complex), "real numbers|numeric, got complex numbers"),
        (tf.constant(X, tf.complex64), "must be real numbers, got complex64"),
        (tf.ragged.constant([[0.0, 1.0], [1.0]]), "dense tensor, got a `RaggedTensor`"),
        (tf.sparse.from_dense([[0.0, 1.0]]), "dense tensor, got a `SparseTensor`"),
        (np.array([["0", "1"]]), "numbers, got text|a number as text"),
        (tf.constant([["0", "1"]]), "numbers, got text"),
        (np.zeros([1, 2], "datetime64[s]"), "got dates or lengths of time"),
    ],
)
def test_what_is_no_real_number_is_refused(densities, value, message):
    with pytest.raises((TypeError, ValueError), match=message):
        densities(small.build("linear"))(value)


@pytest.mark.parametrize(
    "name", ["mean", "stddev", "variance", "entropy", "quantile", "mode", "covariance"]
)
def test_statistics_without_a_closed_form_point_to_draws(name):
    density = small.build("maf").distribution()
    arguments = [0.5] if name == "quantile" else []
    remedy = "sample" if name in ("mode", "covariance") else rf"flow\.{name}\("
    with pytest.raises(NotImplementedError, match=rf"`{name}` of a .*{remedy}"):
        getattr(density, name)(*arguments)


def test_statistics_with_a_closed_form_are_those_of_tfp():
    one = flows.build("linear", (), seed=0).distribution()
    np.testing.assert_allclose(one.quantile(0.5), 0.0, atol=1e-6)


@pytest.mark.parametrize("method", ["log_prob", "sample", "log_cdf"])
@pytest.mark.parametrize("condition_shape", [None, 1])
def test_arguments_that_nothing_uses_are_refused(method, condition_shape):
    flow = small.build("linear", 2, condition_shape)
    condition = None if condition_shape is None else tf.zeros([1])
    ask = getattr(flow.distribution(condition), method)
    argument = 3 if method == "sample" else X
    with pytest.raises(TypeError, match=r"`condition` must .* has its condition"):
        ask(argument, condition=tf.ones([3, 1]))
    with pytest.raises(TypeError, match=r"`context` must be .* would not be used"):
        ask(argument, context=tf.ones([3, 1]))


@pytest.mark.parametrize("name", ["maf", "mixture", "any-order", "symmetric"])
def test_events_of_another_shape_are_named_as_they_are_given(name):
    density = small.build(name).distribution()
    with pytest.raises(ValueError, match=r"`value` must have trailing shape \(2,\)"):
        density.log_prob(X[:, :1])
    assert density.log_prob(X[:, None], name="asked").shape == [3, 1]
    with pytest.raises(NotImplementedError, match="no closed form"):
        density.mean(name="asked")


@pytest.mark.parametrize("way", ["sample", "experimental_sample_and_log_prob"])
@pytest.mark.parametrize(
    "seed", [np.int64(3), np.uint32(3), tf.constant(3), tf.constant([1, 2], tf.int64)]
)
def test_seeds_of_any_type_of_integers(way, seed):
    """TFP fails with integers of NumPy, with scalars, and with pairs of 64 bits."""
    density = small.build("linear").distribution()
    drawn = []
    for _ in range(2):
        tf.random.set_seed(0)
        found = tf.nest.flatten(getattr(density, way)(2, seed=seed))[0]
        drawn.append(found.numpy().tolist())
    assert drawn[0] == drawn[1]
    assert np.shape(drawn[0]) == (2, 2)


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (1.5, "must be an integer or a pair of integers, got 1.5"),
        ("a", "must be an integer or a pair"),
        (np.random.default_rng(0), "must be an integer or a pair"),
        ([1, 2, 3], r"must have shape \[\] or \[2\]"),
    ],
)
def test_what_is_no_seed_is_named(seed, message):
    density = small.build("linear").distribution()
    with pytest.raises((TypeError, ValueError), match=message):
        density.sample(2, seed=seed)
