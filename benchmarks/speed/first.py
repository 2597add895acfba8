"""CPU seconds of a fresh process until its first `log_prob`, part by part.

Each of some fresh processes, on one core, imports TensorFlow, then TensorFlow
Probability, then this package, builds the flow of `coupling-6` (spline coupling, d=6,
10 layers, residual networks 3x256, 8 bins) and scores 512 events with `flow.log_prob`,
without XLA. Printed are medians over the processes, and the number of operations of the
graph that was traced, which no other work on the machine changes.
`run.py --works coupling-6 --ops none` has the sum beside other libraries.

Run `python benchmarks/speed/first.py`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
import _report  # lies one folder up

PARTS = (
    "import tensorflow",
    "import tensorflow_probability",
    "import tfp_flows.flows",
    "build the flow",
    "first log_prob",
)
CODE = """
import json, time
marks = [time.process_time()]
mark = lambda: marks.append(time.process_time())
import tensorflow
mark()
from tensorflow_probability import bijectors, distributions
bijectors.Exp, distributions.Normal
mark()
from tfp_flows import flows
flows.build
mark()
import numpy as np
flow = flows.build(
    "nsf", 6, num_layers={layers}, hidden_units=({units},) * 3, seed=0
)
mark()
flow.log_prob(np.zeros([512, 6], "float32"))
mark()
graph = flow._compiled._function("log_prob", jit_compile=False).graph.as_graph_def()
nodes = [graph.node, *(one.node_def for one in graph.library.function)]
parts = [b - a for a, b in zip(marks, marks[1:])]
print(json.dumps([*parts, sum(map(len, nodes))]))
"""


def seconds(layers: int, units: int) -> list[float]:
    """Return the CPU seconds of each part in a fresh process, and the operations."""
    one = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(layers=layers, units=units)],
        env={**os.environ, **one, "TF_NUM_INTEROP_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--processes", type=int, default=5)
    args = parser.parse_args(arguments)
    count, layers, units = args.processes, 10, 256
    if args.smoke:
        count, layers, units = 1, 1, 8
    _report.header(f"CPU seconds until the first log_prob, {count} processes")
    found = [seconds(layers, units) for _ in range(count)]
    for part, values in zip(PARTS, zip(*found, strict=True), strict=False):
        print(f"{part:30}{statistics.median(values):8.2f}")
    print(f"{'all':30}{statistics.median(sum(one[:-1]) for one in found):8.2f}")
    print(f"{'operations of the graph':30}{found[0][-1]:8}")


if __name__ == "__main__":
    main()
