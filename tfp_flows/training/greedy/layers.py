"""Single layers of a greedy Gaussianization: applied to rows, written, read."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from tfp_flows import networks
from tfp_flows.bijectors.gaussianization import marginal_spline
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.flows.gaussianization import rbig
from tfp_flows.math import normal
from tfp_flows.math.gaussianization import cdf_tables, components, rosenblatt
from tfp_flows.math.splines import tables
from tfp_flows.math.traced import traced

__all__ = [
    "ConditionalAffine",
    "Knots",
    "Layer",
    "Mixture",
    "Radial",
    "Spline",
    "Table",
    "cdf_table",
    "log_radius",
    "normal_losses",
    "read",
    "rotated",
    "standardised",
    "table",
    "write",
]

# Soft bound of the log-scales of conditional affine layers, that of `bijectors.Affine`.
SCALE_BOUND = 5.0
Knots = tuple[np.ndarray, np.ndarray, np.ndarray]


def _run(
    function: Callable[..., Any],
    x: np.ndarray,
    *parameters: np.ndarray,
    count: int = 0,
    size: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run a function whose parameters have `count` first dimensions of any size.

    It is traced for rows of `size` features; `None` for any number of them.
    """
    shapes = ((*(None,) * count, *p.shape[count:]) for p in parameters)
    compiled = traced(function, (None, size), *shapes)
    out, log_det = compiled(x.astype(np.float64, copy=False), *parameters)
    return out.numpy(), log_det.numpy()


def table(x: np.ndarray, knots: Knots) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate tables at rows, `[N, D]`; returns values and log-slopes."""
    positions, values, log_slopes = (np.ascontiguousarray(k) for k in knots)
    slopes = np.exp(log_slopes)
    return _run(tables.evaluate, x, positions, values, slopes, count=1)


def cdf_table(x: np.ndarray, *grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate CDF tables, and then the normal quantiles, as `MarginalGaussianize`."""
    return _run(cdf_tables.gaussianize, x, *grid, size=x.shape[1])


def normal_losses(x: np.ndarray) -> np.ndarray:
    """Return the negative log-densities of a normal distribution, in nats, `[N]`."""
    square = np.einsum("ij,ij->i", x, x, dtype=np.float64)
    return 0.5 * square + x.shape[1] * normal.LOG_NORMALISER


def log_radius(x: np.ndarray) -> np.ndarray:
    """Return the log of the norm of each row, `[N, 1]`."""
    square = np.einsum("ij,ij->i", x, x, dtype=np.float64)[:, np.newaxis]
    return 0.5 * np.log(np.maximum(square, 1e-60))


