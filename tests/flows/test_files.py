"""Damaged, foreign and hostile files; files that are replaced whole or not at all."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import _files


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "good.keras"
    small.build("maf").save(path)
    return path


def rewritten(good, path, name, change, *, sealed=False):
    """Write a file in which the part `name` is changed, by default without a seal."""
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        new.comment = old.comment if sealed else b""
        for entry in old.namelist():
            data = old.read(entry)
            new.writestr(entry, change(data) if entry == name else data)
    return path


def with_config(good, path, edit):
    def change(data):
        config = json.loads(data)
        edit(config)
        return json.dumps(config).encode()

    return rewritten(good, path, "config.json", change)


def with_weights(good, path, value):
    def change(data):
        stream = io.BytesIO(data)
        with h5py.File(stream, "r+") as file:

            def fill(_, item):
                is_array = isinstance(item, h5py.Dataset) and item.shape
                if is_array and item.dtype.kind == "f":
                    item[...] = value

            file.visititems(fill)
            del file["vars/sha256"]  # as in a file of before
        return stream.getvalue()

    return rewritten(good, path, "model.weights.h5", change)


def test_a_seal_finds_what_was_written_anew(good, tmp_path):
    path = tmp_path / "f.keras"

    def narrower(data):
        return data.replace(b'"num_layers": 2', b'"num_layers": 1')

    rewritten(good, path, "config.json", narrower, sealed=True)
    with pytest.raises(
        ValueError, match=r"`config\.json` is not the one that was saved"
    ):
        tfpf.load(path)

    def nudged(data):
        stream = io.BytesIO(data)
        with h5py.File(stream, "r+") as file:
            arrays = []
            file.visititems(lambda _, item: arrays.append(item))
            largest = max(
                (a for a in arrays if isinstance(a, h5py.Dataset)), key=lambda a: a.size
            )
            values = np.array(largest)
            values.reshape(-1)[0] = np.nextafter(values.reshape(-1)[0], np.float32(9))
            largest[...] = values
        return stream.getvalue()

    rewritten(good, path, "model.weights.h5", nudged, sealed=True)
    with pytest.raises(ValueError, match="weights are not those that were saved"):
        tfpf.load(path)
    rewritten(good, path, "model.weights.h5", nudged)
    for load in (tfpf.load, keras.saving.load_model):
        with pytest.raises(ValueError, match="weights are not those that were saved"):
            load(path)


def test_weights_alone_have_a_checksum(good, tmp_path):
    path = tmp_path / "f.weights.h5"
    flow = tfpf.load(good)
    flow.save_weights(path)
    other = small.build("maf", seed=5)
    other.load_weights(path)
    np.testing.assert_array_equal(other.log_prob([[0.1, 2]]), flow.log_prob([[0.1, 2]]))
    with h5py.File(path, "r+") as file:
        file["vars/0"][...] = 2.0
    with pytest.raises(ValueError, match="weights are not those that were saved"):
        other.load_weights(path)


def test_keras_finds_a_changed_architecture(good, tmp_path):
    def edit(config):
        config["config"]["activation"] = "tanh"

    path = with_config(good, tmp_path / "f.keras", edit)
    for load in (tfpf.load, keras.saving.load_model):
        with pytest.raises(ValueError, match=r"`config\.json` is not the one that was"):
            load(path)

    def of_before(config):
        del config["config"]["sha256"]

    path = with_config(good, tmp_path / "f.keras", of_before)
    wanted = tfpf.load(good).log_prob([[0.1, 2.0]])
    found = keras.saving.load_model(path).log_prob([[0.1, 2.0]])
    np.testing.assert_array_equal(found, wanted)
    assert "sha256" not in tfpf.load(good).get_config()


def test_keras_finds_changed_weights_of_an_embedding(tmp_path):
    path, weights = tmp_path / "f.keras", tmp_path / "f.weights.h5"

    def build():
        dense = keras.layers.Dense
        network = keras.Sequential([dense(4, activation="tanh"), dense(2)])
        return small.build("maf", 2, 3, embedding=network)

    flow, x, c = build(), np.ones([1, 2]), np.ones([1, 3])
    small.perturbed(flow).save(path)
    flow.save_weights(weights)
    other = build()
    other.load_weights(weights)
    for loaded in (other, keras.saving.load_model(path)):
        np.testing.assert_array_equal(loaded.log_prob(x, c), flow.log_prob(x, c))
    names = []

    def raised(data):
        stream = io.BytesIO(data)
        with h5py.File(stream, "r+") as file:

            def change(name, item):
                if isinstance(item, h5py.Dataset) and "dense" in name:
                    names.append(name)
                    item[...] += 1.0

            file.visititems(change)
        return stream.getvalue()

    changed = rewritten(path, tmp_path / "g.keras", "model.weights.h5", raised)
    assert len(names) == 4
    for load in (tfpf.load, keras.saving.load_model):
        with pytest.raises(ValueError, match="weights are not those that were saved"):
            load(changed)
    weights.write_bytes(raised(weights.read_bytes()))
    with pytest.raises(ValueError, match="weights are not those that were saved"):
        other.load_weights(weights)


@pytest.mark.parametrize("comment", [b"hello", b"{}", b'{"tfp_flows": [1, 2]}'])
def test_a_damaged_seal_is_refused(good, tmp_path, comment):
    path = tmp_path / "f.keras"
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = comment
    with pytest.raises(ValueError, match="Its checksums are damaged"):
        tfpf.load(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "is not finite"), (np.inf, "is not finite"), (1e38, r"exceeds 1e\+30")],
)
def test_absurd_weights_are_refused(good, tmp_path, value, message):
    path = with_weights(good, tmp_path / "f.keras", value)
    with pytest.raises(ValueError, match=message):
        tfpf.load(path)


@pytest.mark.parametrize("unit", [1e33, 1e300])
def test_statistics_of_any_size_are_given_back(tmp_path, unit):
    flow = small.build("linear", dtype="float64")
    x = unit * small.table(dtype="float64")
    flow.adapt(x)
    assert max(np.abs(v.numpy()).max() for v in flow.variables) > 1e30
    flow.save(tmp_path / "f.keras")
    flow.save_weights(tmp_path / "f.weights.h5")
    other = small.build("linear", dtype="float64")
    for name in ("f.weights.h5", "f.keras"):
        other.set_weights([np.zeros(w.shape) for w in other.weights])
        other.load_weights(tmp_path / name)
        for found, wanted in zip(other.weights, flow.weights, strict=True):
            np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(
        tfpf.load(tmp_path / "f.keras").log_prob(x), flow.log_prob(x)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_file_is_replaced_by_one_that_is_refused(tmp_path, value):
    flow = small.build("linear")
    files = [tmp_path / "f.keras", tmp_path / "f.weights.h5"]
    flow.save(files[0])
    flow.save_weights(files[1])
    before = [file.read_bytes() for file in files]
    flow.trainable_variables[0].assign(flow.trainable_variables[0] + value)
    for save, file in zip((flow.save, flow.save_weights), files, strict=True):
        with pytest.raises(ValueError, match=f"finite weights .*{file.name}' is not"):
            save(file)
    assert [file.read_bytes() for file in files] == before


def _embed(module, name):
    node = {"module": module, "class_name": name, "config": {}, "registered_name": name}
    return lambda config: config["config"].update(embedding=node)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["config"].update(zzz=1), "the option `zzz`"),
        (lambda c: c["config"].update(event_shape="abc"), "`event_shape` must be a"),
        (lambda c: c["config"].update(activation="__class__"), "`activation` must be"),
        (lambda c: c["config"].update(activation="py_function"), "`activation` must"),
        (_embed("os", "system"), "names `system` of `os`, which is not registered"),
        (_embed("keras.layers", "Lambda"), "`Lambda` of `keras.layers`"),
        (_embed("keras.layers", "TorchModuleWrapper"), "`TorchModuleWrapper` of"),
        (lambda c: c.update(registered_name="Dense"), "which is no flow"),
        (lambda c: c.update(config=None), "must be a .keras file with a flow"),
    ],
)
def test_configurations_of_others_are_refused_in_a_sentence(
    good, tmp_path, edit, message
):
    path = with_config(good, tmp_path / "f.keras", edit)
    with pytest.raises(ValueError, match=message) as caught:
        tfpf.load(path)
    text = str(caught.value)
    assert str(path) in text
    assert len(text) < 400 + len(str(path))
    assert "\n" not in text
    assert "0x" not in text


def test_no_module_of_a_file_is_imported(good, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('code of the file ran')")
    monkeypatch.syspath_prepend(tmp_path)
    path = with_config(good, tmp_path / "f.keras", _embed("evil_module", "Evil"))
    with pytest.raises(ValueError, match="not registered"):
        tfpf.load(path)
    assert "evil_module" not in sys.modules


def test_files_cut_short_are_refused(good, tmp_path):
    data = good.read_bytes()
    path = tmp_path / "cut.keras"
    for size in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"must be a \.keras file with a flow"):
            tfpf.load(path)


def test_a_save_that_fails_leaves_the_old_file(good, tmp_path, monkeypatch):
    path = tmp_path / "flow.keras"
    flow = tfpf.load(good)
    flow.save(path)
    before = path.read_bytes()

    def broken():
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(flow, "get_config", broken)
    with pytest.raises(RuntimeError, match="disk"):
        flow.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["flow.keras"]


KILLED = """
import os, sys
from tfp_flows import _files
with _files.replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os._exit(9)
"""


def test_a_killed_writer_leaves_the_old_file_and_the_next_clears_up(tmp_path):
    path = tmp_path / "flow.keras"
    path.write_text("old")
    command = [sys.executable, "-c", KILLED, str(path)]
    assert subprocess.run(command, check=False).returncode == 9
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    with _files.replacing(path) as temporary:
        assert str(os.getpid()) in temporary.name
        assert set(tmp_path.iterdir()) == {path, temporary}
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [path]
