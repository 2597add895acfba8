"""Flows of raw pixels: their values, their range, and the logit of them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows import _findings
from tfp_flows._types import TensorLike
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.elementwise import pixels
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.flows._model import options
from tfp_flows.flows._model.options import option
from tfp_flows.flows.images import base as image
from tfp_flows.flows.images import pixels as pixel_checks

__all__ = ["LOGIT_ALPHA", "PixelFlow"]

# MNIST: 1.5 bits after 300 steps of training in place of 3.1 without a logit.
LOGIT_ALPHA = 0.002


class PixelFlow(image.ImageFlow):
    """Base class of flows on raw pixels, which a fixed map brings around zero."""

    num_values: int = option(
        default=256, doc="Number of values of a pixel: 256 for 8 bits."
    )
    logit_alpha: float | None = option(
        default=LOGIT_ALPHA,
        doc=(
            "Models the logit of pixels, squeezed into `[alpha, 1 - alpha]`, as "
            "RealNVP does: black and white get room, and samples exceed "
            "`[0, num_values]` by at most half a value. `None`: pixels as they are, "
            "centred and scaled, as in Glow's paper."
        ),
    )
    dequantize: bool = option(  # type: ignore[assignment]
        default=True,
        doc="Whether training and `bits_per_dim` add uniform noise in [0, 1) to data, "
        "which are integers; `False` for data that are continuous already.",
        read=options.one_of(True, False),  # noqa: FBT003
    )

    def _make_preprocessing(self) -> list[bijector_base.Bijector]:
        return [self._pixels()]

    @property
    def pixels(self) -> bijector_base.Bijector:
        """The fixed map from numbers around zero to raw pixels."""
        return self._maps[-1]

    def _pixels(self) -> bijector_base.Bijector:
        """Return the fixed map between raw pixels and numbers around zero."""
        count, alpha = self.num_values, self.logit_alpha
        if alpha is not None:
            return pixels.PixelSigmoid(num_values=count, alpha=alpha)
        half = tf.constant(count / 2.0, self.variable_dtype)
        return standardize.Standardize(half, 2.0 * half, event_ndims=0)

    def require_pixels(self, images: TensorLike, argument: str = "x") -> None:
        """Raise unless images are pixels from 0 to the largest, see `ImageFlow`."""
        pixel_checks.require(
            images,
            argument,
            num_values=self.num_values,
            is_bounded=self.logit_alpha is not None,
            is_whole=bool(self.options["dequantize"]),
        )

    def _notice_values(self, x: Any) -> None:
        """Say that pixels look scaled, of pictures at hand."""
        found = _findings.at_hand(x)
        if found is not None:
            limit = self.num_values - bool(self.options["dequantize"])
            _findings.report(pixel_checks.scaled(found, limit))
