"""Masked autoregressive maps and what theory fixes about them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import bijectors, networks
from tfp_flows.bijectors.autoregressive import sampling


def stir(variables, scale, seed=0):
    rng = np.random.default_rng(seed)
    for v in variables:
        v.assign_add(tf.cast(scale * rng.normal(size=v.shape), v.dtype))


def maf(size, transformer=None, *, dtype="float64", scale=0.4, units=(16,), **options):
    transformer = transformer or bijectors.Affine()
    made = networks.MADE(
        size,
        transformer.params_size,
        units,
        activation="tanh",
        dtype=dtype,
        **{"seed": 0, **options},
    )
    stir(made.weights, scale)
    return bijectors.MaskedAutoregressive(transformer, made)


def normal(size, dtype="float64"):
    return tfd.Sample(tfd.Normal(tf.zeros([], dtype), 1.0), size)


def count_calls(map_):
    """Count from now on how often the network of a map is called."""
    calls, columns = [], map_.conditioner.columns

    def counted(*arguments):
        calls.append(1)
        return columns(*arguments)

    map_.conditioner.columns = counted
    return calls


def jacobian(function, x):
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = function(x)
    return tape.batch_jacobian(y, x, experimental_use_pfor=False).numpy()


@pytest.mark.parametrize("order", ["left-to-right", "right-to-left", [2, 0, 1]])
@pytest.mark.parametrize("transformer", [None, bijectors.RationalQuadratic(4)])
def test_inverse_has_a_triangular_jacobian_in_the_order(order, transformer):
    map_ = maf(3, transformer, order=order)
    x = np.random.default_rng(0).normal(size=(4, 3))
    found = jacobian(map_.inverse, x)
    rank = np.array(map_.order)
    allowed = rank[:, None] >= rank[None]
    assert np.all(found[:, ~allowed] == 0.0)
    assert np.abs(found[:, allowed]).max(axis=0).min() > 0.0
    log_det = np.log(np.abs(np.linalg.det(found)))
    np.testing.assert_allclose(map_.inverse_log_det_jacobian(x, 1), log_det, atol=1e-9)
    forward = map_.forward(map_.inverse(x) + 0.0)
    np.testing.assert_allclose(forward, x, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transformer", [None, bijectors.RationalQuadratic(8)])
def test_sampling_is_correct_in_64_dimensions(transformer, dtype):
    map_ = maf(64, transformer, dtype=dtype, scale=0.1, units=(64, 64))
    z = np.random.default_rng(0).normal(size=(16, 64)).astype(dtype)
    x = map_.forward(z)
    assert np.abs(x - z).max() > 0.1
    atol = 1e-5 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(map_.inverse(tf.identity(x)), z, atol=atol)
    # One coordinate after the other, by the definition.
    slow = np.zeros_like(z)
    for i in range(64):
        params = tf.transpose(map_.conditioner(slow), [2, 0, 1])
        value, _ = map_.transformer.forward(tf.constant(z), params)
        slow[:, i] = value[:, i]
    np.testing.assert_allclose(x, slow, atol=atol)


def test_density_takes_one_network_call_and_inverted_sampling_too():
    map_ = maf(64, units=(64,))
    target = tfd.TransformedDistribution(normal(64), map_)
    x = np.random.default_rng(0).normal(size=(5, 64))
    calls = count_calls(map_)
    target.log_prob(tf.constant(x))
    assert len(calls) == 1
    calls.clear()
    inverted = tfd.TransformedDistribution(normal(64), bijectors.Invert(map_))
    inverted.experimental_sample_and_log_prob(5, seed=[0, 1])
    assert len(calls) == 1
    calls.clear()
    # The slow direction goes by steps, not by passes.
    inverted.log_prob(tf.constant(x))
    draw, score = target.experimental_sample_and_log_prob(5, seed=[0, 1])
    assert not calls
    np.testing.assert_allclose(target.log_prob(tf.identity(draw)), score, atol=1e-9)


STEPS = [
    {},
    {"order": [2, 0, 3, 1], "units": (9, 12, 7)},
    {"units": (8, 8, 8), "residual": True},
    {"units": (6,), "condition_shape": (2,)},
    {"units": (6, 6), "condition_shape": (2,), "residual": True},
    {"units": (2, 2)},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", STEPS, ids=str)
@pytest.mark.parametrize(
    "transformer",
    [None, bijectors.RationalQuadratic(3), bijectors.LogisticMixture(2)],
)
def test_steps_equal_passes_and_so_do_their_gradients(options, transformer):
    map_ = maf(4, transformer, **options)
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(size=(4, 6)))
    condition = tf.constant(rng.normal(size=(2, 6))) if map_.condition_shape else None
    weigh = tf.constant(rng.normal(size=(4, 6)))
    found = []
    ways = sampling.OneByOne(map_.transformer, map_.conditioner, map_.order)
    for function in (ways.by_steps, ways.by_passes):
        sources = [x, *map_.conditioner.weights]
        sources += [] if condition is None else [condition]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            y, log_det = function(x, condition)
            loss = tf.reduce_sum(weigh * y) + tf.reduce_sum(tf.sin(log_det))
        gradients = tape.gradient(loss, sources)
        found.append([y, log_det, *gradients])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_one_coordinate_goes_by_steps_too():
    map_ = maf(1, condition_shape=(2,), units=(5,))
    x = np.random.default_rng(0).normal(size=(3, 1))
    condition = np.ones((3, 2))
    y = map_.forward(x, condition=condition)
    np.testing.assert_allclose(map_.inverse(y + 0.0, condition=condition), x)


def test_memory_of_the_gradient_by_steps_does_not_grow_with_their_number():
    map_ = maf(3, units=(8,))

    @tf.function(autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = map_.forward(x)
        return tape.gradient(y, x)

    graph = gradient.get_concrete_function(tf.TensorSpec([None, 3], tf.float64)).graph
    # A loop that autodiff goes through stacks what every step computes.
    stacks = [op for op in graph.get_operations() if "TensorList" in op.type]
    assert not stacks


@pytest.mark.colab
def test_masked_and_inverse_autoregressive_maps_are_dual():
    map_ = maf(4, bijectors.RationalQuadratic(4))
    dual = bijectors.Invert(map_)
    x = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_array_equal(dual.forward(x), map_.inverse(x))
    np.testing.assert_array_equal(dual.inverse(x), map_.forward(x))
    np.testing.assert_array_equal(
        dual.forward_log_det_jacobian(x, 1), map_.inverse_log_det_jacobian(x, 1)
    )
    # Pushing forward through one and back through the other changes nothing.
    through = bijectors.Chain([map_, dual])
    np.testing.assert_allclose(through.forward(x), x, atol=1e-9)


def test_jacobians_of_both_directions_are_inverse_matrices():
    parts = [
        maf(3, bijectors.RationalQuadratic(4)),
        bijectors.Permutation((2, 0, 1)),
        bijectors.Invert(maf(3, seed=1)),
    ]
    chain = bijectors.Chain(parts)
    z = np.random.default_rng(0).normal(size=(4, 3))
    x = chain.forward(z).numpy()
    product = jacobian(chain.forward, z) @ jacobian(chain.inverse, x)
    np.testing.assert_allclose(
        product, np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-5
    )
    log_det, value = 0.0, z
    for part in reversed(parts):
        log_det = log_det + part.forward_log_det_jacobian(value, 1)
        value = part.forward(value).numpy()
    np.testing.assert_allclose(
        chain.forward_log_det_jacobian(z, 1), log_det, atol=1e-10
    )


def test_one_coordinate_without_condition_is_a_constant_map():
    map_ = maf(1)
    x = np.linspace(-2.0, 2.0, 5)[:, None]
    y = map_.inverse(x).numpy()
    np.testing.assert_allclose(np.diff(y[:, 0], 2), 0.0, atol=1e-12)
    np.testing.assert_allclose(map_.forward(y.copy()), x, atol=1e-12)


def test_condition_shifts_the_density_and_broadcasts():
    map_ = maf(2, condition_shape=(3,))
    x = np.random.default_rng(0).normal(size=(5, 2))
    condition = np.random.default_rng(1).normal(size=(4, 1, 3))
    y = map_.inverse(x, condition=condition)
    assert y.shape == [4, 5, 2]
    back = map_.forward(tf.identity(y), condition=condition)
    np.testing.assert_allclose(back, np.broadcast_to(x, (4, 5, 2)), atol=1e-9)
    assert np.abs(y[0] - y[1]).max() > 1e-3


def test_sampling_works_for_an_unknown_batch_and_a_gradient():
    map_ = maf(3)

    @tf.function(
        input_signature=[tf.TensorSpec([None, 3], tf.float64)], autograph=False
    )
    def total(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            y = map_.forward(z)
        return y, tape.gradient(y, z)

    z = np.random.default_rng(0).normal(size=(4, 3))
    y, gradient = total(z)
    np.testing.assert_allclose(y, map_.forward(z), atol=1e-12)
    wanted = jacobian(map_.forward, z).sum(axis=1)
    np.testing.assert_allclose(gradient, wanted, atol=1e-9)


def test_unfinished_coordinates_cannot_overflow():
    # With zeros for the later inputs the scales are extreme: only one row is used.
    map_ = maf(6, scale=3.0, dtype="float32")
    z = np.full([1, 6], 1e3, "float32")
    x = map_.forward(z)
    assert np.all(np.isfinite(x))
    assert np.all(np.isfinite(map_.forward_log_det_jacobian(z, 1)))


def test_user_network_keeps_its_own_order():
    conditioner = networks.as_conditioner(
        lambda x: tf.stack([tf.zeros_like(x[:, 0]), tf.tanh(x[:, 0])], -1), 2, (2, 1)
    )
    map_ = bijectors.MaskedAutoregressive(bijectors.Additive(), conditioner)
    x = np.array([[0.5, 1.0]], "float32")
    np.testing.assert_allclose(map_.forward(x), [[0.5, 1.0 + np.tanh(0.5)]], atol=1e-6)
    assert map_.order == (0, 1)


def test_network_without_masks_is_refused():
    mlp = networks.MLP(2, (2, 2), (8,), seed=0)
    with pytest.raises(ValueError, match="every parameter may depend on every input"):
        bijectors.MaskedAutoregressive(bijectors.Affine(), mlp)
    with pytest.raises(ValueError, match="every parameter may depend on every input"):
        bijectors.MaskedAutoregressive(bijectors.Affine(), mlp, order="left-to-right")


def foreign(kernel, condition_shape=None):
    """Return a linear network of the user's: `params = kernel @ x`."""
    size = kernel.shape[0]

    def network(x):
        return x[:, :size] @ tf.cast(tf.transpose(kernel), x.dtype)

    return networks.as_conditioner(
        network, size, (size, 1), condition_shape=condition_shape
    )


