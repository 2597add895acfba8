"""Ensembles: the mixture of several flows, trained as one vectorised model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _context, _serialize
from tfp_flows import distributions as bases
from tfp_flows._types import Condition, Shape, TensorLike
from tfp_flows.bijectors._core.base import Bijector
from tfp_flows.distributions.members import (
    MixtureOfMembers,
    likely_weights,
    log_mixture,
)
from tfp_flows.distributions.naming import given_name
from tfp_flows.flows import base
from tfp_flows.flows._model import member_compiled, variables
from tfp_flows.flows._model.columns import Columns
from tfp_flows.flows._model.member_training import TrainableMembers
from tfp_flows.flows._model.members import Hidden, Members, Tracked

__all__ = ["Ensemble", "reason_against"]

WEIGHTS = ("equal", "validation")


@_serialize.register()
class Ensemble(TrainableMembers, base.Flow):
    """Several flows of one kind whose densities are mixed.

    Members start from weights of their own. `fit` gives each its own order of batches
    and stops each where its own validation likelihood is best; all are trained by one
    function, traced once, in less than the time that they take one after the other.
    Where data are few, members err in different places, and the mixture is better than
    its members; where they disagree, it is noise that they have learned.

    Make one by `flows.build(name, shape, members=5)` or `fit(name, x, members=5)`.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        flow: Class of the members, or the name under which Keras has registered it.
        members: Number of members.
        bootstrap: Whether `fit` draws rows for each member, with replacement, in place
            of all rows.
        member_weights: `"equal"`, or `"validation"`: `fit` then weighs the members such
            that the rows held out are likely.
        columns: Names of the coordinates of a vector event.
        condition_columns: Names of the coordinates of a vector condition.
        seed: Int that fixes the initial weights; the first member has those of a single
            flow of this seed.
        name: Name.
        dtype: Keras dtype policy.
        **options: Further options of the members.

    Raises:
        ValueError: If there is no member, or if the flow has none that differ.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("linear", 2, members=3, seed=0)
        >>> flow.member_log_prob([[1., 2.]]).shape.as_list()
        [3, 1]
    """

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        flow: type[base.Flow] | str,
        members: int = 5,
        bootstrap: bool = False,
        member_weights: str = "equal",
        columns: Columns | None = None,
        condition_columns: Columns | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super(base.Flow, self).__init__(name=name, dtype=dtype, autocast=False)
        kind = _class(flow)
        _checks.count(members, 1, "members")
        _checks.one_of(member_weights, WEIGHTS, "member_weights")
        reason = reason_against(kind, options)
        if reason is not None:
            msg = f"`members` must be left out, as a `{kind.__name__}` {reason}."
            raise ValueError(msg)
        self.bootstrap, self.member_weights = bool(bootstrap), member_weights
        rng = _context.generator(seed)
        seeds = [seed, *rng.integers(2**31, size=members - 1).tolist()]
        if seed is None:
            seeds[0] = int(rng.integers(2**31))
        options |= {"columns": columns, "condition_columns": condition_columns}
        flows = [
            kind(event_shape, condition_shape, seed=own, dtype=dtype, **options)
            for own in seeds
        ]
        self._members = Members(flows)
        template = self._members.template
        self._event_shape = template.event_shape
        self._condition_shape = template.condition_shape
        self._options = dict(template.options)
        self.cells, self._spread_seed = template.cells, seeds[0]
        self.columns, self.condition_columns = columns, condition_columns
        self._seed, self._checkpoint = seed, False
        self._embedding = self._embedding_network = None
        self.fit_policy = dataclasses.replace(template.fit_policy, xla="gpu")
        zeros = tf.zeros([members], self.variable_dtype)
        self._log_weights = tf.Variable(zeros, trainable=False, name="log_weights")
        sums = tf.Variable(tf.pad(zeros, [[0, 1]]), trainable=False)
        self._member_sums = Hidden(sums)
        self._compiled = member_compiled.CompiledEnsemble(self)
        self._adopted = variables.adopt(
            [*self._members.variables, *self._members.shared, self._log_weights]
        )
        self._tracked_variables = Tracked(v.value for v in self._adopted)
        self.built = True

    @property
    def members(self) -> tuple[base.Flow, ...]:
        """Each member as a flow of its own, see `member`."""
        return tuple(self.member(i) for i in range(self.num_members))

    def member(self, i: int) -> base.Flow:
        """Return one member as a flow of its own, with a copy of its weights.

        Args:
            i: Its number, from 0 on.

        Raises:
            IndexError: If there is no such member.
        """
        if not -self.num_members <= i < self.num_members:
            msg = f"`i` must be a member, from 0 to {self.num_members - 1}, got {i}."
            raise IndexError(msg)
        template = self._template
        config = {**template.get_config(), **self._names_config()}
        config["name"] = f"{self.name}_{i}"
        flow = type(template).from_config(config)
        with self.loaded(i % self.num_members):
            for variable, value in zip(flow.adopted, template.adopted, strict=True):
                variable.assign(value)
        return flow

    @property
    def member_variables(self) -> list[tf.Variable]:
        """All variables of the members, `[M, ...]`."""
        return self._members.variables

    @property
    def log_weights(self) -> tf.Variable:
        """Logarithms of the members' weights in the mixture, up to a constant."""
        return self._log_weights

    @property
    def mixture_weights(self) -> tf.Tensor:
        """The weight of each member in the mixture, `[M]`."""
        return tf.nn.softmax(self._log_weights)

    def weigh(self, x: TensorLike, condition: Condition = None) -> None:
        """Weigh the members such that data are as likely as can be.

        Args:
            x: Rows that no member was trained on, `[N, *event_shape]`.
            condition: `[N, *condition_shape]`.
        """
        found = np.asarray(self.member_log_prob(x, condition), np.float64)
        weights = likely_weights(found.reshape(self.num_members, -1))
        least = np.finfo(self.variable_dtype).tiny
        self._log_weights.assign(np.log(np.maximum(weights, least)))

    def member_log_prob(
        self,
        x: TensorLike,
        condition: Condition = None,
        *,
        jit_compile: bool = False,
    ) -> tf.Tensor:
        """Return the log-density of data by each member, in nats.

        Args:
            x: Data, `[..., *event_shape]`; of a data frame, the columns of the flow.
            condition: `[..., *condition_shape]`, broadcasts against the data.
            jit_compile: Whether to compile by XLA, as in `log_prob`.

        Returns:
            `[M, ...]`.
        """
        x, condition = self.in_order(x, condition)
        found = self._compiled.log_prob(
            x,
            condition,
            jit_compile=jit_compile,
            kind="members",
            shape=(self.num_members,),
        )
        return member_compiled.members_first(found)

    def disagreement(self, x: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Return the deviation of the members' log-densities, in nats.

        What the data say, members agree on; where they differ by more than a few tenths
        of a nat, the density is a guess.

        Args:
            x: Data, `[..., *event_shape]`.
            condition: `[..., *condition_shape]`, broadcasts against the data.

        Returns:
            `[...]`.
        """
        return tf.math.reduce_std(self.member_log_prob(x, condition), axis=0)

    @property
    def _template(self) -> base.Flow:
        return self._members.template

    @property
    def num_maps(self) -> int:
        """Number of maps of each member, the standardisation included."""
        return self._template.num_maps

    @property
    def base(self) -> bases.Base:
        """The base density of the members."""
        return self._template.base

    @property
    def keeps_bounds(self) -> bool:
        """Whether no data leave the box of a bounded base in training."""
        return self._template.keeps_bounds

    def loaded(self, i: int) -> Any:
        """Give a flow that has the numbers of one member within a `with` block.

        Faster than `member`: all members have the functions that this flow has
        compiled. It is not to be kept.

        Args:
            i: Number of the member.
        """
        return self._members.loaded(i)

    def needs_validation(self, rows: int) -> bool:
        """Return whether a fit to so many rows can follow noise, as of one member.

        Args:
            rows: Number of events.
        """
        return self._template.needs_validation(rows)

    def bijector(self, condition: Condition = None) -> Bijector:
        """Raise: each member has a map of its own.

        Raises:
            NotImplementedError: Always.
        """
        del condition
        msg = "an ensemble has a map for each member: use `flow.member(i).bijector()`."
        raise NotImplementedError(msg)

    def partial(self, k: int, condition: Condition = None) -> tfd.Distribution:
        """Return the mixture of the members' densities after the first `k` maps.

        Args:
            k: From 0 (the base) to `num_maps` (the flow).
            condition: See `distribution`.

        Raises:
            ValueError: If `k` is out of range.
        """
        found = self._members.distributions(lambda flow: flow.partial(k, condition))
        return MixtureOfMembers(self._log_weights, found, name=given_name(self))

    def adapt(self, x: TensorLike, condition: Condition = None) -> None:
        """Set what each member computes from data, see `Flow.adapt`."""
        x, condition = self.in_order(x, condition)
        for i in range(self.num_members):
            with self._members.loaded(i) as flow:
                flow.adapt(x, condition)
                self._members.store(i)
        if self.cells is not None:
            self.forget_compiled()

    def forget_compiled(self) -> None:
        """Compile anew at the next call, after a change that no weight holds."""
        self._compiled = member_compiled.CompiledEnsemble(self)
        self.predict_function = None

    def members_log_prob(self, inputs: Any, *, vectorized: bool = False) -> tf.Tensor:
        """Return the log-density by each member, `[M, N]`, as traced functions do.

        Args:
            inputs: See `call`.
            vectorized: Whether all members are evaluated at once: sizes are known then.
        """
        training = _context.is_training()
        return self._members.each(
            lambda flow, _: flow.call(inputs, training), (), vectorized=vectorized
        )

    def call(
        self,
        inputs: TensorLike | dict[str, TensorLike],
        training: bool | None = None,  # noqa: FBT001
    ) -> tf.Tensor:
        """Return `log_prob` of `x`, or of `{"x": x, "condition": condition}`."""
        with _context.training_scope(bool(training)):
            found = self.members_log_prob(inputs)
        return log_mixture(found, self._log_weights)

    def _density_variables(self) -> tuple[tf.Variable, ...]:
        return tuple(self._members.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to build the same ensemble anew."""
        return {
            **self._template.get_config(),
            "flow": keras.saving.get_registered_name(type(self._template)),
            "members": self.num_members,
            "bootstrap": self.bootstrap,
            "member_weights": self.member_weights,
            **self._names_config(),
            "seed": self._seed,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    def __repr__(self) -> str:
        """Show the number of members, and the stack of one of them."""
        head = f"<{type(self).__name__} {self.name!r} of {self.num_members} members"
        return f"{head}, each {self._template!r}>"

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the maps of one member, as `Flow.summary` does."""
        write = print_fn or print
        name = type(self).__name__
        write(f"{name} {self.name!r} of {self.num_members} members, each")
        self._template.summary(line_length, positions, print_fn, **kwargs)


def _class(flow: type[base.Flow] | str) -> type[base.Flow]:
    """Return the class of members, by its registered name if it is given by that."""
    kind = keras.saving.get_registered_object(flow) if isinstance(flow, str) else flow
    if not (isinstance(kind, type) and issubclass(kind, base.Flow)):
        msg = f"`flow` must be the class of a flow, got {flow!r}. Use flows.build."
        raise TypeError(msg)
    if issubclass(kind, Ensemble):
        msg = "`flow` must be that of the members, got an ensemble. Give a larger one."
        raise TypeError(msg)
    return kind


def reason_against(kind: type[base.Flow], options: Mapping[str, Any]) -> str | None:
    """Return why a flow cannot be the member of an ensemble, `None` if it can.

    Args:
        kind: Its class.
        options: What it is built with.
    """
    reason = None
    if kind.fit_policy.method != "gradients":
        reason = "is fitted without gradients: fit several with seeds of their own"
    elif kind.on_images():
        reason = "is for images: fit several with seeds of their own"
    elif options.get("embedding") is not None:
        reason = "has an embedding, which members cannot share"
    elif hasattr(kind, "components"):
        reason = "is a mixture already: give it more components"
    elif "maps" in options:
        reason = "is of given maps, which would be equal in all members"
    return reason
