"""How far flows are from inverse to themselves with and without TF32.

TensorFlow multiplies with 10 bits on the GPUs that can, unless told otherwise. Flows of
five layers for 64 coordinates, with normal noise on all weights, draw samples, which
then go to the base and back; printed is the largest difference. Without such a GPU both
lines of a flow are the same.

Run `python benchmarks/tf32.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import _report
import numpy as np
import tensorflow as tf

from tfp_flows import flows

NAMES = ("nsf", "maf", "realnvp")
NOISE = 0.02


def round_trip(name: str, size: int, count: int, width: int) -> float:
    """Return the largest difference of samples from themselves, there and back."""
    flow = flows.build(name, size, num_layers=5, hidden_units=(width, width), seed=0)
    for variable in flow.trainable_variables:
        noise = np.random.default_rng(0).normal(size=variable.shape)
        variable.assign(variable + NOISE * noise)
    y = flow.sample(count, seed=1, jit_compile=True)
    bijector = flow.bijector()
    x = bijector.inverse(y)
    return float(tf.reduce_max(tf.abs(bijector.forward(tf.identity(x)) - y)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for each flow."""
    args = _report.parser(__doc__).parse_args(arguments)
    size, count, width = (4, 16, 8) if args.smoke else (64, 2000, 256)
    _report.header("round trips with and without TF32")
    devices = [device.name for device in tf.config.list_physical_devices("GPU")]
    print(f"GPU: {', '.join(devices) or 'none'}")
    print(f"{'flow':10}{'TF32':>12}{'float32':>12}")
    for name in NAMES:
        errors = []
        for enabled in (True, False):
            tf.config.experimental.enable_tensor_float_32_execution(enabled)
            errors.append(round_trip(name, size, count, width))
        print(f"{name:10}{errors[0]:12.1e}{errors[1]:12.1e}", flush=True)


if __name__ == "__main__":
    main()
