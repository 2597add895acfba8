"""The Keras side of flows: a model whose output is a log-density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _files
from tfp_flows._types import Condition, TensorLike
from tfp_flows.flows._model import epochs, variables
from tfp_flows.flows._model import optimizer as updates

__all__ = ["LikelihoodModel", "unpack"]


def unpack(
    inputs: TensorLike | dict[str, TensorLike],
) -> tuple[TensorLike, Condition]:
    """Return data and condition of what Keras hands to a model."""
    if not isinstance(inputs, dict):
        return inputs, None
    unknown = set(inputs) - {"x", "condition"}
    if unknown or "x" not in inputs:
        msg = (
            "`inputs` must be data, or a dict with 'x' and 'condition', got keys "
            f"{sorted(inputs)}. Rename them; `training.image_batches` makes batches of "
            "dictionaries of images and labels."
        )
        raise ValueError(msg)
    return inputs["x"], inputs.get("condition")


class LikelihoodModel(keras.Model):
    """A Keras model whose output is a log-density, trained by maximum likelihood.

    `compile` needs an optimizer only, `fit` and `evaluate` the data only.
    """

    # The most events per update that `training.fit` chooses by itself.
    largest_batch = 512

    @property
    def prefers_xla(self) -> bool:
        """Whether long training is faster under XLA."""
        return True

    def needs_validation(self, rows: int) -> bool:
        """Return whether a fit to so many rows can follow noise, and has to be stopped.

        Args:
            rows: Number of events.
        """
        del rows
        return True

    def _density_variables(self) -> Sequence[tf.Variable]:
        """Return every trainable variable that the density reads."""
        raise NotImplementedError

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:  # noqa: FBT001, FBT002
        """Write one file, as `keras.Model.save` does; `tfp_flows.load` reads it.

        A file that is there is replaced at the end, whole or not at all.

        Raises:
            ValueError: If the name does not end in `.keras`: Keras' older formats
                cannot hold what is no Keras layer.
        """
        if not str(filepath).endswith(".keras"):
            msg = (
                f"`filepath` must end in .keras, got {str(filepath)!r}. Rename the "
                "file; `export` writes a SavedModel."
            )
            raise ValueError(msg)
        is_remote = "://" in str(filepath)
        if is_remote or not overwrite or kwargs.get("zipped") is False:
            super().save(filepath, overwrite=overwrite, **kwargs)
            return
        with _files.replacing(filepath) as temporary:
            super().save(temporary, **kwargs)

    def make_train_function(self, force: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Make the compiled training step.

        The optimizer makes its variables before: made while the step is traced, they
        would have it traced a second time.
        """
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            with self.distribute_strategy.scope():
                optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def train_step(self, data: Any) -> Any:
        """Do one training step as Keras does, equal variables updated together."""
        optimizer = getattr(self, "optimizer", None)
        with updates.stacked(optimizer, jit_compile=bool(self.jit_compile)):
            return super().train_step(data)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *args: Any,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does.

        Raises:
            ValueError: If a trainable variable of the flow is hidden from Keras.
        """
        variables.require_tracked(self._density_variables(), self.variables)
        y = variables.targets(y, sample_weight)
        if not args and self.distribute_strategy.num_replicas_in_sync == 1:
            endless = epochs.repeated(x, y, sample_weight, kwargs)
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
        y = variables.targets(y, sample_weight)
        return super().evaluate(x, y, *args, sample_weight=sample_weight, **kwargs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,  # noqa: FBT001, FBT002
    ) -> tf.Tensor:
        """Return the mean negative log-likelihood, in nats per event.

        As everywhere in Keras, weights multiply the terms of the mean, and a replica
        of a strategy gives its share of the sum over replicas.
        """
        if getattr(self, "loss", None) is not None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if sample_weight is not None:
            weight = tf.cast(sample_weight, y_pred.dtype)
            y_pred = y_pred * tf.reshape(weight, tf.shape(y_pred))
        loss = -tf.reduce_mean(y_pred)
        for extra in self.losses:
            loss += tf.cast(extra, loss.dtype)
        return loss / tf.distribute.get_strategy().num_replicas_in_sync
