"""Maps that add a bend as named cases of the contract suite."""

from __future__ import annotations

from tests.bijectors.cases.registry import DENSE, Cases, perturbed
from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb

CASES = Cases()


@CASES.add(
    "banana",
    (3,),
    skip={
        "huge_inputs": "the square of 1e30 is beyond float32",
        "infinite_inputs": "inf - inf is not a number",
    },
)
def _banana(dtype):
    return perturbed(maps.Banana.trainable(3, dtype=dtype), 0.5)


@CASES.add("planar", (3,))
def _planar(dtype):
    return perturbed(maps.Planar.trainable(3, seed=0, dtype=dtype), 0.5)


@CASES.add("radial", (2,))
def _radial(dtype):
    return perturbed(maps.Radial.trainable(2, seed=0, dtype=dtype), 0.5)


@CASES.add("sylvester", (3,), skip=DENSE)
def _sylvester(dtype):
    return perturbed(maps.Sylvester.trainable(3, 2, seed=0, dtype=dtype))


@CASES.add("sylvester_householder", (2,), skip=DENSE)
def _sylvester_householder(dtype):
    map_ = maps.Sylvester.trainable(2, kind="householder", seed=0, dtype=dtype)
    return perturbed(map_)


@CASES.add("sylvester_triangular", (2,), skip=DENSE)
def _sylvester_triangular(dtype):
    map_ = maps.Sylvester.trainable(2, kind="triangular", seed=0, dtype=dtype)
    return perturbed(map_)


def _contraction(dtype, **options):
    # A small bound, as each step towards an inverse is a pass op by op.
    net = networks.LipschitzMLP(2, (3,), lipschitz=0.5, dtype=dtype, seed=0, **options)
    perturb(net, 0.7, seed=2)
    return net


@CASES.add("residual_block", (2,), condition_shape=(2,))
def _residual_block(dtype):
    return maps.ResidualBlock(_contraction(dtype, condition_shape=2))


@CASES.add("residual_block_sin", (2,))
def _residual_block_sin(dtype):
    net = _contraction(dtype, activation="sin")
    return maps.ResidualBlock(net)
