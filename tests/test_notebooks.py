"""The install cell of the notebooks."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import subprocess
import types

import pytest

PICTURE = re.compile(r"plt\.subplots|plt\.figure|tfpf\.plots\.|\bImage\(")
# Mathematics, or an equation that stands as code in a sentence.
FORMULA = re.compile(r"\$[^$]+\$|`[^`]+ = [^`]+`")


@pytest.fixture
def build(repository):
    path = repository / "colab" / "build.py"
    if not path.exists():
        pytest.skip("needs the notebooks of a checkout")
    spec = importlib.util.spec_from_file_location("build_notebooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def attempts(monkeypatch, tmp_path):
    """Run in an empty folder, without the package; keep the commands of pip."""
    made = []

    def run(command):
        made.append(command)
        return types.SimpleNamespace(returncode=int("broken" in command[-1]))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return made


def test_released_wheel_is_installed_by_its_address(build, attempts, repository):
    settings = configparser.ConfigParser()
    settings.read(repository / "setup.cfg")
    version = settings["metadata"]["version"]
    exec(build.install_cell("https://example.org/wheels/"), {})
    address = f"https://example.org/wheels/tfp_flows-{version}-py3-none-any.whl"
    assert [command[-1] for command in attempts] == [address]


def test_uploaded_wheel_comes_first(build, attempts, tmp_path):
    (tmp_path / "tfp_flows-9.9.9-py3-none-any.whl").touch()
    exec(build.install_cell("https://example.org/wheels"), {})
    assert [command[-1] for command in attempts] == ["tfp_flows-9.9.9-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("wheels", "message"),
    [
        ("", "is not released yet. Upload the wheel"),
        ("https://example.org/broken", "did not install from https://example.org/b"),
    ],
)
def test_what_cannot_be_installed_says_what_to_do(build, attempts, wheels, message):
    with pytest.raises(RuntimeError, match=message):
        exec(build.install_cell(wheels), {})


def test_package_that_is_there_is_left_alone(build, attempts, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    exec(build.install_cell("https://example.org/broken"), {})
    assert not attempts


def test_badge_opens_the_released_notebook(build):
    address = "https://colab.research.google.com/github/me/flows/blob/v1/colab/a.ipynb"
    assert build.badge("a", "me/flows/blob/v1").endswith(f"({address})")
    assert "upload" in build.badge("a", "")


def test_every_notebook_begins_with_the_install_cell(build, repository):
    paths = sorted((repository / "colab").glob("*.ipynb"))
    assert paths
    for path in paths:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert build.badge(path.stem) in "".join(cells[0]["source"])
        assert "".join(cells[1]["source"]) == build.install_cell()
        assert cells[1]["metadata"]["tags"] == ["skip-execution"]


def test_every_notebook_has_an_exercise_and_is_linked_from_the_readme(repository):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    for path in sorted((repository / "colab").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        told = "".join(text(cell) for cell in cells if cell["cell_type"] == "markdown")
        assert "## An exercise" in told, path.name
        assert text(cells[-1]).startswith("# Your turn:"), path.name
        assert f"(colab/{path.name})" in readme, path.name


def test_no_formula_comes_before_the_first_picture(repository):
    for path in sorted((repository / "colab").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert first_picture(cells) < first_formula(cells), path.name


def text(cell):
    return "".join(cell["source"])


def first_picture(cells):
    """Return the position of the first cell that draws."""
    return next(
        i
        for i, cell in enumerate(cells)
        if cell["cell_type"] == "code" and PICTURE.search(text(cell))
    )


def first_formula(cells):
    """Return the position of the first text with a formula, or what is behind all."""
    found = (
        i
        for i, cell in enumerate(cells)
        if cell["cell_type"] == "markdown" and FORMULA.search(text(cell))
    )
    return next(found, len(cells))
