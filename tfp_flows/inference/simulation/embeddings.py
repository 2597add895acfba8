"""Networks for raw data: sets, whose order says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tfp_flows import _checks, _serialize

__all__ = ["SetEmbedding"]


@_serialize.register()
class SetEmbedding(keras.Layer):
    """Summarises a set of draws, in whatever order they come.

    Each draw passes through a network; means over the draws pass through another.

    Args:
        output_size: How many numbers come out.
        hidden_units: Widths of the hidden layers of both networks.
        activation: Of hidden layers.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _checks.count(output_size, 1, "output_size")
        self.output_size = output_size
        self.hidden_units = _checks.static_shape(hidden_units, "hidden_units")
        self.activation = activation
        self.each = self._network(self.hidden_units)
        self.together = self._network(self.hidden_units[-1:], output_size)

    def _network(self, sizes: Sequence[int], last: int | None = None) -> Any:
        layers = [keras.layers.Dense(n, activation=self.activation) for n in sizes]
        if last is not None:
            layers.append(keras.layers.Dense(last))
        return keras.Sequential(layers)

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
        self.together.build((None, self.hidden_units[-1]))
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return `[N, output_size]` for sets `[N, draws, D]`."""
        return self.together(keras.ops.mean(self.each(inputs), axis=1))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple:
        """Return the shape that comes out."""
        return (input_shape[0], self.output_size)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same layer anew."""
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "hidden_units": list(self.hidden_units),
            "activation": self.activation,
        }
