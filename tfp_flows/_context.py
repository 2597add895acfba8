"""What code asks of its surroundings: the training mode, and the global seed.

A few maps and networks act differently while a model is fitted: batch normalisation
uses the statistics of the batch, dropout drops. They ask `is_training()`. Nothing is in
training mode unless someone says so, hence evaluation is what one gets by default.

A `tf.function` reads the mode while it is traced, and keeps it: trace one function for
training and another one for evaluation.

Where no seed is given, random numbers follow TensorFlow's global seed as those of TFP
and Keras do: `tf.random.set_seed` and `keras.utils.set_random_seed` set it.
"""

from __future__ import annotations

import contextlib
import contextvars
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows._types import Seed

__all__ = [
    "Seeded",
    "generator",
    "is_training",
    "member",
    "member_scope",
    "on_gpu",
    "plain_seed",
    "require_eager",
    "seed_of_tfp",
    "stateless_seed",
    "training_scope",
    "values_scope",
    "wants_points",
    "wants_values",
]

# Seeds of calls are so far apart, that those of two steps do not meet.
CALL_SEEDS = 1_000_003

_wanted = contextvars.ContextVar("tfp_flows_wanted", default="")
_training = contextvars.ContextVar("tfp_flows_training", default=False)
_member: contextvars.ContextVar[Member | None] = contextvars.ContextVar(
    "tfp_flows_member", default=None
)


@contextlib.contextmanager
def training_scope(enabled: bool) -> Iterator[None]:  # noqa: FBT001
    """Switch training mode on or off inside a `with` block; blocks may nest.

    In training mode `BatchNorm` uses and moves the statistics of its batch, and
    networks drop units. Flows switch it on by themselves while they are fitted; a
    training loop over bare maps does so by hand.

    Args:
        enabled: Whether the block runs for training.

    Example:
        >>> import tfp_flows as tfpf
        >>> norm = tfpf.bijectors.BatchNorm.trainable(1)
        >>> with tfpf.bijectors.training_scope(True):
        ...     norm.inverse([[10.], [14.]]).numpy().round(4).tolist()
        [[-1.0], [1.0]]
    """
    token = _training.set(bool(enabled))
    try:
        yield
    finally:
        _training.reset(token)


def is_training() -> bool:
    """Return whether the innermost `training_scope` is on; `False` outside of any."""
    return _training.get()


@contextlib.contextmanager
def values_scope(*, points: bool = False) -> Iterator[None]:
    """Mark code whose result is wanted for its value, not to train by.

    Chains then evaluate equal blocks in a loop, which on a CPU costs nothing but a
    slower gradient, and is traced and compiled in a time that does not grow with the
    depth. A GPU waits for the host at each turn of a loop: there they do so from the
    depth on from which they do in training.

    Args:
        points: Whether points behind maps are all that is wanted, and no log-det is
            read: maps whose log-dets cost much leave them at 0, and remember none.
    """
    token = _wanted.set("points" if points else "values")
    try:
        yield
    finally:
        _wanted.reset(token)


def wants_values() -> bool:
    """Return whether the code runs in a `values_scope`."""
    return bool(_wanted.get())


def wants_points() -> bool:
    """Return whether the code runs in a `values_scope` that reads no log-det."""
    return _wanted.get() == "points"


class Member:
    """Which member of an ensemble is evaluated, and the random numbers it gets.

    Args:
        place: Its place among those that are evaluated at once.
        count: How many these are.
        seed: Stateless seed `[2]` of all of them, `None` for a new one in each call.
    """

    def __init__(self, place: Any, count: int, seed: Any) -> None:
        self._place = place
        self._count = count
        self._seed = seed
        self._calls = 0

    def uniform(self, shape: Any) -> tf.Tensor:
        """Return uniform numbers, other ones for each member and in each call.

        They are drawn for all members at once: no random operation of TensorFlow takes
        several seeds.
        """
        self._calls += 1
        shape = tf.concat([[self._count], shape], axis=0)
        if self._seed is None:
            drawn = tf.random.uniform(shape)
        else:
            apart = self._calls * CALL_SEEDS % tf.int32.max
            seed = self._seed + tf.constant([0, apart], self._seed.dtype)
            drawn = tf.random.stateless_uniform(shape, seed)
        return tf.gather(drawn, self._place)


@contextlib.contextmanager
def member_scope(place: Any, count: int, seed: Any) -> Iterator[None]:
    """Mark code that is evaluated for one member of an ensemble; see `Member`."""
    token = _member.set(Member(place, count, seed))
    try:
        yield
    finally:
        _member.reset(token)


