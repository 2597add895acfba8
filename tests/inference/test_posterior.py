"""Variational inference: closed forms, structures, and a judgement that is right."""

from __future__ import annotations

import pickle
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows import inference
from tfp_flows.inference import drift, repair, starts, targets
from tfp_flows.training import AlphaDivergence

QUIET = {"seed": 0, "verbose": 0, "draws": 4_000, "check_steps": 0, "repairs": 0}
COUNTS = [1.0, 4.0, 2.0]


@tfd.JointDistributionCoroutineAutoBatched
def model():
    """Counts of two rates: the posterior of the first is a gamma distribution."""
    rate = yield tfd.Gamma(3.0, 2.0, name="rate")
    yield tfd.Sample(tfd.Normal(0.0, 1.0), [2, 1], name="idle")
    yield tfd.Sample(tfd.Poisson(rate), 3, name="counts")


def log_evidence():
    total = sum(COUNTS)
    factorials = np.log(24.0 * 2.0)
    gamma = tf.math.lgamma
    log_z = gamma(3.0 + total) - gamma(3.0) + 3.0 * np.log(2.0)
    return float(log_z) - (3.0 + total) * np.log(5.0) - factorials


@pytest.fixture(scope="module")
def fitted():
    target = model.experimental_pin(counts=COUNTS)
    return inference.fit_posterior(target, "linear", steps=40, **QUIET)


@pytest.mark.slow
def test_posterior_of_a_conjugate_model_is_found(fitted):
    posterior, report = fitted
    assert report.start == "laplace"
    assert report.ess_per_draw > 0.9
    assert "do not trust" not in str(report)
    value, stderr = report.sample.log_evidence
    assert abs(value - log_evidence()) < 4.0 * stderr + 1e-3
    assert report.elbo.value <= log_evidence() + 4.0 * report.elbo.stderr
    mean = report.sample.expectation().value
    assert float(mean.rate) == pytest.approx(2.0, abs=0.05)
    x = posterior.sample(2_000, seed=(0, 1))
    assert x.idle.shape == (2_000, 2, 1)
    truth = tfd.Gamma(10.0, 5.0)
    assert float(tf.math.reduce_std(x.rate)) == pytest.approx(
        float(truth.stddev()), rel=0.1
    )
    wanted = truth.log_prob(x.rate) + tf.reduce_sum(
        tfd.Normal(0.0, 1.0).log_prob(x.idle), axis=[1, 2]
    )
    gap = posterior.log_prob(tf.nest.map_structure(tf.identity, x)) - wanted
    assert float(tf.reduce_mean(tf.abs(gap))) < 0.1


@pytest.mark.slow
def test_judgement_tells_a_flow_that_fails_from_one_that_does_not():
    """The target is three times as wide as the start, in eight dimensions."""
    wide = tfd.Sample(tfd.Normal(0.0, 3.0), 8)
    options = {"steps": 1, "learning_rate": 1e-3, **QUIET}
    _, bad = inference.fit_posterior(wide, "linear", start="none", **options)
    assert not bad.reliable
    assert "do not trust" in str(bad)
    assert "MCMC" in bad.judgement
    checked = {**options, "check_steps": 20}
    _, good = inference.fit_posterior(wide, "linear", start="laplace", **checked)
    assert good.reliable
    assert good.drift.reliable
    assert good.drift.names == tuple(f"x{i}" for i in range(8))
    assert good.ess_per_draw > 0.99
    assert "can be trusted" in str(good)


@pytest.mark.parametrize(("ratio", "trusted"), [(1.5, False), (1.0, True)])
def test_draws_that_chains_leave_are_not_trusted_however_good_their_weights(
    ratio, trusted
):
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), 1)
    sample = inference.importance_sample(normal, normal, 3_000, seed=0)
    moved = drift.Drift(
        names=("x",),
        shifts=np.zeros(1),
        ratios=np.array([ratio]),
        doubtful=np.array([ratio > 1.1]),
        acceptance=0.8,
        tails=np.zeros(1),
        states=np.zeros([1, 1]),
        gradients=1,
    )
    report = inference.PosteriorReport(
        elbo=inference.Estimate(0.0, 0.1), sample=sample, start="none", start_elbo=0.0,
        flow=None, whitened=None, losses=(), drift=moved,
    )  # fmt: skip
    assert sample.reliable
    assert report.reliable is trusted
    assert ("1.50 times what it was" in str(report)) is not trusted
    assert ("can be trusted" in str(report)) is trusted
    assert ("compare with MCMC" in str(report)) is not trusted


