"""Flows that are small enough for a test, and data for them."""

from __future__ import annotations

import numpy as np

from tfp_flows import flows

__all__ = ["SMALL", "UNCONDITIONAL", "batch", "build", "perturbed", "table"]

ODE = {
    "hidden_units": (4,),
    "frequency": 0.0,
    "num_frequencies": 0,
    "num_steps": 2,
}
SMALL = {
    "nice": {"num_layers": 2, "hidden_units": (8,)},
    "realnvp": {"num_layers": 2, "hidden_units": (8,)},
    "nsf": {"num_layers": 2, "hidden_units": (8, 8), "num_bins": 4},
    "maf": {"num_layers": 2, "hidden_units": (8,)},
    "iaf": {"num_layers": 2, "hidden_units": (8,)},
    "nsf-ar": {"num_layers": 1, "hidden_units": (8, 8), "num_bins": 4},
    "maf-mol": {"num_layers": 1, "hidden_units": (8,), "num_components": 3},
    "bernstein": {"num_layers": 1, "hidden_units": (8,)},
    "sos": {"num_layers": 1, "hidden_units": (8,)},
    "naf": {"num_layers": 1, "hidden_units": (8,)},
    "umnn": {"num_layers": 1, "hidden_units": (8,)},
    "tarflow": {"num_layers": 2, "attention_layers": 1, "width": 4, "num_heads": 2},
    "series": {"num_layers": 1, "width": 4, "dilations": (1,)},
    "bnaf": {"num_layers": 1, "hidden_units": (4,)},
    "circular": {
        "num_layers": 2,
        "hidden_units": (8,),
        "num_bins": 3,
        "period": (-12.0, 12.0),
    },
    "coupling": {"num_layers": 2, "hidden_units": (8,)},
    "autoregressive": {"num_layers": 2, "hidden_units": (8,)},
    "linear": {"num_layers": 1, "hidden_units": (8,)},
    "planar": {"num_layers": 2, "hidden_units": (8,)},
    "radial": {"num_layers": 2, "hidden_units": (8,)},
    "sylvester": {"num_layers": 1, "hidden_units": (8,)},
    "householder": {"num_layers": 1, "hidden_units": (8,)},
    "residual": {"num_layers": 2, "hidden_units": (8,), "lipschitz": 0.5},
    "cnf": ODE,
    "flow-matching": ODE,
    "rbig": {"num_layers": 2, "num_bins": 6},
    "gis": {"num_layers": 2, "num_bins": 6},
    "sig": {"num_layers": 2, "num_bins": 6},
    "gaussianization": {"num_layers": 2, "num_bins": 6},
    "any-order": {"hidden_units": (8, 8), "num_components": 3},
    "mixture": {
        "component": "realnvp",
        "num_components": 2,
        "num_layers": 1,
        "hidden_units": (4,),
    },
    "augmented": {
        "component": "realnvp",
        "num_noise": 1,
        "num_layers": 2,
        "hidden_units": (4,),
        "num_draws": 64,
    },
    "symmetric": {"component": "realnvp", "num_layers": 2, "hidden_units": (4,)},
}


# It has neither conditions nor networks.
UNCONDITIONAL = ("rbig", "gis", "sig")


def build(name, /, event_shape=2, condition_shape=None, *, seed=0, **options):
    """Build a small flow."""
    options = {**SMALL[name], **options}
    return flows.build(name, event_shape, condition_shape, seed=seed, **options)


def perturbed(flow, scale=0.2, seed=1):
    """Move the trainable weights of a flow, so that it is not the identity."""
    rng = np.random.default_rng(seed)
    for variable in flow.trainable_variables:
        noise = scale * rng.normal(size=variable.shape)
        variable.assign(variable.numpy() + noise.astype(variable.dtype))
    return flow


def table(rows=200, size=2, seed=0, dtype="float32"):
    """Return correlated data, off zero, of unlike scales."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, size))
    x[:, 1:] += 0.5 * x[:, :1]
    x = x * np.linspace(0.5, 2.0, size) + np.linspace(-1.0, 1.0, size)
    return x.astype(dtype)


def batch(rows=200, size=2, condition=1, seed=0, dtype="float32"):
    """Return data and conditions on which they depend."""
    c = np.random.default_rng(seed + 1).normal(size=(rows, condition))
    x = table(rows, size, seed, dtype) + c[:, :1]
    return x.astype(dtype), c.astype(dtype)
