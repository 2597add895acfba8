"""Ensembles are mixtures of flows that are trained as one model."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows import flows
from tfp_flows.flows._model.member_training import TrainableMembers

TINY = {"num_layers": 1, "hidden_units": (8,), "num_bins": 4, "residual": False}
ROWS = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")


def _ensemble(members=3, size=2, *args, **options):
    flow = flows.build("nsf", size, *args, members=members, seed=0, **TINY, **options)
    rng = np.random.default_rng(1)
    for variable in flow.trainable_variables:
        variable.assign_add(0.3 * rng.normal(size=variable.shape))
    return flow


@pytest.fixture(scope="module")
def ensemble():
    return _ensemble()


def test_density_is_the_mean_of_the_members(ensemble):
    each = np.stack([member.log_prob(ROWS) for member in ensemble.members])
    np.testing.assert_allclose(ensemble.member_log_prob(ROWS), each, atol=1e-6)
    wanted = np.log(np.exp(each.astype(np.float64)).mean(axis=0))
    np.testing.assert_allclose(ensemble.log_prob(ROWS), wanted, atol=1e-5)
    np.testing.assert_allclose(ensemble(ROWS), wanted, atol=1e-5)
    found = ensemble.distribution().log_prob(ROWS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    spread = ensemble.disagreement(ROWS)
    np.testing.assert_allclose(spread, each.std(axis=0), atol=1e-5)
    assert np.all(spread > 0.01)  # members differ


def test_equal_members_are_the_single_flow():
    single = flows.build("nsf", 2, seed=3, **TINY)
    ensemble = flows.build("nsf", 2, seed=3, members=2, **TINY)
    for one, stack in zip(single.adopted, ensemble.member_variables, strict=True):
        np.testing.assert_array_equal(stack[0], one)  # it starts as a single flow
        stack.assign(tf.stack([one.value, one.value]))
    wanted = single.log_prob(ROWS)
    np.testing.assert_array_equal(ensemble.member_log_prob(ROWS)[1], wanted)
    np.testing.assert_allclose(ensemble.log_prob(ROWS), wanted, rtol=1e-6)
    assert not ensemble.disagreement(ROWS).numpy().any()


def test_mixture_of_members_integrates_to_one():
    flow = _ensemble(2, 1)
    grid = np.linspace(-12.0, 12.0, 4_001)[:, np.newaxis].astype("float32")
    mass = np.exp(flow.log_prob(grid)).sum() * 24.0 / 4_000
    assert abs(mass - 1.0) < 1e-3


@pytest.mark.slow
def test_vectorised_step_is_that_of_each_member():
    flow = _ensemble()
    x = tf.constant(ROWS)

    def loss(member, part):
        return -tf.reduce_mean(member.call(part["x"]))

    given = {"x": tf.stack([x, x + 1.0, x - 1.0])}
    step = tf.function(
        lambda: flow._members.gradients(loss, given, tf.constant([0, 1]))
    )
    losses, gradients = step()
    for i, member in enumerate(flow.members):
        with tf.GradientTape() as tape:
            wanted = loss(member, {"x": given["x"][i]})
        by = [v.value for v in member.trainable_variables]
        np.testing.assert_allclose(losses[i], wanted, atol=1e-5)
        for found, right in zip(gradients, tape.gradient(wanted, by), strict=True):
            np.testing.assert_allclose(found[i], right, atol=1e-5)


def test_gradients_are_clipped_by_the_norm_of_each_member(ensemble):
    ensemble.compile("adam")
    ensemble.optimizer.global_clipnorm = 2.0
    gradients = [tf.constant([[3.0], [0.3]]), tf.constant([[4.0], [0.4]])]
    found = TrainableMembers._clipped(ensemble, gradients)
    np.testing.assert_allclose(found[0], [[1.2], [0.3]], rtol=1e-6)
    np.testing.assert_allclose(found[1], [[1.6], [0.4]], rtol=1e-6)


def test_samples_come_from_members_by_their_weights():
    flow = flows.build("nsf", 1, members=2, seed=0, base="diagonal-normal", **TINY)
    loc = next(v for v in flow.member_variables if v.name.startswith("loc"))
    loc = loc if loc.trainable else flow.member_variables[-2]
    assert loc.trainable
    loc.assign([[-8.0], [8.0]])
    flow.log_weights.assign(np.log([0.25, 0.75]))
    for draws in (
        flow.sample(4_000, seed=1),
        flow.distribution().sample(4_000, seed=[0, 1]),
    ):
        share = np.mean(np.asarray(draws) > 0.0)
        assert abs(share - 0.75) < 0.03


@pytest.mark.slow
def test_conditional_ensemble_samples_each_condition(tmp_path):
    flow = _ensemble(2, 2, 1)
    conditions = np.linspace(-1.0, 1.0, 3).astype("float32")
    draws = flow.sample((4, 2), conditions, seed=1)
    assert draws.shape == (4, 2, 3, 2)
    np.testing.assert_array_equal(flow.sample((4, 2), conditions, seed=1), draws)
    traced = tf.function(lambda: flow.sample(2, conditions), autograph=False)
    assert traced().shape == (2, 3, 2)
    path = tmp_path / "flow.keras"
    flow.save(path)
    loaded = tfpf.load(path)
    found = loaded.log_prob(draws, conditions)
    np.testing.assert_array_equal(found, flow.log_prob(draws, conditions))


@pytest.mark.slow
def test_quantiles_of_numbers_are_those_of_the_mixture():
    conditions = ROWS[:9]
    ensemble = _ensemble(2, (), 2)
    ensemble.log_weights.assign([0.0, -1.0])
    levels = [0.05, 0.3, 0.95]
    found = ensemble.quantiles_of_numbers(levels, conditions)
    density = ensemble.distribution(conditions)
    wanted = density.quantile(np.float32(levels)[:, None])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.ptp(found) > 0.1
    for variable in ensemble.trainable_variables:
        variable.assign_add(tf.ones_like(variable) / 4.0)
    moved = ensemble.quantiles_of_numbers(levels, conditions)  # by weights of now
    wanted = ensemble.distribution(conditions).quantile(np.float32(levels)[:, None])
    np.testing.assert_allclose(moved, wanted, atol=1e-5)


def test_weights_of_members_make_rows_likely():
    flow = _ensemble(2, 1)
    rows = flow.member(1).sample(200, seed=1)
    before = np.mean(flow.log_prob(rows))
    flow.weigh(rows)
    assert flow.mixture_weights[1] > 0.6
    assert np.mean(flow.log_prob(rows)) > before
    np.testing.assert_allclose(np.sum(flow.mixture_weights), 1.0, rtol=1e-6)


def test_objective_of_ones_own_trains_each_member():
    class Push(tfpf.training.Objective):
        needs_data = False

        def loss(self, flow, batch, *, seed, step):
            return tf.reduce_mean(flow.distribution().sample(8, seed=seed) ** 2)

    flow = _ensemble(2, 1)
    before = [v.numpy() for v in flow.trainable_variables]
    flow.compile("adam", objective=Push(), seed=0)
    flow.fit(None, steps_per_epoch=2, epochs=1, verbose=0)
    pairs = zip(flow.trainable_variables, before, strict=True)
    moved = [v.numpy() != old for v, old in pairs]
    assert any(change[0].any() and change[1].any() for change in moved)


@pytest.mark.parametrize(
    ("name", "shape", "options", "error", "words"),
    [
        ("nsf", 2, {"members": 0}, ValueError, "`members` must be at least 1"),
        ("nsf", 2, {"members": 2.5}, TypeError, "`members` must be"),
        ("rbig", 2, {"members": 2}, ValueError, "without gradients"),
        ("glow", (4, 4, 1), {"members": 2}, ValueError, "for images"),
        ("nsf", 2, {"bootstrap": True}, ValueError, "give `members`"),
        ("nsf", 2, {"members": 2, "member_weights": "a"}, ValueError, "member_weights"),
    ],
)
def test_what_is_no_ensemble_is_refused(name, shape, options, error, words):
    with pytest.raises(error, match=words):
        flows.build(name, shape, **options)


def test_ensemble_has_no_single_map(ensemble):
    with pytest.raises(NotImplementedError, match="has a map for each member"):
        ensemble.bijector()
    with pytest.raises(IndexError, match="from 0 to 2"):
        ensemble.member(3)
    assert "of 3 members, each <NeuralSplineFlow" in repr(ensemble)
