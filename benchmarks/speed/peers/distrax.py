"""distrax, under `jax.jit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import works
from peers import _jax

__all__ = ["build"]

# Relative to the range for ours, absolute for distrax.
MINIMUM = 1e-3 * 2 * works.BOUND


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the model of a work."""
    if work.kind == "spline":
        return _jax.splines(work, folder, logits, evaluate)
    if work.kind in ("maf", "iaf"):
        msg = "distrax has no masked autoregressive map"
        raise works.Skip(msg)
    weights = [
        _jax.initial(shapes, i, work.dtype)
        for i, shapes in enumerate(works.shapes(work))
    ]
    net = _jax.residual if work.residual else _jax.plain

    def scalar_map(params: jax.Array) -> Any:
        params = params.reshape(*params.shape[:-1], -1, work.per_scalar)
        if work.bins:
            # The slopes at the ends are not used, but have their places.
            edges = [(0, 0)] * (params.ndim - 1)
            widths, slopes = jnp.split(params, [2 * work.bins], axis=-1)
            slopes = jnp.pad(slopes, [*edges, (1, 1)])
            return spline(jnp.concatenate([widths, slopes], axis=-1))
        return distrax.ScalarAffine(shift=params[..., 0], log_scale=params[..., 1])

    def flow(weights: Any) -> Any:
        layers = [
            distrax.SplitCoupling(
                split_index=(work.size + 1) // 2,
                event_ndims=1,
                conditioner=lambda x, layer=layer: net(layer, x),
                bijector=scalar_map,
                swap=not mask[0],
            )
            for layer, mask in zip(weights, works.masks(work), strict=True)
        ]
        zeros = jnp.zeros(work.size, work.dtype)
        base = distrax.MultivariateNormalDiag(zeros, zeros + 1)
        return distrax.Transformed(base, distrax.Chain(layers))

    return _jax.model(
        work,
        weights,
        lambda weights, x: flow(weights).log_prob(x),
        lambda weights, key: flow(weights).sample(seed=key, sample_shape=work.batch),
        lambda weights, key: flow(weights).sample_and_log_prob(
            seed=key, sample_shape=work.batch
        ),
    )


def spline(params: jax.Array) -> Any:
    """Return distrax' spline with identity tails."""
    return distrax.RationalQuadraticSpline(
        params,
        -works.BOUND,
        works.BOUND,
        boundary_slopes="identity",
        min_bin_size=MINIMUM,
        min_knot_slope=1e-3,
    )


def logits(knots: Any) -> list[np.ndarray]:
    """Invert the softmax and the shifted softplus; one array of all parameters."""
    offset = works.softplus_inverse(np.array(1 - 1e-3))
    slopes = works.softplus_inverse(knots["slopes"] - 1e-3) - offset
    parts = [
        works.softmax_logits(knots["widths"], 1e-3),
        works.softmax_logits(knots["heights"], 1e-3),
        np.pad(slopes, [(0, 0), (1, 1)]),
    ]
    return [np.concatenate(parts, axis=-1)]


def evaluate(
    inverse: bool,  # noqa: FBT001 - of the shared call
    x: jax.Array,
    params: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Evaluate distrax' spline."""
    bijector = spline(params)
    if inverse:
        return bijector.inverse_and_log_det(x)
    return bijector.forward_and_log_det(x)
