"""Functions of the package that are written twice."""

from __future__ import annotations

import ast
import collections
import itertools
from pathlib import Path

MOST_PAIRS = 38


class _Renamed(ast.NodeTransformer):
    """Names of arguments and variables by order; no annotations."""

    def __init__(self):
        self.names = {}

    def _name(self, name):
        return self.names.setdefault(name, f"v{len(self.names)}")

    def visit_Name(self, node):
        node.id = self._name(node.id)
        return node

    def visit_arg(self, node):
        node.arg, node.annotation = self._name(node.arg), None
        return node


def normalised(function):
    """Return the syntax tree of a function without its names and its docstring."""
    function.name, function.returns, function.decorator_list = "f", None, []
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    return ast.dump(_Renamed().visit(function)) if function.body else None


def equal_functions(folder):
    """Return lists of places of equal functions."""
    places = collections.defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        names = [f"{path.relative_to(folder)}:{n.lineno} {n.name}" for n in found]
        for name, function in zip(names, found, strict=True):
            key = normalised(function)
            if key is not None:
                places[key].append(name)
    return [equal for equal in places.values() if len(equal) > 1]


def test_few_functions_are_written_twice(repository):
    equal = equal_functions(repository / "tfp_flows")
    pairs = [pair for group in equal for pair in itertools.combinations(group, 2)]
    assert len(pairs) <= MOST_PAIRS, "\n".join(map(" = ".join, pairs))


def test_equal_functions_are_found_whatever_their_names(tmp_path):
    (tmp_path / "one.py").write_text(
        "def f(a: int):\n    '''Doc.'''\n    return a + 1\n"
    )
    (tmp_path / "two.py").write_text("def g(b):\n    return b + 1\n")
    (tmp_path / "three.py").write_text("def h(b):\n    return b + 2\n")
    assert equal_functions(Path(tmp_path)) == [["one.py:1 f", "two.py:1 g"]]
