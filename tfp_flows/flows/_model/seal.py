"""The seal of a saved flow: checksums, by which a changed file is found.

A `.keras` file is a zip archive, and the seal is its comment, which `unzip -z` prints.
The archive's own checksums find damage on the way; the seal finds members that were
swapped or written anew, too, since it is made of the numbers themselves. Files of
before have none, and load. Keras' own ways to load see no comment: for them the numbers
of maps and base have a checksum beside them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = [
    "CHECKSUM",
    "BrokenSealError",
    "Seal",
    "checked",
    "config_digest",
    "put",
    "read",
    "stored_digest",
    "weights_digest",
]

KEY = "tfp_flows"
# Name of the checksum among the numbers of a flow.
CHECKSUM = "sha256"
CHANGED_WEIGHTS = (
    "Its weights are not those that were saved (their checksum differs). Take a copy "
    "of the file that was not changed."
)


class BrokenSealError(ValueError):
    """A sentence about what was changed in a file."""


@dataclasses.dataclass(frozen=True)
class Seal:
    """Checksums of a saved flow; empty ones fit anything.

    Attributes:
        config: Of the architecture, SHA-256.
        weights: Of the numbers, SHA-256.
        card: What the file says of its flow.
    """

    config: str | None = None
    weights: str | None = None
    card: dict[str, Any] | None = None

    def require_config(self, config: dict[str, Any]) -> None:
        """Raise unless an architecture is the one that was saved."""
        if self.config not in (None, config_digest(config)):
            msg = (
                "Its `config.json` is not the one that was saved (its checksum "
                "differs). Take a copy of the file that was not changed."
            )
            raise BrokenSealError(msg)

    def require_weights(self, flow: Any) -> None:
        """Raise unless the weights of a flow are those that were saved."""
        if self.weights not in (None, weights_digest(flow)):
            raise BrokenSealError(CHANGED_WEIGHTS)


def put(flow: Any, path: str | os.PathLike[str]) -> None:
    """Seal a file that Keras has just written.

    Args:
        flow: The flow whose file it is.
        path: The file.
    """
    with zipfile.ZipFile(path, "a") as archive:
        config = json.loads(archive.read("config.json"))
        card = flow.card
        found = {
            "card": card,
            "card_sha256": hashlib.sha256(_canonical(card)).hexdigest(),
            "config": config_digest(config),
            "weights": weights_digest(flow),
        }
        archive.comment = _canonical({KEY: found})


def read(path: str | os.PathLike[str]) -> Seal:
    """Return the seal of a file, an empty one if it has none.

    Raises:
        BrokenSealError: If there is a damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        comment = archive.comment
    if not comment:
        return Seal()
    try:
        found = json.loads(comment)[KEY]
        card = found["card"]
        seal = Seal(found["config"], found["weights"], card)
        if hashlib.sha256(_canonical(card)).hexdigest() != found["card_sha256"]:
            seal = Seal("", "")
    except (ValueError, KeyError, TypeError):
        seal = Seal("", "")
    if not all(
        isinstance(v, str) and len(v) == 64 for v in (seal.config, seal.weights)
    ):
        msg = "Its checksums are damaged. Take another copy of the file."
        raise BrokenSealError(msg)
    return seal


def config_digest(config: dict[str, Any]) -> str:
    """Return the checksum of an architecture, whatever the order of its keys."""
    return hashlib.sha256(_canonical(config)).hexdigest()


def weights_digest(flow: Any) -> str:
    """Return the checksum of a flow's weights: their types, shapes and bits."""
    return _digest(flow.weights).hexdigest()


def stored_digest(store: Any) -> np.ndarray:
    """Return the checksum of numbers that Keras stores by name, `[32]`."""
    names = sorted(name for name in store.keys() if name != CHECKSUM)  # noqa: SIM118
    return np.frombuffer(_digest(store[name] for name in names).digest(), np.uint8)


def checked(store: Any) -> dict[str, Any]:
    """Return numbers that Keras has stored by name, without their checksum.

    Raises:
        BrokenSealError: If they are not those that were stored.
    """
    found = {name: store[name] for name in store.keys()}  # noqa: SIM118
    wanted = found.pop(CHECKSUM, None)
    if wanted is not None and not np.array_equal(wanted, stored_digest(found)):
        raise BrokenSealError(CHANGED_WEIGHTS)
    return found


def _digest(weights: Iterable[Any]) -> Any:
    digest = hashlib.sha256()
    for weight in weights:
        values = np.ascontiguousarray(weight)
        digest.update(f"{values.dtype.name} {np.shape(weight)};".encode())
        digest.update(values.tobytes())
    return digest


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
