"""Flows on spheres: densities of unit vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _serialize
from tfp_flows import distributions as bases
from tfp_flows._types import Condition, Shape, TensorLike
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.linear.orthogonal import Orthogonal
from tfp_flows.bijectors.linear.permutation import Permutation
from tfp_flows.bijectors.manifolds.sphere import Sphere
from tfp_flows.bijectors.transformers import CircularSpline, RationalQuadratic
from tfp_flows.bijectors.transformers.by_column import ByColumn
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import base, layers
from tfp_flows.math import spheres

__all__ = ["SphereFlow"]


class _UniformVectors(bases.Base):
    """Uniform unit vectors."""

    def _create(self, seed: int | None) -> None:
        del seed
        self.kind = "uniform"

    def distribution(self) -> tfd.Distribution:
        """Return the density, by area."""
        zeros = tf.zeros([self.event_shape[0] - 1], self._dtype)
        box = tfd.Independent(tfd.Uniform(zeros - 1.0, zeros + 1.0), 1)
        return bases.FlowDistribution(box, Sphere())


@_serialize.register()
class SphereFlow(base.VectorFlow):
    """A density of unit vectors: directions, orientations, points on the Earth.

    Events are vectors of length 1, and the density is by area: it integrates to 1 over
    the sphere, or over the circle if vectors have two numbers. Each layer takes the
    sphere apart into heights along an axis and an angle, all of equal area, bends these
    by splines, of the angle on the circle, given each other, and turns the sphere. The
    networks see cosine and sine of the angle. The base is uniform, and so is an
    untrained flow. Sampling and density are equally fast, one pass.

    At the two ends of a layer's axis, which are single points, the density may depend
    on the direction from which one comes.

    Raises:
        ValueError: If events are no vectors of two or more numbers, if the base is
            given, or, in `fit` and `log_prob`, if vectors are not of length 1.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("sphere", 3, num_layers=2, seed=0)
        >>> round(float(flow.log_prob([0.6, 0.0, 0.8])), 4)  # -log(4 * pi)
        -2.531

    References:
        Rezende et al. (2020). Normalizing Flows on Tori and Spheres.
        https://arxiv.org/abs/2002.02428, section 2.3
    """

    fit_policy = policy.FitPolicy(has_rivals=False)
    num_layers: int = option(default=4)
    base: Any = option(default="uniform")
    num_bins: int = option(
        default=8, doc="Bins of each spline.", read=options.at_least(1)
    )

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        shape = _checks.event_shape(event_shape)
        if len(shape) != 1 or shape[0] < 2:
            msg = (
                "`event_shape` must be the size of unit vectors, 2 or more, got "
                f"{shape}. Points on the Earth have 3: cos(lat) * cos(lon), "
                "cos(lat) * sin(lon), sin(lat)."
            )
            raise ValueError(msg)
        if given.get("base", "uniform") != "uniform":
            msg = (
                "`base` of a `SphereFlow` is uniform on the sphere, got "
                f"{given['base']!r}. Leave it out."
            )
            raise ValueError(msg)
        super().__init__(shape, condition_shape, **given)
        if self.cells is not None:
            msg = (
                "`columns` of a `SphereFlow` must be names, got the kinds "
                f"{self.preprocessing}: together they are one vector. Give names."
            )
            raise ValueError(msg)

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        self._base: Any = _UniformVectors(size, dtype=self.variable_dtype)
        turned = Permutation([*range(1, size), 0])
        found: list[bijector_base.Bijector] = []
        for _ in range(self.num_layers):
            bends = self._bends(size - 1, condition_shape)
            rotation = Orthogonal.trainable(size, dtype=self.variable_dtype)
            inward = composition.Invert(Sphere())
            parts = [rotation, turned, Sphere(), *bends, inward]
            found.append(composition.Chain(parts))
        return found

    def _bends(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        """Return maps of heights and angle, each part given the others."""
        angles = [False] * (size - 1) + [True]
        spline = RationalQuadratic(self.num_bins, *layers.TURN, tails="linear")
        circle = CircularSpline(self.num_bins, *layers.TURN)
        found = []
        for mask in layers.alternating_masks(size, min(size, 2)):
            changed = [angles[i] for i, kept in enumerate(mask) if not kept or size < 2]
            transformer: Any = ByColumn((spline, circle), tuple(map(int, changed)))
            if not any(changed) or all(changed):
                transformer = circle if changed[0] else spline
            layer = layers.coupling_layer(
                transformer, mask, condition_shape, self._network(), angles
            )
            found.append(layer)
        return found

    def _make_preprocessing(self) -> list[Any]:
        return []

    def log_prob(
        self,
        x: TensorLike,
        condition: Condition = None,
        *,
        jit_compile: bool = False,
    ) -> tf.Tensor:
        """Return the log-density by area of unit vectors, see `Flow.log_prob`.

        Raises:
            ValueError: If a vector is not of length 1. (In a traced function, and by
                `distribution()`, its density is 0.)
        """
        if not tf.is_tensor(x) or hasattr(x, "numpy"):
            x = self.in_order(x, None)[0]
            self._require_unit(x)
        return super().log_prob(x, condition, jit_compile=jit_compile)

    def adapt(self, x: TensorLike, condition: Condition = None) -> None:
        """Check that data are unit vectors, and set the scales of conditions.

        Args:
            x: Data, `[..., D]`.
            condition: Conditions, `[..., *condition_shape]`.

        Raises:
            ValueError: If a vector is not of length 1.
        """
        x = self.in_order(x, None)[0]
        self._require_unit(x)
        super().adapt(x, condition)

    def _require_unit(self, x: Any) -> None:
        values = np.asarray(x, np.float64)
        if values.shape[-1:] != self.event_shape:
            return  # an error of shapes, which comes next
        length = np.sqrt(np.sum(np.square(values), axis=-1)).ravel()
        off = np.flatnonzero(~(np.abs(length - 1.0) <= spheres.TOLERANCE))
        if off.size:
            msg = (
                f"`x` must be unit vectors, got one of length {length[off[0]]:.6g} in "
                f"row {off[0] + 1}, and {off.size - 1} more. Divide each by its "
                "length: x / np.linalg.norm(x, axis=-1, keepdims=True); for other "
                "tables take 'nsf-ar'."
            )
            raise ValueError(msg)
