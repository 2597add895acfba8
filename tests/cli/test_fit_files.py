"""`tfp-flows fit` of a folder or a pattern of tables."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tfp_flows.cli import fitting, main, tables

NAMES = ("age", "dose", "site", "id")


@pytest.fixture
def data(tmp_path):
    """Give a folder of three files of 200 rows each."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    x = rng.normal(size=[600, 4]) @ np.diag([2.0, 1.0, 3.0, 50.0]) + [
        9.0,
        1.0,
        0.0,
        0.0,
    ]
    x[:, 1] += 0.5 * x[:, 0]
    for i, part in enumerate(np.split(x.astype(np.float32), 3)):
        tfpf.datasets.write_table(folder / f"{i}.parquet", part, NAMES)
    return folder


def fit(data, out, *words, expected=0):
    code = main.main(["fit", str(data), "--flow", "linear", "--out", str(out), *words])
    assert code == expected


def test_a_folder_and_a_pattern_are_fitted_alike(data, tmp_path, capsys):
    words = ("--epochs", "2", "--json", "--seed", "1")
    flows = []
    for name in ("data", "data/*.parquet"):
        out = tmp_path / f"{len(flows)}.keras"
        fit(tmp_path / name, out, *words)
        facts = json.loads(capsys.readouterr().out)
        assert facts["rows"]["fit"] + facts["rows"]["validation"] == 600
        assert facts["epochs"] == 2
        lead = facts["flow_minus_gaussian"]
        assert np.isfinite([lead["mean"], lead["standard_error"]]).all()
        flows.append(tfpf.load(out))
    assert tuple(tables.names_of(flows[0])[0]) == NAMES
    x = np.zeros((3, 4), np.float32)
    np.testing.assert_array_equal(*(flow.log_prob(x) for flow in flows))


@pytest.mark.slow
def test_columns_conditions_and_kinds_are_named(data, tmp_path, capsys):
    out = tmp_path / "flow.keras"
    words = ("--columns", "age,dose", "--condition", "site", "--epochs", "1")
    fit(data, out, *words)
    printed = capsys.readouterr().out
    assert "rows: " in printed
    assert "a full Gaussian: " in printed
    flow = tfpf.load(out)
    assert flow.event_size == 2
    assert tuple(flow.condition_shape) == (1,)
    record = json.loads(out.with_suffix(".fit.json").read_text())
    assert record["data"] == "data"
    # The record fits again, and the scores of all files come from the same flow.
    assert (
        main.main(["fit", "--config", str(out.with_suffix(".fit.json")), "--force"])
        == 0
    )
    scores = tmp_path / "scores.csv"
    assert main.main(["score", str(out), str(data), "--out", str(scores)]) == 0
    assert len(tfpf.datasets.read_table(scores).x) == 600


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--groups", "id"), "--groups has no part"),
        (("--missing", "impute"), "--missing has no part"),
        (("--members", "3"), "--members has no part"),
        (("--budget", "5s"), "--budget has no part"),
        (("--columns", "agee"), "did you mean 'age'"),
        (("--condition", "nothing"), "no column 'nothing'"),
    ],
)
def test_what_files_cannot_have_is_said(words, message, data, tmp_path, capsys):
    out = tmp_path / "flow.keras"
    fit(data, out, *words, expected=2)
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_files_that_do_not_fit_together_are_named(data, tmp_path, capsys):
    tfpf.datasets.write_table(data / "3.parquet", np.ones((5, 2)), ["age", "dose"])
    fit(data, tmp_path / "flow.keras", expected=2)
    assert "3.parquet" in capsys.readouterr().err
    assert main.main(["fit", str(tmp_path / "none*.csv"), "--out", "f.keras"]) == 2
    assert "none*.csv" in capsys.readouterr().err


def test_a_file_that_breaks_leaves_the_best_weights(
    data, tmp_path, capsys, monkeypatch
):
    path = data / "2.parquet"

    def damage(epoch, logs):
        if epoch == 1:
            path.write_bytes(b"PAR1" + path.read_bytes()[4:300])

    callback = keras.callbacks.LambdaCallback(on_epoch_end=damage)
    monkeypatch.setattr(fitting, "_checkpoints", lambda *arguments: [callback])
    out = tmp_path / "flow.keras"
    fit(data, out, "--epochs", "200", "--batch-size", "50", expected=2)
    said = capsys.readouterr().err
    assert "2.parquet" in said
    assert f"'{out}' has the best weights of" in said
    assert tfpf.load(out).event_size == 4
