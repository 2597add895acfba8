"""What users hand to the methods of Keras: columns in order, and looked at."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _checks, _findings
from tfp_flows.flows._model import finite, keras_arguments

__all__ = ["Handed"]


def _checked(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments after the targets, whose first is the weights of events."""
    if args:
        return (keras_arguments.weights(args[0]), *args[1:]), kwargs
    if "sample_weight" in kwargs:
        found = keras_arguments.weights(kwargs["sample_weight"])
        kwargs = {**kwargs, "sample_weight": found}
    return args, kwargs


def _condition_apart(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Return a condition that is no value of `training`, and the other arguments."""
    if "condition" in kwargs:
        kwargs = dict(kwargs)
        return kwargs.pop("condition"), args, kwargs
    if not args or args[0] is None or isinstance(args[0], bool):
        return None, args, kwargs
    is_flag = getattr(args[0], "dtype", None) in (tf.bool, np.bool_)
    return (None, args, kwargs) if is_flag else (args[0], args[1:], kwargs)


class Handed(keras.Model):
    """A flow that gives its notices wherever Keras takes data at hand."""

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return `call(x)` in batches as `keras.Model.predict` does."""
        keras_arguments.require_known("predict", kwargs)
        keras_arguments.require_options(kwargs)
        if x is None:
            raise ValueError("`x` must be given: events whose log-density is wanted.")
        return super().predict(self._plain(x), *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Return `call(x)` as `keras.Model.predict_on_batch` does."""
        return super().predict_on_batch(self._plain(x))

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the loss as `keras.Model.test_on_batch` does."""
        y = self._plain_targets(y)
        args, kwargs = _checked(args, kwargs)
        return super().test_on_batch(self._plain(x), y, *args, **kwargs)

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Do one step as `keras.Model.train_on_batch` does."""
        x = self._trained_on(x, y)
        y = self._plain_targets(y)
        args, kwargs = _checked(args, kwargs)
        return super().train_on_batch(x, y, *args, **kwargs)

    def __call__(self, inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return `call(inputs)`, as in Keras, which would drop a mask.

        A condition may follow the events, or be given by its name.
        """
        condition, args, kwargs = _condition_apart(args, kwargs)
        if condition is not None:
            inputs = {"x": inputs, "condition": condition}
        if isinstance(inputs, np.ma.MaskedArray):
            inputs = _arrays.unmasked(inputs, "inputs")
        if isinstance(inputs, dict):
            inputs = {k: keras_arguments.array_of(v, k) for k, v in inputs.items()}
        else:
            inputs = keras_arguments.array_of(inputs, "inputs")
        self._require_condition(inputs)
        self._notice(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def _require_condition(self, inputs: Any) -> None:
        """Raise unless there is a condition if the flow has one, before Keras calls."""
        flow: Any = self
        is_dict = isinstance(inputs, dict)
        found = inputs.get("condition") if is_dict else None
        # Other keys are the business of `call`.
        is_known = not is_dict or set(inputs) in ({"x"}, {"x", "condition"})
        if is_known and (found is None) != (flow.condition_shape is None):
            owner = f"this flow (`{type(self).__name__}`)"
            _checks.require_condition(found, flow.condition_shape, owner)

    def _trained_on(self, x: Any, y: Any) -> Any:
        """Return data as Keras takes them for training: finite, or watched later.

        Args:
            x: Data.
            y: Targets, which are the condition.
        """
        flow: Any = self
        x = finite.watched(self, self._plain(x, notices=False))
        if flow.condition_shape is not None and not tf.is_tensor(y):
            y = None if y is None else flow.in_order(None, _arrays.unmasked(y, "y"))[1]
        finite.require(self, (None, y))
        self._notice(x)
        return x

    def _held_out(self, given: Any) -> Any:
        """Return what is held out, finite, as Keras takes it."""
        argument = "validation_data"
        if not isinstance(given, (tuple, list)) or not given:
            return finite.watched(self, given, argument)
        x = self._plain(given[0], argument, notices=False)
        x = finite.watched(self, x, argument)
        y = [self._plain_targets(part) for part in given[1:2]]
        finite.require(self, (None, *y))
        return (x, *y, *map(keras_arguments.weights, given[2:]))

    def _plain(self, x: Any, argument: str = "x", *, notices: bool = True) -> Any:
        """Return data as Keras takes them: named columns in order, nothing masked."""
        flow: Any = self
        x = keras_arguments.array_of(x, argument)
        if isinstance(x, dict) and "x" in x:
            found = dict(
                zip(
                    ("x", "condition"),
                    flow.in_order(x["x"], x.get("condition")),
                    strict=True,
                )
            )
            x = {key: found.get(key, value) for key, value in x.items()}
        elif isinstance(x, np.ndarray) or hasattr(x, "columns"):
            x = flow.in_order(x, None)[0]
        keras_arguments.require_events(x, flow.event_shape, argument)
        if notices:
            self._notice(x)
        return x

    def _plain_targets(self, y: Any) -> Any:
        """Return targets, which are the condition, as Keras takes them."""
        flow: Any = self
        y = _arrays.unmasked(y, "y")
        if y is None or tf.is_tensor(y) or flow.condition_shape is None:
            return y
        y = flow.in_order(None, y)[1]
        self._notice({"x": None, "condition": y})
        return y

    def _notice(self, inputs: Any) -> None:
        """Say what of data at hand is doubtful, as `log_prob` does."""
        flow: Any = self
        x, condition = inputs, None
        if isinstance(inputs, dict):
            x, condition = inputs.get("x"), inputs.get("condition")
        x, condition = _findings.at_hand(x), _findings.at_hand(condition)
        if x is not None and x.ndim >= len(flow.event_shape):
            flow._notice_values(x)  # noqa: SLF001
            if not flow.answers_any:
                _findings.notice_missing(x, len(flow.event_shape))
        # A network of one's own may know what to do with them.
        known = flow.condition_shape is None or flow._embedding_network is not None  # noqa: SLF001
        rank = 0 if known else len(flow.condition_shape)
        if condition is not None and not known and condition.ndim >= rank:
            _findings.notice_conditions(condition, rank)
