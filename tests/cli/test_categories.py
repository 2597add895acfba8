"""Words as conditions and dates as events, from the shell."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Return a folder with a table of 40 rows, and one row with an unknown word."""
    folder = tmp_path_factory.mktemp("words")
    rng = np.random.default_rng(0)
    rows = [
        f"2024-01-{1 + i % 28:02d}T{i % 24:02d}:30,{['red', 'blue'][i % 2]},{v:.5f}"
        for i, v in enumerate(rng.normal(size=40))
    ]
    (folder / "table.csv").write_text("\n".join(["when,colour,size", *rows]))
    (folder / "pink.csv").write_text("when,colour,size\n2024-01-02,pink,0.5\n")
    (folder / "days.csv").write_text("when,colour,size\n2024-01-02,red,0.5\n")
    (folder / "colours.csv").write_text("colour\nred\nblue\n")
    return folder


@pytest.mark.slow
def test_words_are_conditions_and_dates_come_back(words, run, refused):
    table, out = words / "table.csv", words / "flow.keras"
    fit = ["fit", table, "--flow", "linear", "--epochs", 1, "--out", out, "--quiet"]
    given = [*fit, "--condition", "colour"]
    assert "--columns 'colour=category'" in refused(*given)
    code, text, _ = run(*given, "--columns", "colour=category")
    assert code == 0
    assert "column 'when': seconds since 1970-01-01" in text
    code, text, _ = run("info", out)
    assert "condition 'colour': 2 categories (blue, red)" in text
    code, text, _ = run("sample", out, "-n", 2, "--condition", "colour=red")
    assert (code, text.splitlines()[0]) == (0, "when,size")
    assert text.splitlines()[1][4] == "-"
    np.array([line.split(",")[0] for line in text.splitlines()[1:]], "datetime64[us]")
    code, text, _ = run("sample", out, "--conditions", words / "colours.csv")
    assert [line.split(",")[2] for line in text.splitlines()] == [
        *("colour", "red", "blue")
    ]
    assert run("score", out, table)[0] == run("score", out, words / "days.csv")[0] == 0
    error = refused("sample", out, "-n", 2, "--condition", "blu")
    assert "one of the labels 'blue', 'red', got 'blu': did you mean 'blue'?" in error
    assert "'colour' must hold" in refused("score", out, words / "pink.csv")


@pytest.mark.slow
def test_integers_and_booleans_are_written_as_such_and_in_their_place(tmp_path, run):
    rng = np.random.default_rng(0)
    kinds = ["red", "blue, dark"]
    rows = [
        f'{v:.4f},{i % 2 == 0},"{kinds[i % 2]}",{rng.integers(30)}'
        for i, v in enumerate(rng.normal(size=60))
    ]
    table, flow = tmp_path / "t.csv", tmp_path / "f.keras"
    table.write_text("\n".join(["size,sold,kind,visits", *rows]))
    given = ["--columns", "kind=category", "--epochs", 1, "--quiet", "--out", flow]
    assert run("fit", table, "--flow", "linear", *given)[0] == 0
    code, text, _ = run("sample", flow, "-n", 5, "--seed", 0)
    assert (code, text.splitlines()[0]) == (0, "size,sold,kind,visits")
    drawn = list(csv.reader(text.splitlines()))[1:]
    assert {row[1] for row in drawn} <= {"True", "False"}
    assert {row[2] for row in drawn} <= set(kinds)
    assert all(row[3] == str(int(row[3])) for row in drawn)
    out = tmp_path / "s.parquet"
    assert run("sample", flow, "-n", 5, "--seed", 0, "--out", out)[0] == 0
    found = pd.read_parquet(out)
    assert list(found) == ["size", "sold", "kind", "visits"]
    assert (found["sold"].dtype, found["visits"].dtype) == (bool, np.int64)
    assert found["visits"].tolist() == [int(row[3]) for row in drawn]
    assert run("score", flow, out)[0] == 0
