"""What every benchmark prints above its table: date, versions, machine."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform

__all__ = ["header", "parser", "verdict"]

PACKAGES = ("tensorflow", "tensorflow-probability", "keras", "numpy", "tfp_flows")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with `--smoke`, described by the script's docstring."""
    out = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out.add_argument(
        "--smoke", action="store_true", help="a few seconds, numbers without meaning"
    )
    return out


def version(package: str) -> str:
    """Return the installed version of a package, or a dash."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def memory() -> str:
    """Return the machine's memory in GB, where the system tells it."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return "unknown memory"
    return f"{size / 2**30:.0f} GB"


def header(title: str, *packages: str) -> None:
    """Print the title, the date, the versions, and the size of the machine.

    Args:
        title: What is measured.
        *packages: Packages to name beside TensorFlow's.
    """
    versions = ", ".join(f"{p} {version(p)}" for p in (*PACKAGES, *packages))
    print(title)
    print(
        f"{datetime.date.today().isoformat()}, Python {platform.python_version()}, "
        f"{versions}; {os.cpu_count()} cores, {memory()}",
        flush=True,
    )


def verdict(value: float, bar: float, *, at_least: bool = False) -> str:
    """Say whether a value reaches its bar."""
    reached = value >= bar if at_least else value <= bar
    return "yes" if reached else "NO"
