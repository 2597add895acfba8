"""Toy densities: entropies, normalisation, samplers and seeds."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tfp_flows import datasets
from tfp_flows.datasets import curves, toys

# Values from other sources, with the error that they are known to. Those of ex_1d and
# ex_2d are means over five draws of 512 points, each scaled by its own deviations.
PUBLISHED = {
    "2spirals": (2.644, 0.009),
    "8gaussians": (2.829, 0.004),
    "banana": (1.67393, 1e-5),
    "checkerboard": (3.46574, 1e-5),
    "concentric_circles": (3.2553, 0.0016),
    "ex_1d": (1.245, 0.009),
    "ex_2d": (2.461, 0.013),
    "ex_2d_mixture": (1.902, 5e-4),
    "jang_gaussian": (4.95413, 1e-5),
    "parabola": (4.22417, 1e-5),
    "quadratic": (3.53102, 1e-5),
    "rings": (2.630, 0.012),
    "sin_wave": (1.45158, 1e-5),
    "two_moons": (0.2895, 0.005),
    "two_moons_noisy": (1.008, 0.005),
}

# Ranges that hold all mass, and cells no wider than the deviation of the noise: then
# sums over cells are integrals to many digits, for smooth densities.
GRIDS = {
    "25gaussians": [(-1.6, 1.6, 300)] * 2,
    "2spirals": [(-4.2, 4.2, 90)] * 2,
    "8gaussians": [(-5.5, 5.5, 100)] * 2,
    "banana": [(-7, 7, 400), (-40, 8, 1000)],
    "checkerboard": [(-4, 4, 64)] * 2,
    "circles": [(-5, 5, 100)] * 2,
    "concentric_circles": [(-5, 5, 200)] * 2,
    "ex_1d": [(-5, 5, 100)],
    "ex_2d": [(-5, 5, 100)] * 2,
    "ex_2d_mixture": [(-7, 7, 200), (-7, 7, 50)],
    "jang_gaussian": [(-20, 20, 100), (-35, 35, 100)],
    "parabola": [(-8, 200, 400), (-28, 28, 400)],
    "quadratic": [(-8, 60, 200), (-14, 14, 200)],
    "rings": [(-3.7, 3.7, 160)] * 2,
    "sin_wave": [(0, 16, 800), (-3, 3, 60)],
    "two_moons": [(-1.5, 2.5, 140), (-1, 1.5, 90)],
    "two_moons_noisy": [(-2, 3, 90), (-1.5, 2, 70)],
}


@functools.cache
def _grid(name):
    edges = [np.linspace(low, high, n + 1) for low, high, n in GRIDS[name]]
    mids = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    x = np.stack(np.meshgrid(*mids, indexing="ij"), axis=-1)
    log_p = datasets.toy_log_prob(name, x)
    mass = np.exp(log_p) * np.prod([edge[1] - edge[0] for edge in edges])
    return x, log_p, mass


def test_every_toy_has_a_grid():
    assert set(GRIDS) == set(datasets.toy_names())
    assert set(PUBLISHED) <= set(GRIDS)


@pytest.mark.parametrize("name", GRIDS)
def test_density_integrates_to_one_and_gives_the_entropy(name):
    _, log_p, mass = _grid(name)
    np.testing.assert_allclose(mass.sum(), 1.0, atol=1e-5)
    entropy = -np.sum(mass * np.where(mass > 0, log_p, 0.0))
    np.testing.assert_allclose(entropy, datasets.toy_entropy(name), atol=5e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_entropy_agrees_with_published_values(name):
    value, error = PUBLISHED[name]
    assert abs(datasets.toy_entropy(name) - value) <= error


@pytest.mark.parametrize("name", GRIDS)
def test_samples_follow_the_density(name):
    n = 8_000
    samples = datasets.toy(name, n, seed=3).astype(np.float64)
    # Monte Carlo entropy within four standard errors; the checkerboard has none.
    log_p = datasets.toy_log_prob(name, samples)
    assert np.isfinite(log_p).all()
    error = log_p.std() / np.sqrt(n)
    assert abs(-log_p.mean() - datasets.toy_entropy(name)) <= 4 * error + 5e-6
    # Means of functions that tell the density from its mirror images and rotations.
    x, _, mass = _grid(name)
    x, mass = x.reshape(-1, x.shape[-1]), mass.ravel()
    scale = samples.std(axis=0)
    for function in (
        lambda z: z,
        lambda z: z**2,
        lambda z: np.cos(2 * z),
        lambda z: np.prod(z, axis=1),
        lambda z: np.sin(3 * z @ np.arange(1, z.shape[1] + 1)),
    ):
        values = function(samples / scale)
        expected = mass @ function(x / scale)
        error = values.std(axis=0) / np.sqrt(n)
        # The checkerboard's cells are coarse for a grid of midpoints: 1e-3.
        assert np.all(np.abs(values.mean(axis=0) - expected) <= 4.5 * error + 1e-3)


@pytest.mark.parametrize("name", GRIDS)
def test_samples_are_float32_and_seeded(name):
    first = datasets.toy(name, 50, seed=7)
    assert first.dtype == np.float32
    assert first.shape == (50, len(GRIDS[name]))
    np.testing.assert_array_equal(first, datasets.toy(name, 50, seed=7))
    assert not np.array_equal(first, datasets.toy(name, 50, seed=8))
    assert datasets.toy(name, 0).shape == (0, len(GRIDS[name]))


@pytest.mark.parametrize("name", GRIDS)
def test_log_prob_takes_any_leading_shape(name):
    x = datasets.toy(name, 6, seed=1)
    flat = datasets.toy_log_prob(name, x)
    assert flat.shape == (6,)
    shaped = datasets.toy_log_prob(name, x.reshape(2, 3, -1))
    np.testing.assert_array_equal(shaped, flat.reshape(2, 3))
    assert datasets.toy_log_prob(name, x[0]) == pytest.approx(flat[0])


@pytest.mark.parametrize("name", sorted(set(GRIDS) - {"checkerboard", "sin_wave"}))
def test_log_prob_is_finite_and_falls_far_away(name):
    d = len(GRIDS[name])
    far = datasets.toy_log_prob(name, np.array([[100.0] * d, [-1e4] * d]))
    assert np.isfinite(far).all()
    assert far[1] < far[0] < -50


def test_log_prob_is_minus_infinity_outside_the_support():
    x = np.array([[-0.1, 0.0], [0.1, 5.0]])
    assert datasets.toy_log_prob("sin_wave", x)[0] == -np.inf
    board = np.array([[0.5, 0.5], [0.5, 2.5], [-0.5, 0.5], [4.5, 0.5], [-3.0, -1.0]])
    dark = np.isfinite(datasets.toy_log_prob("checkerboard", board))
    np.testing.assert_array_equal(dark, [True, False, False, False, False])


@pytest.mark.colab
def test_moons_agree_with_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    theirs, _ = sklearn_datasets.make_moons(8_000, noise=0.05, random_state=0)
    log_p = datasets.toy_log_prob("two_moons", theirs)
    error = log_p.std() / np.sqrt(len(theirs))
    assert abs(-log_p.mean() - datasets.toy_entropy("two_moons")) < 4 * error


def test_circles_agree_with_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    theirs, _ = sklearn_datasets.make_circles(
        8_000, factor=0.5, noise=0.08, random_state=0
    )
    log_p = datasets.toy_log_prob("circles", 3 * theirs)
    error = log_p.std() / np.sqrt(len(theirs))
    assert abs(-log_p.mean() - datasets.toy_entropy("circles")) < 4 * error


def test_log_bessel_agrees_with_scipy():
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([np.linspace(0, 60, 500), [1e3, 1e6, 1e12]])
    # np.i0 carries the error of its series, about 1e-15 relative.
    np.testing.assert_allclose(
        curves.log_i0e(x), np.log(special.i0e(x)), rtol=1e-12, atol=1e-14
    )


def test_unknown_name_lists_the_names():
    with pytest.raises(
        ValueError, match=r"`name` must be one of .*'8gaussians', .*got"
    ):
        datasets.toy("8gausians", 10)
    with pytest.raises(ValueError, match="'two_moons_noisy', got 'moons'"):
        datasets.toy_entropy("moons")


def test_wrong_counts_and_shapes_are_explained():
    with pytest.raises(ValueError, match="`n` must be at least 0, got -1"):
        datasets.toy("rings", -1)
    with pytest.raises(TypeError, match=r"`n` must be a number of points, got 2\.5"):
        datasets.toy("rings", 2.5)
    with pytest.raises(
        ValueError, match=r"shape \[\.\.\., 2\] for 'rings', got \(4, 3\)"
    ):
        datasets.toy_log_prob("rings", np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"shape \[\.\.\., 1\] for 'ex_1d', got \(\)"):
        datasets.toy_log_prob("ex_1d", 0.0)


def test_a_toy_object_has_the_same_density():
    ring = toys.get_toy("rings")
    x = ring.sample(10, np.random.default_rng(0))
    np.testing.assert_array_equal(ring.log_prob(x), datasets.toy_log_prob("rings", x))
    assert ring.num_dims == 2
