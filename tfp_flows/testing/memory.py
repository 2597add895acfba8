"""Checks that no evaluation sees another one: other threads, another training mode."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import tensorflow as tf

from tfp_flows import _context
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_threads", "check_training_mode"]

_THREADS = 3
_CALLS = 2


def _together(work: Callable[[int], None]) -> None:
    """Run `work` of a number in threads that take turns as often as Python can."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(_THREADS)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run, args=(i,)) for i in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


@registry.bijector_check
def check_threads(case: BijectorCase) -> None:
    """Threads that share a map and its inputs get what one thread gets."""
    bijector = case.bijector()
    x, given = case.points((3,)), case.condition((3,))
    y = case.images(x, **given)
    questions = {
        "forward": lambda x, y: bijector.forward(x, **given),
        "forward log-det": lambda x, y: registry.forward_log_det(
            case, bijector, x, **given
        ),
        "inverse": lambda x, y: bijector.inverse(y, **given),
        "inverse log-det": lambda x, y: registry.inverse_log_det(
            case, bijector, y, **given
        ),
    }
    inputs = [(x, y), (x[::-1], y[::-1])]
    wanted = [{name: ask(*i) for name, ask in questions.items()} for i in inputs]
    # Nothing of the above is remembered with these.
    inputs = [(tf.identity(x), tf.identity(y)) for x, y in inputs]
    tolerance = 10 * case.tolerances.value(case.dtype)

    def work(number: int) -> None:
        for call in range(2 * _CALLS):
            # Neighbours are at different inputs.
            which = (call + number) % 2
            for name, ask in questions.items():
                what = f"{name} in threads"
                found = ask(*inputs[which])
                if found is None:
                    case.fail("threads", what, None, "a tensor")
                expected = wanted[which][name]
                registry.compare(case, "threads", what, found, expected, tolerance)

    _together(work)


@registry.bijector_check
def check_training_mode(case: BijectorCase) -> None:
    """A pass of one training mode is never served in the other one."""
    bijector = case.fresh()
    condition = case.condition((6,))
    y = case.images(case.points((6,)), **condition)

    def outputs(y: tf.Tensor, *, training: bool) -> list[tf.Tensor]:
        with _context.training_scope(training):
            return [
                bijector.inverse(y, **condition),
                registry.inverse_log_det(case, bijector, y, **condition),
            ]

    def fresh(*, training: bool) -> list[tf.Tensor]:
        return outputs(tf.identity(y), training=training)

    first, second = fresh(training=True), fresh(training=True)
    random = any(registry.worst(a, b) > 0 for a, b in zip(first, second, strict=True))
    tolerance = case.tolerances.value(case.dtype)
    for training in (False, True):
        if training and random:
            return  # dropout: no pass equals another one
        shared = tf.identity(y)
        kept = outputs(shared, training=not training)
        found = outputs(shared, training=training)
        mode = "training" if training else "evaluation"
        for name, new, old in zip(
            ("inverse", "inverse log-det"), found, fresh(training=training), strict=True
        ):
            what = f"{name} in {mode} after a pass of the other mode"
            registry.compare(case, "training_mode", what, new, old, tolerance)
        del kept
