"""Dear parts of the contract suite wait for `--contracts=full`."""

from __future__ import annotations

import itertools
import types

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
        for name in ("FURTHER", "QUICK", "BY_DTYPE", "DEAR"):
            value = given.get(name, {} if name == "DEAR" else set())
            monkeypatch.setitem(getattr(dear, name), "bijector", value)

    return write


def marks(kind, known):
    return {p.id: [mark.name for mark in p.marks] for p in dear.pairs(kind, known)}


@pytest.fixture
def all_quick(monkeypatch):
    """Let all checks take each case."""
    monkeypatch.setattr(dear, "TURNS", 1)


@pytest.mark.usefixtures("all_quick")
def test_only_the_named_cases_run_a_dear_check_by_default(tables):
    tables(DEAR={"xla": {"one"}})
    found = marks("bijector", ["one", "two"])
    assert [found[name] for name in ("one-xla", "two-copy")] == [[], []]
    assert found["two-xla"] == ["full"]


@pytest.mark.usefixtures("all_quick")
def test_further_cases_run_the_quick_checks_by_default(tables):
    tables(FURTHER={"two"}, QUICK={"dtype"})
    found = marks("bijector", ["one", "two"])
    assert {name for name, full in found.items() if not full} == {
        "two-dtype",
        *(f"one-{check}" for check in testing.checks()),
    }


@pytest.mark.usefixtures("all_quick")
def test_what_compiles_takes_turns_of_dtypes(tables):
    tables(BY_DTYPE={"xla"})
    found = marks("bijector", ["one", "two"])
    late = [name for name, full in found.items() if full]
    assert late == ["one-xla-float64", "two-xla-float32"]


def test_what_is_not_quick_takes_turns_of_cases(tables, monkeypatch):
    monkeypatch.setattr(dear, "TURNS", 3)
    known = ["one", "further", "two", "three", "four", "five"]
    quick = {*testing.checks()} - {"xla", "copy", "loop"}
    tables(QUICK=quick, FURTHER={"further"}, DEAR={"loop": {"two", "three"}})
    found = marks("bijector", known)
    taken = {name for name, full in found.items() if not full}
    turns = {
        check: {n for n in known if f"{n}-{check}" in taken}
        for check in ("copy", "xla", "loop")
    }
    assert turns["loop"] == {"two", "three"}
    thirds = [{"one", "four"}, {"two", "five"}, {"three"}]
    assert turns["copy"] in thirds
    assert turns["xla"] in thirds
    assert turns["copy"] != turns["xla"]
    assert {name for name in taken if "further" in name} == {
        f"further-{check}" for check in quick
    }


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


@pytest.mark.parametrize(("rare", "turns"), [(False, 8), (True, 24)])
def test_slow_tests_take_turns(rare, turns):
    labels = [f"tests/test_{number}.py::test" for number in range(100)]
    parts = [
        [n for n in labels if tiers.is_turn(f"{k}/7", n, rare=rare)]
        for k in range(turns)
    ]
    assert sorted(itertools.chain(*parts)) == sorted(labels)
    by_default = [n for n in labels if tiers.is_turn("default", n, rare=rare)]
    assert by_default == ([] if rare else parts[0])
    assert all(tiers.is_turn("full", n, rare=rare) for n in labels)


class Item:
    """A test as it is collected."""

    def __init__(self, number, mark, **options):
        self.name, self.mark = f"test[{number}]", mark
        self.nodeid = f"tests/test_some.py::{self.name}"
        # A function is marked, and one of its cases once more.
        self.marks = [getattr(pytest.mark, mark), getattr(pytest.mark, mark)(**options)]

    def get_closest_marker(self, name):
        return next(self.iter_markers(name), None)

    def iter_markers(self, name):
        return (mark.mark for mark in self.marks if mark.name == name)


def test_slow_tests_of_a_file_or_a_mark_that_is_named_all_run():
    def count(mark, arguments, expression="", contracts="default", **options):
        config = types.SimpleNamespace(
            args=arguments,
            option=types.SimpleNamespace(markexpr=expression),
            getoption={"--contracts": contracts}.__getitem__,
        )
        return sum(tiers.belongs(Item(n, mark, **options), config) for n in range(90))

    assert 5 < count("slow", ["tests"]) < 30
    assert count("slow", ["tests"], rare=True) == 0
    assert 0 < count("slow", ["tests"], contracts="2/7", rare=True) < 15
    assert count("slow", [__file__], rare=True) == 90
    assert count("slow", ["tests"], contracts="full") == 90
    assert count("slow", ["tests"], "slow") == 90
    assert count("slow", [__file__]) == count("slow", [f"{__file__}::test"]) == 90
    assert count("full", [__file__]) == 0
    assert count("colab", ["tests"]) == 90
