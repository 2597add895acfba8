"""Every argument and shape check, with its message."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import numpy as np

from tfp_flows._types import Shape

__all__ = [
    "at_least",
    "batch_index",
    "between",
    "count",
    "event_shape",
    "event_size",
    "fraction",
    "function",
    "interval",
    "lifted_condition",
    "of_kind",
    "one_of",
    "plain_number",
    "require_condition",
    "require_trailing",
    "sample_shape",
    "static_shape",
    "supports_floating",
    "verbosity",
]


@overload
def static_shape(shape: Shape, argument: str) -> tuple[int, ...]: ...


@overload
def static_shape(shape: None, argument: str) -> None: ...


@overload
def static_shape(shape: Shape | None, argument: str) -> tuple[int, ...] | None: ...


def static_shape(shape: Shape | None, argument: str) -> tuple[int, ...] | None:
    """Return `shape` as a tuple of positive ints, `None` unchanged."""
    if shape is None:
        return None
    sizes = shape if isinstance(shape, Sequence) else (shape,)
    if hasattr(shape, "as_list"):
        sizes = shape.as_list()
    out = []
    for size in sizes:
        if isinstance(size, bool) or not hasattr(size, "__index__") or int(size) < 1:
            msg = (
                f"`{argument}` must be a positive int or a tuple of them, got "
                f"{shape!r}. Pass for example 2 or (28, 28, 1)."
            )
            raise ValueError(msg)
        out.append(int(size))
    return tuple(out)


def event_shape(shape: Shape) -> tuple[int, ...]:
    """Return the shape of one event as a tuple of positive ints."""
    if shape is None:
        msg = "`event_shape` must be given. Pass for example 2 or (28, 28, 1)."
        raise ValueError(msg)
    return static_shape(shape, "event_shape")


def sample_shape(shape: Any) -> None:
    """Raise unless a shape of samples is an int or ints that are not negative.

    Tensors of traced functions pass: the operations that follow check their values.

    Raises:
        TypeError: If a size is no integer.
        ValueError: If one is negative, or unknown.
    """
    if hasattr(shape, "as_list"):
        sizes = shape.as_list()
    elif hasattr(shape, "numpy"):
        sizes = shape.numpy().tolist()
    else:
        sizes = shape.tolist() if hasattr(shape, "tolist") else shape
    hint = "Pass a number of samples such as 1000, or a shape such as (10, 100)."
    for size in sizes if isinstance(sizes, (list, tuple)) else (sizes,):
        if hasattr(size, "dtype") and hasattr(size, "graph"):
            continue
        if not _is_whole(size):
            msg = f"`sample_shape` must be whole numbers, got {shape!r}. {hint}"
            raise TypeError(msg)
        if int(size) < 0:
            msg = f"`sample_shape` must not be negative, got {shape!r}. {hint}"
            raise ValueError(msg)
        if int(size) >= 2**31:
            msg = f"`sample_shape` must be below 2**31, got {shape!r}. Draw in parts."
            raise ValueError(msg)


def event_size(shape: Shape, argument: str = "event_shape") -> int:
    """Return the number of scalars in a static shape."""
    return math.prod(static_shape(shape, argument) or ())


def require_trailing(
    shape: Any,
    trailing: tuple[int, ...] | None,
    argument: str,
    owner: str,
) -> None:
    """Raise unless the static `shape` ends in `trailing`, if that is known.

    Unknown sizes pass: they are checked by the operations that follow.
    """
    if shape.rank is None or trailing is None:
        return
    wanted = len(trailing)
    found = tuple(shape.as_list())
    tail = found[len(found) - wanted :] if wanted else ()
    fits = len(found) >= wanted and all(
        size is None or size == want for size, want in zip(tail, trailing, strict=False)
    )
    if not fits:
        msg = (
            f"`{argument}` must have trailing shape {trailing} for {owner}, got "
            f"shape {found}. Reshape the input, or build with another event shape."
        )
        raise ValueError(msg)


def batch_index(places: tuple[Any, ...], batch_shape: Any, owner: str) -> None:
    """Raise unless `owner[places]` fits a batch; unknown sizes and indices pass.

    Raises:
        IndexError: If an index is out of range, or there are more than dimensions.
        TypeError: If one is neither an integer nor a slice, `...` or `tf.newaxis`.
    """
    if batch_shape.rank is None:
        return
    sizes, used = tuple(batch_shape.as_list()), []
    for place in places:
        if place is not None:
            used.append(place)
    dots = [i for i, place in enumerate(used) if place is Ellipsis]
    if len(used) - len(dots) > len(sizes) or len(dots) > 1:
        many = "several `...`" if len(dots) > 1 else f"{len(used) - len(dots)} indices"
        msg = f"{owner} has batch_shape {sizes}, got {many}. " + (
            "Use one per dimension." if sizes else "There is no batch to slice."
        )
        raise IndexError(msg)
    if dots:
        skipped = [slice(None)] * (len(sizes) - len(used) + 1)
        used[dots[0] : dots[0] + 1] = skipped
    for axis, (place, size) in enumerate(zip(used, sizes, strict=False)):
        _index(place, axis, size, owner)


def _index(place: Any, axis: int, size: int | None, owner: str) -> None:
    """Raise unless one index fits a dimension of a batch."""
    if isinstance(place, slice):
        return
    is_integer = hasattr(place, "__index__") and not isinstance(place, bool)
    if getattr(getattr(place, "dtype", None), "is_integer", is_integer) is False:
        msg = (
            f"an index of {owner} must be an integer, a slice, `...` or tf.newaxis, "
            f"got {place!r}."
        )
        raise TypeError(msg)
    if size is None or not hasattr(place, "__index__"):
        return
    try:
        index = int(place)
    except (TypeError, ValueError, NotImplementedError):  # known when a graph runs
        return
    if not -size <= index < size:
        msg = (
            f"index {index} is out of range for {owner}: its batch has {size} in "
            f"dimension {axis}. Pass {-size} to {size - 1}."
        )
        raise IndexError(msg)


def lifted_condition(condition: Any, condition_shape: tuple[int, ...] | None) -> Any:
    """Return conditions of one number as `[N, 1]`, as a condition shape `(1,)` wants.

    A number is one condition, and `[N]` are `N` conditions, as where a flow is fitted.
    Arrays of higher rank, and `[1]`, are returned as they are.

    Args:
        condition: Array, tensor, series or number; `None` for none.
        condition_shape: Trailing shape that is wanted.
    """
    if condition is None or condition_shape != (1,) or callable(condition):
        return condition
    if getattr(condition, "shape", None) is None or hasattr(condition, "to_numpy"):
        condition = np.asarray(condition)  # numbers, lists, and series of a data frame
    shape = condition.shape
    rank = shape.rank if hasattr(shape, "rank") else len(shape)
    if rank == 0 or (rank == 1 and shape[0] != 1):
        return condition[..., np.newaxis]
    return condition


def require_condition(
    condition: Any,
    condition_shape: tuple[int, ...] | None,
    owner: str,
) -> None:
    """Raise when a condition is missing, or given to something that takes none."""
    if condition_shape is None and condition is not None:
        msg = (
            f"`condition` was given, but {owner} was built without condition_shape. "
            "Leave it out, or build with condition_shape=..."
        )
        raise ValueError(msg)
    if condition_shape is not None and condition is None:
        msg = (
            f"`condition` is missing: {owner} was built with condition_shape="
            f"{condition_shape}. Pass a tensor with trailing shape {condition_shape}."
        )
        raise ValueError(msg)


def one_of(value: Any, choices: Sequence[Any], argument: str) -> None:
    """Raise unless `value` is among `choices`."""
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        hint = did_you_mean(value, choices)
        msg = f"`{argument}` must be one of {names}, got {value!r}{hint or '.'}"
        raise ValueError(msg)


def did_you_mean(word: Any, known: Iterable[Any]) -> str:
    """Return `: did you mean ...?`, or nothing if no word is near.

    Args:
        word: What was given.
        known: The words that there are.
    """
    words = [choice for choice in known if isinstance(choice, str)]
    near = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.7)
    return f": did you mean {near[0]!r}?" if near else ""


def of_kind(value: Any, annotation: str, argument: str) -> None:
    """Raise unless a value is one that a plain annotation allows.

    Args:
        value: The value.
        annotation: Such as `int`, `float | None` or `Sequence[int]`; of others nothing
            is checked.
        argument: Name of the argument.
    """
    parts = [part.strip() for part in annotation.split("|")]
    if not set(parts) <= set(_KINDS) or any(_KINDS[p][0](value) for p in parts):
        return
    words = " or ".join(_KINDS[part][1] for part in parts)
    msg = f"`{argument}` must be {words}, got {value!r}."
    raise TypeError(msg)


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return False
    return not isinstance(value, float) or math.isfinite(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, Sequence) and all(isinstance(v, str) for v in value)


def _are_whole(value: Any) -> bool:
    return _is_whole(value) or (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(map(_is_whole, value))
    )


# What annotations mean: a check, and the words for it.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "None": (lambda value: value is None, "None"),
    "bool": (lambda value: isinstance(value, (bool, np.bool_)), "True or False"),
    "str": (lambda value: isinstance(value, str), "a name"),
    "int": (_is_whole, "a number without a fraction"),
    "float": (_is_real, "a number"),
    "Sequence[str]": (_are_names, "a list of names"),
    "Sequence[int]": (_are_whole, "a positive int or a tuple of them"),
}


def at_least(value: Any, minimum: float, argument: str) -> None:
    """Raise unless the number `value` is at least `minimum`."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        msg = f"`{argument}` must be a number, got {value!r}."
        raise TypeError(msg)
    if not float(value) >= minimum:
        msg = f"`{argument}` must be at least {minimum}, got {value!r}."
        raise ValueError(msg)


