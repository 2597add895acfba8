"""Processes in which TensorFlow cannot compute: forks of one in which it did."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Forkable", "Forked", "rebuilt", "require_own"]

# The process that this one is a fork of, if TensorFlow had begun to compute there.
_parent: int | None = None


def require_own() -> None:
    """Raise in a process in which TensorFlow would wait for ever.

    A fork has the memory of its parent, but none of its threads: what TensorFlow hands
    to them is never done.

    Raises:
        RuntimeError: If this process was forked after TensorFlow began to compute.
    """
    if _parent is not None:
        msg = (
            f"This process ({os.getpid()}) is a fork of {_parent}, in which TensorFlow "
            "had begun to compute: here it would wait for ever for threads that a fork "
            "does not copy. Start processes by multiprocessing.get_context('spawn'), "
            "or fork before TensorFlow computes, or use threads."
        )
        raise RuntimeError(msg)


class Forked:
    """Stands for a model in a fork that cannot have it: whatever uses it raises."""

    def __getattr__(self, name: str) -> Any:
        """Raise as `require_own` does."""
        require_own()
        raise AttributeError(name)

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Raise as `require_own` does."""
        require_own()


def rebuilt(build: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Return what was pickled, or what stands for it in a fork that cannot compute.

    A worker of a pool that fails before it has its task would take the next task and
    fail again: the pool would wait for ever. A task that fails is reported.

    Args:
        build: Function that makes the object.
        arguments: Its arguments.
    """
    return build(*arguments) if _parent is None else Forked()


class Forkable:
    """A model or layer of Keras whose pickles a fork can open, but not use."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how a copy is made, which in a fork says that it cannot be used."""
        return rebuilt, tuple(super().__reduce__())


def _note_fork() -> None:
    """Remember in a forked process whether TensorFlow had begun to compute."""
    global _parent
    if _parent is None and _has_begun():
        _parent = os.getppid()


def _has_begun() -> bool:
    """Return whether TensorFlow has started its threads: their number is then fixed."""
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return False
    threads = tf.config.threading
    count = threads.get_intra_op_parallelism_threads()
    try:
        threads.set_intra_op_parallelism_threads(count + 1)
    except RuntimeError:
        return True
    threads.set_intra_op_parallelism_threads(count)
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
