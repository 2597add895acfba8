"""Objectives: what they get, what they bring, and what is kept of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows import flows, training

X = small.table(64)
LAST = {"batch_size": 64, "epochs": 1, "verbose": 0}


class Draws(training.Objective):
    """A number drawn from the seed: shows which seeds there are."""

    needs_data = False

    def loss(self, flow, batch, *, seed, step):
        number = tf.random.stateless_uniform([], seed)
        return number + 0.0 * tf.reduce_sum(flow.trainable_variables[0])


@keras.saving.register_keras_serializable("tests")
class Scaled(training.MaximumLikelihood):
    """A multiple of the default."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def loss(self, flow, batch, *, seed, step):
        return self.factor * super().loss(flow, batch, seed=seed, step=step)

    def get_config(self):
        return {"factor": self.factor}


class Critic(training.Objective):
    """Adversarial: a critic of tf.Variables and of a Keras layer, and a frozen copy."""

    def __init__(self):
        super().__init__()
        self.scale = tf.Variable([1.0, 1.0], name="scale")
        self.network = keras.layers.Dense(1)
        self.network.build([None, 2])
        self.frozen = small.build("linear")
        self.frozen.trainable = False

    def loss(self, flow, batch, *, seed, step):
        fake = flow.distribution().sample(16, seed=seed)
        judged = self.network(self.scale * tf.concat([batch.x, fake], axis=0))
        anchor = batch.mean(flow(batch.inputs) - self.frozen(batch.inputs))
        return tf.reduce_mean(tf.square(judged - 1.0)) + tf.square(anchor)


def compiled(objective=None, name="linear", *shapes, **options):
    flow = small.build(name, *(shapes or (2,)))
    options = {"jit_compile": False, "seed": 3, **options}
    flow.compile(keras.optimizers.Adam(0.01), objective=objective, **options)
    return flow


def numbers(variables):
    return [v.numpy() for v in variables]


def test_default_is_the_likelihood_in_every_loop():
    flow = small.perturbed(compiled())
    log_prob = flow.log_prob(X).numpy()
    weights = np.linspace(0.0, 2.0, 64).astype("float32")
    objective = training.MaximumLikelihood()
    assert float(objective(flow, X)) == pytest.approx(-log_prob.mean(), abs=1e-5)
    wanted = -np.mean(weights * log_prob)
    assert float(objective(flow, (X, None, weights))) == pytest.approx(wanted, abs=1e-5)
    assert isinstance(flow.objective, training.MaximumLikelihood)
    with pytest.raises(ValueError, match="likelihood is that of data"):
        objective(flow)


