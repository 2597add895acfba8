"""Every contract check over every map."""

from __future__ import annotations

import inspect

import pytest

from tests import dear
from tests.bijectors.cases import CASES
from tests.dear import FURTHER
from tfp_flows import bijectors as maps


@pytest.mark.parametrize(("name", "check", "dtype"), dear.pairs("bijector", CASES))
def test_map_keeps_its_contract(name, check, dtype):
    dear.run("bijector", CASES[name], check, dtype)


def test_every_class_has_a_case_that_runs_all_checks():
    def kinds(names):
        built = [CASES[name].bijector() for name in names]
        transformers = {
            type(getattr(bijector, "transformer", None)) for bijector in built
        }
        return transformers | {type(bijector) for bijector in built}

    assert kinds({*CASES} - FURTHER["bijector"]) == kinds(CASES)


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
        and kind not in (maps.Bijector, maps.Transformer, maps.Stochastic)
        and kind not in covered
    ]
    assert not missing
