"""Networks for raw data: sets, whose order says nothing, series and images."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from tfp_flows import _checks, _context, _serialize
from tfp_flows.networks import keras_dense

__all__ = ["ImageEmbedding", "SeriesEmbedding", "SetEmbedding"]

# What of the members of a set a network sees.
POOLINGS = ("mean", "max", "both")


class _Embedding(keras.Layer):
    """Makes a vector of raw data.

    Args:
        output_size: How many numbers come out.
        activation: Of hidden layers.
        seed: Int that fixes the initial weights.
        **kwargs: Of a Keras layer.
    """

    def __init__(
        self,
        output_size: int,
        activation: str,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _checks.count(output_size, 1, "output_size")
        self.output_size, self.activation, self.seed = output_size, activation, seed

    def _dense(
        self, sizes: Sequence[int], rng: np.random.Generator, last: int | None = None
    ) -> keras.Sequential:
        layers = keras_dense.dense_layers(
            sizes, last, self.activation, rng, self.dtype_policy
        )
        return keras.Sequential(layers)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple:
        """Return the shape that comes out."""
        return (input_shape[0], self.output_size)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same layer anew."""
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "activation": self.activation,
            "seed": self.seed,
        }


@_serialize.register()
class SetEmbedding(_Embedding):
    """Summarises a set of draws, in whatever order they come.

    Each draw passes through a network; means over the draws pass through another.

    Args:
        output_size: How many numbers come out.
        hidden_units: Widths of the hidden layers of both networks.
        activation: Of hidden layers.
        seed: Int that fixes the initial weights.
        pooling: What of the draws the second network sees: `"mean"`, `"max"` or
            `"both"`.
        **kwargs: Of a Keras layer.

    Shapes:
        From `[N, draws, D]` to `[N, output_size]`.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import inference
        >>> layer = inference.SetEmbedding(3)
        >>> x = np.random.default_rng(0).normal(size=(2, 5, 1))
        >>> bool(np.allclose(layer(x), layer(x[:, ::-1]), atol=1e-5))
        True

    References:
        Zaheer et al. (2017). Deep Sets. https://arxiv.org/abs/1703.06114
    """

    # The draws of a set are standardised alike.
    shared_axes = 1

    def __init__(
        self,
        output_size: int = 16,
        hidden_units: Sequence[int] = (64, 64),
        activation: str = "relu",
        seed: int | None = None,
        *,
        pooling: str = "mean",
        **kwargs: Any,
    ) -> None:
        super().__init__(output_size, activation, seed, **kwargs)
        _checks.one_of(pooling, POOLINGS, "pooling")
        self.pooling = pooling
        self.hidden_units = _checks.hidden_units(hidden_units)
        rng = _context.generator(seed)
        self.each = self._dense(self.hidden_units, rng)
        self.together = self._dense(self.hidden_units[-1:], rng, output_size)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights.

        Args:
            input_shape: `[N, draws, D]`.

        Raises:
            ValueError: If there are fewer axes.
        """
        if len(input_shape) != 3:
            msg = (
                "a set must have shape [draws, D], got "
                f"{tuple(input_shape[1:])}. Reshape `x` to [N, draws, D]."
            )
            raise ValueError(msg)
        self.each.build(input_shape)
        parts = 2 if self.pooling == "both" else 1
        self.together.build((None, parts * self.hidden_units[-1]))
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return `[N, output_size]` for sets `[N, draws, D]`."""
        each = self.each(inputs)
        found = []
        if self.pooling != "max":
            found.append(keras.ops.mean(each, axis=1))
        if self.pooling != "mean":
            found.append(keras.ops.max(each, axis=1))
        return self.together(keras.ops.concatenate(found, axis=-1))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same layer anew."""
        return {
            **super().get_config(),
            "hidden_units": list(self.hidden_units),
            "pooling": self.pooling,
        }


class _Convolutional(_Embedding, abc.ABC):
    """Convolutions that halve each axis, means over places, and dense layers."""

    # Name of the data, of their axes, and the layer for so many.
    what: ClassVar[tuple[str, tuple[str, ...]]]
    convolution: ClassVar[type[keras.Layer]]

    def __init__(
        self,
        output_size: int = 16,
        filters: Sequence[int] = (16, 32, 32),
        *,
        kernel_size: int = 5,
        num_places: int = 4,
        activation: str = "relu",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_size, activation, seed, **kwargs)
        self.filters = _checks.static_shape(filters, "filters")
        _checks.count(kernel_size, 1, "kernel_size")
        _checks.count(num_places, 1, "num_places")
        self.kernel_size, self.num_places = kernel_size, num_places
        rng = _context.generator(seed)
        self.convolutions = [
            self.convolution(
                number,
                kernel_size,
                strides=2,
                padding="same",
                activation=activation,
                kernel_initializer=keras_dense.glorot(rng),
            )
            for number in self.filters
        ]
        self.together = self._dense(self.filters[-1:], rng, output_size)

    @property
    def shared_axes(self) -> int:
        """Number of leading axes whose places are standardised alike."""
        return len(self.what[1])

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights.

        Args:
            input_shape: With or without an axis of channels.

        Raises:
            ValueError: If the number of axes is another one.
        """
        name, axes = self.what
        shape: tuple[Any, ...] = tuple(input_shape)
        if len(shape) == 1 + len(axes):
            shape = (*shape, 1)
        if len(shape) != 2 + len(axes) or None in shape[1:]:
            words = ", ".join(axes)
            msg = (
                f"{name} must have shape [{words}] or [{words}, C], got "
                f"{shape[1:]}. Reshape `x` to [N, {words}, C]."
            )
            raise ValueError(msg)
        for layer in self.convolutions:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        places = [min(length, self.num_places) for length in shape[1:-1]]
        self.together.build((None, int(np.prod(places)) * self.filters[-1]))
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return `[N, output_size]`."""
        axes = len(self.what[1])
        found = inputs
        if len(found.shape) == 1 + axes:
            found = keras.ops.expand_dims(found, -1)
        for layer in self.convolutions:
            found = layer(found)
        for axis in range(1, 1 + axes):
            means = _means(int(found.shape[axis]), self.num_places)
            means = keras.ops.convert_to_tensor(means, found.dtype)
            found = keras.ops.moveaxis(found, axis, -1)
            found = keras.ops.moveaxis(keras.ops.matmul(found, means), -1, axis)
        size = int(np.prod(found.shape[1:]))
        return self.together(keras.ops.reshape(found, (-1, size)))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same layer anew."""
        return {
            **super().get_config(),
            "filters": list(self.filters),
            "kernel_size": self.kernel_size,
            "num_places": self.num_places,
        }


