"""Rows held out by a fit: equal rows stay together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import datasets
from tfp_flows.training.data import arrays


@pytest.mark.parametrize("given", [False, True])
def test_equal_rows_are_all_held_out_or_none(given):
    x = np.repeat(small.table(100), [1, 2, 3, 4] * 25, axis=0)
    condition = np.repeat(np.arange(100.0), [1, 2, 3, 4] * 25) if given else None
    train, held_out = arrays.split(arrays.Data(x, condition), 0.1, 0)
    assert (len(train), len(held_out)) == (225, 25)
    known = {row.tobytes() for row in train.x}
    assert not any(row.tobytes() in known for row in held_out.x)


def test_equal_events_of_other_conditions_are_other_rows():
    events = np.zeros([50, 1])
    train, held_out = arrays.split(arrays.Data(events, np.arange(50.0)), 0.1, 0)
    wanted = np.sort(np.random.default_rng(0).permutation(50)[:5])
    assert held_out.condition.ravel().tolist() == wanted.tolist()
    assert len(train) == 45


def test_fit_validates_on_whole_groups_and_on_the_last_rows():
    x, order = small.table(100), np.random.default_rng(0).permutation(100)
    groups = np.arange(100) % 5
    data = arrays.Data(x)
    data.place(groups, None)
    _, held_out = arrays.hold_out(data, 0.2, 0)
    (group,) = {groups[np.all(x == row, axis=1)][0] for row in held_out.x}
    np.testing.assert_array_equal(held_out.x, x[groups == group])
    _, history = tfpf.fit("linear", x, time=order, epochs=1, seed=0, verbose=0)
    last = x[order >= 90]
    flow, _ = tfpf.fit(
        "linear",
        x[order < 90],
        validation=(last,),
        epochs=1,
        seed=0,
        verbose=0,
    )
    want = flow.log_prob(last).numpy().mean()
    assert history.report.log_likelihood.mean == pytest.approx(want, abs=1e-4)


def test_groups_and_times_may_be_columns_by_name():
    x = small.table(100)
    frame = pd.DataFrame(x, columns=["a", "b"])
    number = np.random.default_rng(1).permutation(100) % 10
    site = np.array(list("abcdefghij"))[number]
    order = np.random.default_rng(0).permutation(100)
    options = {"epochs": 1, "seed": 0, "verbose": 0}
    want, _ = tfpf.fit("linear", frame, groups=site, **options)
    numbered = datasets.Table(np.column_stack([x, number]), ("a", "b", "site"))
    conditions = pd.DataFrame({"site": site, "c": order**2.0})
    for table, given in (
        (frame.assign(site=site), None),
        (numbered, None),
        (frame, conditions),
    ):
        flow, history = tfpf.fit("linear", table, given, groups="site", **options)
        assert flow.columns == ("a", "b")
        assert history.report.count == 10
        if given is None:
            np.testing.assert_allclose(flow.log_prob(x), want.log_prob(x), rtol=1e-6)
    late, _ = tfpf.fit("linear", frame.assign(day=order), time="day", **options)
    want, _ = tfpf.fit("linear", frame, time=order, **options)
    np.testing.assert_allclose(late.log_prob(x), want.log_prob(x), rtol=1e-6)
    with pytest.raises(ValueError, match=r"'sit'; .*: did you mean 'site'"):
        tfpf.fit("linear", frame.assign(site=site), groups="sit", **options)
    with pytest.raises(ValueError, match="got 'site'; arrays have no names"):
        tfpf.fit("linear", x, groups="site", **options)
    with pytest.raises(ValueError, match=r"got the name 'site'\. Pass the values"):
        tfpf.estimators.compare(x, flows=["linear"], groups="site")


@pytest.mark.parametrize("validation", [None, (small.table(9),)])
def test_groups_without_a_share_are_refused(validation):
    x = small.table(20)
    with pytest.raises(ValueError, match="`groups` says which rows are held out"):
        tfpf.fit("linear", x, groups=np.arange(20), validation=validation)
