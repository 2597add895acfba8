"""Scalar maps with parameters: identity at zero, inverse, and gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfp_flows import bijectors, networks
from tfp_flows.bijectors import transformers
from tfp_flows.math import mixtures

TRANSFORMERS = {
    "additive": bijectors.Additive(),
    "affine": bijectors.Affine(),
    "spline": bijectors.RationalQuadratic(6, -3.0, 3.0),
    "spline-linear": bijectors.RationalQuadratic(4, -3.0, 3.0, tails="linear"),
    "spline-circular": bijectors.RationalQuadratic(4, -3.0, 3.0, tails="circular"),
    "mixture": bijectors.LogisticMixture(4),
    "normal-mixture": bijectors.NormalMixture(4),
    "bernstein": bijectors.Bernstein(6, -3.0, 3.0),
    "circular": bijectors.CircularSpline(4, -3.0, 3.0),
    "sum-of-squares": bijectors.SumOfSquares(2, range_min=-3.0, range_max=3.0),
    "deep-sigmoidal": bijectors.DeepSigmoidal(3),
    "dense-sigmoidal": bijectors.DeepSigmoidal(3, dense=True),
    "monotone-network": bijectors.MonotoneNetwork(3, 12, -3.0, 3.0),
}
X = np.linspace(-6.0, 6.0, 49)


def random_params(transformer, *shape, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return tf.constant(scale * rng.normal(size=(transformer.params_size, *shape)))


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_zeros_are_the_identity(name):
    transformer = TRANSFORMERS[name]
    params = tf.zeros([transformer.params_size, 1], tf.float64)
    for direction in (transformer.forward, transformer.inverse):
        y, log_det = direction(tf.constant(X), params)
        np.testing.assert_allclose(y, X, atol=1e-10)
        np.testing.assert_allclose(log_det, 0.0 * X, atol=1e-10)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_inverse_undoes_forward_and_log_dets_are_those_of_autodiff(name):
    transformer = TRANSFORMERS[name]
    params = random_params(transformer, len(X))
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = transformer.forward(x, params)
    slope = tape.gradient(y, x)
    np.testing.assert_allclose(log_det, np.log(slope), atol=1e-7)
    back, back_log_det = transformer.inverse(y, params)
    if transformer.period is not None:  # both ends are one point
        back = tf.where(np.abs(X) == 3.0, tf.abs(back) * np.sign(X), back)
    np.testing.assert_allclose(back, X, atol=1e-9)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-7)


@pytest.mark.parametrize("name", sorted({*TRANSFORMERS} - {"circular"}))
def test_maps_are_strictly_increasing(name):
    transformer = TRANSFORMERS[name]
    params = random_params(transformer, 1, scale=3.0)
    for direction in (transformer.forward, transformer.inverse):
        y, _ = direction(tf.constant(X), params)
        assert np.all(np.diff(y) > 0.0)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_initial_parameters_are_finite_and_near_the_identity(name):
    transformer = TRANSFORMERS[name]
    initial = transformer.initial()
    assert initial.shape == (transformer.params_size,)
    y, _ = transformer.inverse(tf.constant(X), tf.constant(initial[:, None]))
    assert np.abs(y - X).max() < 3.0


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_configuration_rebuilds_the_transformer(name):
    transformer = TRANSFORMERS[name]
    assert type(transformer)(**transformer.get_config()) == transformer
    assert hash(type(transformer)(**transformer.get_config())) == hash(transformer)


def test_calling_a_transformer_gives_a_bijector():
    affine = bijectors.Affine()
    map_ = affine([[1.0, 0.0], [2.0, 0.5]])
    x = np.array([[0.3, -1.0], [0.0, 2.0], [1.0, 1.0]], "float32")
    scale = np.exp(5.0 * np.tanh([0.0, 0.1]))
    wanted = (x * scale + [1.0, 2.0]).astype("float32")
    np.testing.assert_allclose(map_.forward(x), wanted, atol=1e-5)
    log_det = map_.forward_log_det_jacobian(x, 1)
    np.testing.assert_allclose(log_det, np.full(3, np.log(scale).sum()), atol=1e-5)
    assert map_.experimental_batch_shape() == [2]
    assert map_.forward(np.float32(1.0)).shape == [2]
    with pytest.raises(ValueError, match=r"`params` must .*\(2,\)"):
        affine([[1.0, 0.0, 0.0]])


def test_elementwise_map_with_trainable_parameters():
    params = tf.Variable(np.zeros([3, 2], "float32"))
    map_ = bijectors.Affine()(params)
    assert [id(v) for v in map_.trainable_variables] == [id(params)]
    params.assign_add(tf.ones([3, 2]))
    assert np.abs(map_.forward(tf.zeros(3))).min() == 1.0


def test_scale_of_affine_is_bounded():
    affine = bijectors.Affine(max_log_scale=2.0)
    params = tf.constant([[0.0], [1e30]])
    y, log_det = affine.forward(tf.constant([3.0]), params)
    assert float(log_det[0]) == pytest.approx(2.0)
    assert float(y[0]) == pytest.approx(3.0 * np.exp(2.0), rel=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: bijectors.RationalQuadratic(0), "`num_bins` must be at least 1"),
        (
            lambda: bijectors.RationalQuadratic(4, 1.0, -1.0),
            "`range_min` must be below",
        ),
        (lambda: bijectors.RationalQuadratic(4, tails="no"), "`tails` must be one of"),
        (lambda: bijectors.LogisticMixture(0), "`num_components` must be at least"),
        (lambda: bijectors.Affine(0.0), "`max_log_scale` must be at least"),
        (lambda: bijectors.SumOfSquares(-1), "`degree` must be at least 0"),
        (lambda: bijectors.SumOfSquares(21), "`degree` must be at most 20"),
        (lambda: bijectors.SumOfSquares(2, 0), "`num_squares` must be at least 1"),
        (lambda: bijectors.DeepSigmoidal(0), "`num_units` must be at least 1"),
        (lambda: bijectors.DeepSigmoidal(2, 0), "`num_layers` must be at least 1"),
        (lambda: bijectors.MonotoneNetwork(0), "`num_units` must be at least 1"),
        (lambda: bijectors.MonotoneNetwork(2, 3), "`num_nodes` must be at least 4"),
    ],
)
def test_bad_arguments_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_mixture_is_the_log_odds_of_its_cdf():
    transformer = bijectors.LogisticMixture(3)
    params = random_params(transformer, 1)
    value, _ = transformer.inverse(tf.constant(X), params)
    logits, locations, raw = np.split(params.numpy(), 3)
    weights = np.exp(logits) / np.exp(logits).sum()
    scales = np.exp(raw / (1.0 + np.abs(raw) / 5.0))
    cdf = (weights / (1.0 + np.exp(-(X - locations) / scales))).sum(axis=0)
    np.testing.assert_allclose(value, np.log(cdf) - np.log1p(-cdf), atol=1e-8)


def test_normal_mixture_behind_a_normal_base_has_the_density_of_the_mixture():
    transformer = bijectors.NormalMixture(3)
    params = random_params(transformer, 1)
    z, log_det = transformer.inverse(tf.constant(X), params)
    logits, locations, raw = np.split(params.numpy(), 3)
    weights = np.exp(logits) / np.exp(logits).sum()
    scales = np.exp(raw / (1.0 + np.abs(raw) / 5.0))
    parts = stats.norm(locations, scales)
    np.testing.assert_allclose(
        stats.norm.cdf(z), (weights * parts.cdf(X)).sum(axis=0), atol=1e-12
    )
    log_density = np.log((weights * parts.pdf(X)).sum(axis=0))
    np.testing.assert_allclose(stats.norm.logpdf(z) + log_det, log_density, atol=1e-9)


def test_kernels_stay_where_they_are():
    kernels = transformers.mixtures.KernelMixture((-1.0, 2.0), (0.5, 1.0))
    assert transformers.transformer(repr(kernels)) == kernels
    params = random_params(kernels, len(X))
    z, log_det = kernels.inverse(tf.constant(X), params)
    weights = np.exp(params) / np.exp(params).sum(axis=0)
    places, widths = np.array([[-1.0, -1.0, 2.0, 2.0], [0.5, 1.0, 0.5, 1.0]])[..., None]
    log_density = np.log((weights * stats.norm.pdf(X, places, widths)).sum(axis=0))
    np.testing.assert_allclose(stats.norm.logpdf(z) + log_det, log_density, atol=1e-9)
    np.testing.assert_allclose(kernels.forward(z, params)[0], X, atol=1e-9)
    for wrong in ({"centers": ()}, {"scales": (0.0,)}):
        with pytest.raises(ValueError, match="must be a tuple of numbers"):
            transformers.mixtures.KernelMixture(**wrong)


@pytest.mark.parametrize("kind", ["LogisticMixture", "NormalMixture"])
def test_implicit_gradient_of_the_mixture_equals_finite_differences(kind):
    transformer = getattr(bijectors, kind)(3)
    y = tf.constant([-4.0, -0.3, 0.0, 1.7], tf.float64)
    params = random_params(transformer, 4, seed=2)
    weights = tf.constant([1.0, -2.0, 0.5, 3.0], tf.float64)

    def total(y, params):
        x, log_det = transformer.forward(y, params)
        return tf.reduce_sum(weights * x) + tf.reduce_sum(tf.square(log_det))

    with tf.GradientTape() as tape:
        tape.watch([y, params])
        value = total(y, params)
    found = tape.gradient(value, [y, params])
    step = 1e-6
    for i, target in enumerate((y, params)):
        wanted = np.zeros(target.shape)
        for place in np.ndindex(*target.shape):
            move = np.zeros(target.shape)
            move[place] = step
            moved = [[y, params], [y, params]]
            moved[0][i], moved[1][i] = target + move, target - move
            difference = total(*moved[0]) - total(*moved[1])
            wanted[place] = float(difference) / (2 * step)
        np.testing.assert_allclose(found[i], wanted, atol=1e-5)


def test_mixture_has_linear_tails_and_no_saturation():
    transformer = bijectors.LogisticMixture(3)
    params = tf.cast(random_params(transformer, 1), tf.float32)
    far = tf.constant([-1e6, -1e3, 1e3, 1e6], tf.float32)
    z, log_det = transformer.inverse(far, params)
    assert np.all(np.isfinite(z))
    assert np.all(np.isfinite(log_det))
    back, _ = transformer.forward(z, params)
    np.testing.assert_allclose(back, far, rtol=1e-5)


def test_root_search_of_a_mixture_agrees_for_components_far_apart():
    log_weights = tf.math.log(tf.constant([[0.5], [0.5]], tf.float64))
    locations = tf.constant([[-50.0], [50.0]], tf.float64)
    log_scales = tf.constant([[-3.0], [-3.0]], tf.float64)
    y = tf.constant([-5.0, -1e-3, 0.0, 1e-3, 5.0], tf.float64)
    x, _ = mixtures.logit_cdf_inverse(y, log_weights, locations, log_scales)
    again, _ = mixtures.logit_cdf(x, log_weights, locations, log_scales)
    np.testing.assert_allclose(again, y, atol=1e-9)


def test_conditional_elementwise_map_depends_on_the_condition_only():
    transformer = bijectors.Affine()
    net = networks.MLP(0, (2, 2), (8,), condition_shape=1, dtype="float64", seed=0)
    net.weights[-2].assign(np.random.default_rng(0).normal(size=(4, 8)))
    map_ = bijectors.ConditionalElementwise(transformer, net)
    x = np.random.default_rng(1).normal(size=(6, 2))
    condition = np.linspace(-1.0, 1.0, 6)[:, None]
    y = map_.forward(x, condition=condition)
    back = map_.inverse(tf.identity(y), condition=condition)
    np.testing.assert_allclose(back, x, atol=1e-9)
    shift = map_.forward(0.0 * x, condition=condition)
    assert np.abs(np.diff(shift, axis=0)).min() > 0.0
    with pytest.raises(ValueError, match="`conditioner` must have input size 0"):
        bijectors.ConditionalElementwise(transformer, networks.MLP(1, (2, 2), (8,)))


@pytest.mark.parametrize("num_bins", [8, 32])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_splines_of_every_scalar_are_precise_near_the_centre(num_bins, direction):
    spline = bijectors.RationalQuadratic(num_bins)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, 20_000).astype(np.float32)
    logits = 0.3 * rng.standard_normal((spline.params_size, x.size))
    logits = logits.astype(np.float32)
    got, want = (
        getattr(spline, direction)(tf.cast(x, dtype), tf.cast(logits, dtype))[0]
        for dtype in (tf.float32, tf.float64)
    )
    error = np.abs(got.numpy() - want.numpy())
    assert np.sqrt(np.mean(error**2)) < 2e-7  # sums of bins from one end: 4e-7
    assert error.max() < 1e-6


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_are_saved_by_their_fields(name):
    transformer = TRANSFORMERS[name]
    config = keras.saving.serialize_keras_object(transformer)
    assert keras.saving.deserialize_keras_object(config) == transformer
    assert transformers.transformer(config) == transformer
    assert transformers.transformer(repr(transformer)) == transformer


def test_transformers_have_names():
    named = transformers.transformer
    assert named("bernstein") == bijectors.Bernstein()
    assert named("logistic-mixture") == bijectors.LogisticMixture()
    assert named("Affine(max_log_scale=3)") == bijectors.Affine(3)
    for wrong in ("afine", "Transformer", "Affine(x)", "Affine(1", "Affine(1); f()"):
        with pytest.raises(ValueError, match="`map` must be one of Additive, Affine"):
            named(wrong, "map")
    with pytest.raises(TypeError, match="`transformer` must be a Transformer"):
        named(3)
