"""Several flows of one structure in one model: their variables in stacks.

The structure is that of one flow, the template, whose maps are composite tensors: put
together from other tensors they are the maps of another member. So one function of one
member's tensors serves all, and `tf.vectorized_map` turns it into one of all members.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _context
from tfp_flows.flows._model.swapped import Swapped

__all__ = ["Hidden", "Members", "Tracked", "own_variables"]


class Members:
    """The variables of several flows that differ in nothing else.

    What depends on the columns of the data alone, the cells of a flow, all share.

    Args:
        flows: The flows; the first one becomes the template.

    Attributes:
        template: A flow whose numbers are those of any member, one after the other.
        count: Number of members, `M`.
        variables: What each member has of its own, `[M, ...]`.
    """

    def __init__(self, flows: Sequence[Any]) -> None:
        self.template = flows[0]
        self.count = len(flows)
        self._own = own_variables(flows[0])
        self._swapped = Swapped(self.template, self._own)
        each = zip(*(own_variables(flow) for flow in flows), strict=True)
        self.variables = [
            tf.Variable(
                tf.stack([tf.convert_to_tensor(v) for v in values]),
                trainable=values[0].trainable,
                name=values[0].name.split(":")[0],
            )
            for values in each
        ]
        self._load = tf.function(self._assign, autograph=False)

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """Those that are trained."""
        return [v for v in self.variables if v.trainable]

    @property
    def shared(self) -> tuple[tf.Variable, ...]:
        """What all members have in common."""
        cells = self.template.cells
        return () if cells is None else tuple(cells.variables)

    @contextlib.contextmanager
    def loaded(self, i: int) -> Iterator[Any]:
        """Give the template with the numbers of one member, in eager mode.

        What the template has compiled then serves all members.
        """
        with self._swapped.lock:
            self._load(tf.constant(i))
            yield self.template

    def _assign(self, i: tf.Tensor) -> None:
        for own, stack in zip(self._own, self.variables, strict=True):
            own.assign(tf.gather(stack, i))

    def store(self, i: int) -> None:
        """Take the numbers of the template for those of one member."""
        for own, stack in zip(self._own, self.variables, strict=True):
            index = tf.constant([[i]])
            value = tf.convert_to_tensor(own)[tf.newaxis]
            stack.assign(tf.tensor_scatter_nd_update(stack, index, value))

    def distributions(self, make: Callable[[Any], Any]) -> list[Any]:
        """Return a density of each member, over its current numbers.

        Args:
            make: Returns the density of a flow.
        """
        density = make(self.template)
        packed = self._swapped.packed
        return [packed(density, self._deferred(i)) for i in range(self.count)]

    def _deferred(self, i: int) -> list[Any]:
        pick = _Pick(i)
        return [
            tfp.util.DeferredTensor(stack, pick, shape=own.shape)
            for own, stack in zip(self._own, self.variables, strict=True)
        ]

    def each(
        self,
        function: Callable[[Any, Any], tf.Tensor],
        given: Any,
        seed: tf.Tensor | None = None,
        *,
        vectorized: bool = False,
    ) -> tf.Tensor:
        """Return what a function gives for each member, `[M, ...]`.

        Args:
            function: Called with the flow of a member, and with its part of `given`.
            given: Structure of tensors `[M, ...]`, one part for each member.
            seed: Of the dropout, `[2]`.
            vectorized: Whether a traced function evaluates all members at once, and not
                one after the other. All shapes must be known: TensorFlow's optimizer
                of graphs confuses unknown sizes of vectorised ones.
        """

        def one(values: Sequence[tf.Tensor], part: Any) -> tf.Tensor:
            with self._swapped.by(values) as flow:
                return function(flow, part)

        if vectorized and not tf.executing_eagerly():
            return self._vectorized(one, given, seed)
        found = []
        values = self._values()
        for i in range(self.count):
            part = tf.nest.map_structure(lambda value, i=i: value[i], given)
            own = None if seed is None else seed + tf.constant([i, 0], seed.dtype)
            with _context.member_scope(0, 1, own):
                found.append(one([value[i] for value in values], part))
        return tf.stack(found)

    def gradients(
        self, loss: Callable[[Any, Any], tf.Tensor], given: Any, seed: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return losses, `[M]`, and gradients by `trainable_variables`, all at once.

        The tape is inside of what is vectorised: gradients written by hand are lost on
        the way through. All shapes must be known, see `each`.

        Args:
            loss: See `each`.
            given: See `each`.
            seed: Of the dropout, `[2]`.
        """

        def one(values: Sequence[tf.Tensor], part: Any) -> tuple[tf.Tensor, Any]:
            pairs = zip(values, self.variables, strict=True)
            sources = [value for value, variable in pairs if variable.trainable]
            with tf.GradientTape() as tape:
                tape.watch(sources)
                with self._swapped.by(values) as flow:
                    found = loss(flow, part)
            zero = tf.UnconnectedGradients.ZERO
            return found, tape.gradient(found, sources, unconnected_gradients=zero)

        return self._vectorized(one, given, seed)

    def _values(self) -> list[tf.Tensor]:
        return [tf.convert_to_tensor(v) for v in self.variables]

    def _vectorized(
        self,
        function: Callable[[Sequence[tf.Tensor], Any], Any],
        given: Any,
        seed: tf.Tensor | None,
    ) -> Any:
        def one(elements: tuple[tf.Tensor, list[tf.Tensor], Any]) -> Any:
            place, values, part = elements
            with _context.member_scope(place, self.count, seed):
                return function(values, part)

        elements = (tf.range(self.count), self._values(), given)
        return tf.vectorized_map(one, elements, warn=False)


class Tracked(tf.Module):
    """Holds variables for checkpoints and exports of TensorFlow.

    Args:
        variables: The variables.
    """

    def __init__(self, variables: Iterable[tf.Variable]) -> None:
        super().__init__(name="members")
        self.all = list(variables)


class Hidden:
    """Holds a variable where neither Keras nor TensorFlow tracks it.

    Args:
        variable: The variable.
    """

    def __init__(self, variable: tf.Variable) -> None:
        self.variable = variable


def own_variables(flow: Any) -> list[tf.Variable]:
    """Return the variables of a flow that are those of one member."""
    shared = () if flow.cells is None else flow.cells.variables
    known = {id(v) for v in shared}
    return [v.value for v in flow.adopted if id(v.value) not in known]


@dataclasses.dataclass(frozen=True)
class _Pick:
    """Takes one member's part of a stack: a function that can be pickled."""

    place: int
    __name__ = "pick"

    def __call__(self, stack: tf.Tensor) -> tf.Tensor:
        return stack[self.place]
