"""Write `llms.txt`: the documentation and the public names in one file of plain text.

Usage: make_llms.py [--check]

Language models read it, and people who search. Pages come with their first sentence,
public names with the first line of their docstring, in the order of the reference.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import types
from pathlib import Path

import tfp_flows

__all__ = ["main", "render"]

FOLDER = Path(__file__).resolve().parent
TARGET = FOLDER / "llms.txt"
START = """\
# tfp_flows

> Normalizing flows for TensorFlow Probability and Keras 3: exact densities that you
> fit to a table, score, sample, save and load. Every map is a `tfb.Bijector`, every
> density a `tfd.Distribution`, every flow a `keras.Model`.

```python
import tfp_flows as tfpf

flow, history = tfpf.fit("nsf-ar", x)  # x: [N, D] array or data frame
flow.log_prob(x)  # nats per row, columns in their own units
flow.sample(10, seed=0)
flow.save("flow.keras")
flow = tfpf.load("flow.keras")
flow, history = tfpf.fit("nsf-ar", x, condition)  # then log_prob(x, condition)
density = flow.distribution(condition=c)  # a tfd.Distribution
```
"""
_TREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.S | re.M)
_NOT_PROSE = re.compile(r"^(#|```|\||>|:|!|\{|<|-{3}|(file_format|kernelspec| +name):)")


def _pages(page: Path) -> list[Path]:
    """Return the pages below a page, in the order of its tables of contents."""
    found = []
    for tree in _TREE.findall(page.read_text("utf-8")):
        for entry in tree.splitlines():
            if entry and not entry.startswith(":"):
                below = (page.parent / f"{entry}.md").resolve()
                found += [below, *_pages(below)]
    return found


def _first_sentence(text: str) -> str:
    """Return the first sentence of a page, without the marks of its links."""
    for block in re.sub(r"^```.*?^```", "", text, flags=re.S | re.M).split("\n\n"):
        if block.strip() and not _NOT_PROSE.match(block.strip()):
            prose = " ".join(block.split())
            prose = re.sub(r"\{\w+\}`([^`<]*?)(?: <[^>]*>)?`", r"\1", prose)
            prose = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose)
            return re.split(r"(?<=[.:?])\s", prose)[0].rstrip(":")
    return ""


def _line(page: Path) -> str:
    text = page.read_text("utf-8")
    title = re.search(r"^# +(.+)$", text, re.M)
    name = title.group(1) if title else page.stem
    link = page.relative_to(FOLDER).as_posix()
    return f"- [{name}]({link}): {_first_sentence(text)}".rstrip(": ")


def _names(module: types.ModuleType) -> list[str]:
    """Return a line for each public name of a package."""
    lines = []
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            doc = (inspect.getdoc(value) or "").split("\n\n")[0]
            lines.append(f"- `{name}`: {' '.join(doc.split())}")
        else:
            lines.append(f"- `{name}`")
    return lines


def render() -> str:
    """Return the text of `llms.txt`."""
    pages = [
        page for page in _pages(FOLDER / "index.md") if page.parent.stem != "reference"
    ]
    notebooks = sorted((FOLDER.parent / "colab").glob("*.ipynb"))
    out = [START, "## Pages\n", *map(_line, pages), "\n## Notebooks\n"]
    for path in notebooks:
        title = re.search(
            r"^# # (.+)$", path.with_suffix(".py").read_text("utf-8"), re.M
        )
        out.append(
            f"- [{title.group(1) if title else path.stem}](../colab/{path.name})"
        )
    out.append("\n## Names of flows\n\n" + ", ".join(map(str, tfp_flows.flows.names())))
    for name in sorted(tfp_flows.__all__):
        module = getattr(tfp_flows, name)
        if inspect.ismodule(module) and name != "math":
            doc = inspect.getdoc(module) or ""
            out.append(f"\n## tfp_flows.{name}\n\n{' '.join(doc.split())}\n")
            out += _names(module)
    return "\n".join(out) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or say whether it is fresh."""
    parser = argparse.ArgumentParser(description="Write llms.txt.")
    parser.add_argument("--check", action="store_true", help="fail where it is stale")
    if not parser.parse_args(arguments).check:
        TARGET.write_text(render(), encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text("utf-8") == render():
        return 0
    print("docs/llms.txt is stale: run docs/make_llms.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
