"""The command line as a whole: help, versions, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import types

import pytest

from tfp_flows import __main__
from tfp_flows.cli import errors, fit, main

COMMANDS = (
    "fit",
    "score",
    "sample",
    "detect",
    "compare",
    "plot",
    "info",
    "diagnose",
    "sbi",
    "convert",
    "list",
    "demo",
    "completion",
)

_HELP = """
import sys, time
from tfp_flows.cli.main import main
for argv in (["--help"], *([c, "--help"] for c in sys.argv[1:])):
    assert main(argv) == 0
for argv in (["-V"], ["list"], ["list", "--json"], ["completion", "zsh"]):
    assert main(argv) == 0
heavy = {"tensorflow", "keras", "numpy", "pandas", "matplotlib", "sklearn"}
print("heavy:", *sorted(heavy & set(sys.modules)))
"""


def test_help_is_instant_and_imports_nothing_heavy(repository):
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", _HELP, *COMMANDS],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.perf_counter() - start < 3
    assert result.stdout.splitlines()[-1] == "heavy:"
    assert result.stdout.count("usage: tfp-flows") == 1 + len(COMMANDS)


def test_module_runs_as_a_program(repository):
    result = subprocess.run(
        [sys.executable, "-m", "tfp_flows", "score", "no.keras", "no.csv"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == "tfp-flows score: there is no file 'no.keras'.\n"


def test_version(capsys):
    for word in ("--version", "-V"):
        assert main.main([word]) == 0
        assert capsys.readouterr().out.startswith("tfp-flows ")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["fit", "a.csv"], "required: --out"),
        (["fit", "a.csv", "--out", "a.keras", "--epochs", "0"], "must be at least 1"),
        (["fit", "a.csv", "--out", "a.keras", "--test-fraction", "1"], "below 1"),
        (["sample", "a.keras", "-n", "many"], "-n: invalid"),
        (["sample", "a.keras", "-n", "1e-3"], "-n: invalid number '1e-3', must be"),
        (["sample", "a.keras", "-n", "1e99"], "must be at most 1,000,000,000"),
        (["sample", "a.keras", "--temperature", "hot"], "must be a number from 0 on"),
        (["fit", "a.csv", "--out", "a.keras", "--seed", "-1"], "must be at least 0"),
        (
            ["fit", "a.csv", "--out", "a.keras", "--test-fraction", "nan"],
            "below 1, got",
        ),
        (["scores", "a.keras"], "did you mean 'score'?"),
        (["fit", "a.csv", "--out", "a", "--epohcs", "3"], "did you mean '--epochs'?"),
        (["fit", "a.csv", "--lr", "3"], "--lr 3: write --option learning_rate=0.001"),
        (["detect", "a.csv", "--hidden-units=8"], ": write --option hidden_units=64"),
        (["score", "a.keras", "--zzz", "x"], "unrecognized arguments: --zzz (see"),
    ],
)
def test_bad_arguments_are_one_line(argv, message, capsys):
    assert main.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err


def _raising(error):
    def run(arguments):
        raise error

    return run


def test_interrupt_ends_with_130(monkeypatch, capsys):
    monkeypatch.setattr(fit, "run", _raising(KeyboardInterrupt()))
    assert main.main(["fit", "a.csv", "--out", "a.keras"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_interrupt_while_commands_are_imported_ends_with_130(monkeypatch, capsys):
    module = types.ModuleType("main")
    module.__getattr__ = lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
    monkeypatch.setitem(sys.modules, "tfp_flows.cli.main", module)
    assert __main__.main() == 130
    assert "interrupted, nothing is written" in capsys.readouterr().err


def test_bugs_are_one_line_that_says_what_to_report(monkeypatch, capsys):
    monkeypatch.setattr(fit, "run", _raising(ZeroDivisionError("a\nbug")))
    assert main.main(["fit", "a.csv", "--out", "a.keras"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("tfp-flows fit: unexpected ZeroDivisionError: a bug. ")
    assert "please report what the command prints with --debug" in error
    assert error.count("\n") == 1
    with pytest.raises(ZeroDivisionError):
        main.main(["fit", "a.csv", "--out", "a.keras", "--debug"])
    monkeypatch.setattr(fit, "run", _raising(MemoryError()))
    assert main.main(["fit", "a.csv", "--out", "a.keras"]) == 1
    assert "more memory than there is" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_closed_pipe_is_no_error(repository, linear_flow):
    command = f"{sys.executable} -m tfp_flows sample {linear_flow} -n 20000 | head -n 2"
    result = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        cwd=repository,
        # What TensorFlow itself prints about missing devices is not the point.
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.splitlines()[0] == "a,b"
    assert result.stderr == ""
    assert result.returncode == 141


def test_long_messages_become_one_short_line():
    with pytest.raises(errors.UsageError) as caught, errors.explained("table.csv"):
        raise ValueError("one\n  two\n" + "three " * 200)
    text = str(caught.value)
    assert text.startswith("table.csv: one two three")
    assert len(text) < 450


def test_system_errors_lose_their_number():
    with pytest.raises(errors.UsageError) as caught, errors.explained("it"):
        raise PermissionError(13, "Permission denied", "f")
    assert str(caught.value) == "it: Permission denied: 'f'"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--val", "--test-fraction"),
        ("--verbose", "--quiet"),
        ("--overwrite", "--force"),
    ],
)
def test_words_of_other_programs_lead_to_options(refused, table, word, meant):
    assert f"did you mean '{meant}'?" in refused("fit", table, word)
