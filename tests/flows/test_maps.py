"""Flows of maps of one's own, and base densities of TFP."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import bijectors, flows, networks

X = small.table(50)


@keras.saving.register_keras_serializable("tests")
class Swap(bijectors.Bijector):
    """Swaps two coordinates."""

    def __init__(self, *, validate_args=False, name="swap"):
        parameters = dict(locals())
        super().__init__(
            event_shape=(2,),
            is_constant_jacobian=True,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    def _forward_and_log_det(self, x):
        return tf.reverse(x, [-1]), tf.zeros(tf.shape(x)[:-1], x.dtype)

    _inverse_and_log_det = _forward_and_log_det


class Unregistered(Swap):
    """A class that no file can name."""


def maps(condition_shape=None):
    spline = bijectors.RationalQuadratic(3)
    net = networks.MLP(
        1, (1, spline.params_size), (5,), condition_shape=condition_shape, seed=1
    )
    return [
        bijectors.LU.trainable(2, seed=0),
        bijectors.Coupling(spline, net, [True, False]),
        Swap(),
        bijectors.ActNorm.trainable(2),
        tfb.Softplus(),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("condition_shape", [None, (3,)])
def test_maps_are_a_flow_that_trains_and_is_saved(condition_shape, tmp_path):
    parts = maps(condition_shape)
    flow = flows.Flow.from_maps(parts, base="student-t", seed=0)
    assert flow.event_shape == (2,)
    assert flow.condition_shape == condition_shape
    assert flow.num_maps == len(parts)
    x = np.exp(0.1 * X)
    rng = np.random.default_rng(0)
    given = [] if condition_shape is None else [rng.normal(size=(len(x), 3))]
    before = float(tf.reduce_mean(flow.log_prob(x, *given)))
    tfpf.fit(flow, x, *given, epochs=3, jit_compile=False, seed=0, verbose=0)
    found = flow.log_prob(x, *given)
    assert float(tf.reduce_mean(found)) > before
    flow.save(tmp_path / "f.keras")
    twin = tfpf.load(tmp_path / "f.keras")
    np.testing.assert_array_equal(twin.log_prob(x, *given), found)
    assert len(twin.trainable_variables) == len(flow.trainable_variables)


def test_density_is_that_of_the_chain():
    shift, scale = tfb.Shift([1.0, -2.0]), tfb.Scale([2.0, 0.5])
    flow = flows.Flow.from_maps([scale, shift], 2)
    wanted = tfd.MultivariateNormalDiag([1.0, -2.0], [2.0, 0.5])
    np.testing.assert_allclose(flow.log_prob(X), wanted.log_prob(X), rtol=1e-5)
    np.testing.assert_array_equal(flow.partial(1).distribution.event_shape, [2])
    half = tfd.MultivariateNormalDiag([0.0, 0.0], [2.0, 0.5])
    np.testing.assert_allclose(flow.partial(1).log_prob(X), half.log_prob(X), 1e-5)


def test_standardisation_is_an_option():
    flow = flows.Flow.from_maps([Swap()], standardized=True)
    flow.adapt(100.0 * X)
    z = flow.bijector().inverse(100.0 * X)
    np.testing.assert_allclose(np.std(z, axis=0), 1.0, rtol=1e-4)


def test_events_of_images_stay_images():
    flow = flows.Flow.from_maps(
        [bijectors.ActNorm.trainable(1, event_ndims=3)], (2, 2, 1)
    )
    x = np.random.default_rng(0).normal(5.0, 2.0, (40, 2, 2, 1)).astype("float32")
    flow.adapt(x)
    np.testing.assert_allclose(np.mean(flow.bijector().inverse(x)), 0.0, atol=1e-5)
    assert flow.sample(3, seed=0).shape == [3, 2, 2, 1]


def test_what_makes_no_flow_is_refused(tmp_path):
    build = flows.Flow.from_maps
    with pytest.raises(ValueError, match="`event_shape` must be given"):
        build([tfb.Exp()])
    for shape in (3, ()):
        with pytest.raises(
            ValueError, match=r"`event_shape` must be \(2,\), as the maps"
        ):
            build([Swap()], shape)
    with pytest.raises(TypeError, match="`maps` must be bijectors of TFP or tfp_flows"):
        build([bijectors.Affine()], 2)
    flow = build([Unregistered()])
    with pytest.raises(TypeError, match=r"`maps` must be made of .* `Unregistered`"):
        flow.save(tmp_path / "f.keras")
    assert not list(tmp_path.iterdir())


BASES = {
    "number": (tfd.StudentT(4.0, 0.0, 1.0), "StudentT"),
    "coordinates": (tfd.Laplace([0.0, 0.0], 1.0), "Laplace"),
    "event": (tfd.Sample(tfd.Logistic(0.0, 1.0), 2), "Sample"),
    "nested": (
        tfd.MixtureSameFamily(
            tfd.Categorical(logits=[0.0, 1.0]),
            tfd.MultivariateNormalDiag([[0.0, 0.0], [1.0, 1.0]], [1.0, 2.0]),
        ),
        "MixtureSameFamily",
    ),
}


@pytest.mark.parametrize("name", BASES)
def test_any_density_of_tfp_is_a_base(name, tmp_path):
    base, kind = BASES[name]
    flow = small.build("coupling", base=base)
    flow.adapt(X)
    assert f"base: {kind}" in repr(flow)
    assert np.all(np.isfinite(flow.log_prob(X)))
    z = flow.sample(5, seed=1)
    assert z.shape == [5, 2]
    flow.save(tmp_path / "f.keras")
    twin = tfpf.load(tmp_path / "f.keras")
    np.testing.assert_array_equal(twin.log_prob(X), flow.log_prob(X))


def test_variables_of_a_base_are_trained_and_saved(tmp_path):
    df = tfp.util.TransformedVariable(5.0, tfb.Softplus(), name="df")
    flow = small.build("linear", base=tfd.StudentT(df, 0.0, tf.Variable(2.0)))
    assert len(flow.trainable_variables) == 2 + len(
        small.build("linear").trainable_variables
    )
    tfpf.fit(flow, X, epochs=2, jit_compile=False, seed=0, verbose=0)
    assert float(tf.convert_to_tensor(df)) != 5.0
    flow.save(tmp_path / "f.keras")
    twin = tfpf.load(tmp_path / "f.keras")
    np.testing.assert_array_equal(twin.log_prob(X), flow.log_prob(X))


def test_box_of_a_base_is_mapped_onto_the_range_of_the_data():
    for name in ("nsf", "coupling"):
        more = {"transformer": "bernstein"} if name == "coupling" else {}
        flow = small.build(name, base=tfd.Uniform(0.0, 1.0), num_layers=1, **more)
        assert flow.keeps_bounds
        flow.adapt(X)
        small.perturbed(flow)
        z = flow.bijector().inverse(X).numpy()
        assert 0.0 < z.min() < z.max() < 1.0
        assert np.all(np.isfinite(flow.log_prob(X)))
        assert np.all(np.isneginf(flow.log_prob(X + 100.0)))
    assert not small.build("maf", base=tfd.Uniform(0.0, 1.0)).keeps_bounds


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (tfd.Gamma(2.0, 1.0), "bounds on both sides or on none .*got Gamma on"),
        (tfd.Uniform([0.0, 0.0], [1.0, 2.0]), "one interval for all coordinates"),
        (tfd.Dirichlet([1.0, 1.0]), "Dirichlet, whose coordinates bound each other"),
        (tfd.Poisson(1.0), "whose events are discrete"),
        (tfd.Normal([0.0] * 3, 1.0), r"density of events of shape \(2,\)"),
        (tfd.Normal(np.float64(0.0), 1.0), "must have the dtype of the flow, float32"),
    ],
)
def test_bases_that_do_not_fit_are_refused(base, message):
    with pytest.raises(ValueError, match=message):
        small.build("realnvp", base=base)


def test_bases_of_unknown_classes_are_not_saved(tmp_path):
    class Mine(tfd.Normal):
        pass

    flow = small.build("linear", base=Mine(0.0, 1.0))
    with pytest.raises(TypeError, match=r"`base` must be made of .* got a `Mine`"):
        flow.save(tmp_path / "f.keras")
