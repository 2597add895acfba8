"""Flows outside of Python: how far exported graphs are from the flow, far rows too.

    python benchmarks/export.py [--flows NAME ...] [--rows 100000] [--smoke]

Each flow, of its own defaults but three layers, is set to columns of unlike scales; its
weights are moved, so that it is not the identity. ONNX Runtime then evaluates
`log_prob` and the map of samples at rows with heavy tails (Student's t of 3 degrees of
freedom), of which each hundredth lies a thousand times further out. `largest` is the
largest difference from the flow's own numbers, as a share of them where they are above
1; `NaN` counts those of ONNX. `saved_model_cli` runs the signature of columns of the
first flow; its difference is the last line. Ends with exit code 1 if a difference is
above 1e-4 or a number NaN.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import _report
import numpy as np
import onnxruntime

import tfp_flows as tfpf

__all__ = ["main"]

FLOWS = ("realnvp", "nsf", "maf", "nsf-ar", "rbig")
COLUMNS = ["a", "b", "c"]
MOVED, BAR, FAR = 0.1, 1e-4, 1000.0


def rows(count: int) -> np.ndarray:
    """Return rows of heavy tails, one in a hundred very far out."""
    x = np.random.default_rng(0).standard_t(3, size=(count, len(COLUMNS)))
    x[: count // 100] *= FAR
    return x.astype(np.float32)


def built(name: str, *, smoke: bool) -> Any:
    """Return a flow that is not the identity."""
    options: dict[str, Any] = {"num_layers": 1 if smoke else 3, "columns": COLUMNS}
    flow = tfpf.flows.build(name, len(COLUMNS), seed=0, **options)
    rng = np.random.default_rng(1)
    flow.adapt(
        rng.normal(size=(500, len(COLUMNS))) * [0.5, 1.0, 2.0] + [-1.0, 0.0, 1.0]
    )
    for variable in flow.trainable_variables:
        noise = MOVED * rng.normal(size=variable.shape)
        variable.assign(variable.numpy() + noise.astype(variable.dtype))
    return flow


def away(found: np.ndarray, right: np.ndarray) -> float:
    """Return the largest difference, as a share of numbers above 1."""
    return float(np.max(np.abs(found - right) / np.maximum(1.0, np.abs(right))))


def graphs(flow: Any, x: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the name of each graph, its numbers, and the flow's."""
    right = {
        "log_prob": lambda: flow.log_prob(x),
        "sample": lambda: flow.distribution().bijector.forward(x),
    }
    with tempfile.TemporaryDirectory() as folder:
        flow.export(Path(folder, "graphs"), "onnx")
        for name, function in right.items():
            path = Path(folder, "graphs", f"{name}.onnx")
            graph = onnxruntime.InferenceSession(path)
            (given,) = graph.get_inputs()
            (found,) = graph.run(None, {given.name: x})
            yield name, found, np.asarray(function())


def by_command(flow: Any, x: np.ndarray) -> float:
    """Return how far the numbers of `saved_model_cli` are from the flow's."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        flow.export(folder / "served", verbose=False)
        for name, column in zip(COLUMNS, x.T, strict=True):
            np.save(folder / f"{name}.npy", column)
        inputs = ";".join(f"{name}={folder}/{name}.npy" for name in COLUMNS)
        command = [
            str(Path(sys.executable).with_name("saved_model_cli")),
            *("run", "--dir", str(folder / "served"), "--tag_set", "serve"),
            *("--signature_def", "log_prob_of_columns", "--outdir", str(folder)),
            *("--inputs", inputs),
        ]
        subprocess.run(command, check=True, capture_output=True)
        (path,) = (p for p in folder.glob("*.npy") if p.stem not in COLUMNS)
        return away(np.load(path), np.asarray(flow.log_prob(x)))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--flows", nargs="+", default=FLOWS, choices=FLOWS)
    parser.add_argument("--rows", type=int, default=100_000)
    args = parser.parse_args(argv)
    names = args.flows[:1] if args.smoke else args.flows
    x = rows(200 if args.smoke else args.rows)
    _report.header("exported flows", "onnxruntime", "tf2onnx")
    print(f"{'flow':10}{'graph':10}{'rows':>9}{'largest':>10}{'NaN':>5}{'seconds':>9}")
    wrong = 0
    first = None
    for name in names:
        flow, start = built(name, smoke=args.smoke), time.perf_counter()
        first = first or flow
        for graph, found, right in graphs(flow, x):
            largest, bad = away(found, right), int(np.isnan(found).sum())
            wrong += not largest <= BAR or bad > 0
            seconds = time.perf_counter() - start
            numbers = f"{len(x):9,}{largest:10.1e}{bad:5}{seconds:9.0f}"
            print(f"{name:10}{graph:10}{numbers}", flush=True)
    largest = by_command(first, x)
    wrong += not largest <= BAR
    print(f"saved_model_cli, {names[0]}, {len(x):,} rows: {largest:.1e}")
    print(f"at most {BAR:g}, no NaN: {'NO' if wrong else 'yes'}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
