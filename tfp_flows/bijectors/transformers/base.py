"""Transformers: scalar maps with parameters, the one family behind all layers.

A transformer states how many numbers it needs per scalar and maps scalars given these
numbers, parameter axis first. Coupling and autoregressive layers get the numbers from
a conditioner; `Elementwise` holds them itself; `ConditionalElementwise` gets them from
the condition alone.
"""

from __future__ import annotations

import abc
import ast
import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _serialize
from tfp_flows._types import TensorLike
from tfp_flows.bijectors.elementwise import parameterised

__all__ = ["OnInterval", "Transformer", "transformer"]


class Transformer(abc.ABC):
    """A strictly increasing scalar map whose parameters are unconstrained numbers.

    Subclasses are frozen dataclasses of plain numbers and strings, so that they
    compare by value and are saved by their fields; Keras finds them by the name of
    their class when it loads a file.

    Attributes:
        is_shared: Whether all coordinates of a layer have the same map.
        period: The interval of which scalars are angles, `None` for numbers.
    """

    is_shared = True
    period: ClassVar[tuple[float, float] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _serialize.register(cls.__module__.partition(".")[0])(cls)

    @property
    @abc.abstractmethod
    def params_size(self) -> int:
        """Number of parameters per scalar."""

    @abc.abstractmethod
    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map scalars.

        Args:
            x: Scalars, `[...]`.
            params: Parameters, `[P, ...]`; zeros give the identity.

        Returns:
            Value and log-derivative, `[...]`.
        """

    @abc.abstractmethod
    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map scalars back; returns the value and the inverse log-derivative."""

    def initial(self) -> np.ndarray:
        """Return the parameters, `[P]`, from which training should start."""
        return np.zeros([self.params_size])

    def onto(self, low: float, high: float) -> Transformer | None:
        """Return the transformer that maps an interval onto itself.

        Flows need it where their base density has bounds.

        Args:
            low: Lower end.
            high: Upper end.

        Returns:
            The transformer, `None` if there is none: values leave the interval.
        """
        del low, high
        return None

    def __call__(self, params: TensorLike, **kwargs: Any) -> parameterised.Elementwise:
        """Return the bijector with parameters `[..., P]`."""
        return parameterised.Elementwise(self, params, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: getattr(self, field.name) for field in fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Transformer:
        """Return the transformer of a configuration."""
        return cls(**config)


class OnInterval(Transformer):
    """A transformer whose fields `range_min` and `range_max` bound where it acts."""

    def onto(self, low: float, high: float) -> Transformer:
        """Return the transformer on another interval."""
        changed: Any = self
        return dataclasses.replace(changed, range_min=low, range_max=high)


def transformer(value: Any, argument: str = "transformer") -> Transformer:
    """Return the transformer that a value stands for.

    Args:
        value: A transformer; what Keras has serialised of one; or text, the name of a
            class, with or without arguments: `"bernstein"`, `"Bernstein(degree=8)"`.
        argument: What to call the value in errors.

    Raises:
        ValueError: If there is no such transformer.
        TypeError: If the value stands for none.

    Example:
        >>> from tfp_flows.bijectors.transformers import transformer
        >>> transformer("RationalQuadratic(4, tails='linear')").params_size
        13
    """
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    if isinstance(value, str):
        value = _from_text(value, argument)
    if not isinstance(value, Transformer):
        msg = (
            f"`{argument}` must be a Transformer or the name of one, got {value!r}. "
            "Pass for example bijectors.Affine() or 'affine'."
        )
        raise TypeError(msg)
    return value


def _from_text(text: str, argument: str) -> Transformer:
    name, bracket, rest = text.partition("(")
    known = {kind.__name__.lower(): kind for kind in _final(Transformer)}
    kind = known.get(name.strip().replace("-", "").lower())
    try:
        call: Any = ast.parse(f"f({rest if bracket else ')'}", mode="eval").body
        positional = [ast.literal_eval(a) for a in call.args]
        named = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (AttributeError, SyntaxError, ValueError):
        kind = None
    if kind is None:
        names = ", ".join(sorted(kind.__name__ for kind in known.values()))
        msg = (
            f"`{argument}` must be one of {names}, with or without arguments in "
            f"brackets, got {text!r}. Write for example 'Affine(max_log_scale=3)'."
        )
        raise ValueError(msg)
    return kind(*positional, **named)


def _final(kind: Any) -> Iterator[type[Transformer]]:
    """Yield the classes below one that are not abstract."""
    for below in kind.__subclasses__():
        yield from _final(below)
        if not inspect.isabstract(below):
            yield below
