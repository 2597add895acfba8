"""Out-of-core greedy Gaussianization: memory against the size of the data.

A generator makes batches of a mixture of five Gaussians in `--size` dimensions, anew in
each pass and never twice the same memory. `fit("rbig", dataset)` reads it once for each
layer. Printed are the bytes of the data, by how much the peak memory of the process
grew during the fit over what it was after a fit to `--warm` rows (which loads and
compiles everything once), the CPU time, and the held-out gap to the entropy, beside the
gap of a fit in memory to the first `--warm` rows.

Memory may also be limited by the system: `--limit` megabytes of address space beyond
what the process has after the warm-up make the fit fail if it takes more.

Run `python benchmarks/rbig_stream.py` (some 3 minutes on an idle machine);
`--rows 100000000` for a hundred million rows (hours).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator, Sequence

import _report
import numpy as np
import rbig
import tensorflow as tf

import tfp_flows

BATCH = 16_384


def peak() -> float:
    """Return the largest resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def address_space() -> int:
    """Return the address space in use, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()


def stream(law: rbig.Law, rows: int, seed: int) -> tf.data.Dataset:
    """Return batches of so many rows, drawn again in each pass."""

    def batches() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(seed)
        for first in range(0, rows, BATCH):
            yield law[0](rng, min(BATCH, rows - first)).astype(np.float32)

    size = law[0](np.random.default_rng(0), 1).shape[1]
    signature = tf.TensorSpec([None, size], tf.float32)
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row for each number of rows."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[200_000, 2_000_000], help="of streams")
    add("--size", type=int, default=10, help="dimensions")
    add("--law", default="mixing", help="one of benchmarks/rbig.py")
    add("--layers", type=int, default=12, help="most layers")
    add("--warm", type=int, default=200_000, help="rows of the fit in memory")
    add("--limit", type=float, help="MB of address space beyond the warm-up's")
    args: argparse.Namespace = parser.parse_args(arguments)
    if args.smoke:
        args.rows, args.size, args.layers, args.warm = [3000], 2, 2, 2000
    _report.header("out-of-core fit of `rbig`")
    law = rbig.laws(args.size)[args.law]
    test = law[0](np.random.default_rng(99), 2000 if args.smoke else 50_000)
    truth = float(np.mean(law[1](test)))
    options = {"seed": 0, "verbose": 0, "epochs": args.layers}
    print(
        f"{'fit':10}{'rows':>12}{'data MB':>9}{'grew MB':>9}{'layers':>8}{'CPU s':>9}"
        f"{'rows/s/pass':>13}{'gap':>9}"
    )

    def line(label: str, rows: int, before: float, seconds: float, flow, tried) -> None:
        gap = truth - float(np.mean(flow.log_prob(test)))
        data = rows * args.size * 4 / 2**20
        rate = rows * tried / seconds
        print(
            f"{label:10}{rows:12d}{data:9.1f}{peak() - before:9.1f}"
            f"{len(flow.kinds):8d}{seconds:9.1f}{rate:13.0f}{gap:9.4f}",
            flush=True,
        )

    def timed(label: str, rows: int, x: object) -> None:
        before, start = peak(), time.process_time()
        flow, history = tfp_flows.fit("rbig", x, **options)
        seconds = time.process_time() - start
        line(label, rows, before, seconds, flow, len(history.epoch) + 1)

    x = law[0](np.random.default_rng(1), args.warm).astype(np.float32)
    timed("memory", args.warm, x)
    timed("stream", args.warm, stream(law, args.warm, 1))
    if args.limit is not None:
        most = address_space() + int(args.limit * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for rows in args.rows:
        timed("stream", rows, stream(law, rows, 1))


if __name__ == "__main__":
    main()
