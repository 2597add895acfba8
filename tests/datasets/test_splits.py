"""Rows held out in whole groups, or the last ones in time."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows import datasets
from tfp_flows.datasets import splits

X = np.random.default_rng(0).normal(size=(60, 2))
SITES = np.repeat(list("abcdef"), 10)


@pytest.mark.parametrize(
    "groups", [SITES, np.repeat(np.arange(6), 10), SITES.astype(object), [*SITES]]
)
def test_groups_are_held_out_whole(groups):
    rest, held_out = datasets.split_rows(10, 0, X, groups=groups)
    assert sorted([*rest, *held_out]) == list(range(60))
    assert len(held_out) == 10
    assert not set(SITES[rest]) & set(SITES[held_out])


def test_groups_that_share_a_row_are_one():
    x = X.copy()
    x[10] = x[0]  # of the sites a and b
    for seed in range(8):
        _, held_out = datasets.split_rows(20, seed, x, groups=SITES)
        found = set(SITES[held_out])
        assert ("a" in found) == ("b" in found)
    joined = splits.joined_groups(np.array([0, 0, 1, 1, 2]), np.r_[1.0, 2, 2, 3, 4])
    assert joined.tolist() == [0, 0, 0, 0, 2]
    few = np.tile([0.0, 1.0], 30)  # every group has every value
    groups = np.repeat(np.arange(6), 10)
    np.testing.assert_array_equal(splits.joined_groups(groups, few), groups)


@pytest.mark.parametrize("kind", [np.float64, np.int64, "datetime64[D]"])
def test_the_last_rows_are_held_out(kind):
    order = np.random.default_rng(1).permutation(60)
    time = (order + 20_000).astype(kind)
    rest, held_out = datasets.split_rows(6, 0, X, time=time)
    assert len(held_out) == 6
    assert time[rest].max() < time[held_out].min()
    # One instant is not divided, and something is left to fit.
    _, held_out = datasets.split_rows(3, 0, X, time=np.repeat([1, 2, 3], 20))
    assert len(held_out) == 20
    assert len(datasets.split_rows(3, 0, X, time=np.r_[1, np.full(59, 2)])[0]) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": SITES[:5]}, r"`groups` must have one value for each of 60 rows"),
        ({"groups": np.zeros(60)}, "at least two groups, got .*0.0.* alone"),
        ({"groups": ["", *SITES[1:]]}, "known for each row, got none in row 1"),
        ({"groups": [*SITES[:-1], None]}, "got none in row 60"),
        ({"time": np.r_[np.nan, 1:60]}, "`time` must be known .* row 1"),
        ({"time": np.array(["NaT"] * 60, "datetime64[s]")}, "got none in row 1"),
        ({"time": SITES}, "must hold numbers or dates, got 'a' in row 1"),
        ({"time": np.ones(60)}, "at least two instants"),
        ({"time": np.arange(60), "groups": SITES}, "got both"),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        datasets.split_rows(6, 0, X, **given)


def test_tables_are_split_by_group_and_time():
    table = datasets.Table(
        np.column_stack([X, np.repeat(np.arange(6), 10), np.arange(60)]),
        ("x", "y", "site", "day"),
        fold=np.arange(60) % 2,
    )
    train, test = table.split(0.1, time="day")
    assert test.columns == ("x", "y", "site")
    np.testing.assert_array_equal(test.x, table.x[54:, :3])
    train, test = table.split(0.2, groups="site", standardize=True)
    assert train.columns == ("x", "y", "day")
    assert (len(train), len(test)) == (50, 10)
    np.testing.assert_allclose(train.x.mean(axis=0), 0, atol=1e-12)
    # A group goes to the fold of its first row.
    _, test = table.split(1, groups=np.r_[0, np.repeat(1, 59)])
    assert len(test) == 59
    with pytest.raises(ValueError, match="`time` must come with a share"):
        table.split(1, time="day")
    x = np.repeat(X[:, :1], 2, axis=0)
    train, test = datasets.Table(x, ("x",)).split(0.5)
    assert not set(train.x.ravel()) & set(test.x.ravel())


def test_copies_are_not_draws_from_few_values():
    assert datasets.copies(X) is None
    assert datasets.copies(np.r_[X, X[:5]]) is not None
    assert datasets.copies(np.arange(60) % 7) is None
