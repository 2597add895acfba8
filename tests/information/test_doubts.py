"""When a measure cannot be trusted, and that it says so."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from tfp_flows import information
from tfp_flows.information import doubts, samples

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(2, 1200))
FEW = {"flow": {"flow": "rbig", "epochs": 1}, "seed": 0}


def sentences(*columns, **options):
    """Return what is said of columns side by side."""
    spread = options.get("spread", True)
    sample = samples.read(np.stack(columns, axis=1), "x", spread=spread, seed=0)
    return doubts.found([sample], None, spread=spread)


@pytest.mark.parametrize("y", [X**3, X**2, np.exp(X) + 1e-6 * Z, np.sin(3 * X)])
def test_a_function_of_a_column_is_found(y):
    found = sentences(X, y)
    assert found.infinite
    assert "column 'x1' follows from column 'x0'" in found[0] or (
        "column 'x0' follows from column 'x1'" in found[0]
    )


def test_a_function_of_two_columns_is_found():
    x, z = RNG.normal(size=(2, 3000))
    assert len(doubts.relations(np.stack([x, z, x * z], axis=1))) == 1


@pytest.mark.parametrize("rows", [120, 2000])
@pytest.mark.parametrize("size", [2, 3])
def test_there_is_no_false_alarm(rows, size):
    rng = np.random.default_rng(rows)
    mixing = rng.normal(size=(size, size))
    for draw in (rng.normal, rng.uniform, rng.standard_cauchy):
        assert sentences(*draw(size=(rows, size)).T) == ()
    assert sentences(*(rng.normal(size=(rows, size)) @ mixing).T) == ()
    assert sentences(*(rng.standard_t(3, size=(rows, size)) @ mixing).T) == ()
    x = rng.normal(size=rows)
    assert sentences(x, x**3 + 0.1 * rng.normal(size=rows)) == ()
    mostly_zero = np.where(rng.uniform(size=rows) < 0.95, 0.0, rng.normal(size=rows))
    assert not sentences(x, mostly_zero).infinite


def test_a_cell_far_from_all_others_is_named_once_and_in_its_own_units():
    far = X.copy()
    far[[7, 70]] = 1e12, 1e11
    said = sentences(far, Z)
    assert len(said) == 1
    assert "column 'x0' has 1e+12 in row 7, far from all others" in said[0]
    assert "(one of 2 such cells)" in said[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = information.mutual_information(far[:300], Z[:300], **FEW)
    assert found.doubts
    assert {str(one.message) for one in caught} == set(found.doubts)


def test_counts_ties_and_few_rows_are_named():
    dice = RNG.integers(1, 7, size=1200).astype(float)
    assert "column 'x0' has 6 different values in 1200 rows" in sentences(dice)[0]
    tied = np.round(X, 1)
    assert sentences(tied) == ()
    assert "ties have no density" in sentences(tied, spread=False)[0]
    assert "60 rows are few for 1 columns" in sentences(X[:60])[0]


@pytest.mark.slow
def test_values_carry_their_doubts_in_every_unit():
    with pytest.warns(UserWarning, match="follows from column .* infinite"):
        found = information.mutual_information(X[:300], X[:300] ** 3, **FEW)
    assert math.isinf(found.stderr)
    assert found.to("bits").doubts == found.doubts
    assert repr(found).endswith("nats (doubtful)")
    with pytest.warns(UserWarning, match="follows"):
        information.entropy(np.stack([X, np.exp(X)], axis=1)[:300], **FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert information.entropy(X[:300], **FEW).doubts == ()


def test_copies_are_one_draw_of_the_standard_error():
    x = RNG.normal(size=(300, 2))
    copied = np.concatenate([x, x[:150]])
    with pytest.warns(UserWarning, match="150 of 450 rows are copies of others"):
        found = information.total_correlation(copied, **FEW)
    assert found.doubts
