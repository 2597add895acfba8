"""Rows of a stream that are kept in a temporary file, behind the layers so far."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from tfp_flows.training.greedy import estimates, scratch
from tfp_flows.training.greedy import rows as training_rows


def stream(x, kept=None, reads=None):
    def read():
        if reads is not None:
            reads.append(None)
        return np.split(x, [10, 30_000])

    return training_rows.Stream(
        read, [x[:500]], 0.0, 16, seed=1, held_out=0.1, kept=kept
    )


def table(rows=40_000):
    rng = np.random.default_rng(0)
    return rng.laplace(size=(rows, 3)).astype("float32")


def pair(reads=None):
    x = table()
    return stream(x), stream(x, scratch.opened(len(x), 3), reads)


def layers_of(source):
    found = source.layers
    return [np.concatenate([k.ravel() for k in layer.knots]) for layer in found]


def grow(source, count=1):
    for _ in range(count):
        source.apply_layer(estimates.Step("ratio"))


def same(anew, kept):
    found = zip(*anew.shards(), strict=True), zip(*kept.shards(), strict=True)
    one, other = (list(map(np.concatenate, parts)) for parts in found)
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_kept_rows_give_equal_layers_and_are_read_once():
    reads = []
    anew, kept = pair(reads)
    grow(anew, 3)
    grow(kept, 3)
    np.testing.assert_array_equal(layers_of(anew), layers_of(kept))
    assert len(reads) == 1
    same(anew, kept)
    same(anew, kept)  # and once more, where no layer is new


def test_passes_that_are_cut_short_change_nothing():
    anew, kept = pair()
    next(kept.shards())  # nothing is kept yet
    for source in (anew, kept):
        grow(source, 2)
    next(kept.shards())  # one chunk of three is behind both layers
    same(anew, kept)


def test_a_chunk_that_was_not_written_is_read_anew(monkeypatch):
    anew, kept = pair()
    for source in (anew, kept):
        grow(source, 2)

    def stopped(self, values):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(scratch.Scratch, "_write", stopped)
        with pytest.raises(KeyboardInterrupt):
            list(kept.shards())
    same(anew, kept)


def test_a_disk_that_fills_up_costs_time_only(monkeypatch):
    anew, kept = pair()
    write, count = scratch.Scratch._write, 0

    def full(self, values):
        nonlocal count
        count += 1
        if count > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, values)

    monkeypatch.setattr(scratch.Scratch, "_write", full)
    for source in (anew, kept):
        grow(source, 2)
    np.testing.assert_array_equal(layers_of(anew), layers_of(kept))
    same(anew, kept)


def test_a_file_that_cannot_be_replaced_is_named(monkeypatch):
    _, kept = pair()
    grow(kept)

    def denied(self, values):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(scratch.Scratch, "_write", denied)
    with pytest.raises(OSError, match="TMPDIR"):
        list(kept.shards())


def test_no_file_is_made_where_there_is_little_room(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))
    assert scratch.opened(10**13, 10) is None
    assert scratch.opened(10, 10) is not None
    assert not list(tmp_path.iterdir())  # it has no name
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path / "none"))
    assert scratch.opened(10, 10) is None
