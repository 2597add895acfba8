"""FlowJAX, under `jax.jit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
import works
from flowjax import bijections, distributions, flows
from peers import _jax

__all__ = ["build", "family"]

MINIMUM = 1e-3 * 2 * works.BOUND


class Residual(eqx.Module):
    """Residual network in the place of the library's plain one."""

    layers: list[Any]

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the outputs of one event."""
        return _jax.residual(self.layers, x)


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return the model of a work."""
    if work.kind == "spline":
        return _jax.splines(work, folder, logits, evaluate)
    dtype = jnp.dtype(work.dtype)
    base = distributions.Normal(jnp.zeros(work.size, dtype), jnp.ones(work.size, dtype))
    key = jax.random.key(0)
    note = ""
    if work.kind in ("maf", "iaf"):
        wanted = works.parameters(work)
        flow = flows.masked_autoregressive_flow(
            key,
            base_dist=base,
            flow_layers=work.layers,
            nn_width=work.hidden[0],
            nn_depth=len(work.hidden),
            invert=work.kind == "maf",
        )
    else:
        flow = distributions.Transformed(base, coupling(work, key))
        wanted = (
            sum(rows * (columns + 1) for rows, columns in conditioner(work))
            * work.layers
        )
        if work.bins:
            note = "3 * K + 1 numbers per spline: its end slopes are free"
    model = of_flow(work, flow)
    model.wanted = wanted
    model.note = note
    return model


def family(work: works.Work, variant: str) -> works.Model:
    """Return a flow that few libraries have."""
    dtype = jnp.dtype(work.dtype)
    base = distributions.Normal(jnp.zeros(work.size, dtype), jnp.ones(work.size, dtype))
    given: dict[str, Any] = {"base_dist": base, "flow_layers": work.layers}
    key, note = jax.random.key(0), ""
    if work.kind == "planar":
        flow = flows.planar_flow(key, **given)
    elif work.kind == "bnaf":
        flow = flows.block_neural_autoregressive_flow(
            key, **given, nn_depth=len(work.hidden), nn_block_dim=work.hidden[0]
        )
        note = "leaky tanh of its own; masked weights count as well"
    else:
        raise works.Skip("it has none")
    model = of_flow(work, flow)
    if work.kind == "planar":
        model.ops.pop("sample", None)
        model.skipped["sample"] = "its tanh is not inverted"
    model.wanted, model.note = model.parameters, note
    return model


def of_flow(work: works.Work, flow: Any) -> works.Model:
    """Return the model of a flow, whose base is not trained."""
    dtype = jnp.dtype(work.dtype)
    dynamic, static = eqx.partition(flow, eqx.is_inexact_array)
    # The base density is not trained; permutations are no floats.
    dynamic = eqx.tree_at(
        lambda tree: tree.base_dist,
        dynamic,
        replace=jax.tree.map(lambda leaf: None, dynamic.base_dist),
    )
    frozen = eqx.partition(flow.base_dist, eqx.is_inexact_array)[0]
    dynamic = jax.tree.map(lambda leaf: leaf.astype(dtype), dynamic)

    def combined(weights: Any) -> Any:
        whole = eqx.tree_at(
            lambda tree: tree.base_dist,
            weights,
            replace=frozen,
            is_leaf=lambda leaf: leaf is None,
        )
        return paramax.unwrap(eqx.combine(whole, static))

    shape = (work.batch,)
    return _jax.model(
        work,
        dynamic,
        lambda weights, x: combined(weights).log_prob(x),
        lambda weights, key: combined(weights).sample(key, shape),
        lambda weights, key: combined(weights).sample_and_log_prob(key, shape),
    )


def conditioner(work: works.Work) -> list[tuple[int, int]]:
    """Return the products of one conditioner; every layer changes the second half."""
    kept = work.size // 2
    width = 3 * work.bins + 1 if work.bins else 2
    return works.products(kept, (work.size - kept) * width, work)


def coupling(work: works.Work, key: jax.Array) -> Any:
    """Return coupling layers, scanned, with a permutation behind each."""
    shapes = conditioner(work)
    options: dict[str, Any] = {}
    if work.bins:
        options["transformer"] = bijections.RationalQuadraticSpline(
            knots=work.bins - 1, interval=works.BOUND, min_width=MINIMUM
        )
    else:
        options["transformer"] = bijections.Affine()
    size = work.size
    roll = (jnp.arange(size) + size // 2) % size

    def layer(seed: jax.Array) -> Any:
        out = bijections.Coupling(
            seed,
            untransformed_dim=size // 2,
            dim=size,
            nn_width=work.hidden[0],
            nn_depth=len(work.hidden),
            **options,
        )
        if work.residual:
            keys = jax.random.split(seed, len(shapes))
            layers = [
                (jax.random.normal(k, (n, m)) * 0.3 / n**0.5, jnp.zeros(m))
                for k, (m, n) in zip(keys, shapes, strict=True)
            ]
            out = eqx.tree_at(lambda c: c.conditioner, out, Residual(layers))
        return bijections.Chain([out, bijections.Permute(roll)])

    layers = eqx.filter_vmap(layer)(jax.random.split(key, work.layers))
    return bijections.Invert(bijections.Scan(layers))


def logits(knots: Any) -> list[np.ndarray]:
    """Invert the softmax and the softplus; end slopes of one."""
    slopes = np.pad(knots["slopes"], [(0, 0), (1, 1)], constant_values=1.0)
    return [
        works.softmax_logits(knots["widths"], 1e-3),
        works.softmax_logits(knots["heights"], 1e-3),
        works.softplus_inverse(slopes - 1e-3),
    ]


def evaluate(
    inverse: bool,  # noqa: FBT001 - of the shared call
    x: jax.Array,
    widths: jax.Array,
    heights: jax.Array,
    slopes: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Evaluate FlowJAX' spline for each scalar."""
    bins = widths.shape[-1]
    empty = bijections.RationalQuadraticSpline(
        knots=bins - 1, interval=works.BOUND, min_width=MINIMUM
    )

    def one(x: jax.Array, *given: jax.Array) -> tuple[jax.Array, jax.Array]:
        spline = eqx.tree_at(
            lambda s: (s.x_pos.arr, s.y_pos.arr, s.derivatives.args[0]), empty, given
        )
        spline = paramax.unwrap(spline)
        if inverse:
            return spline.inverse_and_log_det(x)
        return spline.transform_and_log_det(x)

    return jax.vmap(one)(x, widths, heights, slopes)
