"""Gaussianization: rotations and marginal maps, fitted greedily or by gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfp_flows import _checks, _serialize, networks
from tfp_flows._types import Shape
from tfp_flows.bijectors import transformers
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.coupling import coupling
from tfp_flows.bijectors.gaussianization import (
    histogram,
    marginal_spline,
    radius,
    rosenblatt,
)
from tfp_flows.bijectors.linear import rotation
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.flows import base
from tfp_flows.flows._model import compiled, options, policy, variables
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.flows.vectors.base import VectorFlow
from tfp_flows.flows.vectors.layers import conditional_elementwise
from tfp_flows.math.linear import rotations

__all__ = [
    "CONDITIONAL_KNOTS",
    "LAYERS",
    "MARGINALS",
    "RBIG",
    "ROTATIONS",
    "Gaussianization",
]

# Rotations that a greedy fit may look for; "auto" alternates the last two.
ROTATIONS = ("auto", "pca", "random", "ica", "sliced")
# Splines or tables of rotated features, functions of one of them, the radius, a
# mixture.
LAYERS = ("spline", "table", "conditional-affine", "radial", "mixture")
_RENAMED = {"pivot": "conditional-affine"}
# What layers of single features are made of, and their bins.
MARGINALS = {"spline": 64, "table": 100}
CONDITIONAL_KNOTS = 64


def _read_types(value: Sequence[str] | None, name: str) -> list[str] | None:
    for layer_type in value or ():
        _checks.one_of(layer_type, LAYERS, name)
    return None if value is None else [str(layer_type) for layer_type in value]


def _read_step(value: float, name: str) -> float:
    if not 0 < value <= 1:
        msg = f"`{name}` must be in (0, 1], got {value!r}. The default is 0.4."
        raise ValueError(msg)
    return value


class _Options(Recipe):
    """The options of layers of a rotation and a map of what it rotated."""

    num_layers: int = option(
        default=1, doc="Number of layers.", read=options.at_least(1)
    )
    num_bins: int = option(
        default=24, doc="Bins of each marginal map.", read=options.at_least(2)
    )
    layer_types: Sequence[str] | None = option(
        default=None,
        doc='Type of each layer, from the data side: `"spline"` for a rotation and '
        'marginal splines, `"table"` for one and tables, `"conditional-affine"` for '
        "one and shifts and scales that depend on its first feature, "
        '`"radial"`, `"mixture"`; a fit sets them. `None` for `num_layers` of what '
        "`marginals` says.",
        read=_read_types,
    )
    num_components: int = option(
        default=5,
        doc='Components of a `"mixture"`; a fit sets it.',
        read=options.at_least(1),
    )
    marginals: str = option(
        default="spline",
        doc='`"spline"`, or `"table"` for steps of a density without a condition.',
        read=options.one_of(*MARGINALS),
    )

    @classmethod
    def read_options(cls, given: Mapping[str, Any]) -> tuple[dict, dict]:
        """Return the options of the class and the common ones, the open ones chosen."""
        own, common = super().read_options(given)
        if own["layer_types"] is not None:
            own["num_layers"] = max(1, len(own["layer_types"]))
        return own, common


class _Layered(_Options):
    """What both flows share: layers of a rotation and a map of what it rotated."""

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        layers: list[bijector_base.Bijector] = []
        for position, layer_type in enumerate(self.layer_types):
            layers += self._layer(layer_type, position, size, condition_shape)
        return layers[::-1]

    def _layer(
        self,
        layer_type: str,
        position: int,
        size: int,
        condition_shape: tuple[int, ...] | None,
    ) -> list[bijector_base.Bijector]:
        """Return the maps of one layer, the one next to the data first."""
        dtype = self.variable_dtype
        if layer_type == "radial":
            bins = self.num_bins
            return [radius.RadialGaussianize.trainable(size, bins, dtype=dtype)]
        if layer_type == "mixture":
            count = self.num_components
            return [rosenblatt.MixtureGaussianize.trainable(size, count, dtype=dtype)]
        start = self._start(position)
        if layer_type == "table":
            # A step function has no gradient by its input: rotations stay.
            bins = self.num_bins
            tables = histogram.MarginalGaussianize.trainable(size, bins, dtype=dtype)
            fixed = rotation.Rotation.trainable(start, turns=False, dtype=dtype)
            return [fixed, tables]
        rotated = rotation.Rotation.trainable(start, dtype=dtype)
        if layer_type == "spline":
            return [rotated, self._marginal(size, condition_shape)]
        if size == 1:
            msg = (
                "`layer_types` may have 'conditional-affine' for events of two "
                "coordinates or more, got an event of one. Leave it out."
            )
            raise ValueError(msg)
        affine = transformers.Affine()
        table = networks.Table((size - 1, 2), CONDITIONAL_KNOTS, dtype=dtype)
        mask = [True, *[False] * (size - 1)]
        return [rotated, coupling.Coupling(affine, table, mask)]

    def _marginal(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> bijector_base.Bijector:
        """Return the map of single features of one layer."""
        del condition_shape
        bins = self.num_bins
        return marginal_spline.MarginalSpline.trainable(
            size, bins, dtype=self.variable_dtype
        )

    def _start(self, position: int) -> Any:
        """Return the matrix that a rotation starts from, or its size."""
        del position
        return self.event_size

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: dict[str, Any] | None = None,
    ) -> base.Flow:
        """Build a flow from `get_config`, of old files too: see `Flow`."""
        config = dict(config)
        # Files of before have other words: `kinds`, of which one was "pivot".
        if "kinds" in config:
            found = config.pop("kinds")
            config["layer_types"] = found and [_RENAMED.get(k, k) for k in found]
        return super().from_config(config, custom_objects)

    @property  # type: ignore[misc]
    def layer_types(self) -> tuple[str, ...]:
        """Type of each layer, from the data side."""
        layer_types = self.options["layer_types"]
        return tuple(layer_types or [self.marginals] * self.num_layers)

    @property
    def standardization(self) -> standardize.Standardize:
        """The standardisation: next to the data, or to the supports of columns."""
        return self._maps[-1 - len(self._support_maps())]

    def inner_maps(self) -> list[bijector_base.Bijector]:
        """Return the maps inside the standardisation, from the data to the base."""
        return list(self._maps[-2 - len(self._support_maps()) :: -1])

    def resize(
        self, layer_types: Sequence[str], num_components: int | None = None
    ) -> None:
        """Replace all layers by new ones of the types that a fit has found.

        Args:
            layer_types: From the data side, see the class.
            num_components: Components of mixtures; `None` to leave the number.
        """
        self._options["layer_types"] = list(layer_types)
        self._options["num_layers"] = max(1, len(layer_types))
        if num_components is not None:
            self._options["num_components"] = int(num_components)
        self._maps = [
            *self._make_layers(self.event_size, None),
            self.standardization,
            *self._support_maps(),
        ]
        self._stack = self._assemble(self._maps)
        self._compiled = compiled.CompiledFlow(self)
        # Keras forgets what it has tracked only when told.
        self._adopted.clear()
        self._adopted = variables.adopt(v for p in self._parts() for v in p.variables)


@_serialize.register()
class RBIG(_Layered):
    """Rotation-based iterative Gaussianization, fitted layer by layer in seconds.

    Each layer rotates the data and makes its marginals normal. `tfp_flows.fit("rbig",
    x)` finds layers from statistics of the data, without gradients, and stops by the
    likelihood of validation rows; it sets `num_layers`. The fitted flow may go on
    training as any Keras model. Density is faster than sampling, by a factor near 2.

    With `marginals="table"` the flow is RBIG as it was published: rotations, and tables
    of the CDF of each feature behind the normal quantiles, `MarginalGaussianize`. Its
    density is a step function; splines are the better density. Training on changes the
    masses of the tables, not the rotations.

    Raises:
        ValueError: If an option is out of range, or a condition is asked for.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500)
        >>> flow, history = tfpf.fit("rbig", x, epochs=3, seed=0, verbose=0)
        >>> flow.sample(3, seed=1).shape.as_list()
        [3, 2]

    References:
        Laparra, Camps-Valls, Malo (2011). Iterative Gaussianization: from ICA to
        Random Rotations. https://arxiv.org/abs/1602.00229
    """

    num_layers: int = option(
        default=1, doc="Number of layers; a fit changes it to what the data need."
    )
    num_bins: int | None = option(  # type: ignore[assignment]
        default=None,
        doc="Bins of each marginal map; `None` for 64 of splines, 100 of tables.",
        read=lambda value, name: value and options.at_least(4)(value, name),
    )
    max_layers: int = option(
        default=200, doc="Most layers of a fit.", read=options.at_least(1)
    )
    rotation: str = option(
        default="auto",
        doc='How a fit finds rotations: `"pca"`, `"random"`, `"ica"` (independent '
        'components), `"sliced"` (directions far from normal), or `"auto"`, which '
        'alternates the last two. Only `"auto"` uses all types of layers; with the '
        "others all layers but the first are splines.",
        read=options.one_of(*ROTATIONS),
    )
    marginals: str = option(
        default="spline",
        doc='`"spline"`, or `"table"`, with which all layers of a fit are tables.',
    )
    step: float = option(
        default=0.4,
        doc="Share of the change that a layer of a fit makes, in (0, 1].",
        read=_read_step,
    )

    fit_policy = policy.FitPolicy(method="greedy")

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        if condition_shape is not None:
            msg = (
                "`condition_shape` must be None for `RBIG`, which has no conditional "
                f"form, got {condition_shape}. Fit 'gaussianization' for conditional "
                "densities."
            )
            raise ValueError(msg)
        super().__init__(event_shape, None, **given)

    @classmethod
    def read_options(cls, given: Mapping[str, Any]) -> tuple[dict, dict]:
        """Return the options of the class and the common ones, the open ones chosen."""
        own, common = super().read_options(given)
        if own["num_bins"] is None:
            own["num_bins"] = MARGINALS[own.get("marginals", cls.marginals)]
        return own, common

    @property
    def fit_options(self) -> dict[str, Any]:
        """What a greedy fit reads: sizes, the rotation, the marginals, the step."""
        names = ("max_layers", "num_bins", "rotation", "marginals", "step")
        return {name: getattr(self, name) for name in names}

    def trainable_flow(self, **options: Any) -> Gaussianization:
        """Return a `Gaussianization` of the same density, to go on training.

        Args:
            **options: Of `Gaussianization`, such as `name`.
        """
        return Gaussianization.from_rbig(self, **options)


@_serialize.register()
class Gaussianization(_Layered, VectorFlow):
    """Gaussianization flow: trained rotations and marginal splines.

    Untrained, the marginal maps are the identity and the rotations random. A fitted
    `RBIG` is the better start: `Gaussianization.from_rbig(rbig)` has its density, bit
    for bit, and goes on from there by gradients.

    With a condition, the marginal splines get their parameters from it through a
    network; rotations do not depend on it.

    Raises:
        ValueError: If an option is out of range.

    References:
        Meng, Song, Song, Ermon (2020). Gaussianization Flows.
        https://arxiv.org/abs/2003.01941
    """

    num_layers: int = option(default=6)

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        if condition_shape is not None and given.get("marginals") == "table":
            msg = (
                "`marginals` must be 'spline' with a condition, got 'table': tables do "
                "not depend on one. Leave it out."
            )
            raise ValueError(msg)
        super().__init__(event_shape, condition_shape, **given)

    def _start(self, position: int) -> Any:
        # The first layer sees the features as they are.
        return (
            rotations.haar(self.event_size, self._rng) if position else self.event_size
        )

    def _marginal(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> bijector_base.Bijector:
        if condition_shape is None:
            return super()._marginal(size, None)
        spline = transformers.RationalQuadratic(self.num_bins, tails="linear")
        return conditional_elementwise(spline, size, condition_shape, self._network())

    @classmethod
    def from_rbig(cls, rbig: RBIG, **more: Any) -> Gaussianization:
        """Return a flow with the layers and the density of a fitted `RBIG`.

        Args:
            rbig: The fitted flow.
            **more: Further options of the class, such as `name`.
        """
        config = rbig.get_config()
        for key in (*rbig.fit_options, "name", "format_version", "embedding"):
            config.pop(key, None)
        config |= {k: rbig.fit_options[k] for k in ("num_bins", "marginals")}
        flow = cls.from_config({**config, **more})
        for new, old in zip(flow.variables, rbig.variables, strict=True):
            new.assign(old.value)
        return flow
