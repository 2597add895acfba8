import numpy as np
import pytest

from tfp_flows import datasets


def test_mixed_table_has_its_kinds_of_columns():
    table = datasets.mixed_table(4000, seed=0)
    assert table.columns == tuple(datasets.MIXED_COLUMNS)
    warmth, visitors, humidity, rain, season = table.x.T
    assert (visitors == np.round(visitors)).all()
    assert ((humidity > 0.0) & (humidity < 100.0)).all()
    assert np.mean(rain == 0.0) == pytest.approx(0.7, abs=0.03)
    assert set(season) == {0.0, 1.0, 2.0}
    # Warmth decides on dry rows and on seasons.
    assert (
        np.mean(rain[warmth > 1.0] == 0.0) > np.mean(rain[warmth < -1.0] == 0.0) + 0.4
    )
    assert warmth[season == 1].mean() > warmth[season == 2].mean() + 1.0
    np.testing.assert_array_equal(table.x, datasets.mixed_table(4000, seed=0).x)


def test_mixed_table_log_prob_has_mass_one():
    # By draws from another density: the mean of the ratio is the mass.
    rng = np.random.default_rng(0)
    n = 100_000
    warmth = rng.normal(scale=1.2, size=n)
    visitors = rng.integers(0, 30, size=n).astype(float)
    humidity = rng.uniform(0.0, 100.0, size=n)
    wet = rng.uniform(size=n) < 0.5
    rain = np.where(wet, rng.lognormal(sigma=1.2, size=n), 0.0)
    season = rng.integers(3, size=n).astype(float)
    proposal = -0.5 * (warmth / 1.2) ** 2 - np.log(1.2) - 0.5 * np.log(2.0 * np.pi)
    proposal += -np.log(30.0) - np.log(100.0) - np.log(2.0) - np.log(3.0)
    log_rain = np.log(np.where(wet, rain, 1.0))
    density = -0.5 * (log_rain / 1.2) ** 2 - log_rain - np.log(1.2)
    proposal += np.where(wet, density - 0.5 * np.log(2.0 * np.pi), 0.0)
    x = np.stack([warmth, visitors, humidity, rain, season], axis=1)
    ratio = np.exp(datasets.mixed_table_log_prob(x) - proposal)
    assert ratio.mean() == pytest.approx(1.0, abs=4.0 * ratio.std() / np.sqrt(n))
    assert ratio.std() / np.sqrt(n) < 0.02


def test_numbers_of_rows_are_whole():
    with pytest.raises(TypeError, match="`n` must be "):
        datasets.mixed_table(1e2)
    with pytest.raises(TypeError, match="`n` must be "):
        datasets.satellite_bands(1e2)
