"""Clouds of points: order, likelihoods by hand, samples, files, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import datasets, diagnostics, models

SMALL = {"hidden_units": (16, 16), "flow_options": {"num_layers": 2}, "seed": 0}


def adapted(clouds, **given):
    model = models.PointFlow(clouds.shape[-1], 3, **{**SMALL, **given})
    model.adapt(clouds)
    return model


def test_bounds_do_not_see_the_order_of_points():
    x = datasets.point_clouds("rings", 4, points=20)
    model = adapted(x)
    first = model.elbo(x, seed=0)
    np.testing.assert_allclose(first, model.elbo(x[:, ::-1], seed=0), rtol=1e-4)
    # Densities are in the units of the data: twice as far, a density a quarter as high.
    wide = adapted(2.0 * x)
    likelihood, ratio = model._weights(x, 1, 0)
    wider, same = wide._weights(2.0 * x, 1, 0)
    np.testing.assert_allclose(ratio, same, atol=1e-4)
    np.testing.assert_allclose(wider, likelihood - 40 * np.log(2.0), rtol=1e-4)


def test_likelihood_of_a_cloud_is_that_of_its_points():
    x = datasets.point_clouds("rings", 2, points=10)
    model = adapted(x)
    z = np.array([[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]], "float32")
    found = model._log_likelihood(tf.constant(x), tf.constant(z), training=False)
    loc, scale = model.loc.numpy(), model.scale.numpy()
    for i in range(2):
        points = (x[i] - loc) / scale
        by_point = model.point_flow.log_prob(points, np.tile(z[i], (10, 1)))
        wanted = np.sum(by_point) - 20 * np.log(scale)
        np.testing.assert_allclose(found[i], wanted, rtol=1e-4)


@pytest.mark.slow(rare=True)
def test_samples_have_the_sizes_of_the_data(tmp_path):
    x = datasets.point_clouds("rings", 300, points=64)
    model = adapted(x, hidden_units=(32, 32), flow_options={"num_layers": 3})
    model.compile(keras.optimizers.Adam(0.005))
    before = model.elbo(x[:50], seed=0).mean()
    model.fit(x, epochs=25, batch_size=50, verbose=0)
    # An untrained flow is normal: rings are tens of nats denser.
    assert model.elbo(x[:50], seed=0).mean() > before + 20.0
    new = datasets.point_clouds("rings", 30, points=64, seed=1)
    drawn = model.sample(30, points=64, seed=0)
    noise = np.random.default_rng(0).normal(size=new.shape) * x.std()
    close, far = (diagnostics.cloud_scores(c, new) for c in (drawn, noise))
    assert close.minimum_matching < 0.5 * far.minimum_matching
    path = tmp_path / "clouds.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    # Sums over points follow the order of what was compiled.
    first, second = (m.elbo(x[:5], seed=1) for m in (loaded, model))
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-3)
    # As many points as wanted, of the same shapes.
    assert loaded.reconstruct(x[:2], points=500, seed=0).shape == (2, 500, 2)


@pytest.mark.slow
def test_continuous_flows_move_points():
    x = datasets.point_clouds("spheres", 8, points=12)
    options = {"num_steps": 2, "hidden_units": (8,)}
    model = adapted(x, flow="cnf", flow_options=options)
    model.compile("adam")
    loss = model.fit(x, epochs=1, verbose=0).history["loss"]
    assert np.all(np.isfinite(loss))
    assert model.sample(2, points=5, seed=0).shape == (2, 5, 3)


def test_points_are_drawn_from_the_base_of_their_flow():
    x = datasets.point_clouds("rings", 8, points=12)
    options = {"num_layers": 2, "base": "student-t"}
    model = adapted(x, flow="maf", flow_options=options)
    z = np.zeros([1, 3], "float32")
    found = model.decode(z, points=4_000, seed=0).numpy()[0]
    direct = model.point_flow.sample(4_000, z[0], seed=0).numpy()
    direct = model.loc.numpy() + model.scale.numpy() * direct
    levels = [0.002, 0.05, 0.5, 0.95, 0.998]
    wanted = np.quantile(direct, levels, axis=0)
    np.testing.assert_allclose(np.quantile(found, levels, axis=0), wanted, rtol=0.3)


@pytest.mark.slow
def test_clouds_in_float64_keep_their_digits():
    x = datasets.point_clouds("rings", 2, points=5).astype("float64") + 1e6
    model = adapted(x, dtype="float64")
    assert model(x).dtype == tf.float64
    low = adapted(x - 1e6, dtype="float64")
    np.testing.assert_allclose(
        model.elbo(x, seed=0), low.elbo(x - 1e6, seed=0), atol=1e-3
    )


@pytest.mark.slow
def test_bad_clouds_are_named():
    x = datasets.point_clouds("rings", 4, points=10)
    model = adapted(x)
    with pytest.raises(ValueError, match="`fit` needs a compiled model"):
        model.fit(x, verbose=0)
    model.compile("adam")
    with pytest.raises(ValueError, match="at least one event"):
        model.fit(x[:0], verbose=0)
    with pytest.raises(ValueError, match="equally many points, got 9 to 10"):
        model.fit([x[0], x[1][:9]], verbose=0)
    with pytest.raises(ValueError, match="equally many points, got 9 to 10"):
        model.elbo([x[0], x[1][:9]])
    with pytest.raises(ValueError, match="points in each cloud, got 0"):
        model.elbo(np.zeros([3, 0, 2]))
    with pytest.raises(ValueError, match=r"shape \(N, points, 2\), got \(4, 10, 3\)"):
        model.fit(np.zeros([4, 10, 3]), verbose=0)
    broken = x.copy()
    broken[2, 3, 0] = np.nan
    with pytest.raises(ValueError, match="infinity in cloud 2"):
        model.log_prob_bound(broken)
    with pytest.raises(ValueError, match="points that differ"):
        model.adapt(np.ones([3, 4, 2]))
    with pytest.raises(ValueError, match="`points` must be at least 1"):
        model.sample(3, points=0)
    with pytest.raises(ValueError, match="`flow` must be one of"):
        models.PointFlow(2, flow="af")
