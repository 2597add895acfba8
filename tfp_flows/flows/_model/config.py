"""The configuration from which a flow is built again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from tensorflow_probability import bijectors as tfb

from tfp_flows import _serialize
from tfp_flows import distributions as bases
from tfp_flows._types import Shape
from tfp_flows.flows._model import seal, serialization
from tfp_flows.preprocessing import Preprocessing

__all__ = ["Configured"]


class Configured(keras.Model):
    """Configurations of a flow, and flows of maps."""

    event_shape: tuple[int, ...]
    condition_shape: tuple[int, ...] | None
    preprocessing: Preprocessing | None
    _names_config: Callable[[], dict[str, Any]]  # names, and what belongs to them
    options: Mapping[str, Any]
    base: bases.Base
    _checkpoint: bool
    _seed: int | None
    _embedding_network: keras.Layer | None

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same flow with new weights."""
        return {
            "event_shape": list(self.event_shape),
            "condition_shape": _serialize.listed(self.condition_shape),
            **self.options,
            "base": _plain_base(self.base),
            "embedding": _plain_network(self._embedding_network),
            **self._names_config(),
            **self._preprocessing_config(),
            "checkpoint": self._checkpoint,
            "seed": self._seed,
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "format_version": _serialize.FORMAT_VERSION,
        }

    def _preprocessing_config(self) -> dict[str, Any]:
        """Return what the columns are, nothing where all of them are plain numbers."""
        spec = self.preprocessing
        return {} if spec is None else {"preprocessing": spec.get_config()}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """Build a flow from `get_config`.

        Raises:
            ValueError: If the configuration was written by a newer format, or is not
                the one that `save` wrote.
        """
        config = dict(config)
        wanted = config.pop(seal.CHECKSUM, None)
        written = dict(config)
        units, types = config.pop("units", None), config.pop("column_types", None)
        flow = cls(**_read(config, custom_objects))
        # What is wrong with an option was said by now.
        seal.require_config(written, wanted)
        flow.units, flow.column_types = units, types
        return flow

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: a density is not what it was with weights of 8 bits.

        Raises:
            NotImplementedError: Always.
        """
        del args, kwargs
        msg = (
            "A flow cannot be quantized: its inverse and its log-det have to agree to "
            "all digits. Build it with dtype='mixed_bfloat16' for faster networks."
        )
        raise NotImplementedError(msg)

    @classmethod
    def from_maps(
        cls,
        maps: Sequence[tfb.Bijector],
        event_shape: Shape | None = None,
        **given: Any,
    ) -> Any:
        """Return a flow of maps of your own.

        Args:
            maps: From the base to the data, as in `partial`. Each is of `bijectors`, a
                subclass of `bijectors.Bijector`, or of TFP. To be saved, other classes
                must be registered by `keras.saving.register_keras_serializable()`.
            event_shape: Shape of one event, if no map states it.
            **given: `condition_shape`; `standardized=True` for maps that work on
                standardised data; `base`, `embedding`, `columns`,
                `condition_columns`, `preprocessing`, `checkpoint`, `name`, `dtype` as
                above.

        Example:
            >>> import tfp_flows as tfpf
            >>> from tfp_flows.bijectors import LU, PReLU
            >>> maps = [LU.trainable(2), PReLU.trainable()]
            >>> flow = tfpf.flows.Flow.from_maps(maps, base="student-t")
            >>> flow.sample(3, seed=1).shape.as_list()
            [3, 2]
        """
        from tfp_flows.flows.maps import MapsFlow  # a subclass

        return MapsFlow(event_shape, maps=maps, **given)


def _plain_base(base: Any) -> Any:
    """Return the name of a base density, or its distribution by class and arguments.

    Raises:
        TypeError: If a part of it is of a class that is not known by name.
    """
    given = getattr(base, "given", None)
    return base.kind if given is None else serialization.to_plain(given, "base")


def _plain_network(network: keras.Layer | None) -> dict[str, Any] | None:
    """Return the configuration of a network of Keras."""
    return None if network is None else keras.saving.serialize_keras_object(network)


def _read(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the arguments of a flow's class.

    Args:
        config: What `get_config` of a flow has returned.
        custom_objects: Classes by name, for the embedding.

    Raises:
        ValueError: If the configuration was written by a newer format.
    """
    config = dict(config)
    version = config.pop("format_version", _serialize.FORMAT_VERSION)
    _serialize.require_readable(version)
    if config.get("embedding") is not None:
        config["embedding"] = keras.saving.deserialize_keras_object(
            config["embedding"], custom_objects
        )
    if "base" in config:
        config["base"] = serialization.from_plain(config["base"])
    return config
