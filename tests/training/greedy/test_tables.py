"""RBIG as published, rotations and tables, as a flow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import tfp_flows as tfpf
from tfp_flows import bijectors as maps
from tfp_flows import flows, training

SMALL = {"marginals": "table", "num_bins": 24, "seed": 0, "verbose": 0}


@pytest.fixture(scope="module")
def wine():
    return tfpf.datasets.wine("red").x[:, :4]


@pytest.fixture(scope="module")
def fitted(wine):
    return tfpf.fit("rbig", wine, epochs=3, **SMALL)[0]


def tables(flow):
    found = [m for m in flow.inner_maps() if isinstance(m, maps.MarginalGaussianize)]
    assert len(found) == len(flow.layer_types)
    return found


@pytest.mark.slow
def test_tables_come_near_the_entropy_of_the_sine_wave():
    x, test = (tfpf.datasets.toy("sin_wave", 10_000, seed) for seed in (0, 1))
    flow, _ = tfpf.fit("rbig", x, marginals="table", seed=0, verbose=0, dtype="float64")
    assert set(flow.layer_types) == {"table"}
    assert -np.mean(flow.log_prob(test)) < 1.52  # the entropy is 1.4516
    z = flow.bijector().inverse(tf.constant(test, tf.float64))
    back = flow.bijector().forward(tf.identity(z))
    np.testing.assert_allclose(back, test, rtol=0, atol=1e-10)
    for axis in z.numpy().T:
        assert stats.kstest(axis, "norm").pvalue > 0.01


def test_layers_are_rotations_and_tables(fitted):
    found = [type(part) for part in fitted.inner_maps()]
    layers = len(fitted.layer_types)
    assert found == [maps.Rotation, maps.MarginalGaussianize] * layers
    assert fitted.layer_types == ("table",) * layers


def test_written_layers_give_what_the_fit_has_seen(wine):
    options = {"validation": None, "columns": "continuous", "dtype": "float64"}
    flow, history = tfpf.fit("rbig", wine, epochs=1, **options, **SMALL)
    loss = history.history["loss"][0]
    assert -np.mean(flow.log_prob(wine)) == pytest.approx(loss, abs=1e-6)


def test_saved_tables_load_bit_for_bit(fitted, wine, tmp_path):
    fitted.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    assert loaded.layer_types == fitted.layer_types
    np.testing.assert_array_equal(loaded.log_prob(wine), fitted.log_prob(wine))
    np.testing.assert_array_equal(loaded.sample(5, seed=1), fitted.sample(5, seed=1))
    again = flows.RBIG.from_config(fitted.get_config())
    assert [v.shape for v in again.variables] == [v.shape for v in fitted.variables]


@pytest.mark.slow
def test_masses_are_trained_on_and_rotations_stay():
    x = tfpf.datasets.toy("banana", 1000)
    fitted, _ = tfpf.fit("rbig", x, epochs=2, **SMALL)
    warm = fitted.trainable_flow()
    assert isinstance(warm, flows.Gaussianization)
    np.testing.assert_array_equal(warm.log_prob(x), fitted.log_prob(x))
    before = [table.log_masses.numpy() for table in tables(warm)]
    options = {"adapt": False, "epochs": 3, "seed": 0, "verbose": 0}
    tfpf.fit(warm, x, validation=(x,), learning_rate=1e-3, **options)
    for old, table in zip(before, tables(warm), strict=True):
        assert np.all(np.abs(table.log_masses - old).max(axis=1) > 0)
    assert len(warm.trainable_variables) == len(before)
    assert np.mean(warm.log_prob(x)) > np.mean(fitted.log_prob(x))


@pytest.mark.slow
def test_layers_are_added_and_read_from_a_stream(fitted, wine):
    more = flows.RBIG.from_config(fitted.get_config())
    for new, old in zip(more.variables, fitted.variables, strict=True):
        new.assign(old.value)
    training.fit_more(more, wine, validation=None, seed=0, verbose=0, max_layers=2)
    assert more.layer_types == (*fitted.layer_types, "table")
    batches = tf.data.Dataset.from_tensor_slices(wine.astype("float32")).batch(100)
    streamed, _ = tfpf.fit("rbig", batches, epochs=2, **SMALL)
    assert set(streamed.layer_types) == {"table"}
    assert np.mean(streamed.log_prob(wine)) > np.mean(fitted.log_prob(wine)) - 1.0


@pytest.mark.slow
@pytest.mark.parametrize("rotation", ["pca", "random", "ica", "sliced", "auto"])
def test_tables_take_every_rotation_and_seed(rotation):
    x = tfpf.datasets.toy("banana", 400)
    options = {**SMALL, "rotation": rotation, "epochs": 3}
    (flow, history), (same, _) = (tfpf.fit("rbig", x, **options) for _ in range(2))
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert set(flow.layer_types) == {"table"}
    np.testing.assert_array_equal(flow.log_prob(x), same.log_prob(x))


@pytest.mark.colab
def test_untrained_tables_are_nearly_the_identity():
    x = np.random.default_rng(0).normal(size=(100, 2)).astype("float32")
    table = maps.MarginalGaussianize.trainable(2)
    np.testing.assert_allclose(table.inverse(x), x, atol=5e-3)
    flow = flows.build("gaussianization", 2, marginals="table", num_layers=2, seed=0)
    assert flow.layer_types == ("table", "table")
    normal = -0.5 * np.sum(x**2, axis=1) - np.log(2 * np.pi)
    assert abs(np.mean(flow.log_prob(x) - normal)) < 0.05


def test_tails_of_tables_are_finite_far_outside(fitted, wine):
    far = np.concatenate([10 * wine, 1e6 * wine])
    assert np.all(np.isfinite(fitted.log_prob(far)))
    x = np.random.default_rng(0).standard_t(2.0, size=(500, 2))
    heavy, _ = tfpf.fit("rbig", x, epochs=2, **SMALL)
    assert np.all(np.isfinite(heavy.log_prob(x)))


def test_wrong_marginals_are_an_error():
    with pytest.raises(ValueError, match="`marginals` must be one of"):
        flows.build("rbig", 2, marginals="histogram")
    with pytest.raises(ValueError, match="`marginals` must be 'spline' with a condit"):
        flows.build("gaussianization", 2, 1, marginals="table")
    with pytest.raises(TypeError, match="marginals"):
        flows.build("gis", 2, marginals="table")