@pytest.mark.slow
def test_targets_without_a_mode_start_from_a_mean_field_fit(monkeypatch):
    """The density of a centred funnel rises without end towards scale 0."""

    def funnel(x):
        scale = tf.exp(x[..., :1])
        found = tfd.Normal(0.0, 1.0).log_prob(x[..., 0])
        return found + tf.reduce_sum(
            tfd.Normal(0.0, scale).log_prob(x[..., 1:]) - 4.0 * x[..., :1], axis=-1
        )

    monkeypatch.setattr(starts, "STEPS", 60)
    found = starts.choose(targets.read(funnel, event_shape=4), "auto", 0)
    assert found.kind != "laplace"
    assert np.isfinite(found.elbo)


@pytest.mark.slow
def test_a_mode_narrower_than_its_surroundings_does_not_decide_the_start(monkeypatch):
    """A spike of a fiftieth of the mass: its curvature says nothing of the rest."""
    spiked = tfd.Sample(
        tfd.MixtureSameFamily(
            tfd.Categorical(probs=[0.02, 0.98]), tfd.Normal(0.0, [0.05, 5.0])
        ),
        2,
    )
    monkeypatch.setattr(starts, "STEPS", 200)
    target = targets.read(spiked, support=tfb.Identity())
    found = starts.choose(target, "auto", 0)
    assert found.kind == "mean-field"
    assert -0.2 < found.elbo < 0.0  # the density is normalised


def test_a_start_that_is_exact_ends_the_search(monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(starts, "_mean_field", never)
    normal = tfd.MultivariateNormalDiag([1.0, 2.0], [0.1, 30.0])
    assert starts.choose(targets.read(normal), "auto", 0).kind == "laplace"


@pytest.mark.slow
def test_laplace_start_is_exact_for_a_normal_target_of_any_scale():
    factor = np.array([[1e-3, 0.0], [5.0, 20.0]])
    normal = tfd.MultivariateNormalTriL(np.array([3e-3, -100.0]), factor)
    found = starts.choose(targets.read(normal), "auto", 0)
    assert found.kind == "laplace"
    np.testing.assert_allclose(found.shift, [3e-3, -100.0], rtol=1e-4)
    np.testing.assert_allclose(found.scale, factor, rtol=1e-3, atol=1e-6)
    assert found.elbo == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
def test_a_flow_that_is_too_narrow_is_trained_on_where_chains_go(monkeypatch):
    monkeypatch.setattr(repair, "UPDATES", 150)
    wide = tfd.Sample(tfd.Normal(0.0, 3.0), 8)
    options = {**QUIET, "steps": 1, "learning_rate": 0.15, "start": "none"}
    posterior, good = inference.fit_posterior(
        wide, "linear", **{**options, "repairs": 3, "check_steps": 20}
    )
    assert good.reliable
    assert good.drift.reliable
    assert 1 <= good.repairs <= 3
    # An update; chains relative to the start and over the base; updates; a check.
    each = 2 * 512 * 241 + 150 * 128
    assert good.gradients == 128 + good.repairs * each + 512 * 241
    assert "states of chains" in good.judgement
    assert abs(good.sample.log_evidence.value) < 0.05
    spread = np.std(posterior.sample(4_000, seed=(0, 1)), axis=0)
    np.testing.assert_allclose(spread, 3.0, rtol=0.1)


@pytest.mark.slow
def test_repairs_that_make_it_worse_are_taken_back(monkeypatch):
    """The weights are those of the fit again, and so is the report."""
    wide = tfd.Sample(tfd.Normal(0.0, 3.0), 4)
    options = {**QUIET, "steps": 1, "start": "none"}
    _, before = inference.fit_posterior(wide, "linear", **options)

    def spoiled(self, sample):
        del sample
        self._flow.set_weights([w - 3.0 for w in self._flow.get_weights()])
        return types.SimpleNamespace(history={"loss": [0.0]})

    monkeypatch.setattr(repair.Repair, "round", spoiled)
    _, after = inference.fit_posterior(wide, "linear", **{**options, "repairs": 2})
    assert after.repairs == 0
    assert after.elbo == before.elbo
    for old, new in zip(
        before.flow.get_weights(), after.flow.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_objectives_by_name_and_by_instance_reach_the_target():
    def shifted(x):
        return tf.reduce_sum(tfd.Normal(1.0, 1.0).log_prob(tf.math.log(x)), axis=-1)

    options = {"support": tfb.Exp(), "event_shape": 1, "start": "none", **QUIET}
    for objective in ("alpha", AlphaDivergence(shifted, 64, alpha=0.2)):
        posterior, report = inference.fit_posterior(
            shifted,
            "linear",
            objective=objective,
            steps=60,
            learning_rate=0.05,
            **options,
        )
        # Without the derivative of the logarithm: log x is normal of mean 2.
        value, stderr = report.sample.log_evidence
        assert abs(value - 1.5) < 4.0 * stderr + 0.01
        assert posterior.event_shape == (1,)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"start": "map"}, ValueError, "`start` must be one of"),
        ({"objective": "elbo"}, ValueError, "`objective` must be one of"),
        ({"steps": 0}, ValueError, "`steps` must be at least 1"),
    ],
)
def test_bad_options_are_named(options, error, message):
    normal = tfd.MultivariateNormalDiag([0.0, 0.0])
    with pytest.raises(error, match=message):
        inference.fit_posterior(normal, "linear", **{**QUIET, "steps": 1, **options})


