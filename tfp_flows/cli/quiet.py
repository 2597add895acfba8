"""Keeps TensorFlow's start-up chatter away from the user's terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

__all__ = ["CLEAR", "import_tensorflow", "notice"]

# Takes a terminal back to the start of an empty line.
CLEAR = "\r\x1b[K"


def notice(text: str, *, quiet: bool = False) -> None:
    """Show what goes on in the line that progress writes over, on a terminal only."""
    if sys.stderr.isatty() and not quiet:
        sys.stderr.write(f"{CLEAR}{text}")
        sys.stderr.flush()


def import_tensorflow() -> None:
    """Import TensorFlow and the flows, without the lines that they log meanwhile.

    TensorFlow's C++ part logs to the file descriptor before it reads its settings, so
    the descriptor itself is held back. With `TF_CPP_MIN_LOG_LEVEL=0` nothing is.
    """
    with _held_back_stderr():
        import tfp_flows.flows
        import tfp_flows.training  # noqa: F401


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Collect what is written to standard error; show it only if the block raises."""
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    sys.stderr.flush()
    standard_error = 2
    with tempfile.TemporaryFile() as collected:
        saved = os.dup(standard_error)
        os.dup2(collected.fileno(), standard_error)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            collected.seek(0)
            os.write(saved, collected.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, standard_error)
            os.close(saved)
