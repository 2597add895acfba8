"""Scores of files, block by block, are those of the rows in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfp_flows as tfpf
from tfp_flows.datasets import shards


def write(folder, rows=300):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=[rows, 2]), columns=["a", "b"])
    frame["name"] = [f"{i:03d}" for i in range(rows)]
    frame["c"] = rng.normal(size=rows)
    for i in range(3):
        part = frame[i * rows // 3 : (i + 1) * rows // 3]
        part.to_parquet(folder / f"{i}.parquet", index=False)
    return frame


def flow_of(**options):
    return tfpf.flows.build(
        "maf", 2, num_layers=1, hidden_units=(4,), seed=0, columns=["b", "a"], **options
    )


@pytest.mark.parametrize("ending", [".csv", ".tsv.gz", ".parquet"])
def test_scores_are_written_as_they_are_made(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "BLOCK", 64)
    (tmp_path / "data").mkdir()
    frame, flow = write(tmp_path / "data"), flow_of()
    out = tmp_path / f"scores{ending}"
    found = tfpf.training.score(flow, tmp_path / "data", out=out, identifier="name")
    values = flow.log_prob(frame[["b", "a"]].to_numpy()).numpy()
    written = tfpf.datasets.readers.open_table(out, text=["name"])
    assert written.labels("name") == frame["name"].tolist()
    scores = written.numbers(["log_prob"]).x[:, 0]
    np.testing.assert_allclose(scores, values, rtol=1e-6)
    assert found.rows == 300
    assert found.log_likelihood.mean == pytest.approx(values.mean(), rel=1e-6)
    error = values.std(ddof=1) / np.sqrt(300)
    assert found.log_likelihood.error == pytest.approx(error, rel=1e-5)
    assert "300 rows, mean log-likelihood" in str(found)
    with pytest.raises(FileExistsError, match="must not exist yet"):
        tfpf.training.score(flow, tmp_path / "data", out=out)


def test_rows_are_numbered_through_all_files(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    out = tmp_path / "scores.csv"
    tfpf.training.score(flow_of(), tmp_path / "data", out=out, identifier="row")
    rows = tfpf.datasets.read_table(out, ["row"]).x[:, 0]
    np.testing.assert_array_equal(rows, np.arange(300) + 1)


def test_conditions_are_found_by_name(tmp_path):
    frame = write(tmp_path)
    flow = flow_of(condition_shape=1, condition_columns=["c"])
    found = tfpf.training.score(flow, tmp_path)
    values = flow.log_prob(frame[["b", "a"]], frame[["c"]]).numpy()
    assert found.log_likelihood.mean == pytest.approx(values.mean(), rel=1e-6)


def test_a_file_that_cannot_be_read_leaves_the_old_scores(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    out = tmp_path / "scores.csv"
    out.write_text("before")
    path = tmp_path / "data" / "2.parquet"
    source = tfpf.datasets.open_shards(tmp_path / "data")
    path.write_bytes(b"PAR1" + path.read_bytes()[4:300])
    with pytest.raises(ValueError, match=r"2.parquet' must be a readable"):
        tfpf.training.score(flow_of(), source, out=out, force=True)
    assert out.read_text() == "before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data", "scores.csv"]


def test_rows_of_density_zero_are_counted_and_placed(tmp_path):
    for i in range(2):
        frame = pd.DataFrame({"x": np.linspace(0.1, 0.9, 50)})
        frame.loc[7 * i, "x"] = 2.0 if i else 0.5
        frame.to_parquet(tmp_path / f"{i}.parquet", index=False)
    flow = tfpf.flows.build(
        "maf", 1, num_layers=1, seed=0, columns={"x": ("bounded", 0, 1)}
    )
    found = tfpf.training.score(flow, tmp_path)
    assert found.not_finite == 1
    assert found.first_not_finite == f"row 8 of '{tmp_path / '1.parquet'}'"
    assert found.log_likelihood.mean == -np.inf


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"out": "scores.xlsx"}, "written in parts, got 'scores.xlsx'"),
        ({"identifier": "none"}, "'none'"),
        ({"condition": "c"}, "fitted to 2 columns"),
    ],
)
def test_what_does_not_fit_is_named(told, said, tmp_path):
    write(tmp_path)
    if "out" in told:
        told = {"out": tmp_path / told["out"]}
    with pytest.raises(ValueError, match=said):
        tfpf.training.score(flow_of(), tmp_path, **told)


def test_images_are_no_rows_of_a_table(tmp_path):
    write(tmp_path)
    flow = tfpf.flows.build("glow", (4, 4, 1), num_levels=1, num_steps=1, seed=0)
    with pytest.raises(ValueError, match="density of the rows of a table"):
        tfpf.training.score(flow, tmp_path)
