"""Dense layers with random weights: divergences, draws, files, closed forms."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import models

KINDS = [models.DenseReparameterization, models.MultiplicativeDense]
NOISE = 2.0


def trained(layer, x, y, steps):
    """Fit one layer to Gaussian targets, and return its loss in nats over all rows."""
    count = len(x)
    model = keras.Sequential([keras.Input((x.shape[1],)), layer])
    rate = keras.optimizers.schedules.CosineDecay(0.03, steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)

    @tf.function
    def loss():
        away = (y - model(x, training=True)) / NOISE
        log_prob = -0.5 * away**2 - np.log(NOISE) - 0.5 * np.log(2 * np.pi)
        return count * (tf.add_n(model.losses) - tf.reduce_mean(log_prob))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(found, model.trainable_variables, strict=True))

    for _ in range(steps):
        step()
    return np.mean([loss() for _ in range(200)])


def regression(correlation):
    """Return rows, targets, mean and precision of weights, and the log-evidence."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    x[:, 1] -= x[:, 0] * (x[:, 0] @ x[:, 1]) / (x[:, 0] @ x[:, 0])
    x[:, 1] = correlation * x[:, 0] + np.sqrt(1.0 - correlation**2) * x[:, 1]
    y = x @ np.array([[1.0], [-0.5]]) + NOISE * rng.normal(size=(200, 1))
    x, y = x.astype("float32"), y.astype("float32")
    precision = np.eye(2) + x.T @ x / NOISE**2
    mean = np.linalg.solve(precision, x.T @ y / NOISE**2)[:, 0]
    covariance = NOISE**2 * np.eye(200) + x @ x.T
    fit = y[:, 0] @ np.linalg.solve(covariance, y[:, 0])
    log_det = np.linalg.slogdet(2.0 * np.pi * covariance)[1]
    return x, y, mean, precision, -0.5 * (fit + log_det)


def test_mean_field_is_the_posterior_where_columns_are_orthogonal():
    x, y, mean, precision, evidence = regression(0.0)
    layer = models.DenseReparameterization(
        1, kl_weight=1 / len(x), use_bias=False, seed=0
    )
    loss = trained(layer, x, y, 1_000)
    found = np.exp(layer.kernel_log_scale.numpy()[:, 0])
    np.testing.assert_allclose(layer.kernel.numpy()[:, 0], mean, atol=0.06)
    np.testing.assert_allclose(found, np.diag(precision) ** -0.5, rtol=0.25)
    assert abs(-loss - evidence) < 0.5


@pytest.mark.slow
def test_factors_with_a_flow_come_closer_to_a_correlated_posterior():
    x, y, _, precision, evidence = regression(0.97)
    # What independent weights reach at best, from the closed form.
    _, log_det = np.linalg.slogdet(precision)
    independent = evidence + 0.5 * (log_det - np.log(np.diag(precision)).sum())
    layer = models.MultiplicativeDense(1, kl_weight=1 / len(x), use_bias=False, seed=0)
    bound = -trained(layer, x, y, 1_500)
    assert independent + 0.2 < bound < evidence + 0.15


def test_divergence_is_that_of_normals():
    layer = models.DenseReparameterization(2, kl_weight=0.1, prior_scale=2.0, seed=0)
    layer(np.zeros([4, 3], "float32"))
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in layer.weights[:4]]
    layer.set_weights(weights)
    layer(np.zeros([4, 3], "float32"))
    wanted = 0.0
    for mean, log_scale in ((weights[0], weights[1]), (weights[2], weights[3])):
        ratio = np.exp(log_scale) / 2.0
        wanted += np.sum(0.5 * (ratio**2 + (mean / 2.0) ** 2 - 1.0) - np.log(ratio))
    np.testing.assert_allclose(layer.losses[0], 0.1 * wanted, rtol=1e-5)


