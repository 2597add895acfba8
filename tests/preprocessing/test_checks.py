"""What is said of tables that no density can have, and nothing of clean ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfp_flows.preprocessing import Column, checks, dependence
from tfp_flows.preprocessing.missing import impute

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(1500, 3))
NAMES = ("a", "b", "c")
DATA = Path(__file__).parents[3] / "shared" / "data"


def said(x, names=NAMES):
    """Return all sentences about a table, and the rows of gross outliers."""
    x = np.asarray(x, np.float64)
    still = checks.constant(x, names)
    found = [*still, *checks.sentinels(x, names), *checks.copied_rows(x)]
    found += checks.counting(x, names)
    found += [] if still else dependence.dependent(x, names)
    found += checks.too_fine_for_float32(x, names)
    return [str(f) for f in found], checks.gross_outliers(x, names)[0].tolist()


def with_third(values):
    return np.column_stack([Z[:, :2], values])


@pytest.mark.parametrize(
    ("third", "sentence"),
    [
        (np.full(1500, 3.0), "column 'c' is constant, 3 in every row"),
        (Z[:, 0], "column 'c' is a copy of column 'a': a density has no width"),
        (5 * Z[:, 1] - 3, "column 'c' is column 'b' in another unit"),
        (Z[:, 0] - 2 * Z[:, 1], "column 'c' is a sum of multiples of the columns 'a'"),
        (np.where(RNG.uniform(size=1500) < 0.1, -999, Z[:, 2]), "'c' holds -999 in"),
        (np.where(RNG.uniform(size=1500) < 0.1, 9999, Z[:, 2]), "'c' holds 9999 in"),
        (1.7e9 + RNG.uniform(0, 3600, 1500), "'c' has 1500 different values, of which"),
        (1e-30 * Z[:, 2], "column 'c' has numbers of a size such as"),
        (np.arange(1500), "'c' holds 1,500 whole numbers from 0 to 1499, in no two"),
        (7001 + RNG.permutation(1700)[:1500], "it seems to number the rows, as an"),
    ],
)
def test_a_column_is_named_with_what_is_wrong(third, sentence):
    (found,), rows = said(with_third(third))
    assert sentence in found
    assert not rows


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (
            Z[:, :1],
            "column 'a' is a copy of condition column 'k': given the conditions",
        ),
        (1 - 3 * Z[:, 1:2], "column 'b' is condition column 'k' in another unit"),
        (
            Z[:, 2:] - Z[:, :1],
            "column 'c' is a sum of multiples of the columns 'k', 'a'",
        ),
    ],
)
def test_columns_that_conditions_determine_are_named(condition, sentence):
    beside = np.column_stack([condition, np.full(1500, 7.0)])  # a constant says nothing
    (found,) = dependence.given(Z, NAMES, beside, ("k", "l"))
    assert str(found).startswith(sentence)
    near = beside + np.array([1e-3, 0.0]) * RNG.normal(size=(1500, 2))
    assert dependence.given(Z, NAMES, near, ("k", "l")) == []
    (found,) = dependence.given(Z[:, :1], None, Z[:, :1], None, [True])
    assert "its mass is 1" in str(found)


def test_dates_that_are_written_as_numbers_are_named():
    days = np.arange("2024-01-05", "2028-02-13", dtype="datetime64[D]")[:1500]
    numbers = np.array([str(day).replace("-", "") for day in days], np.float64)
    (found,) = checks.compact_dates(with_third(numbers), NAMES)
    assert str(found).startswith("column 'c' holds numbers such as 20240105 that all")
    assert checks.compact_dates(with_third(numbers + 50.0), NAMES) == []
    assert checks.compact_dates(with_third(20240000.0 + np.arange(1500)), NAMES) == []


def test_atoms_that_no_row_has_are_named():
    kinds = [Column.read(("atom", 0.0), "a"), Column.read(("atom", 5.0), "b"), Column()]
    x = Z.copy()
    x[:100, 0] = 0.0
    (found,) = checks.absent_atoms(x, NAMES, kinds)
    assert str(found).startswith("column 'b' has a mass at 5 by its kind, which no row")


def test_rounded_sums_count_as_sums_and_near_ones_do_not():
    total = (Z[:, 0] + Z[:, 1]).astype("float32")
    assert "'c' is a sum" in said(with_third(total))[0][0]
    assert said(with_third(total + 1e-3 * Z[:, 2]))[0] == []


def test_copies_are_said_with_their_share():
    (found,), _ = said(np.repeat(Z[:300], 5, axis=0))
    assert found.startswith("rows are copies of earlier rows to 80 %")


@pytest.mark.parametrize("size", [1e3, 1e9, 1e39, 1e300])
def test_gross_outliers_are_found_by_row(size):
    x = Z.copy()
    x[17, 0], x[3, 2] = size, -size
    rows, cells = checks.gross_outliers(x, NAMES)
    assert rows.tolist() == [3, 17]
    assert cells == [("column 'a'", size, 17), ("column 'c'", -size, 3)]


@pytest.mark.parametrize("rows", [100, 1500, 20_000])
def test_nothing_is_said_of_clean_numbers(rows):
    rng = np.random.default_rng(1)
    for x in (
        rng.normal(size=(rows, 3)),
        500.0 + rng.normal(size=(rows, 3)),
        rng.standard_t(3, size=(rows, 3)),
        np.exp(rng.normal(size=(rows, 3))),
        rng.uniform(size=(rows, 3)),
        rng.gamma(0.1, size=(rows, 3)),
        np.round(rng.normal(size=(rows, 3)), 1),
        rng.choice([-5.0, 5.0], size=(rows, 3)) + rng.normal(size=(rows, 3)),
    ):
        assert said(x) == ([], [])


@pytest.mark.skipif(not DATA.exists(), reason="the real tables are not here")
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("uci_density/white_wine", "x"),
        ("uci_density/red_wine", "x"),
        ("uci_density/ionosphere", "x"),
        ("galaxies/train", "x"),
        ("higgs_7k/train", "x"),
        ("miniboone_maf/val", "x"),
        ("power_34d/trainval", "val"),
    ],
)
def test_nothing_is_said_of_clean_tables(name, key):
    x = np.load(DATA / f"{name}.npz")[key]
    assert said(x[:20_000], None) == ([], [])


def test_imputed_cells_keep_the_distribution_and_the_dependence():
    whole = np.column_stack(
        [Z[:, 0], Z[:, 0] + 0.1 * Z[:, 1], RNG.integers(5, size=1500)]
    )
    missing = RNG.uniform(size=whole.shape) < 0.2
    filled = impute(np.where(missing, np.nan, whole), seed=0)
    np.testing.assert_array_equal(filled[~missing], whole[~missing])
    np.testing.assert_allclose(filled.std(axis=0), whole.std(axis=0), rtol=0.05)
    assert np.corrcoef(filled.T)[0, 1] > 0.95
    assert set(filled[:, 2]) == set(range(5))
    again = impute(np.where(missing, np.nan, whole), seed=0)
    np.testing.assert_array_equal(filled, again)
    with pytest.raises(ValueError, match="column 2 must have some values"):
        impute(np.column_stack([Z[:, 0], np.full(1500, np.nan)]))


def test_rows_of_a_few_values_are_equal_by_chance():
    assert said(RNG.integers(0, 4, size=(1500, 3)))[0] == []
