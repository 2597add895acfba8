"""Every argument and shape check, with its message: a file for each kind of thing."""

from tfp_flows._checks.conditions import (
    lifted_condition,
    require_condition,
)
from tfp_flows._checks.scalars import (
    at_least,
    between,
    count,
    divides,
    fraction,
    interval,
    plain_number,
    positive,
)
from tfp_flows._checks.shapes import (
    batch_index,
    event_shape,
    hidden_units,
    optional_shape,
    require_trailing,
    sample_shape,
    static_shape,
)
from tfp_flows._checks.words import (
    did_you_mean,
    function,
    of_kind,
    one_of,
    supports_floating,
    verbosity,
)

__all__ = [
    "at_least",
    "batch_index",
    "between",
    "count",
    "did_you_mean",
    "divides",
    "event_shape",
    "fraction",
    "function",
    "hidden_units",
    "interval",
    "lifted_condition",
    "of_kind",
    "one_of",
    "optional_shape",
    "plain_number",
    "positive",
    "require_condition",
    "require_trailing",
    "sample_shape",
    "static_shape",
    "supports_floating",
    "verbosity",
]
