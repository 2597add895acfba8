"""Weights of networks with a prior, where the posterior is known, and elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import fit
from tfp_flows import _serialize, flows, networks, training
from tfp_flows.bijectors import ConditionalElementwise, transformers

RNG = np.random.default_rng(0)
ROWS = 60
C = RNG.normal(size=(ROWS, 2)) @ [[1.0, 0.4], [0.0, 0.6]]
X = C @ [[1.0], [-0.5]] + 0.3 + RNG.normal(size=(ROWS, 1))
PRIOR = 0.7


@tfp.experimental.auto_composite_tensor(
    omit_kwargs=("name", "seed"), module_name="tests.weights"
)
class Product(networks.Conditioner):
    """`kernel @ condition + bias`."""

    def __init__(self, condition_shape, dtype="float32", weights=None, name="product"):
        super().__init__(
            input_size=0,
            output_shape=(1, 1),
            condition_shape=condition_shape,
            dropout=0.0,
            initial_output=None,
            dtype=dtype,
            compute_dtype=None,
            weights=weights,
            seed=0,
            name=name,
        )

    def _shapes(self):
        return [("kernel", (1, self.condition_size)), ("bias", (1,))]

    def _initial(self, name, shape, rng):
        return np.zeros(shape)

    def _columns(self, weights, x, condition):
        return weights["kernel"] @ condition + weights["bias"][:, tf.newaxis]


@_serialize.register("tests")
class Regression(flows.LinearFlow):
    """A normal number around a linear function of the condition."""

    def _make_layers(self, size, condition_shape):
        network = Product(condition_shape, dtype=self.variable_dtype)
        return [ConditionalElementwise(transformers.Additive(), network)]


def exact():
    """Return mean and precision of the posterior of kernel and bias."""
    given = np.concatenate([C, np.ones([ROWS, 1])], axis=1)
    precision = given.T @ given + np.eye(3) / PRIOR**2
    return np.linalg.solve(precision, given.T @ X[:, 0]), precision


def trained(objective, dtype="float64", **options):
    flow = Regression(1, 2, dtype=dtype)
    options = {"steps": 2_000, "batch_size": ROWS, "learning_rate": 0.02, **options}
    _, history = tfpf.fit(
        flow,
        X,
        C,
        objective=objective,
        validation=None,
        weight_decay=0.0,
        adapt=False,
        seed=0,
        verbose=0,
        **options,
    )
    return flow, history


def flat(values):
    return np.concatenate([np.ravel(value) for value in values])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_most_probable_weights_are_those_of_ridge_regression(dtype):
    flow, history = trained(training.MaximumAPosteriori(PRIOR), dtype, steps=600)
    found = flat(flow.trainable_variables)
    np.testing.assert_allclose(found, exact()[0], atol=2e-4)
    likelihood = -flow.log_prob(X, C).numpy().mean()
    cost = np.sum(found**2) / (2 * PRIOR**2 * ROWS)
    assert history.history["loss"][-1] == pytest.approx(likelihood + cost, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_mean_field_finds_means_and_deviations_of_the_posterior(jit_compile):
    objective = training.MeanField(PRIOR, num_draws=4)
    flow, _ = trained(objective, jit_compile=jit_compile)
    mean, precision = exact()
    found = objective.posterior()
    np.testing.assert_array_equal(
        flat(p.loc for p in found), flat(flow.get_weights()[:2])
    )
    # Of a normal posterior the best independent one has these deviations.
    deviation = np.diag(precision) ** -0.5
    np.testing.assert_allclose(flat(p.loc for p in found), mean, atol=0.02)
    np.testing.assert_allclose(flat(p.scale for p in found), deviation, rtol=0.06)
    many = objective.draws(flow, 400, seed=0)
    drawn = np.concatenate(
        [v.numpy().reshape(400, -1) for v in many.member_variables if v.trainable],
        axis=1,
    )
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.04)
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.15)
    # The predictive density is the mean of those of the drawn weights.
    given = np.array([[3.0, -1.0, 1.0]])
    x = np.linspace(1.0, 7.0, 5)[:, np.newaxis]
    densities = np.exp(-0.5 * (x - drawn @ given[0]) ** 2) / np.sqrt(2 * np.pi)
    predicted = many.log_prob(x, np.tile(given[:, :2], [5, 1]))
    np.testing.assert_allclose(predicted, np.log(densities.mean(axis=1)), rtol=1e-9)


def test_loss_is_the_bound_of_the_evidence():
    objective = training.MeanField(PRIOR, rows=ROWS, num_draws=100)
    flow = Regression(1, 2, dtype="float64")
    data = {"x": X, "condition": C}
    found = objective(flow, data, seed=0)
    scale = np.full(3, 0.05)
    divergence = np.sum(np.log(PRIOR / scale) + 0.5 * (scale / PRIOR) ** 2 - 0.5)
    given = np.concatenate([C, np.ones([ROWS, 1])], axis=1)
    squares = np.mean(X[:, 0] ** 2 + np.sum((given * scale) ** 2, axis=1))
    expected = 0.5 * (squares + np.log(2 * np.pi)) + divergence / ROWS
    np.testing.assert_allclose(found, expected, atol=0.02)
    objective.num_draws = 1
    with tf.GradientTape() as tape:
        loss = objective(flow, data, seed=0)
    gradients = tape.gradient(loss, objective.trainable_variables)
    assert all(np.any(gradient != 0.0) for gradient in gradients)
    assert float(objective(flow, data, seed=1)) != float(loss)
    np.testing.assert_array_equal(objective(flow, data, seed=0), loss)


@pytest.mark.parametrize(
    ("kind", "objective"),
    [("radial", training.MaximumAPosteriori), ("nsf", training.MeanField)],
)
def test_validation_losses_are_likelihoods(kind, objective):
    options = small.SMALL[kind]
    held_out = (X[:20], C[:20])
    flow, history = tfpf.fit(
        kind,
        X,
        C,
        objective=objective(),
        validation=held_out,
        epochs=2,
        seed=0,
        verbose=0,
        jit_compile=False,
        **options,
    )
    loss = -flow.log_prob(*held_out).numpy().mean()
    assert min(history.history["val_loss"]) == pytest.approx(loss, rel=1e-4)
    assert history.report.log_likelihood is not None


def test_draws_are_an_ensemble_that_is_saved_and_loaded(tmp_path):
    counts = np.round(4 * X)
    objective = training.MeanField(initial_scale=0.3)
    flow, _ = tfpf.fit(
        "nsf-ar",
        counts,
        C,
        objective=objective,
        epochs=1,
        seed=0,
        verbose=0,
        jit_compile=False,
        **small.SMALL["nsf-ar"],
    )
    assert flow.is_discrete
    many = objective.draws(flow, 3, seed=1)
    found = many.log_prob(counts, C)
    assert np.ptp(many.member_log_prob(counts, C), axis=0).max() > 0.01
    np.testing.assert_array_equal(
        objective.draws(flow, 3, seed=1).log_prob(counts, C), found
    )
    many.save(tmp_path / "many.keras")
    again = tfpf.load(tmp_path / "many.keras")
    assert isinstance(again, flows.Ensemble)
    np.testing.assert_allclose(again.log_prob(counts, C), found, rtol=1e-6)
    # All that is no weight of a network is that of the flow, and the flow has means.
    for variable in objective._log_scales:
        variable.assign(tf.fill(variable.shape, -40.0))
    alone = objective.draws(flow, 2, seed=0)
    for values in alone.member_log_prob(counts, C).numpy():
        np.testing.assert_allclose(values, flow.log_prob(counts, C), rtol=1e-5)


def test_files_leave_deviations_out_and_checkpoints_keep_them(tmp_path):
    objective = training.MeanField()
    flow, _ = fit("maf", X, C, objective=objective)
    flow.save(tmp_path / "flow.keras")
    again = tfpf.load(tmp_path / "flow.keras")
    np.testing.assert_array_equal(again.log_prob(X, C), flow.log_prob(X, C))
    kept = objective.posterior()[0].scale.numpy()
    path = tf.train.Checkpoint(flow=flow).save(tmp_path / "state")
    objective._log_scales[0].assign(tf.zeros_like(objective._log_scales[0]))
    tf.train.Checkpoint(flow=flow).restore(path)
    np.testing.assert_array_equal(objective.posterior()[0].scale, kept)


def test_early_stopping_restores_deviations_with_the_means():
    objective, kept = training.MeanField(), []

    class Keeps(tfpf.training.StopOnNonFinite):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(flat(p.scale for p in objective.posterior()))

    _, history = fit(
        "maf",
        X,
        C,
        objective=objective,
        epochs=6,
        learning_rate=0.3,
        callbacks=[Keeps()],
    )
    best = int(np.argmin(history.history["val_loss"]))
    assert best < 5
    np.testing.assert_array_equal(
        flat(p.scale for p in objective.posterior()), kept[best]
    )
    assert not np.array_equal(kept[best], kept[-1])


def test_fit_that_was_cut_short_goes_on_with_its_deviations(tmp_path):
    class Cut(tfpf.training.StopOnNonFinite):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def run(**options):
        objective = training.MeanField()
        fit("maf", X, C, objective=objective, epochs=4, **options)
        return flat(p.scale for p in objective.posterior())

    whole = run(backup=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(backup=tmp_path / "cut", callbacks=[Cut()])
    assert (tmp_path / "cut" / "training.npz").exists()
    np.testing.assert_array_equal(run(backup=tmp_path / "cut"), whole)


def test_ensembles_have_a_prior_for_each_member():
    objective = training.MaximumAPosteriori(0.1)
    flow, _ = fit("maf", X, C, members=2, objective=objective, epochs=1)
    objective.rows = 7
    data = {"x": X.astype("float32"), "condition": C.astype("float32")}
    with tfpf._context.training_scope(True):
        losses = flow._each_loss(
            tfpf.training.Batch(**data),
            tf.constant([0, 0]),
            tf.constant(0),
        ).numpy()
    for i, member in enumerate(flow.members):
        one = training.MaximumAPosteriori(0.1, rows=7)(member, data, seed=0)
        np.testing.assert_allclose(losses[i], one, rtol=1e-5)
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"prior_scale": 0.0}, ValueError, "`prior_scale` must be above 0"),
        ({"prior_scale": "wide"}, TypeError, "`prior_scale` must be a plain number"),
        ({"rows": 0}, ValueError, "`rows` must be at least 1"),
        ({"num_draws": 0}, ValueError, "`num_draws` must be at least 1"),
        ({"initial_scale": np.inf}, ValueError, "`initial_scale` must be above 0"),
    ],
)
def test_bad_arguments_are_named(options, error, message):
    with pytest.raises(error, match=message):
        training.MeanField(**options)


def test_what_cannot_be_had_is_said():
    mean_field = training.MeanField()
    with pytest.raises(ValueError, match="knows no flow yet"):
        mean_field.posterior()
    flow = small.build("maf", 1, 2)
    with pytest.raises(ValueError, match=r"must be given .*MeanField\(rows=\.\.\.\)"):
        mean_field(flow, {"x": X, "condition": C})
    for objective in (training.MaximumAPosteriori(), mean_field):
        with pytest.raises(ValueError, match="of networks, and this"):
            small.build("planar").compile("adam", objective=objective)
    other = small.build("maf", 1, 2)
    with pytest.raises(ValueError, match="must be the one that this `MeanField` has"):
        mean_field.draws(other)
    with pytest.raises(ValueError, match="`count` must be at least 1"):
        mean_field.draws(flow, 0)
    with pytest.raises(ValueError, match="is one already: fit a single"):
        fit("maf", X, C, members=2, objective=training.MeanField())
    with pytest.raises(ValueError, match="is a mixture already"):
        small.build("mixture").compile("adam", objective=training.MeanField())


def test_rows_of_weight_zero_and_held_out_rows_do_not_count():
    objective = training.MaximumAPosteriori()
    weights = np.repeat([1.0, 0.0], ROWS // 2)
    fit("maf", X, C, objective=objective, weights=weights, validation=None)
    assert objective._rows_of_fit == ROWS // 2
    fit("maf", X, C, objective=objective, validation=0.25)
    assert objective._rows_of_fit == 45
    dataset = tf.data.Dataset.from_tensor_slices((X, C)).batch(20)
    with pytest.raises(ValueError, match="`rows` must be given"):
        fit("maf", dataset, objective=training.MaximumAPosteriori(), batch_size=None)


def test_configurations_come_back():
    for kind in (training.MaximumAPosteriori, training.MeanField):
        config = kind(0.3, rows=9).get_config()
        assert kind.from_config(config).get_config() == config
