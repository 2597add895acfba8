"""The flow of a fit: built for its rows, if it was given by name."""

from __future__ import annotations

import inspect
from typing import Any

from tfp_flows import _checks, _findings, flows
from tfp_flows.flows._model.policy import dtype_policy
from tfp_flows.preprocessing import Preprocessing
from tfp_flows.training.data import arrays, kinds, request, screening

__all__ = ["flow_of", "is_small_table", "refuse_options"]

# Up to so many rows a network remembers single events: dropout holds it back.
SMALL_TABLE = 20_000


def flow_of(
    asked: request.Request,
    told: kinds.Kinds,
    screened: screening.Screened,
    every: arrays.Data,
) -> flows.Flow:
    """Return the flow, built for the rows if it was given by name.

    Args:
        asked: What `fit` is asked for.
        told: What is said of the columns.
        screened: What was found in the rows, which is reported here.
        every: The rows.
    """
    if not isinstance(asked.flow, str):
        screened.settle_dtype(str(asked.flow.variable_dtype), chosen=True)
        _findings.report(screened.findings)
        refuse_options(asked.options)
        return _told_names(asked.flow, every)
    found = _dtype(screened, asked.options)
    _findings.report(screened.findings)
    if told.names is not None:
        found["columns"] = told.names
    if (of_conditions := told.choose_conditions(every)) is not None:
        found["condition_columns"] = of_conditions
    if screened.kinds is not None:
        found["preprocessing"] = Preprocessing(screened.kinds)
    flow = _built(asked.flow, every, asked.seed, {**found, **asked.options})
    return _told_names(flow, every)


def _dtype(screened: screening.Screened, options: dict[str, Any]) -> dict[str, Any]:
    """Return the option of the dtype that the data need, if they need one."""
    dtype = options.get("dtype")
    policy = dtype_policy(dtype)
    wanted = screened.settle_dtype(policy.variable_dtype, chosen=dtype is not None)
    return {} if wanted == policy.variable_dtype else {"dtype": wanted}


def _built(
    name: str, train: arrays.Data, seed: int | None, options: dict[str, Any]
) -> flows.Flow:
    """Return a flow of a name, built for the data."""
    condition = train.condition
    shape = None if condition is None else condition.shape[1:] or (1,)
    names = {"columns": train.columns, "condition_columns": train.condition_columns}
    chosen = _defaults(name, train)
    if options.get("adjacency") is not None:
        chosen.pop("mixing", None)  # which would connect all coordinates
    options = {**names, **chosen, **options}
    return flows.build(name, train.x.shape[1:], shape, seed=seed, **options)


def _told_names(flow: flows.Flow, train: arrays.Data) -> flows.Flow:
    """Tell a flow the names and units of the rows, if it knows none."""
    if flow.columns is None and train.columns is not None:
        flow.columns = train.columns
        flow.condition_columns = train.condition_columns
    _learn_units(flow, train)
    return flow


def _defaults(name: str, train: arrays.Data) -> dict[str, Any]:
    """Return the options that suit the data, where a flow has them."""
    _checks.one_of(name, flows.all_names(), "flow")
    kind = flows.flow_class(name)
    policy, known = kind.fit_policy, inspect.signature(kind).parameters
    if policy.base is None:
        return {}
    found = {"base": policy.base, "dropout": 0.0}
    if is_small_table(train):
        found["dropout"] = policy.dropout
        found |= {} if policy.mixing is None else {"mixing": policy.mixing}
    return {option: value for option, value in found.items() if option in known}


def is_small_table(train: arrays.Data) -> bool:
    """Return whether a network can remember the rows, and must be held back."""
    is_table = train.x.ndim == 2 and train.x.shape[1] > 2
    return is_table and len(train) <= SMALL_TABLE


def _learn_units(flow: flows.Flow, train: arrays.Data) -> None:
    """Keep what dates and lengths of time of the rows are counted in."""
    if flow.condition_kinds is None and train.condition_labels:
        name = next(iter(train.condition_labels))
        msg = (
            f"condition column {name!r} holds categories, and the flow was built for "
            "numbers. Build it with condition_columns={"
            f"{name!r}: ('category', labels)}}, or give its name."
        )
        raise ValueError(msg)
    if flow.column_types is None and train.types is not None:
        flow.column_types = dict(train.types)
    if flow.units is None and (train.columns or train.condition_columns):
        flow.units = {
            "columns": dict(train.units),
            "condition_columns": dict(train.condition_units),
        }


def refuse_options(options: dict[str, Any]) -> None:
    """Raise if there are options for a flow that is built already."""
    if options:
        msg = (
            "`options` must be given when the flow is built, got "
            f"{sorted(options)} with a flow that exists. Give a name instead."
        )
        raise TypeError(msg)
