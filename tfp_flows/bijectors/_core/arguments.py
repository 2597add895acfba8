"""What constructors do with parameters: keep variables, convert the rest, check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks, _context
from tfp_flows._types import DType, Seed, TensorLike

__all__ = [
    "Requirement",
    "as_parameter",
    "check_batches",
    "check_new",
    "check_used",
    "common_dtype",
    "generator",
    "last_size",
    "reference",
    "require_exact",
    "require_finite",
    "require_rank",
    "require_rows",
    "require_sides",
    "require_variables",
    "variable",
]


class Requirement(NamedTuple):
    """What the values of some parameters of a map must fulfil.

    Args:
        names: The parameters.
        holds: Function of their values that returns booleans.
        message: What is expected, and what to do.
    """

    names: tuple[str, ...]
    holds: Callable[..., tf.Tensor]
    message: str


def check_batches(bijector: Any) -> None:
    """Raise unless the batches of the parameters of a new map broadcast.

    Raises:
        ValueError: If one does not; it names the parameter.
    """
    try:
        stated = type(bijector).parameter_properties(bijector.dtype or tf.float32)
    except NotImplementedError:
        return
    batch = tf.TensorShape([])
    for name, parameter in stated.items():
        shape = getattr(getattr(bijector, name, None), "shape", None)
        ndims = parameter.event_ndims
        if shape is None or not isinstance(ndims, int) or not parameter.is_tensor:
            continue
        shape = tf.TensorShape(shape)
        if shape.rank is None or shape.rank <= ndims:
            continue
        try:
            leading = shape[: shape.rank - ndims]
            batch = tf.broadcast_static_shape(batch, leading)
        except ValueError as error:
            msg = (
                f"`{name}` of `{type(bijector).__name__}` must have a batch shape that "
                f"broadcasts against {tuple(batch)}, that of other parameters, got "
                f"{tuple(leading)}. Give one value for each map of the batch."
            )
            raise ValueError(msg) from error


def check_new(bijector: Any, requirements: Iterable[Requirement]) -> list:
    """Check parameters of a map that is being made, but those read at each use.

    Numbers and arrays are always checked, tensors under `validate_args`.

    Args:
        bijector: The map.
        requirements: What its parameters must fulfil.

    Returns:
        Operations that check what is known only when a graph runs.

    Raises:
        ValueError: If a value is wrong.
    """
    operations = []
    for needed in requirements:
        given = [bijector.parameters.get(name) for name in needed.names]
        if any(v is None or reference(v) is not None for v in given):
            continue
        if not any(tf.is_tensor(v) for v in given):
            with tf.init_scope():
                plain = [tf.convert_to_tensor(v, bijector.dtype) for v in given]
                operations += _require(needed, plain)
        elif bijector.validate_args:
            operations += _require(needed, given)
    return operations


def check_used(bijector: Any, requirements: Iterable[Requirement]) -> list:
    """Check parameters of a map that are read at each use; see `check_new`."""
    operations = []
    for needed in requirements:
        values = [getattr(bijector, name) for name in needed.names]
        if any(v is None for v in values):
            continue
        if any(reference(v) is not None for v in values):
            operations += _require(needed, values)
    return operations


def _require(needed: Requirement, values: Iterable[Any]) -> list:
    holds = tf.reduce_all(needed.holds(*map(tf.convert_to_tensor, values)))
    if not tf.executing_eagerly():
        return [tf.debugging.Assert(holds, [needed.message])]
    if not bool(holds):
        raise ValueError(needed.message)
    return []


def common_dtype(*values: Any, owner: str) -> tf.DType:
    """Return the dtype of the first value that has one, float32 if none does."""
    for value in values:
        if value is not None and getattr(value, "dtype", None) is not None:
            dtype = tf.as_dtype(value.dtype)
            _checks.supports_floating(dtype, owner)
            return dtype
    return tf.float32


def as_parameter(value: TensorLike, argument: str, dtype: DType) -> Any:
    """Return `value` as something to convert at each use.

    Variables, and what TFP derives from them, stay what they are: a conversion here
    would freeze them. A Keras variable gives way to the one that it wraps.

    Args:
        value: Tensor, variable, deferred tensor, or numbers; `None` is returned.
        argument: Name of the argument.
        dtype: Dtype for plain numbers.

    Returns:
        The variable or a tensor.

    Raises:
        TypeError: If `value` is a function.
    """
    if value is None:
        return None
    known = reference(value)
    if known is not None:
        return known
    if callable(value) and not tf.is_tensor(value):
        msg = (
            f"`{argument}` must be numbers, a tensor or a variable, got a function. "
            "Pass tfp.util.DeferredTensor(variable, function), which trains."
        )
        raise TypeError(msg)
    return tf.convert_to_tensor(value, dtype=dtype, name=argument)


def reference(value: Any) -> tf.Variable | tfp.util.DeferredTensor | None:
    """Return what `value` has to be read from at each use, `None` for fixed numbers."""
    if isinstance(value, (tf.Variable, tfp.util.DeferredTensor)):
        return value
    inner = getattr(value, "value", None)
    return inner if isinstance(inner, tf.Variable) else None


def generator(seed: Seed) -> np.random.Generator:
    """Return a generator of initial values.

    Args:
        seed: Int or stateless seed `[2]`; `None` to follow the global seed.

    Returns:
        The generator.
    """
    return _context.generator(seed)


def variable(
    value: TensorLike,
    name: str,
    dtype: DType,
    *,
    trainable: bool = True,
) -> tf.Variable:
    """Return a variable that exists at once, also when asked for inside a trace."""
    with tf.init_scope():
        initial = tf.cast(tf.convert_to_tensor(value), dtype)
        return tf.Variable(initial, name=name, trainable=trainable)


def last_size(value: Any, argument: str) -> int:
    """Return the static size of the last dimension of a parameter."""
    shape = value.shape
    if shape.rank is None or shape.rank < 1 or shape[-1] is None:
        msg = (
            f"`{argument}` must have a last dimension of known size, got shape "
            f"{shape}. Pass a vector, or a batch of vectors."
        )
        raise ValueError(msg)
    return int(shape[-1])


def require_rank(shape: tf.TensorShape, rank: int, argument: str, owner: str) -> None:
    """Raise unless a shape has at least `rank` dimensions."""
    if shape.rank is not None and shape.rank < rank:
        msg = (
            f"`{argument}` must have at least {rank} dimensions for {owner}, got shape "
            f"{tuple(shape.as_list())}. Reshape it, or build for other events."
        )
        raise ValueError(msg)


def require_exact(
    value: Any, shape: tuple[int, ...], argument: str, owner: str
) -> None:
    """Raise unless a parameter has exactly this shape: its map takes no batches."""
    found = tuple(value.shape.as_list())
    if found != shape:
        msg = (
            f"`{argument}` must have shape {shape} for {owner}, got {found}. Give one "
            "row per feature, without a batch."
        )
        raise ValueError(msg)


def require_sides(shape: tf.TensorShape, argument: str, owner: str) -> None:
    """Raise unless a shape is that of images `[..., H, W, C]` of known sizes."""
    require_rank(shape, 3, argument, owner)
    if shape.rank is None or not shape[-3:].is_fully_defined():
        msg = (
            f"`{argument}` must be images of known sides and channels for {owner}, got "
            f"shape {shape}. State them by tf.ensure_shape."
        )
        raise ValueError(msg)


def require_variables(owner: str, **values: Any) -> None:
    """Raise unless every value can be assigned to."""
    for argument, value in values.items():
        if not isinstance(value, tf.Variable):
            msg = (
                f"`{argument}` must be a tf.Variable for `{owner}.adapt`, got "
                f"{type(value).__name__}. Build with variables, as the classmethods of "
                f"`{owner}` do."
            )
            raise TypeError(msg)


def require_finite(statistic: tf.Tensor, owner: str) -> None:
    """Raise if data gave a statistic that is not finite (eager mode only)."""
    if tf.executing_eagerly() and not bool(tf.reduce_all(tf.math.is_finite(statistic))):
        msg = (
            f"`y` must be finite numbers for `{owner}.adapt`, in at least one row; its "
            "mean or deviation is not finite. Drop or fill bad rows."
        )
        raise ValueError(msg)


def require_rows(x: np.ndarray) -> None:
    """Raise unless data are a matrix `[N, D]` of finite numbers with a row."""
    if x.ndim != 2 or not len(x) or not np.all(np.isfinite(x)):
        msg = (
            "`x` must be a matrix [N, D] of finite numbers, got shape "
            f"{x.shape}. Drop or impute bad rows."
        )
        raise ValueError(msg)
