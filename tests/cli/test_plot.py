"""`tfp-flows plot`: each picture is written, and has something in it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


def _colours(path):
    with Image.open(path) as image:
        return len(np.unique(np.asarray(image.convert("L"))))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("corner", ["FLOW", "TABLE", "-n", "200"]),
        ("corner", ["FLOW", "-n", "200", "--columns", "b"]),
        ("corner", ["TABLE", "--columns", "a,c"]),
        ("density", ["FLOW", "TABLE", "--log"]),
        ("layers", ["FLOW", "-n", "100"]),
        ("gaussianization", ["FLOW", "TABLE"]),
        ("deformation", ["FLOW", "TABLE"]),
        ("calibration", ["FLOW", "TABLE", "--columns", "b"]),
        ("marginals", ["FLOW", "TABLE", "--columns", "a"]),
    ],
)
def test_flows_and_tables_are_drawn(kind, words, run, linear_flow, table, tmp_path):
    out = tmp_path / "p.png"
    known = {"FLOW": linear_flow, "TABLE": table}
    argv = ["plot", kind, *(known.get(w, w) for w in words), "--out", out]
    code, text, _ = run(*argv, "--dpi", 50)
    assert (code, text) == (0, f"wrote {out}\n")
    assert _colours(out) > 20


def test_layers_move(run, refused, linear_flow, tmp_path):
    out = tmp_path / "p.gif"
    assert run("plot", "layers", linear_flow, "-n", 50, "--out", out)[0] == 0
    with Image.open(out) as image:
        assert image.n_frames > 5
    assert "must end in .png" in refused(
        "plot", "density", linear_flow, "--out", tmp_path / "q.gif"
    )


@pytest.mark.slow
def test_conditions_are_values_or_rows(run, refused, conditional_flow, table, tmp_path):
    out = tmp_path / "p.svg"
    argv = ("plot", "corner", conditional_flow, "--out", out, "--force")
    assert "--condition is missing" in refused(*argv)
    assert run(*argv, "--condition", "c=1")[0] == 0
    assert run(*argv[:3], table, *argv[3:], "--json")[0] == 0
    argv = ("plot", "calibration", *argv[2:3], table, *argv[3:])
    assert run(*argv)[0] == 0
    assert out.read_text().startswith("<?xml")


def test_history_is_that_of_the_record(run, refused, linear_flow, tmp_path):
    record = linear_flow.with_suffix(".fit.json")
    out = tmp_path / "h.png"
    assert run("plot", "history", record, "--out", out)[0] == 0
    assert _colours(out) > 20
    other = tmp_path / "other.json"
    for content in ({}, {"history": {}}, {"history": {"loss": ["a"]}}, {"history": 3}):
        other.write_text(json.dumps(content))
        error = refused("plot", "history", other, "--out", tmp_path / "no.png")
        assert "holds no losses" in error
    assert "must end in" in refused("plot", "history", linear_flow, "--out", "no.png")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["corners", "FLOW"], "did you mean 'corner'?"),
        (["layers", "FLOW", "--columns", "a"], "must name 2 columns"),
        (["layers", "FLOW", "--columns", "a,z"], "there is no column 'z'"),
        (["marginals", "FLOW"], "DATA is missing"),
        (["density", "TABLE"], "must end in .keras"),
        (["corner", "FLOW", "--dpi", "9000"], "must be at most 1,200"),
        (["corner", "no.keras"], "there is no file 'no.keras'"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(words, message, refused, linear_flow, table):
    known = {"FLOW": linear_flow, "TABLE": table}
    out = table.parent / "never.png"
    error = refused("plot", *(known.get(word, word) for word in words), "--out", out)
    assert message in error
    assert not out.exists()
