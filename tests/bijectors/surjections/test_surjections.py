"""Surjections: their contract, what they make of known densities, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import bijectors as maps
from tfp_flows import networks, testing
from tfp_flows.bijectors.surjections import slice as slices
from tfp_flows.distributions import SurjectedDistribution
from tfp_flows.testing import SurjectionCase, perturb

CASES: dict[str, SurjectionCase] = {}


def case(name, base, **options):
    """Register a function of the dtype that builds a surjection."""

    def register(build):
        CASES[name] = SurjectionCase(build, base, name=name, **options)
        return build

    return register


def _net(inputs, shape, dtype, scale=0.5, **options):
    net = networks.MLP(inputs, shape, (6,), dtype=dtype, seed=1, **options)
    perturb(net, scale, seed=2)
    return net


def _one(dtype):
    return tfd.Sample(tfd.Normal(tf.constant(0.5, dtype), 1.2), 1)


def _two(dtype):
    loc = tf.constant([0.8, -0.3], dtype)
    return tfd.MultivariateNormalTriL(loc, tf.constant([[1.0, 0.0], [0.5, 0.7]], dtype))


def _folded(x):
    base = _two("float64")
    both = [x, x * [-1.0, 1.0]]
    return tf.reduce_logsumexp([base.log_prob(b) for b in both], axis=0) - np.log(2.0)


@case("fold", _two, exact=_folded)
def _fold(dtype):
    return maps.AbsoluteValue((0,))


@case("fold_signs", _two, condition=(0.7,))
def _fold_signs(dtype):
    net = _net(2, (2, 1), dtype, condition_shape=1)
    return maps.AbsoluteValue((1, 0), net)


def _gaps(x):
    z = tf.reduce_max(x, axis=-1)
    gap = z - tf.reduce_min(x, axis=-1)
    return _one("float64").log_prob(z[:, None]) - np.log(2.0) - gap


@case("maximum", _one, exact=_gaps, skip={"mass": "grids have equal coordinates"})
def _maximum(dtype):
    return maps.Maximum(2, maps.GammaGiven(_net(1, (1, 2), dtype, 0.0)))


@case("maximum_network", _one, condition=(0.7,))
def _maximum_network(dtype):
    return maps.Maximum(
        3, maps.GammaGiven(_net(1, (2, 2), dtype, 0.2, condition_shape=1))
    )


def _normal_rest(x):
    return _one("float64").log_prob(x[:, :1]) + tfd.Normal(
        tf.constant(0.0, tf.float64), 1.0
    ).log_prob(x[:, 1])


@case("slice", _one, exact=_normal_rest)
def _slice(dtype):
    return maps.Slice(1, maps.NormalGiven(_net(1, (1, 2), dtype, 0.0)))


@case("slice_network", _one, condition=(0.7,))
def _slice_network(dtype):
    return maps.Slice(1, maps.NormalGiven(_net(1, (1, 2), dtype, condition_shape=1)))


def _first(x):
    return tfd.Normal(tf.constant(0.8, tf.float64), 1.0).log_prob(x[:, 0])


@case("augment", _two, exact=_first)
def _augment(dtype):
    return maps.Augment(1, num_draws=4)


@case("augment_network", _two, exact=_first, condition=(0.7,))
def _augment_network(dtype):
    net = _net(1, (1, 2), dtype, 0.2, condition_shape=1)
    return maps.Augment(1, maps.NormalGiven(net), num_draws=4)


# One case of each class goes through all checks, the others through what is exact.
WHOLE = ("fold_signs", "maximum", "slice_network", "augment")
PAIRS = [
    pytest.param(name, check, marks=() if name in WHOLE else pytest.mark.slow)
    for name in CASES
    for check in testing.checks("surjection")
    if name in WHOLE or check in ("bound", "samples", "shapes")
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "check"), PAIRS)
def test_surjection_keeps_its_contract(name, check):
    if CASES[name].reason_to_skip(check) is None:
        testing.checks("surjection")[check](CASES[name])


def test_every_public_surjection_has_a_case():
    public = {getattr(maps, name) for name in maps.__all__}
    public = {k for k in public if isinstance(k, type)}
    public = {k for k in public if issubclass(k, maps.Surjection)}
    assert public - {maps.Surjection} == {
        type(c.density().surjection) for c in CASES.values()
    }


def test_contract_finds_planted_faults():
    class Twice(maps.AbsoluteValue):
        def _preimages(self, *args):
            z, log_weight = super()._preimages(*args)
            return maps.Preimages(z, log_weight + np.log(2.0))

    class OneSign(maps.AbsoluteValue):
        def _forward(self, z, condition, seed):
            return self._changed(z, tf.ones_like(z[..., :1]))

    class NoPrior(maps.Augment):
        def with_noise(self, *args):
            z, log_weight = super().with_noise(*args)
            return maps.Preimages(z, tf.zeros_like(log_weight))

    checks = testing.checks("surjection")
    for build, check in (
        (lambda _: Twice((0,)), "mass"),
        (lambda _: Twice((0,)), "bound"),
        (lambda _: OneSign((0,)), "samples"),
    ):
        with pytest.raises(testing.ContractError, match=check):
            checks[check](SurjectionCase(build, _two, exact=_folded))
    with pytest.raises(testing.ContractError, match="bound"):
        checks["bound"](SurjectionCase(lambda _: NoPrior(1), _two, exact=_first))


def test_more_draws_close_the_bound():
    density = CASES["augment"].density("float64")
    x = np.full([2000, 1], 0.4)
    exact = _first(x[:1]).numpy()[0]
    gaps = [
        exact - np.mean(density.log_prob(x, seed=[0, 1], num_draws=count))
        for count in (1, 8, 64)
    ]
    assert gaps[0] > 3.0 * gaps[1] > 9.0 * gaps[2] > 0.0


def test_fixed_noise_is_even_and_the_same_each_time():
    noise = slices.fixed_noise(64, 2)
    np.testing.assert_array_equal(noise, slices.fixed_noise(64, 2))
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(noise.std(axis=0), 1.0, atol=0.1)
    assert slices.fixed_noise(5, 30).shape == (5, 30)


def test_batches_of_conditions_slice_and_copy():
    net = _net(2, (2, 1), "float32", condition_shape=1)
    fold = maps.AbsoluteValue((0, 1), net)
    conditions = tf.constant([[-1.0], [0.0], [2.0]])
    batch = SurjectedDistribution(_two("float32"), fold, conditions)
    assert batch.batch_shape == [3]
    assert batch.sample(5, seed=[0, 1]).shape == (5, 3, 2)
    x = tf.constant([1.0, -0.5])
    found = batch.log_prob(x)
    one = SurjectedDistribution(_two("float32"), fold, conditions[1])
    np.testing.assert_allclose(found[1], one.log_prob(x), rtol=1e-6)
    np.testing.assert_allclose(batch[1].log_prob(x), found[1], rtol=1e-6)
    np.testing.assert_allclose(batch[1:].log_prob(x), found[1:], rtol=1e-6)
    with pytest.raises(IndexError):
        batch[3]
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros(3)), batch)
    expected = tf.reduce_logsumexp(found) - np.log(3.0)
    np.testing.assert_allclose(mixture.log_prob(x), expected, rtol=1e-5)


def test_what_does_not_fit_is_refused_in_a_sentence():
    base = _two("float32")
    with pytest.raises(ValueError, match="`axes` must be 1 to 8"):
        maps.AbsoluteValue(())
    with pytest.raises(ValueError, match="`axes` must name each coordinate once"):
        maps.AbsoluteValue((1, 1))
    with pytest.raises(ValueError, match="size of events"):
        SurjectedDistribution(base, maps.AbsoluteValue((2,)))
    with pytest.raises(ValueError, match="`size`"):
        maps.Maximum(1, None)
    with pytest.raises(ValueError, match="`z` of `Maximum` must have 1 coord"):
        SurjectedDistribution(base, _maximum("float32"))
    with pytest.raises(ValueError, match="`z` of `Slice` must have 1 coord"):
        SurjectedDistribution(base, _slice("float32"))
    with pytest.raises(ValueError, match="`num_draws`"):
        maps.Augment(1, num_draws=0)
    with pytest.raises(TypeError, match="`surjection` must be a"):
        SurjectedDistribution(base, maps.Permutation((1, 0)))
    with pytest.raises(ValueError, match="must be over vectors"):
        SurjectedDistribution(tfd.Normal(0.0, 1.0), maps.AbsoluteValue((0,)))
    with pytest.raises(ValueError, match="condition"):
        SurjectedDistribution(base, _fold_signs("float32"))
    with pytest.raises(ValueError, match="vectors of a known size"):
        maps.AbsoluteValue((0,)).preimages(1.0)
