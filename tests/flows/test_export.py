"""Flows outside of Python: ONNX graphs, and signatures of columns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows.flows._model import compiled, export, onnx_graphs

ROWS = 100_000


def session(content):
    runtime = pytest.importorskip("onnxruntime")
    content = content if isinstance(content, bytes) else str(content)
    return runtime.InferenceSession(content, providers=["CPUExecutionProvider"])


def far(rows, size):
    """Return rows of heavy tails, some of them very far out."""
    x = np.random.default_rng(0).standard_t(3, size=(rows, size))
    x[: rows // 100] *= 1000.0
    return x.astype(np.float32)


def trained(name, size=3, condition=None, **options):
    flow = small.build(name, size, condition, **options)
    x, c = small.batch(500, size, condition or 1)
    flow.adapt(x, c if condition else None)
    return small.perturbed(flow, 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["log_prob", "push"])
@pytest.mark.parametrize("name", ["realnvp", "nsf", "maf", "nsf-ar", "rbig"])
def test_onnx_gives_what_the_flow_gives(name, kind):
    pytest.importorskip("tf2onnx")
    condition = None if name in small.UNCONDITIONAL else 2
    flow = trained(name, 3, condition)
    graph = session(onnx_graphs.graph(flow, kind).SerializeToString())
    given = {"x" if kind == "log_prob" else "z": far(ROWS, 3)}
    if condition:
        given["condition"] = far(ROWS, condition)
    assert [part.name for part in graph.get_inputs()] == list(given)
    found = graph.run(None, given)[0]
    right = compiled.MAKERS[kind](flow)[0](*map(tf.constant, given.values())).numpy()
    assert found.shape == right.shape
    assert not np.isnan(found).any()
    away = np.abs(found - right) / np.maximum(1.0, np.abs(right))
    assert away.max() <= 1e-4


def test_onnx_files_say_what_their_numbers_are(tmp_path):
    pytest.importorskip("tf2onnx")
    flow = trained("maf", 2, columns=["a", "b"], base="student-t")
    for _ in range(2):  # the second replaces the first
        flow.export(tmp_path / "served", "onnx", batch_size=7)
    names = sorted(file.name for file in (tmp_path / "served").iterdir())
    assert names == ["log_prob.onnx", "sample.onnx"]
    graph = session(tmp_path / "served" / "log_prob.onnx")
    assert graph.get_inputs()[0].shape == [7, 2]
    assert [part.name for part in graph.get_outputs()] == ["log_prob"]
    facts = graph.get_modelmeta().custom_metadata_map
    assert facts["base"] == "student-t"
    assert json.loads(facts["columns"]) == ["a", "b"]
    x = small.table(7)
    found = graph.run(None, {"x": x})[0]
    np.testing.assert_allclose(found, flow.log_prob(x), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["log1p", "expm1"])
def test_onnx_keeps_digits_near_zero(name, monkeypatch):
    pytest.importorskip("tf2onnx")
    function = getattr(tf.math, name)
    flow = small.build("linear", 1)
    spec = [tf.TensorSpec([None, 1], tf.float32, name="z")]
    monkeypatch.setitem(compiled.MAKERS, "push", lambda _: (function, spec))
    graph = session(onnx_graphs.graph(flow, "push").SerializeToString())
    x = np.array([0, 1e-30, -1e-6, 1e-3, -0.5, 0.9, 7, 60, 1e30, np.inf], np.float32)
    found = graph.run(None, {"z": x[:, None]})[0][:, 0]
    np.testing.assert_allclose(found, getattr(np, name)(x), rtol=1e-6)


def test_operations_that_onnx_lacks_are_named():
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("BesselI0e", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "flow", [], [])
    with pytest.raises(ValueError, match="needs BesselI0e, which ONNX does not have"):
        onnx_graphs._require_known(onnx.helper.make_model(graph), small.build("maf"))


@pytest.mark.parametrize("name", ["litert", "tflite"])
def test_litert_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="LiteRT lacks operations of flows"):
        small.build("linear").export(tmp_path / "served", name)
    with pytest.raises(ValueError, match="`batch_size` must be left out"):
        small.build("linear").export(tmp_path / "served", batch_size=3)


@pytest.mark.slow
def test_the_command_of_tensorflow_runs_what_was_exported(tmp_path):
    flow = trained("linear", 2, columns=["alcohol", "pH"])
    flow.export(tmp_path / "served", verbose=False)
    x = small.table(5)
    for name, column in zip(flow.columns, x.T, strict=True):
        np.save(tmp_path / f"{name}.npy", column)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("saved_model_cli")),
            *("run", "--dir", str(tmp_path / "served"), "--tag_set", "serve"),
            *("--signature_def", "log_prob_of_columns", "--outdir", str(tmp_path)),
            "--inputs",
            f"alcohol={tmp_path}/alcohol.npy;pH={tmp_path}/pH.npy",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = (p for p in tmp_path.glob("*.npy") if p.stem not in flow.columns)
    np.testing.assert_allclose(np.load(found), flow.log_prob(x), rtol=1e-5, atol=1e-5)


def test_inputs_of_columns_have_names_that_tensorflow_takes():
    flow = small.build("linear", 4, columns=["a b", "a_b", "2nd", "été"])
    assert export.column_inputs(flow) == ["a_b", "a_b_2", "column_2nd", "column__t_"]
    assert export.column_inputs(small.build("linear", 2)) is None
    flow = small.build("maf", 2, 1, columns=["a", "b"])
    assert export.column_inputs(flow) is None  # nobody knows the condition's name


@pytest.mark.slow
def test_saved_models_take_columns_by_their_names(tmp_path):
    flow = trained(
        "linear", 2, 1, columns=["alcohol", "pH"], condition_columns=["year"]
    )
    flow.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    x, c = small.batch(5, 2, 1)
    found = served.signatures["log_prob_of_columns"](
        alcohol=tf.constant(x[:, 0]),
        pH=tf.constant(x[:, 1]),
        year=tf.constant(c[:, 0]),
    )
    values = next(iter(found.values()))
    np.testing.assert_allclose(values, flow.log_prob(x, c), rtol=1e-5, atol=1e-5)
