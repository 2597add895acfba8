"""Every benchmark runs, and prints its table."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
SCRIPTS = sorted(p for p in FOLDER.glob("*.py") if not p.name.startswith("_"))

# What stands in the table of each: heads of columns, and the start of a line.
TABLES = {
    "chains": ("round trip", "median chain", "worst chain"),
    "drift": ("1 ulp", "nsf-ar", "median flow"),
    "fit_memory": ("MB/fit", "\nlinear"),
    "glow": ("bits/dim", "full-covariance Gaussian", "sample / log_prob"),
    "glow_couplings": ("affine", "spline at most affine"),
    "glow_memory": ("added GB", "checkpoint"),
    "glow_peers": ("parameters", "without imports", "sample / log_prob"),
    "linear_flow": ("optimum", "Adam 1e-3", "\nfit "),
    "information": ("plug-in", "reached:", "within 2"),
    "information_coverage": ("best/ours", "H uniform", "within 1.64"),
    "linear_logdet": ("slogdet", "LU", "LowRankAffine"),
    "mnist_copula": ("after one layer", "stopped", "CPU seconds"),
    "mixtures": ("stretch", "A3"),
    "parabola": ("held-out", "MADE, x2 first"),
    "patches": ("Gaussian", "scale mixture", "radial table"),
    "rbig": ("tables", "classic", "student", "D1 of tables", "D9 radial"),
    "rbig_tables": ("us/row", "quantile", "over classic RBIG"),
    "rbig_stream": ("rows/s/pass", "\nmemory", "\nstream"),
    "sampling": ("by pass", "largest error in float32"),
    "spline_numerics": ("failures", "tfp_flows, XLA", "textbook"),
    "tf32": ("GPU: ", "TF32", "\nnsf", "\nrealnvp"),
    "toy_entropies": ("stored", "25gaussians"),
    "toys": ("held-out", "8gaussians"),
    "wine": ("mixture-10", "mean", "sd"),
}


def test_every_benchmark_has_an_expected_table():
    assert {script.stem for script in SCRIPTS} == set(TABLES)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_benchmark_prints_its_table(script, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    runpy.run_path(str(script))["main"](["--smoke"])
    printed = capsys.readouterr().out
    assert "tensorflow" in printed.splitlines()[1]  # the versions
    for part in TABLES[script.stem]:
        assert part in printed


def test_benchmarks_stand_in_the_docs():
    pages = (FOLDER.parent / "docs" / "benchmarks").glob("*.md")
    docs = "".join(page.read_text() for page in pages)
    missing = [s.name for s in SCRIPTS if f"python benchmarks/{s.name}" not in docs]
    assert not missing
