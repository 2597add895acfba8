"""Roots of functions whose derivatives are known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import roots


def hyperbolic(x):
    return x + tf.sinh(x), tf.math.log1p(tf.cosh(x))


def cubic(x, slope, bend):
    """Return a function whose derivatives are `f1`, `6 * bend * x`, and `6 * bend`."""
    square = x * x
    value = x * (slope + bend * square)
    return value, tf.math.log(slope + 3.0 * bend * square)


def flat(x):
    """Return a function whose values lie in (0, 1)."""
    return tf.sigmoid(x), tf.math.log_sigmoid(x) + tf.math.log_sigmoid(-x)


def kinked(x):
    slope = tf.where(x > 0.0, tf.constant(3.0, x.dtype), tf.constant(0.2, x.dtype))
    return slope * x, tf.math.log(slope)


def derivatives(function, x, order):
    """Return a function's value and its derivatives by each element."""
    if order == 0:
        return [function(x)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = derivatives(function, x, order - 1)
    return [*out, tape.gradient(out[-1], x)]


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)]
)
def test_roots_are_found_wherever_the_bracket_starts(dtype, tolerance):
    x = tf.constant([[-30.0, -2.0, 0.0], [1e-3, 5.0, 40.0]], dtype)
    target = hyperbolic(x)[0]
    for edges in ((None, None), (3.0, 4.0), (-9.0, -9.0), (x - 1.0, x + 0.1)):
        found = roots.solve(hyperbolic, target, *edges)
        np.testing.assert_allclose(found.root, x, rtol=tolerance, atol=tolerance)
        assert found.root.dtype == dtype
        assert np.all(found.converged)
        assert int(found.num_steps) < 30


def test_kinks_and_huge_targets_are_no_obstacle():
    target = tf.constant([-1e30, -1.0, 0.0, 1e-30, 1e30])
    found = roots.solve(kinked, target)
    np.testing.assert_allclose(
        found.root, [-5e30, -5.0, 0.0, 3.3333e-31, 3.3333e29], 1e-4
    )
    assert np.all(found.converged)


def test_what_is_not_found_says_so():
    target = tf.constant([0.5, 2.0, -1.0, np.nan], tf.float64)
    found = roots.solve(flat, target)
    assert found.converged.numpy().tolist() == [True, False, False, False]
    target = tf.constant([1e3, 1e-3])
    few = roots.solve(hyperbolic, target, -20.0, 20.0, bracketed=True, max_steps=3)
    assert few.converged.numpy().tolist() == [False, True]
    # A bracket that is said to hold the root, and does not.
    missed = roots.solve(hyperbolic, tf.constant([10.0]), 0.0, 1.0, bracketed=True)
    assert not missed.converged.numpy()[0]


def test_infinite_targets_have_infinite_roots_and_nan_has_nan():
    target = tf.constant([-np.inf, np.nan, np.inf, 1.0])
    slope = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch([target, slope])
        found = roots.solve(cubic, target, parameters=[slope, 1.0])
    np.testing.assert_allclose(found.root, [-np.inf, np.nan, np.inf, 0.6823278])
    assert found.converged.numpy().tolist() == [True, False, True, True]
    # Those that are not finite do not spoil the others' derivatives.
    for gradient in tape.gradient(found.root, [target, slope]):
        assert np.all(np.isfinite(gradient))
    nowhere = roots.solve(cubic, tf.constant([1.0]), parameters=[np.nan, 1.0])
    assert np.isnan(nowhere.root[0])
    assert not nowhere.converged[0]


@pytest.mark.colab
@pytest.mark.parametrize("jit_compile", [False, True])
def test_derivatives_to_the_third_order_are_those_of_the_inverse_function(jit_compile):
    # x' = 1/f', x'' = -f''/f'^3, x''' = (3 * f''^2 - f' * f''') / f'^5.
    x = tf.constant([-2.0, 0.0, 0.7, 3.0], tf.float64)
    target = x + x**3

    def solved(y):
        return roots.solve(cubic, y, parameters=[1.0, 1.0]).root

    function = tf.function(
        lambda y: derivatives(solved, y, 3), autograph=False, jit_compile=jit_compile
    )
    one, two, three = 1.0 + 3.0 * x**2, 6.0 * x, 6.0
    wanted = (x, 1 / one, -two / one**3, (3 * two**2 - one * three) / one**5)
    for found, right in zip(function(target), wanted, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-14)


def test_orders_above_three_are_right():
    # The fifth derivative of the inverse of sinh at 0 is 9.
    def sinh(x):
        return tf.sinh(x), tf.math.log(tf.cosh(x))

    zero = tf.constant([0.0], tf.float64)
    out = derivatives(lambda y: roots.attach_derivatives(sinh, zero, y), zero, 5)
    np.testing.assert_allclose(tf.concat(out, 0), [0, 1, 0, -1, 0, 9], atol=1e-12)


