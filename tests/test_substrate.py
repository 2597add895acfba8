"""Maths and maps use names of TensorFlow that TFP's rewrite for JAX knows, too.

That rewrite runs TFP's own source on modules that stand for TensorFlow, which are part
of its package; JAX itself is not needed to look at them.
"""

from __future__ import annotations

import ast

import pytest

ROOMS = ("math", "bijectors")
REWRITE = "tensorflow_probability.python.internal.backend.numpy"


def names_of_tensorflow(tree):
    """Return names such as `tf.math.log` in a syntax tree."""
    inner = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            parts, value = [], node
            while isinstance(value, ast.Attribute):
                parts.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id == "tf":
                found.add(".".join(reversed(parts)))
    return found


def is_known(name, module):
    for part in name.split("."):
        if not hasattr(module, part):
            return False
        module = getattr(module, part)
    return True


@pytest.fixture(scope="module")
def rewrite():
    return pytest.importorskip(REWRITE, reason="TFP has no modules of this name")


def test_names_of_maths_and_maps_are_known_to_the_rewrite(repository, rewrite):
    used = {}
    for room in ROOMS:
        for path in (repository / "tfp_flows" / room).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            used |= dict.fromkeys(names_of_tensorflow(tree), path.name)
    assert len(used) > 100
    unknown = {name: at for name, at in used.items() if not is_known(name, rewrite)}
    assert not unknown, f"put these into tfp_flows/_graphs.py: {unknown}"


def test_a_name_that_the_rewrite_lacks_is_found(rewrite):
    found = names_of_tensorflow(ast.parse("tf.math.log(tf.Graph(), x.tf.exp)"))
    assert found == {"math.log", "Graph"}
    assert [is_known(name, rewrite) for name in sorted(found)] == [False, True]