def member() -> Member | None:
    """Return the member of an ensemble that is evaluated, `None` outside of any."""
    return _member.get()


def on_gpu() -> bool:
    """Return whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def require_eager(owner: str) -> None:
    """Raise if a call is being traced, whose numbers are then not known yet.

    Args:
        owner: What is called.

    Raises:
        ValueError: If it is.
    """
    if not tf.executing_eagerly():
        msg = (
            f"`{owner}` must be called outside of a `tf.function`: it trains, or reads "
            "numbers, while it runs. Call it first, and use what it returns inside."
        )
        raise ValueError(msg)


def generator(seed: Any = None) -> np.random.Generator:
    """Return a NumPy generator; without a seed, one that follows the global seed.

    Unlike an integer seed of TFP, which also counts the calls in eager mode, the same
    seed always gives the same numbers.

    Args:
        seed: Int, ints or stateless seed `[2]`; `None` for one that TensorFlow draws.

    Returns:
        The generator.

    Example:
        >>> import tensorflow as tf
        >>> from tfp_flows import _context
        >>> draws = []
        >>> for _ in range(2):
        ...     tf.random.set_seed(1)
        ...     draws.append(_context.generator().normal())
        >>> draws[0] == draws[1]
        True
    """
    with tf.init_scope():
        if seed is None:
            seed = tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
        return np.random.default_rng(plain_seed(seed))


def plain_seed(seed: Any) -> int | np.ndarray:
    """Return a seed as NumPy takes it: an int or ints that are not negative.

    Args:
        seed: Integer of any type, or integers `[N]`; tensors with known values, too.

    Raises:
        TypeError: If it is no integers.
    """
    with contextlib.suppress(TypeError, AttributeError):
        number = operator.index(seed)
        return number if number >= 0 else number + 2**128
    values = np.asarray(seed)
    if values.dtype.kind not in "iu" or values.ndim != 1:
        msg = f"`seed` must be an integer or a pair of integers, got {seed!r}."
        raise TypeError(msg)
    return values.astype(np.int64).astype(np.uint64)


def stateless_seed(seed: Seed) -> tf.Tensor:
    """Return a seed `[2]`; an int gives the same one whatever was drawn before.

    Without one, TensorFlow draws it, at each call of a traced function as well.

    Args:
        seed: Integer or integers `[2]`, of any type; tensors of traced functions
            too.

    Raises:
        TypeError: If it is neither.
        ValueError: If it has another shape.
    """
    if seed is None:
        return _drawn_seed()
    if not tf.is_tensor(seed) or hasattr(seed, "numpy"):
        values = plain_seed(seed)
        if isinstance(values, int):
            words = np.random.SeedSequence(values).generate_state(2)
            return tf.constant(words.view(np.int32))
        seed = tf.constant(values.astype(np.uint32).view(np.int32))
    if not seed.dtype.is_integer:
        msg = f"`seed` must be an integer or a pair of integers, got {seed!r}."
        raise TypeError(msg)
    if seed.shape.rank == 0:
        zeros = tf.zeros([2], seed.dtype)
        seed = tf.random.experimental.stateless_fold_in(zeros, seed)
    if not seed.shape.is_compatible_with([2]):
        msg = f"`seed` must have shape [] or [2], got {seed.shape}."
        raise ValueError(msg)
    return tf.cast(seed, tf.int32)


def _drawn_seed() -> tf.Tensor:
    """Return a seed that TensorFlow draws: in eager mode as TFP does, but at once."""
    if not tf.executing_eagerly() or tf.distribute.has_strategy():
        return tfp.random.sanitize_seed(None)
    shape, low, high = (
        tf.constant(value, tf.int32) for value in ([2], tf.int32.min, tf.int32.max)
    )
    return tf.random.uniform(shape, low, high, dtype=tf.int32)


def seed_of_tfp(seed: Seed) -> Seed:
    """Return a seed as the densities of TFP take it.

    A Python integer stays one, which counts the calls in eager mode, as in TFP. So
    does one of NumPy, where TFP fails; of a tensor a seed `[2]` is made.

    Args:
        seed: Integer or integers `[2]`, of any type, or `None`.

    Raises:
        TypeError: If it is neither.
        ValueError: If it has another shape.
    """
    if seed is None or isinstance(seed, int):
        return seed
    if isinstance(seed, np.generic) and seed.dtype.kind in "iu":
        return int(seed)
    return stateless_seed(seed)


class Seeded:
    """What draws the seeds of its parts from a generator, one after another."""

    _rng: np.random.Generator

    def _next_seed(self) -> int:
        return int(self._rng.integers(2**31 - 1))
