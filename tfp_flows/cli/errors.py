"""Bad input as one line: the command line's only way to fail on purpose."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from tfp_flows import _optional

__all__ = ["Interrupted", "UsageError", "explained", "on_the_shell", "unexpected"]

# Keras and TensorFlow can put whole tables into a message; a line must stay a line.
_MAX_LENGTH = 400
_KINDS = (
    "Kinds are continuous, integer, positive, log, bounded:LOW:HIGH, "
    "periodic:LOW:HIGH, periodic:LOW:HIGH:wrap, rounded:STEP, atom:VALUE, category, or "
    "several such as positive+atom:0."
)
# What the library calls an option, and what it is on the shell.
_OPTIONS = (
    (r"(fit with|pass) missing='impute'", "add --missing impute"),
    (r"fit with columns=\{'([^']*)': 'category'\}", r"add --columns '\1=category'"),
    (r"by columns=\{'([^']*)': '(\w+)'\}", r"by --columns '\1=\2'"),
    (r"`sheet` must", "--sheet must"),
    (r"`columns` of '", "--columns of '"),
    (r"Kinds are .*a `Column`\.", _KINDS),
    (r'\("periodic", ([^ ,]+), ([^ ,]+), "wrap"\)', r"periodic:\1:\2:wrap"),
    (r"Build the flow with dtype='float64'", "Add --option dtype=float64"),
    (r" Pass outliers='keep' to fit it, too\.", ""),
    (r"by columns=\{\.\.\.\}, or columns='continuous'", "by --columns NAME=KIND"),
    (r"by columns=\{\.\.\.\} of the fit", "by --columns NAME=KIND of the fit"),
    (
        r"[Pp]ass decimal='(.)'( if [\w ]+, else| or) decimal='(.)'",
        r"Add --decimal \1\2 --decimal \3",
    ),
    (
        r"name its encoding, such as encoding='latin-1' or 'cp1252'",
        "add --encoding, such as --encoding latin-1 or cp1252",
    ),
    (r"name (its|another) encoding", "add --encoding NAME"),
    (r"leave out `encoding`", "leave out --encoding"),
    (r"`sheet` may name another", "--sheet may name another"),
    (
        r"Fit a flow by its name, with columns='auto' or their kinds,",
        "Leave --columns to detection, or give their kinds,",
    ),
)


class UsageError(Exception):
    """Bad usage or bad input, in one line for the user."""

    def __init__(self, text: str) -> None:
        super().__init__(re.sub(r"^-(?=: )", "standard input", text))


class Interrupted(Exception):
    """Ctrl-C, after which something was written all the same."""


def unexpected(error: Exception) -> str:
    """Return the line about an error that should not have happened."""
    if isinstance(error, MemoryError):
        return "this takes more memory than there is: use fewer rows or a smaller flow."
    return (
        f"unexpected {type(error).__name__}: {_one_line(error).rstrip('.')}. This is a "
        "fault of tfp-flows: please report what the command prints with --debug."
    )


@contextlib.contextmanager
def explained(
    about: str | os.PathLike[str] = "", *, also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what the library says about bad input into a `UsageError`.

    Args:
        about: What the input is, such as a file's name; put before the message unless
            the message names it.
        also: Further kinds of errors that mean bad input here.

    Raises:
        UsageError: In place of a `ValueError`, an `OSError`, a `FloatingPointError`, a
            `MissingExtraError` or one of `also`.
    """
    expected: tuple[type[Exception], ...] = (
        ValueError,
        OSError,
        FloatingPointError,
        _optional.MissingExtraError,
        *also,
    )
    try:
        yield
    except BrokenPipeError:  # an `OSError`, but of the output's reader
        raise
    except expected as error:
        text = _one_line(error)
        name = os.fspath(about)
        name = "standard input" if name == "-" else name
        prefix = f"{name}: " if name and name not in text else ""
        raise UsageError(prefix + text) from error


def on_the_shell(text: str) -> str:
    """Return a sentence of the library that names options of the shell."""
    for words, option in _OPTIONS:
        text = re.sub(words, option, text)
    return text


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename is not None:
            text += f": '{os.fspath(error.filename)}'"
    text = on_the_shell(" ".join(text.split())) or type(error).__name__
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 3] + "..."
