"""`tfp-flows diagnose`."""

from __future__ import annotations

import json


def test_report_is_printed_and_written(run, linear_flow, table, tmp_path):
    page = tmp_path / "report.html"
    code, out, _ = run("diagnose", linear_flow, table, "--report", page)
    assert code == 0
    assert "120 rows" in out
    assert "calibration" in out
    assert page.read_text().startswith("<!DOCTYPE html>")
    code, _, err = run("diagnose", linear_flow, table, "--report", page)
    assert (code, err.count("\n")) == (2, 1)
    assert "exists" in err


def test_json_has_every_measure(run, conditional_flow, table):
    code, out, _ = run(
        "diagnose", conditional_flow, table, "--train", table, "--json", "--quiet"
    )
    facts = json.loads(out)
    assert code == 0
    assert facts["train_rows"] == 120
    assert facts["report"] is None
    assert {"over-fitting", "shift"} <= {m["name"] for m in facts["measures"]}


def test_flow_and_table_that_do_not_fit_are_both_named(run, linear_flow, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,d\n1,2\n3,4\n")
    code, _, err = run("diagnose", linear_flow, other)
    assert (code, err.count("\n")) == (2, 1)
    for part in ("linear.keras", "other.csv", "'b'"):
        assert part in err
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n")
    code, _, err = run("diagnose", linear_flow, empty)
    assert (code, err.count("\n")) == (2, 1)
    for part in ("linear.keras", "empty.csv"):
        assert part in err


def test_a_page_that_cannot_be_written_is_refused_at_once(run, linear_flow, table):
    code, _, err = run("diagnose", linear_flow, table, "--report", "absent/report.html")
    assert code == 2
    assert "there is no folder 'absent'" in err
