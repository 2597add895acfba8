"""Transformers: scalar maps with parameters, the one family behind all layers.

A transformer states how many numbers it needs per scalar and maps scalars given these
numbers, parameter axis first. Coupling and autoregressive layers get the numbers from
a conditioner; `Elementwise` holds them itself; `ConditionalElementwise` gets them from
the condition alone.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import TensorLike
from tfp_flows.bijectors.elementwise import parameterised
from tfp_flows.math import mixtures
from tfp_flows.math.linear import products
from tfp_flows.math.splines import rational_quadratic
from tfp_flows.math.splines import tails as spline_tails

__all__ = [
    "Additive",
    "Affine",
    "LogisticMixture",
    "RationalQuadratic",
    "Transformer",
]


class Transformer(abc.ABC):
    """A strictly increasing scalar map whose parameters are unconstrained numbers.

    Subclasses are frozen dataclasses of plain numbers and strings, so that they
    compare by value and are saved by their fields.
    """

    @property
    @abc.abstractmethod
    def params_size(self) -> int:
        """Number of parameters per scalar."""

    @abc.abstractmethod
    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map scalars.

        Args:
            x: Scalars, `[...]`.
            params: Parameters, `[P, ...]`; zeros give the identity.

        Returns:
            Value and log-derivative, `[...]`.
        """

    @abc.abstractmethod
    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map scalars back; returns the value and the inverse log-derivative."""

    def initial(self) -> np.ndarray:
        """Return the parameters, `[P]`, from which training should start."""
        return np.zeros([self.params_size])

    def __call__(self, params: TensorLike, **kwargs: Any) -> parameterised.Elementwise:
        """Return the bijector with parameters `[..., P]`."""
        return parameterised.Elementwise(self, params, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: getattr(self, field.name) for field in fields}


@dataclasses.dataclass(frozen=True)
class Additive(Transformer):
    """`y = x + shift`: volume preserving (NICE).

    References:
        Dinh et al. (2014). NICE. https://arxiv.org/abs/1410.8516
    """

    @property
    def params_size(self) -> int:
        """One shift."""
        return 1

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Add the shift; the log-derivative is 0."""
        y = x + params[0]
        return y, tf.zeros_like(y)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Subtract the shift; the log-derivative is 0."""
        x = y - params[0]
        return x, tf.zeros_like(x)


@dataclasses.dataclass(frozen=True)
class Affine(Transformer):
    """`y = x * exp(s) + shift` with `s` softly bounded, so that inverses stay finite.

    Args:
        max_log_scale: Bound of `s = max * tanh(raw / max)`.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803
    """

    max_log_scale: float = 5.0

    def __post_init__(self) -> None:
        _checks.at_least(self.max_log_scale, 1e-3, "max_log_scale")

    @property
    def params_size(self) -> int:
        """Shift and raw log-scale."""
        return 2

    def _log_scale(self, raw: tf.Tensor) -> tf.Tensor:
        return products.bounded_log_scale(raw, self.max_log_scale)

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Scale, then shift."""
        shift, raw = tf.unstack(params)
        log_scale = self._log_scale(raw)
        y = x * tf.exp(log_scale) + shift
        return y, log_scale + tf.zeros_like(y)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Shift back, then scale back."""
        shift, raw = tf.unstack(params)
        log_scale = self._log_scale(raw)
        x = (y - shift) * tf.exp(-log_scale)
        return x, tf.zeros_like(x) - log_scale


@dataclasses.dataclass(frozen=True)
class RationalQuadratic(Transformer):
    """Monotone rational-quadratic spline on `[range_min, range_max]`.

    Args:
        num_bins: Number of bins, at least 1.
        range_min: First knot.
        range_max: Last knot.
        tails: `"identity"`, `"linear"` or `"circular"`, as in
            `RationalQuadraticSpline`.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
    """

    num_bins: int = 8
    range_min: float = -5.0
    range_max: float = 5.0
    tails: str = "identity"

    def __post_init__(self) -> None:
        _checks.at_least(self.num_bins, 1, "num_bins")
        _checks.one_of(self.tails, spline_tails.TAILS, "tails")
        for argument in ("range_min", "range_max"):
            _checks.plain_number(getattr(self, argument), argument)
        if not self.range_min < self.range_max:
            msg = (
                f"`range_min` must be below range_max, got {self.range_min} and "
                f"{self.range_max}. Swap or widen them."
            )
            raise ValueError(msg)

    @property
    def params_size(self) -> int:
        """Widths, heights, and slopes."""
        return 2 * self.num_bins + spline_tails.num_slopes(self.num_bins, self.tails)

    def _apply(
        self, value: tf.Tensor, params: tf.Tensor, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        limits = (self.range_min, self.range_max)
        if params.shape[1:].as_list() == value.shape.as_list():
            return spline_tails.apply_logits(
                value, params, self.num_bins, limits, self.tails, inverse=inverse
            )
        # Many scalars share a spline: its knots are worth a table.
        tables = spline_tails.spline_parameters(
            params, self.num_bins, *limits, self.tails
        )
        return spline_tails.apply_spline(value, *tables, self.tails, inverse=inverse)

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the spline."""
        return self._apply(x, params, inverse=False)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the inverse spline, at equal cost."""
        return self._apply(y, params, inverse=True)


@dataclasses.dataclass(frozen=True)
class LogisticMixture(Transformer):
    """`y = logit(F(x))` with `F` the CDF of a mixture of logistics, and its inverse.

    The inverse (in the sense of the map: from data to base) is the closed form, since
    that is what a density needs: `inverse(y) = logit(F(y))`. `forward` solves for the
    root by bracketing and Newton steps. With all parameters zero `F` is one logistic
    and the map the identity; training starts from spread components.

    Args:
        num_components: Number of logistics.
        max_log_scale: Soft bound of the log-scales.

    References:
        Ho et al. (2019). Flow++. https://arxiv.org/abs/1902.00275
    """

    num_components: int = 8
    max_log_scale: float = 5.0

    def __post_init__(self) -> None:
        _checks.at_least(self.num_components, 1, "num_components")
        _checks.at_least(self.max_log_scale, 1e-3, "max_log_scale")

    @property
    def params_size(self) -> int:
        """Logits, locations, and raw log-scales."""
        return 3 * self.num_components

    def initial(self) -> np.ndarray:
        """Spread the locations, since equal components would stay equal."""
        spread = np.linspace(-1.0, 1.0, self.num_components)
        zeros = np.zeros([self.num_components])
        return np.concatenate([zeros, 1.5 * spread, zeros - 0.3])

    def _components(self, params: tf.Tensor) -> tuple[tf.Tensor, ...]:
        logits, locations, raw = tf.split(params, 3, axis=0)
        bound = self.max_log_scale
        return (
            tf.nn.log_softmax(logits, 0),
            locations,
            rational_quadratic.soft_clip(raw, bound),
        )

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Solve `logit(F(y)) = x` for `y`."""
        return mixtures.logit_cdf_inverse(x, *self._components(params))

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate `logit(F(y))`."""
        return mixtures.logit_cdf(y, *self._components(params))
