"""Conditions that are no plain numbers: categories, angles, and values by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _findings, _serialize
from tfp_flows.datasets import dates
from tfp_flows.networks.condition import ConditionEmbedding
from tfp_flows.networks.encoding import Encoding
from tfp_flows.preprocessing import Column

__all__ = [
    "by_key",
    "coded",
    "embedding",
    "encodings",
    "labels_of",
    "noticed",
    "read_kinds",
    "require_labels",
]


def read_kinds(names: Any) -> tuple[Column, ...] | None:
    """Return the kind of each condition of a mapping, `None` if all are numbers.

    Bounds, steps and atoms say what a density is, and have no part in a condition.

    Raises:
        ValueError: If a kind is unknown, or if the labels of a category are missing.
    """
    if not isinstance(names, Mapping):
        return None
    kinds = []
    for name, kind in names.items():
        column = Column.read(kind, str(name))
        if column.categories == ():
            msg = (
                f"`condition_columns` must list the labels of {name!r}, got "
                '"category" alone. Write ("category", labels), or let tfp_flows.fit '
                "build the flow."
            )
            raise ValueError(msg)
        seen = column.categories is not None or column.periodic
        kinds.append(column if seen else Column())
    return None if all(kind.is_plain for kind in kinds) else tuple(kinds)


def embedding(
    shape: tuple[int, ...] | None,
    network: keras.Layer | None,
    kinds: Sequence[Column] | None,
    *,
    maps: bool,
    dtype: str,
) -> ConditionEmbedding | None:
    """Return what the layers of a flow see of its condition, if it has one.

    Args:
        shape: Shape of the condition.
        network: Through which it passes.
        kinds: What its columns are.
        maps: Whether layers take feature maps.
        dtype: Of the flow.

    Raises:
        ValueError: If there is a network, but no condition.
    """
    if shape is not None:
        return ConditionEmbedding(
            shape, network, maps=maps, encodings=encodings(kinds), dtype=dtype
        )
    if network is not None:
        msg = "`embedding` needs a condition. Give condition_shape as well."
        raise ValueError(msg)
    return None


def encodings(kinds: Sequence[Column] | None) -> list[Encoding] | None:
    """Return what networks make of conditions of these kinds."""
    return None if kinds is None else [_encoding(kind) for kind in kinds]


def _encoding(kind: Column) -> Encoding:
    if kind.values is not None:
        return ("labels", *kind.values)
    return ("period", kind.low, kind.high) if kind.periodic else None


def labels_of(
    names: Sequence[str] | None, kinds: Sequence[Column] | None
) -> dict[str, Sequence[Any]]:
    """Return the labels of columns whose numbers are positions of labels."""
    pairs = zip(names or (), kinds or (), strict=False)
    return {
        name: kind.categories
        for name, kind in pairs
        if kind.categories is not None and kind.values != kind.categories
    }


def by_key(
    condition: Any, names: Sequence[str] | None, units: Mapping[str, str]
) -> Any:
    """Return values by name in their order; anything else unchanged.

    Args:
        condition: Such as `{"colour": "red", "size": 2.0}`, of one condition, or with
            arrays `[N]`.
        names: Names of the conditions.
        units: What dates and lengths of time are counted in, by name.

    Raises:
        ValueError: If the names differ.
    """
    if not isinstance(condition, Mapping):
        return condition
    given = {str(name): value for name, value in condition.items()}
    if names is None or set(given) != set(names):
        wanted = "an array, as it has no names" if names is None else list(names)
        msg = f"`condition` must have {wanted}, got {list(given)}. Rename them."
        raise ValueError(msg)
    parts = [
        dates.counted(given[name], units[name], f"condition column {name!r}")
        if name in units
        else np.asarray(given[name])
        for name in names
    ]
    if all(part.dtype.kind in "fiub" for part in parts):
        return np.stack(np.broadcast_arrays(*parts), axis=-1)
    return np.stack(np.broadcast_arrays(*[p.astype(object) for p in parts]), axis=-1)


def coded(
    condition: Any, names: Sequence[str] | None, kinds: Sequence[Column] | None
) -> Any:
    """Return conditions with text as numbers; those without text unchanged.

    Args:
        condition: Array, list or text, `[..., C]`, or `[...]` of one condition.
        names: Names of the conditions.
        kinds: What they are.

    Raises:
        ValueError: Naming the first label that is unknown.
    """
    if kinds is None or condition is None or tf.is_tensor(condition):
        return condition
    if callable(condition) or hasattr(condition, "assign"):
        return condition
    array = np.asarray(condition)
    if array.dtype.kind not in "OSU":
        return condition
    if array.dtype.kind == "S":
        array = array.astype(str)
    if len(kinds) == 1 and array.shape[-1:] != (1,):
        array = array[..., np.newaxis]
    if array.shape[-1:] != (len(kinds),):
        msg = (
            f"`condition` must have {len(kinds)} values in its last dimension, got "
            f"shape {array.shape}."
        )
        raise ValueError(msg)
    out = np.empty(array.shape, np.float64)
    for i, kind in enumerate(kinds):
        known = dict(zip(kind.categories or (), kind.values or (), strict=True))
        for place in np.ndindex(array.shape[:-1]):
            cell = array[(*place, i)]
            cell = _serialize.plain(cell)
            try:
                out[(*place, i)] = known[cell] if cell in known else float(cell)
            except (TypeError, ValueError):
                raise _unknown(names, i, kind, cell, place[:1]) from None
    return out


def require_labels(
    condition: Any, names: Sequence[str] | None, kinds: Sequence[Column] | None
) -> None:
    """Raise if a number stands for no label, where the numbers are known.

    Args:
        condition: Numbers, `[..., C]`.
        names: Names of the conditions.
        kinds: What they are.

    Raises:
        ValueError: Naming the first one.
    """
    if kinds is None or condition is None or callable(condition):
        return
    if tf.is_tensor(condition) and not hasattr(condition, "numpy"):  # in a graph
        return
    array = np.asarray(condition)
    if array.dtype.kind not in "fiub" or array.shape[-1:] != (len(kinds),):
        return  # what reads it says so
    for i, kind in enumerate(kinds):
        if kind.values is None:
            continue
        known = np.array(kind.values, array.dtype if array.dtype.kind == "f" else None)
        bad = np.argwhere(~np.isin(array[..., i], known))
        if len(bad):
            place = tuple(int(j) for j in bad[0])
            raise _unknown(names, i, kind, float(array[(*place, i)]), place[:1])


def _unknown(
    names: Sequence[str] | None,
    position: int,
    kind: Column,
    cell: Any,
    row: tuple[int, ...],
) -> ValueError:
    name = names[position] if names else position + 1
    shown = _shown(cell)
    where = f" in row {row[0] + 1}" if row else ""
    if kind.categories is None:
        what, remedy = "numbers", "Correct it."
    else:
        labels = [_shown(label) for label in kind.categories]
        what = "one of the labels " + ", ".join(labels[:8])
        what += ", ..." if len(labels) > 8 else ""
        if kind.values != kind.categories:
            what += f" (as numbers 0 to {len(labels) - 1})"
        remedy = "Drop such rows, or fit with them."
    return ValueError(
        f"condition column {name!r} must hold {what}, got {shown}{where}. {remedy}"
    )


def _shown(cell: Any) -> str:
    return f"{cell:g}" if isinstance(cell, float) else repr(cell)


def noticed(flow: Any, condition: tf.Tensor) -> tf.Tensor:
    """Return conditions, with a notice where they are not finite.

    A network of one's own may know what to do with them.

    Args:
        flow: The flow that is given them.
        condition: `[..., *condition_shape]`.
    """
    network = getattr(flow, "_embedding_network", None)
    if network is None and flow.condition_shape is not None:
        _findings.notice_conditions(condition, len(flow.condition_shape))
    return condition
