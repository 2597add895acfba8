"""What a flow says about itself: its stack and its size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tfp_flows.flows._model.card import Carded

__all__ = ["Described"]

# Width of the names of maps in a summary, `line_length` unless told otherwise.
_LINE = 80
_NUMBERS = 14


class Described(Carded):
    """A flow whose text and summary list its maps, from the data to the base."""

    _maps: Sequence[Any]

    def __repr__(self) -> str:
        """Show the stack from the data to the base, and the number of parameters."""
        flow: Any = self
        shape = flow.condition_shape
        condition = "" if shape is None else f" | {shape}"
        head = f"<{type(flow).__name__} {flow.name!r}: {flow.event_shape}{condition}"
        head = f"{head}, {_size(flow.trainable_variables):,} trainable parameters"
        lines = [f"{i:3d}. {_one_map(m)}" for i, m in enumerate(self._maps[::-1], 1)]
        return "\n".join([head, *lines, f"     base: {flow.base.kind}>"])

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the maps from the data to the base, with their numbers of parameters.

        Args:
            line_length: Width of a line, by default 80.
            positions: Not used; accepted as by `keras.Model.summary`.
            print_fn: What to print each line by.
            **kwargs: Further arguments of `keras.Model.summary`, not used.
        """
        del positions, kwargs
        flow: Any = self
        write = print_fn or print
        width = max((line_length or _LINE) - 2 * _NUMBERS, 20)

        def row(name: str, trained: Any, fixed: Any) -> str:
            name = name if len(name) < width else f"{name[: width - 4]}..."
            return f"{name:<{width}}{trained:>{_NUMBERS}}{fixed:>{_NUMBERS}}"

        shape = "" if flow.condition_shape is None else f" | {flow.condition_shape}"
        write(f"{type(flow).__name__} {flow.name!r}, events {flow.event_shape}{shape}")
        write(row("map, from the data to the base", "trainable", "not"))
        rule = "-" * (width + 2 * _NUMBERS)
        write(rule)
        parts = [(_one_map(m), m) for m in self._maps[::-1]]
        parts.append((f"base: {flow.base.kind}", flow.base))
        for name, part in parts:
            trained = _size(part.trainable_variables)
            write(row(name, f"{trained:,}", f"{_size(part.variables) - trained:,}"))
        write(rule)
        trained = _size(flow.trainable_variables)
        fixed = _size(flow.non_trainable_variables)
        write(row(f"all {trained + fixed:,}", f"{trained:,}", f"{fixed:,}"))


def _size(variables: Iterable[Any]) -> int:
    """Return the number of scalars."""
    return sum(math.prod(v.shape) for v in variables)


def _one_map(bijector: Any) -> str:
    inner = getattr(bijector, "bijector", None)
    transformer = getattr(bijector, "transformer", None)
    return (
        type(bijector).__name__
        + ("" if inner is None else f"({_one_map(inner)})")
        + ("" if transformer is None else f"[{transformer}]")
    )
