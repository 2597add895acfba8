"""`tfp-flows score` of a folder or a pattern: block by block, as in memory."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tfp_flows as tfpf
from tfp_flows.cli import main


@pytest.fixture
def files(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    x = np.random.default_rng(0).normal(size=[60, 2])
    for i, part in enumerate(np.split(x, 3)):
        tfpf.datasets.write_table(data / f"{i}.parquet", part, ["a", "b"])
    flow = tfpf.flows.build("linear", 2, columns=["a", "b"], seed=0)
    flow.save(tmp_path / "flow.keras")
    return tmp_path, flow.log_prob(x).numpy()


@pytest.mark.parametrize("name", ["data", "data/*.parquet"])
def test_scores_of_several_files_are_those_of_their_rows(name, files, capsys):
    folder, values = files
    out = folder / "scores.csv"
    words = [str(folder / "flow.keras"), str(folder / name), "--out", str(out)]
    assert main.main(["score", *words, "--id", "row", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rows"] == 60
    assert facts["log_prob"]["mean"] == pytest.approx(values.mean(), rel=1e-5)
    table = tfpf.datasets.read_table(out)
    np.testing.assert_allclose(table.x[:, 1], values, rtol=1e-5)
    np.testing.assert_array_equal(table.x[:, 0], np.arange(60) + 1)
    assert main.main(["score", *words]) == 2
    assert "exists" in capsys.readouterr().err


def test_what_several_files_need_is_said(files, capsys):
    folder, _ = files
    words = [str(folder / "flow.keras"), str(folder / "data")]
    assert main.main(["score", *words]) == 2
    assert "--out is needed" in capsys.readouterr().err
    (folder / "data" / "b.csv").write_text("a,b\n1,2\n")
    assert main.main(["score", *words, "--out", str(folder / "o.csv")]) == 2
    assert "one format" in capsys.readouterr().err
