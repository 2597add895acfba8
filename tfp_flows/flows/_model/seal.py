"""The seal of a saved flow: checksums, by which a changed file is found.

A `.keras` file is a zip archive, and the seal is its comment, which `unzip -z` prints.
The archive's own checksums find damage on the way; the seal finds members that were
swapped or written anew, too, since it is made of the numbers themselves. Files of
before have none, and load. Keras' own ways to load see no comment: for them the numbers
of maps and base, those of networks of Keras inside, and the architecture have checksums
beside them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

__all__ = [
    "CHECKSUM",
    "BrokenSealError",
    "Seal",
    "checked",
    "config_digest",
    "of_network",
    "put",
    "read",
    "require_config",
    "sealing_config",
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
CHANGED_CONFIG = (
    "Its `config.json` is not the one that was saved (its checksum differs). Take a "
    "copy of the file that was not changed."
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
        require_config(config, self.config)

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


@contextlib.contextmanager
def sealing_config(flow: Any) -> Iterator[None]:
    """Have `get_config` of a flow add the checksum of what it returns.

    Keras writes what `get_config` returns, and nothing beside it that it reads again.

    Args:
        flow: The flow that is saved inside the `with` block.
    """
    plain, own = flow.get_config, "get_config" in vars(flow)

    def sealed() -> dict[str, Any]:
        config = plain()
        written = keras.saving.serialize_keras_object(config)
        return {**config, CHECKSUM: config_digest(written)}

    flow.__dict__["get_config"] = sealed
    try:
        yield
    finally:
        del flow.__dict__["get_config"]
        if own:
            flow.__dict__["get_config"] = plain


def require_config(config: dict[str, Any], wanted: str | None) -> None:
    """Raise unless a configuration is that of a checksum, if there is one.

    Args:
        config: As it was read.
        wanted: The checksum.

    Raises:
        BrokenSealError: If it was changed.
    """
    if wanted is not None and wanted != config_digest(config):
        raise BrokenSealError(CHANGED_CONFIG)


class _NetworkSeal(keras.Loss):
    """The checksum of a network of Keras inside a flow.

    Keras saves and loads what a model holds one after the other, attributes in the
    order of their names: this one after the network, whose numbers are there by then.
    Of all that Keras saves and loads, losses alone are no part of a model.
    """

    def __init__(self, network: keras.Layer) -> None:
        super().__init__(name="seal")
        self._digest = lambda: bytes.fromhex(weights_digest(network))

    def save_own_variables(self, store: Any) -> None:
        """Keep the checksum."""
        store[CHECKSUM] = np.frombuffer(self._digest(), np.uint8)

    def load_own_variables(self, store: Any) -> None:
        """Compare the numbers with it; files of before have none."""
        wanted = store[CHECKSUM] if CHECKSUM in set(store.keys()) else None
        if wanted is not None and np.asarray(wanted).tobytes() != self._digest():
            raise BrokenSealError(CHANGED_WEIGHTS)


def of_network(network: keras.Layer | None) -> Any:
    """Return what seals a network as the attribute of a flow, `None` for none."""
    return None if network is None else _NetworkSeal(network)


def _digest(weights: Iterable[Any]) -> Any:
    digest = hashlib.sha256()
    for weight in weights:
        values = np.ascontiguousarray(weight)
        digest.update(f"{values.dtype.name} {np.shape(weight)};".encode())
        digest.update(values.tobytes())
    return digest


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
