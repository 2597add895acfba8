"""A flow whose options are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfp_flows._types import Shape
from tfp_flows.flows import base
from tfp_flows.flows._model import options
from tfp_flows.flows._model.options import option

__all__ = ["Recipe"]


class Recipe(options.Declared, base.Flow):
    """A flow whose options are declared in the body of its class, see `options`.

    It has four slots: preprocessing of the data, layers, their transformer, and the
    base density. A ready-made flow is a class that fills some of them, and changes
    defaults.
    """

    if TYPE_CHECKING:  # what editors show of arguments that all flows have
        event_shape: Any = option(kw_only=False)
        condition_shape: Any = option(default=None, kw_only=False)
        base: Any = option(default="normal")
        embedding: Any = option(default=None)
        columns: Any = option(default=None)
        condition_columns: Any = option(default=None)
        preprocessing: Any = option(default=None)
        checkpoint: bool = option(default=False)
        seed: int | None = option(default=None)
        name: str | None = option(default=None)
        dtype: Any = option(default=None)

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        own, common = self.read_options(given)
        super().__init__(event_shape, condition_shape, options=own, **common)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same flow with new weights."""
        config = super().get_config()
        own = {name: options.plain(config[name]) for name in self.declared}
        return {**config, **own}
