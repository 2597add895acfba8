"""How text files of a command are written: the options --decimal and --encoding."""

from __future__ import annotations

import argparse
import codecs
import contextlib
from typing import Any

__all__ = ["add_arguments", "of"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that reads tables."""
    add = parser.add_argument_group("of text files").add_argument
    add(
        "--decimal",
        choices=(".", ","),
        help="decimal sign; default: what the cells say, where they leave no doubt",
    )
    add(
        "--encoding",
        type=_encoding,
        metavar="NAME",
        help="such as latin-1; default: UTF-8, or UTF-16 with its mark",
    )


def of(arguments: argparse.Namespace) -> Any:
    """Return a context in which text files are read as the options say."""
    decimal = getattr(arguments, "decimal", None)
    encoding = getattr(arguments, "encoding", None)
    if decimal is None and encoding is None:
        return contextlib.nullcontext()
    from tfp_flows.datasets import notation

    return notation.using(decimal, encoding)


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        msg = f"{name!r} is no encoding of text; latin-1, cp1252 and utf-16 are some"
        raise argparse.ArgumentTypeError(msg) from None
    return name
