"""The tests of formulas see planted faults; two of them in each run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.math import planted_faults
from tests.math.planted_faults import FAULTS, Fault


def run(repository, *names):
    script = repository / "tests" / "math" / "planted_faults.py"
    return subprocess.run(
        [sys.executable, script, *names], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_two_faults_are_seen(repository):
    result = run(repository, "leaky", "linear/rotations")
    assert result.returncode == 0, result.stderr
    assert "test_principal_directions_have_falling_variances" in result.stdout
    assert "2 faults, 0 not seen" in result.stdout


def test_every_fault_has_its_line_and_its_tests(repository):
    for fault in FAULTS:
        module = repository / "tfp_flows" / "math" / f"{fault.module}.py"
        assert module.read_text().count(fault.old) == 1, fault.label
        assert (repository / planted_faults.test_file(fault.module)).is_file()
    assert len(FAULTS) >= 20
    assert len({fault.label for fault in FAULTS}) == len(FAULTS)


def test_every_module_of_formulas_has_tests_of_its_own(repository):
    math = repository / "tfp_flows" / "math"
    modules = [file.relative_to(math).with_suffix("") for file in math.rglob("*.py")]
    missing = [
        str(module)
        for module in modules
        if module.name != "__init__"
        and not (repository / planted_faults.test_file(module.as_posix())).is_file()
    ]
    assert not missing


def test_a_line_that_is_gone_is_an_error(tmp_path):
    module = tmp_path / "tfp_flows" / "math" / "leaky.py"
    module.parent.mkdir(parents=True)
    module.write_text("nothing")
    with pytest.raises(ValueError, match="must be there once"):
        planted_faults.plant(Fault("leaky", "x < 0.0", "x > 0.0"), tmp_path)
