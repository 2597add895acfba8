"""Coupling: some coordinates are mapped given the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_flows.bijectors._core import base, split
from tfp_flows.bijectors._core import batch as columns
from tfp_flows.bijectors.transformers.base import Transformer

__all__ = ["Coupling"]


class Coupling(base.Bijector):
    """Map the coordinates outside a mask given those inside, and given a condition.

    Both directions are equally fast: one conditioner pass. Only the changed
    coordinates are evaluated; a mask that is not contiguous costs one permutation of
    rows, no multiplication.

    Args:
        transformer: The scalar map of each changed coordinate.
        conditioner: From the kept coordinates to parameters: input size = number kept,
            output shape = (number changed, `transformer.params_size`). See
            `tfp_flows.networks`; wrap other networks by `networks.as_conditioner`.
        mask: One bool per coordinate: `True` where it passes unchanged and conditions
            the others, as in RealNVP.
        validate_args: Whether to run value checks.
        name: Name of the map.

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

    def __init__(
        self,
        transformer: Transformer,
        conditioner: Any,
        mask: Sequence[bool],
        *,
        validate_args: bool = False,
        name: str = "coupling",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._transformer = transformer
            self._conditioner = conditioner
            self._mask_split = split.MaskSplit(
                mask,
                0,
                places="coordinates",
                instead="For one coordinate use ConditionalElementwise.",
            )
            self._mask = self._mask_split.mask
            kept, changed = self._mask_split.sizes
            wanted = kept, (changed, transformer.params_size)
            found = conditioner.input_size, tuple(conditioner.output_shape)
            if wanted != found:
                msg = (
                    "`conditioner` must have input_size and output_shape "
                    f"{wanted} for this mask and transformer, got {found}. Build it "
                    "for them."
                )
                raise ValueError(msg)
            super().__init__(
                event_shape=(len(self._mask),),
                condition_shape=conditioner.condition_shape,
                dtype=conditioner.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def transformer(self) -> Transformer:
        """The scalar map."""
        return self._transformer

    @property
    def conditioner(self) -> Any:
        """What turns kept coordinates into parameters."""
        return self._conditioner

    @property
    def mask(self) -> tuple[bool, ...]:
        """`True` where a coordinate passes unchanged."""
        return self._mask

    @property
    def repeatable(self) -> bool:
        """Whether the conditioner may be rebuilt from other weights."""
        return getattr(self._conditioner, "repeatable", False)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {}

    def _evaluate_columns(
        self, value: tf.Tensor, condition: tf.Tensor | None, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        ndims = len(self.condition_shape or ())
        value, condition, batch = columns.to_columns(value, condition, ndims)
        kept, changed = self._mask_split.split(value)
        params = self._conditioner.columns(kept, condition)
        direction = self._transformer.inverse if inverse else self._transformer.forward
        changed, log_det = direction(changed, params)
        out = self._mask_split.join(kept, changed)
        return batch.events(out), batch.scalars(tf.reduce_sum(log_det, axis=0))

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_columns(x, condition, inverse=False)

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_columns(y, condition, inverse=True)
