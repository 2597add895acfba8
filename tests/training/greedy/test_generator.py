"""The fit of `SIG`, from noise to data."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tfp_flows import training
from tfp_flows.math.gaussianization import sliced

OPTIONS = {"seed": 0, "verbose": 0}


@pytest.fixture(scope="module")
def spirals():
    return tfpf.datasets.toy("2spirals", 2000, seed=0).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(spirals):
    return tfpf.fit("sig", spirals, epochs=12, validation=None, **OPTIONS)


def _distance(x, y):
    """Return the sliced Wasserstein distance over 32 directions of the plane."""
    angles = np.pi * np.arange(32) / 32
    basis = np.stack([np.cos(angles), np.sin(angles)])
    gaps = np.sort(x @ basis, axis=0) - np.sort(y @ basis, axis=0)
    return np.sqrt(np.mean(np.square(gaps)))


def test_directions_are_those_in_which_the_samples_differ():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal([2, 4000, 5])
    apart = np.array([3.0, 0.0, 4.0, 0.0, 0.0]) / 5.0
    y += np.abs(y @ apart)[:, np.newaxis] * apart
    found = sliced.pair_directions(x, y, 1, rng)
    assert abs(found[0] @ apart) > 0.99


@pytest.mark.slow
def test_samples_come_to_the_data(fitted, spirals):
    flow, history = fitted
    samples = flow.sample(2000, seed=1).numpy()
    noise = np.random.default_rng(1).standard_normal([2000, 2])
    noise = spirals.mean(axis=0) + spirals.std(axis=0) * noise
    assert _distance(samples, spirals) < 0.3 * _distance(noise, spirals)
    assert np.abs(samples).max() < 2.0 * np.abs(spirals).max()
    assert history.history["layer_type"] == ["sliced"] * 12


def test_likelihood_rises_and_history_states_that_of_the_flow(fitted, spirals):
    flow, history = fitted
    losses = history.history["loss"]
    assert losses[-1] < losses[0] - 0.3
    best = -float(np.mean(flow.log_prob(spirals)))
    assert best == pytest.approx(min(losses), abs=2e-4)


def test_density_is_normalised(fitted):
    flow, _ = fitted
    grid = np.linspace(-8.0, 8.0, 400, dtype=np.float32)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    total = np.sum(np.exp(flow.log_prob(points))) * (grid[1] - grid[0]) ** 2
    assert total == pytest.approx(1.0, abs=0.01)


def test_fit_goes_on_from_the_layers_there_are(spirals):
    flow, first = tfpf.fit("sig", spirals, epochs=2, validation=None, **OPTIONS)
    before = -float(np.mean(flow.log_prob(spirals)))
    _, more = tfpf.fit(flow, spirals, epochs=3, validation=None, adapt=False, **OPTIONS)
    assert len(first.history["loss"]) == 2
    assert len(more.history["loss"]) == 3
    assert -float(np.mean(flow.log_prob(spirals))) < before
    assert len(flow.layer_types) > 2


def test_validation_rows_choose_the_layers_and_all_rows_make_them():
    x = np.random.default_rng(0).normal(size=[400, 2]).astype(np.float32)
    options = {"epochs": 30, "patience": 2, **OPTIONS}
    flow, history = tfpf.fit("sig", x, **options)
    losses = history.history["val_loss"]
    assert len(losses) < 30
    assert len(flow.layer_types) == len(losses) - 2
    twin, _ = tfpf.fit("sig", x, **options)
    np.testing.assert_array_equal(twin.log_prob(x), flow.log_prob(x))


@pytest.mark.slow
def test_one_coordinate_and_a_saved_file(tmp_path):
    x = np.random.default_rng(0).gamma(3.0, size=[1500, 1]).astype(np.float32)
    flow, _ = tfpf.fit("sig", x, patience=2, **OPTIONS)
    # Minus the entropy of the distribution.
    assert -float(np.mean(flow.log_prob(x))) == pytest.approx(1.8473, abs=0.06)
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    assert type(loaded) is tfpf.flows.SIG
    np.testing.assert_array_equal(loaded.log_prob(x), flow.log_prob(x))


@pytest.mark.slow
def test_gradients_go_on_from_the_fit(spirals):
    flow, _ = tfpf.fit("sig", spirals, epochs=2, validation=None, **OPTIONS)
    before = -float(np.mean(flow.log_prob(spirals)))
    trained = flow.trainable_flow()
    np.testing.assert_array_equal(trained.log_prob(spirals), flow.log_prob(spirals))
    trained.compile(keras.optimizers.Adam(1e-3))
    trained.fit(spirals, epochs=3, batch_size=100, verbose=0)
    assert -float(np.mean(trained.log_prob(spirals))) < before


def test_what_needs_another_fit_is_refused(fitted, spirals):
    with pytest.raises(ValueError, match="adapt=False"):
        training.fit_more(fitted[0], spirals)
    with pytest.raises(ValueError, match="`weights` and `noise` must be left out"):
        tfpf.fit("sig", spirals, weights=np.ones(len(spirals)), **OPTIONS)
    with pytest.raises(ValueError, match="condition"):
        tfpf.fit("sig", spirals, spirals[:, :1], **OPTIONS)
    mixed = tfpf.flows.build("sig", 2, layer_types=("mixture",))
    with pytest.raises(ValueError, match="must have spline layers only"):
        tfpf.fit(mixed, spirals, adapt=False, **OPTIONS)
