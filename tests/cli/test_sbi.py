"""`tfp-flows sbi`: a posterior from a file of simulations."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfp_flows.cli import main


@pytest.fixture
def files(tmp_path):
    """Return a file of simulations and one of an observation."""
    rng = np.random.default_rng(0)
    theta = rng.uniform(-1.0, 1.0, size=(200, 2))
    x = theta + 0.3 * rng.normal(size=(200, 2))
    np.savez(tmp_path / "simulations.npz", theta=theta, x=x)
    np.save(tmp_path / "observed.npy", [3.0, 0.0])
    return tmp_path / "simulations.npz", tmp_path / "observed.npy"


def _run(*argv):
    return main.main(["sbi", *map(str, argv)])


@pytest.mark.slow
def test_posterior_is_printed_and_written(files, tmp_path, capsys):
    source, observed = files
    out = tmp_path / "draws.csv"
    code = _run(
        *(
            source,
            "--observation",
            observed,
            "--bounds=-1:1,:",
            "--names",
            "left,right",
        ),
        *("--out", out, "--flow", "linear", "--epochs", 5, "-n", 100, "--seed", 0),
        *("--check", "--json"),
    )
    assert code == 0
    printed = capsys.readouterr()
    assert "note: the observation is further" in printed.err
    found = json.loads(printed.out)
    assert set(found["posterior"]) == {"left", "right"}
    assert found["simulations"] == 160
    assert len(found["ranks"]["p_values"]["KS"]) == 2
    draws = np.loadtxt(out, delimiter=",", skiprows=1)
    assert draws.shape == (100, 2)
    assert np.abs(draws[:, 0]).max() <= 1.0
    assert out.read_text().startswith("left,right")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--bounds", "1:0"), "in order"),
        (("--bounds", "0:1,0:1,0:1"), "one or 2"),
        (("--bounds", "a"), "LOW:HIGH"),
        (("--names", "a"), "name 2 parameters"),
        (("--observation", "missing.npy"), "there is no file"),
    ],
)
def test_bad_options_are_one_line(files, more, message, capsys):
    source, observed = files
    assert _run(source, "--observation", observed, *more) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_observation_must_have_the_shape_of_a_simulation(files, tmp_path, capsys):
    np.save(tmp_path / "long.npy", np.zeros(3))
    assert _run(files[0], "--observation", tmp_path / "long.npy") == 2
    assert "must have shape (2,)" in capsys.readouterr().err
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    assert _run(tmp_path / "other.npz", "--observation", files[1]) == 2
    assert "arrays `theta` and `x`, got a" in capsys.readouterr().err
