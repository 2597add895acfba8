"""What fits have missed: by neighbours in base space, and by their learning curve."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows.information import crossfit, curves, neighbours, options


def _normal(z):
    return -0.5 * np.sum(z**2, axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_neighbours_find_nothing_in_base_values_that_are_normal(size):
    rng = np.random.default_rng(1)
    z = rng.normal(size=(1500, size))
    found = neighbours.residual(z, _normal(z), rng)
    assert abs(found.rows.mean()) < 3.0 * np.sqrt(found.variance) < 0.1


def test_neighbours_find_the_divergence_from_the_base():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 2))
    z[:, 1] = 0.6 * z[:, 0] + 0.8 * z[:, 1]  # correlated: its log-det is missed
    found = neighbours.residual(z, _normal(z), rng)
    assert found.rows.mean() == pytest.approx(-np.log(0.8), abs=0.06)
    assert found.unseen < 0.1


def test_few_rows_have_no_neighbours():
    z = np.zeros([10, 2])
    assert neighbours.residual(z, _normal(z), np.random.default_rng(0)) is None


def test_neighbours_are_those_of_a_full_search():
    rng = np.random.default_rng(2)
    z = rng.normal(size=(100, 3))
    index, found = neighbours._log_density(z, rng)
    radius = np.sort(np.linalg.norm(z[:, np.newaxis] - z, axis=2), axis=1)
    near = radius[:, neighbours.NEAR]
    np.testing.assert_array_equal(index, np.arange(100))
    shift = found[:, 0] + 3.0 * np.log(near)
    np.testing.assert_allclose(shift, shift[0])


def test_curve_sees_what_more_rows_would_find():
    fold = np.arange(400) % 2
    full = np.zeros([2, 400])
    rng = np.random.default_rng(0)
    worse = curves.shortfall(full, fold, lambda *_: np.full(400, -0.2), rng)
    assert worse.mean == pytest.approx(0.2 * curves.FAST)
    assert worse.doubt == pytest.approx(0.2 * (curves.SLOW - curves.FAST))

    def fitted_to_noise(number, rows):
        # Its own rows gain what others lose: nothing is left to find.
        return np.where(np.isin(np.arange(400), rows), 0.3, -0.3)

    same = curves.shortfall(full, fold, fitted_to_noise, rng)
    assert same.mean == pytest.approx(0.0)
    assert same.doubt == 0.0


def test_what_is_missed_is_added_and_noise_is_not():
    cross = crossfit.CrossFit(2000, folds=2, flow="rbig", validation=None, seed=0)
    z = np.random.default_rng(0).normal(size=(2, 2000, 2))
    for scale, missed in ((1.0, 0.0), (0.5, np.log(4.0) - 0.75)):
        log_prob = np.stack([_normal(scale * part) for part in z])
        fits = crossfit.Fits(scale * z, log_prob, np.zeros([2, 2000]))
        done = cross.completed(fits, lambda *_: None)
        gain = cross.held_out(done.log_prob - log_prob).mean()
        assert gain == pytest.approx(missed, abs=0.06)


def test_rounded_columns_are_not_completed():
    x = np.random.default_rng(0).normal(size=(300, 2))
    chosen = options.Options(seed=0)
    rounded = chosen.read(np.round(x, 1), "x")
    assert (rounded.rounded, chosen.read(x, "x").rounded) == (True, False)
    z = np.zeros([2, 300, 2])
    fits = crossfit.Fits(z, z[..., 0], z[..., 0])
    assert chosen.cross(rounded).completed(fits, lambda *_: None) is fits
