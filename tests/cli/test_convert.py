"""`tfp-flows convert`: nothing in a table changes on the way."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tfp_flows
from tfp_flows import datasets

TEXT = (
    'id,"price, EUR",count,large,note,when,gap,flag\n'
    "007,1.25,3,12345678901234567890,=1+1,2024-01-31,1,True\n"
    "008,0.1,4,12345678901234567891,red,2024-02-01,,False\n"
)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("ending", ["tsv", "csv.gz", "xlsx", "parquet"])
def test_tables_go_there_and_back(ending, written, run, tmp_path):
    middle, back = tmp_path / f"m.{ending}", tmp_path / "back.csv"
    code, text, _ = run("convert", written, middle, "--json")
    assert code == 0
    facts = json.loads(text)
    assert facts["rows"] == 2
    assert facts["text_columns"] == ["id", "large", "note", "when", "flag"]
    assert run("convert", middle, back)[0] == 0
    # An apostrophe, so that no spreadsheet runs the cell.
    expected = TEXT.replace("=1+1", "'=1+1").replace(",1,True", ",1.0,True")
    assert back.read_text() == expected


def test_columns_are_chosen(written, run, refused, tmp_path):
    out = tmp_path / "t.npz"
    assert run("convert", written, out)[0] == 0
    table = datasets.read_table(out, check=False)
    assert table.columns == ("price, EUR", "count", "gap")
    np.testing.assert_array_equal(table.x[:, 0], [1.25, 0.1])
    with np.load(out) as arrays:
        assert arrays["id"].tolist() == ["007", "008"]
    error = refused("convert", written, tmp_path / "t.npy")
    assert "column 'id'" in error
    argv = ("convert", written, tmp_path / "t.npy", "--columns", "count,price, EUR")
    assert run(*argv)[0] == 0
    np.testing.assert_array_equal(np.load(argv[2]), [[3.0, 1.25], [4.0, 0.1]])
    assert "there is no column 'cuont'" in refused(*argv[:-1], "cuont", "--force")
    assert "exists" in refused(*argv)
    assert "is read by this command" in refused("convert", written, written)
    assert "must end in" in refused("convert", written, tmp_path / "t.json")


def test_flows_are_written_again(linear_flow, rows, run, refused, tmp_path):
    out = tmp_path / "again.keras"
    assert run("convert", linear_flow, out)[0] == 0
    first, second = tfp_flows.load(linear_flow), tfp_flows.load(out)
    x = rows[:, :2]
    np.testing.assert_array_equal(first.log_prob(x), second.log_prob(x))
    assert "whose name has no ending" in refused("convert", linear_flow, "f.onnx")
    assert "--columns is for tables" in refused(
        "convert", linear_flow, out, "--columns", "a", "--force"
    )
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    error = refused("convert", linear_flow, mine, "--force")
    assert "choose another name" in error
    assert (mine / "letter.txt").exists()


@pytest.mark.slow
def test_flows_become_saved_models(linear_flow, rows, run, refused, tmp_path):
    import tensorflow as tf

    out = tmp_path / "served"
    code, text, _ = run("convert", linear_flow, out)
    assert (code, text) == (0, f"wrote {out}\n")
    x = tf.constant(rows[:, :2], tf.float32)
    served = tf.saved_model.load(str(out))
    found = served.log_prob(x)
    expected = tfp_flows.load(linear_flow).log_prob(x)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert "add --force" in refused("convert", linear_flow, out)
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_standard_input_is_read_once(run, refused, tmp_path, monkeypatch):
    stream = SimpleNamespace(buffer=io.BytesIO(b"a,b\n1,007\n"))
    monkeypatch.setattr(sys, "stdin", stream)
    assert run("convert", "-", tmp_path / "t.tsv")[0] == 0
    assert (tmp_path / "t.tsv").read_text() == "a\tb\n1\t007\n"
    twice = tmp_path / "twice.csv"
    twice.write_text("a,a\n1,2\n")
    assert "must have different names" in refused("convert", twice, tmp_path / "o.csv")
