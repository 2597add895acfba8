"""The page on the architecture shows the layers that the linter enforces."""

from __future__ import annotations

import configparser
import itertools
import re
import runpy


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
