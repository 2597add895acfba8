"""What a call of `flow.log_prob` on an array costs beyond the function inside it.

    python benchmarks/speed/calls.py

Every flow is asked for the density of a NumPy batch, through the public method and
through the compiled function that it calls, which is given a tensor; blocks of both are
timed in turns, and of `flow.distribution().log_prob`, which TensorFlow runs operation
by operation. `method`, `function` and `density` are medians of the CPU time of one call
in ms, `ratio` is the median of the ratios of the first two within a round. Batches
under XLA are filled up to the next power of two from 16 on: 512 fits, 500 does not.

`--against CHECKOUT` times the method of this checkout against that of another one, and
`flow.sample` beside it. `--flows` and `--batches` select.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import against
import numpy as np
import tensorflow as tf
import works

from tfp_flows import flows

__all__ = ["main"]

FLOWS: dict[str, dict[str, Any]] = {
    "nsf": {"num_layers": 10, "hidden_units": (256, 256)},
    "maf": {"num_layers": 5, "hidden_units": (128, 128)},
    "realnvp": {"num_layers": 2, "hidden_units": (16,)},
}
BATCHES = (512, 500, 3)


def block(call: Callable[[], Any], repeats: int) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


def compare(
    flow: flows.Flow, batch: int, rounds: int, *, jit_compile: bool
) -> tuple[float, ...]:
    """Return medians of method, function inside, density, and the ratio of two."""
    x = np.random.default_rng(0).normal(size=(batch, *flow.event_shape))
    x = x.astype("float32")
    full = max(16, 2 ** int(np.ceil(np.log2(batch)))) if jit_compile else batch
    filled = tf.constant(np.pad(x, [(0, full - batch), (0, 0)]))
    compiled = tf.function(
        flow.distribution().log_prob, autograph=False, jit_compile=jit_compile
    ).get_concrete_function(tf.TensorSpec([None, *flow.event_shape], tf.float32))

    def method() -> Any:
        return flow.log_prob(x, jit_compile=jit_compile).numpy()

    def function() -> Any:
        return compiled(filled).numpy()

    def density() -> Any:
        return flow.distribution().log_prob(x).numpy()

    calls = (method, function, density)
    repeats = []
    for call in calls:
        call()
        repeats.append(max(1, int(0.1 / max(block(call, 3), 1e-5))))
    times = np.array(
        [
            [block(call, count) for call, count in zip(calls, repeats, strict=True)]
            for _ in range(rounds)
        ]
    )
    ratio = np.median(times[:, 0] / times[:, 1])
    return (*(float(ms) for ms in 1e3 * np.median(times, axis=0)), float(ratio))


def compare_checkouts(
    cases: dict[str, dict[str, Any]], batches: Sequence[int], args: Any
) -> None:
    """Print the table of this checkout against another one."""
    ops = tuple(
        f"{kind}{batch}{xla}"
        for kind in ("", "sample ")
        for xla in ("", " XLA")
        for batch in batches
    )
    items = [
        works.Work(
            name, name, 6, options["num_layers"], options["hidden_units"], ops=ops
        )
        for name, options in cases.items()
    ]
    block = 0.001 if args.smoke else 0.1
    against.run(
        items, "arrays", args.against, threads=1, rounds=args.rounds, block=block
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="tiny, takes seconds")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--flows", nargs="+", choices=FLOWS, default=list(FLOWS))
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    against.add_argument(parser)
    args = parser.parse_args(argv)
    cases, batches = {name: FLOWS[name] for name in args.flows}, args.batches
    if args.smoke:
        cases, batches, args.rounds = {"realnvp": FLOWS["realnvp"]}, (6,), 2
    if args.against:
        compare_checkouts(cases, batches, args)
        return
    heads = f"{'method':>9}{'function':>10}{'density':>9}{'ratio':>7}"
    print(f"{'flow':10}{'batch':>6}{'XLA':>5}{heads}")
    for name, options in cases.items():
        for jit_compile in (False, True):
            flow = flows.build(name, 6, seed=0, **options)
            for batch in batches:
                one, other, density, ratio = compare(
                    flow, batch, args.rounds, jit_compile=jit_compile
                )
                xla = "yes" if jit_compile else "no"
                numbers = f"{one:9.2f}{other:10.2f}{density:9.2f}{ratio:7.2f}"
                print(f"{name:10}{batch:6d}{xla:>5}{numbers}", flush=True)


if __name__ == "__main__":
    main()
