"""The greedy fit: likelihood, normality, seeds, files, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import flows, training
from tfp_flows.training.greedy import estimates, initial_layers
from tfp_flows.training.greedy import rows as training_rows

RNG = np.random.default_rng(0)


def mixed(rows, seed=0):
    """Return a rotated pair of a uniform and a Laplace variable, and its entropy."""
    rng = np.random.default_rng(seed)
    parts = np.stack([rng.uniform(-1, 1, rows), rng.laplace(size=rows)], axis=1)
    rotation = np.array([[0.8, -0.6], [0.6, 0.8]])
    return (parts @ rotation.T).astype("float32"), np.log(2.0) + 1.0 + np.log(2.0)


def student(rows, seed=0, degrees=3.0, size=3):
    rng = np.random.default_rng(seed)
    scale = np.sqrt(rng.chisquare(degrees, size=(rows, 1)) / degrees)
    return (rng.normal(size=(rows, size)) / scale).astype("float32")


@pytest.fixture(scope="module")
def fitted():
    x, _ = mixed(3000)
    return tfpf.fit("rbig", x, seed=0, verbose=0, epochs=6)


def test_fit_comes_near_the_entropy_of_mixed_sources(fitted):
    flow, _ = fitted
    x, entropy = mixed(5000, 1)
    gap = -np.mean(flow.log_prob(x)) - entropy
    assert -0.05 < gap < 0.1


def test_fitted_data_are_normal_in_all_directions(fitted):
    flow, _ = fitted
    x, _ = mixed(2000, 2)
    z = flow.bijector().inverse(x).numpy()
    angles = np.linspace(0, np.pi, 20, endpoint=False)
    projected = np.sort(z @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    cdf = 0.5 * (1 + tf.math.erf(projected / np.sqrt(2)).numpy())
    levels = (np.arange(len(x)) + 0.5)[:, np.newaxis] / len(x)
    distance = np.abs(cdf - levels).max(axis=0)
    assert distance.max() * np.sqrt(len(x)) < 1.95  # Kolmogorov's p = .001


def test_history_has_losses_and_information_of_each_layer(fitted):
    flow, history = fitted
    found = history.history
    names = {"loss", "val_loss", "information", "val_information", "layer_type"}
    assert set(found) == names
    assert len({len(v) for v in found.values()}) == 1
    drops = -np.diff(found["val_loss"])
    np.testing.assert_allclose(drops, found["val_information"][1:], atol=1e-9)
    assert history.epoch == list(range(len(found["loss"])))
    assert flow.history is history


@pytest.mark.slow
def test_one_seed_gives_one_flow():
    x, _ = mixed(400)
    first, second, third = (
        tfpf.fit("rbig", x, seed=seed, verbose=0, epochs=3)[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.log_prob(x), second.log_prob(x))
    assert not np.array_equal(first.log_prob(x), third.log_prob(x))


def test_fitted_flow_loads_bit_for_bit(fitted, tmp_path):
    flow, _ = fitted
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    x, _ = mixed(50, 3)
    assert isinstance(loaded, flows.RBIG)
    np.testing.assert_array_equal(loaded.log_prob(x), flow.log_prob(x))
    np.testing.assert_array_equal(loaded.sample(5, seed=1), flow.sample(5, seed=1))


def test_fitted_flow_is_finite_and_inverts_far_outside_the_data(fitted):
    flow, _ = fitted
    x, _ = mixed(200, 4)
    for factor in (1.0, 10.0, 1e6):
        far = tf.constant(factor * x)
        assert np.all(np.isfinite(flow.log_prob(far)))
        z = tf.identity(flow.bijector().inverse(far))
        back = flow.bijector().forward(z).numpy()
        error = np.abs(back - far) / np.maximum(1.0, np.abs(far).max(1, keepdims=True))
        assert error.max() < 1e-4


@pytest.mark.slow
def test_warm_start_keeps_the_density_and_goes_on_training(fitted):
    flow, _ = fitted
    x, _ = mixed(512, 5)
    warm = flow.trainable_flow()
    assert isinstance(warm, flows.Gaussianization)
    np.testing.assert_array_equal(warm.log_prob(x), flow.log_prob(x))
    options = {"adapt": False, "epochs": 2, "learning_rate": 1e-4, "seed": 0}
    held, _ = mixed(512, 6)
    tfpf.fit(warm, x, validation=(held,), verbose=0, **options)
    assert np.mean(warm.log_prob(held) - flow.log_prob(held)) >= -1e-5
    # Without rows held out the last weights stay.
    tfpf.fit(warm, x, validation=None, verbose=0, **options)
    assert not np.array_equal(warm.log_prob(x), flow.log_prob(x))
    assert np.mean(warm.log_prob(x) - flow.log_prob(x)) > -0.02


@pytest.mark.slow
def test_radial_layer_wins_the_race_on_elliptical_data():
    x = student(3000, size=8)
    flow, history = tfpf.fit("rbig", x, seed=0, verbose=0, epochs=2)
    assert history.history["layer_type"][0] == "radius"
    linear, _ = tfpf.fit("linear", x, seed=0, verbose=0, epochs=5)
    x = student(5000, 1, size=8)
    from_normal = -np.mean(flow.log_prob(x))
    assert from_normal < -np.mean(linear.log_prob(x)) - 0.1


@pytest.mark.parametrize("rotation", ["random", "pca"])
def test_any_rotation_may_begin_with_the_radius(rotation):
    x, new = (tfpf.datasets.toy("concentric_circles", 1000, seed) for seed in (0, 1))
    options = {"rotation": rotation, "epochs": 1, "seed": 0, "verbose": 0}
    flow, history = tfpf.fit("rbig", x, **options)
    assert history.history["layer_type"] == ["radius"]
    # Published for random rotations: 3.695, with 3.256 as the entropy.
    assert -np.mean(flow.log_prob(new)) < 3.6


def test_radius_of_separate_rings_is_a_mixture():
    x, new = (tfpf.datasets.toy("rings", rows, rows) for rows in (1000, 5000))
    rows = training_rows.Rows([0.5 * x, 0.5 * new], 2.0 * np.log(0.5), 64)
    rows.apply_layer(estimates.Step("radius"))
    # Quantiles alone are .073 off: bins between rings take what lies at their edges.
    assert rows.losses()[1] - tfpf.datasets.toy_entropy("rings") < 0.04


def clusters(rows, seed):
    """Return three clusters in four dimensions, and their mean log-density."""
    rng = np.random.default_rng(seed)
    means = 4 * np.eye(3, 4)
    x = means[rng.integers(3, size=rows)] + rng.normal(size=(rows, 4))
    square = np.sum((x[:, None] - means) ** 2, axis=-1)
    log_prob = np.logaddexp.reduce(-0.5 * square, axis=1) - 2 * np.log(2 * np.pi)
    return x.astype("float32"), np.mean(log_prob) - np.log(3)


def test_initial_mixture_finds_clusters():
    flow, history = tfpf.fit("rbig", clusters(2000, 0)[0], seed=0, verbose=0, epochs=2)
    assert history.history["layer_type"][0] == "mixture"
    assert flow.layer_types[0] == "mixture"
    x, truth = clusters(5000, 1)
    assert truth - np.mean(flow.log_prob(x)) < 0.05


def test_conditional_affine_layers_find_a_scale_that_depends_on_a_coordinate():
    def funnel(rows, seed):
        rng = np.random.default_rng(seed)
        v = rng.normal(size=(rows, 1))
        rest = np.exp(v) * rng.normal(size=(rows, 3))
        x = np.concatenate([v, rest], axis=1)
        entropy = 2 * np.log(2 * np.pi * np.e)
        return x.astype("float32"), entropy

    flow, _ = tfpf.fit("rbig", funnel(3000, 0)[0], seed=0, verbose=0, epochs=4)
    assert "conditional-affine" in flow.layer_types
    x, entropy = funnel(5000, 1)
    assert -np.mean(flow.log_prob(x)) - entropy < 0.15


@pytest.mark.parametrize("name", ["two_moons", "25gaussians", "sin_wave"])
def test_winner_of_the_race_is_what_its_steps_make_of_fresh_rows(name):
    # Stages that several candidates share are made once, and must not be changed.
    x = tfpf.datasets.toy(name, 1500, seed=0)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    fresh = training_rows.Rows([x[:1200], x[1200:]], 0.0, 32, seed=0)
    options = {"rotation": "auto", "marginals": "spline"}
    rng = np.random.default_rng(0)
    best, _ = initial_layers.race(fresh.copy(), options, rng)
    for step in best.steps:
        fresh.apply_layer(step)
    np.testing.assert_allclose(best.losses(), fresh.losses(), rtol=1e-6)


def test_normal_rows_cost_no_more_than_their_covariance():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    x, test = (rng.normal(size=(n, 4)) @ root.T for n in (2000, 20_000))
    flow, _ = tfpf.fit("rbig", x, seed=0, verbose=0, epochs=6)
    scale = np.linalg.cholesky(np.cov(x.T, bias=True))
    fitted = tfd.MultivariateNormalTriL(x.mean(axis=0), scale)
    loss = np.mean(fitted.log_prob(test)) - np.mean(flow.log_prob(test))
    assert abs(loss) < 1e-3


@pytest.mark.parametrize("rotation", ["pca", "random", "ica", "sliced"])
def test_every_rotation_lowers_the_loss(rotation):
    x = tfpf.datasets.toy("banana", 600)
    options = {"rotation": rotation, "num_bins": 24, "epochs": 4}
    _, history = tfpf.fit("rbig", x, seed=0, verbose=0, **options)
    losses = history.history["loss"]
    assert losses[-1] < losses[0]
    assert history.history["layer_type"][1] == rotation


def test_more_layers_are_added_to_those_there_are():
    x = tfpf.datasets.toy("banana", 800)
    flow, _ = tfpf.fit("rbig", x, rotation="pca", seed=0, verbose=0, epochs=1)
    before = float(np.mean(flow.log_prob(x)))
    layers = flow.num_maps
    flow, _ = training.fit_more(flow, x, seed=0, verbose=0, max_layers=6)
    assert flow.num_maps > layers
    assert float(np.mean(flow.log_prob(x))) > before


def test_one_column_is_fitted_and_constant_ones_are_refused():
    x = np.stack([RNG.exponential(size=500), np.ones(500)], axis=1)
    flow, _ = tfpf.fit("rbig", x[:, :1], seed=0, verbose=0)
    assert np.all(np.isfinite(flow.log_prob(x[:, :1])))
    with pytest.raises(ValueError, match=r"^column 2 is constant, 1 in every row"):
        tfpf.fit("rbig", x, seed=0, verbose=0, epochs=2)


@pytest.mark.parametrize("num_bins", [4, 8])
def test_few_bins_are_enough(num_bins):
    x, _ = mixed(300)
    flow, _ = tfpf.fit("rbig", x, seed=0, verbose=0, epochs=3, num_bins=num_bins)
    z = tf.identity(flow.bijector().inverse(x))
    np.testing.assert_allclose(flow.bijector().forward(z), x, atol=1e-4)


@pytest.mark.slow
def test_ties_and_integers_give_finite_densities():
    x = RNG.integers(0, 4, size=(500, 2)).astype("float32")
    flow, _ = tfpf.fit("rbig", x, seed=0, verbose=0, epochs=3)
    assert np.all(np.isfinite(flow.log_prob(x)))
    assert np.all(np.isfinite(flow.sample(100, seed=0)))


def test_what_a_greedy_fit_cannot_do_is_an_error():
    x, _ = mixed(100)
    with pytest.raises(ValueError, match="`condition_shape` must be None"):
        tfpf.fit("rbig", x, x[:, :1], verbose=0)
    with pytest.raises(ValueError, match="`weights` and `noise` must be left out"):
        tfpf.fit("rbig", x, weights=np.ones(100), verbose=0)
    with pytest.raises(ValueError, match="`rotation` must be one of"):
        flows.build("rbig", 2, rotation="none")
    with pytest.raises(ValueError, match="`step` must be in"):
        flows.build("rbig", 2, step=0.0)


@pytest.mark.slow
def test_gis_is_the_sliced_form(tmp_path):
    x = tfpf.datasets.toy("banana", 400)
    options = {"epochs": 2, "num_bins": 12, "seed": 0, "verbose": 0}
    flow, _ = tfpf.fit("gis", x, **options)
    same, _ = tfpf.fit("rbig", x, rotation="sliced", **options)
    np.testing.assert_array_equal(flow.log_prob(x), same.log_prob(x))
    flow.save(tmp_path / "gis.keras")
    loaded = tfpf.load(tmp_path / "gis.keras")
    assert type(loaded) is tfpf.flows.GIS
    np.testing.assert_array_equal(loaded.log_prob(x), flow.log_prob(x))
    with pytest.raises(TypeError, match="rotation"):
        tfpf.fit("gis", x, rotation="pca", **options)


@pytest.mark.slow
def test_modes_on_a_grid_are_all_found():
    x, test = (tfpf.datasets.toy("25gaussians", 4000, seed) for seed in (0, 1))
    flow, _ = tfpf.fit("rbig", x, seed=0, verbose=0)
    gap = -float(np.mean(flow.log_prob(test))) - tfpf.datasets.toy_entropy(
        "25gaussians"
    )
    assert gap < 0.06  # by quantiles alone 0.4
    modes = np.rint(flow.sample(5000, seed=0).numpy() / np.abs(x).max() * 2.0)
    _, counts = np.unique(modes, axis=0, return_counts=True)
    assert len(counts) == 25
    assert counts.min() > 0.6 * 200
    assert counts.max() < 1.4 * 200


@pytest.mark.parametrize("name", ["rbig", "gis"])
def test_steps_of_rounded_values_are_no_structure(name):
    x = tfpf.datasets.wine("red").x[:700]
    flow, _ = tfpf.fit(name, x[:500], epochs=3, seed=0, verbose=0)
    assert all(column.step for column in flow.cells.spec.columns)
    # Of a flow that takes the values for numbers this is 4: at multiples of the steps
    # there are peaks, and next to them nothing.
    assert np.mean(flow.log_prob(x[500:])) < 0.0
