"""Graphs of former fits are freed, and little time is spent on it."""

import gc
import weakref

import numpy as np
import pytest

from tfp_flows import flows, training
from tfp_flows.training import garbage


class Node:
    """Refers to itself."""

    def __init__(self):
        self.itself = self


def cycle():
    return weakref.ref(Node())


@pytest.fixture
def clock(monkeypatch):
    """A clock that a collection moves by a second."""
    now = [100.0]
    collect = gc.collect

    def slow():
        now[0] += 1.0
        return collect()

    monkeypatch.setattr(garbage.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(garbage.gc, "collect", slow)
    return now


@pytest.mark.slow
def test_cycles_are_freed_in_a_tenth_of_the_time(clock):
    collector = garbage.Collector(0.1)
    lost = cycle()
    assert collector()
    assert lost() is None
    clock[0] += 9.9
    lost = cycle()
    assert not collector()
    assert lost() is not None
    clock[0] += 0.2
    assert collector()
    assert lost() is None


def test_a_collector_that_is_switched_off_stays_so(clock):
    del clock
    gc.disable()
    try:
        assert not garbage.Collector()()
    finally:
        gc.enable()


@pytest.mark.slow
def test_a_fit_frees_the_flow_before_it(monkeypatch):
    monkeypatch.setattr(garbage, "collect", garbage.Collector(share=1e9))
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    options = {"epochs": 1, "jit_compile": False, "verbose": 0}
    flow, _ = training.fit("linear", x, **options)
    gone = weakref.ref(flow)
    del flow, _
    training.fit("linear", x, **options)
    assert gone() is None


def test_a_gaussian_is_not_compiled_for_a_process_that_lives_on():
    policy = flows.LinearFlow.fit_policy
    assert not policy.prefers_xla(flows.build("linear", 2))
    assert policy.prefers_xla(flows.build("linear", 2, 1))
