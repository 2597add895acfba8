"""The two parts of the input of a coupling: what it keeps and what it changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

__all__ = ["MaskSplit"]


class MaskSplit:
    """Split along one axis by a mask.

    A mask that is contiguous costs a split; another one a gather more.

    Args:
        mask: One bool per place: `True` where it is kept.
        axis: The axis.
        places: What the places are called in an error.
        instead: What the error advises where there is one place only.

    Raises:
        ValueError: If the mask keeps or changes nothing.
    """

    def __init__(
        self, mask: Sequence[bool], axis: int, *, places: str, instead: str
    ) -> None:
        self.mask = tuple(bool(keep) for keep in mask)
        self._axis = axis
        kept = np.flatnonzero(self.mask)
        changed = np.flatnonzero(np.logical_not(self.mask))
        if not (kept.size and changed.size):
            msg = (
                f"`mask` must keep some {places} and change some, got "
                f"{list(self.mask)}. {instead}"
            )
            raise ValueError(msg)
        self.sizes = (int(kept.size), int(changed.size))
        order = np.concatenate([kept, changed])
        self._order = tuple(order.tolist())
        self._restore = tuple(np.argsort(order).tolist())
        places_in_order = tuple(range(order.size))
        self._is_ordered = self._order == places_in_order
        first = self.sizes[1]
        self._is_swapped = self._order == places_in_order[first:] + tuple(range(first))

    @property
    def changes_first_half(self) -> bool | None:
        """Whether the first half is changed, `None` if no half of all places is."""
        if self.sizes[0] != self.sizes[1] or not (self._is_ordered or self._is_swapped):
            return None
        return self._is_swapped

    def split(self, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what is kept and what is changed."""
        # `tf.split`, as the gradient of a slice of channels is several times slower.
        if self._is_swapped:
            changed, kept = tf.split(value, self.sizes[::-1], axis=self._axis)
            return kept, changed
        if not self._is_ordered:
            value = tf.gather(value, self._order, axis=self._axis)
        kept, changed = tf.split(value, self.sizes, axis=self._axis)
        return kept, changed

    def join(self, kept: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
        """Undo `split`."""
        parts = [changed, kept] if self._is_swapped else [kept, changed]
        value = tf.concat(parts, axis=self._axis)
        if self._is_swapped or self._is_ordered:
            return value
        return tf.gather(value, self._restore, axis=self._axis)
