"""`tfp-flows demo`."""

from __future__ import annotations

import json
import sys

import pytest

import tfp_flows
from tfp_flows import flows
from tfp_flows.cli import demo


@pytest.mark.slow
def test_demo_writes_model_picture_and_report(run, refused, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_QUICK_EPOCHS", 2)
    monkeypatch.setattr(flows, "DEFAULT", "linear")
    out = tmp_path / "demo"
    code, text, progress = run("demo", "--quick", "--out", out)
    assert code == 0
    assert "epoch 2/2" in progress
    report = json.loads((out / "report.json").read_text())
    results = report["held_out_log_likelihood"]
    assert set(results) == {"linear", "Gaussian", "10 Gaussians"}
    for label, result in results.items():
        figure = f"{result['mean']:.3f} +- {result['standard_error']:.3f}"
        line = next(row for row in text.splitlines() if row.startswith(f"  {label} "))
        assert figure in line
    # As computed with scikit-learn alone for this split.
    assert results["Gaussian"]["mean"] == pytest.approx(-12.857, abs=0.02)
    assert report["rows"] == {"fit": 4408, "held_out": 490}
    assert "490 white wines held out, none equal to a fitted one" in text
    assert report["unit"] in text
    assert "standardised" in report["unit"]
    lead = report["flow_minus_mixture"]
    wanted = results["linear"]["mean"] - results["10 Gaussians"]["mean"]
    assert lead["mean"] == pytest.approx(wanted)
    assert f"{lead['mean']:.3f} +- {lead['standard_error']:.3f}" in text
    assert len(tfp_flows.load(out / "wine.keras").columns) == 11
    assert (out / "corner.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == [
        "corner.png",
        "report.json",
        "wine.keras",
    ]
    assert "wine.keras' exists" in refused("demo", "--out", out)


def test_demo_needs_a_folder(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "it is no folder" in refused("demo", "--out", tmp_path / "file")


def test_demo_names_the_missing_extra(refused, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.mixture", None)
    error = refused("demo", "--out", tmp_path / "demo")
    assert "pip install 'tfp_flows[sklearn]'" in error
