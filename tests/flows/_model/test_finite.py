"""Rows that Keras trains on must be finite, in whatever form they come."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.flows import small

pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")

ROWS = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
GIVEN = ROWS[:, :1]


def _with(value, row, column, rows=ROWS):
    out = rows.copy()
    out[row, column] = value
    return out


class Batches(keras.utils.PyDataset):
    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.rows[10 * i : 10 * i + 10]


def _generated(rows):
    yield from np.split(rows, 4)


def _dataset(*parts):
    return tf.data.Dataset.from_tensor_slices(parts if parts[1:] else parts[0])


@pytest.fixture
def flow():
    flow = small.build("linear", 2)
    flow.compile("adam")
    return flow


def _refused(flow, match, *data, **options):
    before = flow.get_weights()
    with pytest.raises(ValueError, match=match):
        flow.fit(*data, epochs=1, verbose=0, **options)
    for one, other in zip(before, flow.get_weights(), strict=True):
        assert np.isfinite(other).all()
        if "validation_data" not in options and "batch" not in match:
            np.testing.assert_array_equal(one, other)


def test_arrays_frames_and_tensors_are_refused_before_a_step(flow):
    bad = _with(np.nan, 7, 1)
    _refused(flow, "`x` must be finite, got nan in row 8, column 2", bad)
    _refused(flow, "got -inf in row 1, column 1", _with(-np.inf, 0, 0))
    _refused(flow, "row 8, column 2", tf.constant(bad), batch_size=40)
    _refused(flow, "row 8, column 2", {"x": bad})
    _refused(
        flow, "`validation_data` must .* row 8, column 2", ROWS, validation_data=(bad,)
    )
    with pytest.raises(ValueError, match="row 8, column 2"):
        flow.train_on_batch(bad)
    named = small.build("linear", 2, columns=["a", "b"])
    named.compile("adam")
    frame = pd.DataFrame(bad, columns=["a", "b"])
    _refused(named, "row 8, column 'b'", frame[["b", "a"]])
    assert np.isnan(flow.evaluate(bad, verbose=0))  # nothing is harmed


def test_batches_are_looked_at_as_they_come(flow):
    bad = _with(np.nan, 17, 1)
    place = "got nan in batch 2, row 8 of it, column 2. Drop"
    _refused(flow, place, _dataset(bad).batch(10))
    _refused(flow, place, _dataset(bad).batch(10).repeat(), steps_per_epoch=4)
    _refused(flow, "batch 2, row 8, column 2", Batches(bad))
    _refused(flow, "batch 2, row 8, column 2", _generated(bad), steps_per_epoch=4)
    held_out = _dataset(bad).batch(10)
    _refused(flow, f"`validation_data` .*{place}", ROWS, validation_data=held_out)
    named = small.build("linear", 2, columns=["a", "b"])
    named.compile("adam")
    _refused(named, "batch 2, row 8 of it, column 'b'", _dataset(bad).batch(10))


def test_finite_rows_of_any_form_are_trained_on(flow):
    for data in (Batches(ROWS), _generated(ROWS), _dataset(ROWS).batch(10)):
        before = [v.numpy().copy() for v in flow.trainable_variables]
        history = flow.fit(data, epochs=1, verbose=0)
        assert np.isfinite(history.history["loss"]).all()
        now = flow.trainable_variables
        assert any((v.numpy() != old).any() for v, old in zip(now, before, strict=True))


def test_conditions_are_looked_at_too():
    flow = small.build("maf", 2, 1)
    flow.compile("adam")
    bad = _with(np.inf, 17, 0, GIVEN)
    _refused(flow, "`condition` must be finite, got inf in row 18", ROWS, bad)
    _refused(flow, "`condition` .* row 18", {"x": ROWS, "condition": bad})
    place = "`condition` must be finite, got inf in batch 2, row 8 of it"
    _refused(flow, place, _dataset(ROWS, bad).batch(10))
    pairs = _dataset(ROWS, bad).map(lambda x, c: {"x": x, "condition": c}).batch(10)
    _refused(flow, place, pairs)
    _refused(flow, "`condition` .* row 18", ROWS, GIVEN, validation_data=(ROWS, bad))
    with pytest.raises(ValueError, match=r"`condition` .* row 18"):
        flow.train_on_batch(ROWS, bad)


def test_a_flow_that_leaves_cells_out_takes_them():
    flow = small.build("any-order", 2)
    flow.compile("adam")
    history = flow.fit(_with(np.nan, 7, 1), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
