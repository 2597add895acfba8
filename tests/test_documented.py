"""Docstrings say what each argument is, whether it is written there or in a table."""

from __future__ import annotations

import inspect
import re
from typing import ClassVar

import pytest

from tfp_flows import _documented, bijectors, estimators, networks

CLASSES = [
    getattr(package, name)
    for package in (bijectors, estimators, networks)
    for name in package.__all__
    if inspect.isclass(getattr(package, name))
]


def arguments_of(kind):
    """Return the names in the section of arguments."""
    _, _, rest = inspect.getdoc(kind).partition("Args:\n")
    lines = rest.partition("\n\n")[0].splitlines()
    found = (re.match(r" {4}\**(\w+):", line) for line in lines)
    return [match[1] for match in found if match]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_arguments_are_documented_in_their_order(kind):
    found = arguments_of(kind)
    wanted = list(inspect.signature(kind).parameters)
    assert not found or found == wanted


def test_networks_and_estimators_say_what_all_take():
    assert "dropout" in arguments_of(networks.MADE)
    assert "batch_size" in arguments_of(estimators.FlowDensity)
    doc = inspect.getdoc(networks.MLP)
    assert doc.count("Share of hidden units dropped while training.") == 1
    assert doc.index("Args:") < doc.index("Example:") < doc.index("References:")


def test_what_is_written_stays_and_the_rest_is_added():
    class Base(_documented.Documented):
        _arguments: ClassVar = {"size": "How many.", "name": "Name."}

    class Thing(Base):
        """Make something.

        Args:
            other: What else,
                in two lines.
            name: Another name.

        Example:
            >>> Thing(1, 2)
        """

        def __init__(self, size, other, *, hidden=None, name=""):
            pass

    assert inspect.getdoc(Thing) == (
        "Make something.\n\nArgs:\n    size: How many.\n    other: What else,\n"
        "        in two lines.\n    name: Another name.\n\nExample:\n"
        "    >>> Thing(1, 2)"
    )
    assert Base.__doc__ is None
