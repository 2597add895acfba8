"""Plants faults into the formulas of `tfp_flows.math`, and says which tests see them.

    python tests/math/planted_faults.py [NAME ...]

Each fault is one change of one line: a sign, an off-by-one, a swapped branch. It is
made in a copy of the package, in which the tests of that module run, and no others.
Prints a table; ends with exit code 1 if a fault was not seen. Names choose among the
faults, by any part of `module: change`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# Imported once, before the copies are: that takes longer than the tests.
LIBRARIES = (
    "tensorflow",
    "tensorflow_probability",
    "keras",
    "hypothesis",
    "scipy.stats",
)


class Fault(NamedTuple):
    """A change of a module, given below `tfp_flows/math` without its ending."""

    module: str
    old: str
    new: str

    @property
    def label(self) -> str:
        """How names choose it."""
        return f"{self.module}: {self.new}"


FAULTS = (
    Fault("bernstein", "zip(rising, falling[::-1]", "zip(falling, rising[::-1]"),
    Fault("block", "inner, outer]), axis=0", "inner, inner]), axis=0"),
    Fault("circular", "_wrapped(y - shift", "_wrapped(y + shift"),
    Fault("images", "top - bottom, left - right", "bottom - top, left - right"),
    Fault("images", "slope * (num_values - x)", "slope * (num_values - 1.0 - x)"),
    Fault("indexing", "tf.equal(places, i), row", "tf.equal(places, i + 1), row"),
    Fault("leaky", "x < 0.0, log_slope", "x > 0.0, log_slope"),
    Fault("lines", "value > high", "value > low"),
    Fault("masks", "degrees[0][:, None] > rank", "degrees[0][:, None] >= rank"),
    Fault("mixtures", "log_det = -logit_cdf", "log_det = logit_cdf"),
    Fault("moments", "event_ndims, rank - kept", "event_ndims, rank - kept - 1"),
    Fault("monotone_network", "units + 1, units, units]", "units, units + 1, units]"),
    Fault("normal", "(2 * term - 1) * part", "(2 * term + 1) * part"),
    Fault("quadrature", "return 0.5 * (nodes + 1.0)", "return 0.5 * (nodes - 1.0)"),
    Fault("roots", "wrong < 0, x, low", "wrong > 0, x, low"),
    Fault("sigmoids", "(a + log_slopes)", "(a - log_slopes)"),
    Fault("sum_of_squares", "if k == 0 else", "if k > 0 else"),
    Fault("support", "(value < low)", "(value <= low)"),
    Fault("linear/low_rank", "first - products.", "first + products."),
    Fault("linear/products", "eye + matrix, eye - ", "eye - matrix, eye + "),
    Fault("linear/products", "solved) if inverse", "solved) if not inverse"),
    Fault("linear/rotations", "[1][:, ::-1].T", "[1].T"),
    Fault("splines/rational_quadratic", "2.0 * s * product", "s * product"),
    Fault("splines/search", "step * (index + 1.0)", "step * index"),
    Fault("splines/tables", "source[:, 0], 0)", "source[:, 0], 1)"),
    Fault("splines/tails", "-1.0 if inverse", "-1.0 if not inverse"),
    Fault("gaussianization/cdf_tables", "(inside) - tf.math", "(inside) + tf.math"),
    Fault("gaussianization/components", "constant - 0.5 * out", "constant - out"),
    Fault("gaussianization/conditional_affine", "2.0 * mean * first", "mean * first"),
    Fault("gaussianization/histograms", "size * folds", "folds"),
    Fault("gaussianization/mixture_fits", "-0.5 * precision * ", "0.5 * precision * "),
    Fault("gaussianization/mixture_maps", "(density) - normal", "(density) + normal"),
    Fault("gaussianization/pursuit", "gradient - gradient.T", "gradient.T - gradient"),
    Fault("gaussianization/quantiles", "left * secants", "(1.0 - left) * secants"),
    Fault("gaussianization/rosenblatt", "exclusive=True", "exclusive=False"),
    Fault("gaussianization/sliced", "axis=1) - 0.5", "axis=1) + 0.5"),
    Fault("gaussianization/smoothing", "(values**2 - edges", "(values**2 + edges"),
)


class FirstFailure:
    """Plugin of pytest that writes down the name of the test that fails."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def pytest_runtest_logreport(self, report: object) -> None:
        """Write it into the file."""
        if report.failed:
            self.file.write_text(report.nodeid.partition("::")[2])


def test_file(module: str) -> str:
    """Return where the tests of a module are."""
    folder, _, name = module.rpartition("/")
    return "/".join(filter(None, ["tests/math", folder, f"test_{name}.py"]))


def plant(fault: Fault, copy: Path) -> None:
    """Change one line of a copy of the package."""
    file = copy / "tfp_flows" / "math" / f"{fault.module}.py"
    text = file.read_text()
    if text.count(fault.old) != 1:
        msg = f"{fault.module}: {fault.old!r} must be there once. Adapt the fault."
        raise ValueError(msg)
    file.write_text(text.replace(fault.old, fault.new))


def make_copy(copy: Path) -> None:
    """Copy the package and the tests of its formulas."""
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("tfp_flows", "tests/math"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignore)
    for name in ("setup.cfg", "tests/conftest.py", "tests/tiers.py"):
        shutil.copy(ROOT / name, copy / name)


def run_tests(fault: Fault, copy: Path) -> int:
    """Run the tests of a module in a copy; return the exit code of pytest."""
    import pytest

    os.chdir(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True
    with open(copy / "log", "w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        options = ["-q", "-x", "-p", "no:cacheprovider", test_file(fault.module)]
        return pytest.main(options, plugins=[FirstFailure(copy / "failed")])


def seen_by(fault: Fault) -> str | None:
    """Return the name of a test that sees a fault, `None` if none does."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        make_copy(copy)
        plant(fault, copy)
        child = os.fork()
        if not child:
            code = 3
            try:
                code = int(run_tests(fault, copy))
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return None
        if code != 1:
            msg = f"{fault.label}: the tests did not run.\n{(copy / 'log').read_text()}"
            raise RuntimeError(msg)
        return (copy / "failed").read_text()


def main() -> int:
    """Plant what was asked for, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of labels")
    names = parser.parse_args().names
    chosen = [f for f in FAULTS if not names or any(name in f.label for name in names)]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Nothing but imports: threads would not live on in a child.
    for library in LIBRARIES:
        importlib.import_module(library)
    missed = 0
    print(f"{'fault':70} {'seconds':>7}  seen by")
    for fault in chosen:
        start = time.perf_counter()
        test = seen_by(fault)
        missed += test is None
        seconds = time.perf_counter() - start
        print(f"{fault.label:70} {seconds:7.1f}  {test or 'NOBODY'}", flush=True)
    print(f"{len(chosen)} faults, {missed} not seen")
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
