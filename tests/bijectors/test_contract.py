"""Every contract check over every map."""

from __future__ import annotations

import pytest

from tests.bijectors.cases import CASES
from tfp_flows import testing


@pytest.mark.parametrize("check", testing.checks())
@pytest.mark.parametrize("name", CASES)
def test_map_keeps_its_contract(name, check):
    case = CASES[name]
    reason = case.reason_to_skip(check)
    if reason is not None:
        pytest.skip(reason)
    testing.checks()[check](case)
