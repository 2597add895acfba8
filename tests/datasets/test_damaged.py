"""Damaged, hostile and foreign files: a value, or one sentence that names the file."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfp_flows import datasets
from tfp_flows.datasets import limits

HARDENING = Path(__file__).resolve().parents[2] / "benchmarks" / "hardening"

pytest.importorskip("pandas")
pytest.importorskip("openpyxl")


def npy(shape, dtype="<f8", content=b""):
    """Return the bytes of an `.npy` file whose header may lie."""
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + content


def archive(path, **members):
    """Write a zip of arrays and bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def sentence(call, path):
    """Return the one sentence that a reader ends in."""
    with pytest.raises((ValueError, OSError)) as caught:
        call(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text.strip()
    assert len(text) < 600
    return text


@pytest.fixture
def small_limits(monkeypatch):
    """Let files unfold to 100,000 bytes, or ten times their size."""
    monkeypatch.setattr(limits, "MAX_UNPACKED", 100_000)
    monkeypatch.setattr(limits, "MAX_RATIO", 10)


def test_damage_is_a_value_or_a_sentence(monkeypatch):
    monkeypatch.syspath_prepend(HARDENING)
    fuzz_readers = importlib.import_module("readers")
    results = fuzz_readers.run(60, 0)
    assert len(results) == fuzz_readers.NUM_FORMATS
    for kind, seen in results.items():
        assert not seen["bad"], kind
        assert seen["refused"], kind
        if kind in fuzz_readers.CHECKED:
            assert not seen["changed"], kind


@pytest.mark.parametrize("shape", [(10**13,), (10**7, 10**6), (2**63, 4)])
def test_headers_that_promise_too_much_are_refused(shape, tmp_path):
    (tmp_path / "t.npy").write_bytes(npy(shape))
    archive(tmp_path / "t.npz", x=npy(shape))
    for name in ("t.npy", "t.npz"):
        text = sentence(datasets.read_table, tmp_path / name)
        assert "promises" in text
        assert "promises" in sentence(datasets.read_images, tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy((0, 10**13)), "got one without rows"),
        (npy((10**13, 0)), "got one without columns"),
        (npy((10**13,), "|S0"), "empty cells"),
        (npy((2, 2), "|O"), "Python objects"),
        (npy((2, 2), "<c16", bytes(64)), "must hold numbers of shape"),
        (npy((2, -1)), "its header promises the shape"),
        (npy((2, 2), content=bytes(33)), "33 are there"),
        (b"\x93NUMPY\x09\x00" + bytes(90), "version (9, 0) of the"),
        (b"", "got: EOF"),
        (b"hello", "got: EOF"),
    ],
)
def test_single_arrays_that_are_no_tables_are_refused(content, message, tmp_path):
    (tmp_path / "t.npy").write_bytes(content)
    assert message in sentence(datasets.read_table, tmp_path / "t.npy")


def test_members_that_are_no_arrays_are_named(tmp_path):
    path = archive(tmp_path / "t.npz", x=b"hello")
    assert "got no array of NumPy" in sentence(datasets.read_table, path)
    assert "`key` must name an array" in sentence(datasets.read_images, path)
    good = npy((2, 2), content=np.arange(4.0).tobytes())
    path = archive(tmp_path / "t.npz", x=good, readme=b"hello")
    assert datasets.read_table(path).x.tolist() == [[0, 1], [2, 3]]


def test_two_dimensional_npy_files_are_tables(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(6.0).reshape(3, 2))
    assert datasets.read_table(tmp_path / "t.npy").columns == ("x0", "x1")
    assert datasets.read_table(tmp_path / "t.npy", ["x1"]).x[:, 0].tolist() == [1, 3, 5]


def test_bombs_are_refused(small_limits, tmp_path):
    zeros = bytes(10**6)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a\n" + b"1\n" * 10**6))
    archive(tmp_path / "t.npz", x=npy((125_000,), content=zeros))
    (tmp_path / "idx-ubyte.gz").write_bytes(gzip.compress(zeros))
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", zeros)
    for name in ("t.csv.gz", "t.npz", "t.xlsx"):
        assert "must unfold to at most" in sentence(
            datasets.read_table, tmp_path / name
        )
    for name in ("t.npz", "idx-ubyte.gz"):
        assert "must unfold" in sentence(datasets.read_images, tmp_path / name)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("L", (2000, 2000)).save(pictures / "large.png")
    text = sentence(lambda _: datasets.read_images(pictures), pictures / "large.png")
    assert "must unfold" in text


