"""The map from a box onto the sphere."""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.bijectors._core import base
from tfp_flows.math import spheres

__all__ = ["Sphere"]


class Sphere(base.Bijector):
    """Map the box `[-1, 1]` of `n - 1` coordinates onto the unit vectors of size `n`.

    The first coordinates are heights along the last axis, the one before, and so on;
    the last is the angle of the first two. They have equal areas: uniform coordinates
    are uniform vectors. The log-det is by area, and constant, so that a density of
    vectors integrates to 1 over the sphere; of what is no unit vector it is 0.
    Both directions are equally fast. The ends of the angle are one point, and so are
    all angles at a pole, which `inverse` gives one of.

    Shapes:
        `[..., n - 1]` to `[..., n]`, `n` at least 2.

    Example:
        >>> import tfp_flows as tfpf
        >>> tfpf.bijectors.Sphere().forward([[1.0, 0.0], [0.0, 0.0]]).numpy().tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]

    References:
        Rezende et al. (2020). Normalizing Flows on Tori and Spheres.
        https://arxiv.org/abs/2002.02428
    """

    _event = "D"

    def _forward_event_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        sizes = tf.TensorShape(input_shape).as_list()
        return tf.TensorShape([*sizes[:-1], _moved(sizes[-1], 1)])

    def _inverse_event_shape(self, output_shape: tf.TensorShape) -> tf.TensorShape:
        sizes = tf.TensorShape(output_shape).as_list()
        return tf.TensorShape([*sizes[:-1], _moved(sizes[-1], -1)])

    def _forward_event_shape_tensor(self, input_shape: tf.Tensor) -> tf.Tensor:
        return tf.concat([input_shape[:-1], input_shape[-1:] + 1], axis=0)

    def _inverse_event_shape_tensor(self, output_shape: tf.Tensor) -> tf.Tensor:
        return tf.concat([output_shape[:-1], output_shape[-1:] - 1], axis=0)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _require_size(x.shape[-1])
        return spheres.forward(x)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _require_size(y.shape[-1], 2)
        return spheres.inverse(y)


def _moved(size: int | None, change: int) -> int | None:
    return None if size is None else size + change


def _require_size(size: int | None, least: int = 1) -> None:
    if size is None or size < least:
        msg = (
            f"`Sphere` must know the size of vectors when it is traced, {least} or "
            f"more, got {size}. Set the shape by tf.ensure_shape."
        )
        raise ValueError(msg)
