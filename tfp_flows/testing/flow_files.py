"""Checks of how a flow is written and read: files, exports, checkpoints."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.flows import Flow, load
from tfp_flows.testing import registry
from tfp_flows.testing.case import perturb
from tfp_flows.testing.flow_case import FlowCase

__all__ = [
    "check_flow_checkpoint",
    "check_flow_export",
    "check_flow_save_load",
    "check_save_load_in_fresh_process",
]


def _same(case: FlowCase, check: str, what: str, found: Flow, flow: Flow) -> None:
    """Require equal weights, log-densities and samples, bit for bit."""
    if len(found.variables) != len(flow.variables):
        what = f"number of variables of {what}"
        case.fail(check, what, len(found.variables), len(flow.variables))
    for new, old in zip(found.variables, flow.variables, strict=True):
        label = f"{old.path} of {what}"
        registry.compare(case, check, label, new.numpy(), old.numpy(), 0.0)
    data = case.data(flow)
    condition = data[1][:2] if len(data) > 1 else None
    label = f"log_prob of {what}"
    wanted = flow.log_prob(*data)
    registry.compare(case, check, label, found.log_prob(*data), wanted, 0.0)
    label = f"sample of {what}"
    sample = flow.sample(3, condition, [0, 1])
    registry.compare(
        case, check, label, found.sample(3, condition, [0, 1]), sample, 0.0
    )


@registry.flow_check
def check_flow_save_load(case: FlowCase) -> None:
    """A saved flow loads bit for bit, and its configuration rebuilds it."""
    check, flow = "save_load", case.flow()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "flow.keras")
        flow.save(path)
        loaded = load(path)
    if type(loaded) is not type(flow):
        case.fail(check, "type of the loaded flow", type(loaded), type(flow))
    if loaded.get_config() != flow.get_config():
        case.fail(check, "configuration", loaded.get_config(), flow.get_config())
    _same(case, check, "the loaded flow", loaded, flow)
    twin = type(flow).from_config(flow.get_config())
    shapes = [tuple(v.shape) for v in twin.variables]
    wanted = [tuple(v.shape) for v in flow.variables]
    if shapes != wanted:
        case.fail(check, "variables of the rebuilt flow", shapes, wanted)


@registry.flow_check
def check_flow_checkpoint(case: FlowCase) -> None:
    """A `tf.train.Checkpoint` brings back what was written."""
    flow, twin = case.flow(), case.build("float32")
    with tempfile.TemporaryDirectory() as folder:
        path = tf.train.Checkpoint(flow=flow).write(str(Path(folder) / "flow"))
        perturb(twin, 1.0, case.seed + 1)
        status = tf.train.Checkpoint(flow=twin).read(path)
        status.assert_existing_objects_matched()
    _same(case, "checkpoint", "the flow from a checkpoint", twin, flow)


@registry.flow_check
def check_flow_export(case: FlowCase) -> None:
    """A SavedModel gives the densities and samples, without this library."""
    check, flow = "export", case.flow()
    x, *condition = case.data(flow)
    named = {"condition": tf.constant(condition[0])} if condition else {}
    with tempfile.TemporaryDirectory() as folder:
        flow.export(folder, verbose=False)
        model = tf.saved_model.load(folder)
        missing = {"log_prob", "sample"} - set(model.signatures)
        if missing:
            case.fail(check, f"signatures lack {sorted(missing)}", len(missing), 0)
        signature = model.signatures["log_prob"](x=tf.constant(x), **named)
        found = next(iter(signature.values()))
        expected = flow.log_prob(x, *condition)
        tolerance = case.tolerances.float32
        registry.compare(case, check, "log_prob", found, expected, tolerance)
        count, seed = tf.constant(3), tf.constant([0, 1])
        signature = model.signatures["sample"](count=count, seed=seed, **named)
        sample = next(iter(signature.values()))
        batch = (8,) if condition else ()
        wanted = (3, *batch, *flow.event_shape)
        if tuple(sample.shape) != wanted:
            case.fail(check, "shape of samples", tuple(sample.shape), wanted)
        registry.require_finite(case, check, "a sample", sample)
        expected = flow.distribution(*condition).sample(3, seed=[0, 1])
        registry.compare(case, check, "sample", sample, expected, 10 * tolerance)


_SCRIPT = """
import sys
import numpy as np
import tfp_flows as tfpf

folder = sys.argv[1]
data = np.load(folder + "/data.npz")
flow = tfpf.load(folder + "/flow.keras")
inputs = [data[name] for name in ("x", "condition") if name in data]
np.savez(
    folder + "/found.npz",
    log_prob=flow.log_prob(*inputs),
    sample=flow.sample(3, *[c[:2] for c in inputs[1:]], seed=[0, 1]),
)
"""


def check_save_load_in_fresh_process(case: FlowCase) -> None:
    """A saved flow loads bit for bit in a process that never saw it.

    This starts a Python of its own, which takes some ten seconds: it is not among the
    `checks`.
    """
    check, flow = "save_load_in_fresh_process", case.flow()
    data = case.data(flow)
    with tempfile.TemporaryDirectory() as folder:
        flow.save(f"{folder}/flow.keras")
        names: dict[str, Any] = dict(zip(("x", "condition"), data, strict=False))
        np.savez(f"{folder}/data.npz", **names)
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            case.fail(check, f"the process failed:\n{done.stderr[-2000:]}")
        found = dict(np.load(f"{folder}/found.npz"))
    wanted = flow.log_prob(*data)
    registry.compare(case, check, "log_prob", found["log_prob"], wanted, 0.0)
    wanted = flow.sample(3, data[1][:2] if len(data) > 1 else None, [0, 1])
    registry.compare(case, check, "sample", found["sample"], wanted, 0.0)
