"""Flows with the slot `preprocessing`: exact masses, supports, files, TFP manners."""

import copy
import json
import pickle
import zipfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import integrate, stats

from tests.flows import small
from tfp_flows import flows, training

KINDS = [["integer", "positive"], ("atom", 0.0)]


def _rows(count, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(2.0, count)
    share = 1.0 / (1.0 + counts)
    amounts = np.where(rng.uniform(size=count) < share, 0.0, rng.normal(size=count))
    return np.stack([counts, amounts], axis=1).astype(np.float32)


def _noisy(name, kinds, x, noise=0.1, **options):
    flow = small.build(name, len(kinds), preprocessing=kinds, seed=0, **options)
    flow.adapt(x)
    rng = np.random.default_rng(1)
    for variable in flow.trainable_variables:
        variable.assign_add(noise * rng.normal(size=variable.shape))
    return flow


@pytest.fixture(scope="module")
def flow():
    return _noisy("nsf-ar", KINDS, _rows(500))


@pytest.mark.slow
def test_masses_and_densities_sum_to_one_jointly(flow):
    counts = np.arange(60.0)
    steps = np.linspace(-12.0, 12.0, 1200)  # not at 0
    grid = np.stack(np.meshgrid(counts, steps, indexing="ij"), axis=-1)
    density = np.exp(flow.log_prob(grid.reshape(-1, 2)).numpy().astype(np.float64))
    total = integrate.trapezoid(density.reshape(grid.shape[:2]), steps, axis=1).sum()
    atoms = np.stack([counts, 0.0 * counts], axis=1)
    total += np.exp(flow.log_prob(atoms).numpy().astype(np.float64)).sum()
    assert total == pytest.approx(1.0, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", np.arange(-40.0, 40.0)),
        (["integer", ("bounded", 1, 5)], np.arange(1.0, 6.0)),
        (["integer", "positive", ("atom", 0)], np.arange(200.0)),
        (("category", [3, 1, 7]), np.array([1.0, 3.0, 7.0])),
    ],
)
def test_masses_of_one_column_sum_to_one(kind, values):
    x = np.random.default_rng(0).choice(values[values > 0.0][:3], 200)[:, np.newaxis]
    flow = _noisy("nsf-ar", [kind], x, num_bins=4)
    masses = np.exp(flow.log_prob(values[:, np.newaxis]).numpy().astype(np.float64))
    assert masses.sum() == pytest.approx(1.0, abs=2e-3)
    assert set(np.unique(flow.sample(100, seed=0))) <= set(values)


def test_an_exact_law_has_its_masses():
    # A normal variable rounded to integers: masses are differences of its CDF.
    flow = small.build("linear", 1, preprocessing=["integer"])
    flow.adapt([[-1.0], [1.0]])
    deviation = flow.spread([[-1.0], [1.0]]).numpy().std()
    values = np.arange(-5.0, 6.0)
    loc, scale = (
        np.asarray(v)[0]
        for v in (
            flow.bijector().forward([[0.0]])[0],
            flow.bijector().forward([[1.0]])[0],
        )
    )
    law = stats.norm(loc, scale - loc)
    exact = np.log(law.cdf(values + 0.5) - law.cdf(values - 0.5))
    np.testing.assert_allclose(
        flow.log_prob(values[:, np.newaxis]), exact, rtol=1e-3, atol=1e-3
    )
    assert deviation > 0.0
    density = flow.distribution()
    np.testing.assert_allclose(
        small.build("linear", (), preprocessing=["integer"])
        .distribution()
        .cdf([0.0, 0.7, -0.4]),
        stats.norm.cdf([0.5, 0.5, -0.5]),
        rtol=1e-5,
    )
    assert density.experimental_default_event_space_bijector() is None


