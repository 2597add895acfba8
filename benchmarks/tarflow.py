"""Bits per dimension of TarFlow beside Glow's, at equal parameters and steps.

Trains flows of images of about the same number of parameters for the same number of
steps of the same batches and the same schedule, and prints bits per dimension of
held-out images, one draw of uniform noise each. Weights are averaged over steps, and
those of the best epoch by validation rows are kept.

Data are the digits of scikit-learn, 8 x 8 pixels of 17 values (`--data digits`), or the
1,500 pictures of clothes that come with the package, 28 x 28 (`--data fashion`). A
tenth is held out, and a tenth of the rest chooses the step.

Run `python benchmarks/tarflow.py`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from typing import Any

import _report
import numpy as np

from tfp_flows import datasets, flows, training

# Sizes that give about the same number of parameters.
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "digits": {
        "glow, affine": {"num_steps": 3, "hidden_units": (48, 48)},
        "glow, spline": {"num_steps": 2, "hidden_units": (16, 16)},
        "tarflow, patch 1": {"width": 30, "num_heads": 3, "patch_size": 1},
        "tarflow, patch 1, spline": {
            "width": 44,
            "num_layers": 2,
            "patch_size": 1,
            "transformer": "RationalQuadratic(8, -5.0, 5.0)",
        },
        "tarflow, patch 2": {"width": 32, "patch_size": 2},
        "tarflow, eight layers": {
            "width": 32,
            "num_layers": 8,
            "attention_layers": 1,
            "patch_size": 2,
        },
        "tarflow, dropout": {"width": 32, "patch_size": 2, "dropout": 0.1},
        "tarflow, interleaved": {"width": 32, "patch_size": 2, "interleave": True},
        "tarflow, patch 2, spline": {
            "width": 28,
            "patch_size": 2,
            "transformer": "RationalQuadratic(8, -5.0, 5.0)",
        },
    },
    "fashion": {
        "glow, affine": {"num_steps": 4, "hidden_units": (48, 48)},
        "tarflow, patch 4, dropout": {
            "width": 32,
            "attention_layers": 1,
            "patch_size": 4,
            "dropout": 0.1,
        },
    },
}
SMOKE = {
    "glow, affine": {"num_steps": 1, "hidden_units": (8,)},
    "tarflow, patch 2": {
        "num_layers": 1,
        "width": 8,
        "attention_layers": 1,
        "patch_size": 2,
    },
}
NUM_VALUES = {"digits": 17, "fashion": 256}


def images(source: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return raw training, validation and held-out images."""
    if source == "digits":
        from sklearn.datasets import load_digits

        x = load_digits().images[..., np.newaxis].astype("uint8")
    else:
        x = datasets.fashion_mnist()[0]
    x = x[np.random.default_rng(0).permutation(len(x))]
    tenth = len(x) // 10
    return x[2 * tenth :], x[tenth : 2 * tenth], x[:tenth]


def build(row: str, source: str, size: dict[str, Any], args: Any) -> flows.Flow:
    """Return the flow of a row."""
    family, kind, *_ = row.split(", ")
    options = {**size, "num_values": NUM_VALUES[source]}
    if family == "glow":
        options["coupling"] = kind
    name = "glow" if family == "glow" else "tarflow-image"
    shape = (8, 8, 1) if source == "digits" else (28, 28, 1)
    return flows.build(name, shape, seed=args.seed, **options)


def train(
    flow: flows.Flow, data: Sequence[np.ndarray], args: argparse.Namespace
) -> tuple[int, float]:
    """Train a flow, and return the steps and the seconds of CPU time."""
    rows, validation, _ = data
    per_epoch = max(1, len(rows) // args.batch_size)
    epochs = max(1, math.ceil(args.steps / per_epoch))
    start = time.process_time()
    training.fit(
        flow,
        rows,
        validation=(validation,),
        epochs=epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        average=0.99,
        patience=epochs,
        seed=args.seed,
        verbose=0,
    )
    return int(flow.optimizer.iterations), time.process_time() - start


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--data", default="digits", choices=[*SIZES])
    parser.add_argument("--rows", nargs="+", help="some of the rows")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    sizes, data = SIZES[args.data], images(args.data)
    if args.smoke:
        args.steps, sizes = 2, SMOKE
        data = tuple(part[:64] for part in data)
    _report.header(f"TarFlow and Glow on {args.data}")
    print(
        f"{len(data[0])} images {data[0].shape[1:]}, {len(data[1])} choose the step, "
        f"{len(data[2])} held out; batches of {args.batch_size}, learning rate "
        f"{args.learning_rate}"
    )
    heads = f"{'parameters':>12}{'steps':>8}{'CPU s':>8}{'bits/dim':>10}{'+-':>8}"
    print(f"{'flow':26}{heads}")
    for row in args.rows or sizes:
        flow = build(row, args.data, sizes[row], args)
        steps, seconds = train(flow, data, args)
        count = sum(math.prod(v.shape) for v in flow.trainable_variables)
        bits = flow.bits_per_dim(data[2], num_samples=1)
        error = 2 * bits.std() / math.sqrt(len(bits))
        print(
            f"{row:26}{count:12,}{steps:8}{seconds:8.0f}{bits.mean():10.3f}{error:8.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
