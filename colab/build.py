"""Generate the notebooks from their percent scripts, check them, run them.

Usage: build.py [--check | --run | --install-cell] [NAME ...]

Without an option `NAME.ipynb` is written from `NAME.py`, without outputs and with cell
ids that depend on nothing but the position, so that equal sources give equal files.

A cell that says that build.py writes it becomes the install cell: it fetches the wheel
of the version of `setup.cfg` from the address of its section `release`. The first cell
gets the badge that opens the notebook in Colab.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import configparser
import os
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["install_cell", "main", "render"]

FOLDER = Path(__file__).resolve().parent
# Far more than a notebook takes on two quiet cores: a busy machine is no failure.
LIMIT_S = 400
COLAB = "https://colab.research.google.com"
BADGE = f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]"
# So many run at a time: most of a notebook keeps one core busy, and starting none.
AT_ONCE = min(2, os.cpu_count() or 1)
INSTALL_MARK = "# The install cell: build.py writes it."
INSTALL_CELL = """\
# Installs tfp_flows {version}, and nothing else where all that it needs is there.
import importlib.util
import pathlib
import subprocess
import sys

WHEEL = "{wheel}"
uploaded = sorted(str(path) for path in pathlib.Path().glob("tfp_flows-*.whl"))
wheel = uploaded[-1] if uploaded else WHEEL
if importlib.util.find_spec("tfp_flows") is None:
    pip = [sys.executable, "-m", "pip", "install", "-q", wheel]
    if not wheel or subprocess.run(pip).returncode:
        failed = f"did not install from {{wheel}}" if wheel else "is not released yet"
        raise RuntimeError(
            f"tfp_flows {version} {{failed}}. Upload the wheel that `pip wheel "
            "--no-deps .` makes in a checkout to this folder, and run the cell again."
        )
    importlib.invalidate_caches()\
"""


def install_cell(wheels: str | None = None) -> str:
    """Return the code that installs the released wheel.

    Args:
        wheels: Address of the folder of wheels; by default that of `setup.cfg`, which
            is empty before a release.
    """
    settings = configparser.ConfigParser()
    settings.read(FOLDER.parent / "setup.cfg", encoding="utf-8")
    version = settings["metadata"]["version"]
    if wheels is None:
        wheels = settings["release"]["wheels"]
    file = f"tfp_flows-{version}-py3-none-any.whl"
    wheel = f"{wheels.rstrip('/')}/{file}" if wheels else ""
    return INSTALL_CELL.format(version=version, wheel=wheel)


def badge(name: str, notebooks: str | None = None) -> str:
    """Return the badge that opens a notebook in Colab.

    Args:
        name: Name of the notebook.
        notebooks: `OWNER/REPOSITORY/blob/TAG` of the release on GitHub; by default that
            of `setup.cfg`. Before a release it is empty, and the badge opens Colab, to
            which the file is then uploaded.
    """
    if notebooks is None:
        settings = configparser.ConfigParser()
        settings.read(FOLDER.parent / "setup.cfg", encoding="utf-8")
        notebooks = settings["release"]["notebooks"]
    if not notebooks:
        return f"{BADGE}({COLAB}/) (before a release: upload this file there)"
    return f"{BADGE}({COLAB}/github/{notebooks.strip('/')}/colab/{name}.ipynb)"


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
        if position == 0:
            cell["source"] += f"\n\n{badge(source.stem)}"
        if cell["source"].strip() == INSTALL_MARK:
            cell["source"] = install_cell()
    return jupytext.writes(notebook, fmt="ipynb").rstrip("\n") + "\n"


def run(source: Path) -> tuple[float, float]:
    """Execute the committed notebook, and return seconds of the clock and of CPU.

    Cells tagged `skip-execution` (the install line) are left out. The working folder is
    an empty one, as in a hosted notebook. CPU seconds are those of the kernel, over all
    its threads: the clock alone says little on a busy machine.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    last = nbformat.v4.new_code_cell("import time; print(time.process_time())")
    notebook.cells.append(last)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook, timeout=LIMIT_S, kernel_name="python3"
        )
        client.execute(cwd=folder)
    return time.monotonic() - start, float(last.outputs[0].text)


def run_all(sources: list[Path]) -> int:
    """Execute notebooks, some at a time, and return how many took too long.

    The first that fails ends it: those that have not begun are left out.
    """
    late = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {pool.submit(run, source): source.stem for source in sources}
        for job in concurrent.futures.as_completed(jobs):
            try:
                seconds, cpu = job.result()
            except BaseException:
                print(f"{jobs[job]}: failed", flush=True)
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            print(f"{jobs[job]}: {seconds:.0f} s, CPU {cpu:.0f} s", flush=True)
            late += seconds > LIMIT_S
    return late


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="Build, check or run the notebooks.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="fail where one is stale")
    mode.add_argument("--run", action="store_true", help="execute top to bottom")
    mode.add_argument(
        "--install-cell",
        metavar="ADDRESS",
        help="print the install cell for wheels at an address",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    options = parser.parse_args(arguments)
    if options.install_cell is not None:
        print(install_cell(options.install_cell))
        return 0

    known = {p.stem: p for p in sorted(FOLDER.glob("*.py")) if p.stem != "build"}
    if not known:
        parser.error(f"there is no percent script in {FOLDER.name}/")
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(
            f"no such notebook: {', '.join(unknown)}; have: {', '.join(known)}"
        )
    names = options.names or [*known]
    if options.run:
        return 1 if run_all([known[name] for name in names]) else 0
    failed = 0
    for name in names:
        target = known[name].with_suffix(".ipynb")
        if options.check:
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
