"""Every contract check over every flow."""

from __future__ import annotations

import pytest

from tests import dear
from tests.flows.cases import CASES
from tfp_flows import flows, testing


@pytest.mark.parametrize(("name", "check", "dtype"), dear.pairs("flow", CASES))
def test_flow_keeps_its_contract(name, check, dtype):
    dear.run("flow", CASES[name], check, dtype)


def test_every_family_of_flows_has_a_case_that_runs_all_checks():
    # Presets live in one module with what they are presets of.
    families = {name: type(case.flow()).__module__ for name, case in CASES.items()}
    whole = {*CASES} - dear.FURTHER["flow"]
    assert {families[name] for name in whole} == set(families.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsf", "maf"])
def test_flow_loads_bit_for_bit_in_a_fresh_process(name):
    testing.check_save_load_in_fresh_process(CASES[name])


def test_every_flow_has_a_case():
    kinds = {type(case.flow()) for case in CASES.values()}
    public = {getattr(flows, name) for name in flows.__all__}
    public = {k for k in public if isinstance(k, type) and issubclass(k, flows.Flow)}
    assert public - {flows.Flow, flows.Recipe} <= kinds
    assert {*flows.all_names()} <= set(CASES)
