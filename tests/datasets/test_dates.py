"""Dates as numbers, and back."""

import numpy as np
import pytest

from tfp_flows.datasets import dates


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
