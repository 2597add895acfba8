"""The package as a whole: lazy names, stubs, optional packages."""

from __future__ import annotations

import ast
import importlib
import inspect
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import tfp_flows
from tfp_flows import _optional

_IMPORT = """
import sys, time
start = time.perf_counter()
import tfp_flows
seconds = time.perf_counter() - start
print(seconds, *sorted({"tensorflow", "keras", "tf_keras", "numpy"} & set(sys.modules)))
"""


def _import_in_fresh_process(repository):
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, *heavy = result.stdout.split()
    return float(seconds), heavy


@pytest.mark.colab
def test_import_is_light(repository):
    runs = [_import_in_fresh_process(repository) for _ in range(3)]
    assert [heavy for _, heavy in runs] == [[], [], []]
    assert statistics.median(seconds for seconds, _ in runs) < 0.3


@pytest.mark.parametrize("name", tfp_flows.__all__)
def test_public_name_resolves(name):
    value = getattr(tfp_flows, name)
    assert value is getattr(tfp_flows, name)
    assert name in dir(tfp_flows)
    if name == "__version__":
        assert isinstance(value, str)
    elif ":" in tfp_flows._LAZY[name]:
        assert callable(value)
        assert inspect.getdoc(value)
    else:
        assert inspect.ismodule(value)


@pytest.mark.colab
def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = tfp_flows.no_such_name


@pytest.mark.colab
def test_stub_lists_the_public_names():
    stub = Path(inspect.getfile(tfp_flows)).with_suffix(".pyi")
    sources = {}
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                sources[alias.asname] = (node.module, alias.name)
        else:
            assert isinstance(node, ast.AnnAssign)
            sources[node.target.id] = None
    expected = {"__version__": None}
    for name, target in tfp_flows._LAZY.items():
        module, _, attribute = target.partition(":")
        package, _, last = module.rpartition(".")
        expected[name] = (module, attribute) if attribute else (package, last)
    assert sources == expected


def _modules():
    root = Path(inspect.getfile(tfp_flows)).parent
    files = [p.relative_to(root.parent).with_suffix("") for p in root.rglob("*.py")]
    return sorted(
        ".".join(part for part in file.parts if part != "__init__")
        for file in files
        if file.name != "__main__"
    )


@pytest.mark.parametrize("name", _modules())
def test_module_lists_its_public_names(name):
    module = importlib.import_module(name)
    missing = [public for public in module.__all__ if not hasattr(module, public)]
    assert not missing
    assert module.__doc__


def test_files_stay_under_400_lines(repository):
    lengths = {
        str(path.relative_to(repository)): path.read_text().count("\n")
        for path in (repository / "tfp_flows").rglob("*.py")
    }
    assert {path: n for path, n in lengths.items() if n > 400} == {}


def test_require_returns_the_module():
    assert _optional.require("os.path", extra="plot") is importlib.import_module(
        "os.path"
    )


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("plot", r"`absent` is needed to draw plots: pip install 'tfp_flows\[plot\]'"),
        ("odd", r"`absent` is needed to use the extra 'odd'"),
    ],
)
def test_require_names_the_extra(extra, message):
    with pytest.raises(_optional.MissingExtraError, match=message):
        _optional.require("absent.submodule", extra=extra)


def test_require_states_the_purpose():
    with pytest.raises(ImportError, match="`absent` is needed to read CSV files: pip"):
        _optional.require("absent", extra="tables", purpose="read CSV files")


def test_require_names_the_package_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(_optional.MissingExtraError, match="`scikit-learn` is needed"):
        _optional.require("sklearn", extra="sklearn")


def test_require_keeps_the_error_of_a_broken_package(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import absent_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="absent_dependency") as caught:
        _optional.require("broken_package", extra="plot")
    assert not isinstance(caught.value, _optional.MissingExtraError)
