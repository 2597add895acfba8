"""The check that a log-density costs one pass through the networks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows.bijectors._core import base, cache
from tfp_flows.networks.base import Conditioner
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_one_pass", "counted"]

# What one evaluation calls once, in maps and in networks.
_PRIMITIVES = ("_forward_and_log_det", "_inverse_and_log_det", "columns")


@contextlib.contextmanager
def counted(bijector: tfb.Bijector) -> Iterator[Callable[[], int]]:
    """Count the evaluations of a map, of all its parts, and of their networks.

    Example:
        >>> import tfp_flows as tfpf
        >>> chain = tfpf.bijectors.Chain([])
        >>> with tfpf.testing.counted(chain) as calls:
        ...     y = chain.forward(1.0)
        >>> calls()
        1
    """
    calls: list[str] = []
    parts = [bijector, *bijector.submodules]
    parts = [p for p in parts if isinstance(p, (base.Bijector, Conditioner))]
    places = [(p, name) for p in parts for name in _PRIMITIVES if hasattr(p, name)]

    def wrapped(primitive: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(primitive.__name__)
            return primitive(*args, **kwargs)

        return call

    for part, name in places:
        # Past `tf.Module`, which would track what is assigned.
        object.__setattr__(part, name, wrapped(getattr(part, name)))
    try:
        yield lambda: len(calls)
    finally:
        for part, name in places:
            object.__delattr__(part, name)


class _Meter:
    """Compares the passes of each step with those of one evaluation."""

    def __init__(self, case: BijectorCase, passes: Callable[[], int]) -> None:
        self.case, self.passes = case, passes

    def of(self, step: Callable[[], Any]) -> int:
        before = self.passes()
        step()
        return self.passes() - before

    def require(self, what: str, step: Callable[[], Any], bound: int) -> None:
        found = self.of(step)
        if found != bound:
            self.case.fail("one_pass", f"passes of {what}", found, bound)


@registry.bijector_check
def check_one_pass(case: BijectorCase) -> None:
    """A log-density, or a sample with its own, takes the passes of one evaluation.

    This holds for `tfd.TransformedDistribution`, eager and traced, with and without a
    gradient tape, and for a sample that is scored afterwards.
    """
    bijector, dtype = case.bijector(), case.dtype
    condition = case.condition((4,))
    y = case.images(case.points((4,)), **condition)
    target = tfd.TransformedDistribution(case.base(dtype), bijector)
    given = {"bijector_kwargs": condition} if condition else {}

    def log_prob(y: tf.Tensor) -> tf.Tensor:
        return target.log_prob(y, **given)

    def taped(y: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(y)
            value = target.log_prob(y, **given)
        return tape.gradient(value, y)

    def both(seed: int) -> tuple[tf.Tensor, tf.Tensor]:
        return target.experimental_sample_and_log_prob(4, seed=[seed, 0], **given)

    def scored(seed: int) -> tf.Tensor:
        return target.log_prob(target.sample(4, seed=[seed, 0], **given), **given)

    with contextlib.ExitStack() as stack:
        passes = case.passes or stack.enter_context(counted(bijector))
        meter = _Meter(case, passes)

        def steps(mode: str, y: tf.Tensor) -> None:
            def fresh() -> tf.Tensor:
                return tf.identity(y)

            with cache.caching(enabled=False):
                # A loop over coordinates calls its network once only while traced.
                down = meter.of(lambda: bijector.inverse(fresh(), **condition))
                up = meter.of(lambda: bijector.forward(fresh(), **condition))
            meter.require(f"{mode} log_prob", lambda: log_prob(fresh()), down)
            meter.require(f"{mode} log_prob on a tape", lambda: taped(fresh()), down)
            what = f"{mode} sample_and_log_prob"
            meter.require(what, lambda: both(1), up)
            what = f"{mode} log_prob of a sample"
            meter.require(what, lambda: scored(2), up)

        steps("eager", y)
        traced = tf.function(lambda y: steps("traced", y), autograph=False)
        traced.get_concrete_function(y)
