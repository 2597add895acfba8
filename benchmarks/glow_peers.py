"""Glow beside normflows and tfb.Glow: training step, memory, and sampling.

The same architecture everywhere: 32 x 32 x 3, three levels of `--num-steps` steps of
ActNorm, 1x1 convolution and affine coupling, networks of three convolutions (3, 1, 3)
with `--hidden-units` channels. One process per library and one thread each; CPU time of
a step (log-density, gradient, Adam) as the median over steps after the first, peak
memory of the process beside that after its imports. Ours without what the others lack
(positions, logit), and with `checkpoint=True`. The row of bare convolutions is what
TensorFlow needs for the networks of the couplings and priors alone and their gradients:
a bound for every Glow of this architecture. Then, for ours, sampling against
`log_prob`.

normflows needs an environment of its own with torch and normflows, given as
`--torch-python PATH`; without it that row is left out.

Run `python benchmarks/glow_peers.py --torch-python VENV/bin/python`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

SHAPE, LEVELS = (32, 32, 3), 3
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def memory() -> float:
    """Return the peak memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(function: Callable[[], Any], count: int) -> tuple[float, float]:
    """Return CPU seconds of a first call, and their median over some more."""
    start = time.process_time()
    function()
    first, times = time.process_time() - start, []
    for _ in range(count):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return first, statistics.median(times)


def pictures(args: argparse.Namespace) -> Any:
    """Return raw pixels with noise, float32, `[N, 32, 32, 3]`."""
    import numpy as np

    rng = np.random.default_rng(0)
    ramp = np.linspace(40, 200, 32)[:, None, None]
    x = ramp + 20 * rng.normal(size=(args.batch_size, *SHAPE))
    return np.clip(x, 0, 255).astype("float32")


def ours(args: argparse.Namespace, *, checkpoint: bool = False) -> dict[str, float]:
    """Measure this library."""
    import keras
    import tensorflow as tf

    from tfp_flows import flows

    start = memory()
    x = tf.constant(pictures(args))
    flow = flows.build(
        "glow",
        SHAPE,
        num_levels=LEVELS,
        num_steps=args.num_steps,
        hidden_units=(args.hidden_units,) * 2,
        positions=False,
        logit_alpha=None,
        checkpoint=checkpoint,
        seed=0,
    )
    flow.adapt(x)
    flow.compile(keras.optimizers.get(args.optimizer))
    first, step = timed(lambda: flow.train_on_batch(x), args.count)
    peak = memory()
    _, density = timed(lambda: flow.log_prob(x), args.count)
    _, sampling = timed(lambda: flow.sample(len(x), seed=0), args.count)
    size = sum(tf.size(v).numpy() for v in flow.trainable_variables)
    return {
        "parameters": int(size),
        "first": first,
        "step": step,
        "base memory": start,
        "memory": peak,
        "log_prob": density,
        "sample": sampling,
    }


def checkpointed(args: argparse.Namespace) -> dict[str, float]:
    """Measure this library where gradients keep the inputs of steps only."""
    return ours(args, checkpoint=True)


def convolutions(args: argparse.Namespace) -> dict[str, float]:
    """Measure the networks of all couplings and priors, without a flow around them."""
    import tensorflow as tf

    start, units, networks = memory(), args.hidden_units, []
    for level in range(LEVELS):
        channels, side = SHAPE[2] * 2 ** (level + 2), SHAPE[0] // 2 ** (level + 1)
        half, priors = channels // 2, int(level < LEVELS - 1)
        sizes = ((3, half, units), (1, units, units), (3, units, channels))
        for _ in range(args.num_steps + priors):
            weights = [
                (tf.Variable(tf.random.normal([k, k, a, b])), tf.Variable(tf.zeros(b)))
                for k, a, b in sizes
            ]
            x = tf.random.normal([args.batch_size, side, side, half])
            networks.append((x, weights))
    variables = [v for _, weights in networks for pair in weights for v in pair]

    @tf.function
    def step() -> list[tf.Tensor]:
        inputs = [x for x, _ in networks]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = 0.0
            for value, (_, weights) in zip(inputs, networks, strict=True):
                for i, (kernel, bias) in enumerate(weights):
                    value = tf.nn.relu(value) if i else value
                    value = tf.nn.conv2d(value, kernel, 1, "SAME")
                    value = tf.nn.bias_add(value, bias)
                loss += tf.reduce_mean(value)
        gradients = tape.gradient(loss, [*inputs, *variables])
        return [tf.reduce_max(gradient) for gradient in gradients]

    first, seconds = timed(step, args.count)
    return {
        "parameters": int(sum(tf.size(v).numpy() for v in variables)),
        "first": first,
        "step": seconds,
        "base memory": start,
        "memory": memory(),
    }


