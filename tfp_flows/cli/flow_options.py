"""Names of flows on the command line, and what `--option` may set."""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfp_flows import _keras_names
from tfp_flows.cli import columns, quiet
from tfp_flows.cli.errors import UsageError

__all__ = [
    "PrintOptions",
    "check_values",
    "checked",
    "flow_name",
    "known",
    "no_flow",
    "read",
]

# What `--option` may set besides the options of the flow, and what it may not.
FIT_OPTIONS = {
    "average": (0.0, 1 - 1e-9, "a number from 0 on that is below 1"),
    "learning_rate": (1e-30, 1e30, "a number above 0"),
    "noise": (0.0, 1e30, "a number from 0 on, or rule-of-thumb"),
    "patience": (1, 10**9, "a whole number from 1 on"),
    "weight_decay": (0.0, 1e30, "a number from 0 on"),
}
# Other libraries' words for them.
_FOREIGN = {"lr": "learning_rate", "step_size": "learning_rate"}
# What it may set of an ensemble.
ENSEMBLE = ("bootstrap", "member_weights", "members")
# A flow with larger numbers is not built in a lifetime.
LARGEST = 100_000
_WORDS = {"noise": "rule-of-thumb"}
_OPEN = ("average", "learning_rate", "patience")
NOT_OPTIONS = ("columns", "condition_columns", "embedding", "preprocessing", "seed")


def flow_name(text: str) -> str:
    """Return the name of a flow as it is today."""
    return _keras_names.RENAMED.get(text, text)


def known(name: str) -> list[str]:
    """Return what `--option` may set for a flow.

    Raises:
        UsageError: If there is no such flow.
    """
    from tfp_flows import flows
    from tfp_flows.flows._model import options

    names = flows.all_names()
    if name not in names:
        raise UsageError(no_flow(name, names))
    found = {*options.names(flows.flow_class(name)), *FIT_OPTIONS, *ENSEMBLE}
    return sorted(found - set(NOT_OPTIONS))


def check_values(options: Mapping[str, Any]) -> None:
    """Raise if an option is empty, out of its range, or no number where it must be.

    Raises:
        UsageError: With what it must be.
    """
    for name, value in options.items():
        sizes = value if isinstance(value, (list, tuple)) else [value]
        numbers = [size for size in sizes if isinstance(size, int)]
        if name not in FIT_OPTIONS and any(abs(n) > LARGEST for n in numbers):
            raise UsageError(f"--option {name} must be at most {LARGEST:,}.")
        if isinstance(value, (list, tuple)) and not value:
            raise UsageError(f"--option {name} must not be empty.")
    for name, (minimum, maximum, words) in FIT_OPTIONS.items():
        if name not in options or (options[name] is None and name in _OPEN):
            continue
        value = options[name]
        if isinstance(value, str) and value == _WORDS.get(name):
            continue
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = fits and minimum <= value <= maximum
        if name == "patience":
            fits = fits and isinstance(value, int)
        if not fits:
            raise UsageError(f"--option {name} must be {words}, got {value!r}.")


def read(text: str) -> tuple[str, Any]:
    """Return the key and the value of `key=value`; no Python literal is a string.

    Raises:
        UsageError: If it is something else.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise UsageError(f"--option must be KEY=VALUE, got {text!r}.")
    if value.lower() in ("true", "false"):
        return key, value.lower() == "true"
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return key, value


def checked(name: str | None, options: dict[str, Any]) -> str:
    """Return the name of a flow, after a check of it and of its options.

    Raises:
        UsageError: If there is no such flow, or it has no such option.
    """
    from tfp_flows import flows

    name = flows.DEFAULT if name is None else name
    every = known(name)
    wrong = sorted(set(options) - set(every))
    if wrong:
        near = _FOREIGN.get(wrong[0])
        end = f": did you mean {near!r}?" if near else columns.hint(wrong[0], every)
        end = end or "."
        raise UsageError(
            f"flow {name} has no option {wrong[0]!r}, only {', '.join(every)}{end}"
        )
    return name


def no_flow(name: str, names: Sequence[str]) -> str:
    """Return the sentence about a flow that there is not."""
    end = columns.hint(name, names) or "."
    return f"there is no flow {name!r}, only {', '.join(names)}{end}"


def _facts(option: Any) -> dict[str, Any]:
    """Return type, default and meaning of an option, as `--json` has them."""
    default = option.default
    if not isinstance(default, (bool, int, float, str, tuple, list, type(None))):
        default = repr(default)
    kind = getattr(option.annotation, "__name__", str(option.annotation))
    return {"type": kind, "default": default, "meaning": option.doc}


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
        rest = sorted(set(every) - set(cls.declared))
        if "--json" in getattr(parser, "words", ()):
            facts = {o.name: _facts(o) for o in cls.declared.values()}
            print(json.dumps({"flow": name, "options": facts, "others": rest}))
            parser.exit()
        print(options.describe(cls))
        print(f"of all flows and of the fit: {', '.join(rest)}")
        parser.exit()
