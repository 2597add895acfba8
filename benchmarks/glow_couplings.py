"""Row E4: Glow with spline against affine coupling, at equal steps, over seeds.

The same networks (but for the head), the same batches, the same learning rate, on the
1,500 packaged pictures of clothes, a tenth held out by a fixed seed. Prints bits per
dimension of the held-out pictures for each seed, and CPU seconds of the training.

Run `python benchmarks/glow_couplings.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import _report
import keras
import numpy as np

from tfp_flows import datasets, flows

COUPLINGS = ("affine", "spline")


def trained(
    coupling: str, seed: int, args: argparse.Namespace, train: np.ndarray
) -> tuple[flows.Glow, float]:
    """Return a trained flow and the CPU seconds after its first step."""
    flow = flows.build(
        "glow",
        train.shape[1:],
        num_levels=args.num_levels,
        num_steps=args.num_steps,
        hidden_units=(32, 32),
        coupling=coupling,
        seed=seed,
    )
    flow.adapt(train)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, args.steps - 20, alpha=0.02, warmup_target=3e-3, warmup_steps=20
    )
    flow.compile(keras.optimizers.Adam(schedule, global_clipnorm=50.0))
    rng = np.random.default_rng(seed)
    start = 0.0
    for step in range(args.steps):
        rows = rng.choice(len(train), args.batch_size, replace=False)
        flow.train_on_batch(train[rows].astype("float32"))
        if step == 0:
            start = time.process_time()
    return flow, time.process_time() - start


def main(arguments: Sequence[str] | None = None) -> None:
    """Train with both couplings for each seed, and print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--num-levels", type=int, default=2)
    parser.add_argument("--num-steps", type=int, default=2)
    args = parser.parse_args(arguments)
    if args.smoke:
        args.steps, args.batch_size, args.seeds = 22, 4, 1
        args.num_levels = args.num_steps = 1
    x = datasets.fashion_mnist()[0]
    rows = np.random.default_rng(0).permutation(len(x))
    train, test = x[rows[150:]], x[rows[:150]]
    _report.header(f"Spline against affine coupling, {args.steps} steps")
    print(f"{'seed':>4}" + "".join(f"{name:>12}{'CPU s':>8}" for name in COUPLINGS))
    wins = 0
    for seed in range(args.seeds):
        line, found = f"{seed:4d}", []
        for coupling in COUPLINGS:
            flow, seconds = trained(coupling, seed, args, train)
            found.append(float(flow.bits_per_dim(test).mean()))
            line += f"{found[-1]:12.3f}{seconds:8.1f}"
        wins += found[1] <= found[0]
        print(line, flush=True)
    print(f"spline at most affine: {wins} of {args.seeds}")


if __name__ == "__main__":
    main()
