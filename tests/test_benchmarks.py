"""Every benchmark runs, and prints its table."""

import importlib
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
SCRIPTS = sorted(p for p in FOLDER.glob("*.py") if not p.name.startswith("_"))

# What stands in the table of each: heads of columns, and the start of a line.
TABLES = {
    "continuous": ("NFE", "matching", "likelihood", "times cheaper"),
    "diagnosis": ("1000 named", "of 20): none"),
    "drift": ("1 ulp", "nsf-ar", "median flow"),
    "ensembles": ("ratio", "lead", "at most 2.5"),
    "estimators": ("FlowDensity", "lead", "AUROC", "coverage"),
    "export": ("largest", "\nrealnvp", "\nsaved_model_cli", "no NaN: yes"),
    "fit_memory": ("MB/fit", "\nlinear"),
    "gaussianization": ("tables", "classic", "student", "rows/s/pass", "\nstream"),
    "glow": ("bits/dim", "full-covariance Gaussian", "sample / log_prob"),
    "information": ("plug-in", "reached:", "within 2"),
    "information_coverage": ("best/ours", "H uniform", "within 1.64"),
    "mixed_table": ("gap", "mass", "\nnsf-ar", "wanted"),
    "reproductions": ("normal-cdf", "two-block-realnvp", "floor 1.4516"),
    "sampling": ("by pass", "largest error in float32"),
    "spline_numerics": ("failures", "tfp_flows, XLA", "textbook"),
    "spheres": ("components", "uniform", "mass"),
    "streaming": ("rows in 4 files", "peak, GB", "\nstatistics", "\nrbig"),
    "tables": ("us/row", "quantile", "lead", "over classic RBIG"),
    "toys": ("gap", "seconds", "\nlinear", "two_moons"),
    "tarflow": ("bits/dim", "\nglow, affine", "\ntarflow, patch 2"),
    "tf32": ("GPU: ", "TF32", "\nnsf", "\nrealnvp"),
}


# Those of inference, in a folder of their own.
INFERENCE = {
    "evidence_calls": ("loggamma", "wells", "reached:"),
    "posteriors": ("k-hat", "trusted"),
    "jumps": ("ring, 80 draws", "funnel, neutra", "gaussian, 3"),
    "wells": ("double well, log Z", "dF", "camel"),
}

# Those of learning with flows, too.
LEARNING = {
    "anomalies": ("DTE-C", "neighbours", "\nsmoke\t150"),
    "bayesian": ("toy\tfactors\tbound", "sd at 6"),
    "class_conditional": ("bits/pixel", "\nmaf given the class\t", "one Gaussian"),
    "classifiers": ("moons, 10 labels", "\nmoons\t1 seeds"),
    "comparison": ("linear", "\nred\t", "in time: yes"),
    "clouds": ("1-NNA by EMD", "\nPointFlow\t", "training clouds", "nats a point"),
    "regression": ("MC dropout", "CRPS forest", "\nsmoke\t1", "pooled coverage"),
    "series": ("below the Gaussian", "CRPS", "\nseries, affine\t"),
    "vaes": ("-ELBO, nats", "\ngaussian\t"),
}


