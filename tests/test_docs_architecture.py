"""The page on the architecture shows the layers that the linter enforces."""

from __future__ import annotations

import ast
import configparser
import itertools
import re
import runpy

import pytest


def test_the_picture_shows_every_layer_in_its_order(repository):
    config = configparser.ConfigParser()
    config.read(repository / "setup.cfg")
    text = config["importlinter:contract:layers"]["layers"]
    rows = [re.findall(r"\((\w+)\)", line) for line in text.splitlines()]
    enforced = [name for row in rows for name in row if not name.startswith("_")]
    found = runpy.run_path(str(repository / "docs" / "make_architecture.py"))
    drawn = [name for layer, _ in found["LAYERS"] for name in re.findall(r"\w+", layer)]
    assert sorted(drawn) == sorted(enforced)
    # A row of the picture may hold several layers.
    ranks = {name: rank for rank, row in enumerate(rows) for name in row}
    height = [[ranks[n] for n in re.findall(r"\w+", k)] for k, _ in found["LAYERS"]]
    assert all(max(above) < min(below) for above, below in itertools.pairwise(height))


PACKAGES = (
    *("bijectors", "datasets", "diagnostics", "distributions", "estimators", "flows"),
    *("inference", "information", "models", "networks", "plots", "preprocessing"),
    *("testing", "training"),
)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_lie_where_the_page_says(repository, package):
    page = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    source = repository / "tfp_flows" / package / "__init__.py"
    imports = (
        node
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.level == 0
    )
    for node in imports:
        _, _, module = node.module.partition("tfp_flows.")
        if not module or module.split(".")[0] == package:
            continue
        names = "|".join(alias.name for alias in node.names)
        path = re.escape(module.replace(".", "/") + ".py")
        assert re.search(rf"^\|.*\b({names})\b.*`{path}`", page, re.M), module


@pytest.mark.parametrize("package", ["bijectors", "flows", "training", "inference"])
def test_every_room_is_in_the_table(repository, package):
    page = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{package}/` \|(.*)", page, re.M)[1]
    folders = (repository / "tfp_flows" / package).glob("*/__init__.py")
    assert {path.parent.name for path in folders} <= set(re.findall(r"`(\w+)`", row))