@_serialize.register()
class SeriesEmbedding(_Convolutional):
    """Summarises a series of equally spaced steps.

    Convolutions over time halve the number of steps each; means over a few parts of the
    time, so that it counts when something happens, pass through dense layers.

    Args:
        output_size: How many numbers come out.
        filters: Numbers of channels of the convolutions.
        kernel_size: Steps that a convolution sees at once.
        num_places: Parts of the time; 1 where it does not count when something happens.
        activation: Of hidden layers.
        seed: Int that fixes the initial weights.
        **kwargs: Of a Keras layer.

    Shapes:
        From `[N, steps]` or `[N, steps, C]` to `[N, output_size]`.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import inference
        >>> layer = inference.SeriesEmbedding(3, seed=0)
        >>> tuple(layer(np.zeros([2, 100], "float32")).shape)
        (2, 3)
    """

    what = ("a series", ("steps",))
    convolution = keras.layers.Conv1D


@_serialize.register()
class ImageEmbedding(_Convolutional):
    """Summarises an image.

    Convolutions halve height and width each; means over a few parts of the image, so
    that it counts where something is, pass through dense layers.

    Args:
        output_size: How many numbers come out.
        filters: Numbers of channels of the convolutions.
        kernel_size: Height and width that a convolution sees at once.
        num_places: Parts of height and width; 1 where it does not count where something
            is.
        activation: Of hidden layers.
        seed: Int that fixes the initial weights.
        **kwargs: Of a Keras layer.

    Shapes:
        From `[N, height, width]` or `[N, height, width, C]` to `[N, output_size]`.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import inference
        >>> layer = inference.ImageEmbedding(3, seed=0)
        >>> tuple(layer(np.zeros([2, 28, 28], "float32")).shape)
        (2, 3)
    """

    what = ("an image", ("height", "width"))
    convolution = keras.layers.Conv2D


def _means(length: int, places: int) -> np.ndarray:
    """Return the matrix of means over equal parts of an axis, `[length, places]`."""
    bounds = np.linspace(0, length, min(places, length) + 1).astype(int)
    found = np.zeros([length, len(bounds) - 1])
    for i, (begin, end) in enumerate(itertools.pairwise(bounds)):
        found[begin:end, i] = 1.0 / (end - begin)
    return found
