"""Random parts of a table in which equal rows stay together."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tfp_flows import datasets


def _table(rows, seed=0, d=3):
    return np.random.default_rng(seed).normal(size=(rows, d))


def _shared(x, one, other):
    return {row.tobytes() for row in x[one]} & {row.tobytes() for row in x[other]}


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_groups_are_those_of_equal_rows(dtype):
    x = np.random.default_rng(0).integers(0, 3, size=(500, 4)).astype(dtype)
    groups = datasets.equal_rows(x)
    _, first, index = np.unique(x, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(groups, first[index.ravel()])


def test_rows_of_different_parts_are_joined():
    x, condition = np.array([1.0, 1.0, 2.0, 1.0]), np.array([[0.0], [1], [0], [0]])
    assert datasets.equal_rows(x, condition).tolist() == [0, 1, 2, 0]
    assert datasets.equal_rows(x, None).tolist() == [0, 0, 2, 0]
    # A value counts where it stands, in its part and in its column.
    assert datasets.equal_rows(np.array([[1.0, 2.0], [2.0, 1.0]])) is None
    assert datasets.equal_rows(np.array([1.0, 2.0]), np.array([2.0, 1.0])) is None
    assert datasets.equal_rows(_table(100)) is None


def test_zeros_of_both_signs_are_equal():
    assert datasets.equal_rows(np.array([0.0, -0.0])).tolist() == [0, 0]


def test_rows_without_copies_are_split_by_a_permutation():
    x, order = _table(50), np.random.default_rng(3).permutation(50)
    rest, held_out = datasets.random_split(7, 3, x)
    np.testing.assert_array_equal(held_out, np.sort(order[:7]))
    np.testing.assert_array_equal(rest, np.sort(order[7:]))
    folds = datasets.random_folds(50, 4, np.random.default_rng(3))
    np.testing.assert_array_equal(folds, order % 4)


@pytest.mark.parametrize("seed", range(5))
def test_held_out_rows_are_new(seed):
    x = _table(300)[np.random.default_rng(seed).integers(0, 300, size=1000)]
    rest, held_out = datasets.random_split(100, seed, x)
    assert sorted([*rest, *held_out]) == list(range(1000))
    assert len(held_out) == 100
    assert not _shared(x, rest, held_out)


def test_sets_of_copies_that_do_not_fit_stay_whole():
    x = np.repeat(_table(14), [60, 1, 1, 24, *[1] * 7, 2, 2, 2], axis=0)
    for seed in range(5):
        rest, held_out = datasets.random_split(10, seed, x)
        assert len(held_out) == 10
        assert not _shared(x, rest, held_out)
    pairs = np.repeat(_table(4), 5, axis=0)  # none fits: one is held out all the same
    rest, held_out = datasets.random_split(2, 0, pairs)
    assert len(held_out) == 5
    assert not _shared(pairs, rest, held_out)


def test_draws_from_few_values_are_no_copies():
    x = np.random.default_rng(0).integers(0, 4, size=1000)
    rest, held_out = datasets.random_split(100, 0, x)
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(held_out, np.sort(order[:100]))
    assert len(rest) == 900
    one = np.zeros(10)
    assert len(datasets.random_split(3, 0, one)[1]) == 3


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_of_nearly_equal_size(seed):
    rng = np.random.default_rng(seed)
    x = _table(300)[rng.integers(0, 300, size=1000)]
    folds = datasets.random_folds(1000, 7, rng, datasets.equal_rows(x))
    assert np.ptp(np.bincount(folds, minlength=7)) <= 2
    for fold in range(7):
        assert not _shared(x, folds == fold, folds != fold)


def test_a_million_rows_take_about_a_second():
    x = _table(1_000_000, d=10)
    x[500_000:] = x[:500_000]
    start = time.process_time()
    datasets.random_split(100_000, 0, x)
    assert time.process_time() - start < 3.0


def test_rows_that_are_equal_by_chance_are_no_copies():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, size=500)
    amounts = np.where(rng.uniform(size=500) < 0.6, 0.0, rng.normal(size=500))
    x = np.stack([counts, amounts], axis=1)
    _, held_out = datasets.random_split(50, 0, x)
    # Zeros are held out as often as they are there.
    assert 0.4 < np.mean(x[held_out, 1] == 0.0) < 0.8
    # Copies of rows that have a number of their own stay together.
    x = np.tile(np.stack([counts, rng.normal(size=500)], axis=1), [2, 1])
    rest, held_out = datasets.random_split(100, 0, x)
    assert not set(x[rest, 1]) & set(x[held_out, 1])
