"""Bits per dimension of Glow on MNIST, beside a Gaussian with full covariance.

Trains for a given CPU time on 54,000 of the 60,000 training images of MNIST (the other
6,000, a fixed tenth, are held out) and prints the curve: bits per dimension of 500
held-out images, one draw of noise each, 28 x 28, or with `--pad` 32 x 32. In
the end: all 6,000, the error of the inverse on 64 of them, and the time of a sample
beside that of a log-density. The Gaussian is fitted to the same pixels with noise, or
to their logits, in the same units.

A border of black pixels costs a code nothing: bits per image are those of the 28 x 28
pixels, and per dimension of 32 x 32 they are 784 / 1024 of the number here. Papers
count in the one way or the other, so that both are printed.

MNIST is not part of the package: give its `.npz` file (arrays `x`), or `--data fashion`
for the 1,500 images that are.

Run `python benchmarks/glow.py` (one hour of CPU time; `--minutes 6` for a short
schedule). Where TensorFlow sees a GPU the flow trains there, in XLA, and wall time is
what counts: `python benchmarks/glow.py --minutes 3.2 --batch-size 256 --coupling spline
--hidden-units 128 128`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import _memory
import _report
import keras
import numpy as np
import tensorflow as tf

from tfp_flows import bijectors as maps
from tfp_flows import datasets, flows

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist" / "train.npz"
# On a CPU within an hour, at most two million parameters.
BAR = 1.25
INVERSE_BAR = 1e-4
WARM_UP = 100
# Of the logits that the paper on MAF fits a Gaussian to; 2.01 bits there.
MAF_ALPHA = 1e-6
# A process waits for a GPU in its sleep.
ON_GPU = bool(tf.config.list_physical_devices("GPU"))
CLOCK = time.perf_counter if ON_GPU else time.process_time


def images(source: str, border: int) -> tuple[np.ndarray, np.ndarray]:
    """Return raw training and held-out images; a tenth is held out."""
    x = (
        datasets.fashion_mnist()[0]
        if source == "fashion"
        else datasets.read_images(source)
    )
    x = np.pad(x, [(0, 0), (border, border), (border, border), (0, 0)])
    rows = np.random.default_rng(0).permutation(len(x))
    held_out = len(x) // 10
    return x[rows[held_out:]], x[rows[:held_out]]


def gaussian(train: np.ndarray, test: np.ndarray, alpha: float | None) -> float:
    """Return bits per dimension of a Gaussian with full covariance.

    Args:
        train: Raw images to fit it to.
        test: Raw images to score.
        alpha: Fit it to the logits of pixels, squeezed into `[alpha, 1 - alpha]`.
    """
    rng = np.random.default_rng(1)
    train, test = (x.reshape(len(x), -1) for x in (train, test))
    train = train + rng.random(train.shape, np.float32)
    test = test + rng.random(test.shape, np.float32)
    log_det = 0.0
    if alpha is not None:
        pixels = maps.PixelSigmoid(alpha=alpha)
        log_det = float(np.mean(pixels.inverse_log_det_jacobian(test, event_ndims=1)))
        train, test = pixels.inverse(train).numpy(), pixels.inverse(test).numpy()
    mean = train.mean(axis=0)
    covariance = np.cov(train.astype(np.float64), rowvar=False)
    root = np.linalg.cholesky(covariance)
    z = np.linalg.solve(root, (test - mean).T.astype(np.float64))
    size = train.shape[1]
    nats = 0.5 * np.mean(np.sum(z**2, axis=0)) + np.log(np.diag(root)).sum() - log_det
    return float((nats + 0.5 * size * math.log(2 * math.pi)) / (size * math.log(2)))


class Schedule(keras.callbacks.Callback):
    """Warm-up and cosine decay over a given time, and the curve on the way."""

    def __init__(
        self, seconds: float, peak: float, score: Callable[[], float], points: int
    ) -> None:
        super().__init__()
        self.seconds, self.peak, self.score = seconds, peak, score
        self.marks = list(np.linspace(0.0, 1.0, points + 1)[1:])
        self.step, self.spent, self.started = 0, 0.0, 0.0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Set the learning rate."""
        done = min(1.0, self.spent / self.seconds)
        rate = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
        rate *= min(1.0, (self.step + 1) / WARM_UP)
        self.model.optimizer.learning_rate = self.peak * rate
        self.started = CLOCK()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count the time; the first step, which traces, does not count."""
        self.spent += (CLOCK() - self.started) * (self.step > 0)
        self.step += 1
        if self.marks and self.spent >= self.marks[0] * self.seconds:
            self.marks.pop(0)
            print(
                f"{self.step:8d}{self.spent / 60:10.1f}{self.score():12.3f}", flush=True
            )
        if self.spent >= self.seconds:
            self.model.stop_training = True


def best_time(function: Callable[[], tf.Tensor], repeats: int = 20) -> float:
    """Return the shortest of some runs, in seconds."""
    function()
    times = []
    for _ in range(repeats):
        start = CLOCK()
        function().numpy()
        times.append(CLOCK() - start)
    return min(times)


def gpu_memory() -> str:
    """Return the most memory of the GPU that was in use, if there is one."""
    if not ON_GPU:
        return ""
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return f" and {peak / 2**30:.2f} on the GPU"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and print the curve and the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--data", default=str(MNIST), help="a file, or 'fashion'")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--num-steps", type=int, default=8)
    parser.add_argument("--hidden-units", type=int, nargs="+", default=[64, 64])
    parser.add_argument("--coupling", default="affine")
    parser.add_argument(
        "--noise", default="uniform", help="or 'variational': learned noise of pixels"
    )
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--pad", action="store_true", help="a border of 2 pixels")
    parser.add_argument("--save", help="write the flow to this .keras file")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    if args.smoke:
        args.data, args.minutes, args.num_steps = "fashion", 0.02, 1
        args.hidden_units, args.batch_size = [8], 16
    train, test = images(args.data, 2 if args.pad else 0)
    _report.header(f"Glow on {Path(args.data).parent.name or args.data}")
    flow = flows.build(
        "glow",
        train.shape[1:],
        num_steps=args.num_steps,
        hidden_units=args.hidden_units,
        coupling=args.coupling,
        dequantize=args.noise,
        seed=args.seed,
    )
    report(flow, train, test, args)


def report(
    flow: flows.Glow, train: np.ndarray, test: np.ndarray, args: argparse.Namespace
) -> None:
    """Train a flow, and print what it reaches."""
    flow.adapt(train)
    size = sum(math.prod(v.shape) for v in flow.trainable_variables)
    print(
        f"{len(train)} images {train.shape[1:]}, {len(test)} held out; {size:,} "
        f"parameters: {args.num_steps} steps per level, {args.coupling}, {args.noise} "
        f"noise, hidden units {args.hidden_units}, "
        f"batch {args.batch_size}, Adam {args.learning_rate}"
    )
    part = test[:500]
    print(f"{'step':>8}{'minutes':>10}{'bits/dim':>12}")
    print(f"{0:8d}{0.0:10.1f}{flow.bits_per_dim(part).mean():12.3f}", flush=True)
    schedule = Schedule(
        60 * args.minutes,
        args.learning_rate,
        lambda: float(flow.bits_per_dim(part).mean()),
        2 if args.smoke else 12,
    )
    data = tf.data.Dataset.from_tensor_slices(train)
    data = data.shuffle(len(train), seed=args.seed).repeat()
    data = data.batch(args.batch_size, drop_remainder=True).prefetch(2)
    flow.compile(keras.optimizers.Adam(args.learning_rate, global_clipnorm=50.0))
    flow.fit(
        data,
        steps_per_epoch=1000,
        epochs=10**6,
        callbacks=[schedule],
        verbose=0,
        shuffle=False,
    )
    # A GPU trains with factors of 10 bits; densities and inverses need all of them.
    tf.config.experimental.enable_tensor_float_32_execution(enabled=False)
    if args.save:
        flow.save(args.save)
    bits = flow.bits_per_dim(test)
    error = 2 * bits.std() / math.sqrt(len(bits))
    x = flow.dequantize(test[:64], seed=0)
    z = flow.bijector().inverse(x)
    back = flow.bijector().forward(tf.identity(z))
    worst = float(np.max(np.abs(back - x))) / 256
    density = best_time(lambda: flow.log_prob(x))
    sampling = best_time(lambda: flow.sample(64, seed=1))
    height, width, _ = flow.event_shape
    padded = 1.0 if args.pad else height * width / ((height + 4) * (width + 4))
    memory = _memory.highest() / 1024
    print(
        f"{'':26}{'found':>10}{'bar':>10}\n"
        f"{'bits/dim, all held out':26}{bits.mean():10.3f}{BAR:10.2f}  "
        f"{_report.verdict(bits.mean(), BAR)} (+- {error:.3f})\n"
        f"{'with a free border':26}{bits.mean() * padded:10.3f}\n"
        f"{'full-covariance Gaussian':26}{gaussian(train, test, None):10.3f}\n"
        f"{'the same, of logits':26}{gaussian(train, test, MAF_ALPHA):10.3f}\n"
        f"{'inverse of 64, of 1':26}{worst:10.1e}{INVERSE_BAR:10.0e}  "
        f"{_report.verdict(worst, INVERSE_BAR)}\n"
        f"{'sample / log_prob of 64':26}{sampling / density:10.2f}{1.2:10.2f}  "
        f"{_report.verdict(sampling / density, 1.2)} "
        f"({1e3 * sampling:.0f} ms, {1e3 * density:.0f} ms)\n"
        f"{'peak memory, GB':26}{memory:10.2f}{gpu_memory()}"
    )


if __name__ == "__main__":
    main()
