"""Damage, kills, full disks and long runs: what is promised, in small."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import _files

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "hardening"

pytest.importorskip("pandas")


@pytest.fixture
def script(monkeypatch):
    """Import a script of the folder by its name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = {path.stem for path in FOLDER.glob("*.py")}
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


def test_damaged_models_give_their_density_or_a_sentence(script, capsys):
    assert script("models").main(["--smoke"]) == 0
    assert "tracebacks of others: 0" in capsys.readouterr().out


def test_a_search_that_finds_something_says_so(script, capsys, monkeypatch):
    models = script("models")
    monkeypatch.setattr(models, "damaged", lambda kind, good, *_: good[:-1] + b"?")
    monkeypatch.setattr(models, "verdict", lambda *_: ("changed", ""))
    assert models.main(["--smoke"]) == 1
    assert "tracebacks of others: 30" in capsys.readouterr().out


@pytest.mark.slow(rare=True)
@pytest.mark.parametrize("writer", ["save", "fit", "export", "backup"])
def test_killed_writers_leave_whole_files(script, capsys, writer):
    assert script("kills").main(["--smoke", "--writers", writer]) == 0
    printed = capsys.readouterr().out
    assert f"{writer} " in printed
    assert "half-written files: 0" in printed


# What openpyxl could not write, it tries again when it is forgotten.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_full_disks_leave_old_files(script, capsys):
    assert script("denied").main(["--smoke"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("refused") == 9
    assert "three writers of one file" in printed


@pytest.mark.slow
def test_memory_stays_flat_in_small(script, capsys):
    soak = script("soak")
    assert soak.main(["--smoke"]) == 0
    assert "answers that differ: 0" in capsys.readouterr().out


def test_threads_share_a_flow_from_its_first_call_on():
    flow = small.build("nsf")
    x = small.table(50)
    found = [None] * 4
    barrier = threading.Barrier(4)

    def score(i):
        barrier.wait()
        found[i] = flow.log_prob(x).numpy()

    threads = [threading.Thread(target=score, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for values in found[1:]:
        np.testing.assert_array_equal(values, found[0])


FORKED = """
import os, pickle, signal, sys
import numpy as np
import tensorflow as tf
import tfp_flows as tfpf
from tfp_flows import flows

path, begun = sys.argv[1], sys.argv[2] == "begun"
if begun:
    flow = tfpf.load(path)
    flow.log_prob(np.zeros((3, 2)))
    pickled = pickle.dumps(flow)
process = os.fork()
if process == 0:
    signal.alarm(120)
    if not begun:
        print(tfpf.load(path).log_prob(np.zeros((3, 2))).shape, flush=True)
        os._exit(0)
    for call in (
        lambda: flow.log_prob(np.zeros((3, 2))),
        lambda: flow.distribution(),
        lambda: flow.sample(3),
        lambda: flow.fit(np.zeros((3, 2))),
        lambda: flow.export("x"),
        lambda: tfpf.load(path),
        lambda: flows.build("linear", 2),
        lambda: pickle.loads(pickled).log_prob(np.zeros((3, 2))),
        lambda: pickle.loads(pickled)(np.zeros((3, 2))),
    ):
        try:
            call()
        except RuntimeError as error:
            print(error, flush=True)
    os._exit(0)
_, status = os.waitpid(process, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.parametrize("begun", ["begun", "imported"])
def test_forks_that_would_hang_are_refused(begun, tmp_path):
    path = tmp_path / "flow.keras"
    tfpf.flows.build("linear", 2, seed=0).save(path)
    command = [sys.executable, "-c", FORKED, str(path), begun]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    if begun == "imported":
        assert done.stdout.strip() == "(3,)"
    else:
        assert done.stdout.count("is a fork of") == 9
        assert "get_context('spawn')" in done.stdout


def test_folders_are_replaced_whole(tmp_path):
    path = tmp_path / "folder"
    for text in ("old", "new"):
        with _files.replacing_folder(path, ("a",)) as temporary:
            temporary.mkdir()
            (temporary / "a").write_text(text)
        assert (path / "a").read_text() == text
        assert [file.name for file in tmp_path.iterdir()] == ["folder"]

    def stopped():
        with _files.replacing_folder(path, ("a",)) as temporary:
            temporary.mkdir()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()
    assert (path / "a").read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_folders_are_replaced_without_swaps(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_exchange", lambda *_: False)
    test_folders_are_replaced_whole(tmp_path)


def test_folders_with_files_of_others_stay(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    (tmp_path / "file").write_text("text")
    flow = small.build("linear")
    with pytest.raises(FileExistsError, match=r"holds 'diary\.txt', which would be"):
        flow.export(tmp_path / "mine", verbose=False)
    with pytest.raises(FileExistsError, match="it is a file"):
        flow.export(tmp_path / "file", verbose=False)
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear"
