"""Make the virtual environments of the libraries that `run.py` compares with.

    python benchmarks/speed/environments.py FOLDER [NAME ...]

A name is that of a file in `requirements`; without names all are made. Each takes
0.5 to 1 GB. Ours and TFP's need none: they run with the Python that runs `run.py`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the environments."""
    known = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(known)}")
    args = parser.parse_args(arguments)
    unknown = sorted(set(args.names) - set(known))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    for name in args.names or known:
        home = args.folder / name
        print(f"{name}: {home}", flush=True)
        venv.create(home, with_pip=True)
        command = [home / "bin" / "python", "-m", "pip", "install", "--quiet"]
        file = REQUIREMENTS / f"{name}.txt"
        done = subprocess.run([*command, "--requirement", file], check=False)
        if done.returncode:
            sys.exit(f"{name} could not be installed: see pip's message above")


if __name__ == "__main__":
    main()
