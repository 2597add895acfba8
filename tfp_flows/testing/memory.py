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


def _together(work: Callable[[], None]) -> None:
    """Run `work` in several threads that take turns as often as Python can."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(_THREADS)

    def run() -> None:
        try:
            barrier.wait()
            work()
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run) for _ in range(_THREADS)]
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
    others = [x[::-1], y[::-1]]
    wanted = {name: ask(x, y) for name, ask in questions.items()}
    wanted_of_others = {name: ask(*others) for name, ask in questions.items()}
    # Nothing of the above is remembered with these.
    x, y, others = tf.identity(x), tf.identity(y), [tf.identity(t) for t in others]
    tolerance = 10 * case.tolerances.value(case.dtype)

    def work() -> None:
        for _ in range(_CALLS):
            for name, ask in questions.items():
                found = ask(x, y), ask(*others)
                expected = wanted[name], wanted_of_others[name]
                for new, old in zip(found, expected, strict=True):
                    if new is None:
                        case.fail("threads", f"{name} in threads", None, "a tensor")
                    registry.compare(
                        case, "threads", f"{name} in threads", new, old, tolerance
                    )

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
