"""What simulations and targets are handed by mistake: named in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from tfp_flows import inference

PRIOR = tfd.Independent(tfd.Normal([0.0, 0.0], 1.0), 1)
NORMAL = tfd.Normal(0.0, 1.0)
THETA = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)


def ratio(seed=3, **settings):
    estimator = inference.NRE(PRIOR, hidden_units=(4,), seed=seed)
    return estimator.fit(THETA, THETA, epochs=1, verbose=0, **settings)


@pytest.fixture(scope="module")
def fitted():
    return ratio()


@pytest.mark.slow
def test_seed_of_a_fit_goes_before_that_of_the_estimator():
    told, built = ratio(seed=3), ratio(seed=4)
    told.fit(THETA, THETA, epochs=1, verbose=0, seed=4)
    found, wanted = (e.log_ratio(THETA[:1], THETA[0]) for e in (told, built))
    np.testing.assert_array_equal(found, wanted)


def test_unknown_settings_of_a_classifier_are_named():
    with pytest.raises(TypeError, match=r"`epoch` is no setting .* 'epochs'"):
        ratio(epoch=2)
    with pytest.raises(ValueError, match="`verbose` must be one of"):
        inference.NRE(PRIOR).fit(THETA, THETA, verbose="loud")


@pytest.mark.parametrize("given", ["a", {"a": 1.0}, [[1.0], [1.0, 2.0]]])
def test_what_is_no_numbers_is_named(fitted, given):
    with pytest.raises(TypeError, match="`x_o` must be numbers, got "):
        fitted.posterior(given)
    with pytest.raises(TypeError, match="`x` must be numbers, got "):
        inference.NPE(PRIOR).fit(THETA, given)
    with pytest.raises(TypeError, match="`theta` must be numbers, got "):
        inference.NPE(PRIOR).fit(given, THETA)


def test_what_is_no_simulator_is_named():
    with pytest.raises(TypeError, match="`simulator` must be a function, got str"):
        inference.simulate(PRIOR, "s", 10, verbose=0)


@pytest.mark.parametrize("size", [5, None])
@pytest.mark.parametrize("made", [["a"], [None], [[1.0], [1.0, 2.0]]])
def test_simulators_return_numbers(made, size):
    def simulator(theta):
        return made * (len(theta) if size else 1)

    with pytest.raises(TypeError, match="`simulator` must return numbers, got "):
        inference.simulate(PRIOR, simulator, 10, batch_size=size, verbose=0)


def test_verbosity_is_checked_before_work():
    def never(_):
        raise AssertionError

    for call in (
        lambda: inference.simulate(PRIOR, never, 10, verbose="loud"),
        lambda: inference.fit_posterior(never, event_shape=1, verbose="loud"),
        lambda: inference.sample_posterior(NORMAL, "nuts", verbose="loud"),
    ):
        with pytest.raises(ValueError, match="`verbose` must be one of 'auto'"):
            call()


def test_dtypes_and_counts_of_a_fit_are_named():
    with pytest.raises(TypeError, match="`dtype` must be 'float32' or 'float64', got"):
        inference.fit_posterior(PRIOR, dtype="float99", verbose=0)
    with pytest.raises(TypeError, match="`num_samples` must be a number without"):
        inference.fit_posterior(PRIOR, num_samples=1e2, verbose=0)


def test_discrete_proposals_of_densities_are_refused():
    for proposal in (tfd.Poisson(3.0), tfd.Sample(tfd.Poisson(3.0), 1)):
        with pytest.raises(ValueError, match="`proposal` must be a density, as the"):
            inference.importance_sample(NORMAL, proposal, 100)
    # Masses of counts, of a function, are summed rightly.
    found = inference.importance_sample(
        tfd.Poisson(2.0).log_prob, tfd.Poisson(3.0), 4_000, seed=0
    )
    value, stderr = found.log_evidence
    assert abs(value) < 4.0 * stderr < 0.2
