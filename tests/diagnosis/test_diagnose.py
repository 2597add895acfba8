"""`diagnose`: silent where all is well, names faults, refuses what does not fit."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows.diagnosis import statistics
from tfp_flows.flows import Flow

COLUMNS = ("a", "b", "c")


def _gaussian(rows, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, 3)) * [1.0, 2.0, 0.5]


def _flow(x, **options):
    """Return a flow that is right for independent normal columns, without training."""
    flow = tfpf.flows.build("linear", x.shape[1], seed=0, **options)
    flow.adapt(x)
    return flow


def _named(found):
    return {finding.name: finding for finding in found.findings}


@pytest.fixture(scope="module")
def train():
    return _gaussian(600, seed=1)


@pytest.fixture(scope="module")
def flow(train):
    return _flow(train, columns=COLUMNS)


@pytest.mark.colab
def test_nothing_is_found_in_rows_of_the_flow(flow, train):
    found = tfpf.diagnose(flow, _gaussian(600, seed=2), train=train)
    assert found.findings == ()
    assert "Nothing was found" in str(found)
    names = [measure.name for measure in found.measures]
    assert len(set(names)) == len(names)
    for name in names:
        assert name in str(found)
    facts = json.loads(json.dumps(found.to_dict()))
    assert facts["findings"] == []
    assert facts["columns"] == list(COLUMNS)
    assert all(measure.judgement.endswith(".") for measure in found.measures)


def _outlier(x):
    x[5, 1] = 40.0


def _copy(x):
    x[:, 2] = 3.0 * x[:, 0] + 1.0


def _ties(x):
    x[::10, 1] = 0.25


def _codes(x):
    x[::40, 1] = -999.0


def _offset(x):
    x[:, 1] += 1e8


@pytest.mark.parametrize(
    ("plant", "name", "column"),
    [
        (_outlier, "outliers", "b"),
        (_copy, "copies", "c"),
        (_ties, "ties", "b"),
        (_codes, "codes", "b"),
        (_offset, "precision", "b"),
    ],
)
def test_a_fault_of_the_table_is_named_with_its_column(plant, name, column):
    x = _gaussian(400)
    plant(x)
    finding = _named(tfpf.diagnose(_flow(x, columns=COLUMNS), x))[name]
    assert finding.columns == (column,)
    assert column in finding.judgement
    assert finding.advice.endswith(".")
    if name == "outliers":
        assert finding.rows == (5,)


def test_no_cell_is_left_out_of_many_rows(flow):
    x = _gaussian(20_001)
    x[15, 1] = 90.0
    given = _named(tfpf.diagnose(flow, x, samples=200))["outliers"]
    assert given.rows == (15,)


def test_a_bound_that_the_flow_does_not_know_is_named(train):
    x = np.abs(train - [0.0, 9.0, 0.0]) - [0.0, 9.0, 0.0]  # only `a` and `c` fold
    report = tfpf.diagnose(_flow(x, columns=COLUMNS), x)
    assert _named(report)["bounds"].columns == ("a", "c")
    assert "Columns: 'a', 'c'." in " ".join(str(report).split())


def test_one_outlier_hides_no_other(flow):
    x = _gaussian(400)
    x[5, 1], x[9, 0] = 40.0, -30.0
    judgement = _named(tfpf.diagnose(flow, x))["outliers"].judgement
    assert "olumn 'a' has -30 in row 10; column 'b' has 40 in row 6" in judgement


def test_shift_names_the_column_that_moved(flow, train):
    x = _gaussian(400, seed=3) + np.eye(3)[1]
    found = _named(tfpf.diagnose(flow, x, train=train))
    assert found["shift"].columns == ("b",)
    assert found["calibration"].columns == ("b",)
    assert "larger values" in found["calibration"].judgement


def test_over_fitting_is_what_a_gaussian_does_not_lose(train):
    kernels = tfd.MixtureSameFamily(
        tfd.Categorical(logits=np.zeros(100, np.float32)),
        tfd.MultivariateNormalDiag(train[:100].astype("float32"), [0.1, 0.2, 0.05]),
    )
    flow = Flow.from_maps([tfpf.bijectors.Permutation([0, 1, 2])], base=kernels)
    found = _named(tfpf.diagnose(flow, _gaussian(300, seed=4), train=train[:100]))
    assert found["over-fitting"].number > 1.0


def test_what_a_good_density_loses_is_no_over_fitting():
    """Eight far clusters: kernels lose a nat on other rows, and gain ten."""
    rng = np.random.default_rng(0)
    x = rng.choice([-50.0, 50.0], (600, 3)) + rng.normal(size=(600, 3))
    kernels = tfd.MixtureSameFamily(
        tfd.Categorical(logits=np.zeros(200, np.float32)),
        tfd.MultivariateNormalDiag(x[:200].astype("float32"), [0.6, 0.6, 0.6]),
    )
    flow = Flow.from_maps([tfpf.bijectors.Permutation([0, 1, 2])], base=kernels)
    report = tfpf.diagnose(flow, x[200:], train=x[:200])
    found = {m.name: m for m in report.measures}["over-fitting"]
    assert found.level == "fine"
    assert found.number > 0.5
    assert "% of what it gains over a Gaussian" in found.judgement


def test_a_scale_that_ran_away_is_named(train):
    flow = _flow(train, columns=COLUMNS)
    weights = flow.get_weights()
    names = [v.path for v in flow.weights]
    place = next(
        i for i, name in enumerate(names) if name.endswith("standardize_scale")
    )
    weights[place] = weights[place] * np.array([1.0, 1e-9, 1.0])
    flow.set_weights(weights)
    finding = _named(tfpf.diagnose(flow, train))["scales"]
    assert finding.columns == ("b",)


def test_nothing_finite_is_a_finding_and_no_crash():
    x = _gaussian(300)
    flow = _flow(x)
    for variable in flow.weights:
        variable.assign(np.full(variable.shape, np.nan))
    found = _named(tfpf.diagnose(flow, x, train=x))
    assert found["finite"].number == 0.0
    assert len(found["finite"].rows) == 100
    assert "Pictures" in _page(tfpf.diagnose(flow, x))


def _page(found):
    from tfp_flows.diagnosis import page

    return page.html_of(found)


def test_conditions_categories_scalars_and_ensembles_are_diagnosed():
    x = _gaussian(200)
    flow = tfpf.flows.build("linear", 2, condition_shape=1, seed=0)
    flow.adapt(x[:, :2], x[:, 2:])
    train = x[:100, :2], x[:100, 2:]
    found = tfpf.diagnose(flow, x[100:, :2], x[100:, 2:], train=train)
    assert {m.name for m in found.measures if m.level == "unknown"} == {"mass"}
    assert found.pictures.pit.shape == (100, 2)
    counts = np.column_stack([x[:, 0], np.round(x[:, 1])])
    kinds = {"a": "continuous", "n": "integer"}
    flow = tfpf.flows.build("linear", 2, columns=kinds, seed=0)
    flow.adapt(counts)
    found = tfpf.diagnose(flow, counts)
    assert not {"ties", "bounds", "finite", "calibration"} & set(_named(found))
    scalar = tfpf.flows.build("linear", (), seed=0)
    scalar.adapt(x[:, 0])
    found = tfpf.diagnose(scalar, x[:, 0])
    assert found.findings == ()
    assert next(m for m in found.measures if m.name == "mass").number > 0.99


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.zeros([5, 2]),
            r"`flow` and `x` must fit .* columns 'a', 'b', 'c', `x` has",
        ),
        (np.zeros([0, 3]), r"`x` must hold rows, got none: the flow is .* 'c'\. Pass"),
        (
            pd.DataFrame({"a": [1.0], "b": [2.0]}),
            r"\['a', 'b', 'c'\], got .* 'c' is mi",
        ),
        (np.full([3, 3], np.nan), r"`x` must be finite"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_both_names(flow, x, message):
    with pytest.raises(ValueError, match=message):
        tfpf.diagnose(flow, x)
    with pytest.raises(ValueError, match=message.replace("`x`", "`train`")):
        tfpf.diagnose(flow, _gaussian(30), train=x)


@pytest.mark.parametrize("counts", [(1, 30), (30, 1), (1, 1), (2, 3)])
def test_few_rows_are_looked_at_as_far_as_they_go(flow, counts):
    rows, train = map(_gaussian, counts)
    found = tfpf.diagnose(flow, rows, train=train)
    assert "over-fitting" in {m.name for m in found.measures}


def test_conditions_must_be_those_of_the_flow(flow):
    with pytest.raises(ValueError, match=r"condition_shape=None, the condition \(1,\)"):
        tfpf.diagnose(flow, _gaussian(30), np.zeros([30, 1]))
    glow = tfpf.flows.build("glow", (4, 4, 1), num_levels=1, num_steps=1, seed=0)
    with pytest.raises(ValueError, match="must be a density of table rows"):
        tfpf.diagnose(glow, np.zeros([2, 4, 4, 1]))


def test_statistics_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=150), rng.normal(0.2, size=90)
    true = stats.ks_2samp(a, b, method="asymp")
    assert statistics.distance(a, b) == pytest.approx(true.statistic)
    count = statistics.effective(150, 90)
    assert statistics.kolmogorov(true.statistic, count) == pytest.approx(
        true.pvalue, rel=0.25
    )
    share, p = statistics.rank_sum(a, b)
    true = stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=False)
    assert share == pytest.approx(true.statistic / (150 * 90))
    assert p == pytest.approx(true.pvalue)
    tail = stats.betabinom(50, 1, 20).sf(6)
    assert statistics.beyond(50, 7, 20) == pytest.approx(tail)
    scores = rng.normal(size=(5, 4))
    true = stats.chi2(4).sf((scores**2).sum(axis=1))
    np.testing.assert_allclose(statistics.radius_tail(scores), true)
