"""What holds for every ready-made flow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tests.flows import small
from tfp_flows import bijectors, flows
from tfp_flows.preprocessing import DataNotice

X = small.table(20)
NAMES = flows.names()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_untrained_flow_is_close_to_its_base(name):
    flow = small.build(name, 3)
    x = np.tanh(small.table(50, 3))
    wanted = flow.partial(0).log_prob(x)
    if name == "circular":  # uniform on a longer period
        wanted -= 3.0 * np.log(12.0)
    # These start from parts that differ, near the identity.
    apart = ("maf-mol", "any-order", "naf", "sos", "bnaf")
    atol = 1.5 if name in apart else 1e-4
    np.testing.assert_allclose(flow.log_prob(x), wanted, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_compiled_and_plain_evaluation_agree(name):
    flow = small.perturbed(small.build(name, 2))
    wanted = flow.distribution().log_prob(X)
    np.testing.assert_allclose(flow.log_prob(X), wanted, atol=1e-4)
    np.testing.assert_allclose(flow(X), wanted, atol=1e-4)
    draw = flow.sample(5, seed=[1, 2])
    again = flow.distribution().sample(5, seed=[1, 2])
    np.testing.assert_allclose(draw, again, atol=1e-3)


@pytest.mark.parametrize("name", ["realnvp", "nsf-ar", "linear"])
def test_density_after_every_layer_integrates_to_one(name):
    flow = small.build(name, 2, num_layers=2)
    flow.adapt(small.table(200))
    small.perturbed(flow, 0.15)
    axis = np.linspace(-18.0, 18.0, 361, dtype="float32")
    grid = np.stack(np.meshgrid(axis, axis), -1)
    cell = (axis[1] - axis[0]) ** 2
    for k in range(flow.num_maps + 1):
        mass = np.exp(flow.partial(k).log_prob(grid)).sum() * cell
        assert mass == pytest.approx(1.0, abs=0.01), k


def test_log_det_of_the_flow_is_the_sum_over_its_layers():
    flow = small.perturbed(small.build("nsf", 2, num_layers=3))
    flow.adapt(small.table(100))
    log_det, value = 0.0, tf.constant(X)
    for part in flow.bijector().bijectors:
        log_det += part.inverse_log_det_jacobian(value, 1)
        value = part.inverse(value)
    base = flow.partial(0).log_prob(value)
    np.testing.assert_allclose(flow.log_prob(X), base + log_det, atol=1e-5)
    for k in range(flow.num_maps):
        inner = flow.partial(k).log_prob
        outer = flow.partial(k + 1)
        part = flow.bijector().bijectors[flow.num_maps - 1 - k]
        wanted = inner(part.inverse(X)) + part.inverse_log_det_jacobian(X, 1)
        np.testing.assert_allclose(outer.log_prob(X), wanted, atol=1e-4)


@pytest.mark.colab
@pytest.mark.parametrize("conditional", [False, True])
def test_flow_equals_a_transformed_distribution_of_its_parts(conditional):
    x, condition = small.batch(20)
    flow = small.build("maf", 2, 1 if conditional else None, base="diagonal-normal")
    arguments = [condition] if conditional else []
    flow.adapt(x, *arguments)
    small.perturbed(flow, 0.1)
    by_hand = tfd.TransformedDistribution(
        flow.partial(0, *arguments).distribution, flow.bijector(*arguments)
    )
    wanted = by_hand.log_prob(x)
    np.testing.assert_allclose(flow.log_prob(x, *arguments), wanted, atol=1e-6)
    # Forward and inverse, with the density of the base and the log-det apart.
    map_ = flow.bijector(*arguments)
    z = map_.inverse(x)
    prior, log_det = (
        by_hand.distribution.log_prob(z),
        map_.inverse_log_det_jacobian(x, 1),
    )
    np.testing.assert_allclose(prior + log_det, wanted, atol=1e-6)
    np.testing.assert_allclose(map_.forward(tf.identity(z)), x, atol=1e-5)


def test_trainable_base_gets_gradients_with_the_maps():
    for base in ("diagonal-normal", "student-t", "gaussian-mixture"):
        flow = small.perturbed(small.build("maf", 2, base=base), 0.1)
        own = flow._base.trainable_variables
        assert own
        assert {id(v) for v in own} <= {id(v.value) for v in flow.trainable_variables}
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow(X, training=True))
        for g in tape.gradient(loss, own):
            assert np.abs(tf.convert_to_tensor(g)).max() > 0.0


def test_conditional_flow_takes_batches_of_conditions():
    flow = small.perturbed(small.build("realnvp", 2, (2, 1)))
    condition = np.random.default_rng(0).normal(size=(4, 2, 1)).astype("float32")
    target = flow.distribution(condition)
    assert target.batch_shape == [4]
    assert target.event_shape == [2]
    for jit in (False, True):
        for shape, given, wanted in (
            ((3, 5), condition, [3, 5, 4, 2]),
            ((), condition, [4, 2]),
            (3, condition[0], [3, 2]),
            ((), condition[0], [2]),
            ((), condition[:1], [1, 2]),
        ):
            drawn = flow.sample(shape, given, seed=0, jit_compile=jit)
            assert drawn.shape == wanted
    # Data and conditions broadcast.
    scores = flow.log_prob(X[:, None], condition)
    assert scores.shape == [20, 4]
    one = flow.log_prob(X, condition[2])
    np.testing.assert_allclose(scores[:, 2], one, atol=1e-5)
    assert flow.log_prob(X[0], condition).shape == [4]
    assert flow.log_prob(X[0], condition[0]).shape == []


@pytest.mark.slow
def test_batches_of_unknown_size_broadcast_in_a_graph():
    flow = small.perturbed(small.build("realnvp", 2, (3,)))
    condition = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    specs = (
        tf.TensorSpec([None, 2]),
        tf.TensorSpec([None, 3]),
        tf.TensorSpec([], "int32"),
    )

    @tf.function(input_signature=specs)
    def both(x, condition, count):
        shape = tf.stack([count, 2])
        return flow.log_prob(x, condition), flow.sample(shape, condition, seed=3)

    scores, samples = both(X, condition, 4)
    np.testing.assert_allclose(scores, flow.log_prob(X, condition), atol=1e-5)
    np.testing.assert_allclose(
        samples, flow.sample((4, 2), condition, seed=3), atol=1e-5
    )


def test_batches_that_do_not_broadcast_are_named():
    flow = small.build("realnvp", 2, (3,))
    message = r"batch of shape \(20,\) and `condition` one of shape \(4,\)"
    with pytest.raises(ValueError, match=message):
        flow.log_prob(X, np.zeros([4, 3], "float32"))


def test_condition_is_missed_and_superfluous_with_a_message():
    flow = small.build("maf", 2, 3)
    message = r"`condition` is missing: .*condition_shape=\(3,\)"
    for call in (
        lambda: flow.log_prob(X),
        lambda: flow.sample(2, seed=0),
        lambda: flow.distribution(),
        lambda: flow.adapt(X),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=r"`condition` must .*\(3,\)"):
        flow.log_prob(X, X)
    plain = small.build("maf", 2)
    with pytest.raises(ValueError, match="condition"):
        plain.log_prob(X, X)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (2, 2, 1)])
def test_events_may_have_any_rank(shape):
    flow = small.perturbed(small.build("nsf-ar", shape))
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 3.0, size=(50, *shape)).astype("float32")
    flow.adapt(x)
    assert flow.event_shape == shape
    assert flow.log_prob(x).shape == [50]
    assert flow.log_prob(x[0]).shape == []
    assert flow.sample(seed=0).shape == shape
    assert flow.distribution().event_shape == shape
    assert np.all(np.isfinite(flow.log_prob(x)))


def test_wrong_event_size_is_refused():
    flow = small.build("maf", 2)
    for wrong in (X[:, :1], np.zeros([4, 3]), np.float32(1.0)):
        for call in (flow.log_prob, flow, flow.adapt, flow.distribution().log_prob):
            with pytest.raises(ValueError, match=r"\(2,\)"):
                call(wrong)


def test_batch_size_may_change_and_be_unknown():
    flow = small.perturbed(small.build("realnvp"))
    wanted = flow.log_prob(X)
    for rows in (1, 7, 20):
        found = flow.log_prob(X[:rows])
        np.testing.assert_allclose(found, wanted[:rows], atol=1e-5)
    assert flow.log_prob(X[:0]).shape == [0]
    deep = flow.log_prob(np.reshape(X, [2, 5, 2, 2]))
    np.testing.assert_allclose(np.reshape(deep, [20]), wanted, atol=1e-5)


def test_seed_fixes_weights_and_samples():
    first, again, other = (small.build("nsf", seed=s) for s in (1, 1, 2))
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    gaps = [
        np.abs(a.numpy() - b.numpy()).max()
        for a, b in zip(first.variables, other.variables, strict=True)
    ]
    assert max(gaps) > 0.0
    draws = [first.sample(4, seed=s).numpy() for s in (3, 3, 4, [1, 2], [1, 2])]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[3], draws[4])
    assert np.abs(draws[0] - draws[2]).max() > 0.0
    # Without a seed every call differs.
    assert np.abs(first.sample(4).numpy() - first.sample(4).numpy()).max() > 0.0


def test_weights_are_read_anew_in_each_call():
    flow = small.build("maf")
    before = flow.log_prob(X).numpy()
    target = flow.distribution()
    small.perturbed(flow)
    assert np.abs(flow.log_prob(X).numpy() - before).max() > 1e-3
    np.testing.assert_allclose(target.log_prob(X), flow.log_prob(X), atol=1e-4)


def test_adapting_gives_units_of_the_data():
    x = small.table(500)
    flow = small.build("maf")
    flow.adapt(x)
    target = flow.distribution()
    z = flow.bijector().inverse(x).numpy()
    np.testing.assert_allclose(z.mean(axis=0), [0.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(z.std(axis=0), [1.0, 1.0], atol=1e-4)
    deviations = x.std(axis=0)
    wanted = tfd.MultivariateNormalDiag(x.mean(axis=0), deviations).log_prob(x)
    np.testing.assert_allclose(target.log_prob(x), wanted, atol=1e-4)


class Counting(bijectors.ActNorm):
    """Keeps how many rows it was set by."""

    def adapt(self, y, condition=None):
        super().adapt(y, condition)
        self.rows = len(y)


@pytest.mark.parametrize("condition", [None, 2])
def test_maps_behind_others_are_set_by_some_rows_of_many(condition):
    layers = [Counting.trainable(2), Counting.trainable(2)]
    flow = flows.Flow.from_maps(layers, condition_shape=condition)
    many = np.tile(small.table(500), (90, 1))
    flow.adapt(many, *([] if condition is None else [many]))
    assert [layer.rows for layer in layers] == [15_000, 45_000]
    deviations = many.std(axis=0)
    wanted = tfd.MultivariateNormalDiag(many.mean(axis=0), deviations).log_prob(many)
    given = [] if condition is None else [many]
    np.testing.assert_allclose(flow.log_prob(many, *given), wanted, atol=1e-2)


def test_map_of_a_flow_works_in_chains_of_tfp():
    flow = small.perturbed(small.build("nsf"))
    chain = tfb.Chain([tfb.Exp(), flow.bijector()])
    target = tfd.TransformedDistribution(flow.partial(0).distribution, chain)
    x = np.exp(X / 4.0)
    wanted = flow.log_prob(np.log(x)) - np.log(x).sum(axis=1)
    np.testing.assert_allclose(target.log_prob(x), wanted, atol=1e-4)


def test_partial_counts_from_the_base():
    flow = small.build("maf")
    with pytest.raises(ValueError, match=r"`k` must be between 0 and num_maps=3"):
        flow.partial(4)
    with pytest.raises(ValueError, match="0 is the base"):
        flow.partial(-1)
    assert isinstance(flow.partial(0), tfd.TransformedDistribution)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsf", "maf"])
def test_compiled_by_xla_scores_and_samples_of_any_number_are_the_same(name):
    flow = flows.build(name, 3, 2, num_layers=2, hidden_units=(8, 8), seed=0)
    rng = np.random.default_rng(0)
    for variable in flow.trainable_variables:
        variable.assign_add(0.2 * rng.normal(size=variable.shape))
    x, condition = rng.normal(size=(5, 1, 3)), rng.normal(size=(4, 2))
    wanted = flow.log_prob(x, condition)
    found = flow.log_prob(x, condition, jit_compile=True)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert flow.log_prob(x[:0], condition, jit_compile=True).shape == [0, 4]
    draw = flow.sample((17, 2), condition, seed=1, jit_compile=True)
    assert draw.shape == [17, 2, 4, 3]
    again = flow.sample((17, 2), condition, seed=1, jit_compile=True)
    np.testing.assert_array_equal(draw, again)
    # Each condition has samples of its own, none of them a filling.
    assert len(np.unique(np.reshape(draw, [-1, 3]), axis=0)) == 17 * 2 * 4
    flow.trainable_variables[-1].assign_add(flow.trainable_variables[-1] * 0 + 0.1)
    changed = flow.log_prob(x, condition, jit_compile=True)
    np.testing.assert_allclose(changed, flow.log_prob(x, condition), atol=1e-4)
    assert not np.allclose(changed, found, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "maf",
            {"num_layers": 2.5},
            "`num_layers` must be a number without a fraction",
        ),
        ("maf", {"num_layers": True}, "`num_layers` must be a number without"),
        ("maf", {"residual": 1}, "`residual` must be True or False, got 1"),
        ("maf", {"activation": 7}, "`activation` must be a name, got 7"),
        ("nsf", {"tail_bound": float("nan")}, "`tail_bound` must be a number, got nan"),
        ("nsf", {"hidden_units": "ab"}, "`hidden_units` must be a positive int or"),
        ("rbig", {"num_bins": "many"}, "`num_bins` must be a number without"),
        ("rbig", {"layer_types": 3}, "`layer_types` must be a list of names or None"),
        ("gaussianization", {"dropout": -1}, "`dropout` must be at least 0"),
    ],
)
def test_options_of_another_kind_are_named(name, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        flows.build(name, 3, **options)


@pytest.mark.slow
def test_options_take_numbers_of_numpy_and_single_sizes():
    flow = flows.build("maf", 2, num_layers=1, hidden_units=np.int64(4))
    assert tuple(flow.get_config()["hidden_units"]) == (4,)


def test_missing_numbers_are_noticed_and_spoil_no_other_row():
    for name in ("maf", "cnf"):
        flow = small.build(name)
        with pytest.warns(DataNotice, match=r"NaN in 2 of 3 cases, first in row 2"):
            found = flow.log_prob([[0.1, 0.2], [np.nan, 0.0], [0.0, np.nan]]).numpy()
        np.testing.assert_array_equal(np.isnan(found), [False, True, True])
        np.testing.assert_allclose(found[:1], flow.log_prob([[0.1, 0.2]]), rtol=1e-5)
