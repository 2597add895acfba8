"""Options of `tfp-flows fit` that say which flow is fitted."""

from __future__ import annotations

import argparse

from tfp_flows.cli import images
from tfp_flows.cli.errors import UsageError

__all__ = ["choose"]

# What each option fits, and what has no part in it.
FLOWS = {"budget": "rbig", "conditionals": "any-order"}
REFUSED = {
    "budget": ("epochs", "resume", "condition", "batch_size", "conditionals"),
    "conditionals": ("resume", "members"),
}


def choose(arguments: argparse.Namespace) -> None:
    """Set the flow, where a budget or the kind of conditional densities chooses it.

    Raises:
        UsageError: If another flow was named, or what has no part in such a fit.
    """
    for word, flow in FLOWS.items():
        if getattr(arguments, word) is None:
            continue
        for name in REFUSED[word]:
            if getattr(arguments, name):
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} has no part in a fit with --{word}.")
        if arguments.flow not in (None, flow):
            raise UsageError(
                f"--{word} chooses the flow itself, got --flow {arguments.flow}."
            )
        if images.is_image_file(arguments.data):
            raise UsageError(f"--{word} is for tables, the data are images.")
        arguments.flow = flow
