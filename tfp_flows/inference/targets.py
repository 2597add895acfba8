"""Targets: unnormalised densities, over their events and over flat vectors.

Whatever is inferred about, a function, a distribution or a pinned joint distribution,
becomes one log-density over vectors `[N, D]` without bounds, and a bijector from there
to the events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, flows
from tfp_flows._types import Shape
from tfp_flows.distributions.pickling import Parts

__all__ = ["Target", "names_of", "read"]


class Target:
    """An unnormalised density over events, and over vectors that have no bounds.

    Args:
        log_prob: Function of events with a leading dimension, `[N, *event_shape]`, or
            of structures of such, that returns `[N]`.
        bijector: Map from vectors `[N, D]` to events.
        size: Size `D` of the vectors.
        event_shape: Shape of an event, or structure of shapes.
        dtype: Of vectors and events.
        parts: For each part of an event, its name and the shape of its numbers without
            bounds, in the order of the vectors.
    """

    def __init__(
        self,
        log_prob: Callable[[Any], tf.Tensor],
        bijector: tfb.Bijector,
        size: int,
        event_shape: Any,
        dtype: Any,
        parts: tuple[tuple[str, tuple[int, ...]], ...] = (),
    ) -> None:
        self._log_prob = log_prob
        self.bijector = bijector
        self.size = size
        self.event_shape = event_shape
        self.dtype = tf.as_dtype(dtype)
        self.parts = parts or (("x", (size,)),)
        self.source: tuple[Any, ...] | None = None  # what `read` was given

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle what was read: maps of TFP hold functions without a name."""
        if self.source is None:
            return super().__reduce_ex__(protocol)
        target, event_shape, support, dtype = self.source
        pins = getattr(target, "pins", None)
        given = target if pins is None else target.distribution
        parts = (Parts.of(given), pins, event_shape, Parts.of(support), dtype)
        return _read_again, parts

    def log_prob(self, x: Any) -> tf.Tensor:
        """Return the log-density of events, up to a constant, `[N]`.

        Raises:
            TypeError: If it is not written with TensorFlow's operations.
            ValueError: If there is not one number for each event.
        """
        try:
            found = self._log_prob(x)
        except NotImplementedError as error:  # of NumPy's conversions in a graph
            if "symbolic" not in str(error):
                raise
            msg = (
                "`target` must be written with TensorFlow's operations, as it is "
                "traced and differentiated, got one that makes NumPy arrays of its "
                "events. Write for example tf.reduce_sum in place of np.sum."
            )
            raise TypeError(msg) from error
        if found is None:
            msg = "`target` must return one number for each event, got None."
            raise ValueError(msg)
        found = tf.cast(tf.convert_to_tensor(found, dtype_hint=self.dtype), self.dtype)
        first = tf.nest.flatten(x)[0]
        if found.shape.rank not in (1, None) or not found.shape.is_compatible_with(
            first.shape[:1]
        ):
            msg = (
                f"`target` must return one number for each event, of shape "
                f"[{first.shape[0] or 'N'}], got {found.shape}. Sum over the "
                "coordinates; of a joint distribution, use the AutoBatched class."
            )
            raise ValueError(msg)
        return found

    def flat_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Return the log-density over vectors `[N, D]`, up to a constant, `[N]`."""
        log_det = self.bijector.forward_log_det_jacobian(z, event_ndims=1)
        return self.log_prob(self.bijector.forward(z)) + tf.cast(log_det, self.dtype)

    def flatten(self, x: Any) -> tf.Tensor:
        """Return events as vectors without bounds, `[N, D]`."""
        return self.bijector.inverse(x)

    def is_event_of(self, distribution: tfd.Distribution) -> bool:
        """Whether a distribution has events of the same structure and shapes."""
        try:
            tf.nest.assert_same_structure(self.event_shape, distribution.event_shape)
        except (ValueError, TypeError):
            return False
        ours = tf.nest.flatten(self.event_shape)
        others = tf.nest.flatten(distribution.event_shape)
        return [tuple(s) for s in ours] == [tuple(s) for s in others]


def read(
    target: Any,
    *,
    event_shape: Shape | None = None,
    support: tfb.Bijector | None = None,
    dtype: Any = "float32",
) -> Target:
    """Read what a user hands over as a target.

    Args:
        target: A function of events `[N, *event_shape]`; or a distribution or a flow;
            or a joint distribution, whose data are pinned by `experimental_pin`.
        event_shape: Shape of an event of a function.
        support: Map from numbers without bounds to events, in place of that which
            the distribution has by default, or of the identity.
        dtype: Of the events of a function.

    Raises:
        TypeError: If it is none of these, or `support` is no bijector.
        ValueError: If a shape is missing, or variables are discrete or of several
            kinds.
    """
    if isinstance(target, Target):
        return target
    try:
        kind = tf.as_dtype(dtype)
    except TypeError:
        msg = f"`dtype` must be 'float32' or 'float64', got {dtype!r}."
        raise TypeError(msg) from None
    if support is not None and not isinstance(support, tfb.Bijector):
        msg = (
            "`support` must be a bijector from numbers without bounds to events, got "
            f"{type(support).__name__}. Pass for example tfb.Exp()."
        )
        raise TypeError(msg)
    if isinstance(target, flows.Flow):
        target = target.distribution()
    if hasattr(target, "experimental_default_event_space_bijector"):
        found = _of_distribution(target, support)
        found.source = (target, None, support, dtype)
        return found
    if not callable(target):
        msg = (
            "`target` must be a function of events that returns their log-density, a "
            f"distribution or a pinned joint distribution, got {type(target).__name__}."
        )
        raise TypeError(msg)
    if event_shape is None:
        msg = (
            "`event_shape` must be given for a target that is a function: its size is "
            "not known. Pass for example event_shape=2."
        )
        raise ValueError(msg)
    shape = tf.TensorShape(_checks.static_shape(event_shape, "event_shape"))
    _checks.supports_floating(kind, "a target")
    found = _assemble(target, support or tfb.Identity(), shape, dtype)
    found.source = (target, event_shape, support, dtype)
    return found


def _read_again(
    target: Any, pins: Any, event_shape: Any, support: Any, dtype: Any
) -> Target:
    """Return a target from the parts of what it was read from."""
    target, support = (
        each.build() if isinstance(each, Parts) else each for each in (target, support)
    )
    if pins is not None:
        target = target.experimental_pin(**pins)
    return read(target, event_shape=event_shape, support=support, dtype=dtype)


def _of_distribution(distribution: Any, support: tfb.Bijector | None) -> Target:
    """Return the target of a distribution, or of a pinned joint distribution."""
    name = type(distribution).__name__
    if not tf.nest.flatten(distribution.dtype):
        msg = (
            f"`target` must have a variable to infer, got a {name} without one. Pin "
            "the data alone."
        )
        raise ValueError(msg)
    kinds = {tf.as_dtype(d) for d in tf.nest.flatten(distribution.dtype)}
    if not all(kind.is_floating for kind in kinds):
        msg = (
            f"`target` must have continuous variables, got a {name} with "
            f"{sorted(k.name for k in kinds)}. Pin or sum out the discrete ones."
        )
        raise ValueError(msg)
    if len(kinds) > 1:
        msg = (
            f"`target` must have variables of one dtype, got a {name} with "
            f"{sorted(k.name for k in kinds)}. Write its numbers in one of them."
        )
        raise ValueError(msg)
    batch = tf.nest.flatten(distribution.batch_shape)
    if any(tuple(shape) for shape in batch):
        msg = (
            f"`target` must have no batch, got a {name} of batch_shape "
            f"{distribution.batch_shape}. Use tfd.Independent, or of a joint "
            "distribution the AutoBatched class."
        )
        raise ValueError(msg)
    log_prob = getattr(distribution, "unnormalized_log_prob", distribution.log_prob)
    support = support or _support(distribution)
    return _assemble(log_prob, support, distribution.event_shape, kinds.pop())


def _support(distribution: Any) -> tfb.Bijector:
    """Return the map from numbers without bounds to the events of a distribution."""
    if isinstance(distribution, tfd.MixtureSameFamily):
        return _one_support(distribution.components_distribution)
    if isinstance(distribution, tfd.Mixture):
        supports = [_support(part) for part in distribution.components]
        if all(found == supports[0] for found in supports):
            return supports[0]
    try:
        found = distribution.experimental_default_event_space_bijector()
    except (NotImplementedError, AttributeError):  # of joint ones, a part has none
        found = None
    if found is None and isinstance(distribution, (tfd.Independent, tfd.Sample)):
        inner = _support(distribution.distribution)
        found = inner if inner.forward_min_event_ndims == 0 else None
    if found is None:
        msg = (
            f"`support` must be given for a {type(distribution).__name__}, which does "
            "not say where its events lie. Pass a bijector onto them, such as "
            "tfb.Identity() or tfb.Exp(); of discrete variables there is none: pin "
            "them, or sum them out."
        )
        raise ValueError(msg)
    return found


def _one_support(components: tfd.Distribution) -> tfb.Bijector:
    """Return the map onto the events of a batch, whose support must be the same."""
    found = _support(components)
    shape = components.event_shape
    if found.experimental_batch_shape(y_event_ndims=shape.rank).rank:
        one = _support(components[0])
        probe = tf.random.stateless_normal(
            one.inverse_event_shape(shape), [0, 0], dtype=components.dtype
        )
        each = np.asarray(found.forward(probe))
        if not np.array_equal(each, np.broadcast_to(one.forward(probe), each.shape)):
            msg = (
                "`support` must be given for a mixture of components whose events lie "
                "in different places. Pass a bijector onto all of them, such as "
                "tfb.Sigmoid(low, high)."
            )
            raise ValueError(msg)
        return one
    return found


def _assemble(
    log_prob: Callable[[Any], tf.Tensor],
    support: tfb.Bijector,
    event_shape: Any,
    dtype: Any,
) -> Target:
    """Return the target with the bijector from vectors to its events."""
    free = support.inverse_event_shape(event_shape)
    shapes = [tuple(int(i) for i in shape) for shape in tf.nest.flatten(free)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    names = tuple(zip(names_of(free), shapes, strict=True))
    if not tf.nest.is_nested(free) or isinstance(free, tf.TensorShape):
        reshape = tfb.Reshape(event_shape_out=shapes[0], event_shape_in=sizes)
        steps = [support] if shapes[0] == tuple(sizes) else [support, reshape]
    else:
        order = tf.nest.pack_sequence_as(free, list(range(len(sizes))))
        pairs = zip(shapes, sizes, strict=True)
        reshapes = [
            tfb.Reshape(event_shape_out=shape, event_shape_in=[size])
            for shape, size in pairs
        ]
        steps = [support, tfb.Restructure(order), tfb.JointMap(reshapes)]
        steps.append(tfb.Split(sizes))
    bijector = steps[0] if len(steps) == 1 else tfb.Chain(steps)
    return Target(log_prob, bijector, sum(sizes), event_shape, dtype, names)


def names_of(structure: Any) -> list[str]:
    """Return the names of the parts of a structure, in the order of `tf.nest`."""
    count = len(tf.nest.flatten(structure))
    names = [f"x{i + 1}" for i in range(count)] if count > 1 else ["x"]
    if isinstance(structure, dict):
        names = [str(name) for name in sorted(structure)]
    elif hasattr(structure, "_fields"):
        names = [str(name) for name in getattr(structure, "_fields")]  # noqa: B009
    return names if len(names) == count else [f"x{i + 1}" for i in range(count)]
