"""What people type: names, formats, JSON, completion, and words that are wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tfp_flows
from tfp_flows import datasets, flows
from tfp_flows.cli import catalog, columns
from tfp_flows.training.callbacks import progress

FAST = ("--epochs", 1, "--quiet", "--force")


@pytest.fixture(scope="module")
def priced(folder, rows):
    """Return a table with identifiers whose other names have commas."""
    path = folder / "priced.csv"
    lines = ['"price, EUR",b,"a,b",=id']
    lines += [f"{a},{b},{c},{i:03d}" for i, (a, b, c) in enumerate(rows)]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def priced_flow(run_once, priced):
    """Return a flow of `b` and `a,b` given `price, EUR`."""
    out = priced.parent / "priced.keras"
    argv = ("fit", priced, "--flow", "linear", "--out", out, *FAST)
    run_once(*argv, "--columns", 'b,"a,b"', "--condition", "price, EUR")
    return out


@pytest.fixture(scope="module")
def run_once():
    from tfp_flows.cli import main

    def call(*argv):
        assert main.main([str(word) for word in argv]) == 0

    return call


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b", ["a", "b"]),
        (" a , b ", ["a", "b"]),
        ("price, EUR", ["price, EUR"]),
        ("price, EUR,a", ["price, EUR", "a"]),
        ('a,"price, EUR"', ["a", "price, EUR"]),
        ('"a,b"', ["a,b"]),
        ('"say ""hi"""', ['say "hi"']),
        ("z,a", ["z", "a"]),
        (",", []),
    ],
)
def test_lists_of_names_may_have_commas_in_names(text, names):
    known = ["a", "b", "price, EUR", 'say "hi"']
    assert columns.resolve(text, known) == names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,2", [("", "1"), ("", "2")]),
        ("a=1,b=2", [("a", "1"), ("b", "2")]),
        ("price, EUR=1,b=2", [("price, EUR", "1"), ("b", "2")]),
        ('"a,b"=1', [("a,b", "1")]),
        ("a=1,2", [("a", "1"), ("", "2")]),
    ],
)
def test_values_by_name_may_have_commas_in_names(text, found):
    assert columns.pairs(text) == found


def test_near_names_are_suggested(refused, table, tmp_path):
    argv = ("fit", table, "--out", tmp_path / "f.keras")
    assert "did you mean 'nsf'?\n" in refused(*argv, "--flow", "nfs")
    assert "did you mean 'num_layers'?" in refused(
        *argv, "--flow", "maf", "--option", "num_layer=2"
    )
    assert "there is no flow ''" in refused(*argv, "--flow", "")
    error = refused(*argv, "--flow", "maf", "--option", "lr=0.01")
    assert "has no option 'lr'" in error
    assert "did you mean 'learning_rate'?" in error
    long = tmp_path / "long.csv"
    long.write_text("alcohol,pH\n1,2\n")
    error = refused("fit", long, "--out", tmp_path / "f.keras", "--columns", "alcool")
    assert "there is no column 'alcool', only 'alcohol', 'pH': did you mean" in error
    assert "did you mean 'entropy'?" in refused("info", table, "--measures", "entrpy")


def test_catalog_is_that_of_the_registry(run):
    assert tuple(catalog.TABLES) == flows.names()
    assert tuple(catalog.IMAGES) == flows.image_names()
    assert tuple(catalog.MANIFOLDS) == flows.manifold_names()
    assert catalog.DEFAULT == flows.DEFAULT
    code, text, _ = run("list")
    assert code == 0
    assert re.search(r"nsf-ar .*\(default\)", text)
    assert json.loads(run("list", "--json")[1])["tables"]["linear"]


