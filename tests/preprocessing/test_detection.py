"""What a column is told to be from its values."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tfp_flows.preprocessing import Column, detect

SIZES = (200, 1500, 20_000)


def columns(draw, rows):
    """Return what is detected in three tables of one column."""
    found = [detect(draw(np.random.default_rng(i), rows))[0] for i in range(3)]
    assert found[0] == found[1] == found[2]
    return found[0]


PLAIN = {
    "normal": lambda rng, n: rng.normal(size=n),
    "float32": lambda rng, n: rng.normal(size=n).astype("float32"),
    "away from 0": lambda rng, n: 3.0 + rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_t(3, size=n),
    "positive by far": lambda rng, n: np.exp(0.3 * rng.normal(size=n)),
    "scaled to 0 and 1": lambda rng, n: _scaled(rng.normal(size=n)),
    "many decimals": lambda rng, n: np.round(rng.normal(size=n), 5),
    "seconds": lambda rng, n: 1_700_000_000 + rng.integers(3600, size=n),
}


def _scaled(x):
    return (x - x.min()) / np.ptp(x)


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("name", PLAIN)
def test_numbers_stay_numbers(name, rows):
    assert columns(PLAIN[name], rows) == Column()


def _mixed(rng, n, share, inner):
    return np.where(rng.uniform(size=n) < share, 0.0, inner)


SPECIAL = {
    "ratings": (lambda rng, n: rng.integers(1, 6, size=n), Column(1, 5, 1.0)),
    "counts": (lambda rng, n: rng.poisson(1.5, size=n), Column(0, step=1.0)),
    "years": (lambda rng, n: rng.integers(1950, 2020, size=n), Column(step=1.0)),
    "one decimal": (lambda rng, n: np.round(rng.normal(size=n), 1), Column(step=0.1)),
    "halves": (
        lambda rng, n: np.round(rng.normal(size=n) * 2) / 2 + 0.25,
        Column(step=0.5, offset=0.25),
    ),
    "two values": (
        lambda rng, n: rng.choice([-0.3, 2.1], size=n),
        Column(categories=(-0.3, 2.1)),
    ),
    "labels": (
        lambda rng, n: rng.choice([1.0, 2.5, np.pi], size=n),
        Column(categories=(1.0, 2.5, np.pi)),
    ),
    "amounts": (lambda rng, n: rng.exponential(size=n), Column(0)),
    "decades": (
        lambda rng, n: np.exp(2.0 * rng.normal(size=n)),
        Column(0, logarithmic=True),
    ),
    "shares": (lambda rng, n: rng.uniform(size=n), Column(0, 1)),
    "correlations": (lambda rng, n: rng.uniform(-1, 1, size=n), Column(-1, 1)),
    "clipped shares": (
        lambda rng, n: np.clip(rng.normal(0.5, 0.4, size=n), 0, 1),
        Column(0, 1, atoms=(0, 1)),
    ),
    "mostly none": (
        lambda rng, n: _mixed(rng, n, 0.9, 5.0 + rng.normal(size=n)),
        Column(0, atoms=(0,)),
    ),
}


@pytest.mark.parametrize("rows", SIZES[1:])
@pytest.mark.parametrize("name", SPECIAL)
def test_special_columns_are_found(name, rows):
    draw, wanted = SPECIAL[name]
    assert columns(draw, rows) == wanted


@pytest.mark.parametrize("levels", [3, 4, 9, 40])
def test_standardised_integers_are_a_grid_not_categories(levels):
    rng = np.random.default_rng(levels)
    whole = rng.integers(levels, size=900)
    whole[:levels] = np.arange(levels)
    z = (whole - whole.mean()) / whole.std()
    (column,) = detect(z)
    assert column.categories is None
    assert column.found
    assert column.step == pytest.approx(1.0 / whole.std())
    assert all(map(column.on_grid, z))


def test_single_values_beside_an_atom_are_not_labels():
    x = np.zeros(900)
    x[:7] = np.random.default_rng(0).uniform(13.0, 20.0, size=7)
    (column,) = detect(x - 0.0614)
    assert column == Column(atoms=(-0.0614,))


def test_missing_cells_and_units_do_not_matter():
    rng = np.random.default_rng(0)
    counts = rng.poisson(3.0, size=1500).astype(float)
    counts[::7] = np.nan
    assert detect(counts) == (Column(0, step=1.0),)
    standard = (rng.poisson(3.0, size=(1500, 1)) - 3.0) / np.sqrt(3.0)
    (column,) = detect(standard)
    assert column.step == pytest.approx(1 / np.sqrt(3.0))
    assert all(column.on_grid(value) for value in standard[:, 0])
    assert detect(np.zeros(30)) == (Column(),)


def test_what_is_detected_holds_every_value():
    rng = np.random.default_rng(2)
    for draw, _ in SPECIAL.values():
        values = np.asarray(draw(rng, 1500), float)
        (column,) = detect(values)
        assert column.low <= values.min()
        assert values.max() <= column.high
        assert column.categories is not None or all(map(column.on_grid, values))


@pytest.mark.parametrize("scale", [1e-200, 1e-41, 1e-10, 1e200])
def test_numbers_of_any_size_are_numbers(scale):
    x = scale * np.random.default_rng(0).normal(size=300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert detect(x)[0].is_plain
