"""`tfp-flows fit`."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest

import tfp_flows
from tfp_flows import training
from tfp_flows.cli import columns, flow_options


def _write(path, rows, header="a,b,c"):
    text = [header, *(",".join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(text) + "\n")
    return path


@pytest.mark.colab
def test_prints_held_out_figures_and_saves_columns(run, table, tmp_path):
    out = tmp_path / "flow.keras"
    code, text, progress = run(
        "fit", table, "--flow", "linear", "--out", out, "--epochs", 3
    )
    assert code == 0
    assert "rows: 108 to fit, 12 held out" in text
    assert re.search(r"held-out log-likelihood: -?\d+\.\d{4} \+- \d+\.\d{4} nats", text)
    assert f"wrote {out}" in text
    assert "epoch 3/3, nats per row in the columns' units: training" in progress
    assert tfp_flows.load(out).columns == ("a", "b", "c")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"flow.keras", "flow.fit.json"}


def test_rows_with_folds_are_fitted(run, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
    path = tmp_path / "folds.npz"
    np.savez(path, x=x, columns=["a", "b"], fold=np.arange(60) % 5)
    out = tmp_path / "flow.keras"
    code, text, _ = run("fit", path, "--flow", "linear", "--out", out, "--epochs", 1)
    assert code == 0
    assert "rows: 54 to fit, 6 held out" in text


@pytest.mark.slow
def test_members_are_fitted_as_one_flow(run, table, tmp_path):
    out = tmp_path / "flow.keras"
    argv = ("fit", table, "--flow", "linear", "--out", out, "--epochs", 1)
    code, text, _ = run(*argv, "--members", 2, "--option", "bootstrap=true")
    assert code == 0
    flow = tfp_flows.load(out)
    assert (flow.num_members, flow.bootstrap) == (2, True)
    code, text, _ = run("info", out)
    assert code == 0
    assert "of 2 members, each <LinearFlow" in text
    code, text, _ = run("sample", out, "-n", 3)
    assert code == 0
    code, _, error = run(*argv, "--force", "--members", 0)
    assert code == 2
    assert "--members" in error


def test_held_out_rows_are_new(run, tmp_path, monkeypatch):
    rows = np.repeat(np.random.default_rng(0).normal(size=(60, 2)), 2, axis=0)
    path, seen = _write(tmp_path / "t.csv", rows, "a,b"), []
    whole = training.fit

    def spy(flow, x, *args, **options):
        seen.append(x)
        return whole(flow, x, *args, **options)

    monkeypatch.setattr(training, "fit", spy)
    argv = ("fit", path, "--flow", "linear", "--out", tmp_path / "f.keras")
    code, text, _ = run(*argv, "--epochs", 1)
    assert code == 0
    assert "rows: 108 to fit, 12 held out" in text
    assert "nats per row, columns in their own units" in text
    _, counts = np.unique(seen[0], axis=0, return_counts=True)
    assert (counts == 2).all()


def test_equal_seeds_give_equal_results(run, table, tmp_path):
    figures = []
    for out in (tmp_path / "1.keras", tmp_path / "2.keras"):
        argv = ("fit", table, "--flow", "linear", "--out", out, "--epochs", 1)
        code, text, progress = run(*argv, "--seed", 5, "--quiet")
        assert (code, progress) == (0, "")
        figures.append(text.splitlines()[:3])
    assert figures[0] == figures[1]


def test_without_test_rows_it_prints_the_training_figure(run, table, tmp_path):
    argv = ("fit", table, "--flow", "linear", "--out", tmp_path / "f.keras")
    code, text, _ = run(*argv, "--test-fraction", 0, "--epochs", 1)
    assert code == 0
    assert "120 to fit, 0 held out" in text
    assert "training log-likelihood" in text


@pytest.mark.slow
def test_options_reach_the_flow(run, table, tmp_path):
    out = tmp_path / "f.keras"
    options = ("num_layers=2", "hidden_units=4,4", "activation=tanh")
    argv = ("fit", table, "--flow", "maf", "--out", out, "--epochs", 1, "--quiet")
    code, *_ = run(*argv, *(w for o in options for w in ("--option", o)))
    assert code == 0
    config = tfp_flows.load(out).get_config()
    assert config["num_layers"] == 2
    assert tuple(config["hidden_units"]) == (4, 4)
    assert config["activation"] == "tanh"


def test_rbig_of_tables_is_fitted_on_the_shell(run, table, rows, tmp_path):
    out = tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "rbig", "--out", out, "--epochs", 2, "--quiet")
    code, *_ = run(*argv, "--option", "marginals=table", "--option", "num_bins=20")
    assert code == 0
    flow = tfp_flows.load(out)
    assert set(flow.layer_types) == {"table"}
    assert np.all(np.isfinite(flow.log_prob(rows.astype("float32"))))


def test_text_columns_do_not_matter_when_others_are_chosen(run, rows, tmp_path):
    table = _write(tmp_path / "t.csv", [(a, b, "red") for a, b, _ in rows])
    argv = ("fit", table, "--flow", "linear", "--out", tmp_path / "f.keras")
    code, *_ = run(*argv, "--columns", "b,a", "--epochs", 1, "--quiet")
    assert code == 0
    assert tfp_flows.load(tmp_path / "f.keras").columns == ("b", "a")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("text", "column 'b' must be numeric, got 'red' in row 3"),
        ("nan", "column 'a' must hold finite numbers, got nan in row 8"),
        ("constant", "every column must vary, got constant 'c' = 7.0"),
        ("few", "9 rows are too few, 10 needed"),
        ("almost", "column 'c' is constant in all rows but those held out"),
    ],
)
def test_bad_tables_are_refused(spoil, message, refused, rows, tmp_path):
    cells = rows.astype(object).tolist()
    if spoil == "text":
        cells[2][1] = "red"
    elif spoil == "nan":
        cells[7][0] = ""
    elif spoil == "few":
        cells = cells[:9]
    else:
        for row in cells:
            row[2] = 7.0
    if spoil == "almost":
        held_out = np.random.default_rng(0).permutation(len(cells))[0]
        cells[held_out][2] = 8.0
    table = _write(tmp_path / "bad.csv", cells)
    error = refused("fit", table, "--flow", "linear", "--out", tmp_path / "f.keras")
    assert error.startswith(f"tfp-flows fit: {table}: ")
    assert message in error
    assert not (tmp_path / "f.keras").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--flow", "fly"], "there is no flow 'fly', only nice, realnvp"),
        (["--columns", "a,z"], "'z'"),
        (["--condition", "z"], "there is no column 'z', only 'a', 'b', 'c'"),
        (["--columns", "a", "--condition", "a"], "event and condition at once"),
        (["--condition", "a,b,c"], "no column is left"),
        (["--flow", "maf", "--option", "wings=2"], "flow maf has no option 'wings'"),
        (
            ["--flow", "maf", "--option", "num_layers=0"],
            "`num_layers` must be at least",
        ),
        (
            ["--flow", "maf", "--option", "num_layers=x"],
            "`num_layers` must be a number",
        ),
        (["--flow", "maf", "--option", "seed=1"], "flow maf has no option 'seed'"),
        (["--option", "wings"], "--option must be KEY=VALUE, got 'wings'"),
    ],
)
def test_bad_choices_are_refused(more, message, refused, table, tmp_path):
    assert message in refused("fit", table, "--out", tmp_path / "f.keras", *more)


def test_bad_outputs_are_refused_before_the_fit(refused, table, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "fit", None)
    existing = tmp_path / "there.keras"
    existing.write_text("mine")
    for out, message in (
        (existing, "exists: choose another name or add --force"),
        (tmp_path / "f.h5", "must end in .keras"),
        (tmp_path / "no" / "f.keras", "there is no folder"),
        (existing / "f.keras", "there is no folder"),
    ):
        assert message in refused("fit", table, "--flow", "linear", "--out", out)
    assert existing.read_text() == "mine"


def test_read_only_folder_is_refused(refused, table, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "is read-only" in refused("fit", table, "--out", tmp_path / "f.keras")


def test_force_overwrites(run, table, tmp_path):
    out = tmp_path / "f.keras"
    out.write_text("mine")
    argv = ("fit", table, "--flow", "linear", "--out", out, "--epochs", 1)
    assert run(*argv, "--force")[0] == 0
    assert tfp_flows.load(out).event_shape == (3,)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.csv", "there is no file"),
        ("t.ods", "must end in .csv or .tsv or"),
        ("", "is a folder"),
    ],
)
def test_bad_paths_are_refused(name, message, refused, tmp_path):
    (tmp_path / "t.ods").write_text("")
    assert message in refused("fit", tmp_path / name, "--out", tmp_path / "f.keras")


def test_missing_extra_is_named(refused, table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    error = refused("fit", table, "--out", tmp_path / "f.keras")
    assert "`pandas` is needed" in error
    assert "pip install 'tfp_flows[tables]'" in error


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=3", 3),
        ("k=0.5", 0.5),
        ("k=64,64", (64, 64)),
        ("k=relu", "relu"),
        ("k=true", True),
        ("k=None", None),
        ("k=a=b", "a=b"),
    ],
)
def test_option_values_are_literals_or_text(text, value):
    assert flow_options.read(text) == ("k", value)


def test_options_of_a_flow_are_printed(run):
    code, text, _ = run("fit", "--options", "coupling")
    assert code == 0
    assert (
        "transformer: Transformer = Affine(max_log_scale=5.0)\n    The scalar" in text
    )
    assert "num_layers: int = 6\n    Number of layers." in text
    assert "of all flows and of the fit: average, base, bootstrap, checkpoint" in text


@pytest.mark.parametrize("argv", ["--options nsf --json", "--json --options nsf"])
def test_options_of_a_flow_are_an_object_too(run, argv):
    code, text, error = run("fit", *argv.split(), "--quiet")
    assert (code, error) == (0, "")
    found = json.loads(text)
    assert found["flow"] == "nsf"
    assert found["options"]["num_layers"]["default"] == 6
    assert found["options"]["num_layers"]["meaning"] == "Number of layers."
    assert "learning_rate" in found["others"]


@pytest.mark.slow
def test_a_transformer_is_an_option_and_old_names_stay(run, table, tmp_path):
    out = tmp_path / "f.keras"
    argv = ("fit", table, "--out", out, "--epochs", 1, "--option", "num_layers=1")
    option = ("--option", "transformer=Bernstein(6)")
    assert run(*argv, "--flow", "coupling", *option)[0] == 0
    assert tfp_flows.load(out).transformer.degree == 6
    code, text, _ = run(*argv, "--flow", "maf-mog", "--force")
    assert code == 0
    assert "flow: maf-mol, " in text


def test_what_is_wrong_with_the_rows_is_said_with_their_numbers(run, rows, tmp_path):
    wild = rows.copy()
    wild[56, 0], wild[::10, 1] = 1e9, -999.0
    table, out = _write(tmp_path / "wild.csv", wild), tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "linear", "--epochs", 2, "--quiet", "--out", out)
    code, text, err = run(*argv)
    assert (code, err) == (0, "")
    assert (
        "column 'a' has 1e+09 in row 57, far from all others: the row is left" in text
    )
    assert "column 'b' holds -999 in 10 % of the rows" in text
    assert "rows: 107 to fit, 12 held out" in text


def test_large_offsets_are_fitted_in_float64_on_the_shell(run, refused, rows, tmp_path):
    table, out = _write(tmp_path / "t.csv", 1.7e9 + 60 * rows), tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "linear", "--epochs", 1, "--quiet", "--out", out)
    code, text, _ = run(*argv)
    assert code == 0
    assert "of which float32 holds" in text
    assert tfp_flows.load(out).variable_dtype == "float64"
    assert "float64" in refused(*argv, "--force", "--option", "dtype=float32")


def test_missing_cells_are_filled_where_asked(run, rows, tmp_path):
    cells = rows.astype(object).tolist()
    for row in cells[::6]:
        row[1] = ""
    table, out = _write(tmp_path / "gaps.csv", cells), tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "linear", "--epochs", 1, "--quiet", "--out", out)
    code, text, _ = run(*argv, "--missing", "impute")
    assert code == 0
    assert "20 missing cells (5.6 %) are filled from similar rows" in text


def test_a_constant_condition_is_said_and_does_no_harm(run, rows, tmp_path):
    table = _write(tmp_path / "t.csv", np.column_stack([rows[:, :2], np.ones(120)]))
    argv = ("fit", table, "--flow", "linear", "--epochs", 1, "--quiet")
    code, text, _ = run(*argv, "--out", tmp_path / "f.keras", "--condition", "c")
    assert code == 0
    assert "condition column 'c' is constant, 1 in every row" in text


def test_rows_are_held_out_by_group_and_by_time(run, refused, folder, tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    path, out = folder / "sites.csv", tmp_path / "f.keras"
    lines = ["a,b,site,day"]
    for i, (a, b) in enumerate(rows):
        lines.append(f"{a},{b},{'NSW'[i % 3]},2026-01-{i // 2 + 1:02}")
    path.write_text("\n".join(lines), encoding="utf-8")
    argv = ("fit", path, "--flow", "linear", "--out", out, "--epochs", 1, "--json")
    code, text, _ = run(*argv, "--groups", "site", "--columns", "a,b")
    assert code == 0
    assert json.loads(text)["rows"] == {"fit": 40, "held_out": 20}
    assert run("info", out)[1].count("columns: a, b") == 1
    argv = (*argv, "--force", "--test-fraction", 0.2)
    code, text, _ = run(*argv, "--time", "day", "--columns", "a,b")
    assert json.loads(text)["rows"] == {"fit": 48, "held_out": 12}
    assert "numbers or dates" in refused(*argv, "--time", "site", "--columns", "a,b")
    assert "'sites'" in refused(*argv, "--groups", "sites", "--columns", "a,b")
    text = refused(*argv, "--groups", "site", "--time", "day", "--columns", "a,b")
    assert "got both" in text


@pytest.mark.slow
def test_kinds_of_columns_are_found_told_and_kept(run, refused, tmp_path):
    rng = np.random.default_rng(0)
    ratings, colours = rng.integers(1, 6, 200), rng.choice(["red", "green"], 200)
    cells = list(zip(rng.normal(size=200), ratings, colours, strict=True))
    table, out = _write(tmp_path / "mixed.csv", cells), tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "linear", "--epochs", 1, "--quiet", "--out", out)
    assert "add --columns 'c=category'" in refused(*argv)
    assert "there is no column 'z'" in refused(*argv, "--columns", "z=integer")
    error = refused(*argv, "--columns", "a,b=whole")
    assert "--columns of 'b': there is no kind 'whole'. Kinds are continuous" in error
    assert "bounded:LOW:HIGH" in error
    assert "no kind 'categry': did you mean 'category'?" in refused(
        *argv, "--columns", "c=categry"
    )
    row = next(i for i, cell in enumerate(cells, 1) if cell[1] > 3)
    error = refused(*argv, "--columns", "c=category,b=bounded:0:3")
    assert f"{table}: the table must hold amounts from 0 to 3 in column 'b'" in error
    assert f"in row {row} (" in error  # of the file, whatever is held out
    code, text, _ = run(*argv, "--columns", "c=category,b=bounded:0:6")
    assert code == 0
    assert "column 'b': amounts from 0 to 6" in text
    assert "column 'c': 2 categories (green, red)" in text
    assert "column 'c': 2 categories (green, red)" in run("info", out)[1]
    text = run("sample", out, "-n", 20, "--seed", 0)[1]
    assert text.splitlines()[0] == "a,b,c"
    assert {line.split(",")[2] for line in text.splitlines()[1:]} == {"red", "green"}
    assert run("score", out, table, "--quiet")[0] == 0


@pytest.mark.parametrize(
    ("text", "names", "kinds"),
    [
        ("a,b", "a,b", {}),
        ("a=integer", None, {"a": "integer"}),
        ("a,b=bounded:0:1", "a,b", {"b": ("bounded", 0.0, 1.0)}),
        ("b=positive+atom:0", None, {"b": ["positive", ("atom", 0.0)]}),
        ("x=1", "x=1", {}),
    ],
)
def test_lists_of_columns_may_have_kinds(text, names, kinds):
    assert columns.kinds(text, ["a", "b", "x=1"]) == (names, kinds)


@pytest.mark.slow
def test_a_budget_bounds_the_time(run, refused, table, tmp_path):
    out = tmp_path / "flow.keras"
    code, text, _ = run("fit", table, "--out", out, "--budget", "1s")
    assert code == 0
    assert "CPU time of a budget of 1 s" in text
    assert isinstance(tfp_flows.load(out), tfp_flows.flows.RBIG)
    more = ("fit", table, "--out", tmp_path / "b.keras", "--budget")
    assert "must be a time such as 10s" in refused(*more, "soon")
    assert "chooses the flow itself" in refused(*more, "1s", "--flow", "maf")
    assert "--epochs has no part" in refused(*more, "1s", "--epochs", 3)
