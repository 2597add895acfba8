"""A flow is a Keras model: compile, fit, callbacks, precision, strategies."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows import flows
from tfp_flows.flows._model import variables

X = small.table(128)


def compiled(name="maf", event_shape=2, condition_shape=None, *, rate=0.01, **options):
    jit_compile = options.pop("jit_compile", False)
    flow = small.build(name, event_shape, condition_shape, **options)
    flow.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=jit_compile)
    return flow


def fit(flow, x=X, **options):
    options = {"epochs": 3, "batch_size": 64, "verbose": 0, **options}
    return flow.fit(x, **options).history


@pytest.mark.colab
def test_compile_needs_an_optimizer_and_fit_the_data_only():
    flow = small.build("maf")
    flow.compile("adam", jit_compile=False)
    losses = fit(flow)["loss"]
    assert losses[-1] < losses[0]
    wanted = -np.mean(flow.log_prob(X))
    assert flow.evaluate(X, verbose=0) == pytest.approx(wanted, abs=1e-4)
    scores = flow.predict(X, batch_size=50, verbose=0)
    np.testing.assert_allclose(scores, flow.log_prob(X), atol=1e-4)
    assert flow.train_on_batch(X) == pytest.approx(wanted, abs=1e-4)


def test_fit_without_compile_says_what_to_do():
    flow = small.build("maf")
    with pytest.raises(ValueError, match=r"compile\(optimizer='adam'\) first, or use"):
        flow.fit(X, verbose=0)
    with pytest.raises(ValueError, match="`evaluate` needs a compiled model"):
        flow.evaluate(X, verbose=0)


def test_fit_takes_a_dict_with_the_condition():
    flow = compiled("realnvp", 2, 1)
    x, condition = small.batch(128)
    inputs = {"x": x, "condition": condition}
    losses = fit(flow, inputs)["loss"]
    assert losses[-1] < losses[0]
    wanted = -np.mean(flow.log_prob(x, condition))
    assert flow.evaluate(inputs, verbose=0) == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(ValueError, match="`condition` is missing"):
        flow(x)
    with pytest.raises(ValueError, match="dict with 'x' and 'condition'"):
        flow({"x": x, "context": condition})


@pytest.mark.colab
def test_fit_takes_datasets_of_events_and_of_dicts():
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(50)
    losses = fit(compiled("maf"), dataset, batch_size=None, shuffle=False)["loss"]
    assert losses[-1] < losses[0]
    x, condition = small.batch(128)
    parts = {"x": x, "condition": condition}
    dataset = tf.data.Dataset.from_tensor_slices(parts).batch(50)
    losses = fit(compiled("maf", 2, 1), dataset, batch_size=None, shuffle=False)["loss"]
    assert losses[-1] < losses[0]


def test_callbacks_stop_early_and_keep_the_best_file(tmp_path):
    flow = compiled("linear", rate=1.0)
    path = str(tmp_path / "best.keras")
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    save = keras.callbacks.ModelCheckpoint(path, save_best_only=True)
    # Steps of this size soon make things worse.
    history = fit(flow, epochs=30, callbacks=[stop, save], validation_split=0.25)
    losses = history["val_loss"]
    assert len(losses) < 30
    assert len(losses) == np.argmin(losses) + 3
    found = flow.evaluate(X[96:], verbose=0)
    assert found == pytest.approx(min(losses), abs=1e-3)
    best = flows.load(path)
    np.testing.assert_array_equal(best.log_prob(X), flow.log_prob(X))


def test_weights_multiply_the_terms_of_the_mean():
    flow = small.perturbed(compiled())
    weights = np.random.default_rng(0).uniform(0.0, 3.0, len(X)).astype("float32")
    weights[:70] = 0.0
    wanted = -np.mean(weights * flow.log_prob(X))
    for shaped in (weights, weights[:, None]):
        # The first batch has no weight at all.
        found = flow.evaluate(X, sample_weight=shaped, batch_size=64, verbose=0)
        assert found == pytest.approx(wanted, abs=1e-4)
    fit(flow, sample_weight=weights, epochs=1, shuffle=False)
    assert all(np.all(np.isfinite(v.numpy())) for v in flow.trainable_variables)


def test_weight_zero_removes_an_event():
    weights = np.where(np.arange(len(X)) < 64, 2.0, 0.0).astype("float32")
    flows_ = [small.build("maf") for _ in range(2)]
    for flow in flows_:
        flow.compile(keras.optimizers.SGD(0.05), jit_compile=False)
    fit(flows_[0], sample_weight=weights, batch_size=128)
    fit(flows_[1], X[:64], batch_size=128)
    for found, wanted in zip(*(f.variables for f in flows_), strict=True):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-5)


@pytest.mark.slow
def test_compiled_training_equals_plain_training():
    histories = [
        fit(compiled("maf", jit_compile=jit), shuffle=False)["loss"]
        for jit in (False, True)
    ]
    np.testing.assert_allclose(*histories, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["maf", "nsf-ar"])
def test_half_precision_is_for_networks_only(name):
    flow = small.build(name, dtype="mixed_float16")
    assert flow.compute_dtype == "float16"
    assert {v.dtype for v in flow.trainable_variables} == {"float32"}
    small.perturbed(flow, 0.1)
    log_prob = flow.log_prob(X)
    assert log_prob.dtype == tf.float32
    assert flow(X).dtype == tf.float32
    twin = small.build(name)
    twin.set_weights(flow.get_weights())
    gap = np.abs(log_prob - twin.log_prob(X)).max()
    assert 0.0 < gap < 0.05
    products = {
        op.outputs[0].dtype
        for op in tf.function(flow.call)
        .get_concrete_function(tf.constant(X))
        .graph.get_operations()
        if op.type == "MatMul"
    }
    assert tf.float16 in products
    flow.compile("adam", jit_compile=False)
    losses = fit(flow, epochs=4)["loss"]
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0]


def test_float64_policy_holds_for_all_numbers():
    flow = compiled("maf", dtype="float64")
    assert {v.dtype for v in flow.trainable_variables} == {"float64"}
    history = fit(flow, X.astype("float64"))["loss"]
    assert history[-1] < history[0]
    assert flow.log_prob(X).dtype == tf.float64
    assert flow.sample(3, seed=0).dtype == tf.float64


@pytest.mark.colab
def test_global_policy_is_followed():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        assert small.build("maf").log_prob(X).dtype == tf.float64
    finally:
        keras.config.set_dtype_policy(before)


def test_fit_refuses_a_variable_that_keras_does_not_track():
    flow = compiled("maf")
    hidden = flow.bijector().trainable_variables[0]
    tracked = [v for v in flow.trainable_variables if v.value is not hidden]
    with pytest.raises(ValueError, match="tracked by Keras"):
        variables.require_tracked(flow.bijector().trainable_variables, tracked)


def test_fit_refuses_maps_that_were_given_later():
    flow = compiled("maf")
    flow._stack = small.build("maf", seed=7).bijector()
    with pytest.raises(ValueError, match=r"'kernel_0'.* would not be trained"):
        fit(flow)
    flow = compiled("maf", base="diagonal-normal")
    flow._base._loc = tf.Variable(tf.zeros(2), name="another_loc")
    with pytest.raises(ValueError, match=r"'another_loc' would not be trained"):
        fit(flow)


def test_embedding_network_is_tracked_once_and_trained():
    dense = keras.layers.Dense
    network = keras.Sequential([dense(4, activation="tanh"), dense(3)])
    flow = compiled("maf", 2, 2, embedding=network)
    paths = [v.path for v in flow.variables]
    assert len(set(paths)) == len(paths)
    assert {id(v) for v in network.variables} <= {id(v) for v in flow.variables}
    before = network.get_weights()
    x, condition = small.batch(128, condition=2)
    flow.adapt(x, condition)
    # The head starts at zero: the first step moves it, the second what is behind it.
    fit(flow, {"x": x, "condition": condition}, epochs=2)
    for old, new in zip(before, network.get_weights(), strict=True):
        assert np.abs(old - new).max() > 0.0


def test_frozen_embedding_stays_as_it_is():
    network = keras.Sequential([keras.layers.Dense(3, activation="tanh")])
    network.build([None, 2])
    network.trainable = False
    flow = compiled("linear", 2, 2, embedding=network)
    x, condition = small.batch(128, condition=2)
    before = network.get_weights()
    fit(flow, {"x": x, "condition": condition})
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))]
)
def test_copies_are_equal_and_independent(duplicate):
    flow = small.perturbed(small.build("realnvp", 2, 1, base="diagonal-normal"))
    x, condition = small.batch(20)
    flow.adapt(x, condition)
    twin = duplicate(flow)
    wanted = flow.log_prob(x, condition).numpy()
    np.testing.assert_array_equal(twin.log_prob(x, condition), wanted)
    small.perturbed(twin, 1.0)
    np.testing.assert_array_equal(flow.log_prob(x, condition), wanted)
    assert np.abs(twin.log_prob(x, condition) - wanted).max() > 1e-3


@pytest.mark.colab
def test_summary_and_parameter_count_agree(capsys):
    flow = small.build("maf")
    flow.summary()
    count = flow.count_params()
    assert count >= sum(np.prod(v.shape) for v in flow.trainable_variables)
    assert f"{count:,}" in capsys.readouterr().out


@pytest.mark.slow
def test_dropout_acts_in_fit_and_not_in_evaluation():
    flow = small.perturbed(small.build("maf", dropout=0.5, hidden_units=(16, 16)))
    first, again = flow(X, training=True), flow(X, training=True)
    assert np.abs(first - again).max() > 0.0
    np.testing.assert_array_equal(flow(X), flow(X))
    np.testing.assert_allclose(flow(X), flow.log_prob(X), atol=1e-5)


MIRRORED = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from tests.flows import small
import tfp_flows as tfpf

def run(name, strategy, **options):
    with strategy.scope():
        flow = small.build(name, **options)
        flow.adapt(small.table(128))
        optimizer = keras.optimizers.SGD(0.01)
        flow.compile(optimizer=optimizer, jit_compile=False)
    dataset = tf.data.Dataset.from_tensor_slices(small.table(128)).batch(64)
    losses = flow.fit(dataset, epochs=2, shuffle=False, verbose=0).history["loss"]
    return losses, flow.log_prob(small.table(8)).numpy(), flow.get_weights()

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert mirrored.num_replicas_in_sync == 2
for name in ("maf", "nice"):
    one, two = run(name, tf.distribute.get_strategy()), run(name, mirrored)
    np.testing.assert_allclose(one[0], two[0], atol=1e-4)
    np.testing.assert_allclose(one[1], two[1], atol=1e-4)
    for a, b in zip(one[2], two[2]):
        np.testing.assert_allclose(a, b, atol=1e-5)
losses, *_ = run("maf", mirrored, dropout=0.3, hidden_units=(8, 8))
assert np.all(np.isfinite(losses))
with mirrored.scope():
    _, history = tfpf.fit(
        "maf", small.table(200), validation=(small.table(65),), num_layers=2,
        hidden_units=(8,), epochs=2, seed=0, verbose=0,
    )
    try:
        tfpf.fit("maf", small.table(200), batch_size=33, verbose=0)
    except ValueError as error:
        assert "`batch_size` must be a multiple of 2" in str(error)
assert np.all(np.isfinite(history.history["val_loss"]))
print("equal")
"""