def test_loop_of_ones_own_trains_as_keras_does():
    ours, theirs = compiled(Scaled(2.0)), compiled(Scaled(2.0))
    objective, optimizer = Scaled(2.0), keras.optimizers.Adam(0.01)
    for step in range(3):
        with tf.GradientTape() as tape:
            loss = objective(ours, X, step=step)
        gradients = tape.gradient(loss, ours.trainable_variables)
        optimizer.apply_gradients(zip(gradients, ours.trainable_variables, strict=True))
    theirs.fit(X, batch_size=64, epochs=3, verbose=0)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_modules_of_an_objective_are_trained_kept_and_left_out(tmp_path):
    objective = Critic()
    flow = compiled(objective)
    size = len(flow.trainable_variables)
    assert len(objective.trainable_variables) == 3
    assert len(flow._trained()) == size + 3
    before = numbers(objective.variables)
    frozen = objective.frozen.get_weights()
    flow.fit(X, **LAST)
    critic = numbers(objective.trainable_variables)
    after = numbers(objective.variables)
    changed = [(a != b).any() for a, b in zip(before, after, strict=True)]
    assert sum(changed) == 3
    for one, other in zip(frozen, objective.frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    kept = tf.train.Checkpoint(flow=flow).save(str(tmp_path / "all"))
    for variable in objective.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    tf.train.Checkpoint(flow=flow).restore(kept).assert_consumed()
    for one, other in zip(critic, objective.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)

    flow.save(tmp_path / "flow.keras")
    loaded = flows.load(tmp_path / "flow.keras")
    assert not loaded.compiled
    assert len(loaded.variables) == len(flow.variables)
    np.testing.assert_array_equal(loaded.log_prob(X), flow.log_prob(X))


def test_objective_with_a_name_comes_back_with_the_file(tmp_path):
    flow = compiled(Scaled(3.0))
    flow.fit(X, **LAST)
    flow.save(tmp_path / "flow.keras")
    loaded = flows.load(tmp_path / "flow.keras")
    assert loaded.objective.factor == 3.0
    assert int(loaded.optimizer.iterations) == 1
    wanted = -3.0 * np.mean(flow.log_prob(X))
    assert loaded.evaluate(X, verbose=0) == pytest.approx(wanted, abs=1e-4)


def test_each_step_draws_anew_and_validation_does_not():
    losses = [
        compiled(Draws()).fit(epochs=4, steps_per_epoch=1, verbose=0).history["loss"]
        for _ in range(2)
    ]
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 4
    flow = compiled(Draws(), seed=4)
    other = flow.fit(epochs=4, steps_per_epoch=1, verbose=0).history["loss"]
    assert not set(other) & set(losses[0])
    found = [flow.evaluate(steps=n, verbose=0) for n in (1, 3)]
    assert found[0] == pytest.approx(found[1])


def test_step_counts_steps():
    class Step(training.Objective):
        needs_data = False

        def loss(self, flow, batch, *, seed, step):
            zero = 0.0 * tf.reduce_sum(flow.trainable_variables[0])
            return tf.cast(step, zero.dtype) + zero

    history = compiled(Step()).fit(epochs=3, steps_per_epoch=2, verbose=0).history
    assert history["loss"] == [0.5, 2.5, 4.5]


def test_data_are_asked_for_where_they_are_needed():
    with pytest.raises(ValueError, match="MaximumLikelihood needs data"):
        compiled().fit(steps_per_epoch=2)
    with pytest.raises(ValueError, match="`steps_per_epoch` must be given"):
        compiled(Draws()).fit()
    with pytest.raises(ValueError, match="`steps` must be given"):
        compiled(Draws()).evaluate()


def test_conditions_may_come_alone():
    class Amortised(training.Objective):
        def loss(self, flow, batch, *, seed, step):
            assert batch.x is None
            x = flow.distribution(batch.condition).sample(seed=seed)
            return batch.mean(tf.reduce_sum((x - 3.0 * batch.condition) ** 2, axis=-1))

    flow = compiled(Amortised(), "nice", 2, 1)
    condition = np.linspace(-1.0, 1.0, 64, dtype="float32")[:, np.newaxis]
    history = flow.fit({"condition": condition}, epochs=30, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]


def test_targets_are_the_condition():
    x, condition = small.batch(64)
    histories = []
    both = {"x": x, "condition": condition}
    for inputs in (both, (x, condition[:, 0])):
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        history = compiled(None, "linear", 2, 1).fit(*given, **LAST)
        histories.append(history.history["loss"])
    np.testing.assert_allclose(*histories, atol=1e-5)
    with pytest.raises(ValueError, match=r"`y` must be the condition .* has none"):
        compiled().fit(x, condition, **LAST)
    flow = compiled(None, "linear", 2, 1)
    with pytest.raises(ValueError, match="in 'condition' already"):
        flow.fit({"x": x, "condition": condition}, condition, **LAST)


@pytest.mark.parametrize("options", [{"loss": "mse"}, {"metrics": ["mae"]}])
def test_losses_and_metrics_of_targets_are_refused(options):
    with pytest.raises(ValueError, match=r"must be left out.*objective="):
        compiled(**options)


def test_files_of_before_may_name_metrics():
    flow = compiled()
    config = {**flow.get_compile_config(), "metrics": ["mae"], "loss": "mse"}
    other = small.build("linear")
    other.compile_from_config(config)
    assert other.compiled
    assert isinstance(other.objective, training.MaximumLikelihood)
