"""What users of TFP's own flows have asked for, each as a claim of this library."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tests.flows import small
from tfp_flows import bijectors, networks

X = small.table(5)


def coupling(seed=0, condition_shape=None, dtype="float32", network=None):
    """Return a spline coupling map on pairs whose network is not zero."""
    transformer = bijectors.RationalQuadratic(num_bins=4)
    if network is None:
        network = networks.MLP(
            1,
            (1, transformer.params_size),
            (8,),
            condition_shape=condition_shape,
            dtype=dtype,
            seed=seed,
        )
        stir(network.weights, seed)
    return bijectors.Coupling(transformer, network, [seed % 2 == 0, seed % 2 == 1])


def maf(seed=0, condition_shape=None, dtype="float32"):
    """Return an affine masked autoregressive map whose network is not zero."""
    made = networks.MADE(
        2, 2, (8,), condition_shape=condition_shape, dtype=dtype, seed=seed
    )
    stir(made.weights, seed)
    return bijectors.MaskedAutoregressive(bijectors.Affine(), made)


def stir(variables, seed):
    rng = np.random.default_rng(seed)
    for v in variables:
        v.assign_add(tf.cast(0.3 * rng.normal(size=v.shape), v.dtype))


def normal(dtype="float32"):
    return tfd.Sample(tfd.Normal(tf.zeros([], dtype), 1.0), 2)


def ids(variables):
    return {id(v) for v in variables}


# Trainable variables


@pytest.mark.slow
@pytest.mark.parametrize("name", small.SMALL)
def test_keras_finds_every_trainable_variable_of_a_flow(name):
    # Their bases are of one form.
    is_own = name in ("any-order", "circular")
    base = {} if is_own else {"base": "diagonal-normal"}
    flow = small.build(name, 2, **base)
    found = ids(v.value for v in flow.trainable_variables)
    read = tf.function(flow.call).get_concrete_function(tf.constant(X))
    assert found == ids(read.trainable_variables)
    assert found >= ids(flow.bijector().trainable_variables)
    assert found == ids(flow.distribution().trainable_variables)


@pytest.mark.parametrize("outer", [tfb.Chain, bijectors.Chain])
@pytest.mark.parametrize("inverse", [tfb.Invert, bijectors.Invert])
def test_module_finds_variables_through_chain_and_invert(outer, inverse):
    parts = [maf(0), coupling(1)]
    scale = tf.Variable(2.0)
    chain = outer([inverse(parts[0]), parts[1], tfb.Scale(scale)])
    wanted = ids([*parts[0].conditioner.weights, *parts[1].conditioner.weights, scale])
    assert ids(chain.trainable_variables) == wanted
    transformed = tfd.TransformedDistribution(normal(), inverse(chain))
    assert ids(transformed.trainable_variables) == wanted

    class Holder(tf.Module):
        def __init__(self):
            self.parts = {"density": transformed}

    assert ids(Holder().trainable_variables) == wanted


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_variables_of_a_keras_network_are_found_and_trained(library):
    dense = library.layers.Dense
    network = library.Sequential([dense(4, activation="tanh"), dense(11)])
    conditioner = networks.as_conditioner(network, 1, (1, 11))
    map_ = bijectors.Chain([bijectors.Invert(coupling(0, network=conditioner))])
    assert len(map_.trainable_variables) == 4
    target = tfd.TransformedDistribution(normal(), map_)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(target.log_prob(X))
    gradients = tape.gradient(loss, map_.trainable_variables)
    assert all(g is not None for g in gradients)
    before = [np.array(w) for w in network.get_weights()]
    for variable, gradient in zip(map_.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.1 * gradient)
    after = network.get_weights()
    assert any(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True))


@pytest.mark.colab
def test_eager_training_of_a_plain_tfp_distribution_lowers_its_loss():
    target = tfd.TransformedDistribution(normal(), bijectors.Chain([coupling(0)]))
    optimizer = tf_keras.optimizers.legacy.Adam(0.05)
    data, losses = tf.constant(small.table(100)), []
    for _ in range(15):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(target.log_prob(data))
        variables = target.trainable_variables
        optimizer.apply_gradients(
            zip(tape.gradient(loss, variables), variables, strict=True)
        )
        losses.append(float(loss))
    assert losses[-1] < losses[0] - 0.02
    # The same tensor again: no log-det is left over from older weights.
    fresh = target.log_prob(tf.constant(small.table(100)))
    np.testing.assert_allclose(target.log_prob(data), fresh, atol=1e-6)


# Conditions


@pytest.mark.parametrize("invert", [False, True])
def test_condition_reaches_every_part_of_a_chain_without_nested_names(invert):
    parts = [
        coupling(0, condition_shape=(3,)),
        tfb.Shift([1.0, 2.0]),
        bijectors.Invert(maf(1, condition_shape=(3,))),
        coupling(1),
    ]
    chain = bijectors.Chain(parts)
    chain = bijectors.Invert(bijectors.Chain([chain])) if invert else chain
    assert chain.condition_shape == (3,)
    condition = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    y = chain.forward(X, condition=condition)
    back = chain.inverse(tf.identity(y), condition=condition)
    np.testing.assert_allclose(back, X, atol=1e-4)
    there = chain.forward_log_det_jacobian(X, 1, condition=condition)
    home = chain.inverse_log_det_jacobian(tf.identity(y), 1, condition=condition)
    np.testing.assert_allclose(there, -home, atol=1e-4)
    other = chain.forward(X, condition=condition + 1.0)
    assert np.abs(y - other).max() > 1e-3

    given = tfd.TransformedDistribution(normal(), chain)
    fixed = tfd.TransformedDistribution(
        normal(), bijectors.Conditioned(chain, condition)
    )
    by_name = given.log_prob(X, bijector_kwargs={"condition": condition})
    np.testing.assert_allclose(fixed.log_prob(X), by_name, atol=1e-5)
    with pytest.raises(ValueError, match="`condition` is missing"):
        chain.forward(X)


# Parts of other distributions


def plain_maps():
    return bijectors.Chain([coupling(0), tfb.Shift([1.0, -1.0]), coupling(1), maf(2)])


def test_plain_maps_make_a_transformed_distribution():
    target = tfd.TransformedDistribution(normal(), plain_maps())
    assert target.event_shape == [2]
    assert target.batch_shape == []
    draw, score = target.experimental_sample_and_log_prob(7, seed=[0, 1])
    np.testing.assert_allclose(target.log_prob(tf.identity(draw)), score, atol=1e-4)
    compiled = tf.function(target.log_prob, jit_compile=True)
    # One point lies 32 deviations out: four units of rounding of 500 nats.
    wanted = target.log_prob(X)
    np.testing.assert_allclose(compiled(X), wanted, rtol=1e-6, atol=1e-4)
    assert target.sample(seed=1).shape == [2]


def test_density_integrates_to_one_after_chaining():
    target = tfd.TransformedDistribution(normal("float64"), double_chain())
    axis = np.linspace(-14.0, 14.0, 281)
    grid = np.stack(np.meshgrid(axis, axis), -1)
    cell = (axis[1] - axis[0]) ** 2
    assert abs(np.exp(target.log_prob(grid)).sum() * cell - 1.0) < 0.01


def double_chain():
    parts = [coupling(i, dtype="float64") for i in range(2)]
    return bijectors.Chain([*parts, maf(3, dtype="float64")])


@pytest.mark.colab
def test_flow_is_a_part_of_a_joint_distribution():
    flow = small.perturbed(small.build("realnvp", 2, 1))
    joint = tfd.JointDistributionNamed(
        {
            "c": tfd.Sample(tfd.Normal(0.0, 1.0), 1),
            "x": lambda c: flow.distribution(c),
            "y": lambda x: tfd.Independent(tfd.Normal(x, 0.1), 1),
        }
    )
    one = joint.sample(seed=[0, 1])
    assert one["x"].shape == [2]
    parts = joint.log_prob_parts({k: tf.identity(v) for k, v in one.items()})
    wanted = flow.log_prob(one["x"], one["c"])
    np.testing.assert_allclose(parts["x"], wanted, atol=1e-4)
    # Leading dimensions of the condition are those of the flow's batch.
    many = joint.sample(4, seed=[0, 1])
    assert many["x"].shape == [4, 2]
    assert joint.log_prob(many).shape == [4]


def test_flow_is_a_component_of_a_mixture():
    flow = small.perturbed(small.build("maf", 2, 1))
    condition = np.array([[-1.0], [0.0], [2.0]], "float32")
    components = flow.distribution(condition)
    assert components.batch_shape == [3]
    weights = tfd.Categorical(probs=[0.2, 0.3, 0.5])
    mixture = tfd.MixtureSameFamily(weights, components)
    each = np.stack([flow.log_prob(X, c) for c in condition], -1)
    wanted = np.log((np.exp(each) * [0.2, 0.3, 0.5]).sum(-1))
    np.testing.assert_allclose(mixture.log_prob(X), wanted, atol=1e-4)
    assert mixture.sample(6, seed=[0, 1]).shape == [6, 2]
    pair = [flow.distribution(condition[0]), small.build("nsf").distribution()]
    unlike = tfd.Mixture(tfd.Categorical(probs=[0.5, 0.5]), pair)
    assert np.all(np.isfinite(unlike.log_prob(X)))


def test_flow_is_a_surrogate_posterior():
    flow = small.build("iaf", 2, base="diagonal-normal")
    target = tfd.MultivariateNormalTriL([1.0, -1.0], [[0.5, 0.0], [0.6, 0.4]])
    losses = tfp.vi.fit_surrogate_posterior(
        target.log_prob,
        surrogate_posterior=flow.distribution(),
        optimizer=tf_keras.optimizers.Adam(0.02),
        num_steps=200,
        sample_size=20,
        seed=[0, 1],
    )
    losses = losses.numpy()
    assert losses[:10].mean() > 1.0
    assert losses[-20:].mean() < 0.2
    # Trained through TFP, the flow itself has changed.
    sample = flow.sample(2000, seed=1).numpy()
    np.testing.assert_allclose(sample.mean(axis=0), [1.0, -1.0], atol=0.2)


def test_surrogate_posterior_trains_with_an_optimizer_of_keras_3():
    surrogate = tfd.TransformedDistribution(normal(), bijectors.Invert(maf(0)))
    losses = tfp.vi.fit_surrogate_posterior(
        tfd.MultivariateNormalDiag([2.0, 0.0], [0.3, 1.0]).log_prob,
        surrogate_posterior=surrogate,
        optimizer=keras.optimizers.Adam(0.1),
        num_steps=30,
        sample_size=10,
        seed=[0, 1],
    )
    assert float(losses[-1]) < float(losses[0]) - 1.0


def test_flow_preconditions_hamiltonian_monte_carlo():
    flow = small.perturbed(small.build("realnvp", 2), 0.1)
    flow.adapt(small.table(300))
    wanted = small.table(300).mean(axis=0)
    target = tfd.MultivariateNormalDiag(wanted, [0.5, 2.0])
    inner = tfp.mcmc.HamiltonianMonteCarlo(
        target.log_prob, step_size=0.5, num_leapfrog_steps=3
    )
    kernel = tfp.mcmc.TransformedTransitionKernel(inner, flow.bijector())

    @tf.function(autograph=False)
    def run(start):
        return tfp.mcmc.sample_chain(
            60,
            current_state=start,
            kernel=kernel,
            num_burnin_steps=20,
            trace_fn=lambda _, results: results.inner_results.is_accepted,
            seed=[0, 1],
        )

    samples, accepted = run(tf.tile(wanted[None], [50, 1]))
    assert np.mean(accepted) > 0.6
    flat = samples.numpy().reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), wanted, atol=0.3)
    np.testing.assert_allclose(flat.std(axis=0), [0.5, 2.0], rtol=0.2)


def test_flow_works_in_vectorized_map():
    flow = small.perturbed(small.build("nsf-ar", 2, 1))
    condition = np.linspace(-1.0, 1.0, 5)[:, None].astype("float32")
    found = tf.vectorized_map(
        lambda xc: flow.distribution(xc[1]).log_prob(xc[0]),
        (tf.constant(X), tf.constant(condition)),
        fallback_to_while_loop=False,
    )
    np.testing.assert_allclose(found, flow.log_prob(X, condition), atol=1e-4)


@pytest.mark.colab
def test_map_crosses_a_function_boundary_as_an_argument():
    @tf.function(autograph=False)
    def score(map_, x):
        return map_.inverse_log_det_jacobian(x, 1)

    map_ = plain_maps()
    wanted = map_.inverse_log_det_jacobian(X, 1)
    np.testing.assert_allclose(score(map_, tf.constant(X)), wanted, atol=1e-5)


def test_single_events_of_a_joint_distribution_need_no_batch():
    target = tfd.JointDistributionSequential(
        [tfd.TransformedDistribution(normal(), plain_maps())]
    )
    (draw,) = target.sample(seed=[0, 1])
    assert draw.shape == [2]
    assert target.log_prob([tf.identity(draw)]).shape == []
