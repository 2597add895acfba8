"""The training loop of several workers, where that of Keras 3 fails.

Each worker brings batches of its own; the loss of a step is that of all of them, and so
are the weights. Steps are TensorFlow's `Strategy.run`, callbacks are Keras'; the loop
brings sums of losses over workers, one writer of files, and an end where a worker is
gone.
"""

from __future__ import annotations

import contextlib
import copy
import os
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows.flows._model import workers

__all__ = ["LostWorkerError", "evaluate", "fit", "own_place", "step_function"]

# What TensorFlow raises where another worker is gone, has started again, or is late.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)
# Callbacks of Keras that write files and read no weights: the first worker's do.
LOGGERS = (keras.callbacks.CSVLogger, keras.callbacks.TensorBoard)
# How often to look which worker is gone, and seconds between two looks.
LOOKS, PAUSE = 5, 0.5


class LostWorkerError(RuntimeError):
    """Another worker is gone or does not answer, so that this one cannot go on."""


class _Restored(keras.callbacks.BackupAndRestore):
    """Reads the backup of the first worker, and writes one that nobody reads.

    What is written is summed over workers while it is read: all of them have to.
    """

    def __init__(self, backup: keras.callbacks.BackupAndRestore, folder: str) -> None:
        super().__init__(folder, save_freq=backup.save_freq)
        self._backup = backup

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the weights, and the epoch."""
        self._backup.set_model(self.model)
        self._backup.on_train_begin(logs)


class _Agreed(keras.callbacks.Callback):
    """Starts training with the weights of the first worker, in the same epoch."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Compare the epochs, take the weights."""
        model: Any = self.model
        begun = getattr(model, "_initial_epoch", None)
        workers.require_equal({"epoch of the backup": begun})
        held = [*model.variables, *model.optimizer.variables]
        for variable in held:
            value = np.asarray(variable)
            if value.dtype.kind in "fiu":
                (first,) = workers.of_first((value,))
                if not np.array_equal(first, value):
                    variable.assign(first)


def step_function(model: Any, name: str) -> Callable[[Any], Any]:
    """Return what Keras calls for each step: a step of all workers.

    Args:
        model: The model.
        name: Which step, `"train"` or `"test"`.
    """
    strategy, step = model.distribute_strategy, getattr(model, f"{name}_step")

    def on_replica(data: Any) -> tuple[Any, Any]:
        logs = step(data)
        metrics = {metric.name: metric for metric in model.metrics}
        count = tf.convert_to_tensor(metrics["loss"].count)
        logs = {k: tf.convert_to_tensor(v) for k, v in logs.items()}
        return {k: v * tf.cast(count, v.dtype) for k, v in logs.items()}, count

    def added(value: Any) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)

    @tf.function(reduce_retracing=True, autograph=False)
    def function(iterator: Any) -> Any:
        logs, counts = strategy.run(on_replica, args=(next(iterator),))
        count = added(counts)
        sums = {k: added(v) for k, v in logs.items()}
        return {k: v / tf.cast(count, v.dtype) for k, v in sums.items()}

    return function


def fit(
    model: Any,
    x: Any,
    *,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = (),
    validation_data: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    **others: Any,
) -> keras.callbacks.History:
    """Train on the batches of all workers, as `keras.Model.fit` does on those of one.

    Args:
        model: The model, built in the scope of its strategy.
        x: Batches of this worker, each the share of one device.
        epochs: As in Keras, and so are the following ones.
        verbose: The first worker's; others say nothing.
        callbacks: Where one stops training, all workers stop after the epoch.
        validation_data: Batches of this worker.
        initial_epoch: Where to begin.
        steps_per_epoch: By default as many as the worker with the fewest batches has.
        validation_steps: Likewise.
        **others: What has no meaning here.

    Raises:
        TypeError: If data are no dataset, or an argument has no meaning here.
        ValueError: If workers were told other things.
        LostWorkerError: If another worker is gone.
    """
    _refuse(others)
    strategy = model.distribute_strategy
    with (
        tempfile.TemporaryDirectory() as folder,
        strategy.scope(),
        named(strategy),
    ):
        steps = _steps(x, steps_per_epoch, "x", "steps_per_epoch")
        held_out: tf.data.Dataset | None = None
        if validation_data is not None:
            held_out = validation_data
            validation_steps = _steps(
                held_out, validation_steps, "validation_data", "validation_steps"
            )
        _require_equal(
            model,
            epochs=epochs,
            initial_epoch=initial_epoch,
            validation_steps=validation_steps,
        )
        model.make_train_function()
        model.make_test_function()
        is_first = workers.index() == 0
        calls = keras.callbacks.CallbackList(
            _callbacks(callbacks, folder, is_first=is_first),
            add_history=True,
            add_progbar=is_first and verbose not in (0, "0"),
            verbose=1 if verbose == "auto" else verbose,
            epochs=epochs,
            steps=steps,
            model=model,
        )
        model.stop_training = False
        calls.on_train_begin()
        first = getattr(model, "_initial_epoch", None) or initial_epoch
        logs: dict[str, float] = {}
        iterator = iter(_shares(strategy, x))
        for epoch in range(first, epochs):
            calls.on_epoch_begin(epoch)
            logs = _pass(model, model.train_function, iterator, steps, calls)
            if held_out is not None and validation_steps is not None:
                found = _evaluated(model, held_out, validation_steps)
                logs |= {f"val_{name}": value for name, value in found.items()}
            calls.on_epoch_end(epoch, logs)
            (stopped,) = workers.total((np.int64(model.stop_training),))
            if stopped:
                break
        calls.on_train_end(logs)
        return model.history


