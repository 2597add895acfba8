"""Workers of a distribution strategy: their numbers, and sums over all of them.

Where workers add what they have, all of them go on with the same numbers. Without a
strategy, or with one worker, sums stay what they are.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _context

__all__ = [
    "addresses",
    "are_several",
    "gathered",
    "index",
    "of_each",
    "of_first",
    "raised_together",
    "refusing",
    "require_equal",
    "seed_of_all",
    "total",
    "unheard",
    "verbose_of_first",
]

# Jobs whose tasks train, in TensorFlow's order.
JOBS = ("chief", "worker")
# Seconds for one look at whether a worker takes connections.
LOOK = 2.0


def addresses(strategy: Any = None) -> list[str]:
    """Return the address of each worker of a strategy, the first one's first."""
    strategy = strategy or tf.distribute.get_strategy()
    resolver = strategy.cluster_resolver
    jobs = resolver.cluster_spec().as_dict() if resolver is not None else {}
    return [address for job in JOBS for address in jobs.get(job, ())]


def are_several(strategy: Any = None) -> bool:
    """Return whether a strategy, by default that of the scope, has several workers."""
    strategy = strategy or tf.distribute.get_strategy()
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return several and len(addresses(strategy)) > 1


def index() -> int:
    """Return the number of this worker, from 0."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None:
        return 0
    number = int(resolver.task_id or 0)
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return number + 1 if has_chief and resolver.task_type == "worker" else number


def _per_replica(value: np.ndarray, others: np.ndarray) -> Any:
    """Return what the first replica of each worker holds, and all others of it."""
    taken = False

    def hold(context: tf.distribute.ValueContext) -> tf.Tensor:
        nonlocal taken
        del context
        held, taken = others if taken else value, True
        return tf.constant(held)

    return tf.distribute.get_strategy().experimental_distribute_values_from_function(
        hold
    )


def total(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the sums of numbers and arrays over all workers, each `[...]`."""
    if not tf.distribute.has_strategy():
        return values
    strategy = tf.distribute.get_strategy()
    out = []
    for value in values:
        array = np.asarray(value)
        held = _per_replica(array, np.zeros_like(array))
        out.append(strategy.reduce(tf.distribute.ReduceOp.SUM, held, axis=None).numpy())
    return tuple(out)


def gathered(rows: np.ndarray) -> np.ndarray:
    """Return the rows `[N, ...]` of all workers, one worker's after the other's."""
    if not tf.distribute.has_strategy():
        return rows
    strategy = tf.distribute.get_strategy()
    return strategy.gather(_per_replica(rows, rows[:0]), axis=0).numpy()


def of_each(value: Any) -> np.ndarray:
    """Return the number or array of each worker, all of one shape, `[workers, ...]`."""
    value = np.asarray(value)
    places = np.zeros([max(len(addresses()), 1), *value.shape], value.dtype)
    places[index()] = value
    return total((places,))[0]


def of_first(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what the first worker has, to all of them."""
    if index() == 0:
        return total(values)
    return total(tuple(np.zeros_like(np.asarray(value)) for value in values))


def seed_of_all(seed: int | None) -> int | None:
    """Return a seed that several workers share, where none is given."""
    if seed is not None or not are_several():
        return seed
    (drawn,) = of_first((_context.generator().integers(2**31),))
    return int(drawn)


def verbose_of_first(verbose: Any) -> Any:
    """Return how much the first worker says; the others of several say nothing."""
    return verbose if not are_several() or index() == 0 else 0


def raised_together(function: Callable[[], Any]) -> Any:
    """Return what a function gives; if it fails in one worker, fail in all of them.

    Otherwise those that go on would wait for the one that failed, without end.

    Raises:
        RuntimeError: If the function failed in another worker.
    """
    result, error = None, None
    try:
        result = function()
    except Exception as found:
        error = found
    (failed,) = total((np.int64(error is not None),))
    if error is not None:
        raise error
    if failed:
        msg = (
            f"`fit` stopped in worker {index()} because {failed} other of its workers "
            "failed. See the messages there."
        )
        raise RuntimeError(msg)
    return result


def require_equal(facts: Mapping[str, Any]) -> None:
    """Raise on every worker if workers were not told the same.

    Args:
        facts: What has to be the same, by the name of the argument. Arrays are compared
            by a checksum.

    Raises:
        ValueError: If a fact differs, with what two workers have.
    """
    if not are_several():
        return
    said = {name: _short(value) for name, value in facts.items()}
    text = np.frombuffer(json.dumps(said).encode(), np.uint8).astype(np.int64)
    lengths = of_each(len(text))
    texts = of_each(np.pad(text, [0, int(lengths.max()) - len(text)]))
    parts = zip(texts.astype(np.uint8), lengths, strict=True)
    everyone = [json.loads(bytes(part[: int(length)])) for part, length in parts]
    for name in {name: None for each in everyone for name in each}:
        found = [each.get(name, "nothing") for each in everyone]
        other = next((i for i, value in enumerate(found) if value != found[0]), None)
        if other is not None:
            msg = (
                f"`{name}` must be the same on all workers, got {found[0]} on worker 0 "
                f"and {found[other]} on worker {other}. Start the same script with the "
                "same options on all of them."
            )
            raise ValueError(msg)


def _short(value: Any) -> str:
    """Return a text that is the same for equal values in other processes."""
    if isinstance(value, str):
        return repr(value) if len(value) < 60 else _checksum(value.encode())
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}: {_short(each)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_short, value))}]"
    if isinstance(value, (bool, int, float, type(None))):
        return repr(value)
    if isinstance(value, tf.data.Dataset):  # each worker has its own
        return f"a dataset of {value.element_spec}"
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        kept = array.astype(str) if array.dtype == object else array
        digest = _checksum(np.ascontiguousarray(kept).tobytes())
        return f"{digest} (shape {array.shape}, {array.dtype})"
    return type(value).__name__


def _checksum(content: bytes) -> str:
    return f"checksum {hashlib.sha256(content).hexdigest()[:12]}"


def refusing(where: list[str], own: int) -> list[str]:
    """Return the names and addresses of workers that take no connections.

    Args:
        where: Addresses of all workers.
        own: The number of this one, which is not asked.
    """
    found = []
    for number, address in enumerate(where):
        host, _, port = address.rpartition(":")
        try:
            if number != own:
                socket.create_connection((host.strip("[]"), int(port)), LOOK).close()
        except OSError:
            found.append(f"worker {number} ({address})")
    return found


def unheard(text: str, where: list[str]) -> list[str]:
    """Return the names of workers of which TensorFlow says that it hears nothing.

    Args:
        text: The error.
        where: Addresses of all workers.
    """
    listed = text.partition("unhealthy")[2].partition("have crashed")[0]
    tasks = re.findall(r"/job:(chief|worker)/replica:\d+/task:(\d+)", listed)
    has_chief = tf.distribute.get_strategy().cluster_resolver is not None and (
        "chief" in tf.distribute.get_strategy().cluster_resolver.cluster_spec().jobs
    )
    numbers = {int(task) + int(has_chief and job == "worker") for job, task in tasks}
    return [
        f"worker {number} ({where[number]})"
        for number in sorted(numbers)
        if number < len(where)
    ]
