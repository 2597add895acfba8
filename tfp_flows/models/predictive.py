"""Draws of what a network with random weights predicts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context
from tfp_flows.models import bayesian

__all__ = ["predictive_draws"]

# Rows that pass through the network at once.
ROWS = 4_096


def predictive_draws(
    model: keras.Model,
    x: Any,
    draws: int = 100,
    *,
    seed: int | None = None,
) -> np.ndarray:
    """Return what a network with random weights predicts, several times.

    The scatter over draws is what the data leave open of the network (epistemic
    uncertainty); noise of the targets comes on top of it.

    Args:
        model: A model of Keras with `DenseReparameterization` or `MultiplicativeDense`
            layers.
        x: Inputs, `[N, ...]`, as for `model.predict`.
        draws: Number of draws.
        seed: Int that fixes the draws; without one they go on from those before.

    Returns:
        Array `[draws, N, ...]`.

    Raises:
        ValueError: If no layer of the model draws its weights.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from tfp_flows import models
        >>> layer = models.DenseReparameterization(1, kl_weight=0.1, seed=0)
        >>> model = keras.Sequential([keras.Input((2,)), layer])
        >>> models.predictive_draws(model, np.ones([3, 2]), 20, seed=1).shape
        (20, 3, 1)
    """
    _checks.count(draws, 1, "draws")
    layers = list(_layers(model))
    if not any(layer.inference == "draw" for layer in layers):
        kind = "only means" if layers else "no layer with random weights"
        msg = (
            f"`model` must have layers that draw their weights, got {kind}. Use "
            "DenseReparameterization or MultiplicativeDense with inference='draw'."
        )
        raise ValueError(msg)
    generators = [layer.seed_generator for layer in layers]
    before = [keras.ops.convert_to_numpy(g.state) for g in generators]
    if seed is not None:
        rng = _context.generator(seed)
        for generator in generators:
            generator.state.assign(rng.integers(2**31 - 1, size=2))
    run = tf.function(lambda rows: model(rows, training=False))
    values = np.asarray(x)
    if values.dtype.kind != "f":
        values = values.astype(keras.config.floatx())
    parts = [values[i : i + ROWS] for i in range(0, max(len(values), 1), ROWS)]
    found = [
        np.concatenate([np.asarray(run(tf.convert_to_tensor(p))) for p in parts])
        for _ in range(draws)
    ]
    if seed is not None:
        for generator, state in zip(generators, before, strict=True):
            generator.state.assign(state)
    return np.stack(found)


def _layers(model: Any) -> Any:
    """Give all layers with random weights, those of models within models, too."""
    if isinstance(model, bayesian.BayesianDense):
        yield model
    for layer in getattr(model, "layers", ()):
        yield from _layers(layer)