@pytest.mark.parametrize("condition_shape", [None, (2,)])
def test_foreign_network_is_checked_against_its_order(condition_shape):
    kernel = np.zeros([3, 3])
    kernel[0, 2] = kernel[2, 1] = kernel[0, 1] = 0.1  # 1, 2, 0
    additive, net = bijectors.Additive(), foreign(kernel, condition_shape)
    bijectors.MaskedAutoregressive(additive, net, order=(2, 0, 1))
    with pytest.raises(ValueError, match="of coordinate 0 change with coordinate 1"):
        bijectors.MaskedAutoregressive(additive, net)
    one = foreign(np.ones([1, 1]))
    with pytest.raises(ValueError, match="of coordinate 0 change with coordinate 0"):
        bijectors.MaskedAutoregressive(additive, one)


def test_foreign_network_that_starts_at_zero_is_checked_once_it_is_not():
    kernel = tf.Variable(tf.zeros([2, 2]))
    map_ = bijectors.MaskedAutoregressive(bijectors.Additive(), foreign(kernel))
    x = tf.ones([1, 2])
    np.testing.assert_array_equal(map_.inverse(x), x)
    kernel.assign([[0.0, 1.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="of coordinate 0 change with coordinate 1"):
        map_.inverse(tf.identity(x))


def test_order_is_checked_once_and_never_in_a_trace():
    calls = []
    kernel = tf.constant([[0.0, 0.0], [0.5, 0.0]])

    def network(x):
        calls.append(1)
        return x @ tf.transpose(kernel)

    net = networks.as_conditioner(network, 2, (2, 1))
    map_ = bijectors.MaskedAutoregressive(bijectors.Additive(), net)
    calls.clear()
    inverse = tf.function(lambda b, x: b.inverse(x), autograph=False)
    inverse(map_, tf.ones([3, 2]))
    assert len(calls) == 1
    map_.inverse(tf.ones([3, 2]))
    assert len(calls) == 2


def test_order_against_that_of_the_network_is_refused():
    made = networks.MADE(3, 2, (8,), order="right-to-left")
    with pytest.raises(ValueError, match="`order` must be that of the conditioner"):
        bijectors.MaskedAutoregressive(bijectors.Affine(), made, order="left-to-right")


def test_wrong_conditioners_are_refused():
    made = networks.MADE(3, 4, (8,))
    with pytest.raises(ValueError, match=r"output_shape \(3, 2\) for this transformer"):
        bijectors.MaskedAutoregressive(bijectors.Affine(), made)
    with pytest.raises(ValueError, match=r"`x` must .*\(3,\)"):
        maf(3).forward(np.zeros([2, 1]))


@pytest.mark.parametrize("count", [1, None])
def test_steps_trace_for_one_event_and_for_unknown_numbers(count):
    map_ = maf(4, condition_shape=(2,), units=(8,))
    shapes = [tf.TensorSpec([count, size], tf.float64) for size in (4, 2)]

    @tf.function(input_signature=shapes, autograph=False)
    def forward(x, condition):
        y, log_det = map_.forward_and_log_det(x, condition)
        return y, log_det, tf.gradients(y, x)[0]

    x, condition = np.full((1, 4), 0.3), np.ones((1, 2))
    y, _, gradient = forward(x, condition)
    np.testing.assert_allclose(map_.inverse(y + 0.0, condition=condition), x)
    assert np.isfinite(gradient).all()
