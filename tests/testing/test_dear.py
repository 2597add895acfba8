"""Dear parts of the contract suite wait for `--contracts=full`."""

from __future__ import annotations

import itertools

import pytest

from tests import dear, tiers
from tests.bijectors import cases as bijectors
from tests.flows import cases as flows
from tfp_flows import testing

CASES = {"bijector": bijectors.CASES, "flow": flows.CASES}


@pytest.fixture
def tables(monkeypatch):
    """Let a test write the tables of the suite of maps."""

    def write(**given):
        for name in ("FURTHER", "QUICK", "BY_DTYPE", "THIRDS", "DEAR"):
            value = given.get(name, {} if name == "DEAR" else set())
            monkeypatch.setitem(getattr(dear, name), "bijector", value)

    return write


def marks(kind, known):
    return {p.id: [mark.name for mark in p.marks] for p in dear.pairs(kind, known)}


def test_only_the_named_cases_run_a_dear_check_by_default(tables):
    tables(DEAR={"xla": {"one"}})
    found = marks("bijector", ["one", "two"])
    assert [found[name] for name in ("one-xla", "two-copy")] == [[], []]
    assert found["two-xla"] == ["full"]


def test_further_cases_run_the_quick_checks_by_default(tables):
    tables(FURTHER={"two"}, QUICK={"dtype"})
    found = marks("bijector", ["one", "two"])
    assert {name for name, full in found.items() if not full} == {
        "two-dtype",
        *(f"one-{check}" for check in testing.checks()),
    }


def test_what_compiles_takes_turns_of_dtypes(tables):
    tables(BY_DTYPE={"xla"})
    found = marks("bijector", ["one", "two"])
    late = [name for name, full in found.items() if full]
    assert late == ["one-xla-float64", "two-xla-float32"]


def test_what_keeps_memory_takes_turns_of_cases(tables):
    tables(THIRDS=("xla", "copy"), FURTHER={"further"})
    found = marks("bijector", ["one", "further", "two", "three"])
    late = {name for name, full in found.items() if full and "further" not in name}
    assert late == {"two-xla", "three-xla", "one-copy", "three-copy"}


@pytest.mark.parametrize("kind", ["bijector", "flow"])
def test_the_full_suite_has_every_check_of_every_case(kind):
    taken, late = set(), set()
    for pair in dear.pairs(kind, CASES[kind]):
        name, check, dtype = pair.values
        both = dear.DTYPES if dtype is None else (dtype,)
        (late if pair.marks else taken).update((name, check, each) for each in both)
    every = {
        (name, check, dtype)
        for name in CASES[kind]
        for check in testing.checks(kind)
        for dtype in dear.DTYPES
    }
    assert taken | late == every
    assert not taken & late
    # By default every check runs, and every case.
    assert {check for _, check, _ in taken} == {*testing.checks(kind)}
    assert {name for name, _, _ in taken} == {*CASES[kind]}


@pytest.mark.parametrize(
    "table",
    [{"DEAR": {"xlaa": {"one"}}}, {"DEAR": {"xla": {"three"}}}, {"FURTHER": {"four"}}],
)
def test_unknown_names_are_an_error(tables, table):
    tables(**table)
    with pytest.raises(ValueError, match="Tiers must name checks and cases"):
        dear.pairs("bijector", ["one", "two"])


def test_sevenths_are_disjoint_and_make_the_whole():
    labels = [f"test[{number}]" for number in range(100)]
    parts = [[n for n in labels if tiers.is_taken(f"{k}/7", n)] for k in range(7)]
    assert sorted(itertools.chain(*parts)) == sorted(labels)
    assert min(map(len, parts)) > 5
    assert [n for n in labels if tiers.is_taken("702/7", n)] == parts[2]
    assert all(tiers.is_taken("full", n) for n in labels)
    assert not any(tiers.is_taken("default", n) for n in labels)
    with pytest.raises(pytest.UsageError, match="'default', 'full' or 'N/M'"):
        tiers.is_taken("1/0", "test")


@pytest.mark.full
def test_what_is_full_runs_only_where_it_is_asked_for(request):
    assert request.config.getoption("--contracts") != "default"


def test_programs_of_xla_make_the_whole_in_three_rounds():
    labels = [f"test[map{number}-xla]" for number in range(200)]
    parts = [[n for n in labels if tiers.is_taken(f"{k}/7", n)] for k in range(21)]
    assert sorted(itertools.chain(*parts)) == sorted(labels)
    assert max(map(len, parts)) < 200 / 7
