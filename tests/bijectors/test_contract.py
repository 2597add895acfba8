"""Every contract check over every map."""

from __future__ import annotations

import inspect

import pytest

from tests.bijectors.cases import CASES
from tests.dear import pairs
from tfp_flows import bijectors as maps
from tfp_flows import testing


@pytest.mark.parametrize(("name", "check"), pairs("bijector", CASES))
def test_map_keeps_its_contract(name, check):
    case = CASES[name]
    reason = case.reason_to_skip(check)
    if reason is not None:
        pytest.skip(reason)
    testing.checks()[check](case)


def test_every_public_map_has_a_case():
    built = [case.bijector() for case in CASES.values()]
    covered = {type(b) for b in built}
    covered |= {type(getattr(b, "transformer", None)) for b in built}
    public = [getattr(maps, name) for name in maps.__all__]
    missing = [
        kind.__name__
        for kind in public
        if inspect.isclass(kind)
        and issubclass(kind, (maps.Bijector, maps.Transformer))
        and kind not in (maps.Bijector, maps.Transformer)
        and kind not in covered
    ]
    assert not missing
