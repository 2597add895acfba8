"""What `fit` is asked for: a flow and its data, as they were handed over."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tfp_flows import _checks, flows
from tfp_flows.training.data import kinds

__all__ = ["Request", "answers_any", "require_share", "takes_kinds"]


@dataclasses.dataclass(frozen=True)
class Request:
    """A flow and its data, as `fit` was given them; see there.

    Args:
        flow: The flow, or its name.
        x: Events, a dataset, or files.
        condition: Conditions, or of files the names of their columns.
        weights: Weights of the events.
        validation: Share of the rows that is held out, `"auto"`, `None`, or rows.
        noise: Standard deviation of the noise of each batch, or the name of a rule.
        missing: What to do with missing cells.
        outliers: What becomes of gross outliers.
        columns: What columns are.
        groups: What rows belong together.
        time: When rows were observed.
        seed: Int that fixes the split, and the sample of files.
        options: Of the flow, if it is given by name.
        detects: Whether the values may tell what columns are.
    """

    flow: flows.Flow | str
    x: Any
    condition: Any = None
    weights: Any = None
    validation: Any = "auto"
    noise: float | str = 0.0
    missing: str = "error"
    outliers: str = "drop"
    columns: Any = "auto"
    groups: Any = None
    time: Any = None
    seed: int | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    detects: bool = True

    @property
    def dataset(self) -> tf.data.Dataset | None:
        """The dataset of batches, if the events come in one."""
        return self.x if isinstance(self.x, tf.data.Dataset) else None

    @property
    def detects_kinds(self) -> bool:
        """Whether the values tell what columns are, and the flow can take that."""
        detects = self.detects and not self.noise and self.dataset is None
        return detects and takes_kinds(self.flow, self.options)

    def remedy(self) -> str:
        """Return what to do about equal values that a fit takes for numbers."""
        if isinstance(self.flow, str) and not takes_kinds(self.flow, self.options):
            return (
                f"{self.flow!r} has no masses of single values: fit 'nsf-ar', or "
                "spread the values over their steps by uniform noise."
            )
        if self.noise:
            return "Leave out `noise`, and such values get masses."
        if self.dataset is not None:
            return (
                "Columns of a dataset are not detected: give arrays, or preprocessing= "
                "with the kind of each column."
            )
        return kinds.REMEDY

    def require_consistent(self) -> None:
        """Raise if what is asked for does not go together.

        Raises:
            ValueError: If it does not.
        """
        require_share(self.validation, self.groups, self.time)
        self._require_gaps()
        if self.dataset is not None:
            self._require_alone()
            require_share(self.dataset, self.groups, self.time)

    def _require_gaps(self) -> None:
        """Raise if rows with gaps are to be fitted, and the flow does not take them."""
        flow = self.flow
        if self.missing != "marginal" or answers_any(flow):
            return
        name = flow if isinstance(flow, str) else type(flow).__name__
        msg = (
            "`missing` 'marginal' needs a flow whose density leaves cells out, got "
            f"{name!r}. Fit with conditionals='any', or fill them by missing='impute'."
        )
        raise ValueError(msg)

    def _require_alone(self) -> None:
        """Raise if something comes beside a dataset that has to come with it."""
        if self.condition is not None or self.weights is not None or self.noise:
            msg = (
                "`condition`, `weights` and `noise` must come with the dataset, got "
                "them beside it. Let it yield {'x': ..., 'condition': ...}."
            )
            raise ValueError(msg)


def takes_kinds(flow: flows.Flow | str, options: dict[str, Any]) -> bool:
    """Whether a flow of this name can take columns for more than numbers."""
    if not isinstance(flow, str):
        return False
    _checks.one_of(flow, flows.all_names(), "flow")
    if flow not in flows.names():
        return False
    base = options.get("base", "normal")
    has_tails = not isinstance(base, str) or base in ("normal", "student-t")
    return has_tails and flows.flow_class(flow).takes_kinds


def answers_any(flow: Any) -> bool:
    """Whether a flow, or one of a name, has the density of any of its columns."""
    if isinstance(flow, str):
        _checks.one_of(flow, (*flows.names(), *flows.image_names()), "flow")
        flow = flows.flow_class(flow)
    return getattr(flow, "answers_any", False)


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
