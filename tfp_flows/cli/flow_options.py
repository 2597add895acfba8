"""Names of flows on the command line, and what `--option` may set."""

from __future__ import annotations

import argparse
from typing import Any

from tfp_flows.cli import quiet
from tfp_flows.cli.errors import UsageError

__all__ = ["PrintOptions", "flow_name", "known"]

# Names that flows had before.
RENAMED = {"maf-mog": "maf-mol"}
# What `--option` may set besides the options of the flow, and what it may not.
FIT_OPTIONS = ("average", "learning_rate", "noise", "patience", "weight_decay")
NOT_OPTIONS = ("columns", "condition_columns", "embedding", "seed")


def flow_name(text: str) -> str:
    """Return the name of a flow as it is today."""
    return RENAMED.get(text, text)


def known(name: str) -> list[str]:
    """Return what `--option` may set for a flow.

    Raises:
        UsageError: If there is no such flow.
    """
    from tfp_flows import flows
    from tfp_flows.flows._model import options

    names = (*flows.names(), *flows.image_names())
    if name not in names:
        raise UsageError(f"there is no flow {name!r}, only {', '.join(names)}.")
    found = {*options.names(flows.flow_class(name)), *FIT_OPTIONS}
    return sorted(found - set(NOT_OPTIONS))


class PrintOptions(argparse.Action):
    """Prints the options of a flow with types, defaults and meaning, and ends."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Print them."""
        quiet.import_tensorflow()
        from tfp_flows import flows
        from tfp_flows.flows._model import options

        name = flow_name(values)
        try:
            every = known(name)
        except UsageError as error:
            parser.error(str(error))
        cls = flows.flow_class(name)
        print(options.describe(cls))
        rest = sorted(set(every) - set(cls.declared))
        print(f"of all flows and of the fit: {', '.join(rest)}")
        parser.exit()
