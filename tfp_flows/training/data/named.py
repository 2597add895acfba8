"""Events and conditions as a flow that exists has them: by name, in its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, datasets, flows
from tfp_flows.flows.images import base as image_flows
from tfp_flows.training.data import arrays

__all__ = ["apart", "ending", "in_order", "of_dict", "ordered", "recoded"]


def of_dict(x: dict[str, Any]) -> tuple[Any, Any]:
    """Return the events and conditions of a dict of both."""
    unknown = set(x) - {"x", "condition"}
    if unknown or "x" not in x:
        msg = (
            "`x` as a dict must have 'x', and 'condition' if there is one, got the "
            f"keys {list(x)}. Of columns by name make a frame: pandas.DataFrame(x)."
        )
        raise ValueError(msg)
    return x["x"], x.get("condition")


def apart(x: Any, condition: Any, groups: Any, time: Any) -> tuple[Any, Any, Any, Any]:
    """Return events and conditions without the columns that say how to hold out rows.

    Args:
        x: Events.
        condition: Conditions.
        groups: What rows belong together, or the name of a column of either table.
        time: When rows were observed, or such a name.

    Returns:
        Events, conditions, groups and times.

    Raises:
        ValueError: If there is no column of this name, or no other column.
    """
    found = {"groups": groups, "time": time}
    taken = {key: name for key, name in found.items() if isinstance(name, str)}
    tables = [x, condition]
    columns = [_column_names(table) for table in tables]
    for key, name in taken.items():
        place = next((i for i, names in enumerate(columns) if name in names), None)
        if place is None:
            known = [n for names in columns for n in names]
            there = f"the columns are {', '.join(map(repr, known))}"
            hint = _checks.did_you_mean(name, known) or "."
            msg = (
                f"`{key}` must name a column of `x` or `condition`, or hold a value "
                f"for each row, got {name!r}; "
                f"{there if known else 'arrays have no names'}{hint}"
            )
            raise ValueError(msg)
        found[key] = _values(tables[place], name)
    for i, names in enumerate(columns):
        rest = [name for name in names if name not in taken.values()]
        if len(rest) < len(names):
            if not rest:
                msg = (
                    f"`{'x' if i == 0 else 'condition'}` must have a column beside "
                    f"{', '.join(map(repr, names))}, which say how rows are held out."
                )
                raise ValueError(msg)
            tables[i] = (
                tables[i].select(rest)
                if isinstance(tables[i], datasets.Table)
                else datasets.frames.select(tables[i], rest)
            )
    return tables[0], tables[1], found["groups"], found["time"]


def _column_names(data: Any) -> tuple[str, ...]:
    """Return the names of the columns of a table or a frame, none of anything else."""
    if isinstance(data, datasets.Table):
        return data.columns
    is_frame = datasets.frames.is_frame(data) and not datasets.frames.is_series(data)
    return datasets.frames.names(data) if is_frame else ()


def _values(data: Any, name: str) -> np.ndarray:
    """Return the cells of a column."""
    if isinstance(data, datasets.Table):
        return data.select([name]).x[:, 0]
    ((_, series),) = datasets.frames.take(data, [name])
    return series.to_numpy()


def ordered(flow: flows.Flow, x: Any, condition: Any) -> tuple[Any, Any]:
    """Return data as the flow has them; it learns names that it does not know."""
    if flow.units is None and (flow.columns or flow.condition_columns):
        flow.units = {
            "columns": _units(x, flow.columns, flow.category_labels()),
            "condition_columns": _units(
                condition, flow.condition_columns, flow.condition_labels()
            ),
        }
    ordered = flow.in_order(x, condition)
    unnamed = flow.columns is None and datasets.frames.is_frame(x)
    unknown = flow.condition_columns is None and datasets.frames.is_frame(condition)
    return x if unnamed else ordered[0], condition if unknown else ordered[1]


def _units(data: Any, names: Any, labels: Any) -> dict[str, str]:
    """Return what dates and lengths of time in a frame are counted in."""
    is_frame = datasets.frames.is_frame(data) and not datasets.frames.is_series(data)
    if is_frame and names and set(names) <= set(datasets.frames.names(data)):
        data = datasets.to_table(datasets.frames.select(data, names), labels=labels)
    return dict(data.units) if isinstance(data, datasets.Table) else {}


def in_order(flow: flows.Flow, validation: Any) -> Any:
    """Return events held out as `(x, condition, ...)`, columns as the flow has them."""
    if validation is None or isinstance(validation, (float, int)):
        return validation
    if not isinstance(validation, (tuple, list)):
        validation = (validation,)
    if isinstance(validation[0], dict):
        validation = (*of_dict(validation[0]), *validation[2:])
    given = (*validation, None)[:2]
    if isinstance(flow, image_flows.ImageFlow):
        flow.require_pixels(given[0], "validation")
    return (*flow.in_order(*given), *validation[2:])


def require_shapes(flow: flows.Flow, held_out: Any) -> None:
    """Raise unless rows held out are events, with conditions, of a flow.

    Args:
        flow: The flow.
        held_out: Rows, or a dataset of batches of them; `None` for none.

    Raises:
        ValueError: If they are of another shape, or conditions are missing or extra.
    """
    if held_out is None:
        return
    if isinstance(held_out, tf.data.Dataset):
        x, condition = arrays.batch_of(held_out.element_spec)[:2]
    else:
        x, condition = held_out.x, held_out.condition
    parts = {"events": (x, flow.event_shape)}
    if (condition is None) != (flow.condition_shape is None):
        held = "(x, condition)" if condition is None else "(x,)"
        state = "none" if condition is None else "conditions"
        msg = (
            "`validation` must have conditions if the flow has them, and only then: "
            f"its condition_shape is {flow.condition_shape}, got {state}. Pass "
            f"validation={held}."
        )
        raise ValueError(msg)
    if flow.condition_shape is not None:
        parts["conditions"] = condition, flow.condition_shape
    for what, (value, shape) in parts.items():
        found = tf.TensorShape(getattr(value, "shape", None))
        of_one = found.rank == 1 and tuple(shape) == (1,)
        if not of_one and not found[1:].is_compatible_with(shape):
            msg = (
                f"`validation` must hold {what} of shape {('N', *shape)}, as the flow "
                f"has them, got shape {tuple(found)}. Give it the columns that the "
                "training rows have."
            )
            raise ValueError(msg)


def ending(validation: tf.data.Dataset) -> tf.data.Dataset:
    """Return a dataset of validation batches, if it ends."""
    if validation.cardinality() == tf.data.INFINITE_CARDINALITY:
        msg = (
            "`validation` must end, got a dataset that repeats for ever. Leave out its "
            "`repeat`, or take some of its batches."
        )
        raise ValueError(msg)
    return validation


def recoded(
    x: np.ndarray,
    columns: Sequence[str],
    labels: Mapping[str, Sequence[Any]],
    known: Mapping[str, Sequence[Any]],
) -> np.ndarray:
    """Return rows whose numbers stand for the labels of a flow, not for their own.

    Args:
        x: Rows, `[N, D]`.
        columns: Names of their columns.
        labels: What their numbers stand for, by column, from 0 on.
        known: What those of the flow stand for.

    Raises:
        ValueError: Naming the first label that the flow does not know.
    """
    out = np.array(x)
    for i, name in enumerate(columns):
        if name not in labels or name not in known:
            continue
        found = [labels[name][int(code)] for code in x[:, i]]
        places = {label: place for place, label in enumerate(known[name])}
        row = next((r for r, label in enumerate(found) if label not in places), None)
        if row is not None:
            msg = (
                f"column {name!r} must hold one of the labels {list(places)}, got "
                f"{found[row]!r}. Drop such rows, or fit with them."
            )
            raise ValueError(msg)
        out[:, i] = [places[label] for label in found]
    return out
