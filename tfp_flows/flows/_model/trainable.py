"""The Keras side of flows: a model whose output is a log-density."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfp_flows import _context, _files, _process
from tfp_flows.flows._model import batch as batches
from tfp_flows.flows._model import (
    distributed,
    epochs,
    finite,
    handed,
    keras_arguments,
    policy,
    seal,
    shared,
    variables,
    weight_files,
    workers,
)
from tfp_flows.flows._model import objective as objectives
from tfp_flows.flows._model import optimizer as updates

__all__ = ["TrainableModel"]

# Validation draws the same numbers each time, so that its losses can be compared.
VALIDATION_STEP = -1
# What Keras would compare with targets, which a flow has not.
MEANINGLESS = ("loss", "loss_weights", "metrics", "weighted_metrics")
# Seeds of replicas are so far apart, that those of two steps do not meet.
REPLICA_SEEDS = 1_000_003


class TrainableModel(_process.Forkable, weight_files.WeightFiles, handed.Handed):
    """A Keras model whose output is a log-density, trained by an objective.

    `compile` needs an optimizer only, `fit` and `evaluate` the data only: the objective
    is then the likelihood.
    """

    fit_policy = policy.FitPolicy()
    # What training minimises unless it is told, `None` for the likelihood.
    objective_kind: ClassVar[type[objectives.Objective] | None] = None
    _objective: objectives.Objective | None = None
    _objective_seed = 0
    # Whether XLA is wanted, but has to leave out parts of the objective.
    compiles_parts = False

    @property
    def objective(self) -> objectives.Objective:
        """What training minimises, as `compile` was told."""
        found = self._objective or self.default_objective()
        return found or objectives.MaximumLikelihood()

    def default_objective(self) -> objectives.Objective | None:
        """Return what training minimises unless it is told, `None` for likelihood."""
        return None if self.objective_kind is None else self.objective_kind()

    def needs_validation(self, rows: int) -> bool:
        """Return whether a fit to so many rows can follow noise, and must be stopped.

        Args:
            rows: Number of events.
        """
        return self.fit_policy.needs_validation(self, rows)

    def _density_variables(self) -> Sequence[tf.Variable]:
        """Return every trainable variable that the density reads."""
        raise NotImplementedError

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        *,
        objective: objectives.Objective | None = None,
        seed: int | None = None,
        jit_compile: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        """Configure training as `keras.Model.compile` does.

        Args:
            optimizer: Optimizer or its name.
            loss: Must be `None`: an objective says what is minimised.
            objective: What training minimises; by default `MaximumLikelihood`, or
                what `default_objective` returns.
            seed: Int that fixes what the objective draws.
            jit_compile: Whether to compile steps by XLA, where the objective can be
                compiled; `"auto"`: for flows of images on a GPU only.
            **kwargs: As in Keras, but for metrics, of which there are none.

        Raises:
            ValueError: If there is a loss or there are metrics.
            TypeError: If there is an argument that Keras does not know.
        """
        keras_arguments.require_known("compile", kwargs, "objective", "seed")
        given = {"loss": loss, **kwargs}
        for name in MEANINGLESS:
            if given.get(name) is not None:
                msg = (
                    f"`{name}` must be left out, got {given[name]!r}: the output of a "
                    "flow is log_prob, and there is nothing to compare it with. Give "
                    "objective=... to minimise something else than the negative "
                    "log-likelihood."
                )
                raise ValueError(msg)
        objective = objective or self.default_objective()
        self._objective = objective
        if objective is not None:  # likelihood draws nothing
            self._objective_seed = int(_context.generator(seed).integers(2**31))
            with self.distribute_strategy.scope():
                objective.prepare(self)
        if jit_compile == "auto":
            policy = self.fit_policy
            slow = policy.xla == "gpu" and not policy.prefers_xla(self)
            if slow:
                jit_compile = False
        self.compiles_parts = bool(jit_compile) and not self.objective.supports_jit
        if self.compiles_parts:
            jit_compile = False
        optimizer = keras_arguments.optimizer(optimizer)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return how the flow was compiled, for the saved file.

        An objective that has variables of its own, or that Keras does not know by name,
        is left out, and with it the optimizer.
        """
        config = super().get_compile_config()
        found = self._objective
        if not config or found is None:
            return config
        known = keras.saving.get_registered_object(
            keras.saving.get_registered_name(type(found))
        )
        if known is None or found.variables:
            return None
        return {**config, "objective": keras.saving.serialize_keras_object(found)}

    def compile_from_config(self, config: dict[str, Any] | None) -> None:
        """Compile as the saved flow was."""
        if config:
            # Files of before may hold what has no meaning, and is refused now.
            config = {k: v for k, v in config.items() if k not in MEANINGLESS}
            self.compile(**keras.saving.deserialize_keras_object(config))
            if self.optimizer is not None:
                self.optimizer.build(self._trained())

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:  # noqa: FBT001, FBT002
        """Write one file, as `keras.Model.save` does; `tfp_flows.load` reads it.

        A file that is there is replaced at the end, whole or not at all. Where several
        workers train together all of them have to call this, and the first one writes.

        Raises:
            ValueError: If the name does not end in `.keras`: Keras' older formats
                cannot hold what is no Keras layer. If a weight is not finite, which
                no file gives back.
        """
        if not str(filepath).endswith(".keras"):
            msg = (
                f"`filepath` must end in .keras, got {str(filepath)!r}. Rename the "
                "file; `export` writes a SavedModel."
            )
            raise ValueError(msg)
        weight_files.require_finite(self, filepath)
        if workers.are_several(self.distribute_strategy):
            filepath = distributed.own_place(self, filepath)
        is_remote = "://" in str(filepath)
        if is_remote or not overwrite or kwargs.get("zipped") is False:
            super().save(filepath, overwrite=overwrite, **kwargs)
            return
        with _files.replacing(filepath) as temporary, seal.sealing_config(self):
            super().save(temporary, **kwargs)
            seal.put(self, temporary)

    def save_own_variables(self, store: Any) -> None:
        """Keep the numbers of maps and base, and their checksum, as Keras saves."""
        super().save_own_variables(store)
        store[seal.CHECKSUM] = seal.stored_digest(store)

    def load_own_variables(self, store: Any) -> None:
        """Take the numbers of maps and base, as Keras loads a model or its weights.

        Raises:
            ValueError: If they are not those that were saved.
        """
        super().load_own_variables(seal.checked(store))

    def brought_variables(self) -> list[keras.Variable]:
        """Return the variables of the objective that the flow has not."""
        own = {id(v.value) for v in self.variables}
        return [v for v in self.objective.handles() if id(v.value) not in own]

    def _trained(self) -> list[keras.Variable]:
        """Return what a step trains: the flow, and what the objective brings."""
        brought = self.brought_variables()
        return [*self.trainable_variables, *(v for v in brought if v.trainable)]

    def make_train_function(self, force: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Make the compiled training step.

        The optimizer makes its variables before: made while the step is traced, they
        would have it traced a second time.
        """
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            with self.distribute_strategy.scope():
                optimizer.build(self._trained())
        return self._make_function_of("train", super().make_train_function, force)

    def make_test_function(self, force: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Make the compiled step of `evaluate`."""
        return self._make_function_of("test", super().make_test_function, force)

    def _make_function_of(self, name: str, by_keras: Any, force: bool) -> Any:  # noqa: FBT001
        attribute = f"{name}_function"
        if not workers.are_several(self.distribute_strategy):
            with shared.compiled_steps(self, name):
                return by_keras(force)
        if force or getattr(self, attribute) is None:
            setattr(self, attribute, distributed.step_function(self, name))
        return None

    def train_step(self, data: Any) -> Any:
        """Do one training step, equal variables updated together."""
        batch = batches.read(data, self.condition_shape)
        trained, steps = self._trained(), self.optimizer.iterations
        with tf.GradientTape() as tape:
            loss = self._loss(batch, steps, training=True)
            share = self.optimizer.scale_loss(loss / _num_replicas())
        if not trained:
            warnings.warn("The flow has no trainable weights.", stacklevel=2)
            return self._logs(loss, batch)
        pairs = zip(tape.gradient(share, trained), trained, strict=True)
        with updates.stacked(self.optimizer, jit_compile=bool(self.jit_compile)):
            self.optimizer.apply_gradients(pairs)
        return self._logs(loss, batch)

    def test_step(self, data: Any) -> Any:
        """Evaluate the objective on one batch."""
        batch = batches.read(data, self.condition_shape)
        return self._logs(self._loss(batch, VALIDATION_STEP, training=False), batch)

    def _loss(
        self, batch: batches.Batch | None, step: Any, *, training: bool
    ) -> tf.Tensor:
        """Return the objective of a replica's batch, and what layers add to it."""
        step = tf.cast(step, tf.int32)
        base = self._objective_seed
        if _num_replicas() > 1:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            base = base + REPLICA_SEEDS * tf.cast(replica, tf.int32)
        seed = tf.stack([base, step])
        batch = self._prepared(batch, step)
        with _context.training_scope(training):
            loss = self.objective.loss(self, batch, seed=seed, step=step)
        for extra in self.losses:
            loss += tf.cast(extra, loss.dtype)
        return loss

    def _prepared(
        self, batch: batches.Batch | None, step: tf.Tensor
    ) -> batches.Batch | None:
        """Return the batch for the objective; `step` is below 0 in validation."""
        del step
        return batch

    def _logs(self, loss: tf.Tensor, batch: batches.Batch | None) -> Any:
        """Count a loss, and return the means so far."""
        for metric in self.metrics:
            if metric.name == "loss":
                size = 1 if batch is None else batch.size
                metric.update_state(loss, sample_weight=size)
        return self.get_metrics_result()

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *args: Any,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; targets `y` are the condition.

        Raises:
            ValueError: If the flow is not compiled, a trainable variable of it is
                hidden from Keras, there are no data and no number of steps, or class
                weights; if rows, weights of events, or numbers such as `batch_size`
                cannot be meant.
            TypeError: If there is an argument that Keras does not know.
        """
        _process.require_own()
        variables.require_tracked(self._density_variables(), self.variables)
        variables.refuse_class_weight(kwargs.get("class_weight"))
        keras_arguments.require_known("fit", kwargs)
        keras_arguments.require_options(kwargs)
        sample_weight = keras_arguments.weights(sample_weight)
        if x is None:
            steps = kwargs.get("steps_per_epoch")
            x, kwargs["shuffle"] = self._nothing(steps, "steps_per_epoch"), False
        if isinstance(x, tf.data.Dataset) and not args:
            kwargs.setdefault("shuffle", False)  # of which Keras would warn
        x = self._trained_on(x, y)
        y = variables.targets(self._plain_targets(y), sample_weight)
        if kwargs.get("validation_data") is not None:
            held_out = kwargs["validation_data"]
            kwargs["validation_data"] = self._held_out(held_out)
        keras_arguments.require_compiled(self, "fit", ", or use tfp_flows.fit")
        with finite.explained():
            return self._fit(x, y, *args, sample_weight=sample_weight, **kwargs)

    def _fit(
        self, x: Any, y: Any, *args: Any, sample_weight: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Train on what was looked at."""
        if workers.are_several(self.distribute_strategy):
            data = x if y is None else (x, y, sample_weight)
            return distributed.fit(self, data, **kwargs)
        if not args and self.distribute_strategy.num_replicas_in_sync == 1:
            dtype = self.variable_dtype
            if dtype != keras.config.floatx():
                x, y, sample_weight, kwargs = epochs.wide(
                    x, y, sample_weight, kwargs, dtype
                )
            endless = epochs.repeated(x, y, sample_weight, kwargs, dtype)
            if endless is not None:
                return super().fit(endless[0], **endless[1])
        return super().fit(x, y, *args, sample_weight=sample_weight, **kwargs)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        *args: Any,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Return the loss as `keras.Model.evaluate` does."""
        _process.require_own()
        keras_arguments.require_known("evaluate", kwargs)
        keras_arguments.require_options(kwargs)
        sample_weight = keras_arguments.weights(sample_weight)
        if x is None:
            x = self._nothing(kwargs.get("steps"), "steps")
        x = self._plain(x)
        y = variables.targets(self._plain_targets(y), sample_weight)
        keras_arguments.require_compiled(self, "evaluate")
        if workers.are_several(self.distribute_strategy):
            data = x if y is None else (x, y, sample_weight)
            return distributed.evaluate(self, data, **kwargs)
        if not args and self.variable_dtype != keras.config.floatx():
            given = x if y is None else (x, y, sample_weight)
            options = {**kwargs, "validation_data": given}
            found = epochs.wide(None, None, None, options, self.variable_dtype)[3]
            if isinstance(found["validation_data"], tf.data.Dataset):
                x, y, sample_weight = found["validation_data"], None, None
                kwargs.pop("batch_size", None)
        return super().evaluate(x, y, *args, sample_weight=sample_weight, **kwargs)

    def _nothing(self, steps: int | None, argument: str) -> tf.data.Dataset:
        """Return data that stand for none, if so many steps need none."""
        if self.objective.needs_data:
            msg = f"`x` must be given: {type(self.objective).__name__} needs data."
            raise ValueError(msg)
        if steps is None:
            msg = f"`{argument}` must be given where there are no data. Give a number."
            raise ValueError(msg)
        return batches.no_data()


def _num_replicas() -> int:
    return tf.distribute.get_strategy().num_replicas_in_sync