def function(value: Any, argument: str) -> None:
    """Raise unless `value` can be called."""
    if not callable(value):
        msg = f"`{argument}` must be a function, got {type(value).__name__}."
        raise TypeError(msg)


def count(value: Any, minimum: int, argument: str) -> None:
    """Raise unless `value` is a whole number, and at least `minimum`."""
    of_kind(value, "int", argument)
    at_least(int(value), minimum, argument)


def divides(value: Any, whole: int, argument: str, what: str) -> None:
    """Raise unless `value` is a whole number that divides another one.

    Args:
        value: The number.
        whole: What it has to divide.
        argument: Its name.
        what: What `whole` counts, with its article: "the columns".
    """
    count(value, 1, argument)
    if whole % value:
        sizes = ", ".join(str(i) for i in range(1, whole + 1) if whole % i == 0)
        msg = (
            f"`{argument}` must divide {what}, {whole}, got {value}. Use one of "
            f"{sizes}."
        )
        raise ValueError(msg)


def between(value: Any, minimum: float, maximum: float, argument: str) -> None:
    """Raise unless the number `value` lies between two, both included."""
    at_least(value, minimum, argument)
    if not value <= maximum:
        msg = f"`{argument}` must be at most {maximum}, got {value!r}."
        raise ValueError(msg)


