"""Glow: bits per dimension, noise, temperature, training, files, and its options."""

from __future__ import annotations

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import bijectors, flows

SHAPE = (4, 4, 1)
TINY = {"num_steps": 1, "hidden_units": (4,), "seed": 0}


def pictures(count=40, shape=SHAPE, seed=0):
    """Return images of a gradient that starts anywhere, with one constant pixel."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 60, int(np.prod(shape))).reshape(shape)
    x = rng.uniform(20, 180, size=(count, 1, 1, 1)) + ramp
    x = np.clip(x + rng.normal(size=x.shape), 0, 255).astype("uint8")
    x[:, 0, 0] = 0
    return x


def build(condition_shape=None, **options):
    return flows.build("glow", SHAPE, condition_shape, **{**TINY, **options})


@pytest.fixture(scope="module")
def flow():
    """Return a flow adapted to the pictures, its weights off the start."""
    out = build()
    out.adapt(pictures())
    return small.perturbed(out, 0.1)


def test_bits_per_dim_is_the_density_of_pixels_with_noise(flow):
    x = pictures(5)
    noisy = flow.dequantize(x, seed=3)
    assert 0.0 <= np.min(noisy - x) < np.max(noisy - x) < 1.0
    # By hand: the base density and the log-det of the map on raw pixels.
    z = flow.bijector().inverse(noisy).numpy().astype("float64")
    log_det = flow.bijector().inverse_log_det_jacobian(tf.identity(noisy), 3)
    nats = -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=(1, 2, 3)) + log_det
    np.testing.assert_allclose(flow.log_prob(noisy), nats, rtol=1e-5)
    # Both halves of the definition: the noise of the seed, and the unit.
    found = flow.bits_per_dim(x, seed=3)
    assert found.shape == (5,)
    draws = [flow.bits_per_dim(x, seed=s).mean() for s in range(20)]
    bits = [-flow.log_prob(flow.dequantize(x, seed=s)) for s in range(20)]
    expected = np.mean(bits) / (16 * np.log(2))
    np.testing.assert_allclose(np.mean(draws), expected, rtol=0.02)


def test_bits_per_dim_without_noise_equals_a_direct_computation():
    flow = build(dequantize=False, dtype="float64")
    x = pictures(7).astype("float64") + 0.5
    flow.adapt(x)
    expected = -flow.log_prob(x).numpy() / (16 * np.log(2.0))
    np.testing.assert_allclose(flow.bits_per_dim(x), expected, rtol=1e-12)
    parts = flow.bits_per_dim(x, batch_size=2)
    np.testing.assert_allclose(parts, expected, rtol=1e-12)


def test_more_draws_of_the_noise_tighten_the_bound():
    # Near black, the logit makes the density vary over the noise of a pixel.
    flow, x = build(logit_alpha=1e-6), np.zeros([10, *SHAPE])
    one = np.mean([flow.bits_per_dim(x, seed=s).mean() for s in range(8)])
    assert flow.bits_per_dim(x, num_samples=8).mean() < one - 0.1


@pytest.mark.colab
@pytest.mark.parametrize("alpha", [None, 0.05])
def test_uniform_pixels_take_eight_bits_at_best(alpha):
    x = np.random.default_rng(0).integers(0, 256, size=(200, *SHAPE))
    flow = build(logit_alpha=alpha)
    flow.adapt(x)
    assert 8.0 < flow.bits_per_dim(x).mean() < 9.0


def test_adapt_normalises_the_channels_of_every_level():
    flow, x = build(), pictures(256)
    flow.adapt(x)
    multi, pixels = flow.bijector().bijectors[::-1]
    y = pixels.inverse(flow.dequantize(x, [flow._noise_seed, 0]))
    for level in multi.levels:
        y = tf.nn.space_to_depth(y, 2)
        norm = level.bijectors[0]
        assert isinstance(norm, bijectors.ActNorm)
        z = norm.inverse(y).numpy()
        np.testing.assert_allclose(z.mean((0, 1, 2)), 0.0, atol=1e-4)
        np.testing.assert_allclose(z.std((0, 1, 2)), 1.0, atol=1e-4)
        y = level.inverse(y)[..., : y.shape[-1] // 2]


@pytest.mark.parametrize("coupling", ["affine", "spline", "additive"])
def test_inverse_returns_the_images(coupling):
    flow = build(coupling=coupling, num_steps=2, residual=True, hidden_units=(4, 4))
    x = pictures(64)
    flow.adapt(x)
    small.perturbed(flow, 0.1)
    y = flow.dequantize(x, 0)
    z = flow.bijector().inverse(y)
    back = flow.bijector().forward(tf.identity(z))
    np.testing.assert_allclose(back / 256.0, y / 256.0, atol=1e-5)


@pytest.mark.parametrize("image", [np.zeros(SHAPE), np.full(SHAPE, 255.0)])
def test_flat_images_and_a_batch_of_one_break_nothing(image):
    flow = build()
    flow.adapt(image[np.newaxis])
    assert np.isfinite(flow.log_prob(image))
    assert np.isfinite(flow.bits_per_dim(image[np.newaxis])).all()
    assert np.isfinite(flow.sample(2, seed=0)).all()


def test_temperature_scales_the_latent_numbers(flow):
    cold = flow.sample(50, seed=1, temperature=0.3)
    warm = flow.sample(50, seed=1)
    z_cold, z_warm = (flow.bijector().inverse(tf.identity(x)) for x in (cold, warm))
    np.testing.assert_allclose(z_cold, 0.3 * z_warm, atol=1e-3)
    mode = flow.sample((2, 3), seed=1, temperature=0.0)
    assert mode.shape.as_list() == [2, 3, *SHAPE]
    assert np.ptp(mode, axis=(0, 1)).max() < 1e-3
    np.testing.assert_array_equal(flow.sample(50, seed=1, temperature=0.3), cold)
    twin = copy.deepcopy(flow)
    np.testing.assert_array_equal(twin.sample(50, seed=1, temperature=0.3), cold)
    with pytest.raises(ValueError, match="`temperature` must be at least 0"):
        flow.sample(2, temperature=-1.0)


@pytest.mark.slow
def test_temperature_with_a_condition():
    flow = build(2)
    labels = np.eye(2, dtype="float32")
    out = flow.sample(3, labels, seed=0, temperature=0.5)
    assert out.shape.as_list() == [3, 2, *SHAPE]
    out = flow.sample(3, labels, seed=0, temperature=0.5, jit_compile=True)
    assert out.shape.as_list() == [3, 2, *SHAPE]
    assert np.isfinite(out).all()


@pytest.mark.slow
def test_fit_by_name_learns_conditional_images():
    x = pictures(80)
    labels = np.eye(2)[np.arange(80) % 2]
    flow, history = tfpf.fit(
        "glow", x, labels, epochs=8, num_steps=2, hidden_units=(8,), seed=0, verbose=0
    )
    assert isinstance(flow, flows.Glow)
    assert flow.condition_shape == (2,)
    losses = history.history["val_loss"]
    assert losses[-1] < losses[0]
    assert flow.bits_per_dim(x, labels).mean() < 8.0


@pytest.mark.slow
def test_training_sees_new_noise_and_validation_the_same():
    flow, x = build(), pictures(16)
    flow.adapt(x)
    flow.compile(keras.optimizers.SGD(0.0))
    once = {"batch_size": 16, "epochs": 2, "verbose": 0, "shuffle": False}
    losses = flow.fit(x, **once).history["loss"]
    assert losses[0] != losses[1]
    first, second = (flow.evaluate(x, batch_size=16, verbose=0) for _ in range(2))
    assert first == second
    twin = build()
    twin.adapt(x)
    twin.compile(keras.optimizers.SGD(0.0))
    again = twin.fit(x, **once).history["loss"]
    assert again == losses


def test_compile_leaves_xla_to_gpus():
    flow = build()
    flow.compile("adam")
    assert flow.jit_compile == bool(tf.config.list_logical_devices("GPU"))


def test_weights_load_into_a_flow_of_another_seed(tmp_path, flow):
    path = tmp_path / "glow.weights.h5"
    flow.save_weights(path)
    other = build(seed=5)
    other.load_weights(path)
    x = pictures(4).astype("float32")
    np.testing.assert_array_equal(other.log_prob(x), flow.log_prob(x))


def test_levels_follow_the_size_of_the_images():
    for shape, count in (((8, 8, 1), 3), ((12, 28, 3), 2), ((6, 10, 1), 1)):
        flow = flows.build("glow", shape, **TINY)
        assert len(flow.bijector().bijectors[-1].levels) == count
    with pytest.raises(ValueError, match=r"at most 2 levels, or pad .* to 32 x 32"):
        flows.build("glow", (28, 28, 1), num_levels=3, **TINY)
    with pytest.raises(ValueError, match=r"pad the images to 28 x 28"):
        flows.build("glow", (27, 27, 1), **TINY)
    with pytest.raises(ValueError, match=r"`event_shape` must be \(H, W, C\)"):
        flows.build("glow", (28, 28), **TINY)


def test_what_a_flow_refuses(flow):
    with pytest.raises(ValueError, match="`coupling` must be one of"):
        build(coupling="cubic")
    with pytest.raises(ValueError, match="`num_steps` must be at least 1"):
        build(num_steps=0)
    with pytest.raises(TypeError, match="`hidden_units` must be a positive int"):
        build(hidden_units="wide")
    with pytest.raises(ValueError, match="pixels from 0 to 255, got numbers from -1"):
        build().adapt(pictures().astype(float) - 1.0)
    with pytest.raises(ValueError, match="`images` must"):
        flow.bits_per_dim(np.zeros([3, 4, 5, 1]))


def test_one_number_is_one_hidden_layer():
    assert build(hidden_units=5).get_config()["hidden_units"] == (5,)


def test_names_of_image_flows_are_known():
    assert flows.image_names() == (
        "glow",
        "realnvp-image",
        "nsf-image",
        "tarflow-image",
    )
    assert "glow" not in flows.names()
    assert flows.flow_class("glow") is flows.Glow


def test_fewer_values_of_a_pixel_cost_fewer_bits():
    x = np.random.default_rng(0).integers(0, 256, size=(200, *SHAPE))
    flow = build(num_values=8)
    flow.adapt(tfpf.datasets.reduce_bits(x, 3))
    assert 3.0 < flow.bits_per_dim(tfpf.datasets.reduce_bits(x, 3)).mean() < 3.8
    assert flow.sample(20, seed=0).numpy().max() < 8.1
    with pytest.raises(ValueError, match="pixels from 0 to 7, got"):
        flow.adapt(x)


@pytest.mark.parametrize("alpha", [None, 0.05])
def test_bits_per_dim_counts_every_constant(alpha):
    # An untrained flow without ActNorm's data is a rotation of the pixels' numbers: the
    # density can be computed by NumPy alone.
    flow = build(dequantize=False, logit_alpha=alpha, num_values=32, dtype="float64")
    x = np.random.default_rng(0).uniform(0.5, 31.5, size=(9, *SHAPE))
    if alpha is None:
        z, log_slope = (x - 16.0) / 32.0, np.full(x.shape, -np.log(32.0))
    else:
        p = alpha + (1 - 2 * alpha) * x / 32.0
        z = np.log(p) - np.log1p(-p)
        log_slope = np.log((1 - 2 * alpha) / 32.0) - np.log(p) - np.log1p(-p)
    nats = np.sum(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) + log_slope, axis=(1, 2, 3))
    expected = -nats / (16 * np.log(2.0))
    np.testing.assert_allclose(flow.bits_per_dim(x), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["realnvp-image", "nsf-image"])
def test_other_image_flows_invert_and_count_bits(name):
    options = {"num_steps": 2, "hidden_units": (4, 4), "num_levels": 2, "seed": 0}
    flow = flows.build(name, SHAPE, **options)
    x = pictures(64)
    flow.adapt(x)
    small.perturbed(flow, 0.1)
    y = flow.dequantize(x, 0)
    z = flow.bijector().inverse(y)
    back = flow.bijector().forward(tf.identity(z))
    np.testing.assert_allclose(back / 256.0, y / 256.0, atol=1e-5)
    alone = flow.log_prob(y[:1])
    np.testing.assert_allclose(alone, flow.log_prob(y)[:1], rtol=1e-5)
    assert 0.0 < flow.bits_per_dim(x).mean() < 12.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["glow", "realnvp-image"])
def test_any_transformer_couples_channels(name, tmp_path):
    flow = flows.build(name, SHAPE, transformer=bijectors.Bernstein(4), **TINY)
    flow.adapt(pictures())
    small.perturbed(flow, 0.1)
    x = flow.dequantize(pictures(3), seed=0)
    z = flow.bijector().inverse(x).numpy()
    np.testing.assert_allclose(flow.bijector().forward(z), x, atol=1e-2)
    flow.save(tmp_path / "f.keras")
    twin = flows.load(tmp_path / "f.keras")
    assert twin.transformer == bijectors.Bernstein(4)
    np.testing.assert_array_equal(twin.log_prob(x), flow.log_prob(x))
