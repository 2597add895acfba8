"""Names of coordinates: what data frames are read by."""

import numpy as np
import pandas as pd
import pytest

import tfp_flows as tfpf
from tests.flows import small

X = small.table(60, 3)
NAMES = ["a", "b", "c"]
FRAME = pd.DataFrame(X, columns=NAMES)


@pytest.fixture(scope="module")
def flow():
    flow = small.build("linear", 2, 1, columns=NAMES[:2], condition_columns=["c"])
    flow.adapt(X[:, :2], X[:, 2:])
    return flow


def test_columns_of_a_frame_are_found_by_name(flow):
    wanted = flow.log_prob(X[:, :2], X[:, 2:])
    for frame in (FRAME[["c", "b", "a"]], FRAME.assign(label="text")):
        np.testing.assert_array_equal(flow.log_prob(frame, frame), wanted)
    table = tfpf.datasets.to_table(FRAME[["b", "c", "a"]])
    np.testing.assert_array_equal(flow.log_prob(table, table), wanted)
    found = flow.distribution(FRAME).log_prob(X[:, :2])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_conditions_of_samples_are_found_by_name(flow):
    wanted = flow.sample(2, X[:, 2:], seed=1)
    np.testing.assert_array_equal(flow.sample(2, FRAME, seed=1), wanted)


def test_numbered_frames_are_read_by_position(flow):
    frame = pd.DataFrame(X[:, :2])
    wanted = flow.log_prob(X[:, :2], X[:, 2:])
    np.testing.assert_array_equal(flow.log_prob(frame, X[:, 2:]), wanted)


def test_missing_and_bad_columns_are_named(flow):
    with pytest.raises(ValueError, match=r"`x` must have the columns .*'b' is missing"):
        flow.log_prob(FRAME[["a", "c"]], FRAME)
    with pytest.raises(ValueError, match="column 'a' must be numeric, got 'text'"):
        flow.log_prob(FRAME.assign(a="text"), FRAME)


def test_fit_goes_on_with_a_frame_in_another_order():
    flow = small.build("linear", 3, columns=NAMES)
    other = FRAME[["c", "a", "b"]]
    options = {"epochs": 1, "seed": 0, "verbose": 0, "jit_compile": False}
    tfpf.fit(flow, other, validation=(other,), **options)
    twin = small.build("linear", 3, columns=NAMES)
    tfpf.fit(twin, X, validation=(X,), **options)
    np.testing.assert_allclose(flow.log_prob(X), twin.log_prob(X), atol=1e-5)


def test_sizes_and_file_names_are_checked(flow, tmp_path):
    with pytest.raises(ValueError, match="`sample_shape` must not be negative, got -1"):
        flow.sample(-1, X[:, 2:])
    with pytest.raises(ValueError, match=r"`filepath` must end in .keras, got"):
        flow.save(tmp_path / "flow.h5")


def test_columns_may_come_with_their_kinds():
    kinds = dict.fromkeys(NAMES[:2], "continuous")
    assert small.build("linear", 2, columns=kinds).columns == ("a", "b")
    for argument, shape in (("columns", None), ("condition_columns", 2)):
        wrong = {argument: {"a": "continuous", "b": "whole"}}
        with pytest.raises(ValueError, match=r"`columns` of 'b'.*no kind 'whole'"):
            small.build("linear", 2, shape, **wrong)
    with pytest.raises(ValueError, match="must be numbers, got categories of 'b'"):
        small.build("linear", 2, 1, condition_columns={"b": ("category", ["x", "y"])})