def test_bash_completes_commands_options_and_flows(run):
    code, script, _ = run("completion", "bash")
    assert code == 0
    ask = "COMP_WORDS=({words}); COMP_CWORD={last}; _tfp_flows; echo ${{COMPREPLY[@]}}"
    for words, found in (
        ("tfp-flows sc", {"score"}),
        ("tfp-flows score --js", {"--json"}),
        ("tfp-flows plot cor", {"corner"}),
        ("tfp-flows det", {"detect"}),
        ("tfp-flows fit --flow nsf", {"nsf", "nsf-ar", "nsf-image"}),
    ):
        line = ask.format(words=words, last=len(words.split()) - 1)
        done = subprocess.run(
            ["bash", "-c", f"{script}\n{line}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert set(done.stdout.split()) == found


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["tsv", "csv.gz", "xlsx", "npy"])
def test_fit_reads_every_format(ending, run, rows, tmp_path):
    path = datasets.write_table(tmp_path / f"t.{ending}", rows[:, :2], ["a", "b"])
    out = tmp_path / "f.keras"
    assert run("fit", path, "--flow", "linear", "--out", out, *FAST)[0] == 0
    names = ("x0", "x1") if ending == "npy" else ("a", "b")
    assert tfp_flows.load(out).columns == names


def test_standard_input_is_a_table(run, refused, linear_flow, table, monkeypatch):
    def given(content):
        stream = SimpleNamespace(buffer=SimpleNamespace(read=lambda: content))
        monkeypatch.setattr(sys, "stdin", stream)

    given(table.read_bytes())
    code, text, _ = run("score", linear_flow, "-")
    assert code == 0
    assert text == run("score", linear_flow, table)[1]
    given(b"")
    assert "without columns" in refused("score", linear_flow, "-")


def test_sheets_are_named(run, refused, rows, tmp_path):
    path = datasets.write_table(tmp_path / "t.xlsx", rows[:, :2])
    argv = ("fit", path, "--flow", "linear", "--out", tmp_path / "f.keras", *FAST)
    assert run(*argv, "--sheet", "rows")[0] == 0
    assert "There are: 'rows'" in refused(*argv, "--sheet", "other")


def test_score_keeps_identifiers(run, refused, priced_flow, priced, tmp_path):
    argv = ("score", priced_flow, priced)
    _, plain, _ = run(*argv)
    code, text, _ = run(*argv, "--id", "=id")
    assert code == 0
    head, first, second, *_ = text.splitlines()
    assert head == "'=id,log_prob"  # no formula for a spreadsheet
    assert first == f"000,{plain.splitlines()[1]}"
    assert second.startswith("001,")
    code, text, _ = run(*argv, "--id", "row")
    assert [line.split(",")[0] for line in text.splitlines()[:3]] == ["row", "1", "2"]
    out = tmp_path / "s.parquet"
    assert run(*argv, "--id", "=id", "--out", out)[0] == 0
    assert datasets.readers.open_table(out).labels("=id")[7] == "007"
    assert "there is no column 'idd'" in refused(*argv, "--id", "idd")
    code, text, _ = run(*argv, "--id", "b")  # which the flow models
    assert (code, text.splitlines()[0]) == (0, "b,log_prob")
    assert [line.split(",")[1] for line in text.split()] == plain.split()


def test_scores_as_json(run, linear_flow, table, tmp_path):
    code, text, notes = run("score", linear_flow, table, "--json", "--id", "row")
    facts = json.loads(text)
    assert (code, facts["rows"], facts["scores"]["row"][-1]) == (0, 120, 120)
    assert np.mean(facts["scores"]["log_prob"]) == pytest.approx(
        facts["log_prob"]["mean"]
    )
    assert "120 rows, mean" in notes
    argv = ("score", linear_flow, table, "--out", tmp_path / "s.csv", "--json")
    code, text, notes = run(*argv, "--quiet")
    assert (code, notes) == (0, "")
    assert json.loads(text)["out"] == str(tmp_path / "s.csv")
    assert run("score", linear_flow, table, "--quiet")[2] == ""


def test_one_row_has_no_standard_error(run, linear_flow, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("a,b\n5,0\n")
    assert "(no standard error)" in run("score", linear_flow, path)[2]
    assert "nan" not in run("score", linear_flow, path)[2]


def test_samples_for_a_table_of_conditions(run, refused, priced_flow, priced, tmp_path):
    argv = ("sample", priced_flow, "--seed", 1)
    code, text, _ = run(*argv, "--conditions", priced)
    assert code == 0
    head, *lines = text.splitlines()
    assert head == 'b,"a,b","price, EUR"'
    given = datasets.read_table(priced, ["price, EUR"]).x[:, 0]
    drawn = np.array([line.split(",") for line in lines], float)
    np.testing.assert_allclose(drawn[:, 2], given)
    out = tmp_path / "s.csv"
    assert run(*argv, "--conditions", priced, "-n", 3, "--out", out)[0] == 0
    table = datasets.read_table(out)
    np.testing.assert_allclose(
        table.select(["price, EUR"]).x[:, 0], np.repeat(given, 3)
    )
    code, one, _ = run(*argv, "-n", "1e1", "--condition", "price, EUR=5")
    assert (code, len(one.splitlines())) == (0, 11)
    facts = json.loads(run(*argv, "--conditions", priced, "--json")[1])
    np.testing.assert_allclose(facts["rows"], drawn, rtol=1e-6)
    both = ("--condition", "5", "--conditions", priced)
    assert "give one of them" in refused(*argv, *both)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    error = refused(*argv, "--conditions", other)
    assert f"{other}: there is no column 'price, EUR'" in error


def test_conditions_need_a_conditional_flow(refused, linear_flow, table):
    error = refused("sample", linear_flow, "--conditions", table)
    assert "--conditions was given, but this flow takes none" in error


@pytest.mark.slow
def test_fit_judges_the_flow(run, table, rows, tmp_path):
    out = tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "linear", "--out", out, *FAST)
    code, text, notes = run(*argv, "--json")
    facts = json.loads(text)
    assert (code, notes, facts["flow"]) == (0, "", "linear")
    lead = facts["flow_minus_gaussian"]["mean"]
    mean = facts["held_out_log_likelihood"]["mean"]
    assert mean - facts["gaussian"]["mean"] == pytest.approx(lead)
    assert facts["gaussian"]["standard_error"] > 0
    code, text, _ = run(*argv[:-4], *FAST, "--flow", "maf", "--seed", 1)
    assert code == 0
    assert re.search(r"a full Gaussian: \S+ \+- \S+, the flow leads by -\d", text)
    assert "The flow loses to a full Gaussian by" in text
    assert re.search(r"more parameters \([\d,]+\) than there are rows \(108\)", text)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "noise=abc",
            "--option noise must be a number from 0 on, or rule-of-thumb, got 'abc'",
        ),
        ("noise=-1", "from 0 on, or rule-of-thumb, got -1"),
        ("learning_rate=0", "--option learning_rate must be a number above 0"),
        ("patience=2.5", "--option patience must be a whole number from 1 on"),
        ("average=1", "below 1, got 1"),
        ("hidden_units=()", "--option hidden_units must not be empty"),
        ("num_layers=999999", "--option num_layers must be at most 100,000"),
        ("num_layers=2.5", "num_layers"),
        ("hidden_units=-3", "hidden_units"),
        ("hidden_units=2.5", "hidden_units"),
        ("hidden_units=abc", "hidden_units"),
        ("activation=7", "activation"),
        ("dropout=much", "dropout"),
        ("base=nothing", "base"),
        ("dtype=int32", "'float32', 'float64'"),
    ],
)
def test_options_of_the_wrong_type_are_one_sentence(option, message, refused, table):
    argv = ("fit", table, "--flow", "maf", "--out", table.parent / "no.keras")
    error = refused(*argv, "--option", option)
    assert message in error
    for word in ("iterable", "ufunc", "operand", "object"):
        assert word not in error


