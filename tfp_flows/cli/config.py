"""A file that says how a command is run, which `fit` reads and writes.

Words are those of the shell: `{"data": "a.csv", "out": "a.keras", "epochs": 9}` is the
same as `fit a.csv --out a.keras --epochs 9`. Paths are relative to the file's folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfp_flows.cli import columns, files
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import plain

__all__ = [
    "SUFFIXES",
    "add_option",
    "check_outputs",
    "expanded",
    "history",
    "note_changes",
    "path_of",
    "read",
    "write",
]

SUFFIXES = (".toml", ".json")
# What the record of a fit is called beside its flow.
_ENDING = ".fit.json"
# What else a record holds: not how to run, but what came of it.
_ABOUT = ("about", "command", "history")
_PATHS = ("data", "out")
# No part of what is repeated.
_NEVER = ("help", "config", "debug", "force", "json", "options", "quiet", "resume")
_ALWAYS = ("data", "out", "flow", "seed", "test_fraction")
# A file of options is never longer; a table that is given by mistake is.
_MOST_BYTES = 2**24


def add_option(parser: Any) -> None:
    """Add `--config` to the parser of a command."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="options from a .toml or .json file, by their names here; those on the "
        f"command line go before. fit writes such a file beside its flow, *{_ENDING}",
    )


def expanded(argv: Sequence[str], arguments: argparse.Namespace) -> list[str]:
    """Return the words of a command with those of its config file in front.

    Args:
        argv: The command and its words.
        arguments: What was read from them.

    Raises:
        UsageError: If the file cannot be read, or holds what the command has not.
    """
    path = files.check_input(arguments.config, SUFFIXES)
    words: list[str] = []
    last: list[str] = []
    for name, value in read(path).items():
        if name in _ABOUT:
            continue
        if name == "data":
            if arguments.data is None:
                last.append(_path(path, name, value))
            continue
        action = arguments.parser.option(name)
        if action is None or name in _NEVER[:2]:
            known = [a.dest for a in arguments.parser.every_action()]
            known = [name for name in known if name not in _NEVER[:2]]
            end = columns.hint(name, known) or "."
            raise UsageError(
                f"'{path}' has the key {name!r}, which {argv[0]} does not know{end}"
            )
        words += _words(path, name, value, is_flag=action.nargs == 0)
    return [argv[0], *words, *argv[1:], *last]


def read(path: Path) -> dict[str, Any]:
    """Return the options of a file by name, dashes as underscores.

    Raises:
        UsageError: If it is damaged, or holds something else.
    """
    with explained(path, also=(RecursionError,)):
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"'{path}' is too large for a file of options.")
        text = path.read_text("utf-8-sig")
        parse = json.loads if path.suffix.lower() == ".json" else _toml()
        found = parse(text)
    if not isinstance(found, Mapping):
        raise UsageError(
            f"'{path}' must hold options by name, such as "
            '{"flow": "maf"}, got a ' + type(found).__name__ + "."
        )
    return {str(key).replace("-", "_"): value for key, value in found.items()}


def _toml() -> Any:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        raise UsageError(
            "a .toml file needs Python 3.11 or newer: write the options as .json."
        ) from None
    return tomllib.loads


def _words(path: Path, name: str, value: Any, *, is_flag: bool) -> Iterator[str]:
    """Yield the words of the shell for one option."""
    option = f"--{name.replace('_', '-')}"
    if value is None:
        return
    if is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"'{path}': {name} must be true or false, got {value!r}.")
        if value:
            yield option
    elif name == "option":
        if not isinstance(value, Mapping):
            raise UsageError(
                f"'{path}': option must hold options by name, such as "
                f'{{"num_layers": 4}}, got {value!r}.'
            )
        for key, part in value.items():
            yield f"{option}={key}={part if isinstance(part, str) else repr(part)}"
    elif name in _PATHS:
        yield f"{option}={_path(path, name, value)}"
    elif isinstance(value, Mapping):
        yield f"{option}={','.join(f'{_quoted(k)}={v}' for k, v in value.items())}"
    elif isinstance(value, list):
        yield f"{option}={','.join(map(_quoted, value))}"
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield f"{option}={value}"
    else:
        raise UsageError(f"'{path}': {name} must be a word or a number, got {value!r}.")


