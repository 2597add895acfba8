"""Densities of unit vectors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special
from tensorflow_probability import distributions as tfd

from tests.flows import small
from tfp_flows import diagnosis, flows, training
from tfp_flows.math import spheres

OPTIONS = {"num_layers": 2, "hidden_units": (8,), "num_bins": 4}


def sphere(size=3, condition_shape=None, scale=0.3, **options):
    options = {"seed": 0, "dtype": "float64", **OPTIONS, **options}
    flow = flows.build("sphere", size, condition_shape, **options)
    return small.perturbed(flow, scale)


def unit(rows, size=3, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, size))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def clouds(rows, seed=0):
    """Return unit vectors around two of them, a mixture of von Mises-Fisher."""
    components = tfd.VonMisesFisher([[0.0, 0.6, 0.8], [1.0, 0.0, 0.0]], [20.0, 20.0])
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros(2)), components)
    return mixture, mixture.sample(rows, seed=[0, seed]).numpy()


def test_density_integrates_to_one_over_the_sphere():
    flow = sphere()
    t, weights = special.roots_legendre(300)
    angle = (np.arange(600) + 0.5) * (2.0 * np.pi / 600)
    radius = np.sqrt(1.0 - t[:, None] ** 2) + 0.0 * angle
    height = t[:, None] + 0.0 * angle
    parts = [radius * np.cos(angle), radius * np.sin(angle), height]
    p = np.exp(flow.log_prob(np.stack(parts, axis=-1)))
    np.testing.assert_allclose(weights @ p.mean(axis=1) * 2.0 * np.pi, 1.0, atol=5e-3)
    assert p.max() > 3.0 * p.min()
    rows = flow.sample(4000, seed=1).numpy()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-12)
    # Areas of uniform points in which the density is, by the samples there.
    ratio = np.exp(-flow.log_prob(rows) - spheres.log_area(3))
    np.testing.assert_allclose(ratio.mean(), 1.0, atol=5 * ratio.std() / 63.0)


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_circles_and_spheres_of_more_dimensions(size):
    flow = sphere(size, scale=0.2)
    ratio = np.exp(flow.log_prob(unit(20_000, size)) + spheres.log_area(size))
    np.testing.assert_allclose(ratio.mean(), 1.0, atol=5 * ratio.std() / 141.0)
    x = tf.identity(flow.sample(20, seed=1))
    back = flow.bijector().forward(tf.identity(flow.bijector().inverse(x)))
    np.testing.assert_allclose(back, x, atol=1e-9)
    if size == 2:  # no seam where the angle begins
        angle = np.linspace(-np.pi, np.pi, 2001)
        p = np.exp(flow.log_prob(np.stack([np.cos(angle), np.sin(angle)], axis=1)))
        np.testing.assert_allclose(integrate.trapezoid(p, angle), 1.0, atol=1e-3)
        np.testing.assert_allclose(p[0], p[-1], rtol=1e-6)


def test_partial_densities_are_by_area_as_well():
    flow = sphere(condition_shape=1)
    condition = np.array([0.5])
    for k in range(flow.num_maps + 1):
        p = np.exp(flow.partial(k, condition).log_prob(unit(20_000)))
        np.testing.assert_allclose(p.mean() * 4.0 * np.pi, 1.0, atol=0.06)


@pytest.mark.slow
def test_fit_finds_clouds_on_the_sphere():
    mixture, x = clouds(600)
    options = {"num_layers": 3, "hidden_units": (32,), "epochs": 25, "verbose": 0}
    options |= {"seed": 0, "jit_compile": False, "batch_size": 100}
    flow, _ = training.fit("sphere", x, **options)
    _, new = clouds(1000, seed=1)
    gap = np.mean(mixture.log_prob(new) - flow.log_prob(new))
    uniform = np.mean(mixture.log_prob(new)) + spheres.log_area(3)
    assert uniform > 1.3
    assert gap < 0.45


def test_no_gaussian_is_set_beside_a_density_by_area():
    options = {"num_layers": 1, "hidden_units": (8,), "epochs": 1, "verbose": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        flow, history = training.fit("sphere", unit(200), jit_compile=False, **options)
    assert history.report.gaussian is None
    with pytest.raises(ValueError, match="must be a density by volume, got SphereFlow"):
        diagnosis.diagnose(flow, unit(200))


def test_vectors_off_the_sphere_are_refused():
    flow = sphere()
    x = unit(5)
    x[3] *= 2.0
    for call in (flow.log_prob, flow.adapt):
        with pytest.raises(ValueError, match="unit vectors, got one of length 2 in ro"):
            call(x)
    with pytest.raises(ValueError, match="unit vectors, got one of length nan"):
        flow.log_prob([[np.nan, 0.0, 1.0]])
    assert np.isneginf(flow.distribution().log_prob(x)[3])
    with pytest.raises(ValueError, match="`event_shape` must be the size of unit"):
        flows.build("sphere", 1)
    with pytest.raises(ValueError, match="`base` of a `SphereFlow` is uniform"):
        flows.build("sphere", 3, base="normal")
    with pytest.raises(ValueError, match="`columns` of a `SphereFlow` must be names"):
        flows.build("sphere", 3, columns=dict.fromkeys("xyz", "positive"))
    assert "sphere" in flows.manifold_names()


@pytest.mark.slow
def test_a_flow_of_vectors_comes_back_from_its_configuration(tmp_path):
    flow = sphere(columns=["x", "y", "z"], dtype="float32")
    flow.save(tmp_path / "sphere.keras")
    again = flows.load(tmp_path / "sphere.keras")
    x = unit(4).astype("float32")
    np.testing.assert_array_equal(again.log_prob(x), flow.log_prob(x))
