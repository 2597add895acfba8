"""Targets of `inference_gym` whose means are known, and which need no download."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import _posteriors
import numpy as np
import tensorflow as tf

__all__ = ["MODELS", "is_installed", "load"]

# Names of the table, and classes of the package.
MODELS = {
    "banana": "Banana",
    "neals_funnel": "NealsFunnel",
    "ill_conditioned_gaussian": "IllConditionedGaussian",
    "eight_schools_gym": "EightSchools",
    "brownian_bridge": "BrownianMotionMissingMiddleObservations",
    "brownian_bridge_scales": "BrownianMotionUnknownScalesMissingMiddleObservations",
    "lorenz_bridge": "ConvectionLorenzBridge",
    "lorenz_bridge_scales": "ConvectionLorenzBridgeUnknownScales",
}


def is_installed() -> bool:
    """Whether the package is there."""
    try:
        import inference_gym.targets  # noqa: F401
    except ImportError:
        return False
    return True


def load(name: str) -> tuple[_posteriors.Model, np.ndarray, np.ndarray]:
    """Return a model over vectors without bounds, known means and deviations."""
    import inference_gym.targets

    model = getattr(inference_gym.targets, MODELS[name])()
    known = model.sample_transformations["identity"]
    target, events, size = _over_vectors(model)

    def parameters(z: Any) -> np.ndarray:
        return _flat(known(events(tf.convert_to_tensor(z))), 1)

    mean, deviation = (
        _flat(part, 0)
        for part in (known.ground_truth_mean, known.ground_truth_standard_deviation)
    )
    options = {"event_shape": size}
    return _posteriors.Model(target, options, parameters), mean, deviation


def _over_vectors(
    model: Any,
) -> tuple[Callable[[tf.Tensor], tf.Tensor], Callable[[tf.Tensor], Any], int]:
    """Return a density over vectors, the way to events, and the vectors' size."""
    supports = tf.nest.flatten(model.default_event_space_bijector)
    shapes = [tf.TensorShape(shape) for shape in tf.nest.flatten(model.event_shape)]
    free = [b.inverse_event_shape(s) for b, s in zip(supports, shapes, strict=True)]
    sizes = [math.prod(shape) for shape in free]

    def forward(z: tf.Tensor) -> tuple[Any, tf.Tensor]:
        events, log_det = [], tf.zeros(tf.shape(z)[:-1], z.dtype)
        parts = tf.split(z, sizes, axis=-1)
        for support, part, shape in zip(supports, parts, free, strict=True):
            x = tf.reshape(part, tf.concat([tf.shape(z)[:-1], shape], axis=0))
            x = tf.ensure_shape(x, [*z.shape[:-1], *shape])
            events.append(support.forward(x))
            log_det += support.forward_log_det_jacobian(x, event_ndims=len(shape))
        return tf.nest.pack_sequence_as(model.dtype, events), log_det

    def target(z: tf.Tensor) -> tf.Tensor:
        events, log_det = forward(z)
        return model.unnormalized_log_prob(events) + log_det

    return target, lambda z: forward(z)[0], sum(sizes)


def _flat(structure: Any, lead: int) -> np.ndarray:
    """Return the parts of a structure side by side, behind `lead` axes."""
    parts = [np.asarray(part) for part in tf.nest.flatten(structure)]
    return np.concatenate([p.reshape((*p.shape[:lead], -1)) for p in parts], axis=-1)
