"""What all measures look at: rows, their densities, base variables, and samples."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _results, flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.datasets.table import default_columns
from tfp_flows.distributions import bases
from tfp_flows.math import normal
from tfp_flows.training import report
from tfp_flows.training.data import arrays

__all__ = ["Evidence", "Rows", "collect", "exact_copy", "read"]

# Rows that are looked at, evenly spread over all, and samples beside them.
MOST_ROWS, SAMPLES = 10_000, 4_000
# Families whose coordinates have a distribution function each.
_SCALAR = ("normal", "student-t", "diagonal-normal")


@dataclasses.dataclass(frozen=True)
class Rows(_results.Rows):
    """Rows under a flow.

    Attributes:
        x: Events, `[N, D]`, float64.
        condition: Conditions, `[N, C]`, or `None`.
        log_prob: Log-densities as the flow computes them, `[N]`.
        scores: Base variables as standard normal numbers, `[N, D]`; `None` where the
            flow has no map, or its base no such numbers.
        base: Log-densities of the base variables, `[N]`, or `None`.
        numbers: Which rows of the table these are.
    """

    x: np.ndarray
    condition: np.ndarray | None
    log_prob: np.ndarray
    scores: np.ndarray | None
    base: np.ndarray | None
    numbers: np.ndarray

    def select(self, which: np.ndarray) -> Rows:
        """Return some of the rows."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        chosen: dict[str, Any] = {
            name: None if part is None else part[which] for name, part in fields.items()
        }
        return Rows(**chosen)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What measures look at.

    Attributes:
        flow: The flow.
        exact: The same in float64; `None` where it has no copy.
        names: Names of the columns.
        rows: Rows to look at.
        train: Rows that the flow was fitted to, if they are known.
        samples: Samples of the flow, given the conditions of the rows in turn, with
            their densities.
        cells: All events, `[N, D]`, and with the word `"training "` those of the fit.
    """

    flow: flows.Flow
    exact: flows.Flow | None
    names: tuple[str, ...]
    rows: Rows
    train: Rows | None
    samples: Rows
    cells: tuple[tuple[str, np.ndarray], ...]

    @property
    def kinds(self) -> Any:
        """What the flow takes the columns for, `None` for numbers."""
        spec = self.flow.preprocessing
        return None if spec is None else spec.columns

    def is_discrete(self, column: int) -> bool:
        """Return whether values of a column have masses."""
        return self.kinds is not None and self.kinds[column].is_discrete

    def every(self) -> list[tuple[str, Rows]]:
        """Return the rows, and those of the training, with a word for each."""
        parts = [("", self.rows)]
        return parts if self.train is None else [*parts, ("training ", self.train)]


def read(
    flow: flows.Flow, x: TensorLike, condition: Condition, what: str
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...] | None]:
    """Return events `[N, D]`, conditions `[N, C]`, and names of the events' columns.

    Raises:
        ValueError: If the rows do not fit the flow.
    """
    names = getattr(x, "columns", None)
    try:
        x, condition = flow.in_order(x, condition)
        if np.ndim(x) and len(x) == 0:
            msg = f"`x` must hold rows, got none: {_said(flow)}. Pass rows of these."
            raise ValueError(msg)
        data = arrays.Data(x, condition)
    except ValueError as error:
        text = str(error).replace("`x`", f"`{what}`")
        raise ValueError(text.replace(", or pass missing='impute'", "")) from error
    found = data.x if data.x.ndim > 1 else data.x[:, np.newaxis]
    if found.shape[1:] != (flow.event_size,):
        msg = (
            f"`flow` and `{what}` must fit each other: {_said(flow)}, `{what}` has "
            f"shape {data.x.shape}. Pass the rows that it is a density of."
        )
        raise ValueError(msg)
    size = None if flow.condition_shape is None else flow.condition_shape
    shape = None if data.condition is None else data.condition.shape[1:]
    if size != shape:
        msg = (
            f"`flow` and the condition of `{what}` must fit each other: the flow has "
            f"condition_shape={size}, the condition {shape}. Pass one row for each row."
        )
        raise ValueError(msg)
    known = flow.columns
    if known is None and names is not None and len(names) == flow.event_size:
        known = tuple(str(name) for name in names)
    return found.astype(np.float64), data.condition, known


def collect(
    flow: flows.Flow,
    x: TensorLike,
    condition: Condition,
    train: TensorLike | tuple[Any, Any] | None,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Evidence:
    """Evaluate a flow at rows, and draw samples.

    Args:
        flow: The flow.
        x: Rows to look at.
        condition: Their conditions.
        train: Rows that it was fitted to, or these and their conditions.
        samples: Number of samples.
        seed: Int that fixes samples and noise.

    Raises:
        ValueError: If the rows do not fit the flow.
    """
    if len(flow.event_shape) > 1:
        msg = (
            f"`flow` must be a density of table rows, got event_shape "
            f"{flow.event_shape}. Images have flow.bits_per_dim."
        )
        raise ValueError(msg)
    if not flow.fit_policy.has_rivals:
        msg = (
            f"`flow` must be a density by volume, got {type(flow).__name__}, one by "
            "area: no Gaussian can be compared with it. Score rows held out, and "
            "compare its samples with them."
        )
        raise ValueError(msg)
    events, given, names = read(flow, x, condition, "x")
    exact = exact_copy(flow)
    rows = _rows(flow, exact, events, given, seed)
    cells = [("", events)]
    fitted = None
    if train is not None:
        before, known = train if isinstance(train, tuple) else (train, None)
        before, known, _ = read(flow, before, known, "train")
        fitted = _rows(flow, exact, before, known, seed)
        cells.append(("training ", before))
    drawn, conditions = _draw(flow, given, samples, seed)
    return Evidence(
        flow,
        exact,
        names or default_columns(flow.event_size),
        rows,
        fitted,
        _rows(flow, exact, drawn, conditions, seed, most=len(drawn)),
        tuple(cells),
    )


def exact_copy(flow: flows.Flow) -> flows.Flow | None:
    """Return the flow in float64, `None` if it cannot be built again by its options."""
    if flow.variable_dtype == "float64":
        return flow
    try:
        config = {**flow.get_config(), "dtype": "float64"}
        copy: flows.Flow = type(flow).from_config(config)
        copy.set_weights(flow.get_weights())
        zeros = np.zeros([1, *flow.event_shape])
        given = None
        if flow.condition_shape is not None:
            given = np.zeros([1, *flow.condition_shape])
        copy.distribution(given).log_prob(tf.constant(zeros, tf.float64))
    except (TypeError, ValueError, NotImplementedError, AttributeError):
        return None
    return copy


def _rows(
    flow: flows.Flow,
    exact: flows.Flow | None,
    x: np.ndarray,
    condition: np.ndarray | None,
    seed: int,
    most: int = MOST_ROWS,
) -> Rows:
    kept = report.spread(len(x), most)
    x, condition = x[kept], None if condition is None else condition[kept]
    shaped = x if flow.event_shape else x[:, 0]
    log_prob = report.log_prob(flow, shaped, condition)
    scores, base = _base_side(exact or flow, shaped, condition, seed)
    return Rows(x, condition, log_prob, scores, base, kept)


def _base_side(
    flow: flows.Flow, x: np.ndarray, condition: np.ndarray | None, seed: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return normal scores and log-densities of base variables, where there are any."""
    try:
        bijector = flow.bijector()
    except NotImplementedError:
        return None, None
    density = flow.base.distribution()
    scores: list[np.ndarray] = []
    base: list[np.ndarray] = []
    for start in range(0, len(x), report.BLOCK):
        part = slice(start, start + report.BLOCK)
        spread = flow.spread(tf.constant(x[part], flow.variable_dtype), seed)
        given = {}
        if condition is not None:
            given = {"condition": tf.constant(condition[part], flow.variable_dtype)}
        z = bijector.inverse(spread, **given)
        base.append(density.log_prob(z).numpy())
        found = _scores(flow.base, density, z)
        if found is not None:
            scores.append(found)
    stacked = None
    if scores:
        stacked = np.concatenate(scores).reshape(len(x), -1).astype(np.float64)
    return stacked, np.concatenate(base).astype(np.float64)


