"""TarFlow on images: patches, noise that is taken out again, files."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows import flows
from tfp_flows.math import images

SHAPE = (4, 6, 2)
TINY = {
    "num_layers": 2,
    "attention_layers": 1,
    "width": 8,
    "num_heads": 2,
    "patch_size": 2,
    "seed": 0,
}


def build(shape=SHAPE, condition_shape=None, **options):
    return flows.build("tarflow-image", shape, condition_shape, **{**TINY, **options})


def pictures(count, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype("uint8")


def test_patches_follow_row_by_row():
    ranks = images.patch_ranks((4, 4, 1), 2).reshape(4, 4)
    np.testing.assert_array_equal(
        ranks, [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    )


def test_spread_tokens_have_pixels_far_apart():
    ranks = images.patch_ranks((4, 4, 1), 2, spread=True).reshape(4, 4)
    tokens = ranks // 4
    np.testing.assert_array_equal(tokens, np.tile([[0, 1], [2, 3]], (2, 2)))
    assert sorted(ranks.ravel()) == list(range(16))


def test_layers_see_pixels_of_one_patch_by_turns():
    options = {"num_layers": 2, "dtype": "float64"}
    flow = small.perturbed(build((4, 4, 1), interleave=True, **options), 0.3)
    plain = small.perturbed(build((4, 4, 1), **options), 0.3)
    x = tf.constant(pictures(3, (4, 4, 1)), tf.float64) + 0.5
    patch = images.patch_ranks((4, 4, 1), 2) // 4
    for each, tokens in (
        (plain, patch),
        (flow, images.patch_ranks((4, 4, 1), 2, spread=True) // 4),
    ):
        layer = each.bijector().bijectors[-1]  # the one next to the base
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = tf.reshape(layer.inverse(x), [3, 16])
        slopes = tf.reshape(tape.batch_jacobian(z, x), [3, 16, 16])
        found = np.abs(slopes).max(axis=0) > 0
        later = tokens[np.newaxis] > tokens[:, np.newaxis]
        np.testing.assert_array_equal(found, later | np.eye(16, dtype=bool))


def test_a_layer_maps_a_patch_given_the_patches_before():
    flow = small.perturbed(build((4, 4, 1), num_layers=1, dtype="float64"), 0.3)
    x = tf.constant(pictures(3, (4, 4, 1)), tf.float64) + 0.5
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = tf.reshape(flow.bijector().inverse(x), [3, 16])
    slopes = np.abs(tf.reshape(tape.batch_jacobian(z, x), [3, 16, 16])).max(axis=0) > 0
    patch = images.patch_ranks((4, 4, 1), 2) // 4
    earlier = patch[np.newaxis] < patch[:, np.newaxis]
    np.testing.assert_array_equal(slopes, earlier | np.eye(16, dtype=bool))


def test_samples_go_back_to_their_noise():
    flow = small.perturbed(build(condition_shape=3, dtype="float64"), 0.2)
    labels = np.eye(3)
    x = flow.sample(2, labels, seed=1)
    assert x.shape == (2, 3, *SHAPE)
    map_ = flow.bijector()
    z = map_.inverse(x, condition=labels)
    again = map_.forward(tf.identity(z), condition=labels)
    np.testing.assert_allclose(again, x, atol=1e-6)


def test_bits_per_dimension_are_those_of_pixels_without_the_noise():
    x = pictures(5)
    plain = build(logit_alpha=None)
    noisy = build(logit_alpha=None, pixel_noise=20.0)
    np.testing.assert_array_equal(plain.bits_per_dim(x), noisy.bits_per_dim(x))


def test_training_adds_noise_and_validation_none():
    flow = build(logit_alpha=None, pixel_noise=20.0)
    x = np.full((512, *SHAPE), 100, "uint8")
    flow.compile(keras.optimizers.SGD(0.0))
    loss = flow.fit(x, batch_size=512, epochs=1, verbose=0).history["loss"][0]
    clean = flow.evaluate(x, batch_size=512, verbose=0, return_dict=True)["loss"]
    # Untrained, a standard normal of (x - 128) / 256: the noise adds its square.
    more = 0.5 * math.prod(SHAPE) * (20.0 / 256.0) ** 2
    assert loss - clean == pytest.approx(more, rel=0.1)


@pytest.mark.slow
def test_denoised_images_are_the_means_given_the_noisy_ones():
    # Untrained, pixels are normal with mean 128 and deviation 256, noise included.
    flow = build(logit_alpha=None, pixel_noise=64.0)
    x = pictures(3).astype("float32")
    share = 1.0 - (64.0 / 256.0) ** 2  # of the variance that is no noise
    np.testing.assert_allclose(
        flow.denoise(x), 128.0 + share * (x - 128.0), rtol=1e-5, atol=1e-3
    )
    noisy = flow.sample(2, seed=1)
    np.testing.assert_allclose(
        flow.sample(2, seed=1, denoise=True), flow.denoise(noisy), rtol=1e-5
    )
    given = small.perturbed(build((4, 4, 1), 2, logit_alpha=None, pixel_noise=9.0), 0.1)
    labels = np.eye(2, dtype="float32")
    assert given.sample(3, labels, seed=0, denoise=True).shape == (3, 2, 4, 4, 1)


def test_noise_needs_pixels_without_a_logit():
    with pytest.raises(ValueError, match=r"got pixel_noise=3.0 with a logit. Build"):
        build(pixel_noise=3.0)
    with pytest.raises(ValueError, match="`denoise` needs a flow of noisy images"):
        build().denoise(pictures(2))
    with pytest.raises(ValueError, match="`patch_size` must divide the height of imag"):
        build(patch_size=3)


@pytest.mark.slow
def test_training_lowers_the_bits_and_files_keep_them(tmp_path):
    rng = np.random.default_rng(0)
    level = rng.integers(20, 230, size=(300, 1, 1, 1))
    x = (level + rng.integers(0, 4, size=(300, 4, 4, 1))).astype("uint8")
    flow = build((4, 4, 1))
    flow.adapt(x)
    before = flow.bits_per_dim(x).mean()
    flow.compile(keras.optimizers.Adam(5e-3))
    flow.fit(x, batch_size=50, epochs=30, verbose=0)
    after = flow.bits_per_dim(x).mean()
    assert after < before - 2.0
    flow.save(tmp_path / "flow.keras")
    twin = keras.saving.load_model(tmp_path / "flow.keras")
    np.testing.assert_array_equal(twin.bits_per_dim(x[:20]), flow.bits_per_dim(x[:20]))
