"""What a saved flow keeps: weights, statistics, names, and the format's version."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import flows

X, CONDITION = small.batch(100)

SCRIPT = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tfp_flows as tfpf

folder = sys.argv[1]
data, found = np.load(folder + "/data.npz"), {}
for file in sorted(os.listdir(folder)):
    if file.endswith(".keras"):
        flow, name = tfpf.load(os.path.join(folder, file)), file[:-6]
        inputs = [data["x"]] + ([data["c"]] if flow.condition_shape else [])
        sample = flow.sample(2, *[c[:2] for c in inputs[1:]], seed=[3, 4])
        found[name + "/log_prob"] = flow.log_prob(*inputs)
        found[name + "/sample"] = sample
        found[name + "/columns"] = np.array(flow.columns)
np.savez(folder + "/found.npz", **found)
"""


def adapted(name, condition_shape=None, **options):
    """Return a flow with statistics of the data and weights off the start."""
    flow = small.build(name, 2, condition_shape, **options)
    flow.adapt(X, *([] if condition_shape is None else [CONDITION]))
    return small.perturbed(flow)


@pytest.mark.slow
def test_flows_load_bit_for_bit_in_a_fresh_process(tmp_path, repository):
    wanted = {}
    np.savez(tmp_path / "data.npz", x=X, c=CONDITION)
    for i, name in enumerate(["linear", "realnvp", "nsf-ar", "maf-mol"]):
        shape = 1 if i % 2 else None
        options = {"base": "gaussian-mixture"} if name == "linear" else {}
        flow = adapted(name, shape, columns=("u", "v"), **options)
        flow.save(tmp_path / f"{name}.keras")
        inputs = [X, CONDITION][: 2 if i % 2 else 1]
        wanted[f"{name}/log_prob"] = flow.log_prob(*inputs)
        sample = flow.sample(2, *[c[:2] for c in inputs[1:]], seed=[3, 4])
        wanted[f"{name}/sample"] = sample
        wanted[f"{name}/columns"] = ["u", "v"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = np.load(tmp_path / "found.npz")
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.colab
def test_file_keeps_statistics_names_and_configuration(tmp_path):
    flow = adapted(
        "nsf", 1, columns=["a", "b"], condition_columns=["c"], base="student-t"
    )
    path = tmp_path / "flow.keras"
    flow.save(path)
    loaded = tfpf.load(path)
    assert type(loaded) is flows.NeuralSplineFlow
    assert loaded.columns == ("a", "b")
    assert loaded.condition_columns == ("c",)
    assert loaded.get_config() == flow.get_config()
    assert repr(loaded) == repr(flow)
    for old, new in zip(flow.variables, loaded.variables, strict=True):
        assert old.path == new.path
        np.testing.assert_array_equal(old.numpy(), new.numpy())
    found = loaded.log_prob(X, CONDITION)
    np.testing.assert_array_equal(found, flow.log_prob(X, CONDITION))
    plain = keras.saving.load_model(path)
    np.testing.assert_array_equal(plain.log_prob(X, CONDITION), found)


def test_adapted_event_of_higher_rank_with_condition_is_saved_whole(tmp_path):
    flow = small.build("realnvp", (2, 2), (2, 1))
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(50, 2, 2)).astype("float32")
    condition = rng.normal(-5.0, 4.0, size=(50, 2, 1)).astype("float32")
    flow.adapt(x, condition)
    small.perturbed(flow)
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    wanted = flow.log_prob(x, condition)
    np.testing.assert_array_equal(loaded.log_prob(x, condition), wanted)


def test_embedding_network_is_saved_with_the_flow(tmp_path):
    network = keras.Sequential([keras.layers.Dense(3, activation="tanh")])
    flow = small.build("maf", 2, 1, embedding=network)
    flow.adapt(X, CONDITION)
    small.perturbed(flow)
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    wanted = flow.log_prob(X, CONDITION)
    np.testing.assert_array_equal(loaded.log_prob(X, CONDITION), wanted)


