"""What the depth of a flow costs: the first call, one call, and the memory of a step.

    python benchmarks/speed/depth.py

Each line is a fresh process that builds a flow (d=6, batch 512) of so many layers:
spline coupling (hidden 64x64, 8 bins), or with `--flow rbig` rotations and splines.
`first` are the CPU seconds of the first call (tracing, optimising and compiling),
without imports; `each` the median CPU time of one call after it in ms; `peak` how far
one call raises the resident memory, in MB.
`log_prob` is the public method; `step` is `train_on_batch` with Adam; `checkpoint` the
same step of a flow built with `checkpoint=True`; `-xla`: with `jit_compile=True`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import worker

__all__ = ["main"]

MODES = ("log_prob", "log_prob-xla", "step", "checkpoint", "step-xla", "checkpoint-xla")
LAYERS = (5, 10, 20, 50)


def one(name: str, layers: int, mode: str, hidden: int, batch: int) -> dict[str, float]:
    """Return the figures of one line; meant for a fresh process."""
    import keras

    from tfp_flows import flows

    kind, _, xla = mode.partition("-")
    options: dict[str, Any] = {}
    if name == "nsf":
        options = {"hidden_units": (hidden,) * 2, "mixing": "none"}
    if kind == "checkpoint":
        options["checkpoint"] = True
    flow = flows.build(name, 6, num_layers=layers, seed=0, **options)
    x = np.random.default_rng(1).normal(size=(batch, 6)).astype("float32")
    if kind == "log_prob":

        def call() -> Any:
            return flow.log_prob(x, jit_compile=bool(xla)).numpy()

    else:
        flow.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=bool(xla))

        def call() -> Any:
            return flow.train_on_batch(x)

    first = worker.measure(call, 1)["cpu"]
    call()
    each = float(np.median([worker.measure(call, 5)["cpu"] for _ in range(5)]))
    peak = float(np.median([worker.peak_memory(call) for _ in range(3)]))
    return {"first": first, "each": 1e3 * each, "peak": peak}


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="tiny, takes seconds")
    parser.add_argument("--flow", default="nsf", choices=("nsf", "rbig"))
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument("--layers", nargs="+", type=int, default=LAYERS)
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        name, layers, mode, hidden, batch = args.one
        print(json.dumps(one(name, int(layers), mode, int(hidden), int(batch))))
        return
    sizes = ("4", "16") if args.smoke else ("64", "512")
    if args.smoke:
        args.layers, args.modes = (4,), ("log_prob",)
    print(f"{'mode':16}{'layers':>8}{'first s':>10}{'each ms':>10}{'peak MB':>10}")
    for mode in args.modes:
        for layers in args.layers:
            command = [sys.executable, Path(__file__).resolve(), "--one"]
            done = subprocess.run(
                [*command, args.flow, str(layers), mode, *sizes],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{mode:16}{layers:8}{found['first']:10.2f}{found['each']:10.2f}"
                f"{found['peak']:10.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
