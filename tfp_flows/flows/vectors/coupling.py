"""Coupling flows: both directions cost one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks, _serialize
from tfp_flows._types import Condition, TensorLike
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.transformers import (
    Additive,
    Affine,
    CircularSpline,
    Transformer,
    transformer,
)
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import base, layers

__all__ = ["NICE", "CircularFlow", "CouplingFlow", "NeuralSplineFlow", "RealNVP"]


class _Coupling(base.LayeredFlow):
    """Alternating halves: each is mapped given the other."""

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        found: list[bijector_base.Bijector] = []
        for i, mask in enumerate(layers.alternating_masks(size, self.num_layers)):
            found += self._mixing(size, i)
            if self._shuffles and i > 1:  # both halves in one order
                mask = [mask[j] for j in layers.shuffle(size, i // 2)]
            changed = [j for j, kept in enumerate(mask) if not kept]
            layer = layers.coupling_layer(
                self._scalar_map(changed if size > 1 else None),
                mask,
                condition_shape,
                self._network(residual=self.residual),
                self._angles,
            )
            found.append(layer)
        return found


@_serialize.register()
class CouplingFlow(_Coupling):
    """Coupling layers of any transformer.

    Sampling and density are equally fast, one pass, if the transformer is.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build(
        ...     "coupling", 6, num_layers=2, transformer=tfpf.bijectors.Bernstein(12))
        >>> flow.sample(3, seed=1).shape.as_list()
        [3, 6]

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, eq. 9
    """

    transformer: Transformer = option(
        default=Affine(),
        doc="The scalar map of every layer, or its name.",
        read=transformer,
    )


@_serialize.register()
class NICE(_Coupling):
    """Additive coupling with a trainable scale at the end (NICE).

    Sampling and density are equally fast: one pass.

    References:
        Dinh et al. (2014). NICE. https://arxiv.org/abs/1410.8516
    """

    base: Any = option(default="diagonal-normal")
    transformer = Additive()


@_serialize.register()
class RealNVP(_Coupling):
    """Affine coupling (RealNVP).

    Sampling and density are equally fast: one pass.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803
    """

    transformer = Affine()


@_serialize.register()
class NeuralSplineFlow(base.SplineLayers, _Coupling):
    """Rational-quadratic spline coupling (neural spline flow).

    Sampling and density are equally fast: one pass.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
    """

    residual: bool = option(default=True)
    mixing: str = option(default="lu")


def _period(value: Any, name: str) -> tuple[float, float]:
    """Read the two ends of a period."""
    low, high = value
    _checks.interval(low, high, (f"{name}[0]", f"{name}[1]"))
    return float(low), float(high)


@_serialize.register()
class CircularFlow(_Coupling):
    """Spline coupling of angles: a density on the circle, or on a torus.

    Each layer goes around the circle, with a phase of its own, and its networks see
    cosines and sines: no density has a step where the period ends. The base is uniform.
    Sampling and density are equally fast: one pass. Outside of the period the density
    is 0.

    Raises:
        ValueError: In a fit, if data are no angles of the period.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("circular", 2, period=(0.0, 360.0), num_layers=2)
        >>> round(float(flow.log_prob([[10.0, 350.0]])[0]), 4)
        -11.7722

    References:
        Rezende et al. (2020). Normalizing Flows on Tori and Spheres.
        https://arxiv.org/abs/2002.02428
    """

    fit_policy = policy.FitPolicy()
    base: Any = option(default="uniform")
    residual: bool = option(default=True)
    num_bins: int = option(
        default=8, doc="Bins of each spline.", read=options.at_least(1)
    )
    period: Sequence[float] = option(
        default=(-math.pi, math.pi),
        doc="Where the period of all coordinates begins and ends.",
        read=_period,
    )

    @property
    def transformer(self) -> Transformer:
        """The spline."""
        return CircularSpline(self.num_bins)

    def _make_preprocessing(self) -> list[Any]:
        if self._angles is not None:
            self._check_declared()
            return []
        bounds = self._base.bounds
        if bounds is None or np.isinf(bounds[1] - bounds[0]):
            msg = (
                "`base` of a `CircularFlow` must have two bounds, the ends of a circle,"
                f" got {self._base.kind}. Leave it out: it is uniform."
            )
            raise ValueError(msg)
        scale = (self.period[1] - self.period[0]) / (bounds[1] - bounds[0])
        shift = self.period[0] - bounds[0] * scale
        numbers = np.asarray([scale, shift], self.variable_dtype)
        return [tfb.Scale(numbers[0]), tfb.Shift(numbers[1])]

    def _check_declared(self) -> None:
        """Raise unless columns say all there is to know of the period.

        Raises:
            ValueError: If some are no angles, or if there is a period as well.
        """
        if not all(self.periodic):
            msg = (
                "`columns` of a `CircularFlow` must all be periodic, got "
                f"{self.preprocessing}. Take 'nsf' or 'nsf-ar' for angles among other "
                "columns."
            )
            raise ValueError(msg)
        if self.period != (-math.pi, math.pi):
            msg = (
                f"`period` must be left out where `columns` have periods, got "
                f"{self.period}. Give one of both."
            )
            raise ValueError(msg)

    def adapt(self, x: TensorLike, condition: Condition = None) -> None:
        """Check that data are angles, and set what is computed from them.

        Args:
            x: Data, `[..., *event_shape]`.
            condition: Conditions, `[..., *condition_shape]`.

        Raises:
            ValueError: If data lie outside of the period.
        """
        if self._angles is not None:
            super().adapt(x, condition)
            return
        angles, (low, high) = np.asarray(self.in_order(x, None)[0]), self.period
        outside = angles[(angles < low) | (angles > high)]
        if outside.size:
            msg = (
                f"`x` must be angles of the period {self.period}, got {outside[0]} and "
                f"{outside.size - 1} more outside. Wrap them, or set `period`; where "
                "only some columns are angles, take 'nsf' and declare them in "
                "`columns`."
            )
            raise ValueError(msg)
        super().adapt(x, condition)
