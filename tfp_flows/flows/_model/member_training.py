"""How ensembles train: each member by its own loss, all in one step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _context
from tfp_flows.distributions.members import log_mixture
from tfp_flows.flows._model import batch as batches
from tfp_flows.flows._model import optimizer as updates
from tfp_flows.flows._model.members import Members
from tfp_flows.flows._model.objective import MaximumLikelihood
from tfp_flows.flows._model.trainable import VALIDATION_STEP, TrainableModel

__all__ = ["TrainableMembers"]


class TrainableMembers(TrainableModel):
    """A Keras model of several flows, whose steps train all of them.

    A subclass sets `_members`, `_log_weights` and `_member_sums`.
    """

    event_shape: tuple[int, ...]
    condition_shape: tuple[int, ...] | None
    _members: Members
    _log_weights: tf.Variable
    _member_sums: Any

    @property
    def member_losses(self) -> tf.Tensor:
        """Mean loss of each member, `[M]`, since training or validation began anew."""
        sums = self._member_sums.variable
        return sums[:-1] / tf.maximum(sums[-1], 1.0)

    def reset_metrics(self) -> None:
        """Begin the means of losses anew."""
        super().reset_metrics()
        sums = self._member_sums.variable
        sums.assign(tf.zeros_like(sums))

    def train_step(self, data: Any) -> Any:
        """Do one training step of every member.

        A batch `[N, ...]` is for all members; one `[M, N, ...]` has its part for each.
        """
        steps = tf.cast(self.optimizer.iterations, tf.int32)
        batch = self._prepared(batches.read(data, self.condition_shape), steps)
        seed = tf.stack([self._objective_seed, steps])
        trained = self._trained()
        with _context.training_scope(enabled=True):
            if self._is_likelihood() and _has_sizes(data):
                losses, gradients = self._all_at_once(batch, seed, steps, trained)
            else:
                losses, gradients = self._one_by_one(batch, seed, steps, trained)
        pairs = zip(gradients, trained, strict=True)
        compiles = bool(self.jit_compile)
        with self._unclipped(), updates.stacked(self.optimizer, jit_compile=compiles):
            self.optimizer.apply_gradients(pairs)
        return self._counted(tf.reduce_mean(losses), losses, batch)

    def test_step(self, data: Any) -> Any:
        """Evaluate the objective on one batch: by likelihood, that of the mixture."""
        read = batches.read(data, self.condition_shape)
        batch: Any = self._prepared(read, tf.constant(VALIDATION_STEP))
        if not self._is_likelihood():
            seed = tf.stack([self._objective_seed, VALIDATION_STEP])
            step = tf.constant(VALIDATION_STEP)
            losses = self._each_loss(batch, seed, step)
            return self._counted(tf.reduce_mean(losses), losses, batch)
        log_probs = self.members_log_prob(batch.inputs, vectorized=_has_sizes(data))
        means = tf.stack([batch.mean(row) for row in tf.unstack(log_probs)])
        mean = batch.mean(log_mixture(log_probs, self._log_weights))
        return self._counted(-mean, -means, batch)

    def members_log_prob(self, inputs: Any, *, vectorized: bool = False) -> tf.Tensor:
        """Return the log-density by each member, `[M, N]`, as traced functions do."""
        raise NotImplementedError

    @property
    def num_members(self) -> int:
        """Number of members."""
        return self._members.count

    def _is_likelihood(self) -> bool:
        return type(self.objective) is MaximumLikelihood

    def _counted(self, loss: tf.Tensor, losses: tf.Tensor, batch: Any) -> Any:
        size = 1 if batch is None else batch.size
        losses = tf.ensure_shape(losses, [self.num_members])
        size = tf.cast(size, losses.dtype)
        new = tf.concat([losses * size, [size]], axis=0)
        self._member_sums.variable.assign_add(new)
        return self._logs(loss, batch)

    def _given(self, batch: batches.Batch | None) -> dict[str, tf.Tensor]:
        """Return what each member is given of a batch, `[M, ...]`."""
        if batch is None:
            return {}
        x = batch.x
        if x is None or tf.convert_to_tensor(x).shape.rank != len(self.event_shape) + 2:
            return {}
        fields = {
            "x": batch.x,
            "condition": batch.condition,
            "sample_weight": batch.sample_weight,
            "extra": batch.extra,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _loss_of(self, batch: Any, seed: tf.Tensor, step: tf.Tensor) -> Any:
        """Return the loss of a flow and its part of a batch, as a function."""

        def loss(flow: Any, part: dict[str, tf.Tensor]) -> tf.Tensor:
            own = batches.Batch(**part) if part else batch
            return self.objective.loss(flow, own, seed=seed, step=step)

        return loss

    def _all_at_once(
        self, batch: Any, seed: tf.Tensor, step: tf.Tensor, trained: list
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return losses and gradients by the vectorised function of one member."""
        loss = self._loss_of(batch, seed, step)

        def scaled(flow: Any, part: Any) -> tf.Tensor:
            return self.optimizer.scale_loss(loss(flow, part))

        losses, gradients = self._members.gradients(scaled, self._given(batch), seed)
        losses = losses / self.optimizer.scale_loss(tf.ones([], losses.dtype))
        known = self._members.trainable_variables
        found = {
            id(v): gradient
            for v, gradient in zip(known, self._clipped(gradients), strict=True)
        }
        return losses, [found[id(v.value)] for v in trained]

    def _one_by_one(
        self, batch: Any, seed: tf.Tensor, step: tf.Tensor, trained: list
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return losses and gradients by one member after the other."""
        with tf.GradientTape() as tape:
            losses = self._each_loss(batch, seed, step)
            whole = self.optimizer.scale_loss(tf.reduce_sum(losses))
        gradients = tape.gradient(whole, [v.value for v in trained])
        known = {id(v) for v in self._members.trainable_variables}
        places = [i for i, v in enumerate(trained) if id(v.value) in known]
        clipped = self._clipped([tf.convert_to_tensor(gradients[i]) for i in places])
        for i, gradient in zip(places, clipped, strict=True):
            gradients[i] = gradient
        return losses, gradients

    def _each_loss(self, batch: Any, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        loss = self._loss_of(batch, seed, step)
        return self._members.each(loss, self._given(batch), seed)

    def _clip(self) -> float | None:
        """Return the largest norm of a member's gradient."""
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            return None
        return self.optimizer.global_clipnorm

    def _clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Clip the gradients of each member by the norm of them all."""
        bound = self._clip()
        if not bound:
            return gradients
        squares = [
            tf.reduce_sum(tf.square(g), axis=list(range(1, g.shape.rank)))
            for g in gradients
        ]
        norms = tf.sqrt(tf.add_n(squares))
        scale = bound / tf.maximum(norms, bound)
        # NaN where a norm is not finite, as `tf.clip_by_global_norm` gives.
        scale += norms - norms
        return [
            g * tf.reshape(scale, [-1, *[1] * (g.shape.rank - 1)]) for g in gradients
        ]

    @contextlib.contextmanager
    def _unclipped(self) -> Iterator[None]:
        """Keep the optimizer from clipping again what members have clipped."""
        bound = self._clip()
        if not bound:
            yield
            return
        self.optimizer.global_clipnorm = None
        try:
            yield
        finally:
            self.optimizer.global_clipnorm = bound


def _has_sizes(data: Any) -> bool:
    """Whether the shapes of a batch are known while a step is traced."""
    tensors = tf.nest.flatten(data)
    return bool(tensors) and all(t.shape.is_fully_defined() for t in tensors)
