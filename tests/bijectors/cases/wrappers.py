"""Maps for other events and conditions as named cases of the contract suite."""

from __future__ import annotations

from tests.bijectors.cases import elementwise, linear
from tests.bijectors.cases.registry import DENSE, Cases, perturbed
from tests.bijectors.toy_maps import Shear, noise
from tfp_flows import bijectors as maps
from tfp_flows import networks

CASES = Cases()


def _amortized(bijector, dtype):
    count = maps.Amortized.num_parameters(bijector)
    net = networks.MLP(0, (1, count), (4,), condition_shape=2, dtype=dtype, seed=0)
    return perturbed(maps.Amortized(bijector, net))


@CASES.add("amortized", (2,), condition_shape=(2,))
def _amortized_planar(dtype):
    return _amortized(maps.Planar.trainable(2, seed=0, dtype=dtype), dtype)


@CASES.add("amortized_sylvester", (2,), condition_shape=(2,), skip=DENSE)
def _amortized_sylvester(dtype):
    bijector = maps.Sylvester.trainable(2, 2, kind="householder", seed=0, dtype=dtype)
    return _amortized(bijector, dtype)


@CASES.add("on_flattened", (2, 1), skip=DENSE)
def _on_flattened(dtype):
    return maps.OnFlattened(linear.triangular(dtype), (2, 1))


@CASES.add("on_flattened_scalar", (), condition_shape=(2,))
def _on_flattened_scalar(dtype):
    return maps.OnFlattened(elementwise.conditional_elementwise(dtype), ())


@CASES.add("embed_condition", (2,), condition_shape=(2,))
def _embed_condition(dtype):
    embedding = networks.ConditionEmbedding((2,), dtype=dtype)
    embedding.adapt(noise([50, 2], dtype, 9) * 3.0 + 1.0)
    return maps.EmbedCondition(Shear.build(dtype, (2,)), embedding, 2)


@CASES.add("embed_condition_in_chain", (2,), condition_shape=(2,))
def _embed_condition_in_chain(dtype):
    return maps.Chain([_embed_condition(dtype)])
