"""Tables with decimal commas, separators of thousands, and other encodings."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tfp_flows import datasets
from tfp_flows._findings import DataNotice
from tfp_flows.cli import main
from tfp_flows.datasets import notation

X = [[0.5, 1234567.25], [-12.125, 3.0], [7.0, -45000.5]]


def write(path, separator, decimal, thousands="", name="gr\u00f6sse", encoding="utf-8"):
    def cell(value):
        text = f"{value:,.3f}".replace(",", "_").replace(".", decimal)
        text = text.replace("_", thousands)
        return f'"{text}"' if separator in text else text

    lines = [separator.join([name, "b"]), *(separator.join(map(cell, r)) for r in X)]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("ending", "separator", "decimal", "thousands"),
    [
        ("csv", ";", ",", ""),
        ("csv", ";", ",", "."),
        ("csv", ";", ",", "\u00a0"),
        ("csv", ";", ".", ","),
        ("csv", ";", ".", "'"),
        ("csv", ",", ".", ","),
        ("csv", ",", ",", "."),
        ("tsv", "\t", ",", "\u202f"),
        ("tsv", "\t", ".", " "),
    ],
)
def test_notations_are_read_where_cells_leave_no_doubt(
    ending, separator, decimal, thousands, tmp_path
):
    path = write(tmp_path / f"t.{ending}", separator, decimal, thousands)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataNotice)
        table = datasets.read_table(path)
    np.testing.assert_array_equal(table.x, X)
    assert table.columns == ("gr\u00f6sse", "b")


def test_one_column_decides_for_all(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n12.345;1,5\n1.000;2,25\n")
    np.testing.assert_array_equal(
        datasets.read_table(path).x, [[12345, 1.5], [1000, 2.25]]
    )
    path.write_text('a,b\n"12,345",0.5\n"1,000",2\n')
    np.testing.assert_array_equal(
        datasets.read_table(path).x, [[12345, 0.5], [1000, 2]]
    )


def test_a_first_row_of_decimal_commas_is_data(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("1,5;2,5\n3,5;4,5\n")
    np.testing.assert_array_equal(datasets.read_table(path).x, [[1.5, 2.5], [3.5, 4.5]])


@pytest.mark.parametrize("text", ['a,b\n"12,345",1\n"1,000",2\n', "a;b\n12,345;1\n"])
def test_what_may_be_either_is_asked(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(
        ValueError, match=r"'12,345', whose comma may be decimal or .* P"
    ):
        datasets.read_table(path)
    assert datasets.read_table(path, decimal=",").x[0, 0] == 12.345
    assert datasets.read_table(path, decimal=".").x[0, 0] == 12345


def test_points_that_may_stand_between_thousands_are_noticed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n12.345;1\n1.001;2\n345;3\n")
    with pytest.warns(
        DataNotice, match="column 'a' holds numbers such as 12.345, of th"
    ):
        assert datasets.read_table(path).x[0, 0] == 12.345
    assert datasets.read_table(path, decimal=",").x[:, 0].tolist() == [12345, 1001, 345]
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataNotice)
        datasets.read_table(path, decimal=".")


def test_cells_that_contradict_each_other_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1,5;2.5\n3,5;4.5\n")
    with pytest.raises(ValueError, match=r"'2\.5' with a decimal point and '1,5' with"):
        datasets.read_table(path)
    with pytest.raises(ValueError, match=r"column 'b' must be numeric, got '2\.5'"):
        datasets.read_table(path, decimal=",")
    assert datasets.read_table(path, ["a"], decimal=",").x.tolist() == [[1.5], [3.5]]


def test_dates_and_versions_are_no_numbers():
    assert not any(map(notation.is_number, ["31.01.2026", "1.2.3", "1,2,3", "abc", ""]))


def test_encodings_are_read_by_their_mark_or_by_name(tmp_path):
    path = tmp_path / "t.csv"
    for mark, encoding in ((True, "utf-16"), (False, "utf-16-le"), (False, "latin-1")):
        write(path, ";", ",", encoding=encoding)
        if mark:
            np.testing.assert_array_equal(datasets.read_table(path).x, X)
        else:
            with pytest.raises(ValueError, match="UTF-8: name its encoding"):
                datasets.read_table(path)
        table = datasets.read_table(path, encoding=encoding)
        np.testing.assert_array_equal(table.x, X)
        assert table.columns[0] == "gr\u00f6sse"
    with pytest.raises(ValueError, match="no text in 'utf-8': name another"):
        datasets.read_table(path, encoding="utf-8")
    with pytest.raises(ValueError, match="`encoding` must be the name of an encoding"):
        datasets.read_table(path, encoding="latin-99")
    with pytest.raises(ValueError, match=r"`decimal` must be '\.' or ',', got ';'"):
        datasets.read_table(path, decimal=";")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ISO-8859-15", "mac_roman"])
def test_text_in_utf8_is_not_read_letter_by_letter(tmp_path, encoding, capsys):
    path = write(tmp_path / "t.csv", ";", ",")
    with pytest.raises(ValueError, match=r"in UTF-8 and not in .*leave out `encoding`"):
        datasets.read_table(path, encoding=encoding)
    command = ["convert", str(path), str(tmp_path / "u.npz"), "--encoding", encoding]
    assert main.main(command) == 2
    assert "leave out --encoding" in capsys.readouterr().err
    write(path, ";", ",", name="a")
    assert datasets.read_table(path, encoding=encoding).columns[0] == "a"


def test_the_shell_has_both_options(tmp_path, capsys):
    path = write(tmp_path / "t.csv", ";", ",", encoding="latin-1")
    assert main.main(["convert", str(path), str(tmp_path / "u.npz")]) == 2
    assert "add --encoding, such as --encoding latin-1" in capsys.readouterr().err
    path.write_text('a,b\n"12,345",1\n"1,000",2\n')
    command = ["fit", str(path), "--out", str(tmp_path / "f.keras")]
    assert main.main(command) == 2
    assert "Add --decimal , or --decimal ." in capsys.readouterr().err
    assert main.main([*command, "--encoding", "latin-99"]) == 2
    assert "'latin-99' is no encoding of text" in capsys.readouterr().err


@pytest.mark.parametrize("decimal", [[], ["--decimal", ","]])
def test_converted_tables_have_decimal_points(decimal, tmp_path):
    path, out = tmp_path / "t.csv", tmp_path / "u.csv"
    path.write_text("id;a;b\n007;12.345;1,5\n008;1.000;2,25\n")
    assert main.main(["convert", str(path), str(out), "--quiet", *decimal]) == 0
    assert out.read_text() == "id,a,b\n007,12345,1.5\n008,1000,2.25\n"
