"""Generate the notebooks from their percent scripts, check them, run them.

Usage: build.py [--check | --run] [NAME ...]

Without an option `NAME.ipynb` is written from `NAME.py`, without outputs and with cell
ids that depend on nothing but the position, so that equal sources give equal files.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["main", "render"]

FOLDER = Path(__file__).resolve().parent
# Twice what a notebook may take on two quiet cores: a busy machine is no failure.
LIMIT_S = 180


def render(source: Path) -> str:
    """Return the text of the notebook that belongs to a percent script."""
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = {
        "accelerator": "CPU",
        "colab": {"provenance": []},
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position:02d}"
    return jupytext.writes(notebook, fmt="ipynb").rstrip("\n") + "\n"


def run(source: Path) -> float:
    """Execute the committed notebook from top to bottom and return the seconds.

    Cells tagged `skip-execution` (the install line) are left out. The working folder is
    an empty one, as in a hosted notebook.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook, timeout=LIMIT_S, kernel_name="python3"
        )
        client.execute(cwd=folder)
    return time.monotonic() - start


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="Build, check or run the notebooks.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="fail where one is stale")
    mode.add_argument("--run", action="store_true", help="execute top to bottom")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    options = parser.parse_args(arguments)

    known = {p.stem: p for p in sorted(FOLDER.glob("*.py")) if p.stem != "build"}
    if not known:
        parser.error(f"there is no percent script in {FOLDER.name}/")
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(
            f"no such notebook: {', '.join(unknown)}; have: {', '.join(known)}"
        )
    failed = 0
    for name in options.names or known:
        target = known[name].with_suffix(".ipynb")
        if options.run:
            seconds = run(known[name])
            print(f"{name}: {seconds:.0f} s", flush=True)
            failed += seconds > LIMIT_S
        elif options.check:
            fresh = target.exists() and target.read_text("utf-8") == render(known[name])
            if not fresh:
                print(f"{target.name} differs from {name}.py: run colab/build.py")
                failed += 1
        else:
            target.write_text(render(known[name]), encoding="utf-8")
    if options.check and not options.names:
        strays = {p.stem for p in FOLDER.glob("*.ipynb")} - set(known)
        for stray in sorted(strays):
            print(f"{stray}.ipynb has no percent script")
        failed += len(strays)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