def _quoted(name: Any) -> str:
    text = str(name)
    return f'"{text}"' if "," in text else text


def _path(path: Path, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"'{path}': {name} must be the name of a file, got {value!r}.")
    if value == files.STANDARD_INPUT or value.startswith("~"):
        return value
    return os.fspath(path.parent / value)


def path_of(out: Path) -> Path:
    """Return where the record of a fit is written."""
    return out.with_suffix(_ENDING)


def check_outputs(arguments: argparse.Namespace, inputs: Sequence[Path]) -> Path:
    """Return the file of a flow to write, which is there where it is gone on with.

    Args:
        arguments: Of the command.
        inputs: Files that are read.

    Raises:
        UsageError: If it, or the record beside it, cannot be written.
    """
    force = arguments.force or arguments.resume
    suffixes = (files.MODEL_SUFFIX,)
    out = files.check_output(arguments.out, suffixes, force=force, inputs=inputs)
    record = str(path_of(out))
    files.check_output(record, SUFFIXES, force=force, inputs=inputs)
    return out


def write(
    arguments: argparse.Namespace, out: Path, flow: str, losses: Mapping[str, Any]
) -> None:
    """Write how a fit was run, and its losses, beside the flow.

    Args:
        arguments: Of the command.
        out: File of the flow.
        flow: Name of the flow.
        losses: Losses of each epoch, by name.

    Raises:
        UsageError: If the file cannot be written.
    """
    path = path_of(out)
    options: dict[str, Any] = {}
    for action in arguments.parser.every_action():
        name = action.dest
        value = getattr(arguments, name, None)
        if name not in _NEVER and (name in _ALWAYS or value != action.default):
            options[name] = value
    options["flow"] = flow
    for name in _PATHS:
        options[name] = _beside(path, options[name])
    if isinstance(options.get("option"), list):
        options["option"] = _by_name(options["option"])
    found = {
        "command": "fit",
        **options,
        "about": {**_versions(), "data_sha256": _digest(arguments.data)},
        "history": losses,
    }
    with files.replacing(path) as temporary:
        text = json.dumps(plain(found), indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def history(path: Path) -> dict[str, list[float]]:
    """Return the losses in the record of a fit.

    Raises:
        UsageError: If it holds none.
    """
    found = read(path).get("history")
    losses = found if isinstance(found, Mapping) else {}
    kept = {
        str(name): [math.nan if v is None else float(v) for v in values]
        for name, values in losses.items()
        if isinstance(values, list)
        and all(v is None or isinstance(v, (int, float)) for v in values)
    }
    if not kept.get("loss"):
        raise UsageError(
            f"'{path}' holds no losses: name the file *{_ENDING} that `tfp-flows fit` "
            "writes beside its flow."
        )
    return kept


def note_changes(arguments: argparse.Namespace) -> str | None:
    """Return a sentence if the data are not those of the config file."""
    if arguments.config is None:
        return None
    about = read(Path(arguments.config).expanduser()).get("about")
    known = about.get("data_sha256") if isinstance(about, Mapping) else None
    if known is None or known == _digest(arguments.data):
        return None
    return (
        f"'{arguments.data}' is not what '{arguments.config}' was written for: figures "
        "will differ."
    )


def _beside(path: Path, value: str) -> str:
    """Return a path as seen from the folder of the record."""
    if value == files.STANDARD_INPUT:
        return value
    found = Path(value).expanduser().resolve()
    try:
        return Path(os.path.relpath(found, path.parent.resolve())).as_posix()
    except ValueError:  # another drive
        return str(found)


def _by_name(texts: Sequence[str]) -> dict[str, str]:
    return dict(text.partition("=")[::2] for text in texts)


def _digest(data: str) -> str | None:
    file = Path(data).expanduser()
    if not file.is_file():
        return None
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    from importlib import metadata

    import tfp_flows

    packages = ("tensorflow", "tensorflow-probability", "keras")
    versions = {name: metadata.version(name) for name in packages}
    return {"tfp_flows": str(tfp_flows.__version__), **versions}
