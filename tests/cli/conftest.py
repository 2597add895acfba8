"""A small table, and small flows fitted to it by the command line."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows.cli import main

HEADER = "a,b,c"


@pytest.fixture(scope="session")
def rows():
    """Return 120 rows; `b` follows `c`."""
    rng = np.random.default_rng(0)
    a, c, noise = rng.normal(size=(3, 120))
    return np.stack([a + 5.0, 2.0 * c + 0.1 * noise, c], axis=-1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Return a folder for what all tests read."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def table(folder, rows):
    """Return a CSV file."""
    path = folder / "table.csv"
    np.savetxt(path, rows, delimiter=",", header=HEADER, comments="", fmt="%.9g")
    return path


def _fit(table, out, *more):
    argv = ["fit", table, "--flow", "linear", "--out", out, "--epochs", 2, "--quiet"]
    assert main.main([str(word) for word in (*argv, *more)]) == 0
    return out


@pytest.fixture(scope="session")
def linear_flow(folder, table):
    """Return a saved flow of columns `a` and `b`."""
    return _fit(table, folder / "linear.keras", "--columns", "a,b")


@pytest.fixture(scope="session")
def conditional_flow(folder, table):
    """Return a saved flow of `a` and `b` given `c`."""
    return _fit(table, folder / "conditional.keras", "--condition", "c")


@pytest.fixture
def run(capsys):
    """Return a function that runs the command line: `(code, out, err)`."""

    def call(*argv):
        capsys.readouterr()
        code = main.main([str(word) for word in argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def refused(run):
    """Return a function that checks for exit code 2 and gives the one line."""

    def call(*argv):
        code, out, err = run(*argv)
        assert code == 2
        assert out == ""
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return call
