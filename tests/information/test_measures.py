"""Measures of samples whose values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from tfp_flows import flows, information
from tfp_flows.information import crossfit, options

# Few layers: these distributions need no more.
QUICK = {"flow": {"flow": "rbig", "epochs": 4}, "seed": 0}
ROWS = 2000
COVARIANCE = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.5], [0.3, 0.5, 1.0]])
HALF = 0.5 * np.linalg.slogdet(COVARIANCE)[1]
MI = 0.5 * math.log(0.75) - HALF  # of the first column and the others


def close(measure, truth, tolerance):
    """Check a value, and that its standard error covers it: 4 of them, not 2."""
    assert measure.value == pytest.approx(truth, abs=tolerance)
    assert abs(measure.value - truth) <= 4.0 * measure.stderr
    assert measure.stderr < tolerance
    return True


@pytest.fixture(scope="module")
def x():
    """Return rows of a normal distribution of three columns, in odd units."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(ROWS, 3)) @ np.linalg.cholesky(COVARIANCE).T


@pytest.mark.colab
def test_entropy_is_that_of_the_normal_law_in_the_units_of_the_columns(x):
    scale = np.array([1.0, 100.0, 1e-3])
    truth = 1.5 * math.log(2.0 * math.pi * math.e) + HALF
    assert close(information.entropy(x, **QUICK), truth, 0.1)
    moved = information.entropy(1e4 + scale * x, **QUICK)
    assert close(moved, truth + math.log(0.1), 0.1)


def test_entropy_of_an_exponential_law_is_one():
    x = np.random.default_rng(0).exponential(size=ROWS)
    assert close(information.entropy(x, **QUICK), 1.0, 0.1)


@pytest.mark.slow
def test_negentropy_is_zero_for_normal_and_known_for_uniform_laws(x):
    assert close(information.negentropy(x, **QUICK), 0.0, 0.02)
    flat = np.random.default_rng(0).uniform(size=(ROWS, 2))
    truth = math.log(2.0 * math.pi * math.e / 12.0)
    assert close(information.negentropy(flat, **QUICK), truth, 0.08)


def test_total_correlation_is_that_of_the_normal_law(x):
    assert close(information.total_correlation(x, **QUICK), -HALF, 0.08)


@pytest.mark.slow
def test_total_correlation_ignores_maps_of_columns(x):
    bent = np.stack([np.exp(x[:, 0]), x[:, 1] ** 3, -5.0 * x[:, 2]], axis=1)
    assert close(information.total_correlation(bent, **QUICK), -HALF, 0.08)


@pytest.mark.slow
def test_total_correlation_of_independent_columns_is_zero():
    rng = np.random.default_rng(2)
    x = np.stack([rng.uniform(size=ROWS), rng.exponential(size=ROWS)], axis=1)
    assert close(information.total_correlation(x, **QUICK), 0.0, 0.02)


@pytest.mark.slow
def test_mutual_information_of_blocks_ignores_their_maps(x):
    assert close(information.mutual_information(x[:, 0], x[:, 1:], **QUICK), MI, 0.08)
    turn = np.array([[1.0, 2.0], [0.5, -1.0]])
    bent = np.exp(0.5 * x[:, 1:] @ turn)
    found = information.mutual_information(np.sinh(x[:, 0]), bent, **QUICK)
    assert close(found, MI, 0.08)


def test_mutual_information_sees_what_is_not_linear():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=ROWS)
    y = np.abs(x - 0.5) + rng.uniform(0.0, 0.5, ROWS)  # no correlation
    found = information.mutual_information(x, y, **QUICK)
    # A triangle less a box: 1/2. A smooth fit misses half of it; neighbours do not.
    assert close(found, 0.5, 0.15)
    assert found.value > 4.0 * found.stderr


@pytest.mark.slow
def test_conditional_mutual_information_and_co_information():
    rng = np.random.default_rng(0)
    z, a, b = rng.normal(size=(3, 600))
    # A common cause explains what its effects share.
    given = information.conditional_mutual_information(z + a, z + b, z, **QUICK)
    assert close(given, 0.0, 0.1)
    # Of a common effect, two causes tell more together than singly: synergy.
    found = information.co_information(a, b, a + b + z, **QUICK)
    assert close(found, math.log(1.5) - 0.5 * math.log(3.0), 0.12)


@pytest.mark.slow
def test_kl_divergence_of_two_normal_laws():
    rng = np.random.default_rng(0)
    x, y = rng.normal(1.0, 1.0, 2 * ROWS), rng.normal(0.0, 2.0, ROWS)
    kl = information.kl_divergence(x, y, **QUICK)
    assert close(kl, math.log(2.0) - 0.25, 0.06)
    crossed = information.cross_entropy(x, y, **QUICK)
    entropy = 0.5 * math.log(2.0 * math.pi * math.e)
    assert close(crossed, entropy + math.log(2.0) - 0.25, 0.08)


@pytest.mark.slow
def test_kl_divergence_of_one_law_from_itself_is_zero(x):
    other = np.random.default_rng(5).normal(size=(ROWS, 3))
    y = other @ np.linalg.cholesky(COVARIANCE).T
    assert close(information.kl_divergence(x, y, **QUICK), 0.0, 0.05)


