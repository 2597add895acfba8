"""Checks of shapes, and of indices into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfp_flows._checks.words import is_whole
from tfp_flows._types import Shape

__all__ = [
    "batch_index",
    "event_shape",
    "hidden_units",
    "optional_shape",
    "require_trailing",
    "sample_shape",
    "static_shape",
]


def static_shape(shape: Shape, argument: str) -> tuple[int, ...]:
    """Return `shape` as a tuple of positive ints."""
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


def optional_shape(shape: Shape | None, argument: str) -> tuple[int, ...] | None:
    """Return `shape` as a tuple of positive ints, `None` unchanged."""
    return None if shape is None else static_shape(shape, argument)


def event_shape(shape: Shape) -> tuple[int, ...]:
    """Return the shape of one event as a tuple of positive ints."""
    if shape is None:
        msg = "`event_shape` must be given. Pass for example 2 or (28, 28, 1)."
        raise ValueError(msg)
    return static_shape(shape, "event_shape")


def hidden_units(widths: Any, remedy: str = "", *, least: int = 1) -> tuple[int, ...]:
    """Return the widths of hidden layers as a tuple, or raise if there are too few.

    Args:
        widths: One int or several.
        remedy: What else can be done.
        least: 0 where there may be no hidden layer.

    Raises:
        ValueError: If they are no positive ints, or too few.
    """
    found = optional_shape(widths, "hidden_units")
    if found is None or len(found) < least:
        what = "at least one hidden layer" if least else "hidden layers"
        msg = (
            f"`hidden_units` must be the widths of {what}, got {widths!r}. Pass for "
            f"example (64, 64){remedy}."
        )
        raise ValueError(msg)
    return found


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
        if not is_whole(size):
            msg = f"`sample_shape` must be whole numbers, got {shape!r}. {hint}"
            raise TypeError(msg)
        if int(size) < 0:
            msg = f"`sample_shape` must not be negative, got {shape!r}. {hint}"
            raise ValueError(msg)
        if int(size) >= 2**31:
            msg = f"`sample_shape` must be below 2**31, got {shape!r}. Draw in parts."
            raise ValueError(msg)


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
