"""Weights with a prior: the most probable ones, or a distribution of them."""

from __future__ import annotations

import math
import weakref
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _context, _serialize
from tfp_flows.flows._model.batch import Batch
from tfp_flows.flows._model.members import own_variables
from tfp_flows.flows._model.objective import MaximumLikelihood
from tfp_flows.flows._model.swapped import Swapped, current, network_weights
from tfp_flows.flows.ensemble import Ensemble, reason_against

__all__ = ["MaximumAPosteriori", "MeanField"]


class _Hidden:
    """What an objective knows of a flow, where TensorFlow does not look for variables.

    Args:
        flow: The flow.
        weights: Of its networks.
    """

    def __init__(self, flow: Any, weights: list[tf.Variable]) -> None:
        self.of = weakref.ref(flow)
        self.weights = weights
        self.swapped: Swapped | None = None


class _WithPrior(MaximumLikelihood):
    """What objectives share that have a normal prior of the weights of networks.

    Args:
        prior_scale: Standard deviation of the prior.
        rows: Number of rows to train on; `fit` finds it.
        name: Name.
    """

    def __init__(
        self,
        prior_scale: float = 1.0,
        *,
        rows: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.prior_scale = _checks.positive(prior_scale, "prior_scale")
        if rows is not None:
            _checks.count(rows, 1, "rows")
        self.rows = rows
        self._rows_of_fit: int | None = None
        self._known: _Hidden | None = None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {"prior_scale": self.prior_scale, "rows": self.rows}

    def prepare(self, flow: Any, rows: int | None = None) -> None:
        """Find the weights of the networks of a flow.

        Args:
            flow: The flow.
            rows: Number of rows to train on, where it is known.

        Raises:
            ValueError: If it has no networks.
        """
        if rows is not None:
            self._rows_of_fit = int(rows)
        if self._known is None or self._known.of() is not flow:
            self._begin(flow)

    def _begin(self, flow: Any) -> _Hidden:
        """Take another flow for the one that is trained."""
        owner, kind = type(self).__name__, type(flow).__name__
        weights = network_weights(flow)
        if not weights:
            msg = (
                f"`{owner}` is for the weights of networks, and this `{kind}` has none."
                " Train it by likelihood."
            )
            raise ValueError(msg)
        self._known = _Hidden(flow, weights)
        return self._known

    def _state(self) -> _Hidden:
        if self._known is None:
            msg = (
                f"`{type(self).__name__}` knows no flow yet. Pass it to `fit` or "
                "`compile` first."
            )
            raise ValueError(msg)
        return self._known

    def _share(self, dtype: Any) -> tf.Tensor:
        """Return 1 over the number of rows, the part of a prior in a row's loss."""
        rows = self.rows or self._rows_of_fit
        if rows is None:
            msg = (
                f"`rows` must be given where `fit` does not see how many there are: "
                f"{type(self).__name__}(rows=...), the number of rows to train on."
            )
            raise ValueError(msg)
        return tf.constant(1.0 / rows, dtype)


@_serialize.register()
class MaximumAPosteriori(_WithPrior):
    """The most probable weights of networks: likelihood times a normal prior.

    The loss of a step is the mean negative log-likelihood, plus the negative
    log-density of the weights under a normal distribution around 0, but for its
    constant, over the number of rows to train on. It counts in training only:
    validation losses are likelihoods. What is trained beside networks, such as an
    affine map without a condition, has no prior.

    `fit` has `weight_decay=1e-4`, which pulls at all weights as well; pass
    `weight_decay=0` where the prior is meant to be the only one.

    Args:
        prior_scale: Standard deviation of the prior.
        rows: Number of rows to train on, for loops of one's own, datasets, and Keras'
            `fit`; `tfp_flows.fit` finds it where the rows are arrays or files.
        name: Name.

    Raises:
        ValueError: If the scale is not above 0, the number of rows is not known, or the
            flow has no networks.

    Example:
        >>> import tfp_flows as tfpf
        >>> x, condition = tfpf.datasets.conditional_toy("bimodal", 200, 0)
        >>> flow, history = tfpf.fit(
        ...     "maf-mol", x, condition, epochs=2, seed=0, verbose=0,
        ...     objective=tfpf.training.MaximumAPosteriori(prior_scale=0.5))
        >>> len(history.history["val_loss"])
        2
    """

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean of `-log_prob`, in training with the prior's part."""
        found = super().loss(flow, batch, seed=seed, step=step)
        if not _context.is_training():
            return found
        weights = current(flow, self._state().weights)
        squares = [tf.reduce_sum(tf.square(weight)) for weight in weights]
        cost = tf.add_n(squares) / (2.0 * self.prior_scale**2)
        return found + self._share(found.dtype) * tf.cast(cost, found.dtype)


@_serialize.register()
class MeanField(_WithPrior):
    """A normal distribution of each weight of networks, in place of one number.

    Variational inference: the posterior of the weights is approximated by independent
    normal distributions. Their means are the weights of the flow; their standard
    deviations belong to the objective. A step draws the weights, by reparametrisation,
    and minimises the mean negative log-likelihood plus the Kullback-Leibler divergence
    from the prior over the number of rows to train on: minus the lower bound of the
    evidence, per row. What is trained beside networks stays a number.

    After the fit the flow has the means. `draws` gives an ensemble of drawn weights,
    whose density is the posterior predictive one, and whose `disagreement` says where
    rows were too few. The validation loss is the likelihood at the means, which for
    wide posteriors is not that of the ensemble; `validation=None` trains on all rows
    to the end of `epochs`. A `tf.train.Checkpoint` keeps the deviations, the file of a
    flow leaves them out.

    Args:
        prior_scale: Standard deviation of the prior, a normal distribution around 0.
        rows: See `MaximumAPosteriori`.
        num_draws: Draws of the weights in each step.
        initial_scale: Standard deviations at the start.
        name: Name.

    Raises:
        ValueError: If a scale is not above 0, the number of rows is not known, the flow
            has no networks, or cannot be the member of an ensemble.

    Example:
        >>> import tfp_flows as tfpf
        >>> x, condition = tfpf.datasets.conditional_toy("bimodal", 200, 0)
        >>> objective = tfpf.training.MeanField()
        >>> flow, history = tfpf.fit(
        ...     "maf-mol", x, condition, epochs=2, seed=0, verbose=0,
        ...     objective=objective)
        >>> objective.draws(flow, 3, seed=0).log_prob(x, condition).shape.as_list()
        [200]

    References:
        Blundell et al. (2015). Weight Uncertainty in Neural Networks.
        https://arxiv.org/abs/1505.05424
    """

    def __init__(
        self,
        prior_scale: float = 1.0,
        *,
        rows: int | None = None,
        num_draws: int = 1,
        initial_scale: float = 0.05,
        name: str | None = None,
    ) -> None:
        super().__init__(prior_scale, rows=rows, name=name)
        _checks.count(num_draws, 1, "num_draws")
        self.num_draws = int(num_draws)
        self.initial_scale = _checks.positive(initial_scale, "initial_scale")
        self._log_scales: list[tf.Variable] = []

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        own = {"num_draws": self.num_draws, "initial_scale": self.initial_scale}
        return {**super().get_config(), **own}

    def _begin(self, flow: Any) -> _Hidden:
        kind = type(flow)
        reason = reason_against(kind, flow.get_config())
        if isinstance(flow, Ensemble):
            reason = "is one already: fit a single flow, of which `draws` makes one"
        if reason is not None:
            msg = (
                "`MeanField` needs a flow that can be the member of an ensemble, but a "
                f"`{kind.__name__}` {reason}."
            )
            raise ValueError(msg)
        known = super()._begin(flow)
        known.swapped = Swapped(flow, known.weights)
        self._handles = None  # of another flow
        with tf.init_scope():
            self._log_scales = [
                tf.Variable(
                    tf.fill(weight.shape, np.log(self.initial_scale)).numpy(),
                    dtype=weight.dtype,
                    name=f"log_scale_of_{weight.name.split(':')[0]}",
                )
                for weight in known.weights
            ]
        return known

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean of `-log_prob`; in training of drawn weights, with the KL."""
        if not _context.is_training():
            return super().loss(flow, batch, seed=seed, step=step)
        known = self._state()
        losses = []
        for i in range(self.num_draws):
            drawn = [
                mean + tf.exp(log_scale) * self._normal(mean, seed, (i, j))
                for j, (mean, log_scale) in enumerate(self._pairs())
            ]
            with known.swapped.by(drawn) as other:  # type: ignore[union-attr]
                losses.append(super().loss(other, batch, seed=seed, step=step))
        found = tf.add_n(losses) / self.num_draws
        cost = tf.add_n([self._divergence(*pair) for pair in self._pairs()])
        return found + self._share(found.dtype) * tf.cast(cost, found.dtype)

    def _pairs(self) -> list[tuple[tf.Variable, tf.Variable]]:
        return list(zip(self._state().weights, self._log_scales, strict=True))

    def _normal(
        self, weight: tf.Variable, seed: tf.Tensor, place: tuple[int, int]
    ) -> tf.Tensor:
        """Return normal numbers of the shape of a weight."""
        index = 1 + place[0] * len(self._log_scales) + place[1]
        apart = tf.constant([index * _context.CALL_SEEDS % tf.int32.max, 0], seed.dtype)
        return tf.random.stateless_normal(
            weight.shape, seed + apart, dtype=weight.dtype
        )

    def _divergence(self, mean: tf.Variable, log_scale: tf.Variable) -> tf.Tensor:
        """Return the divergence of a weight's posterior from the prior, in nats."""
        log_ratio = log_scale - tf.cast(math.log(self.prior_scale), mean.dtype)
        share = tf.square(mean / self.prior_scale) + tf.exp(2.0 * log_ratio)
        return tf.reduce_sum(0.5 * (share - 1.0) - log_ratio)

    def posterior(self) -> list[tfd.Normal]:
        """Return the distribution of each weight, in the order of the networks."""
        return [
            tfd.Normal(tf.identity(mean), tf.exp(log_scale), name="weight")
            for mean, log_scale in self._pairs()
        ]

    def draws(self, flow: Any, count: int = 50, *, seed: Any = None) -> Ensemble:
        """Return an ensemble of flows with weights drawn from the posterior.

        Its density is the mean of theirs: the posterior predictive one.

        Args:
            flow: The flow that was trained by this objective.
            count: How many are drawn.
            seed: Int.

        Raises:
            ValueError: If another flow was trained.
        """
        _checks.count(count, 1, "count")
        known = self._state()
        if known.of() is not flow:
            msg = (
                f"`flow` must be the one that this `{type(self).__name__}` has trained,"
                f" got another `{type(flow).__name__}`. Fit it by this objective."
            )
            raise ValueError(msg)
        rng = _context.generator(seed)
        drawn: dict[int, np.ndarray] = {}
        for mean, log_scale in self._pairs():
            normal = rng.normal(size=(count, *mean.shape))
            drawn[id(mean)] = mean.numpy() + np.exp(log_scale.numpy()) * normal
        return _ensemble(flow, count, drawn)


def _ensemble(flow: Any, count: int, values: dict[int, np.ndarray]) -> Ensemble:
    """Return an ensemble of flows that differ in some numbers.

    Args:
        flow: A flow, which has the others.
        count: Number of members.
        values: Numbers of each member, `[count, ...]`, by the identity of the variable.
    """
    kind = keras.saving.get_registered_name(type(flow))
    config = {**flow.get_config(), "flow": kind, "members": count}
    found = Ensemble.from_config(config)
    pairs = zip(found.member_variables, own_variables(flow), strict=True)
    for stack, variable in pairs:
        given = values.get(id(variable))
        stack.assign(tf.stack([variable] * count) if given is None else given)
    if flow.cells is not None:
        for mine, other in zip(
            found.cells.variables, flow.cells.variables, strict=True
        ):
            mine.assign(other)
        found.forget_compiled()
    return found