@pytest.fixture
def published(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("published")
    for name in [n for n in sys.modules if n.split(".")[0] == "published"]:
        del sys.modules[name]


def test_every_benchmark_has_an_expected_table():
    assert {script.stem for script in SCRIPTS} == set(TABLES)


@pytest.mark.slow(rare=True)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_benchmark_prints_its_table(script, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    runpy.run_path(str(script))["main"](["--smoke"])
    printed = capsys.readouterr().out
    assert "tensorflow" in printed.splitlines()[1]  # the versions
    for part in TABLES[script.stem]:
        assert part in printed


def test_every_benchmark_of_inference_has_an_expected_table():
    scripts = (FOLDER / "inference").glob("[!_]*.py")
    assert {script.stem for script in scripts} >= set(INFERENCE)


@pytest.mark.slow(rare=True)
@pytest.mark.parametrize("name", INFERENCE)
def test_benchmark_of_inference_prints_its_table(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    script = FOLDER / "inference" / f"{name}.py"
    runpy.run_path(str(script))["main"](["--smoke"])
    printed = capsys.readouterr().out
    assert "tensorflow" in printed.splitlines()[1]
    if "no references" not in printed:
        for part in INFERENCE[name]:
            assert part in printed


@pytest.mark.slow(rare=True)
def test_any_conditional_prints_all_splits(capsys):
    script = FOLDER / "inference" / "any_conditional.py"
    runpy.run_path(str(script))["main"](["--quick"])
    printed = capsys.readouterr().out
    assert "given 5 columns: " in printed
    assert "mean of 62 splits" in printed


@pytest.mark.slow(rare=True)
def test_imputation_prints_errors_of_all(capsys):
    script = FOLDER / "inference" / "imputation.py"
    runpy.run_path(str(script))["main"](["--quick"])
    printed = capsys.readouterr().out
    for part in ("column means", "IterativeImputer", "one draw", "middle 90 %"):
        assert part in printed


def test_every_benchmark_of_learning_has_an_expected_table():
    scripts = (FOLDER / "learning").glob("[!_]*.py")
    assert {script.stem for script in scripts} == set(LEARNING)


@pytest.mark.slow(rare=True)
@pytest.mark.parametrize("name", LEARNING)
def test_benchmark_of_learning_prints_its_table(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    script = FOLDER / "learning" / f"{name}.py"
    runpy.run_path(str(script))["main"](["--smoke"])
    printed = capsys.readouterr().out
    assert "tensorflow" in printed.splitlines()[1]
    for part in LEARNING[name]:
        assert part in printed


def test_networks_beside_a_regression_know_a_line_and_its_noise(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER / "learning"))
    networks = importlib.import_module("_networks")
    monkeypatch.setattr(networks, "EPOCHS", 100)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = 10.0 + 3.0 * x[:, 0] + 0.5 * rng.normal(size=400)
    for rival in (networks.dropout, networks.ensemble):
        found = rival(x[:300], y[:300], x[300:], 0)
        # The truth has -0.73 nats and a CRPS of 0.28.
        assert -1.2 < found.log_prob(y[300:]).mean() < -0.5
        draws = found.draws(200, 0)
        assert np.all(np.diff(draws, axis=1) >= 0.0)
        assert np.abs(np.median(draws, axis=1) - 10.0 - 3.0 * x[300:, 0]).mean() < 0.4
        # Masses of integers add up, far from the mean as well.
        masses = [np.exp(found.log_prob(np.full(100, k), 1.0)) for k in range(-30, 50)]
        np.testing.assert_allclose(np.sum(masses, axis=0), 1.0, atol=1e-6)


def test_infinite_scores_are_extremes(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    auroc = runpy.run_path(str(FOLDER / "learning" / "anomalies.py"))["auroc"]
    odd = np.array([0, 0, 1, 1])
    assert auroc(odd, np.array([-np.inf, 1.0, 2.0, np.inf])) == 100.0
    assert auroc(odd, np.array([np.inf, 1.0, 2.0, np.inf])) == 62.5
    with pytest.raises(ValueError, match="got NaN in 1 rows"):
        auroc(odd, np.array([np.nan, 1.0, 2.0, 3.0]))


def _pages():
    root = FOLDER.parent
    return [root / "README.md", root / "CHANGELOG.md", *root.glob("docs/**/*.md")]


def test_benchmarks_stand_in_the_docs():
    docs = "".join(page.read_text() for page in _pages())
    scripts = [s.name for s in SCRIPTS]
    scripts += [f"learning/{name}.py" for name in LEARNING]
    missing = [name for name in scripts if f"python benchmarks/{name}" not in docs]
    assert not missing


def test_every_benchmark_that_is_quoted_exists():
    quoted = {
        path
        for page in _pages()
        for path in re.findall(r"benchmarks/[\w/]+\.py", page.read_text())
    }
    assert {"benchmarks/tables.py", "benchmarks/speed/run.py"} <= quoted
    assert not [path for path in quoted if not (FOLDER.parent / path).exists()]


@pytest.mark.slow
def test_entries_that_are_quoted_exist(published):
    quoted = {
        name
        for page in _pages()
        for names in re.findall(
            r"benchmarks/reproductions\.py((?: [a-z0-9-]+)+)", page.read_text()
        )
        for name in names.split()
        if not name.startswith("-")
    }
    assert {"parabola", "chains-of-ten"} <= quoted
    assert quoted <= set(published.ENTRIES)
