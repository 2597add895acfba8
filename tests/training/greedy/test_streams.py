"""Greedy fits to streams: as in memory, from datasets and from shards."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows import datasets
from tfp_flows.training.greedy import estimates
from tfp_flows.training.greedy import rows as training_rows


def mixed(rows, seed=0):
    rng = np.random.default_rng(seed)
    parts = np.stack([rng.uniform(-1, 1, rows), rng.laplace(size=rows)], axis=1)
    return (parts @ [[0.8, 0.6], [-0.6, 0.8]]).astype("float32")


def batches(x, size=1000):
    return tf.data.Dataset.from_tensor_slices(x).batch(size)


OPTIONS = {"seed": 0, "verbose": 0, "epochs": 4, "rotation": "ica"}


def test_stream_gives_what_memory_gives_within_the_error_of_its_sample(monkeypatch):
    monkeypatch.setattr(training_rows, "RESERVOIR", (3000, 600))
    x, test = mixed(20_000), mixed(10_000, 1)
    streamed, _ = tfpf.fit("rbig", batches(x), **OPTIONS)
    held, _ = tfpf.fit("rbig", x, **OPTIONS)
    gap = np.mean(held.log_prob(test)) - np.mean(streamed.log_prob(test))
    assert abs(gap) < 0.02
    assert np.all(np.isfinite(streamed.log_prob(1e6 * test)))


def test_sums_over_a_stream_are_those_over_the_rows():
    x = mixed(5000).astype("float64")
    stream = training_rows.Stream(lambda: np.split(x, [10, 3000]), [x], 0.0, 16)
    held = training_rows.Rows([x], 0.0, 16)
    for source in (stream, held):
        source.apply_layer(estimates.Step("white"))
    np.testing.assert_allclose(
        stream.layers[0].rotation, held.layers[0].rotation, atol=1e-5
    )
    both = [
        source.total(lambda rows, folds: (len(rows), rows.astype("f8").sum(axis=0)))
        for source in (stream, held)
    ]
    assert both[0][0] == both[1][0] == 5000
    np.testing.assert_allclose(both[0][1], both[1][1], atol=1e-2)


def test_held_out_rows_and_folds_do_not_change_between_passes():
    x = mixed(4000)
    stream = training_rows.Stream(lambda: [x], [x], 0.0, 16, seed=3, held_out=0.2)
    first, second = (
        [np.concatenate(p) for p in zip(*stream.shards(), strict=True)] for _ in "ab"
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert abs(len(first[0]) / 4000 - 0.8) < 0.03
    assert np.bincount(first[1]).min() > 500
    parts, count, mean, scale = training_rows.reservoir([x], 3, 0.2)
    assert count == 4000
    held_out = {row.tobytes() for row in parts[1]}
    assert not held_out & {row.tobytes() for row in first[0]}
    np.testing.assert_allclose(mean, x.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(scale, x.std(axis=0), rtol=1e-5)


@pytest.mark.slow
def test_shards_are_read_as_one_table(tmp_path):
    x = mixed(3000).astype("float64")  # text holds no float32, whose hash is its own
    paths = [tmp_path / name for name in ("a.npz", "b.csv")]
    for path, part in zip(paths, np.split(x, [1000]), strict=True):
        datasets.write_table(path, part, ("first", "second"))
    flow, _ = tfpf.fit("rbig", paths, **OPTIONS)
    assert flow.columns == ("first", "second")
    whole, _ = tfpf.fit("rbig", batches(x), **OPTIONS)
    np.testing.assert_allclose(flow.log_prob(x[:50]), whole.log_prob(x[:50]), atol=1e-3)


def test_more_layers_from_a_stream():
    x = tfpf.datasets.toy("banana", 2000)
    options = {"seed": 0, "verbose": 0}
    flow, _ = tfpf.fit("rbig", batches(x), epochs=1, rotation="pca", **options)
    before = np.mean(flow.log_prob(x))
    tfpf.fit(flow, batches(x), adapt=False, epochs=5, **options)
    assert np.mean(flow.log_prob(x)) > before


def test_bad_streams_are_errors():
    x = mixed(100)
    with pytest.raises(ValueError, match="at least one batch"):
        tfpf.fit("rbig", batches(x).take(0), **OPTIONS)
    with pytest.raises(ValueError, match="must yield batches"):
        tfpf.fit("rbig", tf.data.Dataset.from_tensor_slices(x), **OPTIONS)
    x[40, 0] = np.nan
    with pytest.raises(ValueError, match="row 41 of the stream"):
        tfpf.fit("rbig", batches(x), **OPTIONS)
    with pytest.raises(ValueError, match="must be left out for a greedy fit"):
        tfpf.fit("rbig", batches(mixed(100)), noise=0.1, **OPTIONS)
