"""Every flow as a named case of the contract suite, with tiny networks."""

from __future__ import annotations

import numpy as np

from tests.flows import small
from tfp_flows import bijectors, flows, networks
from tfp_flows.testing import FlowCase, Tolerances

CASES: dict[str, FlowCase] = {}

SMALL = {
    **small.SMALL,
    "sphere": {"num_layers": 1, "hidden_units": (4,), "num_bins": 3},
    "glow": {
        "num_steps": 1,
        "hidden_units": (4,),
        "dequantize": False,
        "logit_alpha": None,
    },
    "realnvp-image": {
        "num_steps": 1,
        "hidden_units": (4, 4),
        "dequantize": False,
        "logit_alpha": None,
    },
    "tarflow-image": {
        "num_layers": 1,
        "attention_layers": 1,
        "width": 4,
        "num_heads": 2,
        "dequantize": False,
        "logit_alpha": None,
    },
    "nsf-image": {
        "num_steps": 1,
        "hidden_units": (4, 4),
        "num_bins": 3,
        "dequantize": False,
        "logit_alpha": None,
    },
}


def add(case, flow, event_shape, condition_shape=None, *, check=None, **options):
    """Register one flow; `check` holds options of the case."""

    def build(dtype):
        given = {**SMALL[flow], **options}
        return flows.build(
            flow, event_shape, condition_shape, seed=0, dtype=dtype, **given
        )

    CASES[case] = FlowCase(build, name=case, **(check or {}))


# Every flow once, alternating between what a flow may be asked for.
add("nice", "nice", 3)
add("realnvp", "realnvp", 2, 2, activation="tanh")
add("nsf", "nsf", 2, mixing="lu")
add("maf", "maf", 3, 1, base="student-t")
add("maf_graph", "maf", 3, 1, adjacency=[[0, 0, 0], [0, 0, 0], [1, 1, 0]])
add("iaf", "iaf", 2)
add("nsf-ar", "nsf-ar", 2, 2)
add("maf-mol", "maf-mol", 2)
add("bernstein", "bernstein", 2)
add("sos", "sos", 2)
add("naf", "naf", 2, transformer=bijectors.DeepSigmoidal(3))
add("umnn", "umnn", 2, transformer=bijectors.MonotoneNetwork(2, 16))
add("tarflow", "tarflow", 4, 2, patch_size=2)
add("series", "series", 3, 2)
add("bnaf", "bnaf", 2, 1, check={"noise": 0.03})
add(
    "circular",
    "circular",
    2,
    check={
        "skip": {
            "one_dimension": "a circle has no first angle: no cdf",
            "adapt": "a period is given, not found in data",
        }
    },
)
add("coupling", "coupling", 3, 2, transformer=bijectors.Bernstein(4))
add("autoregressive", "autoregressive", 2, transformer=bijectors.Bernstein(4))
add("linear", "linear", 2, 2, base="gaussian-mixture")
add("planar", "planar", 2, 2)
add("radial", "radial", 3)
add("sylvester", "sylvester", 3, inverted=True, kind="triangular")
add("householder", "householder", 2, 2)
add("residual", "residual", 2, 2)
add("cnf", "cnf", 2, 2, check={"noise": 0.03})
add("flow-matching", "flow-matching", 2, check={"noise": 0.03})
add("rbig", "rbig", 3)
add("rbig_table", "rbig", 3, marginals="table")
add("gis", "gis", 2)
add("sig", "sig", 2)
add(
    "gaussianization",
    "gaussianization",
    2,
    layer_types=("mixture", "radial", "conditional-affine"),
)
add("gaussianization_condition", "gaussianization", 2, 2, hidden_units=(8,))
add(
    "sphere",
    "sphere",
    3,
    1,
    check={
        "project": lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
        "skip": {
            "adapt": "unit vectors have no other units",
            "second_derivatives": "differences leave the sphere",
            "infinite": "what is no unit vector is refused",
        },
    },
)
add("mixture", "mixture", 2, 1)
add("any-order", "any-order", 3, 1)
add(
    "augmented",
    "augmented",
    2,
    1,
    check={"tolerances": Tolerances(float32=1e-4, mass=0.06)},  # 64 draws
)
add("symmetric", "symmetric", 2, 1, axes=(0, 1))
# Other events: one coordinate, and an image.
add("nsf_one", "nsf", 1, 1, base="diagonal-normal")
add("realnvp_image", "realnvp", (2, 2, 1), (2, 1))
# Images.
add("glow", "glow", (4, 4, 1), 2)
add("glow_spline", "glow", (2, 2, 1), num_steps=2, coupling="spline", num_bins=3)
add("glow_mixture", "glow", (2, 2, 1), coupling="mixture", num_components=2)
add("realnvp-image", "realnvp-image", (2, 2, 1), 2, activation="tanh")
add("nsf-image", "nsf-image", (2, 2, 1), activation="tanh")
add("tarflow-image", "tarflow-image", (2, 4, 1), pixel_noise=0.1)


add("ensemble", "nsf-ar", 2, 1, members=2, base="student-t")


def _maps(dtype):
    spline = bijectors.RationalQuadratic(3)
    net = networks.MLP(1, (1, spline.params_size), (5,), dtype=dtype, seed=1)
    parts = [
        bijectors.LU.trainable(2, seed=0, dtype=dtype),
        bijectors.Coupling(spline, net, [True, False]),
    ]
    return flows.Flow.from_maps(
        parts, base="student-t", standardized=True, seed=0, dtype=dtype
    )


CASES["maps"] = FlowCase(_maps, name="maps")
