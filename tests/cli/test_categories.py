"""Words as conditions and dates as events, from the shell."""

from __future__ import annotations

import numpy as np
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
    assert [line.split(",")[1] for line in text.splitlines()] == [
        *("colour", "red", "blue")
    ]
    assert run("score", out, table)[0] == run("score", out, words / "days.csv")[0] == 0
    error = refused("sample", out, "-n", 2, "--condition", "blu")
    assert "one of the labels 'blue', 'red', got 'blu': did you mean 'blue'?" in error
    assert "'colour' must hold" in refused("score", out, words / "pink.csv")
