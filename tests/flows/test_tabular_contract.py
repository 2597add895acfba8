"""Flows with a preprocessing keep the contract of flows."""

import pytest

from tests.flows import small
from tfp_flows import testing

KINDS = {
    "supports": ["positive", ("bounded", -1, 4)],
    "discrete": [["integer", "positive"], ("atom", 0.0), ("category", [1, 2, 5])],
    "angles": [("periodic", -4.0, 4.0), "continuous"],
}
FLOWS = {"angles": "nsf"}
# The maps have these derivatives in cases of their own.
DEAR = {
    "second_derivatives": "minutes",
    "forward_mode": "minutes",
    "xla_gradients": "minutes",
    "numerics": "minutes",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_flows_of_tables_keep_the_contract(name):
    kinds, options = KINDS[name], {"num_layers": 1, "hidden_units": (4,)}
    testing.check_flow(
        lambda dtype: small.build(
            FLOWS.get(name, "maf"),
            *(len(kinds), 1),
            preprocessing=kinds,
            dtype=dtype,
            **options,
        ),
        tolerances=testing.Tolerances(float32=5e-4),
        skip=DEAR,
        name=name,
    )
