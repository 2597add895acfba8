"""CDFs of mixtures."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import base
from tfp_flows.math import mixtures
from tfp_flows.math.gaussianization import rosenblatt_inverse
from tfp_flows.math.splines import rational_quadratic

__all__ = ["KernelMixture", "LogisticMixture", "NormalMixture"]


@dataclasses.dataclass(frozen=True)
class _Mixture(base.Transformer):
    """A mixture of components with a place and a scale each.

    Args:
        num_components: Number of components.
        max_log_scale: Soft bound of the log-scales.
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
        scales = rational_quadratic.soft_clip(raw, self.max_log_scale)
        return _log_weights(logits), locations, scales


@dataclasses.dataclass(frozen=True)
class LogisticMixture(_Mixture):
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

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Solve `logit(F(y)) = x` for `y`."""
        return mixtures.logit_cdf_inverse(x, *self._components(params))

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate `logit(F(y))`."""
        return mixtures.logit_cdf(y, *self._components(params))


class _Normals(base.Transformer):
    """Maps a mixture of normals to the normal distribution."""

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Solve `Phi^-1(F(y)) = x` for `y`."""
        lines = self._lines(params)
        y = rosenblatt_inverse.quantile(x, *lines)
        return y, -rosenblatt_inverse.level(y, *lines)[1]

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate `Phi^-1(F(y))`."""
        return rosenblatt_inverse.level(y, *self._lines(params))

    def _lines(self, params: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return log-weights, and slopes, shifts and log-slopes that standardise."""
        log_weights, locations, log_scales = self._components(params)
        slopes = tf.exp(-log_scales)
        return log_weights, slopes, -locations * slopes, -log_scales

    @abc.abstractmethod
    def _components(self, params: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return log-weights, locations and log-scales, `[K, ...]` each."""


@dataclasses.dataclass(frozen=True)
class NormalMixture(_Mixture, _Normals):
    """`y = Phi^-1(F(x))` with `F` the CDF of a mixture of normals, and its inverse.

    With a normal base the density is exactly that of the mixture: one layer of it is a
    mixture density network. The inverse (from data to base) is the closed form,
    `inverse(y) = Phi^-1(F(y))`; `forward` solves for the root by bracketing and Newton
    steps. With all parameters zero the map is the identity; training starts from spread
    components. Beyond 1,000 it goes straight on.

    Args:
        num_components: Number of normals.
        max_log_scale: Soft bound of the log-scales.

    References:
        Bishop (1994). Mixture density networks.
        https://publications.aston.ac.uk/id/eprint/373/
    """


@dataclasses.dataclass(frozen=True)
class KernelMixture(_Normals):
    """`NormalMixture` with components that stay where they are: weights alone move.

    There is no identity among such maps: with all parameters zero the weights are
    equal.

    Args:
        centers: Where kernels are.
        scales: Their deviations: a kernel of each at every place.

    References:
        Ambrogioni et al. (2017). The Kernel Mixture Network.
        https://arxiv.org/abs/1705.07111
    """

    centers: tuple[float, ...] = (0.0,)
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for name in ("centers", "scales"):
            found = tuple(float(value) for value in getattr(self, name))
            if not found or (name == "scales" and min(found) <= 0.0):
                msg = (
                    f"`{name}` must be a tuple of numbers, and scales above 0, got "
                    f"{found}. Pass centers=(-1., 0., 1.), scales=(0.5,)."
                )
                raise ValueError(msg)
            object.__setattr__(self, name, found)

    @property
    def params_size(self) -> int:
        """Logits."""
        return len(self.centers) * len(self.scales)

    def _components(self, params: tf.Tensor) -> tuple[tf.Tensor, ...]:
        ones = [1] * (params.shape.rank - 1)
        kernels = np.array([(c, s) for c in self.centers for s in self.scales])
        locations, scales = (
            tf.constant(column.reshape(-1, *ones), params.dtype) for column in kernels.T
        )
        return _log_weights(params), locations, tf.math.log(scales)


def _log_weights(logits: tf.Tensor) -> tf.Tensor:
    # `tf.nn.log_softmax` turns axes in ways that XLA cannot differentiate in a loop.
    return logits - tf.reduce_logsumexp(logits, axis=0, keepdims=True)
