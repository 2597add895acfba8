"""Coupling: some coordinates are mapped given the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_flows.bijectors._core import conditioned, split
from tfp_flows.bijectors._core.parameters import Option, Part
from tfp_flows.bijectors.transformers.base import Transformer

__all__ = ["Coupling"]


class Coupling(conditioned.OnColumns):
    """Map the coordinates outside a mask given those inside, and given a condition.

    Both directions are equally fast: one conditioner pass. Only the changed
    coordinates are evaluated; a mask that is not contiguous costs one permutation of
    rows, no multiplication.

    Raises:
        ValueError: If the mask keeps or changes no coordinate, or if the conditioner
            does not fit to it.

    Shapes:
        Events `[..., D]` with `D = len(mask)`; conditions broadcast against `[...]`.

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

    def _on_batch(
        self, value: tf.Tensor, condition: tf.Tensor | None, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        kept, changed = self._mask_split.split(value)
        params = self.conditioner.columns(kept, condition)
        changed, log_det = self._transformed(changed, params, inverse=inverse)
        return self._mask_split.join(kept, changed), log_det
