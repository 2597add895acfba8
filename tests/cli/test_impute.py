"""`tfp-flows impute`: missing cells of a table, filled by a flow."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def holes(rows, tmp_path):
    """Return a CSV file some of whose cells are empty."""
    values = rows.copy()
    values[::7, 1] = np.nan
    values[3, :2] = np.nan
    path = tmp_path / "holes.csv"
    lines = [",".join("" if np.isnan(v) else f"{v:.9g}" for v in r) for r in values]
    path.write_text("a,b,c\n" + "\n".join(lines) + "\n")
    return path, values


@pytest.mark.slow
def test_cells_are_filled_by_what_is_there(holes, run, tmp_path):
    path, values = holes
    out = tmp_path / "any.keras"
    options = ("--option", "hidden_units=16,16", "--epochs", 3, "--quiet")
    code, text, _ = run(
        *("fit", path, "--conditionals", "any", "--missing", "marginal"),
        *("--out", out, *options),
    )
    assert code == 0
    assert "20 missing cells (5.6 %) are left out of the likelihood" in text
    filled = tmp_path / "filled.csv"
    code, text, _ = run("impute", out, path, "--out", filled)
    assert code == 0
    missing = np.isnan(values)
    assert f"filled {missing.sum()} missing cells of {values.size}" in text
    found = np.loadtxt(filled, delimiter=",", skiprows=1)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[~missing], values[~missing], rtol=1e-6)
    wide = tmp_path / "wide.csv"
    lines = path.read_text().splitlines()
    wide.write_text(
        "id,"
        + lines[0]
        + ",note\n"
        + "".join(f"00{i},{r},=x\n" for i, r in enumerate(lines[1:]))
    )
    code, _, _ = run("impute", out, wide, "--out", filled, "--force", "--draws", 2)
    assert code == 0
    rows = filled.read_text().splitlines()
    assert rows[0] == "draw,row,id,note,a,b,c"
    assert rows[2].startswith("1,2,001,'=x,")
    assert len(rows) == 1 + 2 * len(values)
    code, text, _ = run("impute", out, path, "--draws", 3, "--json")
    several = np.array(json.loads(text)["rows"])
    assert several.shape == (3, *values.shape)
    assert several[:, missing].std(axis=0).min() > 0.0


def test_other_flows_cannot_fill(linear_flow, holes, refused):
    assert "--conditionals any" in refused("impute", linear_flow, holes[0])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--flow", "maf"), "chooses the flow itself"),
        (("--budget", "1s"), "no part in a fit with --budget"),
        (("--resume",), "no part in a fit with --conditionals"),
        (("--members", 2), "no part in a fit with --conditionals"),
    ],
)
def test_kind_of_conditionals_chooses_the_flow(table, refused, tmp_path, more, message):
    out = tmp_path / "any.keras"
    argv = ("fit", table, "--conditionals", "any", "--out", out)
    assert message in refused(*argv, *more)
