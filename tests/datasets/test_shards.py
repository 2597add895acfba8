"""Tables in many files are read block by block, and what does not fit is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tfp_flows import datasets
from tfp_flows.datasets import shards


def frame(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=[rows, 2])
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1].astype("float32")})


def write(folder, ending=".parquet", parts=3, **options):
    frames = [frame(seed=i) for i in range(parts)]
    for i, part in enumerate(frames):
        path = folder / f"part-{i}{ending}"
        if ending == ".parquet":
            part.to_parquet(path, index=False, **options)
        else:
            datasets.write_table(path, part)
    return np.concatenate([part.to_numpy() for part in frames])


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".npz"])
def test_a_folder_is_read_as_one_table(ending, tmp_path):
    x = write(tmp_path, ending)
    found = datasets.open_shards(tmp_path)
    assert found.columns == ("a", "b")
    assert found.rows == (900 if ending == ".parquet" else None)
    blocks = list(found.blocks())
    np.testing.assert_allclose(np.concatenate([b.x for b in blocks]), x, rtol=1e-7)
    numbers = np.concatenate([b.number for b in blocks])
    assert len(set(numbers.tolist())) == 900


def test_rows_keep_their_numbers_whatever_order_they_are_read_in(tmp_path):
    write(tmp_path, row_group_size=70)
    found = datasets.open_shards(tmp_path)
    assert len(found.pieces) == 15
    forth, back = (
        {
            int(n): tuple(row)
            for block in found.blocks(pieces)
            for n, row in zip(block.number, block.x, strict=True)
        }
        for pieces in (found.pieces, found.pieces[::-1])
    )
    assert forth == back
    assert found.place(max(forth)) == f"row 300 of '{tmp_path / 'part-2.parquet'}'"


def test_columns_are_chosen_by_name(tmp_path):
    x = write(tmp_path)
    found = datasets.open_shards(str(tmp_path / "*.parquet")).select(["b"])
    np.testing.assert_array_equal(
        np.concatenate([block.x for block in found.blocks()]), x[:, 1:]
    )
    with pytest.raises(ValueError, match=r"'c'.*has 'a', 'b'"):
        datasets.open_shards(tmp_path).select(["c"])


def test_labels_are_those_of_all_files(tmp_path):
    for i, cells in enumerate((["x", "y", "x"], ["z", "x", "z"])):
        part = pd.DataFrame({"a": [1.0, 2.0, 3.0], "k": pd.Categorical(cells)})
        part.to_parquet(tmp_path / f"{i}.parquet", index=False)
    found = datasets.open_shards(tmp_path).described()
    assert found.labels == {"k": ("x", "y", "z")}
    k = np.concatenate([block.x[:, 1] for block in found.blocks()])
    np.testing.assert_array_equal(k, [0, 1, 0, 2, 0, 2])


def test_dates_are_counted_in_one_unit(tmp_path):
    days = pd.to_datetime(["2026-01-01", "2026-01-02"])
    for i in range(2):
        pd.DataFrame({"day": days, "a": [1.0, 2.0]}).to_parquet(
            tmp_path / f"{i}.parquet"
        )
    found = datasets.open_shards(tmp_path).described()
    x = np.concatenate([block.x for block in found.blocks()])
    assert found.units["day"]
    assert x[1, 0] - x[0, 0] == 86_400.0


def other_columns(folder):
    frame().rename(columns={"b": "c"}).to_parquet(folder / "part-9.parquet")


def cut_short(folder):
    path = folder / "part-1.parquet"
    path.write_bytes(path.read_bytes()[:-200])


def mixed(folder):
    (folder / "notes.csv").write_text("a,b\n1,2\n")


def nested(folder):
    (folder / "year=2026").mkdir()


def empty(folder):
    for file in folder.iterdir():
        file.unlink()
    (folder / "_SUCCESS").touch()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (other_columns, "part-9.parquet' must have the same columns.*no column 'b'"),
        (cut_short, "part-1.parquet' must be a readable .parquet file"),
        (mixed, "one format, got.*part-0.parquet' beside.*notes.csv'"),
        (nested, "files only, got the folder 'year=2026'"),
        (empty, "must hold files of a table, got an empty folder"),
    ],
)
def test_files_that_do_not_fit_are_named(harm, said, tmp_path):
    write(tmp_path)
    harm(tmp_path)
    with pytest.raises(ValueError, match=said):
        datasets.open_shards(tmp_path)


def test_what_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "none", str(tmp_path / "*.csv")):
        with pytest.raises(FileNotFoundError, match="`path` must"):
            datasets.open_shards(path)
    with pytest.raises(ValueError, match="at least one file"):
        datasets.open_shards([])


def test_a_text_file_of_other_columns_is_named_when_it_is_read(tmp_path):
    write(tmp_path, ".csv")
    (tmp_path / "part-9.csv").write_text("a,c\n1,2\n")
    with pytest.raises(ValueError, match=r"part-9.csv' must have the same columns"):
        list(datasets.open_shards(tmp_path).blocks())


def test_a_bad_cell_is_named_by_its_row_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "BLOCK", 50)
    write(tmp_path)
    part = frame(seed=1)
    part.loc[123, "b"] = np.nan
    part.to_parquet(tmp_path / "part-1.parquet", index=False)
    with pytest.raises(ValueError, match=r"part-1.parquet: column 'b'.*in row 124,"):
        list(datasets.open_shards(tmp_path).blocks())


def test_tables_of_text_are_named(tmp_path):
    pd.DataFrame({"s": ["u", "v"], "t": ["w", "x"]}).to_parquet(tmp_path / "t.parquet")
    found = datasets.open_shards(tmp_path)
    with pytest.raises(ValueError, match=r"t.parquet: column 's' must be numeric"):
        list(found.blocks())
