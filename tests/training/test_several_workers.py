"""Two workers on one machine train one flow, as one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent import futures

import numpy as np
import pytest

import tfp_flows as tfpf
from tests.training.test_cluster import config, free_addresses
from tfp_flows.flows._model import workers
from tfp_flows.math.gaussianization import histograms
from tfp_flows.training.data import shares
from tfp_flows.training.greedy import estimates
from tfp_flows.training.greedy import rows as greedy_rows

OPTIONS = {
    "num_layers": 2,
    "hidden_units": [8],
    "epochs": 3,
    "batch_size": 64,
    "seed": 0,
    "verbose": 0,
}
# Of a machine that does much else; alone it takes half a minute.
SECONDS = 500

# Worker `argv[1]` of two: does what `argv[2]` says, prints what it found.
SCRIPT = """
import json, os, sys
import keras, numpy as np, tensorflow as tf
import tfp_flows as tfpf
index, folder = int(sys.argv[1]), sys.argv[2]
options = json.loads(sys.argv[3])
strategy = tfpf.training.multi_worker_strategy(timeout=400)
from tests.training import test_several_workers as tests
x = tests.bent()

def told(**options):
    print("SAID " + json.dumps(options), flush=True)

class Dies(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if index == 1 and epoch == 1:
            os.kill(os.getpid(), 9)
"""
TRAINS = """
with strategy.scope():
    written = keras.callbacks.ModelCheckpoint(f"{folder}/{index}.keras")
    flow, history = tfpf.fit("maf", x, callbacks=[written], **options)
    own = tf.data.Dataset.from_tensor_slices(x[index::2].astype("float32")).batch(50)
    loss = flow.evaluate(own, verbose=0)
    counts = tests.counted(x[index::2]).tolist()
flow.save(f"{folder}/saved.keras")
told(losses=history.history, loss=loss, counts=counts,
     log_prob=flow.log_prob(x[:20]).numpy().tolist())
"""
FAILS = """
for wrong in (
    {"batch_size": 63},
    {"num_layers": 2 + index},
    {"learning_rate": 0.1 + index},
    {"backup": folder},
):
    try:
        with strategy.scope():
            tfpf.fit("maf", x, **{**options, **wrong})
    except ValueError as error:
        told(error=str(error))
try:
    with strategy.scope():
        tfpf.fit("maf", x, callbacks=[Dies()], **options)
except tfpf.training.LostWorkerError as error:
    told(error=str(error))
    sys.exit(3)
"""


def bent():
    x = np.random.default_rng(0).normal(size=(1003, 2))
    x[:, 1] += x[:, 0] ** 2
    return x


def counted(x):
    """Return the histograms that a layer of RBIG is made of, over all workers."""
    stream = greedy_rows.Stream(lambda: [x], [x[:100].astype(np.float32)], 0.0, 16)

    def counts(rows, folds):
        folds_of = estimates.NUM_FOLDS
        return (histograms.fold_histograms(rows, folds, folds_of, -8.0, 8.0, 640),)

    return stream.total(counts)[0].sum(axis=0)  # folds go by the place in a stream


def run_both(folder, script):
    """Return exit codes, what was said, and the errors of two workers."""
    addresses = free_addresses(2)
    told = [str(folder), json.dumps(OPTIONS)]

    def run(index):
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT + script, str(index), *told],
            env={**os.environ, "TF_CONFIG": config(addresses, index=index)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = [
            json.loads(line.removeprefix("SAID "))
            for line in done.stdout.splitlines()
            if line.startswith("SAID ")
        ]
        return done.returncode, said, done.stderr[-3000:], time.monotonic() - begun

    with futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, range(2)))


@pytest.mark.parametrize("rows", [65, 100, 1003, 4097, 9000])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_validation_batch_has_rows_for_all_devices(rows, count):
    size = shares.even_size(rows, 4096, count)
    assert size % count == 0
    assert 0 < size <= 4096
    assert rows % size == 0 or rows % size >= count


def test_workers_that_fell_silent_are_named():
    text = (
        "Error reported from /job:worker/task:1: The following tasks are unhealthy "
        "(stopped sending heartbeats):\n/job:worker/replica:0/task:1\nThe tasks have "
        "crashed. See /job:worker/replica:0/task:0"
    )
    assert workers.unheard(text, ["a:1", "b:2"]) == ["worker 1 (b:2)"]
    assert workers.unheard("Connection reset", ["a:1", "b:2"]) == []


@pytest.mark.slow
def test_two_workers_train_as_one_process(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(repository)
    done = run_both(tmp_path, TRAINS)
    assert [code for code, *_ in done] == [0, 0], "\n".join(e for *_, e, _ in done)
    (first,), (second,) = (said for _, said, *_ in done)
    assert first == second
    flow, history = tfpf.fit("maf", bent(), **OPTIONS)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(
            first["losses"][name], history.history[name], rtol=1e-5
        )
    np.testing.assert_allclose(first["log_prob"], flow.log_prob(bent()[:20]), atol=1e-3)
    loss = -np.mean(flow.log_prob(bent()))
    np.testing.assert_allclose(first["loss"], loss, atol=1e-3)
    np.testing.assert_array_equal(first["counts"], counted(bent()))
    assert {path.name for path in tmp_path.iterdir()} == {"0.keras", "saved.keras"}
    saved = tfpf.load(tmp_path / "saved.keras")
    np.testing.assert_allclose(
        saved.log_prob(bent()[:20]), first["log_prob"], atol=1e-5
    )


@pytest.mark.slow
def test_a_worker_that_dies_is_named(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(repository)
    (code, said, errors, _), (killed, other, _, _) = run_both(tmp_path, FAILS)
    assert killed == -9
    assert code == 3, errors
    assert len(other) == 4
    batches, layer, rate, backup, lost = (each["error"] for each in said)
    assert batches == other[0]["error"]
    assert "`batch_size` must be a multiple of 2" in batches
    assert "`num_layers` must be the same on all workers, got 2 on worker 0" in layer
    assert "got 0.1 on worker 0 and 1.1 on worker 1" in rate
    assert rate == other[2]["error"]
    assert "`backup` must be left out where several workers train" in backup
    assert "worker 1 (localhost:" in lost
    assert "no longer answers, so worker 0" in lost
