"""Large numbers reach a float64 flow with all their digits; masks are not dropped."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small

# Nanoseconds since 1970, a microsecond apart: one number in float32.
X = 1_700_000_000_123_456_789 + 1000 * np.arange(40)[:, None]
WIDE = X.astype(float)
FORMS = {
    "integers": X,
    "lists": X.tolist(),
    "floats": WIDE.tolist(),
    "tensor": tf.constant(X),
}


def flow(condition=None):
    built = small.build("linear", 1, condition, dtype="float64")
    built.adapt(WIDE, None if condition is None else WIDE)
    return built


@pytest.mark.parametrize("form", FORMS)
def test_digits_reach_the_density_and_the_condition(form):
    value, found = FORMS[form], flow()
    wanted = found.log_prob(WIDE).numpy()
    assert np.ptp(wanted) > 1.0
    np.testing.assert_array_equal(found.log_prob(value), wanted)
    density = found.distribution()
    np.testing.assert_allclose(density.log_prob(value), wanted, atol=1e-12)
    np.testing.assert_array_equal(density.cdf(value), density.cdf(WIDE))
    given = flow(1)
    kwargs = {"seed": 1}
    np.testing.assert_array_equal(
        given.sample((), value, **kwargs), given.sample((), WIDE, **kwargs)
    )
    np.testing.assert_array_equal(
        given.distribution(value).log_prob(WIDE), given.log_prob(WIDE, WIDE)
    )
    adapted = small.build("linear", 1, dtype="float64")
    adapted.adapt(value)
    np.testing.assert_allclose(adapted.log_prob(WIDE), wanted, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"validation_split": 0.25}])
def test_keras_fit_keeps_the_digits(options):
    found = flow()
    found.compile("sgd")
    wanted = -np.mean(found.log_prob(WIDE))
    assert found.evaluate(WIDE, verbose=0) == pytest.approx(wanted, abs=1e-4)
    history = found.fit(WIDE, epochs=1, batch_size=40, verbose=0, **options).history
    assert abs(history["loss"][0] - wanted) < 1.0
    held_out = found.evaluate(WIDE[30:], verbose=0)
    if options:
        assert history["val_loss"][0] == pytest.approx(held_out, abs=1e-4)


def test_masked_cells_are_refused_wherever_data_are_taken():
    masked = np.ma.masked_array(WIDE, mask=WIDE[30] < WIDE)
    found, given = flow(), flow(1)
    found.compile("sgd")
    for call in (
        lambda: found.log_prob(masked),
        lambda: found(masked),
        lambda: found.distribution().log_prob(masked),
        lambda: found.adapt(masked),
        lambda: found.fit(masked, verbose=0),
        lambda: given.log_prob(WIDE, masked),
        lambda: given.distribution(masked),
        lambda: given.sample((), masked, seed=0),
    ):
        with pytest.raises(ValueError, match=r"row 32, column 1 \(9 such"):
            call()
    whole = np.ma.masked_array(WIDE, mask=False)
    np.testing.assert_array_equal(found.log_prob(whole), found.log_prob(WIDE))
