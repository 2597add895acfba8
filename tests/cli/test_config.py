"""Options from files, and the file that `fit` writes so that it can be repeated."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import tfp_flows
from tfp_flows.cli import main


@pytest.fixture(scope="module")
def fitted(folder, rows):
    """Return a folder with a table, its flow and the record of the fit."""
    place = folder / "config"
    place.mkdir()
    lines = ['a,"b, c",g', *(f"{a},{b},{i // 10}" for i, (a, b, _) in enumerate(rows))]
    (place / "t.csv").write_text("\n".join(lines))
    argv = ["fit", place / "t.csv", "--out", place / "f.keras", "--flow", "maf"]
    argv += ["--option", "hidden_units=8,4", "--epochs", 2, "--groups", "g"]
    argv += ["--columns", '"b, c",a', "--seed", 3, "--quiet"]
    assert main.main([str(word) for word in argv]) == 0
    return place


@pytest.mark.slow
def test_a_fit_is_repeated_from_its_record(fitted, run, tmp_path, monkeypatch):
    record = json.loads((fitted / "f.fit.json").read_text())
    assert record["data"] == "t.csv"  # beside the record
    assert record["flow"] == "maf"
    assert len(record["history"]["val_loss"]) == 2
    assert record["about"]["tfp_flows"] == tfp_flows.__version__
    monkeypatch.chdir(tmp_path)
    again = tmp_path / "again.keras"
    argv = ("fit", "--config", fitted / "f.fit.json", "--out", again, "--quiet")
    code, _, notes = run(*argv)
    assert (code, notes) == (0, "")
    first, second = (tfp_flows.load(path) for path in (fitted / "f.keras", again))
    assert first.columns == second.columns == ("b, c", "a")
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_array_equal(first.log_prob(x), second.log_prob(x))
    repeated = json.loads((tmp_path / "again.fit.json").read_text())
    assert repeated["history"] == record["history"]
    assert repeated["seed"] == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is in Python 3.11")
def test_options_from_toml_and_others_before_them(fitted, run, tmp_path):
    config = tmp_path / "c.toml"
    data = (fitted / "t.csv").as_posix()
    config.write_text(
        f'data = "{data}"\nout = "c.keras"\nflow = "maf"\nepochs = 1\njson = true\n'
        'test-fraction = 0.2\ncolumns = ["a", "b, c"]\n'
        "[option]\nhidden_units = [8]\nnum_layers = 2\n[about]\ndata_sha256 = '0'\n"
    )
    argv = ("fit", "--config", config, "--flow", "linear", "--option", "num_bins=4")
    code, _, error = run(*argv)
    assert code == 2
    assert "flow linear has no option 'num_bins'" in error
    assert "t.csv' is not what" in error  # the hash is another one
    argv = ("fit", "--config", config, "--option", "num_layers=1", "--quiet")
    code, text, _ = run(*argv)
    assert code == 0
    facts = json.loads(text)
    assert facts["rows"] == {"fit": 96, "held_out": 24}
    flow = tfp_flows.load(tmp_path / "c.keras")
    assert (flow.get_config()["num_layers"], flow.columns) == (1, ("a", "b, c"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.json", '{"epohcs": 3}', "the key 'epohcs', which fit does not know: did"),
        ("c.json", '{"flow": ', "c.json: Expecting value"),
        ("c.json", "[1]", "must hold options by name"),
        ("c.json", "[" * 100_000, "c.json"),
        ("c.json", '{"option": ["a"]}', "option must hold options by name"),
        ("c.json", '{"force": 1}', "force must be true or false"),
        ("c.json", '{"data": 3}', "data must be the name of a file"),
        ("c.json", '{"seed": true}', "seed must be a word or a number"),
        ("c.json", '{"seed": -1}', "--seed: must be at least 0"),
        ("c.json", '{"config": "c.json"}', "which fit does not know"),
        ("c.json", "{}", "required: DATA"),
        ("c.json", '{"data": "no.csv"}', "required: --out"),
        ("c.toml", "flow = ", "c.toml"),
        ("c.yaml", "", "must end in .toml or .json"),
        ("c.json", b"\xff\xfe\x00", "c.json"),
        ("no.json", None, "there is no file"),
    ],
)
def test_bad_files_of_options_are_one_line(name, text, message, refused, tmp_path):
    if isinstance(text, bytes):
        (tmp_path / name).write_bytes(text)
    elif text is not None:
        (tmp_path / name).write_text(text)
    assert message in refused("fit", "--config", tmp_path / name)


@pytest.mark.slow
def test_a_record_is_not_overwritten(refused, fitted, tmp_path):
    (tmp_path / "f.fit.json").write_text("mine")
    error = refused("fit", fitted / "t.csv", "--out", tmp_path / "f.keras")
    assert "f.fit.json' exists" in error
