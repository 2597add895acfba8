"""Each kind of support keeps the contract of maps; uniform columns become normal."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfp_flows import testing
from tfp_flows.preprocessing.supports import Supports

ENDS = {
    "interval": (-2.0, 3.0),
    "above": (1.0, np.inf),
    "below": (-np.inf, 1.0),
    "log-above": (1.0, np.inf),
    "log-below": (-np.inf, 1.0),
}


def _map(*kinds, dtype="float64", scale=0.5):
    low = [ENDS[kind][0] if kind in ENDS else 0.0 for kind in kinds]
    high = [ENDS[kind][1] if kind in ENDS else 0.0 for kind in kinds]
    low, high = (
        tf.constant(np.nan_to_num(e, posinf=0, neginf=0), dtype) for e in (low, high)
    )
    return Supports(
        low, high, tf.fill([len(kinds)], tf.constant(scale, dtype)), kinds=kinds
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "interval",
        pytest.param("above", marks=pytest.mark.full),
        pytest.param("log-below", marks=pytest.mark.full),
    ],
)
def test_supports_keep_the_contract(kind):
    testing.check_bijector(
        lambda dtype: _map(kind, dtype=dtype),
        event_shape=(1,),
        domain=(-3.0, 4.0),  # nearer to a bound of 1, float32 has few digits
        codomain=ENDS[kind],
        tolerances=testing.Tolerances(float32=2e-4),
        skip={"far_round_trip": "the ends are reached"},
    )


def test_uniform_and_exponential_columns_become_normal():
    u = np.random.default_rng(0).uniform(size=[2000])
    onto = _map("interval", "above", "below")
    y = np.stack([5.0 * u - 2.0, 1.0 - 0.5 * np.log1p(-u), 1.0 + 0.5 * np.log1p(-u)])
    x, log_det = onto.inverse_and_log_det(y.T)
    expected = [stats.norm.ppf(u), stats.norm.ppf(u), stats.norm.ppf(1 - u)]
    np.testing.assert_allclose(x, np.transpose(expected), atol=1e-7)
    exact = -np.log(5.0) + 2 * np.log(2.0) + 2 * np.log1p(-u)
    base = stats.norm.logpdf(x).sum(axis=-1)
    np.testing.assert_allclose(base + log_det, exact, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ENDS)
def test_values_at_an_end_have_finite_densities_and_beyond_it_none(kind, dtype):
    onto = _map(kind, dtype=dtype)
    end = ENDS[kind][1] if kind.endswith("below") else ENDS[kind][0]
    sign = -1.0 if kind.endswith("below") else 1.0
    y = tf.constant([[end], [end + 1e-3 * sign], [end - 1e-3 * sign]], dtype)
    with tf.GradientTape() as tape:
        tape.watch(y)
        x, log_det = onto.inverse_and_log_det(y)
    assert np.isfinite(x).all()
    assert np.isfinite(tape.gradient(x, y)).all()
    assert np.isfinite(log_det[:2]).all()
    assert log_det[2] == -np.inf


def test_samples_never_leave_the_support():
    onto = _map(*ENDS, dtype="float32")
    x = tf.linspace(-30.0, 30.0, 301)[:, tf.newaxis] * tf.ones([5])
    y = onto.forward(x).numpy()
    for column, (low, high) in zip(y.T, ENDS.values(), strict=True):
        assert low <= column.min()
        assert column.max() <= high


def test_kinds_are_checked():
    with pytest.raises(ValueError, match="`kinds` must be one of"):
        Supports.trainable(["wide"])
    with pytest.raises(ValueError, match="one for each of 2 coordinates"):
        Supports([0.0, 0.0], [1.0, 1.0], [1.0, 1.0], kinds=["line"])
