"""Noise on the rows of each batch: of a deviation that is given, or by a rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, flows
from tfp_flows.training.data import arrays

__all__ = ["NONE", "RULE", "Noise", "noise_of", "require", "rule_of_thumb"]

RULE = "rule-of-thumb"
# The factor of the rule of thumb for the width of a normal kernel.
FACTOR = 1.06


@dataclasses.dataclass(frozen=True)
class Noise:
    """Deviations of Gaussian noise, in the units of the columns.

    Args:
        x: Of events, `[*event_shape]`.
        condition: Of conditions, `[*condition_shape]`; `None` for no noise on them.
        share: What the rule came to, in units of the deviation of each column; `None`
            where a number was given.
    """

    x: np.ndarray
    condition: np.ndarray | None = None
    share: float | None = None

    @property
    def is_none(self) -> bool:
        """Whether there is no noise at all."""
        parts = (self.x, self.condition)
        return not any(part is not None and np.any(part) for part in parts)

    def added(self, inputs: Any, draw: Callable[[int, tf.Tensor], tf.Tensor]) -> Any:
        """Return inputs of Keras with noise.

        Args:
            inputs: `x`, or `{"x": x, "condition": condition}`.
            draw: Returns normal numbers of the shape and type of a tensor; its first
                argument tells the events, 0, from the conditions, 1.
        """
        if not isinstance(inputs, dict):
            return inputs + self.x.astype(inputs.dtype.name) * draw(0, inputs)
        found, named = dict(inputs), (("x", self.x), ("condition", self.condition))
        for place, (name, scale) in enumerate(named):
            if scale is not None and np.any(scale):
                values = found[name]
                scale = scale.astype(values.dtype.name)
                found[name] = values + scale * draw(place, values)
        return found

    def described(self) -> tuple[str, ...]:
        """Return what the rule came to, in words; nothing where a number was given."""
        if self.share is None:
            return ()
        named = (("the events", self.x), ("the conditions", self.condition))
        parts = [
            f"{np.count_nonzero(scale)} of {scale.size} columns of {name}"
            for name, scale in named
            if scale is not None
        ]
        line = (
            f"noise of {self.share:.3g} deviations of each column, in training only, "
            f"on {' and '.join(parts)}"
        )
        return (line,)


# No noise at all.
NONE = Noise(np.zeros(()))


def require(noise: Any) -> None:
    """Raise unless noise is a number from 0 on, or the name of the rule.

    Raises:
        TypeError: If it is neither a number nor a text.
        ValueError: If it is another text, or a number below 0.
    """
    if not isinstance(noise, str):
        _checks.at_least(noise, 0, "noise")
    elif noise != RULE:
        hint = _checks.did_you_mean(noise, [RULE])
        msg = (
            f"`noise` must be a number from 0 on, or {RULE!r}, got {noise!r}"
            f"{hint or '.'}"
        )
        raise ValueError(msg)


def rule_of_thumb(rows: int, columns: int) -> float:
    """Return the deviation of noise, in units of that of each column.

    Args:
        rows: Number of rows to train on.
        columns: Number of columns of events and conditions together.

    References:
        Rothfuss et al. (2019). Noise Regularization for Conditional Density
        Estimation. https://arxiv.org/abs/1907.08982, section 5
    """
    return FACTOR * float(rows) ** (-1.0 / (4.0 + columns))


def noise_of(flow: flows.Flow, data: arrays.Data, noise: float | str) -> Noise:
    """Return the noise on rows to train on; columns that are no plain numbers get none.

    Args:
        flow: The flow.
        data: The rows.
        noise: Deviation of that on events, in units of each coordinate's own; or the
            name of the rule, which is for conditions, too.
    """
    rows = data.counted()
    amount = np.ones(rows.x.shape[1:])
    if flow.cells is not None:  # other values have cells, or ends
        amount = flow.cells.spec.plain.astype(float)
    own = rows.x.std(axis=0)
    if not isinstance(noise, str):
        return Noise(noise * amount * own)
    given = rows.condition
    size = own.size + (0 if given is None else given[0].size)
    share = rule_of_thumb(len(rows), size)
    if given is None:
        return Noise(share * amount * own, share=share)
    kinds = flow.condition_kinds
    plain: Any = True if kinds is None else [kind.is_plain for kind in kinds]
    apart = share * given.std(axis=0) * np.where(plain, _varies(given), 0.0)
    return Noise(share * amount * own, apart, share)


def _varies(values: np.ndarray) -> np.ndarray:
    """Whether columns have more than two values: of two it is yes or no."""
    low, high = values.min(axis=0), values.max(axis=0)
    return ((values != low) & (values != high)).any(axis=0)
