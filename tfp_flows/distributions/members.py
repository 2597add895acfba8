"""The density of an ensemble: a mixture of the densities of its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows.distributions import shared
from tfp_flows.math import roots

__all__ = [
    "MixtureOfMembers",
    "lifted",
    "likely_weights",
    "log_mixture",
    "mixture_quantile",
]

# Log-slope that no Newton step believes in.
FLAT = -1e30
# Updates of the weights of members; each raises the likelihood.
WEIGHT_STEPS = 200


def log_mixture(log_probs: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the log-density of a mixture.

    Args:
        log_probs: Log-densities of the members, `[M, ...]`.
        logits: Logarithms of their weights, up to a constant, `[M]`, or `[M, *batch]`
            where they differ in the last dimensions of `[...]`.

    Returns:
        `[...]`.
    """
    logits = tf.cast(logits, log_probs.dtype)
    weights = lifted(tf.nn.log_softmax(logits, axis=0), log_probs.shape.rank)
    return tf.reduce_logsumexp(log_probs + weights, axis=0)


def mixture_quantile(
    value: tf.Tensor,
    of_members: tf.Tensor,
    tails: Callable[[tf.Tensor], Sequence[tf.Tensor]],
) -> tf.Tensor:
    """Return quantiles of a mixture over numbers, by Newton steps.

    Args:
        value: Probabilities, broadcasting against `[...]`.
        of_members: The quantiles of the members, `[M, ...]`, between which those of the
            mixture lie.
        tails: Called with places `[...]`; returns the logs of the probabilities below
            and above, and of the density, of the mixture.

    Returns:
        `[...]`.
    """
    low = tf.reduce_min(of_members, axis=0)
    high = tf.reduce_max(of_members, axis=0)
    value = tf.broadcast_to(value, tf.shape(low))
    level = tf.math.log(value) - tf.math.log1p(-value)

    def log_odds(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        below, above, log_prob = tails(x)
        log_slope = log_prob - below - above
        # Beyond all mass there is no slope, and the bracket is halved.
        flat = tf.fill(tf.shape(x), tf.constant(FLAT, x.dtype))
        return below - above, tf.where(tf.math.is_finite(log_slope), log_slope, flat)

    x = roots.solve(log_odds, level, low, high, bracketed=True).root
    x = tf.clip_by_value(x, low, high)
    end = tf.where(value > 0.5, high, low)
    return tf.where(tf.math.is_inf(level), end, x)


def lifted(logits: tf.Tensor, rank: int) -> tf.Tensor:
    """Return logits with dimensions of 1 behind that of the members.

    Args:
        logits: `[M]` or `[M, *batch]`.
        rank: Rank of the result, `[M, 1, ..., *batch]`.
    """
    ones = [1] * (rank - logits.shape.rank)
    if logits.shape.rank == 1:
        return tf.reshape(logits, [-1, *ones])
    shape = tf.shape(logits)
    return tf.reshape(logits, tf.concat([shape[:1], ones, shape[1:]], axis=0))


def likely_weights(log_probs: np.ndarray) -> np.ndarray:
    """Return the weights, `[M]`, of the mixture under which rows are most likely.

    Args:
        log_probs: Log-densities of the rows by each member, `[M, N]`.

    References:
        Yao, Vehtari, Simpson, Gelman (2018). Using stacking to average Bayesian
        predictive distributions. https://arxiv.org/abs/1704.02030
    """
    density = np.exp(log_probs - log_probs.max(axis=0))
    weights = np.full([len(log_probs), 1], 1.0 / len(log_probs))
    for _ in range(WEIGHT_STEPS):
        shares = weights * density
        weights = (shares / shares.sum(axis=0)).mean(axis=1, keepdims=True)
    return weights[:, 0]


class MixtureOfMembers(shared.Unsliced):
    """What `distribution()` of an ensemble returns: a mixture of densities of one kind.

    Each log-density costs one of every member. So does each sample, as for a
    `tfd.MixtureSameFamily`; `Ensemble.sample` asks each member for its own share only.

    Args:
        logits: Logarithms of the members' weights, up to a constant, `[M]`, or of
            weights for each density of the batch, `[M, *batch_shape]`.
        members: Their densities, of one batch shape and one event shape.
        weights_from: Variables and modules that the logits were computed from, so that
            they are found among the variables of the mixture.
        validate_args: Whether to run value checks.
        name: Name.
    """

    # All have the batch of the mixture, and the weights have none.
    _parameter_properties = shared.Unsliced.parameter_properties

    def __init__(
        self,
        logits: Any,
        members: Sequence[tfd.Distribution],
        *,
        weights_from: Sequence[tf.Variable | tf.Module] = (),
        validate_args: bool = False,
        name: str | None = None,
    ) -> None:
        parameters = dict(locals())
        self._logits = logits
        self._weights_from = list(weights_from)
        self._members = list(members)
        super().__init__(
            dtype=self._members[0].dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name or type(self).__name__,
        )

    @property
    def logits(self) -> Any:
        """Logarithms of the members' weights, up to a constant."""
        return self._logits

    @property
    def members(self) -> Sequence[tfd.Distribution]:
        """The densities of the members."""
        return self._members

    def __getitem__(self, slices: Any) -> MixtureOfMembers:
        """Return a part of a batch of densities.

        Raises:
            IndexError: If an index is out of the batch's range, or one too many.
        """
        members = [member[slices] for member in self._members]
        if self._logits.shape.rank == 1:
            return self.copy(members=members)
        places = slices if isinstance(slices, tuple) else (slices,)
        logits = tf.convert_to_tensor(self._logits)[(slice(None), *places)]
        return self.copy(logits=logits, members=members)

    def __reduce__(self) -> tuple[Any, ...]:
        # Arguments of a function, so that deep copies copy them.
        options = {
            "weights_from": list(self._weights_from),
            "validate_args": self.validate_args,
            "name": self.name,
        }
        return _build, (type(self), self._logits, list(self._members), options)

    def _batch_shape(self) -> tf.TensorShape:
        return self._members[0].batch_shape

    def _batch_shape_tensor(self, **_: Any) -> tf.Tensor:
        return self._members[0].batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return self._members[0].event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self._members[0].event_shape_tensor()

    def _default_event_space_bijector(self) -> Any:
        return self._members[0].experimental_default_event_space_bijector()

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        found = [member.log_prob(value) for member in self._members]
        return log_mixture(tf.stack(found), self._logits)

    # TFP's quantized distributions look for the first two.
    def _cdf(self, value: tf.Tensor) -> tf.Tensor:
        return tf.exp(self._log_cdf(value))

    def _survival_function(self, value: tf.Tensor) -> tf.Tensor:
        return tf.exp(self._log_survival_function(value))

    def _log_cdf(self, value: tf.Tensor) -> tf.Tensor:
        found = [member.log_cdf(value) for member in self._members]
        return log_mixture(tf.stack(found), self._logits)

    def _log_survival_function(self, value: tf.Tensor) -> tf.Tensor:
        found = [member.log_survival_function(value) for member in self._members]
        return log_mixture(tf.stack(found), self._logits)

    def _quantile(self, value: tf.Tensor) -> tf.Tensor:
        def tails(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return self._log_cdf(x), self._log_survival_function(x), self._log_prob(x)

        found = [member.quantile(value) for member in self._members]
        return mixture_quantile(value, tf.stack(found), tails)

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        which_seed, *seeds = tfp.random.split_seed(seed, len(self._members) + 1)
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        logits = tf.convert_to_tensor(self._logits)
        if logits.shape.rank == 1:
            which = tfd.Categorical(logits=logits).sample(shape, seed=which_seed)
        else:
            last = tf.transpose(logits, [*range(1, logits.shape.rank), 0])
            which = tfd.Categorical(logits=last).sample(n, seed=which_seed)
        which = tf.reshape(
            which, tf.concat([shape, [1] * self.event_shape.rank], axis=0)
        )
        draws = None
        for i, (member, own) in enumerate(zip(self._members, seeds, strict=True)):
            draw = member.sample(n, seed=own)
            draws = draw if draws is None else tf.where(tf.equal(which, i), draw, draws)
        return draws


def _build(
    kind: type[MixtureOfMembers], logits: Any, members: Any, options: dict[str, Any]
) -> MixtureOfMembers:
    """Put a mixture together again."""
    return kind(logits, members, **options)
