"""A flow as a function of its numbers: composite tensors over other values."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfp_flows.networks.base import Weighted

__all__ = ["Swapped", "current", "network_weights"]

# Under this name a flow has the values of variables that are replaced.
VALUES = "_swapped_values"


class Swapped:
    """A flow some of whose variables can be replaced by tensors for a while.

    Args:
        flow: The flow. Its maps must be composite tensors.
        variables: What is replaced.
    """

    def __init__(self, flow: Any, variables: Sequence[tf.Variable]) -> None:
        self.flow, self.lock = flow, threading.RLock()
        self._variables = list(variables)
        self._places = {id(v): i for i, v in enumerate(self._variables)}

    def packed(self, structure: Any, values: Sequence[Any]) -> Any:
        """Return composite tensors over other values of their variables.

        Raises:
            TypeError: If a part is none: its variables could not be replaced.
        """
        leaves = tf.nest.flatten(structure, expand_composites=True)
        for leaf in leaves:
            if isinstance(leaf, tf.Module) and not isinstance(leaf, tf.Variable):
                kind = type(leaf).__name__
                msg = (
                    f"Members must be made of composite tensors, got a `{kind}`. Leave "
                    "out `members`, or derive it from tfp's AutoCompositeTensor."
                )
                raise TypeError(msg)
        leaves = [
            values[self._places[id(leaf)]] if id(leaf) in self._places else leaf
            for leaf in leaves
        ]
        return tf.nest.pack_sequence_as(structure, leaves, expand_composites=True)

    @contextlib.contextmanager
    def by(self, values: Sequence[tf.Tensor]) -> Iterator[Any]:
        """Give the flow with other numbers.

        Args:
            values: Of the variables, in their order.
        """
        with self.lock:
            attributes = vars(self.flow)
            stack, base = attributes["_stack"], attributes["_base"]
            found = self.packed((stack, base.distribution()), values)
            attributes["_stack"], attributes["_base"] = found[0], _Base(base, found[1])
            pairs = zip(self._variables, values, strict=True)
            attributes[VALUES] = {id(v): value for v, value in pairs}
            try:
                yield self.flow
            finally:
                attributes["_stack"], attributes["_base"] = stack, base
                del attributes[VALUES]


def current(flow: Any, variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
    """Return what variables are now, where a flow may have others in their place.

    Args:
        flow: The flow.
        variables: Of the flow.
    """
    values = vars(flow).get(VALUES, {})
    return [values.get(id(v), v) for v in variables]


def network_weights(flow: Any) -> list[tf.Variable]:
    """Return the trainable weights of the networks of a flow, in a stable order.

    Args:
        flow: The flow; of an ensemble, of mixtures and the like, the flows inside.
    """
    members = getattr(flow, "_members", None)
    if members is not None:
        return network_weights(members.template)
    found: dict[int, tf.Variable] = {}
    for part in flow._parts():  # noqa: SLF001
        for module in (part, *part.submodules):
            weights = module.weights if isinstance(module, Weighted) else ()
            found |= {id(v): v for v in weights if v.trainable}
    for inner in getattr(flow.base, "flows", ()):
        found |= {id(v): v for v in network_weights(inner)}
    return list(found.values())


class _Base:
    """A base density whose variables are replaced by tensors."""

    def __init__(self, base: Any, distribution: Any) -> None:
        self._inner = base
        self._distribution = distribution

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def distribution(self) -> Any:
        """Return the density."""
        return self._distribution
