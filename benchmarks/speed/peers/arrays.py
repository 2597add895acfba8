"""Public calls of tfp_flows on arrays, one op for each batch, for `calls.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import works

from tfp_flows import flows

__all__ = ["build"]


def build(work: works.Work, variant: str, folder: Path) -> works.Model:
    """Return calls for batches named by `ops`: `"500"`, `"500 XLA"`, `"sample 3"`."""
    del variant, folder
    flow = flows.build(
        work.kind,
        work.size,
        num_layers=work.layers,
        hidden_units=work.hidden,
        seed=0,
    )
    count = sum(int(np.prod(v.shape)) for v in flow.trainable_variables)
    ops = {op: call(flow, op) for op in work.ops}
    return works.Model(ops, count, wanted=count)


def call(flow: flows.Flow, op: str) -> Any:
    """Return one call."""
    words = op.split()
    jit_compile = words[-1] == "XLA"
    batch = next(int(word) for word in words if word.isdigit())
    if words[0] == "sample":
        return lambda: flow.sample(batch, seed=1, jit_compile=jit_compile).numpy()
    x = np.random.default_rng(0).normal(size=(batch, *flow.event_shape))
    x = x.astype("float32")
    return lambda: flow.log_prob(x, jit_compile=jit_compile).numpy()
