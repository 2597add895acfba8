"""Files that are read are closed; what comes in a stream."""

from __future__ import annotations

import contextlib
import gc
import gzip
import os
import sys
import threading
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
    with pytest.raises(ValueError, match=r"^standard input must unfold to at most"):
        datasets.read_table("-")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a,b\n1,2,3\n", "^standard input must have 2 cells in each row"),
        (b"a\n1\n2,3\n", "^standard input must have 1 cell in each row"),
        (b"a,b\n", "^standard input must hold a table, got one without rows"),
        (b"a,b\n1,x\n", "^standard input: column 'b' must be numeric, got 'x'"),
        (b"a\0b", "^standard input must be a readable .csv file"),
    ],
)
def test_standard_input_is_named_in_words(text, message, monkeypatch):
    stream = SimpleNamespace(buffer=SimpleNamespace(read=lambda: text))
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(ValueError, match=message):
        datasets.read_table("-")


def test_text_in_utf_16_is_read_by_its_mark(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-16")
    assert datasets.read_table(path).x.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_named_pipes_are_read_once(pack, tmp_path):
    path = tmp_path / "t.csv"
    os.mkfifo(path)
    content = pack(b"a,b\n1,2\n3,4\n")
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    assert datasets.read_table(path).x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    writer.join()


def test_names_of_packed_files_and_pipes_say_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"got 't\.csv\.bz2'\. Unpack the file first"):
        datasets.write_table(tmp_path / "t.csv.bz2", [[1.0]])
    os.mkfifo(tmp_path / "63")
    with pytest.raises(ValueError, match="Pipe it into the command, and name it '-'"):
        datasets.read_table(tmp_path / "63")


def test_complex_numbers_are_two_columns():
    with pytest.raises(ValueError, match="their real and imaginary parts as columns"):
        datasets.to_table([[1.0 + 2.0j]])
