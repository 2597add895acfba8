"""The order of coordinates that a masked network keeps, and how it is checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.math import masks

__all__ = ["Order"]

# Of a change of about one: above what rounding makes of equal products in a batch.
CHANGE = 1e-4
# Points around which inputs change: a unit that is off at one of them may be on at
# the other one.
POINTS = 3


class Order:
    """The ranks of coordinates, and whether a conditioner is known to keep them.

    A conditioner that states an `order` is trusted. Another one is asked for its
    parameters at a few points, and once more with each coordinate changed.

    Args:
        conditioner: The conditioner.
        order: The ranks that the user gave, or `None`.

    Raises:
        ValueError: If the conditioner keeps another order, or none.
    """

    def __init__(self, conditioner: Any, order: Any) -> None:
        size = conditioner.input_size
        stated = getattr(conditioner, "order", "unknown")
        if stated is None:
            msg = (
                "`conditioner` must keep an order of the coordinates, but in "
                f"`{type(conditioner).__name__}` every parameter may depend on every "
                "input. Use networks.MADE, or give your network the property `order`."
            )
            raise ValueError(msg)
        self.is_known = stated != "unknown"
        if order is None:
            order = stated if self.is_known else "left-to-right"
        self.ranks = masks.order_ranks(order, size)
        if self.is_known and masks.order_ranks(stated, size) != self.ranks:
            msg = (
                f"`order` must be that of the conditioner, {tuple(stated)}, got "
                f"{self.ranks}. Leave it out, or build the network with this order."
            )
            raise ValueError(msg)

    def check(self, conditioner: Any) -> None:
        """Raise if parameters depend on a coordinate that does not come before.

        Done once, by values, hence not while a function is traced. A network whose
        last layer is still zero depends on nothing, and is asked again.
        """
        if self.is_known or not tf.executing_eagerly():
            return
        depends = _dependence(conditioner)
        ranks = np.asarray(self.ranks)
        wrong = np.argwhere(depends & (ranks[np.newaxis] >= ranks[:, np.newaxis]))
        if len(wrong):
            coordinate, cause = wrong[0].tolist()
            msg = (
                "`conditioner` must keep the order of the coordinates, but the "
                f"parameters of coordinate {coordinate} change with coordinate {cause},"
                " which does not come before it. Use networks.MADE, or mask the "
                "network and pass its `order`."
            )
            raise ValueError(msg)
        # The last coordinate may see all others, and a network in use does.
        self.is_known = bool(np.any(depends)) or len(ranks) == 1


def _dependence(conditioner: Any) -> np.ndarray:
    """Return whether parameters of coordinate `i` change with input `j`, `[D, D]`."""
    size = conditioner.input_size
    rng = np.random.default_rng(0)
    points = rng.normal(size=[POINTS, 1, size])
    steps = np.concatenate([np.zeros([1, size]), np.eye(size)])
    x = points + steps * rng.choice([-1.0, 1.0], size=[POINTS, 1, size])
    dtype = conditioner.dtype
    columns = tf.constant(x.reshape(-1, size).T, dtype)
    condition = None
    if conditioner.condition_shape is not None:
        shape = [int(np.prod(conditioner.condition_shape)), 1]
        one = tf.constant(rng.normal(size=shape), dtype)
        condition = tf.broadcast_to(one, [shape[0], columns.shape[1]])
    params = conditioner.columns(columns, condition).numpy().astype(np.float64)
    params = params.reshape(len(params), size, POINTS, size + 1)
    change = np.abs(params[..., 1:] - params[..., :1])
    scale = 1.0 + np.abs(params[..., :1])
    return np.any(change > CHANGE * scale, axis=(0, 2))
