"""Data frames of every kind give the same numbers, with their meaning."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest

from tfp_flows import datasets

pd = pytest.importorskip("pandas")
SECOND = 1_704_110_400  # noon on the first of January 2024
DAY = 19_723


def pandas_frame():
    when = pd.to_datetime(
        ["2024-01-01 12:00:00.5", None, "2024-01-03"], format="ISO8601"
    )
    return pd.DataFrame(
        {
            "count": pd.array([1, None, 2**40], dtype="Int64"),
            "flag": [True, False, True],
            "price": [decimal.Decimal("1.5"), None, decimal.Decimal("2.25")],
            "when": when,
            "berlin": when.tz_localize("UTC").tz_convert("Europe/Berlin"),
            "waited": pd.to_timedelta([90, None, 30], unit="s"),
            "kind": pd.Categorical(list("aca"), categories=list("cba")),
        }
    )


VALUES = [
    [1, 1, 1.5, SECOND + 0.5, SECOND + 0.5, 90, 1],
    [np.nan, 0, np.nan, np.nan, np.nan, np.nan, 0],
    [2**40, 1, 2.25, SECOND + 129_600, SECOND + 129_600, 30, 1],
]


def check(frame):
    table = datasets.to_table(frame)
    np.testing.assert_array_equal(table.x, VALUES)
    assert table.columns == tuple(pandas_frame().columns)
    assert table.units["when"] == "seconds since 1970-01-01"
    assert table.units["berlin"] == "seconds since 1970-01-01 UTC"
    assert table.units["waited"] == "seconds"
    assert table.labels == {"kind": ("c", "a")}
    part = table.select(["kind", "when"])
    assert (set(part.units), set(part.labels)) == ({"when"}, {"kind"})


def test_pandas_frames_are_read():
    check(pandas_frame())


def test_arrow_tables_are_read():
    arrow = pytest.importorskip("pyarrow")
    check(arrow.Table.from_pandas(pandas_frame()))
    check(pandas_frame().astype({"count": "int64[pyarrow]"}))


def test_polars_frames_are_read():
    pl = pytest.importorskip("polars")
    frame = pl.from_pandas(pandas_frame().drop(columns=["price", "kind"]))
    price = [decimal.Decimal("1.5"), None, decimal.Decimal("2.25")]
    kind = pl.Series("kind", list("aca"), dtype=pl.Enum(list("cba")))
    check(frame.insert_column(2, pl.Series("price", price)).with_columns(kind))
    days = pl.Series("day", [datetime.date(2024, 1, 1), None])
    table = datasets.to_table(days)
    np.testing.assert_array_equal(table.x, [[DAY], [np.nan]])
    assert table.units == {"day": "days since 1970-01-01"}
    with pytest.raises(TypeError, match=r"still to be computed\. Call its method coll"):
        datasets.to_table(frame.lazy())


@pytest.mark.parametrize(
    ("cells", "values", "unit"),
    [
        (["2024-01-01", None, "2024-01-02"], [DAY, np.nan, DAY + 1], "days"),
        (["2024-01-01T12:00Z", "2024-01-01 12:00:01.5"], [SECOND, SECOND + 1.5], "sec"),
    ],
)
def test_iso_dates_in_text_are_read(cells, values, unit):
    table = datasets.to_table(pd.DataFrame({"when": cells}))
    np.testing.assert_array_equal(table.x[:, 0], values)
    assert table.units["when"].startswith(unit)


@pytest.mark.parametrize("cell", ["2024-02-30", "2024", "01.02.2024", "today", "NaT"])
def test_other_text_is_no_date(cell):
    with pytest.raises(ValueError, match="column 'when' must be numeric, got"):
        datasets.to_table(pd.DataFrame({"when": ["2024-01-01", cell]}))
