"""Evaluate distrax' spline on arrays of a file, in an environment that has distrax.

`spline_numerics.py` runs it as `PYTHON _distrax.py IN.npz OUT.npz`: distrax and
TensorFlow need versions of TensorFlow Probability that do not go together.
"""

from __future__ import annotations

import importlib.metadata
import sys

import distrax
import jax
import jax.numpy as jnp
import numpy as np


def main(source: str, target: str) -> None:
    """Write value, log-det, and the gradients of both for input and logits."""
    given = np.load(source)
    bound, minimum = float(given["bound"]), float(given["minimum"])
    inverse, logits = bool(given["inverse"]), given["logits"]
    bins = logits.shape[0] // 3 + 1
    params = jnp.asarray(logits.T)
    # Its slopes count both ends, which the boundary condition then replaces.
    end = jnp.zeros_like(params[:, :1])
    sizes, slopes = params[:, : 2 * bins], params[:, 2 * bins :]
    params = jnp.concatenate([sizes, end, slopes, end], axis=1)

    def evaluate(x: jax.Array, p: jax.Array) -> tuple[jax.Array, jax.Array]:
        flow = distrax.RationalQuadraticSpline(
            p,
            -bound,
            bound,
            boundary_slopes="identity",
            min_bin_size=2 * bound * minimum,
            min_knot_slope=minimum,
        )
        return (flow.inverse_and_log_det if inverse else flow.forward_and_log_det)(x)

    x = jnp.asarray(given["value"])
    out = list(jax.jit(evaluate)(x, params))
    for index in (0, 1):
        gradient = jax.grad(lambda *a, i=index: evaluate(*a)[i].sum(), argnums=(0, 1))
        out += jax.jit(gradient)(x, params)
    versions = [importlib.metadata.version(p) for p in ("distrax", "jax")]
    np.savez(target, *out, versions=versions)


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    main(*sys.argv[1:])
