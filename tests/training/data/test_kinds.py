"""Columns of every kind from a table to samples of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import TINY, X, fit
from tfp_flows.preprocessing import Column, DataNotice
from tfp_flows.training.data import arrays, kinds

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=300),
        "rating": RNG.integers(1, 6, size=300),
        "rain": np.where(RNG.uniform(size=300) < 0.5, 0.0, RNG.gamma(2.0, size=300)),
        "colour": pd.Categorical(RNG.choice(["red", "green"], size=300)),
    }
)


def kinds_of(flow):
    return flow.preprocessing.columns


@pytest.mark.slow
def test_kinds_are_detected_and_samples_are_of_them():
    flow, _ = fit("maf", FRAME)
    assert kinds_of(flow) == (
        Column(),
        Column(1, 5, 1.0),
        Column(0, atoms=(0,)),
        Column(categories=("green", "red")),
    )
    samples = flow.sample(200, seed=0, as_frame=True)
    assert set(samples["rating"]) <= {1, 2, 3, 4, 5}
    assert (samples["rain"] == 0).mean() > 0.1
    assert samples["rain"].min() == 0.0
    assert set(samples["colour"]) == {"green", "red"}
    values = flow.log_prob(FRAME)
    assert np.isfinite(values).all()
    # Labels stand for themselves, whatever their order in another frame.
    turned = FRAME.astype({"colour": str})[::-1]
    np.testing.assert_allclose(flow.log_prob(turned)[::-1], values, rtol=1e-5)
    with pytest.raises(
        ValueError, match="one of the labels 'green', 'red', got 'blue'"
    ):
        flow.log_prob(FRAME.astype({"colour": str}).assign(colour="blue"))


@pytest.mark.slow
def test_kinds_that_are_told_go_before_those_detected():
    flow, _ = fit(
        "maf",
        FRAME.astype({"colour": str}),
        columns={"rating": "continuous", "size": "drop", "colour": "category"},
    )
    assert flow.columns == ("rating", "rain", "colour")
    assert kinds_of(flow)[0] == Column()
    assert kinds_of(flow)[1:] == (
        Column(0, atoms=(0,)),
        Column(categories=("green", "red")),
    )
    assert np.isfinite(flow.log_prob(FRAME)).all()
    array = FRAME[["size", "rating"]].to_numpy()
    flow, _ = fit("maf", array, columns={"x1": ("bounded", 0, 6)})
    assert kinds_of(flow) == (Column(), Column(0, 6))
    flow, _ = fit("maf", X, columns=["a", "b"])
    assert (flow.columns, flow.preprocessing) == (("a", "b"), None)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ("whole", ValueError, "`columns` must be 'auto', 'continuous'"),
        (["a", ("bounded", 0, 6)], ValueError, r"such as \{'x0': \('bounded', 0, 6\)"),
        (["integer", "positive"], ValueError, "by name, such as {'x0': 'integer'}"),
        ({"age": "integer"}, ValueError, "must be those of `x`, .*, got 'age'"),
        ({"rating": "whole"}, ValueError, "`columns` of 'rating': there is no kind"),
        ({"size": "integer"}, ValueError, "`x` must hold integers in column 'size'"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(columns, error, message):
    with pytest.raises(error, match=message):
        fit("maf", FRAME[["size", "rating"]], columns=columns)


def test_a_flow_that_is_built_has_its_kinds():
    with pytest.raises(TypeError, match="`options` must be given when the flow is"):
        fit(small.build("maf"), X, columns={"x0": "integer"})
    heaps = np.column_stack([X[:, 0], RNG.integers(3, size=120)])
    with pytest.warns(DataNotice, match=r"^column 2 holds integers .* has no bound"):
        fit(small.build("maf"), heaps)
    given = tfpf.flows.build("maf", 2, preprocessing=["continuous", "integer"], **TINY)
    flow, _ = fit(given, heaps)
    assert flow.is_discrete


def test_filled_cells_do_not_hide_what_a_column_is():
    gaps = FRAME[["size", "rain"]].astype(float).copy()
    gaps.iloc[::5, 0] = np.nan
    data = arrays.Data(gaps, missing="impute", seed=0)
    found = kinds.Kinds("auto").choose(data, detects=True)
    assert found == (Column(), Column(0, atoms=(0,)))


@pytest.mark.slow
def test_later_rows_may_be_rounded_more_finely_than_steps_that_were_found(tmp_path):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"alcohol": np.round(rng.normal(10.0, 1.0, 150), 1), "b": rng.normal(size=150)}
    )
    fine = pd.DataFrame({"alcohol": [9.5667] * 12, "b": np.linspace(-1.0, 1.0, 12)})
    near = fine.assign(alcohol=9.6)
    with pytest.warns(DataNotice, match="'alcohol' holds 9.5667 .12 such rows"):
        flow, _ = tfpf.fit("linear", frame, validation=(fine,), epochs=1, verbose=0)
    flow.save(tmp_path / "f.keras")
    for one in (flow, tfpf.load(tmp_path / "f.keras")):
        with pytest.warns(DataNotice, match="for the nearest step") as caught:
            found = one.log_prob(fine)
        assert len(caught) == 1
        np.testing.assert_allclose(found, one.log_prob(near), rtol=1e-6)
    told, _ = tfpf.fit(
        "linear",
        frame,
        columns={"alcohol": ("rounded", 0.1)},
        epochs=1,
        verbose=0,
    )
    assert (told.log_prob(fine).numpy() == -np.inf).all()
