"""One flow for the density of any columns, given any others."""

from __future__ import annotations

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import integrate, stats

import tfp_flows as tfpf
from tfp_flows import preprocessing, training

NAMES = ["a", "b", "c"]


def _perturbed(**options):
    given = {"hidden_units": (12, 12), "num_components": 3, "columns": NAMES}
    flow = tfpf.flows.build("any-order", 3, seed=0, **{**given, **options})
    rng = np.random.default_rng(0)
    for variable in flow.trainable_variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    return flow


@pytest.fixture(scope="module")
def flow():
    """Return a flow of three columns with random weights."""
    return _perturbed(base="student-t")


@pytest.fixture(scope="module")
def x():
    """Return rows."""
    return np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def mixed():
    """Return a flow of a number above 0, an integer and a category."""
    kinds = {
        "a": "positive",
        "b": preprocessing.Column(low=0, high=4, step=1),
        "c": ("category", ["red", "green"]),
    }
    flow = _perturbed(columns=kinds)
    rng = np.random.default_rng(2)
    rows = np.stack([rng.gamma(2.0, size=50), rng.integers(5, size=50)], axis=1)
    flow.adapt(np.column_stack([rows, rng.integers(2, size=50)]))
    return flow


def test_chain_rule_from_left_to_right(flow, x):
    joint = flow.log_prob(x)
    np.testing.assert_allclose(flow.distribution().log_prob(x), joint, atol=1e-4)
    first = flow.marginal("a").log_prob(x[:, :1])
    rest = flow.conditional({"a": x[:, 0]}).log_prob(x[:, 1:])
    np.testing.assert_allclose(first + rest, joint, atol=1e-4)


def test_new_dimensions_of_a_density_are_in_its_shape(flow, x):
    density = flow.distribution()
    wide = density[tf.newaxis]
    assert wide.batch_shape == [1]
    gap = np.where(np.arange(3) == 1, np.nan, x[0]).astype(np.float32)
    np.testing.assert_allclose(wide.log_prob(gap), [density.log_prob(gap)], rtol=1e-6)
    with pytest.raises(IndexError, match="no batch to slice"):
        density[0]