@dataclasses.dataclass(frozen=True)
class Layer(abc.ABC):
    """What all layers have: a type of `rbig.LAYERS`, and a map from data to base."""

    layer_type: ClassVar[str]

    @abc.abstractmethod
    def apply(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows behind the layer, `[N, D]`, and their log-dets, `[N]`."""

    @abc.abstractmethod
    def assign(self, maps: Iterator[Any], dtype: str) -> None:
        """Set the next maps of a flow, those of a layer of this type."""


def rotated(x: np.ndarray, rotation: np.ndarray | None) -> np.ndarray:
    """Return rows behind a rotation, `None` for none."""
    return x if rotation is None else x @ rotation.T.astype(x.dtype)


def _assign_rotation(
    target: Any, rotation: np.ndarray | None, size: int, dtype: str
) -> None:
    matrix = np.eye(size) if rotation is None else rotation
    target.matrix.assign(matrix.T.astype(dtype))


@dataclasses.dataclass(frozen=True)
class Spline(Layer):
    """A rotation, `None` for none, and tables of single features.

    The tables are positions, values and log-slopes, `[D, K + 1]` each.
    """

    rotation: np.ndarray | None
    knots: Knots
    layer_type = "spline"

    def apply(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rotate, then evaluate the tables."""
        out, log_det = table(rotated(x, self.rotation), self.knots)
        return out, np.sum(log_det, axis=1)

    def assign(self, maps: Iterator[Any], dtype: str) -> None:
        """Set a rotation and a marginal spline."""
        _assign_rotation(next(maps), self.rotation, len(self.knots[0]), dtype)
        _assign_spline(next(maps), self.knots, dtype)


@dataclasses.dataclass(frozen=True)
class Table(Layer):
    """A rotation, `None` for none, and CDF tables of single features.

    A table is where its grid starts and ends, `[D]` each, and the log-masses of its
    cells, `[D, G + 2]`.
    """

    rotation: np.ndarray | None
    grid: tuple[np.ndarray, np.ndarray, np.ndarray]
    layer_type = "table"

    def apply(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rotate, then look up levels of the normal distribution."""
        out, log_det = cdf_table(rotated(x, self.rotation), *self.grid)
        return out, np.sum(log_det, axis=1)

    def assign(self, maps: Iterator[Any], dtype: str) -> None:
        """Set a rotation and marginal tables."""
        _assign_rotation(next(maps), self.rotation, len(self.grid[0]), dtype)
        target = next(maps)
        for variable, value in zip(_grid(target), self.grid, strict=True):
            variable.assign(value.astype(dtype))


def _grid(target: Any) -> tuple[Any, Any, Any]:
    return target.low, target.high, target.log_masses


@dataclasses.dataclass(frozen=True)
class Radial(Layer):
    """A table of the log-radius, `[1, K + 1]` each."""

    knots: Knots
    layer_type = "radial"

    def apply(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give each row another radius."""
        radius = log_radius(x)
        moved, log_slope = table(radius, self.knots)
        change = moved - radius
        log_det = x.shape[1] * change + log_slope
        return x * np.exp(change), log_det[:, 0]

    def assign(self, maps: Iterator[Any], dtype: str) -> None:
        """Set a map of the radius."""
        _assign_spline(next(maps).bijector, self.knots, dtype)


@dataclasses.dataclass(frozen=True)
class ConditionalAffine(Layer):
    """A rotation, and functions of its first feature that shift and scale the rest.

    The functions are the values of a `networks.Table`: shifts, then raw log-scales,
    `[2 * (D - 1), G]`.
    """

    rotation: np.ndarray
    values: np.ndarray
    layer_type = "conditional-affine"

    def apply(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rotate, then shift and scale."""
        u = rotated(x, self.rotation)
        last = self.values.shape[1] - 1
        place = networks.Table.position(u[:, 0].astype(np.float64), last + 1)
        cell = np.clip(place.astype(np.intp), 0, last - 1)
        part = (place - cell)[:, np.newaxis]
        rows = np.ascontiguousarray(self.values.T)
        found = rows[cell]
        found += part * (rows[cell + 1] - found)
        shift, raw = np.split(found, 2, axis=1)
        log_scale = SCALE_BOUND * np.tanh(raw / SCALE_BOUND)
        rest = (u[:, 1:] - shift) * np.exp(-log_scale)
        return np.concatenate([u[:, :1], rest], axis=1), -np.sum(log_scale, axis=1)

    def assign(self, maps: Iterator[Any], dtype: str) -> None:
        """Set a rotation and a coupling map."""
        _assign_rotation(next(maps), self.rotation, len(self.rotation), dtype)
        next(maps).conditioner.weights[0].assign(self.values.astype(dtype))


@dataclasses.dataclass(frozen=True)
class Mixture(Layer):
    """The Rosenblatt transform of a Gaussian mixture."""

    mixture: components.Components
    layer_type = "mixture"

    def _parameters(self) -> tuple[np.ndarray, ...]:
        mixture = self.mixture
        diagonals = np.log(np.diagonal(mixture.factors, axis1=1, axis2=2))
        return mixture.log_weights, mixture.means, diagonals, mixture.factors

    def apply(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the transform."""
        parameters = self._parameters()
        out, log_det = _run(
            rosenblatt.gaussianize, x, *parameters, count=1, size=x.shape[1]
        )
        return out, np.sum(log_det, axis=1)

    def assign(self, maps: Iterator[Any], dtype: str) -> None:
        """Set a map of a mixture."""
        target = next(maps)
        old = (target.log_weights, target.means, target.log_diagonals, target.lower)
        for variable, value in zip(old, self._parameters(), strict=True):
            variable.assign(value.astype(dtype))


def standardised(
    units: standardize.Standardize, x: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return rows in the units of a flow, in float64, and the log-det of that."""
    loc, rest, scale = (
        np.asarray(v, np.float64) for v in (units.loc, units.loc_remainder, units.scale)
    )
    return ((x - loc) - rest) / scale, float(-np.sum(np.log(np.abs(scale))))


def _apart(knots: np.ndarray, dtype: str) -> np.ndarray:
    """Return knots that stay distinct in the dtype of a flow."""
    size = np.maximum(np.abs(knots[:, 1:]), np.abs(knots[:, :-1]))
    least = 32.0 * np.finfo(dtype).eps * np.maximum(size, 1e-2)
    steps = np.maximum(np.diff(knots), least)
    middle = steps.shape[1] // 2
    sums = np.cumsum(np.pad(steps, [(0, 0), (1, 0)]), axis=1)
    return knots[:, middle, np.newaxis] + sums - sums[:, middle, np.newaxis]


def _assign_spline(target: Any, knots: Knots, dtype: str) -> None:
    positions, values = (_apart(part, dtype) for part in knots[:2])
    new = marginal_spline.MarginalSpline.from_knots(
        values, positions, knots[2], dtype=dtype
    )
    for old, value in zip(target.variables, new.variables, strict=True):
        old.assign(value)


def write(flow: rbig.RBIG, found: Sequence[Layer]) -> None:
    """Set the layers of a flow, which gets as many as there are.

    Ctrl-C meanwhile has its way when all of them are written.
    """
    try:
        _write(flow, found)
    except KeyboardInterrupt:
        _write(flow, found)
        raise


def _write(flow: rbig.RBIG, found: Sequence[Layer]) -> None:
    counts = [len(layer.mixture.means) for layer in found if isinstance(layer, Mixture)]
    flow.resize([layer.layer_type for layer in found], counts[0] if counts else None)
    maps = iter(flow.inner_maps())
    for layer in found:
        layer.assign(maps, flow.variable_dtype)


def _read_knots(spline: Any) -> Knots:
    values, positions = (k.numpy().astype(np.float64) for k in spline.knots())
    return positions, values, np.asarray(spline.log_knot_slopes, np.float64)


def _read_rotation(target: Any) -> np.ndarray:
    return target.rotation().numpy().T.astype(np.float64)


def read(flow: rbig.RBIG) -> list[Layer]:
    """Return the layers of a flow."""
    out: list[Layer] = []
    maps: Iterator[Any] = iter(flow.inner_maps())
    for layer_type in flow.layer_types:
        current = next(maps)
        if layer_type == "radial":
            out.append(Radial(_read_knots(current.bijector)))
        elif layer_type == "mixture":
            weights, means, diagonals, lower = (
                np.asarray(value, np.float64)
                for value in (
                    current.log_weights,
                    current.means,
                    current.log_diagonals,
                    current.lower,
                )
            )
            factors = np.tril(lower, -1)
            factors += np.exp(diagonals)[:, np.newaxis] * np.eye(means.shape[1])
            out.append(Mixture(components.Components(weights, means, factors)))
        elif layer_type == "table":
            low, high, log_masses = (
                np.asarray(part, np.float64) for part in _grid(next(maps))
            )
            out.append(Table(_read_rotation(current), (low, high, log_masses)))
        elif layer_type == "conditional-affine":
            values = np.asarray(next(maps).conditioner.weights[0], np.float64)
            out.append(ConditionalAffine(_read_rotation(current), values))
        else:
            out.append(Spline(_read_rotation(current), _read_knots(next(maps))))
    return out
