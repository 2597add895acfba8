"""Flows as the commands load, save and score them."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import quiet
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.files import MODEL_SUFFIX, check_input

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.flows import Flow

__all__ = [
    "figure",
    "format_version",
    "load",
    "log_prob",
    "mean_and_error",
    "parameter_count",
    "plain",
    "save",
]

# Rows of one call: bounds the memory that the networks' hidden units take.
BLOCK = 65_536


def load(path: str) -> tuple[Path, Flow]:
    """Load a flow from a file.

    Raises:
        UsageError: If there is no such file, or it holds no flow.
    """
    file = check_input(path, (MODEL_SUFFIX,))
    quiet.import_tensorflow()
    from tfp_flows import flows

    # The message names the file; the shell's sentence need not say the argument.
    start = f"`filepath` must be a .keras file with a flow, got {os.fspath(file)!r}. "
    try:
        return file, flows.load(file)
    except (ValueError, OSError) as error:
        text = str(error)
        reason = text.removeprefix(start)
        if reason == text:
            raise UsageError(text) from error
        raise UsageError(f"'{path}' is no saved flow: {reason}") from error


def save(flow: Flow, path: Path) -> None:
    """Write a flow to a file, in place of one that may be there.

    Raises:
        UsageError: If the file cannot be written.
    """
    with explained(f"cannot write to '{path}'"):
        flow.save(path)


def format_version(path: Path) -> int | None:
    """Return the version of the format that a saved flow is written in."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    version: int | None = config.get("config", {}).get("format_version")
    return version


def parameter_count(flow: Flow) -> int:
    """Return the number of trainable scalars."""
    from tfp_flows.training import report

    return report.parameter_count(flow)


def log_prob(flow: Flow, x: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
    """Return the log-density of each row, `[N]`, in nats."""
    import numpy as np

    parts: list[Any] = []
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        given = None if condition is None else condition[rows]
        parts.append(flow.log_prob(x[rows], given).numpy())
    return np.concatenate(parts)


def mean_and_error(values: np.ndarray) -> tuple[float, float | None]:
    """Return the mean of independent values and its standard error, if there is one."""
    from tfp_flows.training import baseline

    return baseline.estimate(values)


def figure(mean: float, error: float | None) -> str:
    """Return `mean +- error`, or say that there is no standard error."""
    from tfp_flows.training import baseline

    return str(baseline.Estimate(mean, error))


def plain(estimate: tuple[float, float | None] | None) -> dict[str, Any] | None:
    """Return a mean and its error as reports hold them."""
    if estimate is None:
        return None
    return {"mean": estimate[0], "standard_error": estimate[1]}
