"""Greedy fits of several workers, each with rows of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.training.test_cluster import free_addresses
from tfp_flows.flows._model import workers

# Worker `argv[1]` of two: fits its half of the rows, prints what it made of them.
SCRIPT = """
import json, sys
import numpy as np, tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
import tfp_flows as tfpf
index, path = int(sys.argv[1]), sys.argv[2]
x = np.load(path)["x"][index::2]
with strategy.scope():
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(500)
    flow, _ = tfpf.fit("rbig", dataset, verbose=0, epochs=4)
test = np.load(path)["test"]
print(json.dumps([flow.layer_types, flow.log_prob(test).numpy().tolist()]))
"""


def bent(rows, seed):
    x = np.random.default_rng(seed).normal(size=(rows, 2)).astype("float32")
    x[:, 1] += x[:, 0] ** 2
    return x


def run_both(tmp_path, x, test):
    """Return exit codes, outputs and errors of two workers."""
    path = tmp_path / "rows.npz"
    np.savez(path, x=x, test=test)
    addresses = free_addresses(2)
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, str(index), str(path)],
                env={**os.environ, "TF_CONFIG": config},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        texts = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, *text) for p, text in zip(processes, texts, strict=True)]


@pytest.mark.slow
def test_workers_make_the_layers_of_the_rows_of_all(tmp_path):
    x, test = bent(6000, 0), bent(2000, 1)
    x[::2] += [3.0, 0.0]  # the rows of one worker alone would give another flow
    test[::2] += [3.0, 0.0]
    done = run_both(tmp_path, x, test)
    for code, _, errors in done:
        assert not code, errors
    first, second = (json.loads(out.splitlines()[-1]) for _, out, _ in done)
    assert first == second
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(500)
    flow, _ = tfpf.fit("rbig", dataset, seed=0, verbose=0, epochs=4)
    assert abs(np.mean(first[1]) - np.mean(flow.log_prob(test))) < 0.05


@pytest.mark.slow(rare=True)
def test_a_bad_row_of_one_worker_ends_all_of_them(tmp_path):
    x = bent(2000, 0)
    x[101] = np.nan  # the second worker's
    (first, _, waiting), (second, _, failing) = run_both(tmp_path, x, x[:10])
    assert first
    assert second
    assert "1 other of its workers failed" in waiting
    assert "bad number in row 51 of the stream" in failing


@pytest.mark.parametrize("strategy", [None, "mirrored"])
def test_one_worker_keeps_its_sums_and_rows(strategy):
    rows, values = np.eye(3), (3, np.array([1.0, -2.0]))

    def found():
        return workers.total(values), workers.gathered(rows), workers.index()

    if strategy is None:
        sums, kept, index = found()
    else:
        with tf.distribute.MirroredStrategy().scope():
            sums, kept, index = found()
    assert index == 0
    assert sums[0] == 3
    np.testing.assert_array_equal(sums[1], [1.0, -2.0])
    np.testing.assert_array_equal(kept, rows)
