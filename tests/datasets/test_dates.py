"""Dates as numbers, and back."""

import datetime

import numpy as np
import pandas as pd
import pytest

from tfp_flows.datasets import dates, read_table, splits, to_table
from tfp_flows.preprocessing import DataNotice

pl = pytest.importorskip("polars")


@pytest.mark.parametrize("unit", [dates.MOMENTS, dates.SECONDS, dates.DAYS])
def test_text_is_read_back(unit):
    values = np.array([0.0, 19_723.0, -400.0])
    for text, value in zip(dates.as_text(values, unit), values, strict=True):
        assert dates.read_one(text, unit, "when") == value


def test_days_and_seconds_are_the_same_moments():
    days = np.array([19_723.25])
    seconds = dates.in_unit(days, dates.DAYS, dates.SECONDS, "when")
    assert seconds[0] == 19_723.25 * 86_400
    assert dates.in_unit(seconds, dates.MOMENTS, dates.DAYS, "when")[0] == days[0]
    assert dates.in_unit(days, None, dates.SECONDS, "when") is days


@pytest.mark.parametrize(
    ("unit", "wanted", "words"),
    [
        (dates.DAYS, None, "must hold plain numbers"),
        (dates.LENGTH, dates.DAYS, "must hold days since"),
        (dates.DAYS, dates.LENGTH, "must hold seconds, as"),
    ],
)
def test_what_is_not_counted_alike_is_refused(unit, wanted, words):
    with pytest.raises(ValueError, match=words):
        dates.in_unit(np.ones(1), unit, wanted, "when")


def test_numbers_beyond_the_calendar_are_no_dates():
    found = dates.times(np.array([1e30, np.nan, 0.0]), dates.MOMENTS)
    assert np.isnat(found).tolist() == [True, True, False]
    assert dates.as_text(np.array([np.inf]), dates.DAYS) == [""]
    assert dates.as_text(np.array([1.5]), dates.LENGTH) == [1.5]


def test_other_text_is_no_date():
    for text in ("tomorrow", "2024-02-30", ""):
        with pytest.raises(ValueError, match="when must be dates such as"):
            dates.read_one(text, dates.DAYS, "when")


FAR = {
    day: 86_400.0 * (datetime.date.fromisoformat(day) - datetime.date(1970, 1, 1)).days
    for day in ("9999-12-31", "1066-10-14")
}


@pytest.mark.parametrize("day", FAR)
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_years_that_nanoseconds_do_not_reach_are_counted_right(day, unit):
    cells = np.array([day, "2024-01-01"], f"datetime64[{unit}]")
    made = [pd.DataFrame] if unit == "s" else [pd.DataFrame, pl.DataFrame]
    for make in made:  # polars has no seconds
        table = to_table(make({"when": cells}))
        assert table.x[:, 0].tolist() == [FAR[day], 1_704_067_200.0]
    text = to_table(pd.DataFrame({"when": [f"{day} 00:00:00.25", "2024-01-01"]}))
    assert text.x[0, 0] == FAR[day] + 0.25
    days = to_table(pd.DataFrame({"when": [day, "2024-01-01"]}))
    assert days.x[:, 0].tolist() == [FAR[day] / 86_400, 19_723.0]


def test_long_times_are_counted_right():
    long = pl.DataFrame({"age": [datetime.timedelta(days=200_000)]})
    assert to_table(long).x.item() == 200_000 * 86_400


@pytest.mark.parametrize(
    "cell",
    [
        "2024-01-01T12:00Z",
        "2024-01-01 13:00:00+01:00",
        "2024-01-01T13:00:00.000000+0100",
        "2024-01-01 13:00:00+01",
        "2024-01-01 08:30:00.0-03:30",
    ],
)
def test_text_with_a_time_zone_counts_in_utc(cell):
    table = to_table(pd.DataFrame({"when": [cell, "2024-01-01T12:00Z"]}))
    assert table.x[:, 0].tolist() == [1_704_110_400.0] * 2
    assert table.units == {"when": dates.SECONDS}
    assert dates.read_one(cell, dates.SECONDS, "when") == 1_704_110_400.0


def test_zones_that_pandas_writes_are_read(tmp_path):
    when = pd.date_range("2024-03-30", periods=9, freq="12h", tz="Europe/Berlin")
    frame = pd.DataFrame({"when": when})
    frame.to_csv(tmp_path / "when.csv", index=False)
    table = read_table(tmp_path / "when.csv")
    np.testing.assert_array_equal(table.x, to_table(frame).x)
    assert table.units == to_table(frame).units


def test_a_zone_that_only_one_of_two_tables_has_is_said():
    with pytest.warns(DataNotice, match=r"^column 'when' has no time zone, and one in"):
        dates.in_unit(np.ones(1), dates.MOMENTS, dates.SECONDS, "when")
    with pytest.warns(DataNotice, match=r"^column 'when' has a time zone, and none in"):
        dates.in_unit(np.ones(1), dates.SECONDS, dates.MOMENTS, "when")


@pytest.mark.parametrize(
    "time",
    [
        ["2024-01-01T00:00+05:00", "2024-01-01T00:00Z", "9999-12-31T00:00Z"],
        pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"], utc=True)),
    ],
)
def test_times_of_a_split_may_be_text_or_have_a_zone(time):
    assert splits.check_times(time, 3).tolist() == [0, 1, 2]


def test_single_dates_are_counted_whatever_holds_them():
    moment = pd.Timestamp("2024-01-01 13:00", tz="Europe/Berlin")
    for cell in (moment, moment.to_pydatetime(), "2024-01-01T12:00Z", [moment]):
        assert np.all(dates.counted(cell, dates.SECONDS, "when") == 1_704_110_400.0)
    day = datetime.date(2024, 1, 1)
    assert dates.counted(day, dates.DAYS, "when") == 19_723.0
    assert dates.counted(datetime.timedelta(days=1), dates.LENGTH, "age") == 86_400.0
    assert dates.counted(3.0, dates.DAYS, "when") == 3.0
    with pytest.raises(ValueError, match="when must be dates such as"):
        dates.counted("soon", dates.DAYS, "when")