@pytest.mark.slow
def test_one_number_is_a_list_of_one(run, table, tmp_path):
    out = tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "maf", "--out", out, *FAST)
    assert run(*argv, "--option", "hidden_units=8")[0] == 0
    assert tuple(tfp_flows.load(out).get_config()["hidden_units"]) == (8,)


def test_bad_sizes_and_numbers_are_named(run, refused, table, tmp_path):
    argv = ("--flow", "linear", "--out", tmp_path / "f.keras")
    error = refused("fit", table, *argv, "--test-fraction", 0.999)
    assert "--test-fraction 0.999 leaves" in error
    path = tmp_path / "large.csv"
    lines = [f"{i},{i * i}" for i in range(20)]
    path.write_text("\n".join(["a,b", *lines, "1e39,2"]))
    code, text, _ = run("fit", path, *argv, "--epochs", 1)
    assert code == 0
    assert "column 'a' has 1e+39 in row 21, far from all others" in text
    for name in ("a\0b.csv", "~nobody-here/t.csv", "x" * 5000 + ".csv", "", " "):
        assert refused("fit", name, *argv)


def test_interrupted_fit_keeps_the_best_weights(run, table, tmp_path, monkeypatch):
    ended = progress.ProgressLine.on_epoch_end

    def interrupt(self, epoch, logs=None):
        ended(self, epoch, logs)
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.ProgressLine, "on_epoch_end", interrupt)
    out = tmp_path / "f.keras"
    argv = ("fit", table, "--flow", "linear", "--out", out, "--quiet")
    code, text, error = run(*argv)
    assert code == 130
    assert f"wrote {out}" in text
    assert "has the best weights of 3 epochs; go on with --resume" in error
    before = tfp_flows.load(out)
    monkeypatch.setattr(progress.ProgressLine, "on_epoch_end", ended)
    fitting_argv = ("fit", table, "--out", out, "--resume", "--quiet", "--epochs", 40)
    code, after, _ = run(*fitting_argv)
    assert code == 0

    def held_out(text):
        return float(re.search(r"held-out log-likelihood: (\S+)", text)[1])

    assert held_out(after) > held_out(text)
    assert tfp_flows.load(out).columns == before.columns