def _scores(base: bases.Base, density: Any, z: tf.Tensor) -> np.ndarray | None:
    """Return independent base variables as standard normal numbers."""
    if base.kind not in _SCALAR:
        return None
    if base.kind == "normal":
        return np.asarray(z)
    scalar = getattr(density, "distribution", density)
    middle = scalar.mean() if base.kind == "diagonal-normal" else tf.zeros_like(z)
    # By the smaller tail: beyond, the distribution function is 1 to all digits.
    tail = scalar.cdf(middle - tf.abs(z - middle))
    size = normal.quantile(tail, 1.0 - tail)
    return np.asarray(tf.sign(z - middle) * tf.abs(size))


def _draw(
    flow: flows.Flow, condition: np.ndarray | None, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    if condition is None:
        drawn = flow.sample(count, seed=seed)
    else:
        condition = condition[report.spread(len(condition), count)]
        condition = np.tile(condition, [-(-count // len(condition)), 1])[:count]
        drawn = flow.sample((), condition.astype(flow.variable_dtype), seed=seed)
    drawn = np.asarray(drawn, np.float64).reshape(-1, flow.event_size)
    return drawn, condition


def _said(flow: flows.Flow) -> str:
    """Return what a flow is a density of."""
    if flow.columns is None:
        return f"the flow is of events of shape {flow.event_shape}"
    return f"the flow is of the columns {', '.join(map(repr, flow.columns))}"