def test_newer_format_is_refused(tmp_path):
    flow = small.build("maf")
    config = flow.get_config()
    assert config["format_version"] == 1
    newer = {**config, "format_version": 2}
    with pytest.raises(ValueError, match=r"newer than 1.*Upgrade tfp_flows"):
        flows.MaskedAutoregressiveFlow.from_config(newer)
    path, changed = tmp_path / "flow.keras", tmp_path / "newer.keras"
    flow.save(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == "config.json":
                whole = json.loads(content)
                whole["config"]["format_version"] = 2
                content = json.dumps(whole).encode()
            new.writestr(entry, content)
    with pytest.raises(ValueError, match="Upgrade tfp_flows"):
        tfpf.load(changed)


def test_what_is_no_flow_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="existing file"):
        tfpf.load(tmp_path / "missing.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(ValueError, match="no Keras archive"):
        tfpf.load(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("readme.txt", "no model")
    with pytest.raises(ValueError, match=r"must be a \.keras file with a flow"):
        tfpf.load(tmp_path / "zip.keras")
    other = keras.Sequential([keras.layers.Input([1]), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="It holds a `Sequential`"):
        tfpf.load(tmp_path / "other.keras")


@pytest.mark.colab
def test_training_goes_on_after_loading(tmp_path):
    flow = adapted("maf")
    flow.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    flow.fit(X, epochs=2, batch_size=50, shuffle=False, verbose=0)
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    for model in (flow, loaded):
        model.fit(X, epochs=1, batch_size=50, shuffle=False, verbose=0)
    np.testing.assert_allclose(loaded.log_prob(X), flow.log_prob(X), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nsf", {"mixing": "lu"}),
        ("realnvp", {"mixing": "permute"}),
        ("maf", {"mixing": "permute"}),
        ("maf", {"order": "random"}),
    ],
)
def test_random_permutations_are_those_of_the_saved_flow(tmp_path, name, options):
    x = small.table(20, 6)
    flow, twin = (small.build(name, 6, seed=None, **options) for _ in range(2))
    small.perturbed(flow)
    wanted = flow.log_prob(x)
    flow.save(tmp_path / "flow.keras")
    np.testing.assert_array_equal(
        tfpf.load(tmp_path / "flow.keras").log_prob(x), wanted
    )
    # Weights alone are enough for a flow that was built anew, without a seed.
    flow.save_weights(tmp_path / "flow.weights.h5")
    twin.load_weights(tmp_path / "flow.weights.h5")
    np.testing.assert_array_equal(twin.log_prob(x), wanted)


def test_checkpoint_holds_flow_and_optimizer(tmp_path):
    flow, twin = adapted("maf"), small.build("maf", seed=3)
    for model in (flow, twin):
        model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    flow.fit(X, epochs=2, batch_size=50, shuffle=False, verbose=0)
    twin.optimizer.build(twin.trainable_variables)
    path = tf.train.Checkpoint(flow=flow, optimizer=flow.optimizer).write(
        str(tmp_path / "flow")
    )
    checkpoint = tf.train.Checkpoint(flow=twin, optimizer=twin.optimizer)
    checkpoint.read(path).assert_existing_objects_matched()
    np.testing.assert_array_equal(twin.log_prob(X), flow.log_prob(X))
    for model in (flow, twin):
        model.fit(X, epochs=1, batch_size=50, shuffle=False, verbose=0)
    np.testing.assert_allclose(twin.log_prob(X), flow.log_prob(X), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [False, True])
def test_exported_signatures_agree_with_the_flow(tmp_path, conditional):
    shape, rest = (1, {"condition": CONDITION}) if conditional else (None, {})
    flow = adapted("nsf-ar", shape)
    flow.export(str(tmp_path / "saved"), verbose=False)
    model = tf.saved_model.load(str(tmp_path / "saved"))
    assert set(model.signatures) >= {"log_prob", "sample"}
    named = {k: tf.constant(v) for k, v in rest.items()}
    (found,) = model.signatures["log_prob"](x=tf.constant(X), **named).values()
    np.testing.assert_allclose(found, flow.log_prob(X, **rest), atol=1e-5)
    few = {k: v[:2] for k, v in named.items()}
    count, seed = tf.constant(5), tf.constant([1, 2])
    (found,) = model.signatures["sample"](count=count, seed=seed, **few).values()
    wanted = flow.sample(5, seed=[1, 2], **{k: v[:2] for k, v in rest.items()})
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    # The functions take any number of rows, by name or by place.
    assert model.log_prob(X[:3], *[v[:3] for v in rest.values()]).shape == [3]
