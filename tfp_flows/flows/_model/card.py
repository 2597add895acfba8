"""The card of a flow: of which data it is, how good it was, and what made it.

It is plain JSON, kept in the seal of a saved file. A fit writes it; the same fit with
the same seed and versions writes the same bytes.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from tfp_flows.flows._model import seal

__all__ = ["LARGEST", "Carded", "versions"]

# Bytes; the comment of an archive, where it is kept, holds no more.
LARGEST = 50_000
PACKAGES = ("tfp_flows", "tensorflow", "tensorflow-probability", "keras", "numpy")
# What is true of the weights of the fit only.
_OF_THE_FIT = ("log_likelihood", "gaussian")
NOTE = "The weights were changed after this fit: its figures are left out."


class Carded:
    """A flow that knows where it comes from."""

    _card_text: str | None = None

    @property
    def card(self) -> dict[str, Any] | None:
        """What a fit says of the flow, `None` without one; see `docs/how_to/saving.md`.

        Setting it adds to it or replaces it: plain numbers and texts, such as
        `flow.card = {**flow.card, "licence": "CC BY 4.0"}`. Where the weights have
        changed since the fit, its figures are left out and a note says so.
        """
        if self._card_text is None:
            return None
        found: dict[str, Any] = json.loads(self._card_text)
        weights = found.get("weights")
        if weights is not None and weights != seal.weights_digest(self):
            for name in _OF_THE_FIT:
                found.pop(name, None)
            found["note"] = NOTE
        return found

    @card.setter
    def card(self, card: Mapping[str, Any] | None) -> None:
        if card is None:
            self._card_text = None
            return
        try:
            text = json.dumps(dict(card), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            msg = (
                "`card` must hold texts, finite numbers, lists and mappings of them, "
                f"got something else: {error}. Leave it out."
            )
            raise ValueError(msg) from error
        if len(text.encode()) > LARGEST:
            msg = (
                f"`card` must be of at most {LARGEST} bytes, got {len(text.encode())}."
            )
            raise ValueError(msg)
        self._card_text = text


def versions() -> dict[str, str]:
    """Return the versions of what makes a flow."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # a source tree that is not installed
            found[package] = "unknown"
    return found