def _require_equal(model: Any, **told: int | None) -> None:
    """Raise if workers have other models, or were told other things."""
    optimizer = model.optimizer
    shapes = [list(map(int, v.shape)) for v in model.trainable_variables]
    kind = [type(optimizer).__name__, str(optimizer.get_config())]
    workers.require_equal({"flow": shapes, "optimizer": kind, **told})


def evaluate(
    model: Any,
    x: Any,
    *,
    steps: int | None = None,
    return_dict: bool = False,
    verbose: Any = "auto",
    **others: Any,
) -> Any:
    """Return the loss of the batches of all workers; see `fit`."""
    del verbose
    _refuse(others)
    strategy = model.distribute_strategy
    with strategy.scope(), named(strategy):
        steps = _steps(x, steps, "x", "steps")
        model.make_test_function()
        found = _evaluated(model, x, steps)
    if return_dict:
        return found
    return found["loss"] if len(found) == 1 else list(found.values())


def _evaluated(model: Any, data: Any, steps: int) -> dict[str, float]:
    iterator = iter(_shares(model.distribute_strategy, data))
    return _pass(model, model.test_function, iterator, steps, None)


def _pass(
    model: Any,
    function: Callable[[Any], Any],
    iterator: Any,
    steps: int,
    calls: keras.callbacks.CallbackList | None,
) -> dict[str, float]:
    """Do some steps, and return the means of what they say."""
    model.reset_metrics()
    logs: dict[str, float] = {}
    for step in range(steps):
        if calls is not None:
            calls.on_train_batch_begin(step)
        logs = {name: float(value) for name, value in function(iterator).items()}
        if calls is not None:
            calls.on_train_batch_end(step, logs)
    return logs


def _refuse(others: dict[str, Any]) -> None:
    """Raise for arguments of Keras that have no meaning for batches of workers."""
    meaningless = {k: v for k, v in others.items() if v is not None and k != "shuffle"}
    if meaningless:
        msg = (
            f"`{next(iter(meaningless))}` must be left out where there are several "
            "workers. Make the batches in the dataset of each."
        )
        raise TypeError(msg)


def own_place(model: Any, path: Any) -> Any:
    """Return where this worker writes a file: all but the first where nobody reads it.

    Values are summed over workers while they are read, so that all of them write.
    """
    with model.distribute_strategy.scope():
        if workers.index() == 0:
            return path
    folder = tempfile.TemporaryDirectory()
    weakref.finalize(model, folder.cleanup)
    return os.path.join(folder.name, os.path.basename(str(path)))


@contextlib.contextmanager
def named(strategy: Any) -> Iterator[None]:
    """Say which worker is gone where TensorFlow says that one is.

    Raises:
        LostWorkerError: In place of TensorFlow's error.
    """
    try:
        yield
    except LOST as error:
        with strategy.scope():
            own, where = workers.index(), workers.addresses()
        gone: list[str] = []
        for _ in range(LOOKS):  # its end may be a moment later than the error
            gone = gone or workers.refusing(where, own)
            time.sleep(0.0 if gone else PAUSE)
        gone = gone or workers.unheard(str(error), where)
        if gone:
            what = f"{' and '.join(gone)} no longer answers"
        elif isinstance(error, tf.errors.DeadlineExceededError):
            what = "Another worker did not answer within the time limit"
        else:
            what = "Another worker failed or started again"
        msg = (
            f"{what}, so worker {own} ({where[own]}) stopped. See its messages, then "
            "start all workers again: with a checkpoint they go on from the last epoch "
            "that was written."
        )
        raise LostWorkerError(msg) from error


def _steps(data: Any, steps: int | None, argument: str, count: str) -> int:
    """Return how many batches each device of every worker takes."""
    if not isinstance(data, tf.data.Dataset):
        msg = (
            f"`{argument}` must be a tf.data.Dataset of this worker's batches where "
            f"there are several workers, got {type(data).__name__}. Or call "
            "tfp_flows.fit, which shares arrays out."
        )
        raise TypeError(msg)
    found = int(data.cardinality())
    if steps is None and found < 0:
        msg = (
            f"`{count}` must be given for a dataset whose length is not known where "
            "there are several workers: all have to make as many steps. Give a number."
        )
        raise ValueError(msg)
    local = tf.distribute.get_strategy().extended.worker_devices
    here = int(steps) if steps is not None else found // len(local)
    fewest = int(workers.of_each(here).min())
    if fewest < 1:
        msg = (
            f"`{argument}` must have a batch for each device of every worker, got "
            f"{found} batches for {len(local)} devices on worker {workers.index()}."
        )
        raise ValueError(msg)
    return fewest


def _shares(strategy: Any, data: tf.data.Dataset) -> Any:
    """Return batches of this worker, without an end, as its strategy takes them."""
    return strategy.distribute_datasets_from_function(
        lambda context: data.repeat().prefetch(2)
    )


def _callbacks(
    callbacks: Any, folder: str, *, is_first: bool
) -> list[keras.callbacks.Callback]:
    """Return those of this worker: files of all but the first go to a folder."""
    if isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks]
    kept: list[keras.callbacks.Callback] = []
    for number, callback in enumerate(callbacks or ()):
        own, place = callback, os.path.join(folder, str(number))
        if isinstance(callback, LOGGERS) and not is_first:
            continue
        if isinstance(callback, keras.callbacks.BackupAndRestore) and not is_first:
            own = _Restored(callback, place)
        elif isinstance(callback, keras.callbacks.ModelCheckpoint) and not is_first:
            own = copy.copy(callback)
            own.filepath = os.path.join(place, os.path.basename(callback.filepath))
        kept.append(own)
    return [*kept, _Agreed()]
