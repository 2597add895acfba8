"""Tables: conversion, selection, folds and the checks of columns."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pytest

from tfp_flows import datasets

FOLDED = datasets.Table(
    np.arange(24.0).reshape(6, 4), ("a", "b", "c", "d"), np.array([0, 1, 2, 0, 1, 2])
)


def test_rows_keep_their_folds_units_and_labels():
    table = dataclasses.replace(FOLDED, units={"b": "days"}, labels={"c": ("u", "v")})
    some = table.take([1, 5])
    np.testing.assert_array_equal(some.x, FOLDED.x[[1, 5]])
    assert some.fold.tolist() == [1, 2]
    train, test = table.split(1)
    for part in (some, train, test, table.take(table.fold > 0)):
        assert (part.units, part.labels) == (table.units, table.labels)
    assert train.fold is None


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("float16", "float32"),
        ("int64", "float32"),
        ("uint8", "float32"),
        ("bool", "float32"),
    ],
)
def test_arrays_become_floats(dtype, expected):
    table = datasets.to_table(np.ones((3, 2), dtype))
    assert table.x.dtype == expected
    assert table.columns == ("x0", "x1")
    assert len(table) == 3


def test_vectors_lists_and_array_like_objects_are_accepted():
    class Like:
        def __array__(self, dtype=None, copy=None):
            return np.zeros((5, 3), np.float32)

    assert datasets.to_table(np.zeros(4)).x.shape == (4, 1)
    assert datasets.to_table([[1, 2], [3, 4]]).x.tolist() == [[1, 2], [3, 4]]
    assert datasets.to_table(Like()).x.shape == (5, 3)
    assert datasets.to_table(FOLDED) is FOLDED


def test_numpy_takes_a_table_as_its_values():
    np.testing.assert_array_equal(np.asarray(FOLDED), FOLDED.x)
    assert np.asarray(FOLDED, np.float32).dtype == np.float32
    assert np.array(FOLDED) is not FOLDED.x
    assert np.mean(FOLDED, axis=0).shape == (4,)


def test_tables_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FOLDED.x = np.zeros((1, 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            np.zeros((2, 2, 2)),
            r"`data` must have shape \[n, d\] or \[n\], got \(2, 2, 2",
        ),
        (3.0, r"`data` must have shape \[n, d\] or \[n\], got \(\)"),
        (["a", "b"], "`data` must be numeric, got 'a' in row 1. Pass text in a data"),
        ([["1"], ["2"]], r"got '1' in row 1, a number as text. .* astype\(float\)"),
        ([{"a": 1.0}], r"rows with names. Pass pandas.DataFrame"),
        (np.zeros(2, [("a", "f4")]), r"records with names. Pass pandas.DataFrame"),
        (np.zeros(2, "datetime64[D]"), "got dates or lengths of time.* data frame"),
        ({1.0, 2.0}, r"got a `set`. Pass an array"),
        (
            [[2**60], [1]],
            r"integers within \+-2\*\*53, got 1152921504606846976 in row 1",
        ),
        (np.zeros((2, 2), complex), "`data` must be numeric, got .* complex128"),
        ([[1], [2, 3]], "`data` must be rows of one length"),
    ],
)
def test_wrong_data_is_explained(data, message):
    with pytest.raises(ValueError, match=message):
        datasets.to_table(data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), ("a",)), r"`x` must have shape \[n, d\], got \(3,\)"),
        ((np.zeros((3, 2)), ("a",)), "must name all 2 columns, got 1 names"),
        ((np.zeros((3, 2)), ("a", "a")), "must have different names, got 'a' more"),
        ((np.zeros((3, 1)), ("a",), np.zeros(2)), r"`fold` must have shape \[3\]"),
        ((np.array([["u"]]), ("a",)), "`x` must be numeric"),
    ],
)
def test_wrong_tables_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.Table(*arguments)


def test_select_keeps_order_and_folds():
    part = FOLDED.select(["d", "a"])
    assert part.columns == ("d", "a")
    np.testing.assert_array_equal(part.x, FOLDED.x[:, [3, 0]])
    np.testing.assert_array_equal(part.fold, FOLDED.fold)
    with pytest.raises(ValueError, match=r"got 'z'\. The table has 'a', 'b', 'c', 'd'"):
        FOLDED.select(["a", "z"])
    with pytest.raises(ValueError, match="different names, got 'a' more than once"):
        FOLDED.select(["a", "a"])
    with pytest.raises(
        TypeError, match=r"must be a list of names, got 'ab'. Write \['"
    ):
        FOLDED.select("ab")


def test_split_divides_the_rows():
    train, test = FOLDED.split(1)
    np.testing.assert_array_equal(test.x, FOLDED.x[[1, 4]])
    np.testing.assert_array_equal(train.x, FOLDED.x[[0, 2, 3, 5]])
    assert train.fold is None
    assert test.columns == FOLDED.columns


def test_split_standardizes_with_the_training_rows():
    raw, _ = FOLDED.split(2)
    train, test = FOLDED.split(2, standardize=True)
    np.testing.assert_allclose(train.x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(train.x.std(axis=0), 1.0)
    expected = (FOLDED.x[[2, 5]] - raw.x.mean(axis=0)) / raw.x.std(axis=0)
    np.testing.assert_allclose(test.x, expected)


def test_split_puts_copies_into_the_fold_of_the_first():
    x = np.array([[1.0], [2.0], [1.0], [3.0], [2.0], [4.0]])
    table = datasets.Table(x, ("a",), np.array([0, 1, 1, 2, 2, 2]))
    parts = [table.split(fold) for fold in range(3)]
    assert [test.x.ravel().tolist() for _, test in parts] == [[1, 1], [2, 2], [3, 4]]
    for train, test in parts:
        assert len(train) + len(test) == 6
        assert not np.isin(test.x, train.x).any()
    as_it_stands = table.split(1, distinct=False)[1]
    assert as_it_stands.x.ravel().tolist() == [2.0, 1.0]
    twins = datasets.Table(np.ones((2, 1)), ("a",), np.array([0, 1]))
    with pytest.raises(ValueError, match=r"got 1 with copies only\. Pass distinct=F"):
        twins.split(1)


def test_split_explains_missing_folds():
    with pytest.raises(ValueError, match=r"`fold` must be one of \[0, 1, 2\], got 3"):
        FOLDED.split(3)
    with pytest.raises(ValueError, match="needs a table with folds"):
        datasets.to_table(np.zeros((2, 2))).split(0)
    x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    flat = datasets.Table(x, ("b", "a"), np.array([0, 1, 1]))
    with pytest.raises(
        ValueError, match=r"every column must vary, got constant 'a' = 1"
    ):
        flat.split(0, standardize=True)


def test_check_columns_names_the_cell():
    x = np.arange(12.0).reshape(4, 3)
    datasets.check_columns(x)
    x[2, 1] = np.nan
    message = (
        r"column 'x1' must hold finite numbers, got nan in row 3, a missing value\."
    )
    with pytest.raises(ValueError, match=message):
        datasets.check_columns(x)
    x[3, 0] = np.inf
    with pytest.raises(
        ValueError, match=r"row 3, a missing value \(2 such cells in all"
    ):
        datasets.check_columns(x)
    with pytest.raises(ValueError, match=r"'x0' .* got inf in row 4, an infinite"):
        datasets.check_columns(x[:, [0]])
    datasets.check_columns(x, finite=False)


def test_check_columns_names_constant_columns():
    x = np.stack([np.arange(3.0), np.full(3, 2.5), np.zeros(3)], axis=1)
    message = r"got constant 'x1' = 2\.5, 'x2' = 0\.0\. Drop them"
    with pytest.raises(ValueError, match=message):
        datasets.check_columns(x)
    with pytest.raises(ValueError, match=r"constant 'x1' = 2\.5\. Drop it"):
        datasets.check_columns(x[:, :2])
    datasets.check_columns(x, constant=False)


@pytest.mark.colab
def test_frames_give_values_and_names():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], 3: [True, False]})
    table = datasets.to_table(frame)
    assert table.columns == ("a", "b", "3")
    assert table.x.dtype == np.float64
    np.testing.assert_array_equal(table.x, [[1, 0.5, 1], [2, 1.5, 0]])
    narrow = datasets.to_table(frame.astype({"b": "float32"}))
    assert narrow.x.dtype == np.float32
    assert datasets.to_table(frame["b"]).columns == ("b",)
    assert datasets.to_table(pd.Series([1.0])).columns == ("x0",)


def test_integers_beside_float64_keep_their_digits():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [16_777_217], "b": [0.5]})
    assert datasets.to_table(frame).x[0, 0] == 16_777_217


@pytest.mark.parametrize(
    "dtype",
    [
        "int8",
        "uint16",
        "bool",
        "float32",
        "Int64",
        "boolean",
        "Float32",
        "object",
        "int64[pyarrow]",
        "bool[pyarrow]",
        "double[pyarrow]",
        "Sparse[int64]",
        "Sparse[float64]",
    ],
)
def test_columns_of_every_numeric_type_are_taken(dtype):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": pd.Series([1, 0, 1]).astype(dtype)})
    np.testing.assert_array_equal(datasets.to_table(frame).x, [[1], [0], [1]])


def test_missing_cells_of_frames_become_nan():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "a": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "c": pd.array([1.5, None], dtype="Float32"),
            "d": pd.Series([2, None], dtype=object),
        }
    )
    table = datasets.to_table(frame)
    np.testing.assert_array_equal(table.x, [[1, 1, 1.5, 2], [np.nan] * 4])


def test_frames_with_text_name_the_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "city": ["1", "Oslo"], "kind": ["u", "v"]})
    message = (
        r"column 'city' must be numeric, got 'Oslo' in row 2 \(nor are 'kind'\)\. .*"
        r"Drop .* fit with columns=\{'city': 'category'\}"
    )
    with pytest.raises(ValueError, match=message):
        datasets.to_table(frame)
    table = datasets.to_table(frame, categories=["city", "kind"])
    assert table.x.tolist() == [[1, 0, 0], [2, 1, 1]]
    assert table.labels == {"city": ("1", "Oslo"), "kind": ("u", "v")}
    table = datasets.to_table(frame[["kind"]], labels={"kind": ("w", "v", "u")})
    assert table.x.ravel().tolist() == [2, 1]
    with pytest.raises(ValueError, match="one of the labels 'u', got 'v' in row 2"):
        datasets.to_table(frame[["kind"]], labels={"kind": ("u",)})
    with pytest.raises(ValueError, match="different names, got 'a' more than once"):
        datasets.to_table(frame[["a", "a"]])


def test_objects_that_are_numbers_are_read():
    cells = [[Decimal("0.5"), 2], [None, np.float32(3.0)]]
    table = datasets.to_table(np.array(cells, object))
    np.testing.assert_array_equal(table.x, [[0.5, 2.0], [np.nan, 3.0]])


def test_categories_that_are_numbers_stand_for_themselves():
    pd = pytest.importorskip("pandas")
    table = datasets.to_table(pd.DataFrame({"k": pd.Categorical([7, 3, 7])}))
    np.testing.assert_array_equal(table.x[:, 0], [7.0, 3.0, 7.0])
    assert table.labels == {"k": (3, 7)}
