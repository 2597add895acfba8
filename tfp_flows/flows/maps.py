"""Flows of maps that are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks, _serialize
from tfp_flows._types import Shape
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.flows import base
from tfp_flows.flows._model import serialization

__all__ = ["MapsFlow"]


@_serialize.register()
class MapsFlow(base.Flow):
    """A flow of maps that are given, see `Flow.from_maps`.

    Args:
        event_shape: Shape of one event; an int for vectors; `None` for that of a map.
        condition_shape: Shape of the condition; `None` for that of the maps.
        maps: Maps on events, from the base to the data.
        standardized: Whether the maps work on standardised data.
        **kwargs: `base`, `embedding`, `columns`, `condition_columns`, `checkpoint`,
            `seed`, `name`, `dtype`: see `Flow`.

    Raises:
        ValueError: If a shape is missing, or if the maps do not agree on it.
    """

    keeps_bounds = True  # as the maps do: they are not known
    _on_vectors = False

    def __init__(
        self,
        event_shape: Shape | None = None,
        condition_shape: Shape | None = None,
        *,
        maps: Sequence[tfb.Bijector],
        standardized: bool = False,
        **kwargs: Any,
    ) -> None:
        parts = [
            serialization.from_plain(part) if isinstance(part, dict) else part
            for part in maps
        ]
        for part in parts:
            if not isinstance(part, tfb.Bijector):
                msg = (
                    "`maps` must be bijectors of TFP or tfp_flows, got a "
                    f"`{type(part).__name__}`. Derive it from tfpf.bijectors.Bijector."
                )
                raise TypeError(msg)
        rank = max((part.forward_min_event_ndims for part in parts), default=0)
        stated = [getattr(part, "checked_shape", None) for part in parts]
        known = [tuple(s) for s in stated if s and len(s) == rank]
        shape = _checks.optional_shape(event_shape, "event_shape")
        if shape is None and not known:
            msg = (
                "`event_shape` must be given, since no map states it. Pass for "
                "example event_shape=2."
            )
            raise ValueError(msg)
        tail = None if shape is None else shape[max(0, len(shape) - rank) :]
        if tail is not None and (len(tail) < rank or {tail, *known} != {tail}):
            need = str(known[0]) if known else f"of rank {rank} or more"
            msg = (
                f"`event_shape` must be {need}, as the maps need, got {shape}. Leave "
                "it out, or build the maps for it."
            )
            raise ValueError(msg)
        shape = known[0] if shape is None else shape
        if condition_shape is None and kwargs.get("embedding") is None:
            shapes = [getattr(part, "condition_shape", None) for part in parts]
            condition_shape = next((s for s in shapes if s is not None), None)
        options = {"maps": parts, "standardized": bool(standardized)}
        super().__init__(shape, condition_shape, options=options, **kwargs)

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        return list(self._options["maps"])

    def _make_preprocessing(self) -> list[bijector_base.Bijector]:
        if not self._options["standardized"]:
            return []
        return [
            standardize.Standardize.trainable(
                self.event_shape, dtype=self.variable_dtype
            )
        ]

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same flow.

        Raises:
            TypeError: If a map is of a class that is not known by name.
        """
        config = super().get_config()
        maps = [serialization.to_plain(part, "maps") for part in config["maps"]]
        return {**config, "maps": maps}
