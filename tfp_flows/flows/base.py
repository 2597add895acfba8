"""The flow: a Keras model that is a trainable TFP distribution."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _arrays, _checks, _context, _process
from tfp_flows import distributions as bases
from tfp_flows._types import Condition, Shape, TensorLike
from tfp_flows.bijectors import adapters, composition
from tfp_flows.bijectors._core.base import Bijector, inverse_and_log_det
from tfp_flows.bijectors.linear.permutation import Permutation
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.distributions.naming import given_name
from tfp_flows.flows._model import batch, compiled, condition_kinds, seal, variables
from tfp_flows.flows._model.columns import Columns
from tfp_flows.flows._model.config import Configured
from tfp_flows.flows._model.describe import Described
from tfp_flows.flows._model.evaluation import Evaluated
from tfp_flows.flows._model.policy import dtype_policy
from tfp_flows.flows._model.queries import Queries
from tfp_flows.flows._model.statistics import Statistics
from tfp_flows.flows._model.tabular import SPREAD, Tabular
from tfp_flows.flows._model.trainable import TrainableModel
from tfp_flows.math.support import without_mass_at_infinity
from tfp_flows.preprocessing.distribution import Folded

__all__ = ["Flow"]


class Flow(
    Tabular, Evaluated, Described, Statistics, Queries, Configured, TrainableModel
):
    """Base class of the ready-made flows.

    A flow owns a stack of maps and a base density, and answers `distribution()` with a
    `tfd.TransformedDistribution` over its current weights. As a Keras model its output
    is `log_prob` and its loss the mean negative log-likelihood in nats.

    Subclasses implement `_make_layers`, which returns the maps from the base to the
    data side, and pass the options they were built with on as `options`.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        options: What a subclass was built with beyond the arguments here.
        base: Base density: a name, or a distribution of TFP over events or over each
            coordinate, see `tfp_flows.distributions.base`.
        embedding: Keras network through which the (standardised) condition passes
            before all layers see it; from `[N, *condition_shape]` to `[N, C]`, or of
            image flows to feature maps `[N, h, w, C]`.
        columns: Names of the coordinates of a vector event, kept in the saved file; or
            a mapping from them to their kinds, such as `"integer"` or
            `("bounded", 0, 100)`, see `preprocessing.Column.read`.
        condition_columns: Names of the coordinates of a vector condition; or a mapping
            from them to their kinds: networks see zeros and a one for the labels of
            `("category", labels)`, cosine and sine for `("periodic", 0, 360)`.
        preprocessing: Kinds of coordinates without names: a list of them, or a
            `preprocessing.Preprocessing`.
        checkpoint: Whether training keeps only the input of each layer, and runs the
            layer once more for the gradient: less memory, and equal layers compile as
            one however many there are, for a third more time per step.
        seed: Int that fixes the initial weights.
        name: Name.
        dtype: Keras dtype policy: `"float32"`, `"float64"`, `"mixed_float16"` or
            `"mixed_bfloat16"`; mixed: networks only, densities stay float32.
    """

    keeps_bounds = False  # no data leave the box of a bounded base in training
    _on_vectors = True  # the maps work on flattened events

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None,
        *,
        options: dict[str, Any],
        base: str | tfd.Distribution = "normal",
        embedding: keras.Layer | None = None,
        columns: Columns | None = None,
        condition_columns: Columns | None = None,
        preprocessing: Any = None,
        checkpoint: bool = False,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        _process.require_own()
        dtype = dtype_policy(dtype)
        super().__init__(name=name, dtype=dtype, autocast=False)
        self._event_shape = _checks.event_shape(event_shape)
        self._condition_shape = _checks.optional_shape(
            condition_shape, "condition_shape"
        )
        self._options = dict(options)
        self._read_preprocessing(columns, preprocessing, self.variable_dtype)
        self.columns = columns
        self.condition_columns = condition_columns
        self._checkpoint = checkpoint
        self._seed = seed
        self._rng = _context.generator(seed)
        self._base = bases.base(
            base,
            self._event_shape,
            angles=self._require_periodic(),
            seed=self._next_seed(),
            dtype=self.variable_dtype,
        )
        self._embedding = condition_kinds.embedding(
            self._condition_shape,
            embedding,
            self.condition_kinds,
            maps=not self._on_vectors,
            dtype=self.variable_dtype,
        )
        inner = None if self._embedding is None else self._embedding.output_shape
        self._embedding_network = embedding
        self._embedding_seal = seal.of_network(embedding)  # to be loaded after it
        self._maps = self._make_maps(inner)
        self._stack = self._assemble(self._maps)
        self._auxiliary_modules = self._make_auxiliary_modules(inner)
        self._compiled = compiled.CompiledFlow(self)
        self._adopted = variables.adopt(
            (v for part in self._parts() for v in part.variables),
            getattr(embedding, "variables", ()),
        )
        self._spread_seed = 0 if self.cells is None else self._next_seed()
        self.built = True

    def _make_maps(self, condition_shape: tuple[int, ...] | None) -> list[Bijector]:
        """Return all maps, from the base to the data side."""
        placement = self._base.placement
        return [
            *([] if placement is None else [Permutation(placement)]),
            *self._make_layers(self.event_size, condition_shape),
            *self._make_preprocessing(),
            *self._support_maps(),
        ]

    def _parts(self) -> list[Any]:
        """Return what holds variables, the network of conditions aside."""
        cells = [] if self.cells is None else [self.cells]
        return [self._stack, self._base, *self._auxiliary_modules, *cells]

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[Bijector]:
        """Return the maps on vectors of `size`, from the base to the data side."""
        raise NotImplementedError

    def _make_preprocessing(self) -> list[Bijector]:
        """Return the maps next to the data: here the standardisation."""
        bounds = self._base.bounds
        if bounds is not None and math.isinf(bounds[1] - bounds[0]):
            msg = (
                f"`base` must have bounds on both sides or on none for a "
                f"`{type(self).__name__}`, got {self._base.kind} on {list(bounds)}, "
                "which no scaling of the data meets. Use `Flow.from_maps`."
            )
            raise ValueError(msg)
        return [
            standardize.Standardize.trainable(
                self.event_size, dtype=self.variable_dtype
            )
        ]

    def _make_auxiliary_modules(
        self, condition_shape: tuple[int, ...] | None
    ) -> list[tf.Module]:
        """Return what is trained beside the maps and the base density."""
        del condition_shape
        return []

    def _next_seed(self) -> int:
        return int(self._rng.integers(2**31))

    def _assemble(self, maps: Sequence[Bijector]) -> Bijector:
        stack: Bijector = composition.Chain(
            list(maps)[::-1], checkpoint=self._checkpoint
        )
        if self._embedding is not None and stack.condition_shape is not None:
            shape = self._embedding.condition_shape
            stack = adapters.EmbedCondition(stack, self._embedding, shape)
        if self._on_vectors and len(self._event_shape) != 1:
            stack = adapters.OnFlattened(stack, self._event_shape)
        return stack

    @property
    def options(self) -> Mapping[str, Any]:
        """What the flow was built with beyond the arguments that all flows have."""
        return types.MappingProxyType(self._options)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self._event_shape

    @property
    def event_size(self) -> int:
        """Number of scalars in one event."""
        return math.prod(self._event_shape)

    @property
    def condition_shape(self) -> tuple[int, ...] | None:
        """Shape of the condition, `None` for an unconditional flow."""
        return self._condition_shape

    @classmethod
    def on_images(cls) -> bool:
        """Whether the maps work on images, and not on flattened events."""
        return not cls._on_vectors

    @property
    def num_maps(self) -> int:
        """Number of maps in the stack, the standardisation included."""
        return len(self._maps)

    @property
    def base(self) -> bases.Base:
        """The base density and its variables."""
        return self._base

    @property
    def adopted(self) -> Sequence[keras.Variable]:
        """What Keras knows of the variables of maps and base density, in order."""
        return self._adopted

    def bijector(self, condition: Condition = None) -> Bijector:
        """Return the map from the base to the data, before discrete ones are folded.

        Args:
            condition: Fixes the condition; without it a conditional flow's map takes
                `condition=` in each call.
        """
        if condition is None:
            return self._stack
        return composition.Conditioned(self._stack, self._one_condition(condition))

    def distribution(self, condition: Condition = None) -> tfd.Distribution:
        """Return the density over the current weights.

        Args:
            condition: `[..., *condition_shape]`; the leading dimensions become the
                batch shape. Required by a conditional flow.

        Returns:
            A `tfd.TransformedDistribution`; where columns are discrete, one folded.

        Raises:
            ValueError: If the condition is missing or not wanted.
        """
        density = self.partial(self.num_maps, condition)
        if self.cells is None or not self.is_discrete:
            return density
        return Folded(density, self.cells, name=given_name(self))

    def partial(self, k: int, condition: Condition = None) -> tfd.Distribution:
        """Return the density after the first `k` maps, counted from the base.

        Args:
            k: From 0 (the base) to `num_maps` (the flow; see `spread` for what it is
                the density of where columns are discrete).
            condition: See `distribution`.

        Raises:
            ValueError: If `k` is out of range.
        """
        if not 0 <= k <= self.num_maps:
            msg = f"`k` must be between 0 and num_maps={self.num_maps}, got {k}. "
            raise ValueError(f"{msg}0 is the base density.")
        _process.require_own()
        owner = f"this flow (`{type(self).__name__}`)"
        condition = self._one_condition(condition)
        _checks.require_condition(condition, self._condition_shape, owner)
        bijector = self._stack
        if k < self.num_maps:
            bijector = self._assemble(self._maps[:k] or [composition.Chain([])])
        if condition is not None and bijector.condition_shape is not None:
            bijector = composition.Conditioned(bijector, condition)
        return bases.FlowDistribution(
            self._base.distribution(), bijector, name=given_name(self)
        )

    def _one_condition(self, condition: Condition) -> Condition:
        """Return a condition as the maps take it; a variable stays one."""
        condition = self.in_order(None, condition)[1]
        if condition is None or callable(condition) or hasattr(condition, "assign"):
            return condition
        given = _arrays.as_tensor(condition, self.variable_dtype, "condition")
        return condition_kinds.noticed(self, given)

    def adapt(self, x: TensorLike, condition: Condition = None) -> None:
        """Set everything that is computed from data, from the data side inwards.

        The standardisation, the scaling of the condition, and maps such as `ActNorm`.

        Args:
            x: Data, `[..., *event_shape]`.
            condition: Conditions, `[..., *condition_shape]`.
        """
        owner = f"this flow (`{type(self).__name__}`)"
        x, condition = self.in_order(x, condition)
        _checks.require_condition(condition, self._condition_shape, owner)
        x = tf.convert_to_tensor(x, dtype_hint=self.variable_dtype)
        _checks.require_trailing(x.shape, self._event_shape, "x", owner)
        x = self._adapt_cells(x)
        shape = [self.event_size] if self._on_vectors else list(self._event_shape)
        given = tf.reshape(x, [-1, *shape])
        x = tf.cast(given, self.variable_dtype)
        inner = None
        if self._embedding is not None:
            self._embedding.adapt(condition)
            condition = _arrays.as_tensor(condition, self.variable_dtype, "condition")
            inner = self._embedding(condition)
        bounds = self._base.bounds
        for position, current in reversed([*enumerate(self._maps)]):
            # Before the cast: the sums must not lose digits of data far from 0.
            first = position == self.num_maps - 1 and given.dtype.is_floating
            if bounds and isinstance(current, standardize.Standardize):
                current.adapt_range(x, *bounds)
            elif first and isinstance(current, standardize.Standardize):
                current.adapt(given)
            elif hasattr(current, "adapt"):
                current.adapt(x)
            if any(self.periodic) and isinstance(current, standardize.Standardize):
                current.spare(self.periodic)
            if any(hasattr(m, "adapt") for m in self._maps[:position]):
                x, inner = _arrays.spaced(x, inner)
                x = inverse_and_log_det(current, x, inner, event_ndims=len(shape))[0]

    def call(
        self,
        inputs: TensorLike | dict[str, TensorLike],
        training: bool | None = None,  # noqa: FBT001
    ) -> tf.Tensor:
        """Return `log_prob` of `x`, or of `{"x": x, "condition": condition}`."""
        spread = None
        if self.is_discrete and isinstance(inputs, dict):
            inputs = dict(inputs)
            spread = inputs.pop(SPREAD, None)
        x, condition = self.in_order(*batch.unpack(inputs))
        x = _arrays.as_tensor(x, self.variable_dtype)
        owner = f"this flow (`{type(self).__name__}`)"
        _checks.require_condition(condition, self._condition_shape, owner)
        with _context.training_scope(bool(training)):
            if self.is_discrete:
                found = self._folded_log_prob(x, spread, condition)
            else:
                found = self.continuous_log_prob(x, condition)
        rank = len(self._event_shape)
        # Data of training were looked at.
        return found if training else without_mass_at_infinity(found, x, rank)

    def continuous_log_prob(self, x: tf.Tensor, condition: Condition) -> tf.Tensor:
        """Return the log-density that `bijector` and base make, `[...]`.

        Args:
            x: Values, `[..., *event_shape]`; discrete ones as `spread` returns them.
            condition: Conditions, `[..., *condition_shape]`, or `None`.
        """
        rank = len(self._event_shape)
        z, log_det = inverse_and_log_det(self._stack, x, condition, event_ndims=rank)
        return self._base.distribution().log_prob(z) + log_det

    def pushed(self, z: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        """Return the events that numbers of the base density become.

        Args:
            z: Numbers of the base density, `[..., *event_shape]`.
            condition: Conditions, `[..., *condition_shape]`.
        """
        x = self.partial(self.num_maps, condition).bijector.forward(z)
        if self.cells is None or not self.is_discrete:
            return x
        return self._events_of(self.cells.fold(self._columns_of(x)))

    def forget_compiled(self) -> None:
        """Compile anew at the next call, after a change that no weight holds."""
        self._compiled = compiled.CompiledFlow(self)
        self.predict_function = None

    def _density_variables(self) -> tuple[tf.Variable, ...]:
        return tuple(v for part in self._parts() for v in part.trainable_variables)
