"""What an entry is: a published system, and the figures that ours is held against."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = [
    "DATA",
    "ENTRIES",
    "Absent",
    "Entry",
    "Figure",
    "entry",
    "least",
    "mean",
    "minimise",
    "nll",
]

# Real tables that are no part of the package, beside the checkout.
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


class Absent(Exception):
    """An entry cannot run here; the message says what it misses."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number of ours.

    Args:
        what: What it is, with its unit.
        ours: The number.
        bar: What it must reach, `None` where nothing is asked.
        at_least: Whether it must not be below the bar, else not above.
        reference: The published or the exact figure, as text.
    """

    what: str
    ours: float
    bar: float | None = None
    at_least: bool = False
    reference: str = ""

    @property
    def reached(self) -> str:
        """Whether the bar is reached, in a word; a dash where there is none."""
        if self.bar is None:
            return "-"
        good = self.ours >= self.bar if self.at_least else self.ours <= self.bar
        return "yes" if good else "no"


def least(what: str, ours: float, bar: float, reference: str = "") -> Figure:
    """Return a figure that must not be below its bar."""
    return Figure(what, ours, bar, at_least=True, reference=reference)


Run = Callable[[bool], Iterable[Figure]]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A published system or result.

    Args:
        name: What the command and the table call it.
        row: Its rows in the list of what must work; not shown.
        source: Where it was published.
        run: Yields figures; with `True`, quickly, as numbers without a meaning.
    """

    name: str
    row: str
    source: str
    run: Run


ENTRIES: dict[str, Entry] = {}


def entry(name: str, row: str, source: str) -> Callable[[Run], Run]:
    """Register a function that yields the figures of a system."""

    def register(run: Run) -> Run:
        ENTRIES[name] = Entry(name, row, source, run)
        return run

    return register


def nll(flow: Any, x: np.ndarray, *condition: Any) -> float:
    """Return the mean negative log-likelihood of rows in nats."""
    return -float(np.mean(np.asarray(flow.log_prob(x, *condition), np.float64)))


def minimise(
    loss: Callable[[tf.Tensor], tf.Tensor],
    variables: Sequence[tf.Variable],
    steps: int,
    rate: float = 1e-2,
) -> None:
    """Take steps of Adam with a cosine decay, all in one compiled loop.

    Args:
        loss: Function of a seed.
        variables: What is trained.
        steps: Number of steps.
        rate: The first learning rate.
    """
    moments = [[tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2)]

    @tf.function(autograph=False, jit_compile=True)
    def step(count: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(tf.stack([tf.cast(count, tf.int32), 7]))
        done = count / steps
        size = rate * (0.01 + 0.495 * (1.0 + tf.cos(np.pi * done)))
        size *= tf.sqrt(1.0 - 0.999 ** (count + 1.0)) / (1.0 - 0.9 ** (count + 1.0))
        gradients = tape.gradient(value, variables)
        for v, g, m, s in zip(variables, gradients, *moments, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            s.assign(0.999 * s + 0.001 * g * g)
            v.assign_sub(size * m / (tf.sqrt(s) + 1e-8))
        return value

    for count in range(steps):
        step(tf.constant(float(count)))


def mean(figures: Iterator[float]) -> float:
    """Return the mean of numbers."""
    return float(np.mean(list(figures)))
