"""Cells of values, the way back, and averages over cells."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.preprocessing import Column, Preprocessing, values
from tfp_flows.preprocessing.cells import Cells
from tfp_flows.preprocessing.lattice import lattice

KINDS = (
    "continuous",
    "integer",
    ("rounded", 0.1),
    ["positive", ("atom", 0.0)],
    [("bounded", 0, 1), ("atom", 0, 0.5, 1)],
    ["integer", "positive", ("atom", 0, 3)],
    ("category", [5, 2, 9]),
)
VALUES = np.array(
    [
        [0.3, -4, -0.3, 0.0, 0.0, 0, 5],
        [-2.0, 7, 1.7, 0.25, 0.5, 3, 2],
        [1e3, 0, 0.0, 9.0, 1.0, 4, 9],
        [0.0, 1, 0.1, 0.0, 0.25, 1, 9],
    ]
)


def _adapted(dtype):
    cells = Cells(Preprocessing(KINDS), dtype)
    cells.adapt(np.tile(VALUES, [5, 1]))
    return cells


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_come_back_from_anywhere_in_their_cells(dtype):
    cells = _adapted(dtype)
    x = tf.constant(VALUES, dtype)
    cell = cells.of(x)
    assert not cell.outside.numpy().any()
    for share in (1e-3, 0.5, 0.999):
        back = cells.fold(cell.at(tf.constant(share, dtype))).numpy()
        np.testing.assert_array_equal(back[:, 1:], x.numpy()[:, 1:])
        np.testing.assert_allclose(back[:, 0], x.numpy()[:, 0])
    is_atom = [[4, 5], [4, 5], [4], []]
    for row, places in enumerate(is_atom):
        assert set(places) <= set(np.flatnonzero(cell.is_atom[row].numpy()))
    np.testing.assert_array_equal(cell.width[:, 0], 0.0)
    np.testing.assert_allclose(cell.width.numpy()[:, [1, 6]], 1.0)
    np.testing.assert_allclose(cell.width[:, 2], 0.1, rtol=1e-6)


def test_cells_of_neighbours_share_an_edge_and_atoms_lie_between():
    cells = Cells(
        Preprocessing([["integer", ("bounded", 0, 4), ("atom", 1)]]), "float64"
    )
    cells.adapt(np.repeat([0.0, 1.0, 2.0, 3.0, 4.0], [1, 6, 1, 1, 1])[:, np.newaxis])
    cell = cells.of(tf.range(5, dtype=tf.float64)[:, tf.newaxis])
    start, width = cell.start.numpy()[:, 0], cell.width.numpy()[:, 0]
    np.testing.assert_allclose(start[1:], (start + width)[:-1])
    assert width[1] > 2.0 > 1.0 == width[0] == width[4]
    assert cells.supports.low.numpy() == start[0]
    np.testing.assert_allclose(cells.supports.high, (start + width)[-1:])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("integer", 0.5),
        ("integer", np.inf),
        ("positive", -1e-3),
        (("bounded", 0, 1), 1.001),
        (["integer", "positive"], -1.0),
        (("category", [5, 2]), 3.0),
        (("rounded", 0.1), 0.15),
    ],
)
def test_values_that_no_sample_has_are_outside(column, value):
    cells = Cells(Preprocessing([column]), "float32")
    cell = cells.of(tf.constant([[value]]))
    assert cell.outside.numpy().all()
    assert cell.log_masses().numpy() == -np.inf
    assert np.isfinite(cell.start).all()
    inside = cells.fold(tf.constant([[0.6]])).numpy()[0]
    with pytest.raises(ValueError, match=r"must hold .* in column 1, got .* in row 2"):
        values.require(cells, np.array([inside, [value]]))


def test_steps_that_were_found_take_any_value_for_the_nearest():
    spec = Preprocessing([Column(step=0.1, found=True), "integer"])
    again = Preprocessing.read(spec.get_config())
    assert [column.found for column in again.columns] == [True, False]
    cells = Cells(again, "float32")
    cell = cells.of(tf.constant([[9.5667, 2.0], [9.6, 2.0], [9.6, 2.5]]))
    assert cell.outside.numpy().tolist() == [[False, False], [False] * 2, [False, True]]
    np.testing.assert_array_equal(cell.start[0], cell.start[1])
    np.testing.assert_allclose(cell.at(tf.constant(0.5))[0], [9.6, 2.0], rtol=1e-6)
    x = np.array([[9.6, 2.0], [9.5667, 2.0], [np.inf, 2.0]])
    (finding,) = values.rounded(cells, x, ("alcohol", "b"))
    assert "column 'alcohol' holds 9.5667 (1 such rows)" in str(finding)
    assert values.rounded(cells, x[:1]) == []
    assert "integers in column 2, got 2.5 in row 1" in values.foreign(cells, x + 0.5)


def test_nan_stays_nan():
    cell = _adapted("float32").of(tf.fill([1, 7], np.float32(np.nan)))
    assert np.isnan(cell.start).all()
    assert not cell.outside.numpy().any()


def test_columns_with_many_values_are_fine():
    rng = np.random.default_rng(0)
    spec = Preprocessing(["integer", "integer", ["integer", "positive"], ("atom", 0)])
    cells = Cells(spec, "float32")
    x = rng.normal(size=(500, 4)) * [50.0, 1.0, 50.0, 1.0]
    x = np.round(np.abs(x))
    cells.adapt(x)
    assert cells.fine[:2] == (True, False)
    assert cells.coarse.tolist() == [False, True, not cells.fine[2], True]
    assert cells.current_spec().fine == cells.fine


def test_lattice_is_even():
    for ends in ((False,), (True,), (False, True), (True, False, True)):
        points, weights = lattice(64, ends)
        assert points.min() > 0.0
        assert points.max() < 1.0
        assert weights.sum() == pytest.approx(1.0)
        exact = (np.e - 1.0) ** len(ends)
        mean = weights @ np.exp(points.sum(axis=1))
        assert mean == pytest.approx(exact, rel=3e-3)
    points, weights = lattice(64, (True,))
    assert weights @ points[:, 0] ** -0.5 == pytest.approx(2.0, rel=2e-3)
    assert lattice(64, ())[0].shape == (1, 0)


def test_preprocessing_reads_and_writes_itself():
    spec = Preprocessing(KINDS, points=32)
    assert Preprocessing.read(spec.get_config()) == spec
    assert Preprocessing.read(list(KINDS)).columns == spec.columns
    assert Preprocessing.read(None) is None
    assert not spec.is_plain
    assert not Preprocessing(["positive"]).is_discrete
    assert Preprocessing("integer").columns == (Column(step=1),)
    for given, message in (
        ("integer", "must be a list"),
        ({"columns": [], "wide": 1}, "'wide'"),
        ({"columns": ["whole"]}, "no kind 'whole'"),
    ):
        with pytest.raises(ValueError, match=message):
            Preprocessing.read(given)
    with pytest.raises(ValueError, match="`points` must be"):
        Preprocessing(["integer"], points=0)
    with pytest.raises(ValueError, match="`fine` must say yes or no for each of 1"):
        Preprocessing(["integer"], fine=(True, True))
    with pytest.raises(ValueError, match="labels of column 1"):
        Preprocessing(["category"]).require_size(1)
