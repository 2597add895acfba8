"""The entry point of `tfp-flows`: parses arguments and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import tfp_flows
from tfp_flows.cli import (
    catalog,
    columns,
    compare,
    completion,
    config,
    convert,
    demo,
    detect,
    diagnose,
    errors,
    fit,
    impute,
    info,
    notation,
    plot,
    quiet,
    sample,
    sbi,
    score,
)

__all__ = ["main"]

_COMMANDS = (
    fit,
    score,
    sample,
    impute,
    detect,
    compare,
    plot,
    info,
    diagnose,
    convert,
    sbi,
    catalog,
    demo,
    completion,
)
# What people write as options of their own.
OF_OPTION = {
    "lr": "learning_rate=0.001",
    "learning_rate": "learning_rate=0.001",
    "hidden_units": "hidden_units=64,64",
    "num_layers": "num_layers=4",
    "layers": "num_layers=4",
    "num_bins": "num_bins=8",
    "bins": "num_bins=8",
    "patience": "patience=20",
    "dropout": "dropout=0.1",
    "noise": "noise=0.05",
    "weight_decay": "weight_decay=0.0001",
    "dtype": "dtype=float64",
    "activation": "activation=relu",
}
# Words of other programs for options of ours.
MEANT = {
    "--val": "--test-fraction",
    "--validation": "--test-fraction",
    "--validation-split": "--test-fraction",
    "--test-size": "--test-fraction",
    "--verbose": "--quiet",
    "--random-state": "--seed",
    "--num-samples": "-n",
    "--overwrite": "--force",
}
_BUG = 1
_BAD_USAGE = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_BROKEN_PIPE = 141  # 128 + SIGPIPE: whoever read the output, such as `head`, is gone


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        choice = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        if choice:
            known = re.findall(r"[\w-]+", choice[2])
            message += columns.hint(choice[1], known)
        unknown = re.fullmatch(r"unrecognized arguments: (--[\w-]+).*", message)
        if unknown:
            message += self._hint(unknown[1])
        self.exit(_BAD_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")

    words: Sequence[str] = ()  # those that are parsed

    def _hint(self, option: str) -> str:
        """Return what an unknown option of a command may stand for."""
        parsers = {each.prog.split()[-1]: each for each in self.commands()}
        command = next((word for word in self.words if word in parsers), None)
        if command is None:
            return columns.hint(option, self.every_option())
        known = parsers[command].every_option()
        name = option.removeprefix("--").replace("-", "_")
        if "--option" in known and name in OF_OPTION:
            return f": write --option {OF_OPTION[name]}"
        if MEANT.get(option) in known:
            return f": did you mean {MEANT[option]!r}?"
        return columns.hint(option, known)

    def commands(self) -> list[Any]:
        """Return the parsers of commands, none of a command."""
        choices = [a.choices for a in self._actions if isinstance(a.choices, dict)]
        return [each for found in choices for each in found.values()]

    def every_action(self) -> list[argparse.Action]:
        """Return what the parser takes, options and other words."""
        return list(self._actions)

    def option(self, name: str) -> argparse.Action | None:
        """Return the option of a name, with or without hyphens."""
        return self._option_string_actions.get(f"--{name.replace('_', '-')}")

    def every_option(self) -> list[str]:
        """Return the options, of a parser of commands those of all of them."""
        found: dict[str, None] = {}
        for action in self._actions:
            found |= dict.fromkeys(action.option_strings)
        for parser in self.commands():
            found |= dict.fromkeys(parser.every_option())
        return list(found)


class _Version(argparse.Action):
    """Looks the version up when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"tfp-flows {tfp_flows.__version__}")
        parser.exit()


def _parser() -> _Parser:
    parser = _Parser(
        prog="tfp-flows",
        description="Fit normalizing flows to tables; score, sample and inspect them.",
        epilog="`tfp-flows COMMAND --help` explains a command.",
    )
    parser.add_argument(
        "-V", "--version", action=_Version, nargs=0, help="print the version and exit"
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )
    for command in _COMMANDS:
        command.add_parser(commands)
    for each in commands.choices.values():
        add = each.add_argument_group("of every command").add_argument
        add("--json", action="store_true", help="print one JSON object")
        add(
            "--quiet",
            action="store_true",
            help="print nothing to standard error but errors",
        )
        add("--debug", action="store_true", help="show where in the code an error is")
        if each.option("sheet") is not None:
            notation.add_arguments(each)
        each.set_defaults(parser=each)
    return parser


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    for each in (parser, *parser.commands()):
        each.words = words
    return parser.parse_args(words)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; those of the process if `None`.

    Returns:
        The exit code: 0; or 2 after bad usage or bad input, with one line on standard
        error; or 1 after an error that is a fault of ours; or 130 after Ctrl-C.
    """
    # TensorFlow reads this when it is first imported, which no command has done yet.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    words = list(sys.argv[1:] if argv is None else argv)
    name = f"tfp-flows {words[0] if words else ''}"
    try:
        arguments = _parsed(words)
        if getattr(arguments, "config", None) is not None:
            arguments = _parsed(config.expanded(words, arguments))
    except SystemExit as stop:  # argparse has printed help or the error
        return int(stop.code or 0)
    except errors.UsageError as error:
        _complain(f"{name}: {error}")
        return _BAD_USAGE
    try:
        with notation.of(arguments):
            arguments.run(arguments)
        sys.stdout.flush()
    except errors.Interrupted as error:
        print(f"\n{name}: {error}", file=sys.stderr)
        return _INTERRUPTED
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted, nothing more is written.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more when it ends: give it a place to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except errors.UsageError as error:
        if arguments.debug:
            raise
        _complain(f"{name}: {error}")
        return _BAD_USAGE
    except Exception as error:
        if arguments.debug:
            raise
        _complain(f"{name}: {errors.unexpected(error)}")
        return _BUG
    return 0


def _complain(text: str) -> None:
    """Print an error, in place of what a terminal shows of the progress."""
    start = quiet.CLEAR if sys.stderr.isatty() else ""
    print(f"{start}{text}", file=sys.stderr)
