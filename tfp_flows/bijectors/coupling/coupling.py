"""Coupling: some coordinates are mapped given the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_flows._types import Given, Pair
from tfp_flows.bijectors._core import base, conditioned, split
from tfp_flows.bijectors._core.parameters import Option, Part
from tfp_flows.bijectors.transformers.base import Transformer

__all__ = ["Coupling"]

# From so many parameters for each scalar on, layers hardly take longer where a tensor
# says which half they change; shifts and scales did, by a fifteenth.
WORTH_A_CHOICE = 8


class Coupling(conditioned.OnColumns):
    """Map the coordinates outside a mask given those inside, and given a condition.

    Both directions are equally fast: one conditioner pass. Only the changed
    coordinates are evaluated; a mask that is not contiguous costs one permutation of
    rows, no multiplication.

    Raises:
        ValueError: If the mask keeps or changes no coordinate, or if the conditioner
            does not fit to it.

    Example:
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.MLP(1, (1, 2), hidden_units=(8,), seed=0)
        >>> map_ = tfpf.bijectors.Coupling(
        ...     tfpf.bijectors.Affine(), net, mask=[True, False])
        >>> map_.forward([[1., 2.]]).numpy().tolist()
        [[1.0, 2.0]]

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, eq. 9
    """

    transformer: Transformer = Option("The scalar map of each changed coordinate.")
    conditioner: Any = Part(
        "From the kept coordinates to parameters: input size = number kept, output "
        "shape = (number changed, `transformer.params_size`). See "
        "`tfp_flows.networks`; wrap other networks by `networks.as_conditioner`."
    )
    mask: Sequence[bool] = Option(
        "One bool per coordinate: `True` where it passes unchanged and conditions the "
        "others, as in RealNVP."
    )

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        self._mask_split = split.MaskSplit(
            self.mask,
            0,
            places="coordinates",
            instead="For one coordinate use ConditionalElementwise.",
        )
        self._mask = self._mask_split.mask
        kept, changed = self._mask_split.sizes
        sizes["D"] = kept + changed
        conditioner = self.conditioner
        wanted = kept, (changed, self.transformer.params_size)
        found = conditioner.input_size, tuple(conditioner.output_shape)
        if wanted != found:
            msg = (
                "`conditioner` must have input_size and output_shape "
                f"{wanted} for this mask and transformer, got {found}. Build it "
                "for them."
            )
            raise ValueError(msg)
        return {}

    def form_of_either_half(self) -> base.Bijector:
        """Return an equal map that differs in numbers only from those of other halves.

        Loops then go through layers, and not through pairs of them: half as much is
        traced and compiled.
        """
        first = self._mask_split.changes_first_half
        if first is None or self.transformer.params_size < WORTH_A_CHOICE:
            return self
        return _EitherHalf(self.transformer, self.conditioner, tf.constant(first))

    def _on_batch(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        kept, changed = self._mask_split.split(value)
        params = self.conditioner.columns(kept, condition)
        changed, log_det = self._transformed(changed, params, inverse=inverse)
        return self._mask_split.join(kept, changed), log_det


class _EitherHalf(conditioned.OnColumns):
    """A coupling of two halves; a tensor says which one it changes."""

    transformer: Transformer = Option("The scalar map of each changed coordinate.")
    conditioner: Any = Part("From the kept half to parameters.")
    changes_first: tf.Tensor = Option("Whether the first half is changed, a bool.")

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        sizes["D"] = 2 * self.conditioner.input_size
        return {}

    def _in_order(
        self, one: tf.Tensor, other: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Swap two halves if the first one is changed."""
        swap = self.changes_first
        return tf.where(swap, other, one), tf.where(swap, one, other)

    def _on_batch(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        kept, changed = self._in_order(*tf.split(value, 2, axis=0))
        params = self.conditioner.columns(kept, condition)
        changed, log_det = self._transformed(changed, params, inverse=inverse)
        return tf.concat(self._in_order(kept, changed), axis=0), log_det
