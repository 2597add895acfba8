"""Images that are no raw pixels, and pixels at the ends of their range."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf

SHAPE = (4, 4, 1)
PIXELS = np.random.default_rng(0).integers(0, 256, size=(12, *SHAPE))
SMALL = {"num_levels": 1, "num_steps": 1, "hidden_units": (4,)}


def build(name="glow", **options):
    return tfpf.flows.build(name, SHAPE, seed=0, **SMALL, **options)


def spoiled(value):
    x = PIXELS.astype("float32")
    x[3, 1, 2, 0] = value
    return x


BAD = {
    "shares": (PIXELS / 255.0, r"fractions from 0.* look scaled. Pass np.round\(255 "),
    "centred": (PIXELS / 127.5 - 1.0, r"look scaled. Pass np.round\(255 \* \(x \+ 1"),
    "nan": (spoiled(np.nan), r"finite.*, got nan|nan"),
    "inf": (spoiled(np.inf), r"finite.*, got inf|inf"),
    "negative": (spoiled(-3.0), "from 0 to 255, got numbers from -3 to 25"),
    "beyond": (spoiled(256.0), "from 0 to 255, got numbers from 0 to 256"),
    "16 bits": (PIXELS.astype("uint16") * 257, r"Divide those of 16 bits, .x // 257"),
    "none": (PIXELS[:0], "at least one image|N > 0|no rows|empty|at least"),
    "text": (np.full([4, *SHAPE], "a"), "numbers|numeric"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_are_no_pixels_is_refused(kind):
    x, message = BAD[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        tfpf.fit(build(), x, epochs=1, verbose=0)
    with pytest.raises((ValueError, TypeError), match=message):
        build().adapt(x)


@pytest.mark.parametrize("kind", sorted({*BAD} - {"none"}))
def test_what_are_no_pixels_is_refused_by_every_entry(kind):
    x, message = BAD[kind]
    flow = build()
    flow.compile(optimizer="adam")
    with pytest.raises((ValueError, TypeError), match=message):
        flow.bits_per_dim(x)
    with pytest.raises((ValueError, TypeError), match=message):
        flow.fit(x, verbose=0)
    with pytest.raises((ValueError, TypeError), match=message):
        flow.fit(PIXELS, validation_data=(x,), verbose=0)
    with pytest.raises((ValueError, TypeError), match=message):
        tfpf.fit(flow, PIXELS, validation=(x,), epochs=1, verbose=0)


def test_pixels_of_every_type_are_the_same():
    flow = build()
    expected = flow.bits_per_dim(PIXELS)
    for dtype in ("uint8", "int32", "uint16", "float32", "float64"):
        np.testing.assert_array_equal(flow.bits_per_dim(PIXELS.astype(dtype)), expected)
    assert flow.bits_per_dim(PIXELS[:0]).shape == (0,)
    assert np.all(np.isfinite(build(num_values=2).bits_per_dim(PIXELS > 127)))
    wide = build(num_values=65536).bits_per_dim(PIXELS.astype("uint16") * 257)
    assert np.all(np.isfinite(wide))


def test_other_units_are_taken_where_the_flow_is_built_for_them():
    shares = build(num_values=1, dequantize=False)
    shares.adapt(PIXELS / 255.0)
    assert np.all(np.isfinite(shares.log_prob(PIXELS / 255.0)))
    free = build(logit_alpha=None)
    assert np.all(np.isfinite(free.bits_per_dim(PIXELS * 3 - 100)))
    with pytest.warns(UserWarning, match="no code length. Round them"):
        free.bits_per_dim(PIXELS + 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("glow", {}),
        ("glow", {"coupling": "spline", "logit_alpha": 1e-6}),
        ("glow", {"logit_alpha": None}),
        ("realnvp-image", {}),
        ("nsf-image", {}),
    ],
)
def test_own_samples_have_a_density_at_saturated_pixels(name, options):
    flow = build(name, **options)
    rng = np.random.default_rng(1)
    for variable in flow.trainable_variables:
        noise = rng.normal(size=variable.shape).astype("float32")
        variable.assign(variable.numpy() + 0.5 * noise)
    for temperature in (1.0, 30.0):
        x = flow.sample(20, seed=2, temperature=temperature)
        assert np.all(np.isfinite(x))
        assert np.all(np.isfinite(flow.log_prob(tf.identity(x))))
        if options.get("logit_alpha", 0) is not None and temperature > 1:
            assert np.mean(np.abs(x - 128.0) > 127.9) > 0.1  # many are saturated
    for value in (0.0, 255.0, 256.0):
        assert np.all(np.isfinite(flow.log_prob(np.full([1, *SHAPE], value, "f"))))
    beyond = np.full([2, *SHAPE], 128.0, "f")
    beyond[:, 0, 0] = [[300.0], [np.inf]]
    if "logit_alpha" not in options:
        assert np.isneginf(flow.log_prob(beyond)).all()


@pytest.mark.parametrize(
    ("change", "is_noticed"),
    [
        (lambda x: x / 255.0, True),
        (lambda x: x / 127.5 - 1.0, True),
        (lambda x: x, False),
        (lambda x: x + 0.3, False),
        (lambda x: (x > 99.0).astype(x.dtype), False),
        (lambda x: x[:0] / 255.0, False),
    ],
)
def test_densities_of_scaled_pixels_are_noticed(change, is_noticed):
    flow, pixels = build(), change(PIXELS * 1.0)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        flow.log_prob(pixels)
        if len(pixels):
            flow.predict(pixels, verbose=0)
    told = [str(one.message) for one in found if "look scaled" in str(one.message)]
    assert len(told) == (2 if is_noticed else 0), told
