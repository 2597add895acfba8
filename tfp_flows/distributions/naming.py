"""Names of distributions, which joint distributions of TFP take for names of parts."""

from __future__ import annotations

import inspect
import re
from typing import Any

import keras

__all__ = ["Named", "given_name"]


class Named:
    """A distribution whose name, if it is the default, names no part of a joint one.

    TFP looks for defaults among positional arguments only: without this,
    `[density, lambda z: ...]` would be refused because the first part is named, say,
    "posterior", and two densities of a kind could not stand in one list.
    """

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments of the constructor; the name only if somebody gave it."""
        found = dict(super().parameters)  # type: ignore[misc]
        declared = inspect.signature(type(self).__init__).parameters.get("name")
        if declared is not None and found.get("name") in (None, declared.default):
            found.pop("name", None)
        return found


def given_name(model: keras.Model) -> str | None:
    """Return the name of a model, or `None` if Keras made it of the class' name.

    TFP takes names that a variable of Python may have: others are made one.
    """
    made = re.sub(r"_\d+$", "", model.name).replace("_", "")
    kind = re.sub(r"\W|_", "", type(model).__name__).lower()
    if made == kind or not model.name:
        return None
    if re.fullmatch(r"[a-z]\w*", model.name, flags=re.ASCII | re.IGNORECASE):
        return model.name
    words = re.sub(r"\W+", "_", model.name, flags=re.ASCII).strip("_")
    return words if words[:1].isalpha() else f"flow_{words}".rstrip("_")
