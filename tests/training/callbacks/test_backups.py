"""A fit that was cut short goes on from its backup, to the very same weights."""

from __future__ import annotations

import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tfp_flows.training.callbacks import backups

OPTIONS = {"steps": 60, "epochs": 6, "seed": 0, "verbose": 0, "batch_size": 64}
FLOW = {"num_layers": 1, "hidden_units": (8,)}


class Cut(Exception):
    pass


def cut_after(epoch):
    def stop(number, logs):
        if number == epoch:
            raise Cut

    return keras.callbacks.LambdaCallback(on_epoch_end=stop)


def data(rows=1000):
    rng = np.random.default_rng(0)
    return np.column_stack([rng.normal(size=rows), rng.gumbel(size=rows)])


def files(folder):
    folder.mkdir()
    for i, part in enumerate(np.split(data(), 4)):
        tfpf.datasets.write_table(folder / f"{i}.parquet", part)
    return folder


def cut_and_go_on(x, folder, **options):
    options = {**OPTIONS, **options}
    whole, history = tfpf.fit("maf", x, **FLOW, **options)
    with pytest.raises(Cut):
        tfpf.fit("maf", x, backup=folder, callbacks=[cut_after(3)], **FLOW, **options)
    assert (folder / "training.npz").exists()
    flow, more = tfpf.fit("maf", x, backup=folder, **FLOW, **options)
    assert not (folder / "training.npz").exists()
    for one, other in zip(whole.get_weights(), flow.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert more.history == history.history
    assert more.epoch == history.epoch
    assert more.ending == history.ending


@pytest.mark.slow
def test_files_go_on_to_the_same_weights(tmp_path):
    cut_and_go_on(files(tmp_path / "data"), tmp_path / "state")


@pytest.mark.slow
def test_arrays_averages_and_dropout_go_on_to_the_same_weights(tmp_path):
    cut_and_go_on(data(), tmp_path / "state", dropout=0.2, average=0.9)


@pytest.mark.slow
def test_a_killed_fit_goes_on_to_the_same_weights(tmp_path):
    x, state = files(tmp_path / "data"), tmp_path / "state"
    code = f"""
import os, signal, keras
import tfp_flows as tfpf
from tfp_flows.training.callbacks import backups
def kill(epoch, logs):
    if epoch == 3:
        os.kill(os.getpid(), signal.SIGKILL)
calls = [keras.callbacks.LambdaCallback(on_epoch_end=kill)]
tfpf.fit("maf", {str(x)!r}, backup={str(state)!r}, callbacks=calls,
         **{FLOW!r}, **{OPTIONS!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (state / "training.npz").exists()
    flow, history = tfpf.fit("maf", x, backup=state, **FLOW, **OPTIONS)
    whole, _ = tfpf.fit("maf", x, **FLOW, **OPTIONS)
    assert len(history.history["val_loss"]) == 6
    for one, other in zip(whole.get_weights(), flow.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_state_of_another_fit_is_refused(tmp_path):
    with pytest.raises(Cut):
        tfpf.fit("linear", data(), backup=tmp_path, callbacks=[cut_after(1)], **OPTIONS)
    for x, options, name in (
        (data()[:900], {}, "rows"),
        (data() * 2, {}, "data"),
        (data(), {"seed": 1}, "seed"),
        (data(), {"batch_size": 32}, "batch_size"),
    ):
        with pytest.raises(ValueError, match=f"state of another fit, of {name} "):
            tfpf.fit("linear", x, backup=tmp_path, **OPTIONS | options)
    (tmp_path / "training.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="must be a readable state of a fit"):
        tfpf.fit("linear", data(), backup=tmp_path, **OPTIONS)


def test_what_has_no_backup_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`seed` must be given"):
        tfpf.fit("linear", data(), backup=tmp_path, **OPTIONS | {"seed": None})
    with pytest.raises(ValueError, match="left out for an ensemble"):
        tfpf.fit("maf", data(), backup=tmp_path, members=2, **FLOW, **OPTIONS)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="must be a folder"):
        tfpf.fit("linear", data(), backup=tmp_path / "file", **OPTIONS)


@pytest.mark.parametrize("damage", ["renamed", "shape", "bytes"])
def test_a_state_of_other_arrays_is_refused_in_a_sentence(damage, tmp_path):
    flow = tfpf.flows.build("linear", 2, seed=0)
    flow.compile("adam")

    def begun():
        state = backups.Backup(tmp_path, {"fit": 1}, [])
        state.set_model(flow)
        state.on_train_begin()
        return state

    written = begun()
    written.on_epoch_end(0, {"loss": 1.5})
    written.on_epoch_begin(1)
    with np.load(written.path) as found:
        arrays = {name: found[name] for name in found.files}
    if damage == "renamed":
        arrays["glow/0"] = arrays.pop("flow/0")
    else:
        arrays["flow/0"] = np.zeros(7) if damage == "shape" else np.array(b"")
    np.savez(written.path, **arrays)
    with pytest.raises(ValueError, match=r"training\.npz"):
        begun()
