"""`tfp-flows score`, `sample` and `info` of saved flows."""

from __future__ import annotations

import io
import json
import zipfile

import keras
import numpy as np
import pytest

import tfp_flows
from tests.flows import small
from tfp_flows import datasets, flows
from tfp_flows.preprocessing import Column


def _csv(text):
    return np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1)


def _table(path, values, header):
    np.savetxt(path, values, delimiter=",", header=header, comments="", fmt="%.9g")
    return path


@pytest.fixture(scope="module")
def unnamed_flow(folder):
    """Return a saved flow of two values given one, which knows no names."""
    path = folder / "unnamed.keras"
    flows.build("linear", 2, 1, seed=0).save(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "npz", "parquet"])
def test_scores_are_the_log_density(suffix, run, linear_flow, table, rows, tmp_path):
    out = tmp_path / f"scores.{suffix}"
    code, text, _ = run("score", linear_flow, table, "--out", out)
    assert code == 0
    scores = datasets.read_table(out)
    assert scores.columns == ("log_prob",)
    expected = tfp_flows.load(linear_flow).log_prob(rows[:, :2]).numpy()
    np.testing.assert_allclose(scores.x[:, 0], expected, atol=1e-4)
    assert f"120 rows, mean log-likelihood {expected.mean():.4f} +- " in text


def test_scores_go_to_standard_output_without_a_file(run, linear_flow, table, rows):
    code, text, summary = run("score", linear_flow, table)
    assert code == 0
    assert text.splitlines()[0] == "log_prob"
    assert len(_csv(text)) == len(rows)
    assert summary.startswith("120 rows, mean log-likelihood")
    assert "nats, columns in their own units" in summary


@pytest.mark.colab
def test_columns_are_matched_by_name(run, linear_flow, table, rows, tmp_path):
    _, expected, _ = run("score", linear_flow, table)
    words = [[str(b), "red", str(a)] for a, b, _ in rows]
    lines = ["b,color,a", *(",".join(row) for row in words)]
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join(lines))
    code, found, _ = run("score", linear_flow, shuffled)
    assert code == 0
    np.testing.assert_allclose(_csv(found), _csv(expected), atol=1e-4)


def test_tables_without_names_are_matched_by_position(
    run, refused, linear_flow, table, rows, tmp_path
):
    _, expected, _ = run("score", linear_flow, table)
    np.savez(tmp_path / "two.npz", x=rows[:, :2])
    code, found, _ = run("score", linear_flow, tmp_path / "two.npz")
    assert code == 0
    np.testing.assert_allclose(_csv(found), _csv(expected), atol=1e-4)
    np.savez(tmp_path / "three.npz", x=rows)
    error = refused("score", linear_flow, tmp_path / "three.npz")
    assert "fitted to 2 columns, the table has 3" in error


def test_wrong_columns_are_refused(refused, linear_flow, rows, tmp_path):
    one = _table(tmp_path / "one.csv", rows[:, :1], "a")
    assert "there is no column 'b', only 'a'" in refused("score", linear_flow, one)
    other = _table(tmp_path / "other.csv", rows[:, :2], "a,z")
    assert "no column 'b', only 'a', 'z'" in refused("score", linear_flow, other)


def test_bad_cells_are_refused(refused, linear_flow, tmp_path):
    (tmp_path / "text.csv").write_text("a,b\n1,2\n3,red\n")
    error = refused("score", linear_flow, tmp_path / "text.csv")
    assert "column 'b' must be numeric, got 'red' in row 2" in error
    (tmp_path / "nan.csv").write_text("a,b\n1,2\n3,\n")
    error = refused("score", linear_flow, tmp_path / "nan.csv")
    assert "column 'b' must hold finite numbers, got nan in row 2" in error


