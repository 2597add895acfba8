"""A masked network, one coordinate after the other, at the cost of one pass.

Each hidden unit is computed once, when the last input that it may see is known: a step
multiplies the rows of the units that it brings, not the whole network. Steps come in
blocks: what earlier blocks give to all rows of a block is one large product, and only
what steps of one block give to each other is left for the small ones. The same holds
backwards, for the gradient through all the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.math import indexing
from tfp_flows.networks import dense

__all__ = ["Sequential"]

Tensors = tuple[tf.Tensor, ...]
Step = Callable[[tf.Tensor, tf.Tensor, Any], tuple[tf.Tensor, Any]]


class Sequential:
    """The steps of a masked network, forwards and backwards.

    Args:
        stack: The structure of the network.
        slots: Units that each step brings, `[D, G]`, for every layer; the number of
            units stands for none.
        product: The affine products of the whole network.
        see: What the network sees of its inputs.
        events: Columns, `[D, N]`; only their number counts.
    """

    def __init__(
        self,
        stack: dense.Stack,
        slots: list[np.ndarray],
        product: dense.Affine,
        bounded_inputs: Callable[[tf.Tensor], tf.Tensor],
        events: tf.Tensor,
    ) -> None:
        self._stack = stack
        self._size = len(slots[0])
        self._blocks = max(1, round(math.sqrt(self._size)))
        self._block = -(-self._size // self._blocks)
        self._blocks = -(-self._size // self._block)
        pad = self._blocks * self._block - self._size
        self._slots = [
            np.pad(table, ((0, pad), (0, 0)), constant_values=table.max() + 1)
            if pad
            else table
            for table in slots
        ]
        self._product = product
        self._bounded_inputs = bounded_inputs
        # A row of zeros, not a number: XLA takes shapes that are computed in a loop for
        # data, and refuses them.
        self._zeros = tf.zeros_like(events[0], product.weights["head"].dtype)

    def run(self, step: Step, state: Tensors) -> Tensors:
        """Go through the coordinates in their order.

        Args:
            step: Called with the rank of a coordinate, its parameters, `[P, N]`, and
                the state; returns the coordinate, `[N]`, and the next state.
            state: Tensors.

        Returns:
            The last state.
        """
        products = self._stack.products()
        tables = {
            name: self._weights(name, made, read) for name, made, read in products
        }
        offsets = {
            name: self._table(self._product.offset(name), made)
            for name, made, _ in products
        }
        blocks = _Blocks(tables, self._block, self._zeros)

        def inner(
            block: tf.Tensor, j: tf.Tensor, known: _Known, state: Tensors
        ) -> Tensors:
            def product(name: str, source: tf.Tensor | None) -> tf.Tensor:
                if source is not None:
                    known.put(name, j, source)
                return known.multiply(name, j)

            params = self._stack.apply(product, None)
            value, state = step(block * self._block + j, params, state)
            known.put("kernel_0", j, self._bounded_inputs(value)[tf.newaxis])
            return state

        numbers = tf.range(self._blocks)
        return blocks.loop(numbers, self._bounds(), inner, offsets, state)

    def run_back(
        self, step: Step, slopes: tuple[tf.Tensor, list[tf.Tensor]], state: Tensors
    ) -> Tensors:
        """Go through the coordinates from the last to the first.

        Args:
            step: Called with the rank of a coordinate, the gradient that later
                coordinates give it, `[N]`, and the state; returns the gradient by its
                parameters, `[P, N]`, and the next state.
            slopes: As from `whole`.
            state: Tensors.

        Returns:
            The last state.
        """
        products = self._stack.products()
        tables = {
            # Turned around: from what a product made to what it read.
            name: self._weights(name, made, read, transpose=True)
            for name, made, read in products
        }
        seen = self._table(indexing.dense_gradient(slopes[0]), 0)
        hidden = [
            self._table(indexing.dense_gradient(slope), read)
            for slope, (_, _, read) in zip(slopes[1], products[1:], strict=True)
        ]
        blocks = _Blocks(tables, self._block, self._zeros)
        bounds = self._bounds()

        def inner(
            block: tf.Tensor, k: tf.Tensor, known: _Known, state: Tensors
        ) -> Tensors:
            j = tf.gather(bounds, block) - 1 - k
            i = block * self._block + j
            slope = tf.gather(seen, i)[0]
            pulled = tf.cast(known.multiply("kernel_0", j)[0], slope.dtype) * slope
            params, state = step(i, pulled, state)

            def product(name: str, source: tf.Tensor) -> tf.Tensor:
                known.put(name, j, source)
                return source if name == "kernel_0" else known.multiply(name, j)

            local = [tf.gather(slope, i) for slope in hidden]
            params = tf.cast(params, self._dtype)
            self._stack.transposed(product, local, params)
            return state

        numbers = tf.range(self._blocks)[::-1]
        return blocks.loop(numbers, bounds, inner, None, state)

    def whole(self, y: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, list]]:
        """Return all parameters, `[P * D, N]`, of known coordinates `[D, N]`.

        Returned with them are the slopes of what the network sees of its inputs, and
        those of the activations, in the order of their evaluation.
        """
        slopes = []

        def activate(hidden: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(hidden)
                out = self._stack.activate(hidden)
            slopes.append(tape.gradient(out, hidden))
            return out

        with tf.GradientTape() as tape:
            tape.watch(y)
            seen = self._bounded_inputs(y)
        params = self._stack.apply(self._product, seen, activate=activate)
        return params, (tape.gradient(seen, y), slopes)

    @property
    def _dtype(self) -> tf.DType:
        return self._product.weights["head"].dtype

    def _bounds(self) -> tf.Tensor:
        """Return the number of steps of each block."""
        sizes = np.full(self._blocks, self._block)
        sizes[-1] -= self._blocks * self._block - self._size
        return tf.constant(sizes, tf.int32)

    def _table(self, values: tf.Tensor, layer: int) -> tf.Tensor:
        """Return rows of a layer, `[units, ...]`, by step, `[steps, G, ...]`."""
        slots = self._slots[layer]
        units = values.shape[0]
        if slots.max() >= units:
            values = tf.concat([values, tf.zeros_like(values[:1])], axis=0)
        return tf.gather(values, np.minimum(slots, units))

    def _weights(
        self, name: str, made: int, read: int, *, transpose: bool = False
    ) -> tf.Tensor:
        """Return a weight, or its transpose, as `[steps, G out, steps, G in]`."""
        weight = tf.transpose(self._product.weights[name])
        columns = self._table(weight, read)
        columns = tf.reshape(columns, [-1, columns.shape[-1]])
        table = self._table(tf.transpose(columns), made)
        steps = len(self._slots[0])
        table = tf.reshape(table, [steps, table.shape[1], steps, -1])
        return tf.transpose(table, [2, 3, 0, 1]) if transpose else table


class _Blocks:
    """Products by step, in blocks of steps.

    Args:
        tables: Weights by name, `[steps, G out, steps, G in]`.
        block: Number of steps per block.
        zeros: A zero for each event, `[N]`.
    """

    def __init__(
        self, tables: dict[str, tf.Tensor], block: int, zeros: tf.Tensor
    ) -> None:
        self._names = list(tables)
        self._block = block
        self._zeros = zeros
        self._groups = {n: (t.shape[1], t.shape[3]) for n, t in tables.items()}
        self._blocks = next(iter(tables.values())).shape[0] // block
        self._whole, self._own = {}, {}
        self.dtype = tables[self._names[0]].dtype
        for name, table in tables.items():
            out, source = self._groups[name]
            shape = [self._blocks, block, out, self._blocks, block * source]
            table = tf.reshape(table, shape)
            own = tf.stack([table[b, :, :, b] for b in range(self._blocks)])
            self._own[name] = own
            shape = [self._blocks, block * out, self._blocks * block * source]
            self._whole[name] = tf.reshape(table, shape)

    def _buffers(self, blocks: list[int]) -> list[tf.Tensor]:
        groups = [self._groups[name][1] for name in self._names]
        return [self._rows([*blocks, self._block, group]) for group in groups]

    def _rows(self, leading: list[int]) -> tf.Tensor:
        """Return zeros, `[*leading, N]`."""
        return tf.zeros([*leading, 1], self.dtype) + self._zeros

    def _given(
        self, block: tf.Tensor, full: list[tf.Tensor], offsets: dict | None
    ) -> dict[str, tf.Tensor]:
        """Return what bias and earlier blocks give to each step, `[block, G, N]`."""
        given = {}
        for name, buffer in zip(self._names, full, strict=True):
            out, source = self._groups[name]
            total: Any = None
            if self._blocks > 1:
                rows = self._blocks * self._block * source
                columns = tf.reshape(buffer, [rows, -1])
                total = tf.matmul(tf.gather(self._whole[name], block), columns)
                total = tf.reshape(total, [self._block, out, -1])
            if offsets is not None:
                table = offsets[name]
                parts = [self._blocks, self._block, *table.shape[1:2], -1]
                offset = tf.gather(tf.reshape(table, parts), block)
                total = offset if total is None else total + offset
            given[name] = self._rows([self._block, out]) if total is None else total
        return given

    def loop(
        self,
        numbers: tf.Tensor,
        bounds: tf.Tensor,
        inner: Callable[..., Tensors],
        offsets: dict[str, tf.Tensor] | None,
        state: Tensors,
    ) -> Tensors:
        """Run `inner` for every step of every block.

        Args:
            numbers: The blocks in their order.
            bounds: Number of steps of each block.
            inner: Called with the block, the number of the step in it, what is known
                of the block, and the state; returns the state.
            offsets: Biases by name, `[steps, G, N]`, or `None`.
            state: Tensors.
        """
        length = len(self._names)

        def outer(number: tf.Tensor, *values: tf.Tensor) -> Tensors:
            full, state = list(values[:length]), values[length:]
            block = tf.gather(numbers, number)
            given = self._given(block, full, offsets)
            own = {name: tf.gather(table, block) for name, table in self._own.items()}

            def step(j: tf.Tensor, *values: tf.Tensor) -> Tensors:
                buffers = dict(zip(self._names, values[:length], strict=True))
                known = _Known(own, given, buffers)
                state = inner(block, j, known, values[length:])
                return (j + 1, *known.buffers.values(), *state)

            _, *values = tf.while_loop(
                lambda j, *_: j < tf.gather(bounds, block),
                step,
                (tf.constant(0), *self._buffers([]), *state),
                maximum_iterations=self._block,
            )
            full = [
                indexing.put(buffer, block, values[i]) if self._blocks > 1 else buffer
                for i, buffer in enumerate(full)
            ]
            return (number + 1, *full, *values[length:])

        values = (tf.constant(0), *self._buffers([self._blocks]), *state)
        if self._blocks == 1:
            return outer(*values)[1 + length :]
        values = tf.while_loop(
            lambda number, *_: number < self._blocks,
            outer,
            values,
            maximum_iterations=self._blocks,
        )
        return values[1 + length :]


class _Known:
    """What is known within a block: its weights, what it was given, what steps made."""

    def __init__(
        self,
        own: dict[str, tf.Tensor],
        given: dict[str, tf.Tensor],
        buffers: dict[str, tf.Tensor],
    ) -> None:
        self._own = own
        self._given = given
        self.buffers = buffers

    def put(self, name: str, j: tf.Tensor, rows: tf.Tensor) -> None:
        """Set what step `j` puts in front of a product, `[G, N]`."""
        self.buffers[name] = indexing.put(self.buffers[name], j, rows)

    def multiply(self, name: str, j: tf.Tensor) -> tf.Tensor:
        """Return the rows of step `j` of a product, `[G, N]`."""
        rows = tf.gather(self._own[name], j)
        columns = tf.reshape(self.buffers[name], [rows.shape[1], -1])
        return tf.matmul(rows, columns) + tf.gather(self._given[name], j)