def test_parquet_of_many_equal_values_is_a_bomb_too(small_limits, tmp_path):
    path = datasets.write_table(tmp_path / "t.parquet", np.zeros((10**5, 1)))
    assert "must unfold" in sentence(datasets.read_table, path)


def test_a_flipped_bit_in_parquet_is_found(tmp_path):
    x = np.random.default_rng(0).normal(size=(2000, 2))
    path = datasets.write_table(tmp_path / "t.parquet", x)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "readable .parquet file" in sentence(datasets.read_table, path)


def chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def test_pictures_that_are_cut_corrupt_or_huge_are_named(tmp_path):
    Image.fromarray(np.full((40, 40), 7, np.uint8)).save(tmp_path / "a.png")
    good = (tmp_path / "a.png").read_bytes()
    huge = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 10**6, 10**6, 8, 0, 0, 0, 0)
    )
    for content in (good[: len(good) // 2], b"", b"hello", huge + good[33:]):
        (tmp_path / "b.png").write_bytes(content)
        text = sentence(lambda _: datasets.read_images(tmp_path), tmp_path / "b.png")
        assert "must be a readable picture" in text or "must unfold" in text
    Image.fromarray(np.zeros((40, 40), np.uint16)).save(tmp_path / "b.png")
    text = sentence(lambda _: datasets.read_images(tmp_path), tmp_path / "b.png")
    assert "8 bits per channel" in text


def test_hidden_files_of_a_folder_are_skipped(tmp_path):
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(tmp_path / "a.png")
    for name in ("._a.png", ".b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    assert datasets.read_images(tmp_path).shape == (1, 4, 4, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1\x002,3\n", "NUL bytes"),
        (
            "a,b\n1,2\n".encode("utf-16-le"),
            "NUL bytes, so it is no text in UTF-8: name its enc",
        ),
        (b"PK\x03\x04" + bytes(range(128, 250)), "no text in UTF-8 but a ZIP archive"),
        (
            bz2.compress(b"a,b\n1,2\n"),
            "no text in UTF-8 but compressed by bzip2",
        ),
        (lzma.compress(b"a,b\n1,2\n"), "no text in UTF-8 but compressed by xz: unpack"),
        (b"PAR1" + bytes(99), "let its name end in .parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "save it as .xlsx"),
        (b"a,b\n1.5,2\n2.5,3\nTotal,5\n", "drop what stands below the table"),
        (b'a,b\n"Jan 31, 2026",2\n', "Write dates as 2026-01-31"),
        (b"a,b\n31 January 2026,2\n", "Write dates as 2026-01-31"),
        (b"a,b\n12 kg,2\n", "Write plain numbers: no units"),
        (b"a,b\n1/2,2\n", "Write plain numbers: no units, no fractions"),
        (
            "gr\u00f6sse,b\n1,2\n".encode("latin-1"),
            "no text in UTF-8: name its encoding",
        ),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 99, mtime=0), "gzip: let its name end"),
        (b"# made by x\n# 1\na,b\n1,2\n", "Delete lines of comments"),
        (b"a,b\n5%,2\n", "Write plain numbers: no units"),
        ("a,b\n\u20ac 5,2\n".encode(), "Write plain numbers: no units"),
        (b"a|b\n1|2\n", "Separate columns by commas, semicolons or tabs"),
        (b"a b\n1.5 2\n", "Separate columns by commas, semicolons or tabs"),
        (b'a,b\n"1,000",2\n', "comma may be decimal or stand between thousands"),
        (b'a,b\n"1,000",2\n?,1\n', "without separators of thousands"),
        (b'a,b\n"1,5",2\n?,1\n', "numbers with a decimal point"),
        (b"a,b\n31.01.2026,2\n", "Write dates as 2026-01-31"),
        (b"a,b\n1/31/2026 12:00,2\n", "Write dates as 2026-01-31"),
        (b"a,b\n12:30,2\n1:30 pm,2\n", "times of the day as numbers"),
        (b"a,b\n1.5,2\n?,2\n", "Leave cells empty that have no value"),
        (
            b"a,b\n0x10,2\n" + b"".join(b"%d.5,2\n" % i for i in range(60)),
            "Leave cells empty that have no value",
        ),
        (b"title,,\na,b,c\n1,2,3\n", "delete lines above the header"),
        (b"<html><body>no, table</body>", "must have a name|without rows"),
        (b'"' * 200_001, "field larger|without"),
    ],
)
def test_text_that_is_no_table_is_refused(content, message, tmp_path):
    import re

    (tmp_path / "t.csv").write_bytes(content)
    assert re.search(message, sentence(datasets.read_table, tmp_path / "t.csv"))


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**64, 10**30])
def test_integers_that_lose_digits_are_named(number, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,2\n3,{number}\n")
    text = sentence(datasets.read_table, path)
    assert "column 'b' must hold integers within +-2**53" in text
    assert f"{number}" in text
    assert "in row 2" in text
    assert datasets.read_table(path, ["a"]).x.tolist() == [[1], [3]]
    if abs(number) < 2**63:
        np.savez(tmp_path / "t.npz", x=np.array([[1, 2], [3, number]]))
        assert "in row 2" in sentence(datasets.read_table, tmp_path / "t.npz")


def test_integers_that_float32_rounds_are_read_in_float64(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,2\n3,{2**24 + 1}\n")
    assert datasets.read_table(path).x.tolist() == [[1, 2], [3, 2**24 + 1]]
    assert datasets.to_table([[2**53], [-(2**53)]]).x[0, 0] == 2**53


def test_sheets_are_chosen_by_name(tmp_path):
    import openpyxl

    path = tmp_path / "t.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append([1, 2.5])
    other = book.create_sheet("other")
    for row in ([], ["c", None], [3], [None], [4, None]):
        other.append(row)
    wrong = book.create_sheet("wrong")
    wrong.append(["a"])
    wrong.append([1, 2])
    book.save(path)
    assert datasets.read_table(path).x.tolist() == [[1, 2.5]]
    table = datasets.read_table(path, sheet="other")
    assert (table.columns, table.x.tolist()) == (("c",), [[3], [4]])
    read = datasets.read_table
    assert "There are: 'Sheet', 'other'" in sentence(lambda p: read(p, sheet="z"), path)
    for near in ("sheet", "Sheet1"):
        text = sentence(lambda p, near=near: read(p, sheet=near), path)
        assert text.endswith(": did you mean 'Sheet'?")
    assert "must have 1 cell in" in sentence(lambda p: read(p, sheet="wrong"), path)
    book["Sheet"]["A2"] = "read me"
    book.save(path)
    assert "first sheet: `sheet` may name another, 'other'" in sentence(read, path)
    (tmp_path / "t.csv").write_text("a\n1\n")
    text = sentence(lambda p: read(p, sheet="z"), tmp_path / "t.csv")
    assert "but for .xlsx files" in text


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_labels_are_written_beside_numbers_and_are_no_formulas(ending, tmp_path):
    path = tmp_path / f"t.{ending}"
    labels = {"=id": ["=1+1", "007"]}
    datasets.write_table(path, np.ones((2, 1)), ["-a"], labels=labels)
    if ending == "csv":
        assert path.read_text().splitlines() == ["'=id,'-a", "'=1+1,1.0", "007,1.0"]
    source = datasets.readers.open_table(path, text=["=id"])
    assert source.columns == ("=id", "-a")
    found = source.labels("=id")
    assert found[1] == "007"
    assert found[0].lstrip("'") == "=1+1"
    assert source.numbers(["-a"]).x.tolist() == [[1], [1]]


def test_labels_of_archives_are_arrays(tmp_path):
    path = tmp_path / "t.npz"
    datasets.write_table(path, np.ones((2, 1)), labels={"id": ["a", 7]})
    with np.load(path) as arrays:
        assert arrays["id"].tolist() == ["a", "7"]
    with pytest.raises(ValueError, match=r"other names in a \.npz file, got 'x'"):
        datasets.write_table(tmp_path / "u.npz", np.ones((2, 1)), labels={"x": [1, 2]})
    with pytest.raises(ValueError, match="which holds numbers"):
        datasets.write_table(tmp_path / "u.npy", np.ones((2, 1)), labels={"i": [1, 2]})
