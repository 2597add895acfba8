"""Dear pairs of a case and a check wait for `.ci/full`."""

from __future__ import annotations

import pytest

from tests import dear


def test_only_the_named_cases_run_by_default(monkeypatch):
    monkeypatch.setitem(dear.DEAR, "bijector", {"xla": {"one"}})
    marks = {pair.id: pair.marks for pair in dear.pairs("bijector", ["one", "two"])}
    assert not marks["one-xla"]
    assert not marks["two-copy"]
    assert [mark.name for mark in marks["two-xla"]] == ["full"]


@pytest.mark.parametrize("table", [{"xlaa": {"one"}}, {"xla": {"three"}}])
def test_unknown_names_are_an_error(monkeypatch, table):
    monkeypatch.setitem(dear.DEAR, "bijector", table)
    with pytest.raises(ValueError, match="`DEAR` must name checks and cases"):
        dear.pairs("bijector", ["one", "two"])


@pytest.mark.full
def test_what_is_full_is_slow(request):
    assert request.node.get_closest_marker("slow")
