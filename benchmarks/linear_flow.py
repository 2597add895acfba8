"""Fit a linear flow to a correlated Gaussian, against the closed form.

Data: 10,000 points of a Gaussian in two dimensions with mean (1, -2) and covariance
[[1, 0.7], [0.7, 2]], whose entropy is 3.0439 nats. "gap" is the mean negative
log-likelihood of those points minus that of the closed-form estimate on the same
points, `1 + ln(2 pi) + ln(det S) / 2`; mean and covariance are read off the fitted map
and held against the estimate, as the largest difference of an entry.

- Adam, constant rate 1e-3, 9,000 steps on all points, from the identity, and without
  standardisation: the setting of a first tutorial.
- `tfp_flows.fit("linear", x, seed=0)`: the library's default, which standardises, lets
  the rate decay, and for so few numbers holds no points back.
- The same with a tenth held out for early stopping, `validation=0.1`. What is split off
  costs `5 / (18 * 10,000) = 3e-5` nats on average, and up to 1e-2 in a covariance.
- The first with a trainable base, `base="diagonal-normal"`: location and scale of the
  base and the map are trained jointly. `base` is the largest trained number in it.
- A trainable base without any map, for the same data without correlation: the base
  alone must reach the closed form of a diagonal Gaussian. Nothing is standardised.

Run `python benchmarks/linear_flow.py` (about two minutes on two cores).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import _report
import keras
import numpy as np
import tensorflow as tf

import tfp_flows
from tfp_flows import flows

POINTS = 10_000
STEPS = 9_000
MEAN = np.array([1.0, -2.0])
COVARIANCE = np.array([[1.0, 0.7], [0.7, 2.0]])
ADAM_BAR, FIT_BAR, MOMENT_BAR = 0.045, 1e-4, 1e-2


class BaseOnly(flows.Flow):
    """A base density without maps."""

    def __init__(self, event_shape: int, condition_shape: None = None) -> None:
        super().__init__(
            event_shape, condition_shape, options={}, base="diagonal-normal"
        )

    def _make_layers(self, size: int, condition_shape: Any) -> list:
        return []


def draw(count: int, covariance: np.ndarray) -> np.ndarray:
    """Return points of the Gaussian."""
    rng = np.random.default_rng(0)
    factor = np.linalg.cholesky(covariance)
    return (MEAN + rng.standard_normal((count, 2)) @ factor.T).astype(np.float32)


def by_adam(x: np.ndarray, steps: int) -> flows.Flow:
    """Train on all points in each step, through plain Keras."""
    flow = flows.build("linear", 2, seed=0)
    batches = tf.data.Dataset.from_tensors(tf.constant(x)).repeat(steps)
    flow.compile(keras.optimizers.Adam(1e-3), jit_compile=steps > 1_000)
    flow.fit(batches, shuffle=False, verbose=0)
    return flow


def moments(flow: flows.Flow) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of an affine map of a Gaussian base."""
    base = flow.partial(0)
    corners = np.concatenate([np.zeros([1, 2]), np.eye(2)]).astype(np.float32)
    images = flow.bijector().forward(tf.constant(corners)).numpy().astype(float)
    matrix = (images[1:] - images[0]).T
    mean = images[0] + matrix @ base.mean().numpy()
    return mean, matrix @ np.diag(base.variance().numpy()) @ matrix.T


def report(
    name: str, flow: flows.Flow, x: np.ndarray, bar: float, start: float
) -> None:
    """Print one line of the table."""
    seconds = time.perf_counter() - start
    points = x.astype(np.float64)
    mean, covariance = points.mean(axis=0), np.cov(points.T, bias=True)
    if isinstance(flow, BaseOnly):
        covariance = np.diag(np.diag(covariance))
    best = 1 + np.log(2 * np.pi) + 0.5 * np.linalg.slogdet(covariance)[1]
    loss = -np.mean(np.asarray(flow.log_prob(x), np.float64))
    found = moments(flow)
    errors = [
        np.abs(a - b).max() for a, b in zip(found, (mean, covariance), strict=True)
    ]
    base = [v.numpy() for v in flow.partial(0).trainable_variables]
    moved = max((float(np.abs(v).max()) for v in base), default=0.0)
    close = bar == ADAM_BAR or max(errors) <= MOMENT_BAR
    reached = _report.verdict(loss - best, bar) if close else "NO"
    print(
        f"{name:34}{best:9.5f}{loss - best:10.1e}{bar:9.0e}{errors[0]:10.1e}"
        f"{errors[1]:10.1e}{moved:8.3f}{reached:>9}{seconds:9.0f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    args = _report.parser(__doc__).parse_args(arguments)
    steps, options = STEPS, {}
    if args.smoke:
        steps, options = 2, {"epochs": 1}
    x = draw(200 if args.smoke else POINTS, COVARIANCE)
    _report.header("linear flow")
    print(
        f"{'fit':34}{'optimum':>9}{'gap':>10}{'at most':>9}{'mean':>10}{'cov':>10}"
        f"{'base':>8}{'reached':>9}{'seconds':>9}"
    )
    start = time.perf_counter()
    report(f"Adam 1e-3, {steps} steps", by_adam(x, steps), x, ADAM_BAR, start)
    start = time.perf_counter()
    flow, _ = tfp_flows.fit("linear", x, seed=0, verbose=0, **options)
    report("fit", flow, x, FIT_BAR, start)
    if args.smoke:
        return
    options = {"seed": 0, "verbose": 0}
    start = time.perf_counter()
    flow, _ = tfp_flows.fit("linear", x, validation=0.1, **options)
    report("fit, validation=0.1", flow, x, ADAM_BAR, start)
    start = time.perf_counter()
    flow, _ = tfp_flows.fit("linear", x, base="diagonal-normal", **options)
    report("fit, trainable base", flow, x, FIT_BAR, start)
    start = time.perf_counter()
    x = draw(POINTS, np.diag(np.diag(COVARIANCE)))
    flow, _ = tfp_flows.fit(BaseOnly(2), x, adapt=False, validation=None, **options)
    report("fit, base only", flow, x, FIT_BAR, start)


if __name__ == "__main__":
    main()
