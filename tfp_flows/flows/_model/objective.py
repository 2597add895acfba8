"""Objectives: what a training step minimises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _context, _serialize
from tfp_flows._types import Seed
from tfp_flows.flows._model import batch as batches
from tfp_flows.flows._model import variables

__all__ = ["MaximumLikelihood", "Objective"]


class _Handles:
    """Holds variables where neither Keras nor TensorFlow tracks them again."""

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self.variables = tuple(variables)


class Objective(tf.Module):
    """What a training step minimises: the base class.

    A subclass implements `loss`. `fit(flow, x, objective=...)`,
    `flow.compile(objective=...)` and a loop of one's own, which calls the objective,
    then train by it.

    Modules and Keras layers in its attributes belong to it: a critic, a frozen copy of
    a flow. Their trainable variables are trained along with those of the flow. A
    `tf.train.Checkpoint` of the flow keeps them, the `.keras` file of the flow leaves
    them out.

    Attributes:
        needs_data: Whether a step needs events. Without, `fit(flow, None, steps=...)`.
        supports_jit: Whether XLA can compile the loss.

    Example:
        >>> import tensorflow as tf
        >>> import tfp_flows as tfpf
        >>> class Squares(tfpf.training.Objective):
        ...     def loss(self, flow, batch, *, seed, step):
        ...         return batch.mean(tf.square(flow(batch.inputs)))
        >>> flow = tfpf.flows.build("linear", 2, seed=0)
        >>> flow.compile("adam", objective=Squares())
    """

    needs_data = True
    supports_jit = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._handles: _Handles | None = None

    def prepare(self, flow: Any, rows: int | None = None) -> None:
        """Take in what is going to be trained; `compile` calls it, and `fit`.

        Args:
            flow: The flow.
            rows: Number of rows to train on, `None` where it is not known.
        """

    def loss(
        self,
        flow: Any,
        batch: batches.Batch | None,
        *,
        seed: tf.Tensor,
        step: tf.Tensor,
    ) -> tf.Tensor:
        """Return what a step minimises.

        Args:
            flow: The flow. `flow(batch.inputs)` and `flow.distribution()` are its
                density as it is trained, with dropout if it has some.
            batch: Events `x` with `condition` and `sample_weight`, which may be `None`;
                `None` if the step has no data. `batch.mean` is the weighted mean.
            seed: Stateless seed `[2]`, a new one in each training step.
            step: Number of steps before this one, `[]`.

        Returns:
            `[]`.
        """
        raise NotImplementedError

    def __call__(
        self, flow: Any, data: Any = None, *, seed: Seed = None, step: Any = 0
    ) -> tf.Tensor:
        """Return the loss in a training loop of one's own, in training mode.

        Args:
            flow: The flow.
            data: `x`, or `{"x": ..., "condition": ...}`, or with weights as in Keras
                `(inputs, None, sample_weight)`; `None` for none.
            seed: Int or stateless seed `[2]`.
            step: Number of steps before this one.
        """
        self.prepare(flow)
        shape = flow.condition_shape
        batch = None if data is None else batches.read(data, shape)
        with _context.training_scope(enabled=True):
            seed = _context.stateless_seed(seed)
            return self.loss(flow, batch, seed=seed, step=tf.convert_to_tensor(step))

    def _layers(self) -> list[keras.Layer]:
        return list(self._flatten(predicate=lambda v: isinstance(v, keras.Layer)))

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """Variables of its modules and of its Keras layers."""
        of_layers = (v.value for layer in self._layers() for v in layer.variables)
        found = {id(v): v for v in (*super().variables, *of_layers)}
        return tuple(found.values())

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """Those that are trained, in the same order."""
        return tuple(v.value for v in self.handles() if v.trainable)

    def handles(self) -> tuple[keras.Variable, ...]:
        """Return the variables as Keras' optimizers take them: always the same."""
        layers = {id(v): v for layer in self._layers() for v in layer.variables}
        if self._handles is None:
            plain = super().variables
            self._handles = _Handles(variables.adopt(plain, layers.values()))
        return (*layers.values(), *self._handles.variables)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`, for the files of flows."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Objective:
        """Build the objective from `get_config`."""
        return cls(**config)


@_serialize.register()
class MaximumLikelihood(Objective):
    """The mean negative log-likelihood, in nats per event: what flows train by."""

    def loss(
        self,
        flow: Any,
        batch: batches.Batch | None,
        *,
        seed: tf.Tensor,
        step: tf.Tensor,
    ) -> tf.Tensor:
        """Return the mean of `-log_prob`."""
        del seed, step
        if batch is None:
            msg = "`x` must be given: likelihood is that of data. Pass the events."
            raise ValueError(msg)
        return -batch.mean(flow(batch.inputs, training=_context.is_training()))
