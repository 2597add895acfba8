"""The wine tables: values, folds and credit."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows import datasets

ROWS = {"white": 4898, "red": 1599}


@pytest.mark.parametrize("color", ROWS)
def test_table_is_complete(color):
    table = datasets.wine(color)
    assert table.x.shape == (ROWS[color], 11)
    assert table.x.dtype == np.float32
    assert table.columns[0] == "fixed acidity"
    datasets.check_columns(table)


@pytest.mark.parametrize("color", ROWS)
def test_table_equals_its_source(color, shared_data):
    source = shared_data / "uci_density" / f"{color}_wine.npz"
    table = datasets.wine(color)
    with np.load(source, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(table.x, arrays["x"].astype(np.float32))
        np.testing.assert_array_equal(table.fold, arrays["fold"])
        assert table.columns == tuple(arrays["columns"])


@pytest.mark.parametrize("color", ROWS)
def test_folds_are_those_of_the_protocol(color):
    table = datasets.wine(color)
    order = np.random.RandomState(0).permutation(len(table))
    for fold, rows in enumerate(np.array_split(order, 10)):
        assert (table.fold[rows] == fold).all()
        assert (table.fold == fold).sum() == len(rows)


@pytest.mark.parametrize("standardize", [True, False])
def test_fold_iterator_covers_every_row_once(standardize):
    sizes = []
    for train, test in datasets.wine_folds("red", standardize=standardize):
        assert not _copies(train, test).any()
        assert len(train) + len(test) == 1599
        assert train.x.dtype == np.float32
        sizes.append(len(test))
        if standardize:
            np.testing.assert_allclose(train.x.mean(axis=0), 0.0, atol=1e-5)
            np.testing.assert_allclose(train.x.std(axis=0), 1.0, atol=1e-5)
            assert np.abs(test.x.mean(axis=0)).max() > 1e-3
    assert len(sizes) == 10
    assert sum(sizes) == 1599


def _copies(train, test):
    """Say which test rows are equal to a training row."""
    known = {row.tobytes() for row in train.x}
    return np.array([row.tobytes() in known for row in test.x])


@pytest.mark.parametrize(("color", "share"), [("white", 0.322), ("red", 0.264)])
def test_folds_of_the_literature_hold_copies_of_training_rows(color, share):
    folds = datasets.wine_folds(color, standardize=False, distinct=False)
    found = [_copies(train, test).mean() for train, test in folds]
    assert np.mean(found) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize("color", ROWS)
def test_folds_of_distinct_wines_are_nearly_equal(color):
    sizes = np.array([len(test) for _, test in datasets.wine_folds(color)])
    assert sizes.sum() == ROWS[color]
    np.testing.assert_allclose(sizes, ROWS[color] / 10, rtol=0.08)


def test_unknown_color_is_explained():
    with pytest.raises(
        ValueError, match="`color` must be one of 'white', 'red', got 'r"
    ):
        datasets.wine("rosé")
    with pytest.raises(ValueError, match="`color` must be one of"):
        datasets.wine_folds("rosé")


def test_credit_is_given(repository):
    beside = repository / "tfp_flows" / "datasets" / "WINE.md"
    for file in (repository / "NOTICE", beside):
        text = " ".join(file.read_text(encoding="utf-8").split())
        for part in ("Cortez", "Wine Quality", "Attribution 4.0", "cast to 32-bit"):
            assert part in text
