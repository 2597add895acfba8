"""What Ctrl-C, or a loss that is NaN, leaves of a fit: a flow that is whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfp_flows import flows

__all__ = ["guarded", "hand_over"]


@contextlib.contextmanager
def guarded(flow: flows.Flow) -> Iterator[None]:
    """Leave a flow whole where its fit is cut short, and hand it over.

    Cut short before the first step, it is as it was before: statistics of new data
    would not go with its weights. A `KeyboardInterrupt` gets the flow as its attribute
    `flow`, since a fit by name has not returned one, and a note that says so.

    Args:
        flow: The flow that is fitted inside the `with` block.
    """
    variables = list(flow.variables)
    before = [np.array(np.asarray(variable)) for variable in variables]
    optimizer = getattr(flow, "optimizer", None)
    try:
        yield
    except KeyboardInterrupt as error:
        if not hasattr(error, "flow"):
            state = "as it was before the fit"
            if _has_changed(flow, variables, optimizer):
                state = _ending(flow)
            else:
                _restore(variables, before)
            hand_over(error, flow, state)
        raise
    except FloatingPointError:
        if not _is_finite(flow):
            _restore(variables, before)
        raise


def hand_over(error: BaseException, flow: flows.Flow, state: str) -> None:
    """Give an interrupt the flow, and a note on the state that it is in.

    Args:
        error: The interrupt.
        flow: The flow.
        state: What to say of it.
    """
    error.flow = flow  # type: ignore[attr-defined]
    if hasattr(error, "add_note"):  # from Python 3.11 on
        error.add_note(
            f"The flow is `flow` of this error (sys.last_value.flow): {state}."
        )


def _has_changed(flow: Any, variables: list[Any], optimizer: Any) -> bool:
    """Return whether a flow has made a step since, or has other layers."""
    now = flow.variables
    if len(now) != len(variables) or any(
        a is not b for a, b in zip(now, variables, strict=True)
    ):
        return True
    found = getattr(flow, "optimizer", None)
    return found is not None and found is not optimizer and int(found.iterations) > 0


def _ending(flow: Any) -> str:
    history = getattr(flow, "history", None)
    found = getattr(history, "ending", None)
    return "its fit was interrupted" if found is None else str(found)


def _is_finite(flow: Any) -> bool:
    return all(np.all(np.isfinite(np.asarray(v))) for v in flow.trainable_variables)


def _restore(variables: list[Any], before: list[np.ndarray]) -> None:
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