def _ended_by_ctrl_c(words):
    """Run a command in a process of its own, press Ctrl-C after its second epoch."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "tfp_flows", *map(str, words)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    seen = b""
    while not re.search(rb"epoch ([3-9]|\d\d+)/", seen):
        part = process.stderr.read1(1000)
        assert part, seen
        seen += part
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    return process.returncode, out.decode(), (seen + error).decode()


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_weights_and_resume_goes_on(run, table, tmp_path):
    out = tmp_path / "f.keras"
    argv = ("fit", table, "--out", out, "--epochs", 9999)
    held_out = []
    for more in (("--flow", "linear"), ("--resume",)):
        more = (*more, "--option", "patience=9999")
        code, text, error = _ended_by_ctrl_c((*argv, *more))
        assert code == 130, error
        assert "Traceback" not in error
        assert f"wrote {out}" in text
        assert "go on with --resume" in error
        assert np.isfinite(tfp_flows.load(out).log_prob([[1.0, 2.0, 3.0]])).all()
        held_out.append(float(re.search(r"log-likelihood: (\S+)", text)[1]))
    code, text, _ = run("fit", table, "--out", out, "--resume", "--epochs", 40)
    assert code == 0
    held_out.append(float(re.search(r"log-likelihood: (\S+)", text)[1]))
    assert held_out == sorted(held_out)


def test_checkpoints_are_written_meanwhile(run, table, tmp_path, monkeypatch):
    out, seen = tmp_path / "f.keras", []
    ended = progress.ProgressLine.on_epoch_end

    def look(self, epoch, logs=None):
        seen.append(out.exists() and out.read_bytes())
        ended(self, epoch, logs)

    monkeypatch.setattr(progress.ProgressLine, "on_epoch_end", look)
    argv = ("fit", table, "--flow", "linear", "--out", out, "--quiet")
    assert run(*argv, "--epochs", 5, "--checkpoint", 2)[0] == 0
    assert seen[:2] == [False, False]
    assert seen[2]
    assert seen[2] == seen[3] != seen[4]


def test_interrupt_before_an_epoch_writes_nothing(run, table, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfp_flows.training.fit", interrupt)
    out = tmp_path / "f.keras"
    code, _, error = run("fit", table, "--flow", "linear", "--out", out)
    assert code == 130
    assert "nothing more is written" in error
    assert not out.exists()


def test_resume_knows_what_the_file_says(refused, linear_flow, table, tmp_path):
    argv = ("fit", table, "--resume", "--out")
    assert "leave out --resume" in refused(*argv, tmp_path / "none.keras")
    error = refused(*argv, linear_flow, "--flow", "maf")
    assert "--flow is known from" in error
    error = refused(*argv, linear_flow, "--option", "num_layers=2")
    assert "--option num_layers is known from the file" in error


def line_of(width, monkeypatch, **state):
    """Return what a terminal of a width sees of a fit."""
    written = []
    terminal = SimpleNamespace(
        isatty=lambda: True, write=written.append, flush=lambda: None
    )
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    line = progress.ProgressLine()
    line.set_params({"epochs": 100, "steps": 10})
    for name, value in state.items():
        setattr(line, name, value)
    line._draw()
    return written[-1].removeprefix("\r").removesuffix("\x1b[K"), line


def test_progress_shows_steps_and_time_left_within_the_width(monkeypatch):
    text, line = line_of(70, monkeypatch)
    assert text == "step 0 of 1000, starting for 0 s"
    now = line._start
    monkeypatch.setattr(progress.time, "monotonic", lambda: now + 12.0)
    state = {"_step": 51, "_first": (1, now + 2.0)}
    text, _ = line_of(70, monkeypatch, **state)
    assert text == "step 51/1000, at most 3 min left"
    state |= {"epochs_done": 5, "_values": "training -1.25, validation -1.5 (best -1)"}
    text, _ = line_of(70, monkeypatch, **state)
    assert text.startswith("step 51/1000, at most 3 min left, epoch 5/100, nats per ")
    assert len(text) < 70
    assert text.endswith("...")


def test_files_of_progress_have_no_control_characters(run, table, tmp_path):
    argv = ("fit", table, "--flow", "linear", "--out", tmp_path / "f.keras")
    _, _, text = run(*argv, "--epochs", 2)
    assert re.search(
        r"epoch 2/2, nats per row in the columns' units: training .*, at most 0 s "
        r"left\n$",
        text,
    )
    assert "\r" not in text


def test_interrupted_fit_keeps_the_layers_it_found(run, table, tmp_path, monkeypatch):
    ended = progress.ProgressLine.on_epoch_end

    def interrupt(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt
        ended(self, epoch, logs)

    monkeypatch.setattr(progress.ProgressLine, "on_epoch_end", interrupt)
    out = tmp_path / "f.keras"
    argv = ("fit", table, "--out", out, "--quiet")
    code, text, error = run(*argv, "--flow", "rbig", "--epochs", 3)
    assert code == 130
    assert f"wrote {out}" in text
    assert "has the best of 1 layers; go on with --resume" in error
    assert len(tfp_flows.load(out).layer_types) == 1
    monkeypatch.setattr(progress.ProgressLine, "on_epoch_end", ended)
    assert run(*argv, "--resume", "--epochs", 2)[0] == 0


def test_a_single_row_is_one_row(run, linear_flow, tmp_path):
    out = tmp_path / "one.csv"
    assert run("sample", linear_flow, "-n", 1, "--out", out)[1].startswith(
        "wrote 1 row "
    )
    assert run("score", linear_flow, out, "--out", tmp_path / "s.csv")[1].startswith(
        "1 row, mean"
    )


def test_missing_cells_name_the_option_that_fills_them(refused, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n3,5\n" * 20 + "4,\n")
    text = refused("fit", path, "--out", tmp_path / "m.keras")
    assert text.endswith("or drop their rows, or add --missing impute.\n")