def test_unnamed_flows_take_columns_by_position(
    run, refused, unnamed_flow, table, rows, tmp_path
):
    code, text, _ = run("score", unnamed_flow, table)
    assert code == 0
    flow = tfp_flows.load(unnamed_flow)
    expected = flow.log_prob(rows[:, :2], rows[:, 2:]).numpy()
    np.testing.assert_allclose(_csv(text), expected, atol=1e-4)
    code, text, _ = run("score", unnamed_flow, table, "--condition", "a")
    assert code == 0
    expected = flow.log_prob(rows[:, 1:], rows[:, :1]).numpy()
    np.testing.assert_allclose(_csv(text), expected, atol=1e-4)
    two = _table(tmp_path / "two.csv", rows[:, :2], "a,b")
    error = refused("score", unnamed_flow, two)
    assert "2 columns and 1 of the condition, the table has 2" in error
    error = refused("score", unnamed_flow, table, "--condition", "a,b")
    assert "must name 1 columns" in error
    error = refused("score", unnamed_flow, table, "--condition", "z")
    assert "there is no column 'z'" in error


def test_scores_are_not_overwritten(refused, run, linear_flow, table, tmp_path):
    out = tmp_path / "scores.csv"
    out.write_text("mine")
    argv = ("score", linear_flow, table, "--out")
    assert "exists" in refused(*argv, out)
    assert out.read_text() == "mine"
    assert run(*argv, out, "--force")[0] == 0
    assert "is read by this command" in refused(*argv, table, "--force")


def test_samples_have_the_columns_of_the_table(run, linear_flow, tmp_path):
    code, text, _ = run("sample", linear_flow, "-n", 3, "--seed", 1)
    assert code == 0
    assert text.splitlines()[0] == "a,b"
    assert _csv(text).shape == (3, 2)
    assert run("sample", linear_flow, "-n", 3, "--seed", 1)[1] == text
    assert run("sample", linear_flow, "-n", 3, "--seed", 2)[1] != text
    out = tmp_path / "rows.parquet"
    code, summary, _ = run("sample", linear_flow, "-n", 3, "--seed", 1, "--out", out)
    assert (code, summary) == (0, f"wrote 3 rows to {out}\n")
    drawn = datasets.read_table(out)
    assert drawn.columns == ("a", "b")
    np.testing.assert_array_equal(drawn.x, _csv(text).astype(np.float32))


def test_samples_keep_the_table_of_conditions(refused, conditional_flow, tmp_path):
    given = _table(tmp_path / "given.csv", np.ones([2, 1]), "c")
    written = given.read_text()
    argv = ("sample", conditional_flow, "--conditions", given, "--out")
    error = refused(*argv, given, "--force")
    assert "is read by this command: write to another file" in error
    assert given.read_text() == written


def test_json_has_integers_of_conditions_as_such(run, conditional_flow, tmp_path):
    (tmp_path / "given.csv").write_text("c\n1\n2\n")
    argv = ("sample", conditional_flow, "--conditions", tmp_path / "given.csv")
    found = json.loads(run(*argv, "--json")[1])
    assert found["columns"] == ["a", "b", "c"]
    assert [row[2] for row in found["rows"]] == [1, 2]
    assert all(isinstance(row[2], int) for row in found["rows"])
    assert found["labels"] == {}


def test_samples_follow_the_condition(run, unnamed_flow):
    argv = ("sample", unnamed_flow, "-n", 4, "--seed", 1)
    code, text, _ = run(*argv, "--condition", "0.5")
    assert code == 0
    flow = tfp_flows.load(unnamed_flow)
    assert np.isfinite(flow.log_prob(_csv(text), np.array([0.5]))).all()
    assert _csv(text).shape == (4, 2)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (None, "--condition is missing: this flow is given 1 values"),
        ("1,2", "must give 1 values, got 2 values"),
        ("red", "must give finite numbers, got 'red'"),
        ("inf", "must give finite numbers, got 'inf'"),
        ("1e39", "got '1e39', which float32 does not hold"),
        ("c=1", "does not know the names"),
    ],
)
def test_bad_conditions_are_refused(condition, message, refused, unnamed_flow):
    more = () if condition is None else ("--condition", condition)
    assert message in refused("sample", unnamed_flow, "-n", 1, *more)


def test_condition_without_a_conditional_flow_is_refused(refused, linear_flow):
    error = refused("sample", linear_flow, "-n", 1, "--condition", "1")
    assert "this flow takes none" in error


