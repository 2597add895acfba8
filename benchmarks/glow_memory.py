"""Peak memory of a training step of Glow against its depth, beside other libraries.

The architecture of `glow_peers.py`, with each number of steps per level. One process
for each size and library: what a training step adds to the memory that the imports
take, in GB, and CPU seconds of the first step and of a later one.

Run `python benchmarks/glow_memory.py --torch-python VENV/bin/python`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import _report
import glow_peers

LIBRARIES = ("ours", "checkpoint", "normflows", "tfb.Glow")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run each size of each library in a process of its own, and print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--torch-python", help="Python with torch and normflows")
    parser.add_argument("--depths", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--hidden-units", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--count", type=int, default=3)
    args = parser.parse_args(arguments)
    libraries = LIBRARIES
    if args.smoke:
        args.depths, args.hidden_units, args.batch_size, args.count = [1], 4, 2, 1
        libraries = ("checkpoint",)
    _report.header("Memory of a step of Glow, 32 x 32 x 3, one thread")
    print(
        f"{args.hidden_units} hidden channels, batch {args.batch_size}\n"
        f"{'steps per level':17}{'library':12}{'added GB':>10}{'peak GB':>10}"
        f"{'first, s':>10}{'step, s':>10}"
    )
    for depth in args.depths:
        args.num_steps = depth
        for name in libraries:
            python = args.torch_python if name == "normflows" else sys.executable
            if not python:
                continue
            found = glow_peers.child(python, name, args)
            print(
                f"{depth:<17}{name:12}{found['memory'] - found['base memory']:10.2f}"
                f"{found['memory']:10.2f}{found['first']:10.1f}{found['step']:10.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
