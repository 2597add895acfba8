"""The speed benchmark runs on ours alone, and prints its tables."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks" / "speed"


def run(*arguments, script="run"):
    command = [sys.executable, str(FOLDER / f"{script}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_smoke_run_prints_a_table_for_each_work():
    done = run("--smoke", "--works", "coupling-4", "spline-4")
    assert not done.returncode, done.stderr
    assert "tensorflow" in done.stdout.splitlines()[1]  # the versions
    for part in (
        "coupling-4: spline-coupling",
        "spline-4: one spline",
        "parameters: 732 (ours)",
        "  bare ",
        "fastest of the others",
    ):
        assert part in done.stdout
    assert "fails" not in done.stdout


@pytest.mark.slow(rare=True)
@pytest.mark.parametrize(
    ("peer", "parameters"),
    [("ours-graph", 13_020), ("bare-tf", 6_720), ("tfp-graph", 11_160)],
)
def test_glow_is_a_work_of_those_that_have_it(peer, parameters, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    pool, works = (importlib.import_module(name) for name in ("pool", "works"))
    process = pool.Process(pool.PEERS[peer], sys.executable, tmp_path, threads=1)
    try:
        answer = process.build(works.SMOKE["glow-1"])
        assert answer["ops"] == ["log_prob", "sample", "step"]
        assert answer["parameters"] == answer["wanted"] == parameters
        for op in ("log_prob", "step"):
            assert process.ask("time", op=op, repeats=1)["cpu"] > 0
    finally:
        process.close()


@pytest.mark.slow
def test_a_library_without_glow_leaves_it_out(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    pool, works = (importlib.import_module(name) for name in ("pool", "works"))
    process = pool.Process(pool.PEERS["bare"], sys.executable, tmp_path, threads=1)
    try:
        answer = process.build(works.SMOKE["glow-1"])
    finally:
        process.close()
    assert answer["skip"] == "NumPy has no convolutions"


@pytest.mark.slow
@pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU"
)
def test_without_a_gpu_nothing_is_timed_on_one():
    done = run("--smoke", "--works", "coupling-4", "--device", "gpu")
    assert not done.returncode, done.stderr
    for name in ("ours", "bare"):
        assert f"{name} leaves it out: it uses no GPU" in done.stdout
    assert "nan" not in done.stdout


@pytest.mark.slow
@pytest.mark.full
def test_growth_prints_exponents():
    done = run("--smoke", "--growth")
    assert not done.returncode, done.stderr
    assert "exponent" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "head"),
    [
        pytest.param("depth", "first s", marks=pytest.mark.full),
        ("calls", "ratio"),
        pytest.param("shares", "products", marks=pytest.mark.full),
        pytest.param("memory", "KB", marks=pytest.mark.full),
        pytest.param("first", "until", marks=pytest.mark.full),
    ],
)
def test_single_tables_are_printed(script, head):
    done = run("--smoke", script=script)
    assert not done.returncode, done.stderr
    assert head in done.stdout.splitlines()[0]
    assert len(done.stdout.splitlines()) > 1


@pytest.mark.slow
@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "arguments", "lines"),
    [
        ("run", ("--works", "maf-3"), ("maf-3 log_prob", "maf-3 sample", "maf-3 step")),
        ("calls", (), ("realnvp 6", "realnvp 6 XLA")),
    ],
)
def test_two_checkouts_are_timed_in_turns(script, arguments, lines, tmp_path):
    root = FOLDER.parent.parent
    other = tmp_path / "other"
    other.mkdir()
    shutil.copytree(root / "tfp_flows", other / "tfp_flows")
    done = run("--smoke", "--against", str(other), *arguments, script=script)
    assert not done.returncode, done.stderr
    assert f"ours: {root}\nagainst: {other}\n" in done.stdout
    printed = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in lines:
        (found,) = [
            p for p in printed if re.fullmatch(rf"{line}( [\d.]+){{4}} to .*", p)
        ]
        ours, theirs, ratio = (float(word) for word in found.split(line)[1].split()[:3])
        assert min(ours, theirs, ratio) > 0
    assert any(line.startswith("above 1.05: ") for line in printed)
    assert not any(line.startswith("not timed") for line in printed)


def test_a_folder_without_the_package_is_refused(tmp_path):
    done = run("--against", str(tmp_path))
    assert done.returncode
    assert "--against" in done.stderr


def test_unknown_names_are_refused_with_the_known_ones():
    done = run("--works", "nothing")
    assert done.returncode
    assert "maf-21" in done.stderr


def test_each_peer_has_a_file_and_its_environment_requirements():
    peers = {path.stem for path in (FOLDER / "peers").glob("[!_]*.py")}
    wanted = {path.stem for path in (FOLDER / "requirements").glob("*.txt")}
    assert wanted <= peers
    assert peers - wanted == {"arrays", "bare", "ours", "tfp"}