def test_supports_only_leave_the_distribution_a_transformed_one():
    kinds = {"a": ("bounded", 0, 100), "b": "positive"}
    flow = small.build("nsf", 2, columns=kinds, seed=0)
    rng = np.random.default_rng(0)
    x = np.stack([rng.uniform(0, 100, 400), rng.exponential(size=400)], axis=1)
    flow.adapt(x)
    # Uniform and exponential columns are normal on the line: the new flow is right.
    assert np.mean(flow.log_prob(x)) == pytest.approx(-np.log(100) - 1, abs=0.1)
    assert isinstance(flow.distribution(), tfp.distributions.TransformedDistribution)
    draws = flow.sample(500, seed=0).numpy()
    assert (draws >= 0.0).all()
    assert (draws[:, 0] <= 100.0).all()
    outside = flow.log_prob([[-1.0, 1.0], [101.0, 1.0], [50.0, -1.0]])
    assert (outside.numpy() == -np.inf).all()
    assert np.isfinite(flow.log_prob([[0.0, 1.0], [100.0, 1.0], [50.0, 0.0]])).all()
    assert flow.columns == ("a", "b")


def test_values_off_the_grid_have_no_density(flow):
    lost = flow.log_prob([[0.5, 1.0], [-1.0, 1.0], [np.inf, 1.0]])
    assert (lost.numpy() == -np.inf).all()
    assert np.isnan(flow.log_prob([[np.nan, 1.0]]))
    with pytest.raises(
        ValueError, match=r"integers from 0 in column 1, got 0\.5 in row 1"
    ):
        flow.adapt([[0.5, 1.0], [1.0, 1.0]])


