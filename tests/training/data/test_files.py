"""Fits to files: every row counted, equal rows on one side, as in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfp_flows as tfpf
from tfp_flows import datasets
from tfp_flows.datasets import folds
from tfp_flows.preprocessing import DataNotice
from tfp_flows.training.data import files

TINY = {"num_layers": 1, "hidden_units": (8,), "seed": 0, "verbose": 0}


def write(folder, x, parts=4, names=None, **options):
    names = names or datasets.table.default_columns(x.shape[1])
    for i, part in enumerate(np.array_split(x, parts)):
        frame = pd.DataFrame(part, columns=names)
        frame.to_parquet(folder / f"{i}.parquet", index=False, **options)
    return folder


def table(rows=2000, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=[rows, 2])
    return np.column_stack([x[:, 0], x[:, 1] + x[:, 0] ** 2])


def rows_of(x):
    return set(map(tuple, np.asarray(x, np.float32).tolist()))


def scan(folder, share=0.1, seed=3):
    source = datasets.open_shards(folder)
    return files.scan(source, len(source.columns), share, seed)


def one_pass(found, flow, size=50, start=0, number=1):
    dataset = found.batches(flow, size, 5, start).dataset
    steps = found.rows // size
    return [b[0].numpy() for b in dataset.take(number * steps)]


def test_a_pass_has_every_training_row_once_and_no_validation_row(tmp_path):
    x = table()
    found = scan(write(tmp_path, x, row_group_size=90))
    flow = tfpf.flows.build("linear", 2, seed=0)
    assert found.rows == 1800
    assert len(found.held_out) == 200
    batches = one_pass(found, flow, number=2)
    first, second = (np.concatenate(part) for part in np.array_split(batches, 2))
    assert rows_of(first) == rows_of(second) == rows_of(x) - rows_of(found.held_out)
    assert not np.array_equal(first, second)
    assert rows_of(first[:200]) != rows_of(first[-200:])
    np.testing.assert_array_equal(one_pass(found, flow, start=7)[0], batches[7])


def test_rows_are_mixed_across_files(tmp_path):
    x = np.arange(4000.0)[:, None] + np.array([[0.25, 0.5]])
    found = scan(write(tmp_path, x, parts=4, row_group_size=50))
    first = one_pass(found, tfpf.flows.build("linear", 2, seed=0))[0]
    assert len(set((first[:, 0] // 1000).tolist())) >= 3


def test_equal_rows_are_on_one_side(tmp_path):
    x = np.repeat(table(700), 3, axis=0)
    found = scan(write(tmp_path, np.random.default_rng(1).permutation(x)))
    assert not rows_of(found.sample) & rows_of(found.held_out)
    assert 0.05 < len(found.held_out) / 2100 < 0.15


def test_rows_of_a_few_values_are_held_out_one_by_one(tmp_path):
    x = np.random.default_rng(0).integers(0, 2, size=[3000, 2]).astype(float)
    found = scan(write(tmp_path, x))
    assert not found.by_hash
    assert len(rows_of(found.held_out)) == len(rows_of(found.sample)) == 4
    assert found.rows == 2700


def test_statistics_are_those_of_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SAMPLE", 200)
    x = table(5000)
    found = scan(write(tmp_path, x))
    level = folds.levels(folds.row_hash(x), 3)
    train = x[level >= 0.1]
    assert found.rows == len(train)
    assert len(found.sample) + len(found.held_out) == 200
    np.testing.assert_allclose(found.moments[0], train.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.moments[1], train.std(axis=0), rtol=1e-9)
    for end in (x.min(axis=0), x.max(axis=0)):
        assert all(end[j] in found.ends[:, j] for j in range(2))
    flow, history = tfpf.fit("linear", tmp_path, epochs=1, seed=0, verbose=0)
    assert history.report.rows > 4400
    level = folds.levels(folds.row_hash(x), _split_seed())
    mean = x[level >= 0.1].mean(axis=0)
    assert flow.columns == ("x0", "x1")
    maps = [m for m in flow.bijector().bijectors if hasattr(m, "set_moments")]
    np.testing.assert_allclose(maps[0].loc, mean, atol=1e-6)


def _split_seed():
    return int(np.random.default_rng(0).integers(2**31))


@pytest.mark.slow
def test_a_fit_to_files_is_as_good_as_one_in_memory(tmp_path):
    x, test = table(6000), table(4000, 1)
    options = {"steps": 300, "epochs": 3, "num_layers": 2, **TINY}
    options["hidden_units"] = (16,)
    streamed, history = tfpf.fit("maf", write(tmp_path, x), **options)
    held, _ = tfpf.fit("maf", x, **options)
    gap = np.mean(held.log_prob(test)) - np.mean(streamed.log_prob(test))
    assert abs(gap) < 0.1
    report = history.report
    assert (report.rows, report.count, report.of) == (5400, 600, "validation")
    assert report.lead.mean > 0.1
    assert history.ending.epochs == 3


@pytest.mark.slow
def test_conditions_kinds_and_labels_by_name(tmp_path):
    rng = np.random.default_rng(0)
    kind = rng.choice(["low", "high"], size=800)
    frame = pd.DataFrame(
        {
            "age": rng.integers(0, 30, size=800),
            "kind": kind,
            "size": rng.normal(size=800) + 3 * (kind == "high"),
            "note": "text",
        }
    )
    frame[:400].to_parquet(tmp_path / "a.parquet")
    frame[400:].to_parquet(tmp_path / "b.parquet")
    columns = {"kind": "category", "note": "drop"}
    flow, history = tfpf.fit(
        "maf", tmp_path, "size", columns=columns, steps=30, epochs=1, **TINY
    )
    assert flow.columns == ("age", "kind")
    assert flow.condition_columns == ("size",)
    assert flow.category_labels() == {"kind": ("high", "low")}
    assert any("integers" in line for line in history.report.columns)
    values = flow.log_prob(frame[["age", "kind"]][:5], frame[["size"]][:5])
    assert np.isfinite(values).all()
    more, _ = tfpf.fit(
        flow, tmp_path, adapt=False, epochs=1, steps=2, seed=0, verbose=0
    )
    assert more is flow


def test_an_outlier_is_named_by_its_file_and_left_out(tmp_path):
    x = table()
    x[1700, 1] = 1e9
    write(tmp_path, x)
    with pytest.warns(DataNotice, match=r"1e\+09 in row 201 of '.*3.parquet'"):
        found = scan(tmp_path)
    assert found.rows + len(found.held_out) == 1999
    assert found.sample.max() < 1e3


@pytest.mark.slow
def test_a_value_that_the_sample_did_not_show_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SAMPLE", 300)
    x = np.random.default_rng(0).integers(1, 40, size=[3000, 2]).astype(float)
    x[100, 1] = 7.3141592  # is seen by the pass: a column of any numbers
    x[2000:2003, 0] = -3.0  # beyond the end
    flow, _ = tfpf.fit("maf", write(tmp_path, x), steps=20, epochs=1, **TINY)
    kinds = flow.preprocessing.columns
    assert kinds[0].step == 1.0
    assert kinds[1].step is None
    low = {"x0": {"low": 0.0, "step": 1.0}}
    with pytest.raises(ValueError, match="got -3 in a row of the files"):
        tfpf.fit("maf", tmp_path, columns=low, steps=20, epochs=1, **TINY)
    some = {"x0": ("category", list(range(-3, 40))), "x1": "continuous"}
    found, flow = scan(tmp_path), tfpf.flows.build("maf", 2, columns=some, seed=0)
    x[2500, 0] = 50.0
    write(tmp_path, x)
    with pytest.raises(Exception, match=r"50 in row 251 of '.*3.parquet'"):
        one_pass(found, flow)


@pytest.mark.parametrize(
    ("told", "kind", "said"),
    [
        ({"weights": np.ones(10)}, ValueError, "`weights` must be left out"),
        ({"noise": 0.1}, ValueError, "`noise` must be left out"),
        ({"missing": "impute"}, ValueError, "`missing` must be left out"),
        ({"groups": np.ones(10)}, ValueError, "`groups` must be left out"),
        ({"members": 2}, ValueError, "`members` must be left out"),
        ({"condition": np.ones([10, 1])}, TypeError, "`condition` must be names"),
        ({"condition": ["x0", "x1"]}, ValueError, "no column is left"),
        ({"columns": {"y": "integer"}}, ValueError, "'y'"),
        ({"validation": 2.0}, ValueError, "`validation`"),
    ],
)
def test_what_files_have_no_part_in_is_refused(told, kind, said, tmp_path):
    write(tmp_path, table(50))
    with pytest.raises(kind, match=said):
        tfpf.fit("linear", tmp_path, **{"epochs": 1, "seed": 0, "verbose": 0} | told)


def test_a_file_that_breaks_while_training_leaves_the_flow(tmp_path):
    import keras

    write(tmp_path, table(), row_group_size=100)
    path = tmp_path / "2.parquet"

    def damage(epoch, logs):
        if epoch == 1:
            path.write_bytes(b"PAR1" + path.read_bytes()[4:300])

    callback = keras.callbacks.LambdaCallback(on_epoch_end=damage)
    with pytest.raises(tfpf.training.ReadError, match=r"2.parquet' must be") as caught:
        tfpf.fit(
            "linear",
            tmp_path,
            batch_size=100,
            epochs=200,
            seed=0,
            verbose=0,
            callbacks=[callback],
        )
    assert caught.value.epochs >= 2
    assert np.isfinite(caught.value.flow.log_prob(table(10))).all()
    assert "best weights" in str(caught.value)


def test_passes_longer_than_a_fit_are_divided_into_epochs():
    from tfp_flows.training import choices

    found = choices.divided(175_000)
    assert found["steps_per_epoch"] == 1000
    assert found["epochs"] == 175
    assert choices.divided(2_500)["steps_per_epoch"] == 833


def test_layers_from_files_are_judged_beside_a_gaussian(tmp_path):
    x = table(3000)
    flow, history = tfpf.fit(
        "rbig", write(tmp_path, x), epochs=3, seed=0, verbose=0, rotation="pca"
    )
    assert flow.columns == ("x0", "x1")
    assert history.report.rows + history.report.count == 3000
    assert history.report.lead.mean > 0.05
    with pytest.raises(ValueError, match="only be dropped"):
        tfpf.fit("rbig", tmp_path, columns={"x0": "integer"}, verbose=0)
    with pytest.raises(ValueError, match="`backup` must be left out"):
        tfpf.fit("rbig", tmp_path, backup=tmp_path, seed=0, verbose=0)
