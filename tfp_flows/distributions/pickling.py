"""Distributions of TFP by class and arguments, so that they pickle and copy."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

__all__ = ["Parts", "Picklable"]


class Picklable:
    """A distribution that is pickled and copied by its class and arguments."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Parts.build, (Parts.of(self),)


@dataclasses.dataclass(frozen=True)
class Parts:
    """A distribution by class and arguments: what pickles and copies are made from.

    Of TFP's own, wrapped ones (`tfd.Independent`, `tfd.MultivariateNormalDiag`) and
    inverted maps have no other way, and joint ones hold functions without a name.

    Attributes:
        kind: Class of a distribution or of a map of TFP, or `None` for a container.
        arguments: What builds it, each argument taken apart; of a container, one of
            the same kind.
    """

    kind: type | None
    arguments: Any

    @classmethod
    def of(cls, value: Any) -> Any:
        """Take a distribution apart, and those inside; other values are as they are."""
        if isinstance(value, tfd.Distribution) or _is_map_of_tfp(value):
            return cls(type(value), _each(dict(value.parameters), cls.of))
        if isinstance(value, (dict, list, tuple)):
            return cls(None, _each(value, cls.of))
        return _Function(value) if _is_nameless(value) else value

    def build(self) -> Any:
        """Put it together again."""
        arguments = _each(self.arguments, _built)
        return arguments if self.kind is None else self.kind(**arguments)


def _built(value: Any) -> Any:
    if isinstance(value, Parts):
        return value.build()
    return value.function if isinstance(value, _Function) else value


def _each(values: Any, change: Callable[[Any], Any]) -> Any:
    """Return a container of the same kind whose values are changed."""
    if isinstance(values, dict):
        pairs = [(key, change(value)) for key, value in values.items()]
        kind = type(values)
        # Tracked dictionaries of TensorFlow wrap one of Python.
        return (
            kind(pairs)
            if kind.__module__ in ("builtins", "collections")
            else dict(pairs)
        )
    if hasattr(values, "_fields"):
        return type(values)(*map(change, values))
    return (
        tuple(map(change, values))
        if isinstance(values, tuple)
        else [*map(change, values)]
    )


def _is_map_of_tfp(value: Any) -> bool:
    module = type(value).__module__
    return isinstance(value, tfb.Bijector) and module.startswith("tensorflow_prob")


def _is_nameless(value: Any) -> bool:
    name = getattr(value, "__qualname__", "")
    return callable(value) and ("<lambda>" in name or "<locals>" in name)


class _Function:
    """A function that no module holds: it copies, but does not pickle.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __deepcopy__(self, memo: dict[int, Any]) -> _Function:
        return _Function(copy.deepcopy(self.function, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        msg = (
            f"the function `{self.function.__qualname__}` in a distribution cannot be "
            "pickled, as Python finds it by no name. Write it as a `def` at the top of "
            "a module."
        )
        raise pickle.PicklingError(msg)
