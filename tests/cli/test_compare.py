"""`tfp-flows compare`."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tfp_flows
from tfp_flows import datasets, estimators
from tfp_flows.cli import compare

SMALL = ("--baselines", "gaussian", "--epochs", 2)


def test_names_are_those_of_the_estimators():
    assert compare.FLOWS == estimators.comparison.FLOWS
    assert tuple(estimators.BASELINES) == compare.BASELINES


@pytest.mark.slow
def test_compare_prints_a_line_for_each_model(run, table, linear_flow, tmp_path):
    out = tmp_path / "models.csv"
    listed = f"linear,{linear_flow}"
    argv = ("compare", table, "--flows", listed, *SMALL, "--columns", "a,b", "--quiet")
    code, text, notes = run(*argv, "--out", out)
    assert (code, notes) == (0, "")
    lines = text.splitlines()
    assert lines[0].split()[0] == "model"
    assert [line.split()[0] for line in lines[1:4]] == [
        "Gaussian",
        "linear",
        str(linear_flow),
    ]
    assert " +- " in lines[2]
    assert "108 rows fitted, 12 held out and scored; nats per row" in text
    assert datasets.read_table(out, ["mean", "seconds"], check=False).x.shape == (3, 2)
    code, text, _ = run(*argv, "--json")
    facts = json.loads(text)
    assert [score["model"] for score in facts["scores"]][:2] == ["Gaussian", "linear"]
    assert facts["scores"][2]["mean"] == pytest.approx(
        facts["scores"][0]["mean"], abs=0.3
    )


def test_columns_are_those_of_a_fitted_flow(run, table, rows, conditional_flow):
    argv = ("compare", table, "--flows", conditional_flow, *SMALL, "--json")
    code, text, _ = run(*argv)
    assert code == 0
    found = json.loads(text)["scores"][1]["mean"]
    flow = tfp_flows.load(conditional_flow)
    names = ("a", "b")
    peer = estimators.compare(
        datasets.Table(rows[:, :2], names), rows[:, 2], flows=[flow], baselines=[]
    )
    assert found == pytest.approx(peer.scores[0].mean.mean, abs=1e-5)


def test_models_and_tables_that_do_not_fit_are_named(
    refused, table, rows, linear_flow, tmp_path
):
    other = datasets.write_table(tmp_path / "other.csv", rows[:, :2], ["a", "z"])
    error = refused("compare", other, "--flows", linear_flow, *SMALL)
    assert f"'{linear_flow}' does not fit '{other}': there is no column 'b'" in error
    argv = ("compare", table, "--flows", linear_flow, *SMALL)
    assert "must fit the table" in refused(*argv, "--columns", "a,b,c")
    assert "there is no column 'y'" in refused(*argv, "--condition", "y")
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n")
    assert f"'{empty}' must hold a table, got one without rows" in refused(
        "compare", empty, *SMALL
    )
    few = datasets.write_table(tmp_path / "few.csv", rows[:4])
    assert "few.csv" in refused("compare", few, "--flows", "linear", *SMALL)
    assert "did you mean 'nsf'?" in refused("compare", table, "--flows", "nfs")
    assert "did you mean 'kernel'?" in refused("compare", table, "--baselines", "kernl")
    argv = ("compare", table, "--flows", "linear", "--test-fraction", 0)
    assert "must lie between 0 and 1, got 0.0" in refused(*argv)
    assert "there is no file 'no.keras'" in refused(
        "compare", table, "--flows", "no.keras"
    )
    np.savez(tmp_path / "images.npz", x=np.zeros([20, 4, 4]))
    assert "images.npz" in refused("compare", tmp_path / "images.npz", *SMALL)
