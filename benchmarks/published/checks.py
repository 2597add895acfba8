"""The library's checks of maps, on right maps and on planted faults."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import tfp_flows
from published.entries import Figure, entry, least
from published.maps import LOG_DETS, kept
from tfp_flows import bijectors as maps
from tfp_flows import testing


def destructors() -> dict[str, Callable[[np.ndarray], Any]]:
    """Return fits of maps that make data normal, by name."""
    return {
        "histogram and CDF": lambda x: maps.MarginalGaussianize.from_samples(x, 40),
        "splines": maps.MarginalSpline.from_samples,
        "rbig": lambda x: tfp_flows.fit("rbig", x, seed=0, verbose=0)[0].bijector(),
    }


@entry("checks-of-destructors", "D8", "destructive-deep-learning, property tests")
def checks(quick: bool) -> Iterator[Figure]:
    """Fitted maps make fresh rows uniform or normal, and leave normal rows as they are.

    The columns are independent, for maps of single columns. Rotations, of which `rbig`
    has one in each layer, move normal rows, so that it is not asked to leave them.
    """
    size = 500 if quick else 4_000

    def draw(count: int, seed: int) -> np.ndarray:
        return (
            np.random.default_rng(seed).gamma(2.0, size=(count, 2)).astype(np.float32)
        )

    found = destructors()
    if quick:
        found.pop("rbig")
    good = 0
    for name, fit in found.items():
        try:
            testing.check_uniformity(fit, draw, rows=size)
            if name != "rbig":
                testing.check_identity(fit, (2,), rows=size)
            good += 1
        except testing.ContractError as error:
            print(f"  {error}")
    count = len(found)
    yield least(f"fitted maps of {count} that pass", good, count)
    caught = 0
    for scale, shift in ((1.4, 0.0), (1.0, 0.3)):

        def wrong(x: np.ndarray, scale: float = scale, shift: float = shift) -> Any:
            right = maps.MarginalSpline.from_samples(x)
            parts = (tf.fill([2], -shift), tf.fill([2], scale))
            return maps.Chain([right, maps.Standardize(*parts)])

        for check in (
            lambda fit: testing.check_uniformity(fit, draw, rows=4_000),
            lambda fit: testing.check_identity(fit, (2,), rows=4_000),
        ):
            try:
                check(wrong)
            except testing.ContractError:
                caught += 1
    yield least("planted scales and shifts of 4 that are caught", caught, 4)
    case = testing.BijectorCase(_WrongLogDet(), (2,))
    caught = not kept(case, LOG_DETS)
    yield least("a planted wrong log-det is caught", int(caught), 1)


class _WrongLogDet(maps.Bijector):
    """A scale whose log-det is off by a tenth."""

    def __init__(self) -> None:
        parameters = dict(locals())
        super().__init__(event_shape=(2,), parameters=parameters, name="wrong")

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return 2.0 * x, tf.fill(tf.shape(x)[:-1], 2.0 * math.log(2.0) + 0.1)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return 0.5 * y, tf.fill(tf.shape(y)[:-1], -2.0 * math.log(2.0) - 0.1)
