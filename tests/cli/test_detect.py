"""`tfp-flows detect`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfp_flows import datasets
from tfp_flows.estimators import FlowAnomalyDetector

FAST = ("--flow", "linear", "--epochs", 2, "--quiet")


@pytest.fixture(scope="module")
def new(folder, rows):
    """Return 21 rows, the last one far from all others, with identifiers."""
    path = folder / "new.csv"
    lines = [f"{i:03d},{c},{b},{a}" for i, (a, b, c) in enumerate(rows[:20])]
    path.write_text("\n".join(["id,c,b,a", *lines, "=020,0,40,-40"]))
    return path


def test_rows_that_are_unlike_others_are_found(run, table, new, rows, tmp_path):
    out = tmp_path / "found.csv"
    argv = ("detect", table, new, *FAST, "--id", "id", "--columns", "a,b")
    code, text, notes = run(*argv, "--out", out)
    assert (code, notes) == (0, "")
    assert "of 21 rows are anomalies: score above" in text
    assert "id =020: score" in text
    lines = out.read_text().splitlines()
    assert lines[0] == "id,odd columns,score,anomaly"
    assert lines[-1].split(",")[1] == "a; b"  # 45 and 20 deviations away
    assert "odd in a; b" in next(s for s in text.splitlines() if "id =020" in s)
    assert all(not line.split(",")[1] for line in lines if line.endswith(",0.0"))
    assert lines[1].startswith("000,")
    assert lines[-1].startswith("'=020,")  # no formula
    assert lines[-1].endswith(",1.0")
    found = datasets.read_table(out, ["score", "anomaly"]).x
    detector = FlowAnomalyDetector(
        "linear", contamination=0.05, epochs=2, random_state=0
    ).fit(rows[:, :2])
    np.testing.assert_allclose(
        found[:20, 0], -detector.score_samples(rows[:20, :2]), rtol=1e-4, atol=1e-4
    )
    assert np.mean(found[:20, 1]) < 0.3


def test_a_column_may_identify_rows_and_be_judged(run, table):
    argv = ("detect", table, *FAST, "--id", "a", "--columns", "a,b")
    code, text, _ = run(*argv)
    assert code == 0
    assert text.splitlines()[0] == "a,odd columns,score,anomaly"


@pytest.mark.slow
def test_a_table_is_judged_by_itself(run, table, rows):
    argv = ("detect", table, *FAST, "--contamination", 0.1, "--json")
    code, text, _ = run(*argv)
    facts = json.loads(text)
    assert (code, facts["anomalies"], facts["rows"]["judged"]) == (0, 12, 120)
    assert facts["scores"]["row"][:2] == [1, 2]
    assert sum(map(bool, facts["scores"]["odd columns"])) == 12
    code, text, _ = run(*argv, "--reasons", 5)
    assert sum(map(bool, json.loads(text)["scores"]["odd columns"])) == 5


def test_what_cannot_be_judged_is_one_line(refused, table, new, rows, tmp_path):
    other = datasets.write_table(tmp_path / "other.csv", rows[:, :2], ["a", "z"])
    error = refused("detect", table, other, *FAST)
    assert f"'{other}' does not fit '{table}': there is no column 'b'" in error
    assert "there is no column 'idd'" in refused("detect", table, new, "--id", "idd")
    assert "at most 0.5" in refused("detect", table, "--contamination", 0.9)
    assert "did you mean 'nsf'?" in refused("detect", table, "--flow", "nfs")
    argv = ("detect", table, *FAST[:2], "--option", "num_bins=4")
    assert "has no option 'num_bins'" in refused(*argv)
    few = datasets.write_table(tmp_path / "few.csv", rows[:4])
    assert "few.csv" in refused("detect", few, *FAST)
