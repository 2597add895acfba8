"""The table of published systems: what it says, and how it is filled."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = "# Page\n<!-- table -->\nhead\n|---|\n<!-- end -->\nrest\n"


@pytest.fixture
def command(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    found = runpy.run_path(str(ROOT / "benchmarks" / "reproductions.py"))
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    found["main"].__globals__["PAGE"] = page
    return found, page


def test_entries_have_rows_and_sources_and_none_is_shown_by_its_row(command, capsys):
    found, _ = command
    for name, item in found["ENTRIES"].items():
        assert item.name == name
        assert item.source
        assert all(code[0] in "ABCDEFGHI" for code in item.row.split(", "))
    found["main"](["--list"])
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == len(found["ENTRIES"])
    assert "two-block-maf" in printed
    for code in ("A6", "D11", "G15"):
        assert code not in printed


def test_quick_runs_are_held_against_nothing_and_not_written(command, capsys):
    found, page = command
    found["main"](["normal-cdf", "--quick"])
    printed = capsys.readouterr().out
    assert "round trip" in printed
    assert "yes" not in printed
    assert "at most" not in printed
    with pytest.raises(SystemExit):
        found["main"](["normal-cdf", "--quick", "--write"])
    assert "--quick" in capsys.readouterr().err
    assert page.read_text() == PAGE


def test_written_lines_replace_those_of_their_entry_alone(command):
    found, page = command
    found["main"](["interpolated-cdf", "normal-cdf", "--write"])
    first = page.read_text()
    assert first.startswith("# Page\n")
    assert first.endswith("<!-- end -->\nrest\n")
    assert first.count("| yes |") == 5
    # In the order of the entries, not in that of the run.
    assert first.index("`normal-cdf`") < first.index("`interpolated-cdf`")
    changed = first.replace("| yes |", "| once |")
    page.write_text(changed)
    found["main"](["normal-cdf", "--write"])
    assert page.read_text().count("| yes |") == 3
    assert page.read_text().count("| once |") == 2


def test_a_miss_says_no(command):
    figure = command[0]["Figure"]
    assert figure("loss", 1.0, 0.9).reached == "no"
    assert figure("loss", float("nan"), 0.9).reached == "no"
    assert figure("score", 1.0, 0.9, at_least=True).reached == "yes"
    assert figure("loss", 1.0).reached == "-"


def test_numbers_are_short_and_may_be_none(command):
    number = command[0]["number"]
    assert [number(v) for v in (50, 1.51234, 3.2e-9)] == ["50", "1.512", "3.2e-9"]
    assert number(float("nan")) == "nan"


def test_entries_without_their_data_are_skipped(command, capsys):
    found, page = command
    absent = found["Absent"]

    def run(quick):
        raise absent("no tables here")
        yield

    item = found["Entry"]("missing", "A1", "nowhere", run)
    found["main"].__globals__["ENTRIES"] = {"missing": item}
    found["main"](["missing", "--write"])
    assert "skipped: no tables here" in capsys.readouterr().out
    assert page.read_text() == PAGE


def test_unknown_names_are_an_error(command, capsys):
    with pytest.raises(SystemExit):
        command[0]["main"](["nothing"])
    assert "unknown: nothing" in capsys.readouterr().err


@pytest.mark.slow
def test_entries_of_every_module_run_quickly(command, capsys):
    names = [
        "independent-components",
        "householder-flow",
        "pairs-of-pixels",
        "one-block-nsf-ar",
        "checks-of-destructors",
        "neural-ode",
        "drop-in",
        "anomalies-in-features",
        "bayesian-regression",
    ]
    command[0]["main"]([*names, "--quick"])
    printed = capsys.readouterr().out
    assert "failed" not in printed
    for name in names:
        assert f"{name} (" in printed
