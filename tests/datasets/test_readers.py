"""Reading and writing tables: round trips, and every error message."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tfp_flows import _optional, datasets

pytest.importorskip("pandas")

EXTENSIONS = ["csv", "tsv", "csv.gz", "tsv.gz", "xlsx", "parquet", "npz"]


@pytest.fixture(params=EXTENSIONS)
def extension(request):
    packages = {"parquet": "pyarrow", "xlsx": "openpyxl"}
    pytest.importorskip(packages.get(request.param, "numpy"))
    return request.param


@pytest.fixture
def csv(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip_keeps_every_bit(tmp_path, extension, dtype):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((50, 3)) * 10.0 ** rng.integers(-20, 20, (50, 3))).astype(
        dtype
    )
    columns = ("a", "free sulfur dioxide", "größe")
    path = datasets.write_table(tmp_path / f"t.{extension}", x, columns)
    table = datasets.read_table(path)
    assert table.columns == columns
    if extension not in ("parquet", "npz"):
        assert table.x.dtype == np.float64
    else:
        assert table.x.dtype == dtype
    digits = 1e-15 if extension == "xlsx" else 0  # openpyxl writes 16 digits
    np.testing.assert_allclose(table.x.astype(dtype), x, rtol=digits)


@pytest.mark.colab
def test_round_trip_of_a_table_and_its_folds(tmp_path):
    table = datasets.wine("red")
    path = datasets.write_table(tmp_path / "wine.npz", table)
    back = datasets.read_table(path, ["alcohol", "pH"])
    np.testing.assert_array_equal(back.x, table.select(["alcohol", "pH"]).x)
    np.testing.assert_array_equal(back.fold, table.fold)


def test_columns_are_selected_in_the_order_asked(tmp_path, extension):
    path = tmp_path / f"t.{extension}"
    datasets.write_table(path, np.arange(6.0).reshape(2, 3), ["a", "b", "c"])
    table = datasets.read_table(path, ["c", "a"])
    assert table.columns == ("c", "a")
    np.testing.assert_array_equal(table.x, [[2, 0], [5, 3]])
    message = (
        r"`columns` must name existing columns, got 'd', 'e'. .* has 'a', 'b', 'c'"
    )
    with pytest.raises(ValueError, match=message):
        datasets.read_table(path, ["d", "a", "e"])
    with pytest.raises(TypeError, match="`columns` must be a list of names, got 'a'"):
        datasets.read_table(path, "a")


@pytest.mark.parametrize(
    ("text", "columns", "x"),
    [
        ("a,b\n1,2.5\n3,4\n", ("a", "b"), [[1, 2.5], [3, 4]]),
        ("a;b\n1;2.5\n3;4\n", ("a", "b"), [[1, 2.5], [3, 4]]),
        ("a\tb\n1\t2.5\n3\t4\n", ("a", "b"), [[1, 2.5], [3, 4]]),
        ('"a;1",b\n1,2\n', ("a;1", "b"), [[1, 2]]),
        ('"a\nb", c\n1, 2\n', ("a\nb", "c"), [[1, 2]]),
        ("\n\na,b\r\n\r\n1,2\r\n", ("a", "b"), [[1, 2]]),
        ("\ufeffa\n1\n2\n", ("a",), [[1], [2]]),
        ("1,-2.5e3\n3,4\n", ("x0", "x1"), [[1, -2500], [3, 4]]),
        ("\ufeff1;2\n3;4\n", ("x0", "x1"), [[1, 2], [3, 4]]),
        ("nan,inf\n1,2\n", ("nan", "inf"), [[1, 2]]),
        ("2019,b\n1,2\n", ("2019", "b"), [[1, 2]]),
        ("a,b\nTrue,1\nFalse,2\n", ("a", "b"), [[1, 1], [0, 2]]),
        ("a,b,\n1,2,\n3,4,\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("a;;b\n1;;2\n", ("a", "b"), [[1, 2]]),
    ],
)
def test_csv_dialects(csv, text, columns, x):
    table = datasets.read_table(csv(text))
    assert table.columns == columns
    np.testing.assert_array_equal(table.x, x)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold a table, got one without columns"),
        ("a,b\n", "must hold a table, got one without rows"),
        ("a,b\n1,2\n3,x y\n", "column 'b' must be numeric, got 'x y' in row 2"),
        ("a;b\n1,5;2\n?;1\n", "'a' must be numeric, got '1,5' in row 1.* decimal p"),
        (
            "a,b\n1,2\n3,\n",
            "column 'b' must hold finite numbers, got nan in row 2, a m",
        ),
        ("a,b\n1,2\n3\n", "column 'b' must hold finite numbers, got nan in row 2"),
        ("1,2\n3,NA\n", "column 'x1' must hold finite numbers, got nan in row 2"),
        ("1,,2\n3,4,5\n", "column 'x1' must hold finite numbers, got nan in row 1"),
        (
            "a,b\n1,-inf\n",
            "'b' must hold finite numbers, got -inf in row 1, an inf",
        ),
        ("a,b,a\n1,2,3\n", "must have different names, got 'a' more than once"),
        (",b\n0,1\n", r"got none for column 1\. Name it"),
        ("a,,b\nx,y,z\n1,2,3\n", "column 2, beside 'a': a heading that spans several"),
        (",b\n0,1\n", "every column must have a name, got none for column 1"),
        ("a,b\n1,2\n\n3,4,5\n", "must have 2 cells in each row.* got 3 in line 4"),
        ("a,b\n1,2,3\n", "must have 2 cells in each row, .* a longer one below it"),
        ('a,b\n1,"2\n', r"must be a readable \.csv file, got: Error tokenizing"),
    ],
)
def test_csv_errors_name_the_place(csv, text, message):
    with pytest.raises(ValueError, match=message):
        datasets.read_table(csv(text))


def test_csv_in_another_encoding_is_explained(csv):
    with pytest.raises(ValueError, match="it is no text in UTF-8: name its encoding"):
        datasets.read_table(csv("grö,b\n1,2\n", encoding="latin-1"))


def test_columns_that_are_not_asked_for_may_hold_text(csv):
    path = csv(",name,a\n0,Oslo,1\n1,Rome,2\n")
    assert datasets.read_table(path, ["a"]).x.tolist() == [[1], [2]]


def test_check_false_lets_missing_cells_through(csv):
    x = datasets.read_table(csv("a,b\n1,\ninf,2\n"), check=False).x
    np.testing.assert_array_equal(x, [[1, np.nan], [np.inf, 2]])
    with pytest.raises(ValueError, match="without rows"):
        datasets.read_table(csv("a,b\n"), check=False)


def test_constant_columns_are_left_to_the_caller(csv):
    table = datasets.read_table(csv("a,b\n1,2\n1,3\n"))
    with pytest.raises(ValueError, match=r"constant 'a' = 1\.0"):
        datasets.check_columns(table)


def test_missing_files_folders_and_extensions_are_explained(tmp_path, extension):
    with pytest.raises(FileNotFoundError, match="`path` must be an existing file, got"):
        datasets.read_table(tmp_path / f"absent.{extension}")
    (tmp_path / f"folder.{extension}").mkdir()
    with pytest.raises(ValueError, match="`path` must be a file, got the folder"):
        datasets.read_table(tmp_path / f"folder.{extension}")
    message = r"`path` must end in \.csv, .*\.npz, \.npy, got 't\.ods'"
    with pytest.raises(ValueError, match=message):
        datasets.read_table(tmp_path / "t.ods")
    with pytest.raises(ValueError, match=message):
        datasets.write_table(tmp_path / "t.ods", np.zeros((1, 1)))


@pytest.mark.parametrize("binary", ["parquet", "npz"])
def test_files_of_another_format_are_explained(tmp_path, binary):
    path = tmp_path / f"t.{binary}"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=rf"must be a readable \.{binary} file, got: "):
        datasets.read_table(path)


def test_upper_case_extensions_are_the_same(tmp_path):
    path = datasets.write_table(tmp_path / "T.NPZ", np.ones((2, 1)))
    assert datasets.read_table(path).columns == ("x0",)


def test_parquet_errors_name_the_place(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]}).to_parquet(path)
    with pytest.raises(ValueError, match="'b' must be numeric, got 'x' in row 1"):
        datasets.read_table(path)
    with pytest.raises(
        ValueError, match="'a' must hold finite numbers, got nan in row 2"
    ):
        datasets.read_table(path, ["a"])
    pd.DataFrame({"a": np.array([], float)}).to_parquet(path)
    with pytest.raises(ValueError, match="got one without rows"):
        datasets.read_table(path)


def test_npz_finds_the_values(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, x=np.ones((2, 2)), y=np.zeros((3, 3)))
    assert datasets.read_table(path).x.shape == (2, 2)
    np.savez(path, values=np.ones((2, 2), np.int32), other=np.zeros(3))
    assert datasets.read_table(path).x.dtype == np.float32
    np.savez(path, x=np.arange(4.0), columns=np.array(["a"]))
    assert datasets.read_table(path).columns == ("a",)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones((2, 2)), "b": np.ones((2, 2))}, "got 'a', 'b'. Name the array"),
        ({"a": np.ones(3)}, "single array with two axes, got 'a'"),
        ({"x": np.array([["u"]])}, r"array 'x' of .* got <U1 of shape \(1, 1\)"),
        (
            {"x": np.ones((2, 2, 2))},
            r"shape \[n, d\], got float64 of shape \(2, 2, 2\)",
        ),
        (
            {"x": np.array([{}])},
            "array 'x' of .* must hold numbers, got Python objects",
        ),
        ({"y": np.array([[{}]])}, "array 'y' of .* must hold numbers, got Python obj"),
        (
            {"x": np.ones((2, 2)), "columns": np.array(["a"])},
            "name all 2 columns, got 1",
        ),
        ({"x": np.ones((0, 2))}, "got one without rows"),
        ({"x": np.array([[1.0], [np.nan]])}, "column 'x0' .* got nan in row 2"),
    ],
)
def test_npz_errors_name_the_array(tmp_path, arrays, message):
    path = tmp_path / "t.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        datasets.read_table(path)


def test_npz_that_is_a_single_array_or_broken_is_explained(tmp_path):
    path = tmp_path / "t.npz"
    with path.open("wb") as stream:
        np.save(stream, np.ones((2, 2)))
    with pytest.raises(
        ValueError, match=r"readable \.npz file, got: it is a single ar"
    ):
        datasets.read_table(path)
    np.savez(path, x=np.ones((100, 2)))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(
        ValueError, match=r"readable \.npz file, got: File is not a zip"
    ):
        datasets.read_table(path)


def test_write_table_does_not_overwrite(tmp_path, extension):
    path = tmp_path / f"t.{extension}"
    datasets.write_table(path, np.ones((1, 1)))
    with pytest.raises(
        FileExistsError, match=r"`path` must not exist yet, .*force=True"
    ):
        datasets.write_table(path, np.zeros((1, 1)))
    assert datasets.read_table(path).x[0, 0] == 1
    datasets.write_table(path, np.zeros((1, 1)), force=True)
    assert datasets.read_table(path).x[0, 0] == 0


def test_write_table_checks_its_arguments(tmp_path, extension):
    path = tmp_path / f"t.{extension}"
    with pytest.raises(ValueError, match="must name all 2 columns, got 1 names"):
        datasets.write_table(path, np.ones((1, 2)), ["a"])
    with pytest.raises(ValueError, match="`data` must be numeric"):
        datasets.write_table(path, [["a"]])
    assert not path.exists()
    with pytest.raises(FileNotFoundError, match="must lie in an existing folder"):
        datasets.write_table(tmp_path / "absent" / path.name, np.ones((1, 1)))


def test_missing_pandas_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("a\n1\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(_optional.MissingExtraError, match=r"tfp_flows\[tables\]"):
        datasets.read_table(tmp_path / "t.csv")
    path = datasets.write_table(tmp_path / "t.npz", np.ones((2, 1)))
    assert datasets.read_table(path).x.shape == (2, 1)


def test_datasets_import_no_heavy_package(repository):
    code = (
        "import sys, tfp_flows.datasets as d; d.wine(); d.toy('rings', 5); "
        "d.to_table([[1.0]]); d.toy_log_prob('2spirals', [[0.0, 0.0]]); "
        "print({'tensorflow', 'keras', 'pandas', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("names", ["a{}b\n", ""])
def test_a_first_line_may_say_the_separator(tmp_path, separator, names):
    path = tmp_path / "table.csv"
    rows = "".join(f"{i}.5{separator}{i * i}.25\n" for i in range(4))
    path.write_text(f"sep={separator}\n" + names.format(separator) + rows)
    table = datasets.read_table(path)
    np.testing.assert_array_equal(table.x[:, 0], np.arange(4) + 0.5)
    np.testing.assert_array_equal(table.x[:, 1], np.arange(4) ** 2 + 0.25)
    assert len(table.columns) == 2
    assert not names or list(table.columns) == ["a", "b"]