def test_derivatives_by_parameters_are_right_to_the_fifth_order():
    # The root of x * (s + x^2) = 2 at s = 1, by its series in s - 1.
    def solved(s):
        return roots.solve(cubic, tf.constant(2.0, s.dtype), parameters=[s, 1.0]).root

    one = tf.constant(1.0, tf.float64)
    series = np.zeros(6)
    series[0] = 1.0
    for n in range(1, 6):
        # What the coefficient misses is divided by the slope, 1 + 3 = 4.
        cube = np.convolve(np.convolve(series, series), series)
        series[n] = -(series[n - 1] + cube[n]) / 4.0
    factorials = [1, 1, 2, 6, 24, 120]
    out = derivatives(solved, one, 5)
    np.testing.assert_allclose(out, series * factorials, rtol=1e-12)
    traced = tf.function(solved, autograph=False)
    np.testing.assert_allclose(derivatives(traced, one, 3), out[:4], rtol=1e-12)


def test_derivatives_reach_parameters_of_other_shapes():
    slope = tf.constant([[0.5], [2.0]], tf.float64)
    bend = tf.constant([0.1, 1.0, 3.0], tf.float64)
    target = tf.constant([[1.0, -2.0, 3.0], [0.1, 5.0, -7.0]], tf.float64)

    def gradients(slope, bend, target):
        with tf.GradientTape() as tape:
            tape.watch([slope, bend, target])
            root = roots.solve(cubic, target, parameters=[slope, bend]).root
        return root, tape.gradient(root, [slope, bend, target])

    root, found = gradients(slope, bend, target)
    over = slope + 3.0 * bend * root**2
    wanted = (
        tf.reduce_sum(-root / over, axis=1, keepdims=True),
        tf.reduce_sum(-(root**3) / over, axis=0),
        1.0 / over,
    )
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    # Second derivatives, mixed ones too, against differences of the first.
    step = 1e-5
    with tf.GradientTape() as tape:
        tape.watch([slope, bend, target])
        _, first = gradients(slope, bend, target)
        total = tf.reduce_sum(first[1])
    second = tape.gradient(total, [slope, bend, target])
    changed = gradients(slope + step, bend, target)[1][1]
    changed -= gradients(slope - step, bend, target)[1][1]
    difference = tf.reduce_sum(changed) / (2 * step)
    np.testing.assert_allclose(tf.reduce_sum(second[0]), difference, rtol=1e-6)


@pytest.mark.slow
def test_forward_mode_and_vectorized_maps_agree_with_reverse_mode():
    target = tf.constant([-2.0, 0.3, 10.0], tf.float64)

    def solved(y):
        return roots.solve(cubic, y, parameters=[1.0, 1.0]).root

    root, slope, curvature = derivatives(solved, target, 2)

    def tangents(y):
        with tf.autodiff.ForwardAccumulator(y, tf.ones_like(y)) as forward:
            root, gradient = derivatives(solved, y, 1)
        return forward.jvp(root), forward.jvp(gradient)

    found = tf.function(tangents, autograph=False)(target)
    for one, other in zip(found, (slope, curvature), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    np.testing.assert_allclose(tf.vectorized_map(solved, target), root, rtol=1e-14)


def test_empty_batches_and_unknown_sizes_are_solved():
    empty = roots.solve(hyperbolic, tf.zeros([0, 3]))
    assert empty.root.shape == empty.converged.shape == (0, 3)
    function = tf.function(
        lambda y: roots.solve(hyperbolic, y).root,
        autograph=False,
        input_signature=[tf.TensorSpec(None, tf.float32)],
    )
    for shape in ((), (2,), (0, 2)):
        x = tf.fill(shape, 0.7)
        np.testing.assert_allclose(function(hyperbolic(x)[0]), x, rtol=1e-6)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_roots_that_are_missing_are_counted_and_never_silent(mode):
    def solved(target):
        return roots.root(flat, target)

    if mode != "eager":
        solved = tf.function(solved, autograph=False, jit_compile=mode == "xla")
    found = solved(tf.constant([0.5, np.nan, np.inf], tf.float64))
    np.testing.assert_allclose(found, [0.0, np.nan, np.inf], atol=1e-15)
    target = tf.constant([0.5, 2.0, -1.0], tf.float64)
    if mode == "xla":
        np.testing.assert_allclose(solved(target), [0.0, np.nan, np.nan], atol=1e-15)
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match="must converge") as error:
        solved(target)
    assert "2" in str(error.value)
    assert "3" in str(error.value)


def test_roots_at_the_ends_of_a_bracket_are_found():
    # Rounding leaves the value at the end just below the target.
    target = tf.constant(np.nextafter(np.float32(3.0), np.float32(4.0)))
    found = roots.solve(kinked, target[None], -1.0, 1.0, bracketed=True)
    assert found.converged.numpy()[0]
    assert found.root.numpy()[0] == pytest.approx(1.0)
