"""Settings that hold for every test."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path

# Workers share the machine: each takes its part of the cores. TensorFlow and OpenMP
# read these when they are first imported, which is after this file.
# Arenas of threads that have ended would keep gigabytes in a run of thousands of tests.
# Workers read this when they start, which is after this file was read by their parent.
os.environ.setdefault("MALLOC_ARENA_MAX", "2")
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _WORKERS > 1:
    _threads = str(max(1, (os.cpu_count() or 1) // _WORKERS))
    for _name in (
        "OMP_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ):
        os.environ.setdefault(_name, _threads)
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import pytest

from tests import tiers

# No deadline: the first call of a compiled function takes seconds, the second none.
hypothesis.settings.register_profile("dev", deadline=None, max_examples=30)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=10, derandomize=True, database=None
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser):
    """Say how much of the contract suite runs."""
    parser.addoption(
        "--contracts",
        default="default",
        help="tests marked `full`: 'default' (none), 'full' or 'N/M' (part N of M); of "
        "those marked `slow` an eighth (none that is rare, by default), and "
        "with 'full' all",
    )


def pytest_collection_modifyitems(config, items):
    """Leave out tests marked `full` or `slow` whose turn it is not."""
    taken, left = [], []
    for item in items:
        (taken if tiers.belongs(item, config) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = taken


def pytest_collection_finish(session):
    """Spare collections of cycles the half a million objects that imports have made."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _memory_goes_back():
    """Collect cycles after each module, and give free memory back on Linux."""
    yield
    gc.collect()
    # What is left stays to the end, mostly graphs: later collections pass it over. They
    # took a fifth of a worker's time.
    gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Return the folder of real tables, or skip where it does not lie."""
    folder = repository.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real tables of ../shared/data beside this checkout")
    return folder


@pytest.fixture
def iterators(monkeypatch):
    """Count the iterators that are made of datasets."""
    import tensorflow as tf  # after the settings above

    made = []
    lineage = type(tf.data.Dataset.range(1)).__mro__
    owner = next(kind for kind in lineage if "__iter__" in vars(kind))
    make = owner.__iter__

    def counted(dataset):
        made.append(1)
        return make(dataset)

    monkeypatch.setattr(owner, "__iter__", counted)
    return made
