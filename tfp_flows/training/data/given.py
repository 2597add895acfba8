"""What `fit` is given, read: the flow, its data, and the rows held out."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import tensorflow as tf

from tfp_flows import flows
from tfp_flows.flows.images import base as image_flows
from tfp_flows.preprocessing import Preprocessing
from tfp_flows.preprocessing.checks import label
from tfp_flows.training.data import (
    arrays,
    building,
    files,
    kinds,
    named,
    noises,
    request,
    screening,
)

__all__ = ["VALIDATION", "Given", "read"]

# Share of the rows that are held out.
VALIDATION = 0.1
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
        noise: What is added to the rows of each batch.
    """

    flow: flows.Flow
    every: arrays.Data
    train: arrays.Data
    held_out: arrays.Data | tf.data.Dataset | None
    dataset: tf.data.Dataset | None
    share: bool
    average: float | None = None
    files: files.FileRows | None = None
    noise: noises.Noise = noises.NONE

    @property
    def rows(self) -> int:
        """Number of rows to train on, as far as it is known."""
        return len(self.train) if self.files is None else self.files.rows

    def described(self) -> tuple[str, ...]:
        """Return the columns that are no plain numbers, a line for each, and noise."""
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
        return (*lines, *self.noise.described())

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


def read(asked: request.Request) -> Given:
    """Read what `fit` is given, and build the flow if it was given by name."""
    asked.require_consistent()
    told = kinds.Kinds(asked.columns)
    if not isinstance(asked.flow, str) and told.is_told:
        building.refuse_options({"columns": asked.columns, **asked.options})
    screened = _screened(asked, told, _rows(asked, told))
    every = screened.data.counted()  # rows of weight 0 need be no such values
    flow = building.flow_of(asked, told, screened, every)
    if isinstance(flow, image_flows.ImageFlow):
        flow.require_pixels(every.x)
    flow.require_values(every.x)
    _require_tails(flow)
    _warn_of_one_number(flow)
    validation = asked.validation
    if isinstance(validation, str):
        holds_out = asked.dataset is None and flow.needs_validation(len(every))
        validation = VALIDATION if holds_out else None
    train, held_out = _hold_out(asked, flow, every, validation)
    share = asked.dataset is None and isinstance(validation, float)
    small = isinstance(asked.flow, str) and building.is_small_table(every)
    average = flow.fit_policy.average if small else None
    return Given(flow, every, train, held_out, asked.dataset, share, average)


def _rows(asked: request.Request, told: kinds.Kinds) -> arrays.Data:
    """Return all rows, or the first ones of a dataset, by the names of a flow."""
    flow, x, condition = asked.flow, asked.x, asked.condition
    if asked.dataset is not None:
        return arrays.read(x, None if isinstance(flow, str) else flow.event_shape)
    if isinstance(x, dict) and condition is None:
        x, condition = named.of_dict(x)
    x, condition, *apart = named.apart(x, condition, asked.groups, asked.time)
    if isinstance(flow, flows.Flow):
        x, condition = named.ordered(flow, x, condition)
    condition = told.read_condition(condition)
    every = arrays.Data(
        told.read(x), condition, asked.weights, missing=asked.missing, seed=asked.seed
    )
    every.place(*apart)
    return every


def _screened(
    asked: request.Request, told: kinds.Kinds, every: arrays.Data
) -> screening.Screened:
    """Return what there is to say of the rows, and what their columns are."""
    detects = asked.detects_kinds

    def kinds_of(data: arrays.Data) -> Any:
        if isinstance(asked.flow, flows.Flow):
            spec = asked.flow.preprocessing
            return None if spec is None else spec.columns
        spec = Preprocessing.read(asked.options.get("preprocessing"))
        return told.choose(data, detects=detects) if spec is None else spec.columns

    return screening.screen(
        every,
        asked.outliers,
        is_part=asked.dataset is not None,
        kinds=kinds_of,
        notices=told.notices if detects else lambda *_: [],
        remedy=asked.remedy(),
    )


def _hold_out(
    asked: request.Request, flow: flows.Flow, every: arrays.Data, validation: Any
) -> tuple[arrays.Data, arrays.Data | tf.data.Dataset | None]:
    """Return the rows to train on, and the validation rows."""
    train, held_out = every, None
    is_share = isinstance(validation, (float, int, type(None)))
    if isinstance(validation, tf.data.Dataset):
        held_out = named.ending(validation)
    elif asked.dataset is None or not is_share:
        rows = named.in_order(flow, validation)
        train, held_out = arrays.hold_out(
            every, rows, asked.seed, missing=asked.missing
        )
        if isinstance(rows, (tuple, list)) and held_out is not None:
            flow.require_values(held_out.x)
    if not is_share:  # else rows of `x`
        named.require_shapes(flow, held_out)
    return train, held_out


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
