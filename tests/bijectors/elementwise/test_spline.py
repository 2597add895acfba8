"""The rational-quadratic spline: TFP's inside, smooth at the ends, never broken."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from tensorflow_probability import bijectors as tfb

from tfp_flows import bijectors

Spline = bijectors.RationalQuadraticSpline
SIZES = {"identity": -1, "linear": 1, "circular": 0}


def random_spline(tails="identity", bins=6, batch=(), seed=0, bound=2.0, scale=1.5):
    rng = np.random.default_rng(seed)
    params = scale * rng.normal(size=(*batch, 3 * bins + SIZES[tails]))
    return Spline.from_unconstrained(
        params, range_min=-bound, range_max=bound, tails=tails
    )


def derivative(map_, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = map_.forward(x)
    return tape.gradient(y, x).numpy()


@pytest.mark.colab
@pytest.mark.parametrize("bins", [1, 2, 8, 32])
def test_spline_equals_that_of_tfp(bins):
    rng = np.random.default_rng(bins)
    widths, heights = 4.0 * rng.dirichlet(np.ones(bins), size=2)
    slopes = np.exp(rng.normal(size=bins - 1))
    ours = Spline(widths, heights, slopes, range_min=-2.0)
    theirs = tfb.RationalQuadraticSpline(widths, heights, slopes, range_min=-2.0)
    # Beyond the range both are the identity, up to rounding of the sum of the bins.
    x = np.concatenate([np.linspace(-2.0, 2.0 - 1e-9, 1001), [-7.0, 9.0]])
    y = ours.forward(x)
    np.testing.assert_allclose(y, theirs.forward(x), atol=1e-10)
    found = ours.forward_log_det_jacobian(tf.identity(x), 0)
    wanted = theirs.forward_log_det_jacobian(tf.identity(x), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-10)
    back = ours.inverse(tf.identity(y))
    np.testing.assert_allclose(back, x, atol=1e-10)
    np.testing.assert_allclose(back, theirs.inverse(tf.identity(y)), atol=1e-10)
    found = ours.inverse_log_det_jacobian(tf.identity(y), 0)
    wanted = theirs.inverse_log_det_jacobian(tf.identity(y), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("tails", ["identity", "linear"])
def test_derivative_is_continuous_at_the_ends_and_at_every_knot(tails):
    spline = random_spline(tails)
    x_knots, _, _ = spline._knots()
    for knot in x_knots.numpy():
        below, above = derivative(spline, np.array([knot - 1e-9, knot + 1e-9]))
        assert abs(below - above) <= 1e-5


def test_spline_is_identity_outside_its_interval():
    spline = random_spline("identity")
    x = np.array([-1e30, -100.0, -2.0 - 1e-9, -2.0, 2.0, 2.0 + 1e-9, 1e30])
    np.testing.assert_allclose(spline.forward(x), x, rtol=1e-15)
    np.testing.assert_allclose(spline.inverse(x), x, rtol=1e-15)
    log_det = spline.forward_log_det_jacobian(x, 0)
    np.testing.assert_allclose(log_det, np.zeros(7), atol=1e-12)


def test_linear_tails_continue_with_the_end_slopes():
    spline = random_spline("linear")
    first, last = spline.knot_slopes.numpy()[[0, -1]]
    x = np.array([-50.0, -2.5, 2.5, 50.0])
    wanted = [
        -2.0 + first * -48.0,
        -2.0 + first * -0.5,
        2.0 + last * 0.5,
        2.0 + last * 48.0,
    ]
    np.testing.assert_allclose(spline.forward(x), wanted, rtol=1e-12)
    slopes = derivative(spline, x)
    np.testing.assert_allclose(slopes, [first, first, last, last], rtol=1e-12)
    back = spline.inverse(tf.identity(spline.forward(x)))
    np.testing.assert_allclose(back, x, rtol=1e-12)
    log_det = spline.inverse_log_det_jacobian(np.array(wanted), 0)
    np.testing.assert_allclose(log_det, -np.log(slopes), rtol=1e-10)


def test_circular_tails_have_a_periodic_derivative():
    spline = random_spline("circular", bound=np.pi)
    left, right = derivative(spline, np.array([-np.pi + 1e-9, np.pi - 1e-9]))
    assert left == pytest.approx(right, abs=1e-6)
    assert left != pytest.approx(1.0, abs=1e-2)


def test_different_sums_of_widths_and_heights_shift_what_lies_above():
    spline = Spline([1.0, 1.0], [2.0, 1.0], [1.5], range_min=0.0)
    np.testing.assert_allclose(spline.forward([-1.0, 2.0, 5.0]), [-1.0, 3.0, 6.0])
    np.testing.assert_allclose(spline.inverse([-1.0, 3.0, 6.0]), [-1.0, 2.0, 5.0])
    ends = Spline([1.0, 1.0], [2.0, 2.0], [1.0], range_min=-3.0, range_max=3.0)
    np.testing.assert_allclose(ends.forward([-3.0, 3.0]), [-3.0, 3.0])


@pytest.mark.parametrize("tails", list(SIZES))
def test_zeros_are_the_identity(tails):
    spline = Spline.from_unconstrained(
        np.zeros(3 * 5 + SIZES[tails]), range_min=-3.0, range_max=3.0, tails=tails
    )
    x = np.linspace(-5.0, 5.0, 41)
    np.testing.assert_allclose(spline.forward(x), x, atol=1e-12)
    log_det = spline.forward_log_det_jacobian(x, 0)
    np.testing.assert_allclose(log_det, 0.0 * x, atol=1e-12)


def test_batches_of_parameters_broadcast_and_slice():
    spline = random_spline(batch=(3, 1))
    assert spline.experimental_batch_shape() == [3, 1]
    x = np.linspace(-3.0, 3.0, 5)
    y = spline.forward(x)
    assert y.shape == [3, 5]
    assert spline.forward(np.float64(0.5)).shape == [3, 1]
    assert spline.forward_log_det_jacobian(x, 0).shape == [3, 5]
    assert spline.forward_log_det_jacobian(x, 1).shape == [3]
    for i in range(3):
        one = Spline(
            spline.bin_widths[i, 0],
            spline.bin_heights[i, 0],
            spline.knot_slopes[i, 0],
            range_min=-2.0,
            range_max=2.0,
        )
        np.testing.assert_allclose(y[i], one.forward(x), atol=1e-12)
    sliced = spline[1:]
    assert sliced.experimental_batch_shape() == [2, 1]
    np.testing.assert_allclose(sliced.forward(x), y[1:], atol=1e-12)


def test_parameters_may_be_variables():
    widths = tf.Variable([1.0, 2.0])
    spline = Spline(widths, [1.5, 1.5], [0.7], range_min=-1.0)
    first = spline.forward(0.5)
    widths.assign([2.0, 1.0])
    assert abs(spline.forward(0.5) - first) > 1e-2
    assert [id(v) for v in spline.trainable_variables] == [id(widths)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 1.0], [1.0, 1.0], [1.0, 1.0]), "`knot_slopes` must hold 1 numbers"),
        (([1.0, 1.0], [1.0], [1.0]), "`bin_heights` 2 for 2 bins"),
    ],
)
def test_numbers_of_bins_must_agree(arguments, message):
    with pytest.raises(ValueError, match=message):
        Spline(*arguments)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`tails` must be one of"):
        Spline([1.0], [1.0], [], tails="flat")
    with pytest.raises(ValueError, match=r"3 \* K \+ -1 numbers"):
        Spline.from_unconstrained(np.zeros(6))
    with pytest.raises(ValueError, match="`params` must have"):
        Spline.from_unconstrained(np.zeros(1), tails="linear")
    with pytest.raises(ValueError, match="`bin_widths` must be"):
        Spline([-1.0, 2.0], [1.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="`range_max` must be above `range_min`"):
        Spline([1.0, 2.0], [1.0, 1.0], [1.0], range_min=1.0, range_max=0.0)
    with pytest.raises(TypeError, match="`range_min` must be a plain number"):
        Spline.from_unconstrained(np.zeros(5), range_min=tf.Variable(0.0))


@pytest.mark.parametrize("tails", list(SIZES))
@pytest.mark.parametrize("scale", [1.0, 5.0, 20.0])
def test_values_and_gradients_are_finite_everywhere(tails, scale):
    rng = np.random.default_rng(0)
    params = tf.constant(scale * rng.normal(size=(50, 24 + SIZES[tails])), tf.float32)
    edge = np.float32(3.0)
    points = [0.0, edge, np.nextafter(edge, np.float32(9.0)), 1e30, 0.3]
    x = tf.constant([*points, *[-p for p in points]], tf.float32)[:, None]
    for direction in ("forward", "inverse"):
        with tf.GradientTape() as tape:
            tape.watch([params, x])
            spline = Spline.from_unconstrained(
                params, range_min=-3.0, range_max=3.0, tails=tails
            )
            y = getattr(spline, direction)(x)
            log_det = getattr(spline, f"{direction}_log_det_jacobian")(x, 0)
            both = tf.reduce_sum(tf.asinh(y)) + tf.reduce_sum(log_det)
        gradients = tape.gradient(both, [params, x])
        for value in (y, log_det, *gradients):
            assert np.all(np.isfinite(value))


@hypothesis.settings(max_examples=15)
@hypothesis.given(
    bins=st.integers(1, 12),
    scale=st.floats(0.0, 30.0),
    bound=st.floats(0.01, 1e3),
    tails=st.sampled_from(list(SIZES)),
    seed=st.integers(0, 2**16),
)
def test_every_spline_is_monotone_finite_and_invertible(
    bins, scale, bound, tails, seed
):
    spline = random_spline(tails, bins, seed=seed, bound=bound, scale=scale)
    x = np.linspace(-1.5 * bound, 1.5 * bound, 401)
    y = spline.forward(x)
    log_det = spline.forward_log_det_jacobian(x, 0)
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(log_det))
    assert np.all(np.diff(y) > 0.0)
    # An error of one ulp in y is multiplied on the way back.
    back = spline.inverse(tf.identity(y))
    steep = np.exp(np.maximum(-log_det, 0.0))
    assert np.all(np.abs(back - x) <= 1e-14 * bound * (1.0 + 10.0 * steep))
    other = spline.inverse_log_det_jacobian(tf.identity(y), 0)
    # Close to a knot of large curvature the log-det moves fast: compare in the mean.
    assert np.mean(np.abs(log_det + other)) < 1e-6


@hypothesis.settings(max_examples=10)
@hypothesis.given(x=st.floats(allow_nan=False, width=32), seed=st.integers(0, 2**16))
def test_any_float_maps_to_a_float_and_back(x, seed):
    rng = np.random.default_rng(seed)
    params = (3.0 * rng.normal(size=23)).astype("float32")
    spline = Spline.from_unconstrained(params, range_min=-3.0, range_max=3.0)
    x = np.float32(x)
    y = spline.forward(x)
    back = spline.inverse(tf.identity(y)).numpy()
    if np.isinf(x):
        assert y == x
        assert back == x
    else:
        assert np.isfinite(y)
        # Slopes are within exp(+-6.9): so much is one ulp worth.
        assert abs(back - x) <= 1e-3 * max(1.0, abs(x))


def test_nan_is_passed_on_and_not_replaced():
    for tails in SIZES:
        spline = random_spline(tails)
        assert np.isnan(spline.forward(np.array([np.nan, 0.0]))[0])
        assert np.isfinite(spline.forward(np.array([np.nan, 0.0]))[1])