def test_bits_are_nats_over_log_two(x):
    nats = information.entropy(x[:, 0], **QUICK)
    bits = information.entropy(x[:, 0], unit="bits", **QUICK)
    for name in ("value", "stderr", "fit_doubt"):
        expected = getattr(nats, name) / math.log(2.0)
        assert getattr(bits, name) == pytest.approx(expected)
    assert bits.unit == "bits"
    assert bits.to("nats").value == pytest.approx(nats.value)
    assert float(nats) == nats.value
    assert repr(bits) == f"entropy {bits.value:.4f} +- {bits.stderr:.4f} bits"


@pytest.mark.slow
def test_a_seed_fixes_the_result(x):
    first, again = (information.entropy(x[:, :2], **QUICK) for _ in range(2))
    assert first == again
    other = information.entropy(x[:, :2], **{**QUICK, "seed": 1})
    assert first != other


def test_bootstrap_agrees_with_the_scatter_of_the_rows(x):
    plain = information.entropy(x[:, 0], **QUICK)
    drawn = information.entropy(x[:, 0], bootstrap=400, **QUICK)
    assert drawn.value == plain.value
    assert drawn.stderr != plain.stderr
    assert drawn.stderr == pytest.approx(plain.stderr, rel=0.15)


def test_rows_are_scored_by_fits_that_have_not_seen_them():
    cross = crossfit.CrossFit(60, folds=3, flow="rbig", validation=None, seed=0)
    assert sorted(np.bincount(cross.fold)) == [20, 20, 20]
    values = np.arange(3.0)[:, None] * np.ones([3, 60])
    np.testing.assert_array_equal(cross.held_out(values), cross.fold)
    np.testing.assert_allclose(cross.seen(values), (3.0 - cross.fold) / 2.0)
    # A fit that takes a nat per row from noise loses a nat elsewhere.
    over_fitted = np.where(np.arange(3)[:, None] == cross.fold, -1.0, 1.0)
    rows, doubt = cross.rows(over_fitted)
    np.testing.assert_allclose(rows, 0.0)
    assert doubt == pytest.approx(math.hypot(1.0, 5.0 / 40.0))


def test_copies_of_a_row_are_scored_by_one_fit():
    chosen = options.Options(folds=4, seed=0)
    x = np.repeat(np.random.default_rng(0).normal(size=(80, 3)), [1, 1, 1, 2] * 20, 0)
    fold = chosen.cross(chosen.read(x, "x")).fold
    assert np.bincount(fold).tolist() == [25] * 4
    for row in x:
        assert len(set(fold[(x == row).all(axis=1)])) == 1
    # Equal rows of a few values are draws, and say nothing of copies.
    few = np.random.default_rng(0).integers(0, 30, size=(200, 1))
    fold = chosen.cross(chosen.read(few, "few")).fold
    np.testing.assert_array_equal(fold, np.random.default_rng(0).permutation(200) % 4)


def test_a_fitted_flow_stands_for_the_density(x):
    flow = flows.build("linear", 3, seed=0)
    flow.adapt(x)
    fresh = np.random.default_rng(9).normal(size=(ROWS, 3))
    fresh = fresh @ np.linalg.cholesky(COVARIANCE).T
    found = information.entropy(fresh, flow=flow)
    expected = -flow.log_prob(fresh).numpy()
    assert found.value == pytest.approx(expected.mean(), abs=1e-4)
    assert found.stderr == pytest.approx(expected.std() / math.sqrt(ROWS), rel=1e-3)
    assert found.fit_doubt == 0.0
    crossed = information.cross_entropy(fresh, x, flow=flow)
    assert crossed.value == pytest.approx(found.value, abs=1e-4)
    # The untrained linear flow standardises columns: it knows of no dependence.
    none = information.mutual_information(fresh[:, 0], fresh[:, 1:], flow=flow, seed=0)
    assert none.value < 0.05 < MI
    assert none.value == pytest.approx(0.5 * math.log(0.75), abs=0.05)


@pytest.mark.slow
def test_other_flows_can_be_named(x):
    options = {"flow": "linear", "epochs": 2, "batch_size": 64}
    found = information.entropy(x[:300, :2], flow=options, seed=0)
    truth = math.log(2.0 * math.pi * math.e) + 0.5 * math.log(0.64)
    assert found.value == pytest.approx(truth, abs=0.4)
    assert found.value != information.entropy(x[:300, :2], **QUICK).value


@pytest.mark.slow
def test_one_row_far_out_does_not_decide(x):
    out = x.copy()
    out[7] = [40.0, 0.0, 0.0]
    found = information.mutual_information(out[:, 0], out[:, 1:], **QUICK)
    assert found.value == pytest.approx(MI, abs=0.1)
    assert found.stderr < 0.05


def test_the_defended_density_is_a_density():
    x = np.linspace(-3e4, 3e4, 2_000_001)[:, None]
    inner = np.where(np.abs(x[:, 0]) < 1.0, -math.log(2.0), -np.inf)
    some = np.random.default_rng(0).normal(size=(200, 1))
    rows = np.concatenate([some, x])
    log_prob = np.concatenate([np.zeros(200), inner])
    density = np.exp(crossfit.defended(log_prob, rows)[200:])
    assert integrate.trapezoid(density, x[:, 0]) == pytest.approx(1.0, abs=0.02)
