"""Functions of the package are short enough to be read at once."""

from __future__ import annotations

import ast

# Lines of code after the signature and the docstring: `fit` has an argument a line,
# which no splitting makes fewer.
MOST_LINES = 60


def lines_of_code(function):
    """Return how many lines follow the signature and the docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_no_function_is_longer_than_a_screen(repository):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{path.relative_to(repository)}:{node.lineno} {node.name}: {count} lines"
        for path in sorted((repository / "tfp_flows").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kinds) and (count := lines_of_code(node)) > MOST_LINES
    ]
    assert not long, "split by idea:\n" + "\n".join(long)


def test_only_code_after_the_docstring_counts():
    doc = "    '''One.\n\n    Two.\n    '''\n"
    text = f"def f(\n    a,\n    b,\n):\n{doc}    a += 1\n    return b\n"
    (function,) = ast.parse(text).body
    assert lines_of_code(function) == 2
