"""Every contract check over every flow."""

from __future__ import annotations

import pytest

from tests.dear import pairs
from tests.flows.cases import CASES
from tfp_flows import flows, testing


@pytest.mark.parametrize(("name", "check"), pairs("flow", CASES))
def test_flow_keeps_its_contract(name, check):
    case = CASES[name]
    reason = case.reason_to_skip(check)
    if reason is not None:
        pytest.skip(reason)
    testing.checks("flow")[check](case)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsf", "maf"])
def test_flow_loads_bit_for_bit_in_a_fresh_process(name):
    testing.check_save_load_in_fresh_process(CASES[name])


def test_every_flow_has_a_case():
    kinds = {type(case.flow()) for case in CASES.values()}
    public = {getattr(flows, name) for name in flows.__all__}
    public = {k for k in public if isinstance(k, type) and issubclass(k, flows.Flow)}
    assert public - {flows.Flow} <= kinds
    assert {*flows.names(), *flows.image_names()} <= set(CASES)
