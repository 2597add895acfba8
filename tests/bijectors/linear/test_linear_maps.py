"""Linear maps: what all of them keep, permutations, and triangular factors."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows.bijectors.elementwise import prelu
from tfp_flows.bijectors.linear import (
    householder,
    lu,
    orthogonal,
    permutation,
    triangular,
)
from tfp_flows.math.linear import products
from tfp_flows.testing import perturb

LU = lu.LU
Permutation = permutation.Permutation
HouseholderProduct = householder.HouseholderProduct
Orthogonal = orthogonal.Orthogonal
TriangularAffine = triangular.TriangularAffine
LowRankAffine = triangular.LowRankAffine


def normal(*shape, seed=0, dtype=tf.float64):
    return tf.random.stateless_normal(shape, [seed, 1], dtype=dtype)


def jacobian_log_det(bijector, x):
    """Return log|det| of the autodiff Jacobian, for events `[N, D]`."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = bijector.forward(x)
    return np.linalg.slogdet(tape.batch_jacobian(y, x))[1]


def build(kind, size, batch=()):
    """Return a map with random parameters in float64."""
    if kind == "lu":
        return LU(
            normal(*batch, size, size, seed=1),
            normal(*batch, size, size, seed=2),
            normal(*batch, size, seed=3),
            signs=-tf.ones([size], tf.float64),
            permutation=permutation.random_permutation(size, seed=1),
            shift=normal(size, seed=4),
        )
    if kind in ("lower", "upper"):
        return TriangularAffine(
            normal(*batch, size, size, seed=1),
            normal(*batch, size, seed=2),
            shift=normal(size, seed=3),
            lower=kind == "lower",
        )
    if kind == "low_rank":
        return LowRankAffine(
            normal(*batch, size, size, seed=1),
            normal(size, seed=2),
            normal(*batch, size, 2, seed=3),
            normal(size, 2, seed=4),
        )
    if kind == "householder":
        return HouseholderProduct(normal(*batch, 3, size, seed=1))
    return Orthogonal(normal(*batch, size * (size - 1) // 2, seed=1))


KINDS = ["lu", "lower", "upper", "low_rank", "householder", "orthogonal"]


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_inverse_undoes_forward_and_log_det_is_that_of_autodiff(kind, size):
    bijector, x = build(kind, size), normal(7, size, seed=9)
    y = tf.identity(bijector.forward(x))
    np.testing.assert_allclose(bijector.inverse(y), x, atol=1e-9)
    log_det = bijector.forward_log_det_jacobian(tf.identity(x))
    np.testing.assert_allclose(log_det, jacobian_log_det(bijector, x), atol=1e-7)
    inverse = bijector.inverse_log_det_jacobian(tf.identity(y))
    np.testing.assert_allclose(inverse, -log_det, atol=1e-9)


@pytest.mark.parametrize("batch", [(2,), (5, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_parameters_broadcast_against_events(kind, batch):
    size = 3
    bijector = build(kind, size, batch)
    assert tuple(bijector.experimental_batch_shape()) == batch
    for leading in [(), (1,), batch, (4, *batch), (3, 4, *batch)]:
        x = normal(*leading, size, seed=9)
        y = tf.identity(bijector.forward(x))
        full = np.broadcast_shapes(leading, batch)
        assert y.shape == (*full, size)
        log_det = bijector.forward_log_det_jacobian(tf.identity(x))
        assert log_det.shape == full
        x = np.broadcast_to(x, y.shape)
        np.testing.assert_allclose(bijector.inverse(y), x, atol=1e-8)
    # The last batch member alone gives the same numbers.
    one = {
        key: value[(-1,) * len(batch)]
        for key, value in bijector.parameters.items()
        if tf.is_tensor(value) and value.shape[: len(batch)] == batch
    }
    alone = bijector.copy(**one)
    expected = alone.forward(x[..., -1, :] if len(batch) == 1 else x[..., -1, -1, :])
    found = y[..., -1, :] if len(batch) == 1 else y[..., -1, -1, :]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_events_of_unknown_rank_are_mapped(kind):
    for batch in [(), (2,)]:
        bijector = build(kind, 3, batch)

        @tf.function(input_signature=[tf.TensorSpec(None, tf.float64)], autograph=False)
        def both(x, bijector=bijector):
            y = bijector.forward(x)
            return y, bijector.forward_log_det_jacobian(x, event_ndims=1)

        for leading in [(), (2,), (3, 2)]:
            x = normal(*leading, 3, seed=9)
            y, log_det = both(x)
            np.testing.assert_allclose(y, bijector.forward(x), atol=1e-12)
            expected = bijector.forward_log_det_jacobian(x)
            np.testing.assert_allclose(log_det, expected, atol=1e-12)


IDENTITIES = {
    "lu": lambda: LU.trainable(4),
    "triangular_affine": lambda: TriangularAffine.trainable(4),
    "low_rank_affine": lambda: LowRankAffine.trainable(4, rank=2, seed=1),
    "householder_product": lambda: HouseholderProduct.trainable(4, 6, seed=1),
    "orthogonal": lambda: Orthogonal.trainable(4),
    "prelu": lambda: prelu.PReLU.trainable(4),
}


@pytest.mark.parametrize("name", list(IDENTITIES))
def test_trainable_maps_start_as_the_identity_and_learn(name):
    bijector = IDENTITIES[name]()
    x = normal(5, 4, dtype=tf.float32)
    np.testing.assert_allclose(bijector.forward(x), x, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(bijector.forward(x) * normal(5, 4, seed=3, dtype=x.dtype))
    gradients = tape.gradient(loss, bijector.trainable_variables)
    assert gradients
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
    assert any(np.any(np.abs(gradient) > 1e-3) for gradient in gradients)


@pytest.mark.parametrize("name", list(IDENTITIES))
def test_trainable_maps_are_arguments_of_compiled_functions(name):
    bijector = IDENTITIES[name]()
    perturb(bijector, 0.3, seed=1)

    @tf.function(jit_compile=True, autograph=False)
    def log_prob(bijector, y):
        x = bijector.inverse(y)
        log_det = bijector.inverse_log_det_jacobian(y, event_ndims=1)
        return log_det - 0.5 * tf.reduce_sum(tf.square(x), axis=-1)

    y = normal(5, 4, dtype=tf.float32)
    log_det = bijector.inverse_log_det_jacobian(y, event_ndims=1)
    square = tf.reduce_sum(tf.square(bijector.inverse(tf.identity(y))), axis=-1)
    expected = log_det - 0.5 * square
    np.testing.assert_allclose(log_prob(bijector, y), expected, atol=1e-4)


# Permutation


def test_permutation_agrees_with_tfb_and_its_gradient_is_the_inverse():
    places = permutation.random_permutation(6, seed=3)
    bijector, x = Permutation(places), normal(4, 6)
    expected = tfb.Permute(tf.constant(places)).forward(x)
    np.testing.assert_array_equal(bijector.forward(x), expected)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(bijector.forward(x) * tf.range(6.0, dtype=x.dtype))
    expected = np.broadcast_to(np.argsort(places), x.shape)
    np.testing.assert_array_equal(tape.gradient(loss, x), expected)


def test_permutation_log_det_is_exactly_zero():
    log_det = Permutation.random(5, seed=1).forward_log_det_jacobian(normal(3, 5))
    np.testing.assert_array_equal(log_det, np.zeros(3))


def test_random_permutations_follow_their_seed():
    first, again = (Permutation.random(20, seed=4).permutation for _ in range(2))
    assert first == again
    assert first != Permutation.random(20, seed=5).permutation
    assert Permutation.reverse(3).permutation == (2, 1, 0)


@pytest.mark.parametrize("bad", [(0, 0), (1, 2), (), (0.0, 1.0), ((0, 1),), (-1, 0)])
def test_what_is_no_permutation_is_an_error(bad):
    with pytest.raises(ValueError, match="`permutation` must hold each of 0, "):
        Permutation(bad)


# LU and triangular matrices


@pytest.mark.colab
def test_lu_agrees_with_tfb_and_with_its_dense_matrix():
    matrix = normal(4, 4, seed=5)
    factors, places = tf.linalg.lu(matrix)
    diagonal = tf.linalg.diag_part(factors)
    log_diagonal = tf.math.log(tf.abs(diagonal))
    bijector = LU(
        factors,
        factors,
        log_diagonal,
        signs=tf.sign(diagonal),
        permutation=places.numpy(),
    )
    np.testing.assert_allclose(bijector.matrix(), matrix, atol=1e-12)
    x = normal(3, 4)
    theirs = tfb.ScaleMatvecLU(factors, places)
    np.testing.assert_allclose(bijector.forward(x), theirs.forward(x), atol=1e-12)
    np.testing.assert_allclose(
        bijector.forward(x), x @ tf.transpose(matrix), atol=1e-12
    )
    expected = tf.linalg.slogdet(matrix)[1] * tf.ones([3], tf.float64)
    np.testing.assert_allclose(
        bijector.forward_log_det_jacobian(x), expected, atol=1e-9
    )


@pytest.mark.parametrize("size", [1, 2, 16])
def test_lu_orthogonal_start_is_a_rotation(size):
    bijector = LU.trainable(size, init="orthogonal", seed=2, dtype=tf.float64)
    matrix = bijector.matrix()
    gram = tf.matmul(matrix, matrix, transpose_a=True)
    np.testing.assert_allclose(gram, np.eye(size), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0, atol=1e-12)
    log_det = bijector.forward_log_det_jacobian(normal(2, size))
    np.testing.assert_allclose(log_det, 0.0, atol=1e-12)


def test_random_rotations_are_uniform():
    # Under the Haar measure the mean is 0 and squared elements average 1 / D.
    draws = np.stack([lu.random_rotation(3, seed=seed) for seed in range(400)])
    np.testing.assert_allclose(draws.mean(0), 0.0, atol=0.12)
    np.testing.assert_allclose((draws**2).mean(0), 1 / 3, atol=0.06)


def test_lu_starts_at_a_given_matrix():
    matrix = [[0.0, 2.0], [-3.0, 1.0]]
    bijector = LU.trainable(2, init=matrix, dtype=tf.float64)
    np.testing.assert_allclose(bijector.matrix(), matrix, atol=1e-12)
    assert len(bijector.trainable_variables) == 4
    assert [v.name for v in bijector.variables if not v.trainable] == ["lu/signs:0"]


def test_lu_from_the_identity_permutes_nothing():
    assert LU.trainable(3).permutation is None
    assert LU.trainable(3, init="orthogonal", seed=1).permutation is not None


def test_lu_is_a_convolution_of_images():
    bijector = LU.trainable(3, init="orthogonal", seed=1, dtype=tf.float64)
    bijector.log_diagonal.assign_add([0.1, 0.2, 0.3])
    x = normal(2, 4, 5, 3)
    y = tf.nn.conv2d(x, tf.transpose(bijector.matrix())[None, None], 1, "SAME")
    np.testing.assert_allclose(bijector.forward(x), y, atol=1e-12)
    log_det = bijector.forward_log_det_jacobian(tf.identity(x), event_ndims=3)
    bounded = products.bounded_log_scale(bijector.log_diagonal)
    np.testing.assert_allclose(log_det, 20 * tf.reduce_sum(bounded) * np.ones(2))
    for _ in range(3):
        np.testing.assert_allclose(bijector.inverse(tf.identity(y)), x, atol=1e-12)


def test_triangular_affine_agrees_with_tfb():
    strict, log_diagonal = normal(4, 4, seed=1), normal(4, seed=2)
    x = normal(3, 4)
    scale_tril = tf.linalg.set_diag(
        tf.linalg.band_part(strict, -1, 0), tf.exp(log_diagonal)
    )
    theirs = tfb.Shift(normal(4, seed=5))(tfb.ScaleMatvecTriL(scale_tril))
    bijector = TriangularAffine(strict, log_diagonal, shift=normal(4, seed=5))
    np.testing.assert_allclose(bijector.forward(x), theirs.forward(x), atol=1e-12)
    y = normal(3, 4, seed=7)
    np.testing.assert_allclose(bijector.inverse(y), theirs.inverse(y), atol=1e-10)
    expected = theirs.inverse_log_det_jacobian(y, 1) * tf.ones([3], tf.float64)
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(y), expected)


@pytest.mark.parametrize("kind", ["lower", "low_rank"])
def test_affine_maps_of_a_normal_are_the_known_gaussian(kind):
    bijector = build(kind, 3)
    matrix = bijector.matrix()
    shift = tf.zeros([3], tf.float64) if bijector.shift is None else bijector.shift
    normal_base = tfd.MultivariateNormalDiag(tf.zeros([3], tf.float64))
    found = tfd.TransformedDistribution(normal_base, bijector)
    expected = tfd.MultivariateNormalFullCovariance(
        shift, tf.matmul(matrix, matrix, transpose_b=True)
    )
    y = normal(5, 3, seed=8)
    np.testing.assert_allclose(found.log_prob(y), expected.log_prob(y), atol=1e-8)


def test_determinant_lemma_gives_gradients_of_the_dense_determinant():
    bijector = build("low_rank", 3)
    parts = [
        bijector.off_diagonal,
        bijector.log_diagonal,
        bijector.left,
        bijector.right,
    ]

    def ours(*parts):
        return LowRankAffine(*parts).forward_log_det_jacobian(normal(3))

    def dense(*parts):
        return tf.linalg.slogdet(LowRankAffine(*parts).matrix())[1]

    found = tfp.math.value_and_gradient(ours, parts)
    expected = tfp.math.value_and_gradient(dense, parts)
    for ours_, dense_ in zip(tf.nest.flatten(found), tf.nest.flatten(expected)):  # noqa: B905
        np.testing.assert_allclose(ours_, dense_, atol=1e-9)


def test_log_scales_are_softly_bounded_where_asked():
    raw = tf.constant([-1e30, -2.0, 0.0, 1e-3, 2.0, 1e30])
    bounded = products.bounded_log_scale(raw, 5.0)
    assert np.all(np.abs(bounded) <= 5.0)
    np.testing.assert_allclose(bounded[2:4], raw[2:4], rtol=1e-6)
    assert products.bounded_log_scale(raw, None) is raw
    back = products.unbounded_log_scale(bounded[1:-1], 5.0)
    np.testing.assert_allclose(back, raw[1:-1], rtol=1e-5)
    bijector = TriangularAffine.trainable(2)
    bijector.log_diagonal.assign([100.0, -100.0])
    scales = tf.linalg.diag_part(bijector.matrix())
    np.testing.assert_allclose(scales, np.exp([5.0, -5.0]), rtol=1e-5)


def test_triangular_map_is_exact_in_float32_far_out():
    bijector = TriangularAffine.trainable(8)
    perturb(bijector, 0.3, seed=1)
    x = 1e6 * normal(20, 8, dtype=tf.float32)
    y = tf.identity(bijector.forward(x))
    size = np.max(np.abs(y), axis=-1, keepdims=True)
    assert np.max(np.abs(bijector.inverse(y) - x) / size) < 1e-5


# Arguments


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LU(tf.eye(2), tf.eye(3), tf.zeros([3])), "`lower` must have trailing"),
        (lambda: LU(tf.eye(3), tf.eye(2), tf.zeros([3])), "`upper` must have trailing"),
        (lambda: LU(tf.eye(2), tf.eye(2), 0.0), "`log_diagonal` must have a last dim"),
        (
            lambda: LU(tf.eye(2), tf.eye(2), tf.zeros([2]), permutation=[0, 2, 1]),
            "`permutation` must have 2 elements",
        ),
        (lambda: LU.trainable(2, init="haar"), "`init` must be one of 'identity'"),
        (lambda: LU.trainable(2, init=np.eye(3)), r"`init` must be a matrix of shape"),
        (lambda: LU.trainable(2, init=np.ones([2, 2])), "`init` must be an invertible"),
        (lambda: LU.trainable(0), "`size` must be at least 1"),
        (
            lambda: TriangularAffine(tf.eye(2), tf.zeros([2]), shift=tf.zeros([1])),
            "`shift` must have trailing shape",
        ),
        (
            lambda: LowRankAffine(
                tf.eye(2), tf.zeros([2]), tf.zeros([2, 1]), tf.zeros([2, 2])
            ),
            "`right` must have trailing shape",
        ),
        (lambda: HouseholderProduct([1.0, 2.0]), r"`vectors` must have shape \[..., M"),
        (lambda: Orthogonal([1.0, 2.0]), r"`skew` must have D \* \(D - 1\) / 2 elem"),
        (lambda: prelu.LeakyReLU(0.0), "`negative_slope` must be positive"),
        (lambda: prelu.LeakyReLU(-1), "`negative_slope` must be positive"),
        (lambda: prelu.PReLU([0.0], max_log_scale=0.0), "`max_log_scale` must be at"),
        (
            lambda: TriangularAffine.trainable(2).forward(tf.zeros([4, 1])),
            "`x` must have trailing shape",
        ),
        (
            lambda: prelu.PReLU.trainable(2).forward(tf.zeros([4, 1])),
            "`x` must have trailing shape",
        ),
    ],
)
def test_wrong_arguments_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_integer_parameters_are_a_type_error():
    with pytest.raises(TypeError, match="needs float32 or float64"):
        Orthogonal(tf.constant([1]))


def test_copies_share_variables_and_change_arguments():
    bijector = LU.trainable(2)
    copy = bijector.copy(max_log_scale=None)
    assert copy.lower is bijector.lower
    assert (bijector.max_log_scale, copy.max_log_scale) == (5.0, None)
