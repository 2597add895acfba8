"""A masked network, one coordinate after the other, at the cost of one pass.

Each hidden unit is computed once, when the last input that it may see is known: a step
multiplies the rows of the units that it brings, not the whole network. The same holds
backwards, for the gradient through all the steps.

Layers are kept as tables `[D, G, N]`: step by step, `G` units each (padded by zeros).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows.networks import dense

__all__ = ["Sequential"]

Buffers = tuple[tf.Tensor, ...]


class Sequential:
    """The steps of a masked network, forwards and backwards.

    Args:
        stack: The structure of the network.
        slots: Units that each step brings, `[D, G]`, for every layer.
        product: The affine products of the whole network.
        see: What the network sees of its inputs.
        count: Number of events, `N`.
    """

    def __init__(
        self,
        stack: dense.Stack,
        slots: list[np.ndarray],
        product: dense.Affine,
        see: Callable[[tf.Tensor], tf.Tensor],
        count: tf.Tensor,
    ) -> None:
        self._stack = stack
        self._slots = slots
        self._product = product
        self._see = see
        self._count = count
        self._products = stack.products()
        self._numbers = {name: i for i, (name, *_) in enumerate(self._products)}

    def _zeros(self, layer: int) -> tf.Tensor:
        size, group = self._slots[layer].shape
        dtype = self._product.weights["head"].dtype
        return tf.zeros([size, group, self._count], dtype)

    def _table(self, values: tf.Tensor, layer: int) -> tf.Tensor:
        """Return rows of a layer, `[units, ...]`, as a table `[D, G, ...]`."""
        slots = self._slots[layer]
        if slots.max() == values.shape[0]:
            values = tf.concat([values, tf.zeros_like(values[:1])], axis=0)
        return tf.gather(values, slots)

    def _weights(self, name: str, made: int, read: int) -> tf.Tensor:
        """Return a weight as `[D, G made, D * G read]`."""
        columns = self._table(tf.transpose(self._product.weights[name]), read)
        columns = tf.reshape(columns, [-1, columns.shape[-1]])
        return self._table(tf.transpose(columns), made)

    # Forwards.

    def prepare(self) -> None:
        """Lay the weights out for `params`."""
        self._rows = {
            name: self._weights(name, made, read) for name, made, read in self._products
        }
        self._offsets = {
            name: self._table(self._product.offset(name), made)
            for name, made, _ in self._products
        }

    def start(self) -> Buffers:
        """Return what is known before the first step."""
        return tuple(self._zeros(read) for _, _, read in self._products)

    def params(self, i: tf.Tensor, buffers: Buffers) -> tuple[tf.Tensor, Buffers]:
        """Return the parameters of the coordinate whose rank is `i`, `[P, N]`."""
        known = list(buffers)

        def product(name: str, source: tf.Tensor | None) -> tf.Tensor:
            number = self._numbers[name]
            if source is not None:
                known[number] = _put(known[number], i, source)
            rows = tf.gather(self._rows[name], i)
            seen = tf.reshape(known[number], [rows.shape[1], -1])
            return tf.matmul(rows, seen) + tf.gather(self._offsets[name], i)

        params = self._stack.apply(product, None)
        return params, tuple(known)

    def push(self, i: tf.Tensor, value: tf.Tensor, buffers: Buffers) -> Buffers:
        """Take in the coordinate whose rank is `i`, `[N]`."""
        seen = self._see(value)[tf.newaxis]
        return (_put(buffers[0], i, seen), *buffers[1:])

    # Backwards.

    def whole(self, y: tf.Tensor) -> tf.Tensor:
        """Return all parameters, `[P * D, N]`, of known coordinates `[D, N]`.

        The slopes of the activations are remembered for the way back.
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
            seen = self._see(y)
        self._seen_slope = self._table(tape.gradient(seen, y), 0)
        params = self._stack.apply(self._product, seen, activate=activate)
        layers = [read for _, _, read in self._products[1:]]
        self._slopes = [
            self._table(slope, layer)
            for slope, layer in zip(slopes, layers, strict=True)
        ]
        return params

    def prepare_back(self) -> None:
        """Lay the weights out for `pull` and `push_back`."""
        self._columns = {}
        for name, made, read in self._products:
            weight = tf.transpose(self._weights(name, made, read), [2, 0, 1])
            size, group = self._slots[read].shape
            width = weight.shape[1] * weight.shape[2]
            self._columns[name] = tf.reshape(weight, [size, group, width])

    def start_back(self) -> Buffers:
        """Return what is known before the last coordinate."""
        return tuple(self._zeros(made) for _, made, _ in self._products)

    def pull(self, i: tf.Tensor, buffers: Buffers) -> tf.Tensor:
        """Return the gradient by the coordinate of rank `i`, `[N]`, of later ones."""
        row = tf.gather(self._columns["kernel_0"], i)
        out = tf.matmul(row, tf.reshape(buffers[0], [row.shape[1], -1]))
        slope = tf.gather(self._seen_slope, i)[0]
        return tf.cast(out[0], slope.dtype) * slope

    def push_back(self, i: tf.Tensor, params: tf.Tensor, buffers: Buffers) -> Buffers:
        """Take in the gradient by the parameters of rank `i`, `[P, N]`."""
        known = list(buffers)

        def product(name: str, source: tf.Tensor) -> tf.Tensor:
            number = self._numbers[name]
            known[number] = _put(known[number], i, source)
            if number == 0:
                return source
            columns = tf.gather(self._columns[name], i)
            return tf.matmul(columns, tf.reshape(known[number], [columns.shape[1], -1]))

        slopes = [tf.gather(slope, i) for slope in self._slopes]
        self._stack.transposed(product, slopes, tf.cast(params, known[-1].dtype))
        return tuple(known)


def _put(table: tf.Tensor, i: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Replace the rows of step `i`, `[G, N]`, in a table `[D, G, N]`."""
    rows = tf.cast(rows, table.dtype)
    updated = tf.tensor_scatter_nd_update(table, [[i]], rows[tf.newaxis])
    updated.set_shape(table.shape)
    return updated