def interval(
    low: Any, high: Any, names: tuple[str, str] = ("range_min", "range_max")
) -> None:
    """Raise unless two plain numbers are the ends of an interval."""
    for argument, value in zip(names, (low, high), strict=True):
        plain_number(value, argument)
    if not low < high:
        msg = (
            f"`{names[0]}` must be below {names[1]}, got {low} and {high}. Swap or "
            "widen them."
        )
        raise ValueError(msg)


def plain_number(value: Any, argument: str) -> None:
    """Raise unless `value` is a number of Python or NumPy: a variable would freeze."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        msg = (
            f"`{argument}` must be a plain number, got {type(value).__name__}. It is a "
            "setting, which is not trained."
        )
        raise TypeError(msg)


def fraction(value: float, argument: str) -> None:
    """Raise unless `0 <= value < 1`."""
    at_least(value, 0, argument)
    if not value < 1:
        msg = f"`{argument}` must be at least 0 and below 1, got {value!r}."
        raise ValueError(msg)


def verbosity(value: Any) -> None:
    """Raise unless `value` says how much to print, as Keras' `verbose` does."""
    if not isinstance(value, (str, numbers.Integral)) or value != "0":
        one_of(value, ("auto", 0, 1, 2), "verbose")


def supports_floating(dtype: Any, owner: str) -> None:
    """Raise unless `dtype` is float32 or float64."""
    name = getattr(dtype, "name", str(dtype))
    if name not in ("float32", "float64"):
        msg = f"{owner} needs float32 or float64 values, got {name}. Cast the input."
        raise TypeError(msg)