@pytest.mark.slow
def test_results_pickle_with_posterior_and_weighted_draws():
    rates = tfd.JointDistributionNamedAutoBatched(
        {
            "rate": tfd.Gamma(3.0, 2.0),
            "idle": tfd.Normal(0.0, 1.0),
            "y": tfd.Normal(0.0, 1.0),
        }
    )
    target = rates.experimental_pin(y=1.0)
    options = {**QUIET, "steps": 2, "start": "none"}
    found = inference.fit_posterior(target, "linear", **options)
    posterior, report = pickle.loads(pickle.dumps(found))
    x = found[0].sample(5, seed=(0, 1))
    np.testing.assert_allclose(posterior.log_prob(x), found[0].log_prob(x), rtol=1e-5)
    np.testing.assert_array_equal(posterior.sample(5, seed=(0, 1))["rate"], x["rate"])
    assert posterior.copy(name="other").name == "other"
    assert report.elbo == found[1].elbo
    old, new = (each.sample.expectation().value for each in (found[1], report))
    assert new == old
    again = report.whitened.posterior(report.flow)
    np.testing.assert_allclose(again.log_prob(x), found[0].log_prob(x), rtol=1e-5)
    _, nameless = inference.fit_posterior(
        lambda x: -tf.reduce_sum(x**2, axis=-1), "linear", event_shape=2, **options
    )
    with pytest.raises(pickle.PicklingError, match="Write it as a `def`"):
        pickle.dumps(nameless)


@pytest.mark.slow
def test_targets_that_are_zero_somewhere_are_named_or_trained_by_forward_kl():
    """A normal distribution of the upper half: its log-evidence is log(1 / 2)."""

    def half(x):
        found = tfd.Normal(0.0, 1.0).log_prob(x)
        return tf.reduce_sum(tf.where(x > 0.0, found, -np.inf), axis=-1)

    options = {**QUIET, "event_shape": 1, "start": "none", "steps": 30}
    with pytest.raises(FloatingPointError, match=r"0 at .*% of draws near its start"):
        inference.fit_posterior(half, "linear", **options)
    _, report = inference.fit_posterior(
        half, "linear", objective="forward-kl", **options
    )
    value, stderr = report.sample.log_evidence
    assert abs(value - np.log(0.5)) < 4.0 * stderr < 0.2
    assert report.elbo == (-np.inf, np.inf)


@pytest.mark.slow
def test_bad_targets_and_flows_are_named():
    def bump(x):
        return -tf.reduce_sum(x**2, axis=-1)

    fit = inference.fit_posterior
    with pytest.raises(ValueError, match="`event_shape` must be given"):
        fit(bump, **QUIET)
    with pytest.raises(ValueError, match="got nan for 1000 of 1000 draws"):
        fit(lambda x: bump(x) * np.nan, event_shape=2, **QUIET)
    with pytest.raises(ValueError, match="must not be 0 everywhere"):
        fit(lambda x: bump(x) - np.inf, event_shape=2, **QUIET)
    with pytest.raises(TypeError, match="written with TensorFlow's operations"):
        fit(lambda x: -np.sum(np.asarray(x) ** 2, axis=-1), event_shape=2, **QUIET)
    with pytest.raises(TypeError, match="`support` must be a bijector"):
        fit(bump, event_shape=2, support="positive", **QUIET)
    one = tfd.JointDistributionNamed({"x": tfd.Normal(0.0, 1.0)})
    with pytest.raises(ValueError, match="must have a variable to infer"):
        fit(one.experimental_pin(x=0.0), **QUIET)
    with pytest.raises(ValueError, match="for each event, got None"):
        fit(lambda x: None, event_shape=2, **QUIET)
    with pytest.raises(ValueError, match=r"of shape \[N\], got \(None, 2\)"):
        fit(lambda x: x, event_shape=2, **QUIET)
    with pytest.raises(ValueError, match=r"over vectors of shape \(2,\)"):
        fit(bump, tfpf.flows.build("linear", 3, seed=0), event_shape=2, **QUIET)
    flow = tfpf.flows.build("linear", 2, seed=0)
    with pytest.raises(ValueError, match="`restarts` must be 1"):
        fit(bump, flow, restarts=2, **QUIET)
    with pytest.raises(ValueError, match="dtype='float64'"):
        fit(tfd.MultivariateNormalDiag(np.zeros(2)), flow, **QUIET)