def test_bound_of_untrained_factors_has_a_closed_form():
    layer = models.MultiplicativeDense(2, kl_weight=1.0, use_bias=False, seed=0)
    layer(np.zeros([20_000, 3], "float32"))
    kernel, scale, factor = layer.kernel.numpy(), 0.05, 0.05
    # Factors are normal around 1, and r is a standard normal.
    weights = 0.5 * (scale**2 - 1.0) * kernel.size - np.log(scale) * kernel.size
    weights += 0.5 * (1.0 + factor**2) * np.sum(kernel**2)
    factors = 3 * (0.5 * (1.0 + factor**2) - 0.5 - np.log(factor))
    np.testing.assert_allclose(layer.losses[0], weights + factors, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_layers_train_by_fit_under_xla_and_load_as_they_were(kind, tmp_path):
    rng = np.random.default_rng(0)
    more = {} if kind is KINDS[0] else {"num_layers": 1, "hidden_units": (8,)}
    x, y = rng.normal(size=(64, 3)), rng.normal(size=(64, 1))
    model = keras.Sequential(
        [
            keras.Input((3,)),
            kind(4, "tanh", kl_weight=1 / 64, seed=0, **more),
            kind(1, kl_weight=1 / 64, seed=1, **more),
        ]
    )
    model.compile("adam", loss="mse", jit_compile=True)
    before = [w.numpy() for w in model.trainable_variables]
    model.fit(x, y, epochs=2, batch_size=64, verbose=0)
    assert all(
        not np.array_equal(old, new)
        for old, new in zip(before, model.trainable_variables, strict=True)
        if old.size > 1 and "auxiliary" not in new.path
    )
    path = tmp_path / "network.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    first, second = (models.predictive_draws(m, x, 3, seed=1) for m in (model, loaded))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("local", [True, False])
def test_draws_scatter_as_the_weights(local):
    layer = models.DenseReparameterization(
        1, kl_weight=0.1, initial_scale=0.3, local=local, seed=0
    )
    model = keras.Sequential([keras.Input((2,)), layer])
    x = np.array([[0.0, 0.0], [3.0, -4.0]])
    draws = models.predictive_draws(model, x, 400, seed=1)[..., 0]
    np.testing.assert_allclose(draws.std(axis=0), [0.3, 0.3 * 26**0.5], rtol=0.15)
    one = np.array([1.0, 1.0]) * np.ones([500, 1])
    assert (np.ptp(models.predictive_draws(model, one, 1)[0]) > 0) == local


@pytest.mark.parametrize("kind", KINDS)
def test_means_are_an_answer_without_noise(kind):
    layer = kind(2, kl_weight=0.1, inference="mean", seed=0)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    first, second = layer(x, training=False), layer(x, training=False)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, x @ layer.kernel.numpy(), atol=1e-5)
    assert not np.array_equal(layer(x, training=True), first)
    with pytest.raises(ValueError, match="got only means"):
        models.predictive_draws(keras.Sequential([keras.Input((3,)), layer]), x)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_types(kind):
    layer = kind(2, kl_weight=0.1, seed=0)
    assert layer(np.zeros([3, 4, 1], "float32")).shape == (3, 4, 2)
    assert layer(np.zeros([0, 1], "float32")).shape == (0, 2)
    assert np.isfinite(layer.losses[-1])
    wide = kind(2, kl_weight=0.1, seed=0, dtype="float64")
    assert wide(np.zeros([3, 2])).dtype == tf.float64
    mixed = kind(2, kl_weight=0.1, seed=0, dtype="mixed_float16")
    assert mixed(np.zeros([3, 2], "float16")).dtype == tf.float16
    assert mixed.losses[0].dtype == tf.float32
    assert layer.compute_output_shape((None, 3, 1)) == (None, 3, 2)


def test_rows_of_zeros_have_finite_slopes():
    layer = models.DenseReparameterization(2, kl_weight=0.1, use_bias=False, seed=0)
    x = tf.zeros([3, 2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(layer(x))
    slopes = tape.gradient(value, [x, *[v.value for v in layer.trainable_variables]])
    assert all(np.all(np.isfinite(slope)) for slope in slopes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"units": 0}, "`units` must be at least 1, got 0"),
        ({"kl_weight": -1.0}, "`kl_weight` must be at least 0"),
        ({"prior_scale": 0.0}, "`prior_scale` must be above 0 and finite, got 0.0"),
        ({"initial_scale": np.inf}, "`initial_scale` must be above 0 and finite"),
        ({"inference": "median"}, "`inference` must be one of 'draw', 'mean'"),
    ],
)
def test_bad_arguments_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        models.DenseReparameterization(**{"units": 2, "kl_weight": 0.1, **given})


def test_bad_flows_and_inputs_are_named():
    with pytest.raises(ValueError, match="`auxiliary_flow` must be one of 'nice'"):
        models.MultiplicativeDense(2, kl_weight=0.1, auxiliary_flow="mafia")
    layer = models.DenseReparameterization(2, kl_weight=0.1)
    with pytest.raises(ValueError, match=r"inputs must be \[..., D\] with a known D"):
        layer.build((None, None))
    with pytest.raises(ValueError, match="no layer with random weights"):
        models.predictive_draws(
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
            np.ones([3, 2]),
        )