@pytest.mark.slow
def test_distribution_and_flow_agree(flow):
    x, density = _rows(20), flow.distribution()
    expected = flow.log_prob(x)
    np.testing.assert_allclose(density.log_prob(x), expected, rtol=1e-5)
    np.testing.assert_allclose(flow(x), expected, rtol=1e-5)
    for other in (pickle.loads(pickle.dumps(density)), copy.deepcopy(density)):
        np.testing.assert_allclose(other.log_prob(x), expected, rtol=1e-5)
    np.testing.assert_array_equal(
        density.sample(5, seed=(0, 1)), density.sample(5, seed=(0, 1))
    )
    mapped = tf.vectorized_map(density.log_prob, tf.constant(x))
    np.testing.assert_allclose(mapped, expected, rtol=1e-4)
    joint = tfp.distributions.JointDistributionSequential([density])
    assert joint.log_prob([x[0]]).shape == ()
    draws = flow.sample(50, seed=3, jit_compile=True).numpy()
    assert (draws[:, 0] == np.round(draws[:, 0])).all()
    assert (draws[:, 1] == 0.0).any()
    np.testing.assert_allclose(
        flow.log_prob(x, jit_compile=True), expected, rtol=1e-4, atol=1e-5
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(density.log_prob(x))
    gradients = tape.gradient(loss, density.trainable_variables)
    assert all(np.isfinite(g).all() for g in gradients)


def test_batches_of_conditions_slice():
    flow = small.build("nsf", 2, 1, preprocessing=KINDS, seed=0)
    x, condition = _rows(30), np.linspace(0.0, 1.0, 30)[:, np.newaxis]
    flow.adapt(x, condition)
    density = flow.distribution(condition[:4])
    assert density.batch_shape == [4]
    np.testing.assert_allclose(
        density[2].log_prob(x[:1]), flow.log_prob(x[:1], condition[2:3]), rtol=1e-5
    )
    assert density.sample(3, seed=0).shape == [3, 4, 2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsf-ar", "rbig"])
def test_fitted_flows_are_saved_with_what_columns_are(name, tmp_path):
    x = _rows(400)
    small_net = {"num_layers": 1, "hidden_units": (8,), "noise": 0.1}
    options = {} if name == "rbig" else small_net
    flow, history = training.fit(
        name, x, epochs=2, seed=0, verbose=0, preprocessing=KINDS, **options
    )
    assert np.isfinite(history.history["loss"]).all()
    flow.save(tmp_path / "flow.keras")
    loaded = flows.load(tmp_path / "flow.keras")
    assert loaded.preprocessing == flow.preprocessing
    np.testing.assert_array_equal(loaded.log_prob(x), flow.log_prob(x))
    np.testing.assert_array_equal(loaded.sample(9, seed=0), flow.sample(9, seed=0))


@pytest.mark.slow
def test_validation_noise_is_the_same_each_time_and_training_noise_is_not(flow):
    x = _rows(64)
    fresh = small.build("linear", 2, preprocessing=KINDS, seed=0)
    fresh.adapt(x)
    fresh.compile("sgd")
    first, second = (fresh.evaluate(x, verbose=0) for _ in range(2))
    assert first == second
    spread = [fresh.spread(x, seed).numpy() for seed in (0, 1)]
    assert (spread[0][:, 0] != spread[1][:, 0]).all()
    # Jensen: the bound lies below the exact value in the mean.
    bound = [fresh({"x": x, "spread": fresh.spread(x, i)}).numpy() for i in range(40)]
    assert (np.mean(bound, axis=0) <= fresh.log_prob(x).numpy() + 0.3).all()
    assert np.mean(bound) < np.mean(fresh.log_prob(x))


@pytest.mark.slow
def test_float64_and_mixed_precision():
    x = _rows(50)
    for dtype in ("float64", "mixed_float16"):
        flow = _noisy("nsf", KINDS, x, dtype=dtype)
        assert flow.log_prob(x).dtype == flow.variable_dtype
        assert np.isfinite(flow.log_prob(x)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preprocessing": ["integer"]}, "must have 2 columns"),
        ({"preprocessing": ["integer", "whole"]}, "no kind 'whole'"),
        ({"preprocessing": "integer"}, "must be a list"),
        (
            {"columns": {"a": "integer", "b": "integer"}, "preprocessing": KINDS},
            "must be names where there is a `preprocessing`",
        ),
        ({"columns": {"a": "category", "b": "integer"}}, "list the labels"),
    ],
)
def test_bad_slots_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        small.build("linear", 2, **options)


def test_matrices_have_no_columns():
    with pytest.raises(ValueError, match="it is for the columns of tables"):
        small.build("linear", (2, 2), preprocessing=["integer"] * 4)


def test_many_rows_are_evaluated_in_blocks(monkeypatch):
    x, condition = _rows(50), np.linspace(0.0, 1.0, 50)[:, np.newaxis]
    flow = small.build("linear", 2, 1, preprocessing=KINDS, seed=0)
    flow.adapt(x, condition)
    expected = flow.log_prob(x, condition)
    monkeypatch.setattr(type(flow), "_rows_at_once", lambda self: 16)
    np.testing.assert_allclose(flow.log_prob(x, condition), expected, rtol=1e-6)
    assert flow.log_prob(x, condition[0]).shape == (50,)


def test_rows_on_lines_have_the_density_of_the_new_flow():
    kinds = [("bounded", 0, 1), "positive"]
    flow = small.build("linear", 2, preprocessing=kinds)
    x = np.array([[0.2, 3.0], [0.9, 0.1]])
    lines, log_det = flow.on_lines(x, 0)
    expected = stats.norm.logpdf(lines).sum(axis=1) + log_det
    np.testing.assert_allclose(flow.log_prob(x), expected, rtol=1e-5)
    plain = small.build("linear", 2)
    assert plain.on_lines(x, 0)[0] is x


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"columns": [{"step": -1.0}, {}]}, "steps must be positive"),
        ({"columns": [{}, {"wide": 1}]}, "wide"),
        ({"columns": [{"step": 1.0}, {}], "points": 10**9}, "`points` must be"),
        ({"columns": [{"step": 1.0}]}, "must have 2 columns"),
    ],
)
def test_files_with_absurd_columns_are_refused(bad, message, tmp_path):
    path, damaged = tmp_path / "flow.keras", tmp_path / "damaged.keras"
    small.build("linear", 2, preprocessing=KINDS).save(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(damaged, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["preprocessing"] = bad
                content = json.dumps(config).encode()
            new.writestr(name, content)
    with pytest.raises(ValueError, match=message) as found:
        flows.load(damaged)
    assert "must be a .keras file with a flow" in str(found.value)
    assert "0x" not in str(found.value)


@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_compiled_samples_are_the_very_decimals_of_the_table(jit_compile):
    flow = small.build(
        "linear", 2, preprocessing=[("rounded", 0.1), ("rounded", 0.005)]
    )
    flow.adapt(np.round(np.random.default_rng(0).normal(7.0, 2.0, (200, 2)), 1))
    drawn = flow.sample(500, seed=0, jit_compile=jit_compile).numpy()
    first, second = drawn.T.astype(float)
    np.testing.assert_array_equal(drawn[:, 0], np.round(first, 1).astype(np.float32))
    np.testing.assert_array_equal(drawn[:, 1], np.round(second, 3).astype(np.float32))
