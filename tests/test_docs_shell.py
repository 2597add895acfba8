"""Commands of the pages: each is one that the command line reads."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from tfp_flows.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = re.compile(r"^```(?:bash|sh|console)\n(.*?)^```", re.S | re.M)


def commands():
    """Return the lines of shell blocks, with the page of each."""
    found = []
    for page in PAGES:
        for block in BLOCKS.findall(page.read_text(encoding="utf-8")):
            lines = block.replace("\\\n", " ").splitlines()
            found += [(page.stem, line) for line in lines if line.strip()]
    return found


def test_pages_have_commands():
    assert len([line for _, line in commands() if line.startswith("tfp-flows")]) > 30


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_of_a_page_is_read(page, line):
    words = shlex.split(line, comments=True)
    if words[0] == "tfp-flows":
        main._parsed(words[1:])
    elif words[:2] == ["python", "-m"] and words[2].startswith("tfp_flows"):
        assert importlib.util.find_spec(words[2])
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file()