def tfp(args: argparse.Namespace) -> dict[str, float]:
    """Measure `tfb.Glow`."""
    import tensorflow as tf
    from tensorflow_probability import bijectors as tfb
    from tensorflow_probability import distributions as tfd

    start = memory()
    x = tf.constant((pictures(args) - 128.0) / 256.0)

    class Network(tfb.GlowDefaultNetwork):
        def __init__(self, input_shape: Any) -> None:
            super().__init__(input_shape, num_hidden=args.hidden_units)

    glow = tfb.Glow(
        output_shape=SHAPE,
        num_glow_blocks=LEVELS,
        num_steps_per_block=args.num_steps,
        coupling_bijector_fn=Network,
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
    )
    size = SHAPE[0] * SHAPE[1] * SHAPE[2]
    base = tfd.MultivariateNormalDiag(tf.zeros(size), tf.ones(size))
    target = tfd.TransformedDistribution(base, glow)
    target.log_prob(x[:2])  # makes its variables
    # Keras networks are hidden from `tf.Module`: what is used is watched instead.
    with tf.GradientTape() as tape:
        target.log_prob(x[:2])
    variables = list(tape.watched_variables())
    moments = [[tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2)]

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(target.log_prob(x))
        gradients = tape.gradient(loss, variables)
        for v, g, m, s in zip(variables, gradients, *moments, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            s.assign(0.999 * s + 0.001 * g * g)
            v.assign_sub(1e-4 * m / (tf.sqrt(s) + 1e-7))
        return loss

    first, seconds = timed(step, args.count)
    return {
        "parameters": int(sum(tf.size(v).numpy() for v in variables)),
        "first": first,
        "step": seconds,
        "base memory": start,
        "memory": memory(),
    }


def normflows(args: argparse.Namespace) -> dict[str, float]:
    """Measure normflows, in an environment of its own."""
    import normflows as nf
    import torch

    torch.set_num_threads(1)
    start = memory()
    x = (torch.tensor(pictures(args)).permute(0, 3, 1, 2) - 128.0) / 256.0
    bases, merges, levels = [], [], []
    for i in range(LEVELS):
        channels = SHAPE[2] * 2 ** (LEVELS + 1 - i)
        levels.append(
            [
                nf.flows.GlowBlock(
                    channels,
                    args.hidden_units,
                    split_mode="channel",
                    scale=True,
                    leaky=0.0,
                )
                for _ in range(args.num_steps)
            ]
            + [nf.flows.Squeeze()]
        )
        side = SHAPE[0] // 2 ** (LEVELS - i)
        if i:
            merges.append(nf.flows.Merge())
            shape = (channels // 2, side, side)
        else:
            shape = (channels, side, side)
        bases.append(nf.distributions.DiagGaussian(shape))
    model = nf.MultiscaleFlow(bases, levels, merges)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss = model.forward_kld(x)
        loss.backward()
        optimizer.step()

    first, seconds = timed(step, args.count)
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {
        "parameters": size,
        "first": first,
        "step": seconds,
        "base memory": start,
        "memory": memory(),
    }


LIBRARIES = {
    "ours": ours,
    "checkpoint": checkpointed,
    "normflows": normflows,
    "tfb.Glow": tfp,
    "convolutions": convolutions,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run each library in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="seconds, tiny sizes")
    parser.add_argument("--torch-python", help="Python with torch and normflows")
    parser.add_argument("--num-steps", type=int, default=4)
    parser.add_argument("--hidden-units", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--count", type=int, default=15)
    parser.add_argument("--optimizer", default="adam", help="of ours, by Keras' name")
    parser.add_argument("--library", choices=LIBRARIES, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.library:
        print(json.dumps(LIBRARIES[args.library](args)))
        return
    import _report

    if args.smoke:
        args.num_steps, args.hidden_units, args.batch_size, args.count = 1, 4, 2, 1
    _report.header("Glow beside other libraries, 32 x 32 x 3, one thread")
    names = ["ours"] if args.smoke else list(LIBRARIES)
    results: dict[str, dict[str, float]] = {}
    for name in names:
        python = args.torch_python if name == "normflows" else sys.executable
        if python:
            results[name] = child(python, name, args)
    print(
        f"{args.num_steps} steps per level, {args.hidden_units} hidden channels, batch "
        f"{args.batch_size}\n{'library':12}{'parameters':>12}{'first, s':>10}"
        f"{'step, s':>10}"
        f"{'/ ours':>8}{'peak GB':>10}{'without imports':>17}"
    )
    for name, found in results.items():
        ratio = found["step"] / results["ours"]["step"]
        print(
            f"{name:12}{found['parameters']:12,}{found['first']:10.1f}"
            f"{found['step']:10.3f}{ratio:8.2f}"
            f"{found['memory']:10.2f}{found['memory'] - found['base memory']:17.2f}"
        )
    mine = results["ours"]
    ratio = mine["sample"] / mine["log_prob"]
    print(
        f"sample / log_prob of {args.batch_size} images: {ratio:.2f} (bar 1.2; "
        f"{mine['sample']:.3f} s, {mine['log_prob']:.3f} s)"
    )


def child(python: str, name: str, args: argparse.Namespace) -> dict[str, float]:
    """Run one library in a process of its own and return what it measured."""
    sizes = ("num_steps", "hidden_units", "batch_size", "count")
    options = [f"--{s.replace('_', '-')}={getattr(args, s)}" for s in sizes]
    done = subprocess.run(
        [python, __file__, "--library", name, *options],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
