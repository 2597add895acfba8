"""What `fit` is given, read: the flow, its data, and the rows held out."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _checks, _findings, flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.flows.images import base as image_flows
from tfp_flows.preprocessing import Preprocessing
from tfp_flows.preprocessing.checks import label
from tfp_flows.training.data import arrays, files, kinds, named, screening

__all__ = ["VALIDATION", "Given", "read", "takes_kinds"]

# Share of the rows that are held out.
VALIDATION = 0.1
# Up to so many rows a network remembers single events: dropout holds it back.
SMALL_TABLE = 20_000
# Bases of one form.
SIMPLE = ("normal", "diagonal-normal", "student-t", "uniform")


@dataclasses.dataclass(frozen=True)
class Given:
    """What a fit is given.

    Args:
        flow: The flow.
        every: All events, or the first ones of a dataset.
        train: Those of them to train on.
        held_out: Validation rows, or a dataset of them, or `None`.
        dataset: The dataset of batches to train on, if that was given.
        share: Whether the validation rows are a share of the events.
        average: Decay of the average of weights that suits the flow and the events.
        files: Where the rows are, if these are a sample of them.
    """

    flow: flows.Flow
    every: arrays.Data
    train: arrays.Data
    held_out: arrays.Data | tf.data.Dataset | None
    dataset: tf.data.Dataset | None
    share: bool
    average: float | None = None
    files: files.FileRows | None = None

    @property
    def rows(self) -> int:
        """Number of rows to train on, as far as it is known."""
        return len(self.train) if self.files is None else self.files.rows

    def described(self) -> tuple[str, ...]:
        """Return what the columns are, a line for each that is no plain number."""
        spec, data = self.flow.preprocessing, self.every
        kinds = () if spec is None else spec.columns
        lines = [
            f"{label(self.flow.columns, i)}: {kind}"
            for i, kind in enumerate(kinds)
            if not kind.is_plain
        ]
        lines += [
            f"condition column {name!r}: {kind}"
            for name, kind in zip(
                self.flow.condition_columns or (),
                self.flow.condition_kinds or (),
                strict=False,
            )
            if not kind.is_plain
        ]
        lines += [f"column {name!r}: {unit}" for name, unit in data.units.items()]
        units = data.condition_units
        lines += [f"condition column {name!r}: {unit}" for name, unit in units.items()]
        if data.imputed:
            lines.append(data.gaps())
        return tuple(lines)

    def at_hand(self) -> tuple[Any, Any]:
        """Return all events and their conditions, `None` if they are in a dataset."""
        if self.dataset is not None or self.files is not None:
            return None, None
        return self.every.x, self.every.condition

    def adapt(self) -> None:
        """Set data-dependent layers; a bounded base has all events in its box."""
        bounded = self.flow.base.bounds is not None
        seen = (self.every if bounded else self.train).counted()
        self.flow.adapt(seen.x, seen.condition)
        if self.files is not None:
            self.files.set_units(self.flow)


def read(
    flow: flows.Flow | str,
    x: TensorLike | tf.data.Dataset,
    condition: Condition,
    weights: TensorLike | None,
    validation: Any,
    *,
    noise: float,
    seed: int | None,
    options: dict[str, Any],
    missing: str = "error",
    outliers: str = "drop",
    groups: Any = None,
    time: Any = None,
    columns: Any = "auto",
    detects: bool = True,
) -> Given:
    """Read what `fit` is given, and build the flow if it was given by name."""
    require_share(validation, groups, time)
    _require_gaps(missing, flow)
    told = kinds.Kinds(columns)
    if not isinstance(flow, str) and told.is_told:
        refuse_options({"columns": columns, **options})
    dataset = x if isinstance(x, tf.data.Dataset) else None
    if dataset is not None:
        require_alone(condition, weights, noise)
        require_share(dataset, groups, time)
        shape = None if isinstance(flow, str) else flow.event_shape
        every = arrays.read(dataset, shape)
    else:
        if isinstance(x, dict) and condition is None:
            x, condition = named.of_dict(x)
        if isinstance(flow, flows.Flow):
            x, condition = named.ordered(flow, x, condition)
        condition = told.read_condition(condition)
        x = told.read(x)
        every = arrays.Data(x, condition, weights, missing=missing, seed=seed)
        every.place(groups, time)
    detects = detects and not noise and dataset is None
    detects = detects and takes_kinds(flow, options)

    def kinds_of(data: arrays.Data) -> Any:
        if isinstance(flow, flows.Flow):
            spec = flow.preprocessing
            return None if spec is None else spec.columns
        if (given := Preprocessing.read(options.get("preprocessing"))) is not None:
            return given.columns
        return told.choose(data, detects=detects)

    screened = screening.screen(
        every,
        outliers,
        is_part=dataset is not None,
        kinds=kinds_of,
        notices=told.notices if detects else lambda *_: [],
        remedy=remedy_for(flow, options, noise=noise, is_part=dataset is not None),
    )
    every = screened.data.counted()  # rows of weight 0 need be no such values
    by_name = isinstance(flow, str)
    flow, dtype = _in_dtype(flow, screened, options)
    _findings.report(screened.findings)
    if isinstance(flow, str):
        dtype |= {} if told.names is None else {"columns": told.names}
        if (of_conditions := told.choose_conditions(every)) is not None:
            dtype["condition_columns"] = of_conditions
        if screened.kinds is not None:
            dtype["preprocessing"] = Preprocessing(screened.kinds)
    flow = _built(flow, every, seed, {**dtype, **options})
    if isinstance(flow, image_flows.ImageFlow):
        flow.require_pixels(every.x)
    flow.require_values(every.x)
    _require_tails(flow)
    _warn_of_one_number(flow)
    if isinstance(validation, str):
        holds_out = dataset is None and flow.needs_validation(len(every))
        validation = VALIDATION if holds_out else None
    train, held_out = every, None
    if isinstance(validation, tf.data.Dataset):
        held_out = named.ending(validation)
    elif dataset is None or not isinstance(validation, (float, int, type(None))):
        rows = named.in_order(flow, validation)
        train, held_out = arrays.hold_out(every, rows, seed, missing=missing)
        if isinstance(rows, (tuple, list)) and held_out is not None:
            flow.require_values(held_out.x)
    if not isinstance(validation, (float, int, type(None))):  # else rows of `x`
        named.require_shapes(flow, held_out)
    share = dataset is None and isinstance(validation, float)
    small = by_name and is_small_table(every)
    average = flow.fit_policy.average if small else None
    return Given(flow, every, train, held_out, dataset, share, average)


def _in_dtype(
    flow: flows.Flow | str, screened: screening.Screened, options: dict[str, Any]
) -> tuple[flows.Flow | str, dict[str, Any]]:
    """Return the option of the dtype that the data need, if they need one."""
    if not isinstance(flow, str):
        screened.settle_dtype(str(flow.variable_dtype), chosen=True)
        return flow, {}
    dtype = options.get("dtype")
    policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
    wanted = screened.settle_dtype(policy.variable_dtype, chosen=dtype is not None)
    return flow, {} if wanted == policy.variable_dtype else {"dtype": wanted}


def remedy_for(
    flow: flows.Flow | str, options: dict[str, Any], *, noise: float, is_part: bool
) -> str:
    """Return what to do about equal values that a fit takes for numbers.

    Args:
        flow: The flow, or its name.
        options: Of the flow.
        noise: Of the fit.
        is_part: Whether the rows come from a dataset.
    """
    if isinstance(flow, str) and not takes_kinds(flow, options):
        return (
            f"{flow!r} has no masses of single values: fit 'nsf-ar', or spread the "
            "values over their steps by uniform noise."
        )
    if noise:
        return "Leave out `noise`, and such values get masses."
    if is_part:
        return (
            "Columns of a dataset are not detected: give arrays, or preprocessing= "
            "with the kind of each column."
        )
    return kinds.REMEDY


def takes_kinds(flow: flows.Flow | str, options: dict[str, Any]) -> bool:
    """Whether a flow of this name can take columns for more than numbers."""
    if not isinstance(flow, str) or flow not in flows.names():
        return False
    base = options.get("base", "normal")
    has_tails = not isinstance(base, str) or base in ("normal", "student-t")
    kind = flows.flow_class(flow)
    by_gradients = kind.fit_policy.method == "gradients"
    return by_gradients and has_tails and kind.takes_kinds


def _require_gaps(missing: str, flow: flows.Flow | str) -> None:
    """Raise if rows with gaps are to be fitted, and the flow does not take them."""
    if missing != "marginal" or answers_any(flow):
        return
    name = flow if isinstance(flow, str) else type(flow).__name__
    msg = (
        "`missing` 'marginal' needs a flow whose density leaves cells out, got "
        f"{name!r}. Fit with conditionals='any', or fill them by missing='impute'."
    )
    raise ValueError(msg)


def answers_any(flow: Any) -> bool:
    """Whether a flow, or one of a name, has the density of any of its columns."""
    if isinstance(flow, str):
        _checks.one_of(flow, (*flows.names(), *flows.image_names()), "flow")
        flow = flows.flow_class(flow)
    return getattr(flow, "answers_any", False)


def require_alone(condition: Any, weights: Any, noise: float) -> None:
    """Raise if something comes beside a dataset that has to come with it."""
    if condition is not None or weights is not None or noise:
        msg = (
            "`condition`, `weights` and `noise` must come with the dataset, got "
            "them beside it. Let it yield {'x': ..., 'condition': ...}."
        )
        raise ValueError(msg)


def require_share(validation: Any, groups: Any, time: Any) -> None:
    """Raise if no share of rows is held out, but it is said which rows these are."""
    if isinstance(validation, (str, float)) or (groups is None and time is None):
        return
    name = "time" if groups is None else "groups"
    msg = (
        f"`{name}` says which rows are held out, and needs a share of the rows of "
        f"arrays, got a `{type(validation).__name__}`. Pass validation=0.1, or leave "
        "it out."
    )
    raise ValueError(msg)


def _require_tails(flow: flows.Flow) -> None:
    """Raise if data would leave the box of the base, where densities are 0."""
    if flow.base.bounds is not None and not flow.keeps_bounds:
        msg = (
            f"`base` must have tails to fit a `{type(flow).__name__}`, got "
            f"{flow.base.kind!r}: its maps leave the box of the base, where densities "
            "are 0. Use 'normal' or 'student-t', or fit 'nsf' or 'nsf-ar'."
        )
        raise ValueError(msg)


def _warn_of_one_number(flow: flows.Flow) -> None:
    """Warn if the flow can only move and scale its base: of events of one number."""
    given = flow.base.kind
    if flow.event_size == 1 and getattr(flow, "is_affine", False) and given in SIMPLE:
        msg = (
            f"A `{type(flow).__name__}` of events of one number only shifts and scales "
            f"its base, {given!r}: no other form can be fitted. Take 'nsf-ar', 'nsf' "
            "or 'rbig', which bend it."
        )
        warnings.warn(msg, UserWarning, stacklevel=2)


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


def _built(
    flow: flows.Flow | str,
    train: arrays.Data,
    seed: int | None,
    options: dict[str, Any],
) -> flows.Flow:
    """Return the flow for the data, built if it was given by name."""
    if isinstance(flow, str):
        condition = train.condition
        shape = None if condition is None else condition.shape[1:] or (1,)
        names = {"columns": train.columns, "condition_columns": train.condition_columns}
        chosen = _defaults(flow, train)
        if options.get("adjacency") is not None:
            chosen.pop("mixing", None)  # which would connect all coordinates
        options = {**names, **chosen, **options}
        flow = flows.build(flow, train.x.shape[1:], shape, seed=seed, **options)
    else:
        refuse_options(options)
    if flow.columns is None and train.columns is not None:
        flow.columns = train.columns
        flow.condition_columns = train.condition_columns
    _learn_units(flow, train)
    return flow


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