@pytest.mark.slow
def test_condition_keeps_its_names(run, conditional_flow, table, rows, tmp_path):
    assert tfp_flows.load(conditional_flow).condition_columns == ("c",)
    shuffled = _table(tmp_path / "s.csv", rows[:, ::-1], "c,b,a")
    _, expected, _ = run("score", conditional_flow, table)
    code, found, _ = run("score", conditional_flow, shuffled)
    assert code == 0
    np.testing.assert_allclose(_csv(found), _csv(expected), atol=1e-4)
    argv = ("sample", conditional_flow, "-n", 5, "--seed", 0, "--condition")
    code, named, _ = run(*argv, "c=0.5")
    assert code == 0
    assert named == run(*argv, "0.5")[1]
    assert named.splitlines()[0] == "a,b"
    code, text, _ = run("info", conditional_flow)
    assert "condition: c" in text


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("z=1", "--condition must name c, got 'z'"),
        ("c=1,c=2", "--condition must name c, each of them once"),
    ],
)
def test_bad_names_of_the_condition_are_refused(
    condition, message, refused, conditional_flow
):
    argv = ("sample", conditional_flow, "-n", 1, "--condition", condition)
    assert message in refused(*argv)


def test_info_describes_the_flow(run, linear_flow):
    code, text, _ = run("info", linear_flow)
    assert code == 0
    assert text.startswith("<LinearFlow")
    assert "columns: a, b" in text
    assert "format version: 1" in text
    code, text, _ = run("info", linear_flow, "--json")
    facts = json.loads(text)
    assert facts["columns"] == ["a", "b"]
    assert facts["event_shape"] == [2]
    assert facts["parameters"] > 0
    assert facts["format_version"] == 1
    assert facts["condition_shape"] is None


def test_images_are_described_but_not_scored(run, refused, table, tmp_path):
    path = tmp_path / "image.keras"
    flows.build("linear", (2, 2), seed=0).save(path)
    code, text, _ = run("info", path)
    assert code == 0
    assert "columns: not named" in text
    assert "event shape is (2, 2)" in refused("score", path, table)
    assert "event shape is (2, 2)" in refused("sample", path, "-n", 1)


def _other_model(path):
    keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)]).save(path)


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")


def _truncated(path):
    flows.build("linear", 2, seed=0).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[: len(content) // 2])


def _newer(path):
    flows.build("linear", 2, seed=0).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["format_version"] = 99
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("no"), "It is no Keras archive"),
        (_other_model, "is no saved flow: It holds a `Sequential`"),
        (_zip, "is no saved flow: It holds no `config.json`"),
        (_truncated, "is no saved flow: Its `config.json` is damaged"),
        (_newer, "`format_version` 99 of this file is newer than 1"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: None, "there is no file"),
    ],
)
def test_files_that_hold_no_flow_are_refused(make, message, refused, tmp_path):
    path = tmp_path / "model.keras"
    make(path)
    assert message in refused("info", path)


def test_models_with_another_ending_are_refused(refused, table):
    assert "must end in .keras" in refused("info", table)


@pytest.mark.slow
def test_scores_say_which_row_has_density_0_and_which_was_rounded(run, tmp_path):
    kinds = [Column(step=0.1, found=True), ("periodic", 0, 24)]
    flow = small.build(
        "nsf", 2, columns=("alcohol", "hour"), preprocessing=kinds, seed=0
    )
    flow.save(tmp_path / "f.keras")
    rows = [[0.5, 3.0], [0.5667, 4.0], [0.5, 25.0]]
    table = _table(tmp_path / "t.csv", rows, "alcohol,hour")
    code, text, notes = run("score", tmp_path / "f.keras", table)
    assert code == 0
    assert _csv(text)[2] == -np.inf
    assert "column 'alcohol' holds 0.566" in notes
    assert "--columns NAME=KIND of the fit" in notes
    assert "period from 0 to 24 in column 'hour', got 25 in row 3 (1 such" in notes
    assert "note:" not in run("score", tmp_path / "f.keras", table, "--quiet")[2]