@pytest.mark.slow
def test_two_replicas_train_as_one(repository):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MIRRORED)],
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("equal")


def test_what_a_density_has_not_is_refused_in_a_sentence():
    flow = compiled("linear")
    with pytest.raises(NotImplementedError, match="A flow cannot be quantized"):
        flow.quantize("int8")
    with pytest.raises(ValueError, match="`class_weight` must be left out"):
        flow.fit(X, class_weight={0: 1.0})


def test_variables_of_keras_are_events():
    flow = small.build("linear")
    found = flow.log_prob(keras.Variable(X))
    np.testing.assert_array_equal(found, flow.log_prob(X))


def test_a_flow_is_what_tf_function_takes():
    flow, x = small.build("maf", 2, 1), np.ones([3, 2], "float32")
    given = {"x": tf.constant(x), "condition": tf.ones([3, 1])}
    np.testing.assert_allclose(tf.function(flow)(given), flow(given), rtol=1e-6)
    assert "num_layers" in inspect.signature(type(flow)).parameters
    assert "num_layers" not in inspect.signature(flow).parameters


@pytest.mark.parametrize(
    ("method", "word", "message"),
    [
        ("fit", "lr", r"`lr` is no argument of `fit`, got 0.1: the optimizer has it"),
        ("fit", "epoch", "did you mean 'epochs'"),
        ("fit", "noise", r"tfp_flows.fit\(flow, x, noise=...\) has it"),
        ("fit", "budget", r"tfp_flows.fit\(flow, x, budget=...\) has it"),
        ("fit", "condition", "pass {'x': x, 'condition': condition} for `x`"),
        ("evaluate", "batchsize", "no argument of `evaluate`.* mean 'batch_size'"),
        ("predict", "batches", "no argument of `predict`, got 0.1"),
        ("compile", "optimiser", "did you mean 'optimizer'"),
        ("compile", "learning_rate", r"the optimizer has it, compile\(keras"),
        ("compile", "objectives", "did you mean 'objective'"),
    ],
)
def test_words_that_keras_does_not_know_are_explained(method, word, message):
    flow = small.build("linear")
    args = () if method == "compile" else (X,)
    with pytest.raises(TypeError, match=message):
        getattr(flow, method)(*args, **{word: 0.1})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("adamm", "`optimizer` must be one of Keras, got 'adamm': did you mean 'adam'"),
        (keras.optimizers.Adam, r"the class `Adam`.*keras.optimizers.Adam\(1e-3\)"),
        (None, "`optimizer` must be an optimizer or its name, got None"),
        (0.01, "`optimizer` must be an optimizer or its name, got 0.01"),
    ],
)
def test_what_is_no_optimizer_is_explained(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        small.build("linear").compile(given)


def test_adafactor_says_which_epsilon_masked_networks_need():
    flow = small.perturbed(small.build("maf"))
    with pytest.warns(RuntimeWarning, match=r"Adafactor\(epsilon_1=1e-15\)"):
        flow.compile("adafactor")
    flow.compile(keras.optimizers.Adafactor(epsilon_1=1e-15))
    losses = flow.fit(X, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
