"""Files that are read are closed; what comes in a stream."""

from __future__ import annotations

import contextlib
import gc
import gzip
import sys
import warnings
from types import SimpleNamespace

import pytest

from tfp_flows import datasets
from tfp_flows.datasets import limits


@pytest.mark.slow
@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "a,b\n1,2,3\n", "a,b\n1,x\n"])
def test_text_files_are_closed_whatever_they_hold(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with contextlib.suppress(ValueError):
            datasets.read_table(path)
        gc.collect()
    assert [w for w in caught if issubclass(w.category, ResourceWarning)] == []


def test_standard_input_may_be_packed(monkeypatch):
    def given(content):
        stream = SimpleNamespace(buffer=SimpleNamespace(read=lambda: content))
        monkeypatch.setattr(sys, "stdin", stream)

    packed = gzip.compress(b"a,b\n1,2\n")
    given(packed)
    assert datasets.read_table("-").x.tolist() == [[1.0, 2.0]]
    given(packed[:-9])
    with pytest.raises(ValueError, match="must be a readable gzip stream"):
        datasets.read_table("-")
    monkeypatch.setattr(limits, "MAX_UNPACKED", 2**20)
    given(gzip.compress(b"1,2\n" * 2**20))
    with pytest.raises(ValueError, match="'-' must unfold to at most"):
        datasets.read_table("-")


def test_text_in_utf_16_is_read_by_its_mark(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-16")
    assert datasets.read_table(path).x.tolist() == [[1.0, 2.0]]
