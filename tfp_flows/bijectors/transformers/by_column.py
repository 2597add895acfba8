"""Transformers of which each coordinate of a layer has its own."""

from __future__ import annotations

import dataclasses
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors.transformers.base import Transformer

__all__ = ["ByColumn"]


@dataclasses.dataclass(frozen=True)
class ByColumn:
    """Maps the rows of a batch of columns, `[D, N]`, each by one of some transformers.

    Not a `Transformer`, whose scalars have no place: for layers that hand over all of
    their coordinates at once.

    Args:
        parts: The transformers.
        places: Which of them each coordinate takes.
    """

    parts: tuple[Transformer, ...]
    places: tuple[int, ...]

    # The coordinates are to be mapped all at once, see `MaskedAutoregressive`.
    is_shared = False
    period = None

    def __call__(self, params: Any) -> NoReturn:
        """Refuse parameters: only a layer has those of all coordinates.

        TFP compares callable options of a map, and can trace a function of such a map;
        of other options it takes plain numbers and text only.
        """
        msg = (
            "`ByColumn` maps all coordinates of a layer at once and takes no `params`. "
            "Hand it to a Coupling or to a MaskedAutoregressive."
        )
        raise TypeError(msg)

    @property
    def params_size(self) -> int:
        """Number of parameters per scalar, those of the largest transformer."""
        return max(part.params_size for part in self.parts)

    def initial(self) -> np.ndarray:
        """Return zeros: the parameters from which each part starts are added."""
        return np.zeros([self.params_size])

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map columns, `[D, N]`, by parameters, `[P, D, N]`."""
        return self._by_part(x, params, inverse=False)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map columns back."""
        return self._by_part(y, params, inverse=True)

    def _by_part(
        self, value: tf.Tensor, params: tf.Tensor, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        places = np.array(self.places)
        values, log_dets, order = [], [], []
        for i, part in enumerate(self.parts):
            rows = np.flatnonzero(places == i)
            if not len(rows):
                continue
            own = tf.gather(params[: part.params_size], rows, axis=1)
            start = tf.constant(part.initial(), own.dtype)
            own += start[:, tf.newaxis, tf.newaxis]
            function = part.inverse if inverse else part.forward
            out, log_det = function(tf.gather(value, rows), own)
            values.append(out)
            log_dets.append(log_det)
            order.append(rows)
        back = np.argsort(np.concatenate(order))
        joined = (tf.concat(parts, axis=0) for parts in (values, log_dets))
        out, log_det = (tf.gather(part, back) for part in joined)
        return out, log_det