def test_missing_cells_are_left_out(flow, x):
    holes = x.copy()
    holes[:, 1] = np.nan
    wanted = flow.marginal(["a", "c"]).log_prob(x[:, [0, 2]])
    np.testing.assert_allclose(flow.log_prob(holes), wanted, atol=1e-5)
    assert flow.log_prob(np.full([1, 3], np.nan)).numpy() == 0.0
    density = pickle.loads(pickle.dumps(flow.distribution()))
    np.testing.assert_allclose(density.log_prob(holes), wanted, atol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(flow(tf.constant(holes)))
    for gradient in tape.gradient(loss, flow.trainable_variables):
        assert np.all(np.isfinite(tf.convert_to_tensor(gradient)))


@pytest.mark.parametrize("given", [{"a": 0.3}, {"c": -1.0, "a": 0.5}, {}])
def test_densities_of_one_column_integrate_to_one(flow, given):
    grid = np.linspace(-60.0, 60.0, 24001)[:, None].astype(np.float32)
    density = flow.marginal("b")
    if given:
        rest = [n for n in NAMES if n not in given]
        density = flow.conditional(given)
        if len(rest) > 1:
            return _two_dimensions(flow, given)
    values = np.exp(density.log_prob(grid))
    mass = integrate.trapezoid(values, grid[:, 0])
    assert mass == pytest.approx(1.0, abs=2e-3)
    half = integrate.trapezoid(values[:12001], grid[:12001, 0])
    assert float(density.cdf(grid[12000])) == pytest.approx(half, abs=2e-3)
    return None


def _two_dimensions(flow, given):
    axis = np.linspace(-25.0, 25.0, 251)
    rows = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    rows = rows.reshape(-1, 2).astype(np.float32)
    mass = (
        np.exp(flow.conditional(given).log_prob(rows)).sum() * (axis[1] - axis[0]) ** 2
    )
    assert mass == pytest.approx(1.0, abs=0.03)


def test_batch_of_conditions_is_that_of_single_ones(flow, x):
    both = flow.conditional({"b": x[:4, 1]})
    assert both.batch_shape == [4]
    assert both.sample(3, seed=0).shape == [3, 4, 2]
    found = both.log_prob(x[:4, [0, 2]])
    for i in range(4):
        one = flow.conditional({"b": x[i, 1]})
        np.testing.assert_allclose(one.log_prob(x[i, [0, 2]]), found[i], atol=1e-5)
        np.testing.assert_allclose(both[i].log_prob(x[i, [0, 2]]), found[i], atol=1e-5)
    assert both[1:3].batch_shape == [2]


@pytest.mark.slow
def test_draws_follow_the_density(flow):
    density = flow.conditional({"a": 0.3, "c": 1.0})
    draws = density.sample(2000, seed=3)
    levels = np.ravel(density.cdf(draws))
    assert stats.kstest(levels, "uniform").pvalue > 1e-3
    whole = flow.sample(2000, seed=4).numpy()
    levels = np.ravel(flow.marginal("a").cdf(whole[:, :1]))
    assert stats.kstest(levels, "uniform").pvalue > 1e-3


def test_draws_of_numbers_have_gradients(flow):
    with tf.GradientTape() as tape:
        draws = flow.conditional({"a": 0.3}).sample(5, seed=0)
        loss = tf.reduce_sum(draws)
    found = tape.gradient(loss, flow.conditioner.weights[0])
    assert np.abs(found).max() > 0.0


@pytest.mark.slow
def test_masses_of_discrete_columns_sum_to_one(mixed):
    values = np.arange(5.0)[:, None]
    for given in ({"a": 0.5, "c": "green"}, {"c": "red", "a": 3.0}):
        masses = np.exp(mixed.conditional(given).log_prob(values))
        assert masses.sum() == pytest.approx(1.0, abs=1e-3)
    pairs = np.array(list(itertools.product(range(5), range(2))), float)
    masses = np.exp(mixed.conditional({"a": 1.0}).log_prob(pairs))
    assert masses.sum() == pytest.approx(1.0, abs=2e-3)
    assert mixed.conditional({"a": 1.0}).log_prob([2.5, 0.0]) == -np.inf
    draws = mixed.sample(500, seed=0).numpy()
    assert set(draws[:, 1]) <= set(range(5))
    assert draws[:, 0].min() > 0.0
    share = np.mean(draws[:, 1] == 2)
    mass = float(np.exp(mixed.marginal("b").log_prob([2.0])))
    # `b` is drawn after `a`: the same distribution only if both orders agree.
    assert abs(share - mass) < 0.5


def test_joint_density_of_mixed_columns_is_the_chain(mixed):
    row = np.array([[0.7, 3.0, 1.0]])
    wanted = mixed.marginal("a").log_prob([0.7])
    wanted += mixed.conditional({"a": 0.7}).log_prob([3.0, 1.0])
    np.testing.assert_allclose(mixed.log_prob(row)[0], wanted, atol=1e-4)
    np.testing.assert_allclose(mixed.distribution().log_prob(row)[0], wanted, atol=1e-4)


def test_narrow_and_wide_cells_have_the_same_total():
    kinds = {"a": preprocessing.Column(low=0, high=1, step=0.01), "b": "integer"}
    flow = tfpf.flows.build(
        "any-order", 2, columns=kinds, hidden_units=(8,), base="normal", seed=0
    )
    rng = np.random.default_rng(0)
    for variable in flow.trainable_variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    flow.adapt(np.column_stack([rng.integers(100, size=40) / 100, rng.poisson(9, 40)]))
    steps = np.arange(101.0)[:, None] / 100
    # The log-density of a step counts its mass over the step.
    total = np.exp(flow.marginal("a").log_prob(steps)).sum() * 0.01
    assert total == pytest.approx(1.0, abs=1e-3)
    counts = np.arange(-200.0, 400.0)[:, None]
    total = np.exp(flow.marginal("b").log_prob(counts)).sum()
    assert total == pytest.approx(1.0, abs=1e-3)


def test_imputation_keeps_what_is_there(flow, x):
    holes = x.copy()
    holes[0, 1] = holes[3] = np.nan
    filled = flow.impute(holes, seed=1)
    assert np.isfinite(filled).all()
    there = ~np.isnan(holes)
    np.testing.assert_array_equal(filled[there], holes[there])
    several = flow.impute(holes, draws=4, seed=1)
    assert several.shape == (4, 6, 3)
    assert len(np.unique(several[:, 0, 1])) == 4
    np.testing.assert_array_equal(flow.impute(holes, draws=4, seed=1), several)
    np.testing.assert_array_equal(flow.impute(x), x)


@pytest.mark.slow
def test_imputed_cells_follow_the_conditional_density(flow):
    row = np.array([[0.3, np.nan, 1.0]], np.float32)
    drawn = flow.impute(row, draws=2000, seed=5)[:, 0, 1:2]
    levels = np.ravel(flow.conditional({"a": 0.3, "c": 1.0}).cdf(drawn))
    assert stats.kstest(levels, "uniform").pvalue > 1e-3


@pytest.mark.slow
def test_frames_keep_their_rows_and_labels(mixed):
    frame = pd.DataFrame(
        {"c": ["red", None, "green"], "a": [1.0, 2.0, np.nan], "b": [0, 1, 4]},
        index=[10, 20, 30],
    )
    filled = mixed.impute(frame, as_frame=True)
    assert list(filled.columns) == NAMES
    assert list(filled.index) == [10, 20, 30]
    assert filled.loc[10, "c"] == "red"
    assert filled.loc[20, "c"] in {"red", "green"}
    assert filled.loc[30, "a"] > 0.0
    several = mixed.impute(frame, draws=2, as_frame=True)
    assert several.index.tolist()[3] == (1, 10)


@pytest.mark.slow
def test_random_masks_estimate_the_mean_over_orders(flow, x):
    objective = training.RandomMasks()
    rows = np.tile(x, (400, 1))
    found = [float(objective(flow, rows, seed=i)) for i in range(8)]
    totals = []
    for order in itertools.permutations(range(3)):
        total = 0.0
        for k, place in enumerate(order):
            before = list(order[:k])
            density = (
                flow.marginal(place)
                if not before
                else flow.conditional({i: x[:, i] for i in before})
            )
            if before:
                # Of the columns that are left, the others are missing.
                left = [i for i in range(3) if i not in before]
                values = np.where(np.array(left) == place, x[:, left], np.nan)
                total = total + density.log_prob(values).numpy()
            else:
                total = total + density.log_prob(x[:, [place]]).numpy()
        totals.append(-total.mean())
    error = np.std(found) / np.sqrt(len(found)) + 1e-3
    assert abs(np.mean(found) - np.mean(totals)) < 5 * error


def test_missing_cells_are_no_targets(x):
    flow = _perturbed()
    holes = x.copy()
    holes[:, 2] = np.nan
    objective = training.RandomMasks()
    with tf.GradientTape() as tape:
        loss = objective(flow, holes, seed=0)
    head = dict(
        zip(
            (n for n, _ in flow.conditioner._shapes()),
            tape.gradient(loss, flow.conditioner.weights),
            strict=False,
        )
    )["head_bias"]
    by_column = np.abs(head.numpy().reshape(-1, 3)).max(axis=0)
    assert by_column[2] == 0.0
    assert by_column[:2].min() > 0.0


def test_orders_are_apart_unless_columns_are_independent(x):
    plain = tfpf.flows.build("any-order", 3, hidden_units=(4,), seed=0)
    np.testing.assert_allclose(plain.order_spread(x), 0.0, atol=1e-5)
    assert _perturbed().order_spread(x).min() > 1e-4


@pytest.mark.slow
def test_saved_flow_answers_alike(mixed, tmp_path):
    mixed.save(tmp_path / "any.keras")
    loaded = tfpf.load(tmp_path / "any.keras")
    row = np.array([[0.7, 3.0, 1.0], [np.nan, 2.0, 0.0]])
    np.testing.assert_array_equal(loaded.log_prob(row), mixed.log_prob(row))
    np.testing.assert_array_equal(loaded.impute(row, seed=3), mixed.impute(row, seed=3))


@pytest.mark.slow
def test_condition_of_a_flow_is_followed(x):
    flow = tfpf.flows.build(
        "any-order", 3, 1, hidden_units=(8,), num_components=2, seed=0
    )
    rng = np.random.default_rng(0)
    for variable in flow.trainable_variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    c = x[:, :1]
    joint = flow.log_prob(x, c)
    one = flow.marginal([0, 1, 2], c[2]).log_prob(x[2])
    np.testing.assert_allclose(one, joint[2], atol=1e-5)
    holes = np.where(np.arange(3) == 1, np.nan, x)
    first = flow.impute(holes, c, seed=0)
    assert np.abs(first - flow.impute(holes, c + 3.0, seed=0)).max() > 1e-3
    with pytest.raises(ValueError, match="`condition` is missing"):
        flow.impute(holes)


def test_value_outside_the_data_warns_with_its_percentile(flow):
    with pytest.warns(UserWarning, match=r"'b' is 1e\+06, the percentile 100"):
        flow.conditional({"b": 1e6})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.conditional({"b": 0.1})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.conditional({"d": 1.0}), "must be columns of the flow, got 'd'"),
        (lambda f: f.conditional({}), "`given` must be values by column"),
        (lambda f: f.conditional({"a": 1, "b": 1, "c": 1}), "must leave a column"),
        (lambda f: f.conditional({"a": np.nan}), "must be a finite number for 'a'"),
        (lambda f: f.conditional({"a": [1, 2], "b": [1, 2, 3]}), "Align them"),
        (lambda f: f.marginal(["a", "a"]), "must name each column once"),
        (lambda f: f.impute(np.zeros([2, 2])), "must be rows of 3 columns"),
        (lambda f: f.impute([[np.inf, 1.0, 1.0]]), "an infinite value in row 1"),
        (lambda f: f.impute(np.zeros([2, 3]), draws=0), "`draws` must be at least 1"),
        (lambda f: f.order_spread([[0.0] * 3], num_orders=1), "`num_orders`"),
    ],
)
def test_bad_questions_are_named(flow, call, message):
    with pytest.raises(ValueError, match=message):
        call(flow)


def test_value_that_no_row_has_is_refused(mixed):
    with pytest.raises(ValueError, match="`given` must hold"):
        mixed.conditional({"b": 7})
    with pytest.raises(ValueError, match="in row 2"):
        mixed.impute([[1.0, 2.0, np.nan], [1.0, 9.0, 0.0]])
    with pytest.raises(NotImplementedError, match="one by one"):
        mixed.conditional({"b": 2}).cdf([1.0, 0.0])


def test_flow_refuses_what_it_cannot_be():
    with pytest.raises(ValueError, match="`num_layers` of an `AnyOrderFlow` must be 1"):
        tfpf.flows.build("any-order", 2, num_layers=2)
    with pytest.raises(ValueError, match="`base` of an `AnyOrderFlow`"):
        tfpf.flows.build("any-order", 2, base="gaussian-mixture")
    with pytest.raises(ValueError, match="rows of a table"):
        tfpf.flows.build("any-order", (2, 2))
    with pytest.raises(ValueError, match="must take masks"):
        training.RandomMasks()(tfpf.flows.build("maf", 2), [[0.0, 1.0]], seed=0)
