"""Checks of slices of batches, of maps and of distributions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows.bijectors import composition
from tfp_flows.testing import parameters, registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_slicing"]

# Each with what it is called in messages.
SLICES: dict[str, Any] = {
    "[1]": 1,
    "[-1]": -1,
    "[0:1]": slice(0, 1),
    "[:]": slice(None),
    "[..., 0]": (..., 0),
    "[tf.newaxis]": tf.newaxis,
}


def compare_slices(
    case: Any,
    check: str,
    what: str,
    batch: tfd.Distribution,
    y: tf.Tensor,
    names: Iterable[str] = SLICES,
) -> None:
    """Fail unless parts of a batch of densities are the densities of the parts.

    Args:
        case: The case.
        check: Name of the check.
        what: What the batch is made of.
        batch: Densities with one batch dimension.
        y: One event for each, `[N, *event_shape]`.
        names: Which of `SLICES` to try.
    """
    log_probs = batch.log_prob(y)
    tolerance = case.tolerances.log_det(y.dtype.name)
    for name in names:
        place = SLICES[name]
        part = batch[place]
        events = y[place]
        if isinstance(place, tuple):  # `...` stands for batch dimensions alone
            events = y[(*place, *[slice(None)] * (y.shape.rank - 1))]
        wanted = log_probs[place]
        text = f"{what}{name}"
        if tuple(part.batch_shape) != tuple(wanted.shape):
            found = tuple(part.batch_shape)
            case.fail(check, f"batch_shape of {text}", found, tuple(wanted.shape))
        found = part.log_prob(events)
        registry.compare(case, check, f"log_prob of {text}", found, wanted, tolerance)
    shape, wanted = batch[1].sample(2, seed=[0, 1]).shape, (2, *y.shape[1:])
    if tuple(shape) != tuple(wanted):
        case.fail(check, f"shape of samples of {what}[1]", tuple(shape), wanted)


@registry.bijector_check
def check_slicing(case: BijectorCase) -> None:
    """Parts of batches of bases, conditions and parameters are what they should be."""
    check, bijector, dtype = "slicing", case.bijector(), case.dtype
    x, given = case.points((2,)), case.condition((2,))
    y, base = case.images(x, **given), case.base(dtype)
    fixed = bijector
    if given:
        fixed = composition.Conditioned(bijector, given["condition"])
        batch = tfd.TransformedDistribution(base, fixed)
        compare_slices(case, check, "a batch of conditions", batch, y)
    bases = case.base(dtype, batch=(2,))
    batch = tfd.TransformedDistribution(bases, fixed)
    compare_slices(case, check, "a batch of bases", batch, y)
    if given:
        return
    for what, twin in _batches(case, bijector):
        batch = tfd.TransformedDistribution(base, twin)
        if tuple(batch.batch_shape) != (2,):
            found = tuple(batch.batch_shape)
            case.fail(check, f"batch_shape of {what}", found, (2,))
        compare_slices(case, check, what, batch, y, ("[1]", "[0:1]"))


def _batches(
    case: BijectorCase, bijector: tfb.Bijector
) -> Iterator[tuple[str, tfb.Bijector]]:
    """Give maps of two values of all parameters, and of the first one alone."""
    values = parameters.values_of(bijector)
    pairs = (values, parameters.moved(bijector, values))
    stacks = {
        name: tf.stack([_event(case, bijector, name, pair[name]) for pair in pairs])
        for name in values
    }
    x = case.points((2,))
    for names in (list(stacks), list(stacks)[:1]):
        if not names:
            return
        try:
            twin = bijector.copy(**{name: stacks[name] for name in names})
            twin.forward(x)
        except ValueError:  # a map may refuse batches of its parameters
            continue
        yield f"a batch of {', '.join(names)}", twin


def _event(
    case: BijectorCase, bijector: tfb.Bijector, name: str, value: tf.Tensor
) -> tf.Tensor:
    """Return a parameter with all dimensions that belong to one event."""
    stated = parameters.properties_of(bijector)[name]
    ndims = stated.bijector_instance_event_ndims(
        bijector, x_event_ndims=case.event_ndims
    )
    missing = max(0, ndims - value.shape.rank)
    return tf.reshape(value, [1] * missing + value.shape.as_list())
