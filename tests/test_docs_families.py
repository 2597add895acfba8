"""The tables of flows and of families leave out nothing that is public."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tfp_flows import bijectors, flows

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FAMILIES = (ROOT / "docs" / "families.md").read_text(encoding="utf-8")
# Classes to derive from: no family of their own.
BASES = ("Bijector", "Stochastic", "Surjection", "Transformer")


def words(text):
    """Return all names that stand as code in a text, calls without arguments."""
    found = re.findall(r"`([^`\n]+)`", text)
    return {re.sub(r"\(.*", "", word).split(".")[-1] for word in found}


def public_maps():
    """Return the names of all maps, transformers and surjections."""
    kinds = (bijectors.Bijector, bijectors.Transformer, bijectors.Surjection)
    public = {name: getattr(bijectors, name) for name in bijectors.__all__}
    return [
        name
        for name, value in public.items()
        if inspect.isclass(value) and issubclass(value, kinds) and name not in BASES
    ]


def section(title):
    """Return the text below a heading of the README."""
    return re.split(r"^## ", README.split(f"## {title}\n")[1], flags=re.M)[0]


@pytest.mark.parametrize("name", flows.all_names())
def test_flow_stands_in_both_tables(name):
    assert name in words(FAMILIES)
    kind = flows.flow_class(name).__name__
    row = rf"^\| `{name}` \| `{kind}` \| [^|]+ \| [^|]+ \|$"
    image = rf"`{name}`\s\(`{kind}`"
    assert re.search(row, section("Flows"), re.M) or re.search(image, section("Flows"))


def test_tables_list_no_flow_that_is_not_there():
    listed = re.findall(r"^\| `([^`]+)`[^|]*\| `\w+` \|", section("Flows"), re.M)
    assert set(listed) <= set(flows.all_names())
    assert len(listed) > 30


def test_every_map_stands_in_both_tables():
    known = public_maps()
    assert len(known) > 50
    assert not set(known) - words(FAMILIES)
    assert not set(known) - words(section("Maps"))


def test_families_name_their_class_direction_and_paper():
    table = FAMILIES.split("## Not provided")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        family, names, direction, paper = (
            cell.strip() for cell in re.split(r" \| ", row.strip("| "))
        )
        assert family, row
        assert "`" in names, row
        assert direction, row
        assert "](https://" in paper or paper == "the same", row


def test_what_is_not_provided_has_a_reason():
    table = FAMILIES.split("## Not provided")[1]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert rows
    assert all(len(row.strip("| ").split(" | ")[1]) >= len("not yet") for row in rows)
