"""Densities that say so where values at hand are doubtful."""

from __future__ import annotations

import contextvars
from typing import Any

import tensorflow as tf

from tfp_flows import _arrays, _checks, _context, _findings
from tfp_flows._types import Seed
from tfp_flows.distributions import pathwise

__all__ = ["Noticing", "passed_on"]

# What TFP says where it has no closed form.
OF_TFP = "is not implemented"
# What to do then.
BY_DRAWS = {
    "mean": "A flow has flow.{}(...), from draws; else average over sample(n).",
    "quantile": "A flow has flow.quantile(p), of each coordinate, from draws.",
    "covariance": "Take it from draws, sample(n).",
    "mode": "Climb log_prob from several draws, sample(n).",
}

# What TFP passes on to the density and to the map inside another one.
PASSED_ON = ("distribution_kwargs", "bijector_kwargs")

# Whether a density that holds another one has looked at the values already.
_looked = contextvars.ContextVar("tfp_flows_looked", default=False)


def passed_on(kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what goes to the density inside, and what to the map, as TFP does.

    Args:
        kwargs: Of a method, beside those that TFP names.

    Raises:
        TypeError: If there is another one: TFP's `TransformedDistribution` leaves it
            unused, without a word.
    """
    for word in kwargs:
        if word not in PASSED_ON:
            remedy = f"Leave it out: it would not be used. TFP passes {PASSED_ON} on."
            if word == "condition":
                remedy = (
                    "A density has its condition already: take another one of "
                    "`flow.distribution(condition)`, or ask the flow, which has "
                    "`log_prob(x, condition)` and `sample(n, condition)`."
                )
            msg = f"`{word}` must be an argument of this density, which has none. "
            raise TypeError(msg + remedy)
    density, bijector = (kwargs.get(word, {}) for word in PASSED_ON)
    return density, bijector


class Noticing:
    """A distribution whose `log_prob` notices NaN, and keeps the digits of integers.

    To stand before a class of TFP. Values of graphs are not known, and not noticed.

    Attributes:
        takes_gaps: Whether NaN leaves a coordinate out, and needs no notice.
        own_words: Arguments of its own `log_prob`.
    """

    takes_gaps = False
    own_words: tuple[str, ...] = ()
    dtype: Any
    event_shape: tf.TensorShape

    def _notice(self, value: tf.Tensor) -> None:
        """Say what of values is doubtful."""
        if not self.takes_gaps and self.event_shape.rank is not None:
            _findings.notice_missing(value, self.event_shape.rank)

    def _call_on(self, name: str, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of TFP on a value in the dtype of the density."""
        known = ("name", *self.own_words)
        passed_on({k: v for k, v in kwargs.items() if k not in known})
        is_dense = isinstance(value, (tf.Tensor, tf.Variable))
        if not is_dense or not value.dtype.is_floating:
            value = _arrays.as_tensor(value, self.dtype, "value")
        if self.event_shape.is_fully_defined():
            event_shape = tuple(self.event_shape.as_list())
            owner = f"`{type(self).__name__}`"
            _checks.require_trailing(value.shape, event_shape, "value", owner)
        if not _looked.get():
            self._notice(value)
        token = _looked.set(True)
        try:
            return getattr(super(), name)(value, *args, **kwargs)
        finally:
            _looked.reset(token)

    def log_prob(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the log-density, as in TFP; integers keep their digits."""
        return self._call_on("log_prob", value, *args, **kwargs)

    def sample(
        self,
        sample_shape: Any = (),
        seed: Seed = None,
        name: str = "sample",
        **kwargs: Any,
    ) -> Any:
        """Return samples, as in TFP."""
        passed_on(kwargs)
        pathwise.require_right_tangents(self)
        seed = _context.seed_of_tfp(seed)
        return super().sample(sample_shape, seed, name, **kwargs)  # type: ignore[misc]

    def experimental_sample_and_log_prob(
        self, sample_shape: Any = (), seed: Seed = None, **kwargs: Any
    ) -> Any:
        """Return samples and their log-density, as in TFP."""
        pathwise.require_right_tangents(self)
        draw = super().experimental_sample_and_log_prob  # type: ignore[misc]
        return draw(sample_shape, seed=_context.seed_of_tfp(seed), **kwargs)

    def prob(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the density, as in TFP; integers keep their digits."""
        return self._call_on("prob", value, *args, **kwargs)

    def cdf(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the distribution function, as in TFP; integers keep their digits."""
        return self._call_on("cdf", value, *args, **kwargs)

    def _or_by_draws(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Return a statistic where TFP has a closed form, or say how to have it.

        Raises:
            NotImplementedError: If there is none.
        """
        try:
            return getattr(super(), name)(*args, **kwargs)
        except NotImplementedError as error:
            own = "" if OF_TFP in str(error) else f"{error} "
            msg = (
                f"`{name}` of a `{type(self).__name__}` has no closed form here. {own}"
                f"{BY_DRAWS.get(name, BY_DRAWS['mean']).format(name)}"
            )
            raise NotImplementedError(msg) from None

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """Return the mean, as in TFP, where there is a closed form."""
        return self._or_by_draws("mean", *args, **kwargs)

    def stddev(self, *args: Any, **kwargs: Any) -> Any:
        """Return the deviation, as in TFP, where there is a closed form."""
        return self._or_by_draws("stddev", *args, **kwargs)

    def variance(self, *args: Any, **kwargs: Any) -> Any:
        """Return the variance, as in TFP, where there is a closed form."""
        return self._or_by_draws("variance", *args, **kwargs)

    def entropy(self, *args: Any, **kwargs: Any) -> Any:
        """Return the entropy, as in TFP, where there is a closed form."""
        return self._or_by_draws("entropy", *args, **kwargs)

    def quantile(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return a quantile, as in TFP, where there is a closed form."""
        return self._or_by_draws("quantile", value, *args, **kwargs)

    def covariance(self, *args: Any, **kwargs: Any) -> Any:
        """Return the covariance, as in TFP, where there is a closed form."""
        return self._or_by_draws("covariance", *args, **kwargs)

    def mode(self, *args: Any, **kwargs: Any) -> Any:
        """Return the mode, as in TFP, where there is a closed form."""
        return self._or_by_draws("mode", *args, **kwargs)
