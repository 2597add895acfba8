"""Which pairs of case and check are too dear for every run of the tests.

A check over all cases may take a minute of CPU. One that takes more is named here with
the cases on which it runs by default; its other pairs are marked `full`, and run by
`.ci/full`.
"""

from __future__ import annotations

import pytest

from tests.bijectors import cases
from tfp_flows import testing

__all__ = ["pairs"]

# Check -> the cases on which it runs by default.
DEAR: dict[str, dict[str, set[str]]] = {
    "bijector": {
        # Its forward map is a search that runs op by op: a minute in eager threads.
        "threads": {*cases.CASES} - {"mixture_gaussianize"},
        # Searches, and further cases of maps of which one is left.
        "loop": {*cases.CASES}
        - {"mixture_gaussianize", "marginal_kernel", "marginal_mixture_logistic"}
        - {"marginal_spline_one", "spline_linear", "spline_circular"}
        - {"elementwise_spline", "coupling_spline", "channel_coupling_spline"}
        - {"coupling_conditional", "autoregressive_spline", "invert_autoregressive"}
        - {"histogram_cdf"},
        # Two compilations each.
        "unknown_batch_xla": {"coupling_affine", "elementwise_spline", "act_norm"},
        "empty_batch": {*cases.CASES} - {"mixture_gaussianize"},
        # TensorFlow traces a function for each operation that it passes forwards.
        "forward_mode": {
            "autoregressive_affine",
            "chain_checkpoint",
            "coupling_spline",
            "elementwise_mixture",
            "householder",
            "low_rank",
            "normal_cdf",
            "orthogonal",
            "permutation",
        },
        "xla_gradients": {"autoregressive_affine", "elementwise_mixture", "lu"},
    },
    "flow": {
        # TensorFlow traces a function for each operation that it passes forwards.
        "forward_mode": {"nsf", "iaf"},
        # A minute of CPU for all: one of each kind of layer.
        "second_derivatives": {"nsf", "maf", "iaf", "maf-mol", "linear", "rbig"},
        "xla_gradients": {"maf", "iaf"},
        "empty": {"nsf", "maf", "nsf-ar", "glow"},
        # Compiles the density by XLA.
        "unknown_batch": {"nsf", "maf", "linear", "rbig", "realnvp_image"},
    },
}


def pairs(kind, known):
    """Return every pair of a case and a check as a parameter of a test."""
    dear = DEAR[kind]
    unknown = set(dear) - set(testing.checks(kind))
    unknown |= set().union(*dear.values()) - set(known)
    if unknown:
        msg = f"`DEAR` must name checks and cases, got {sorted(unknown)}."
        raise ValueError(msg)
    return [
        pytest.param(
            name,
            check,
            id=f"{name}-{check}",
            marks=[pytest.mark.full] if name not in dear.get(check, known) else [],
        )
        for name in known
        for check in testing.checks(kind)
    ]
