"""The line of progress of a real terminal."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

import pytest

from tfp_flows.training.callbacks.progress import ProgressLine


@pytest.mark.parametrize("width", [40, 120])
def test_the_line_is_as_wide_as_the_terminal_it_is_written_to(width, monkeypatch):
    # Standard output is no terminal here, as after `fit ... --json > fit.json`.
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = os.openpty()
    size = struct.pack("HHHH", 24, width, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    with os.fdopen(theirs, "w") as stream:
        line = ProgressLine(stream=stream)
        line.set_params({"epochs": 100, "steps": 10})
        line._step, line._first = 500, (1, line._start)
        line.on_epoch_end(49, {"loss": 1.0, "val_loss": 1.1})
        line._draw()
        seen = os.read(ours, 1000).decode()
    os.close(ours)
    text = seen.removeprefix("\r").removesuffix("\x1b[K")
    assert len(text) < width
    assert (len(text) > width - 5) or text.endswith(")")
    assert text.startswith("step 500/1000, at most")
