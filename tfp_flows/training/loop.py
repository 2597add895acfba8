"""Keras' loop with the callbacks of a fit, its backup, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from tfp_flows import flows
from tfp_flows.datasets import limits
from tfp_flows.flows._model import finite, workers
from tfp_flows.training import cards, choices, report
from tfp_flows.training.callbacks.averaging import AverageWeights
from tfp_flows.training.callbacks.backups import Backup
from tfp_flows.training.callbacks.members import StopMembers
from tfp_flows.training.callbacks.stopping import StopEarly, StopOnNonFinite

if TYPE_CHECKING:
    from tfp_flows.training.data.files import Batches
    from tfp_flows.training.data.given import Given
    from tfp_flows.training.running import Settings

__all__ = ["Loop", "ReadError"]

# Updates between two that an average takes in: it costs as much as a tenth of a step.
AVERAGE_EVERY = 4


class ReadError(limits.FileError):
    """A file that could be read when a fit began, and could not be while it went on.

    Attributes:
        flow: The flow, with the best weights that it had.
        epochs: Epochs that had ended.
    """

    flow: flows.Flow
    epochs: int


class Loop:
    """A fit by gradients that is ready to run.

    Args:
        flow: The flow, compiled.
        chosen: How long the fit is.
        settings: How to train.
        arguments: Of Keras' `fit`; `validation_data` where rows are held out.
        given: The data, if there are any.
    """

    def __init__(
        self,
        flow: flows.Flow,
        chosen: choices.Choices,
        settings: Settings,
        arguments: dict[str, Any],
        given: Given | None = None,
    ) -> None:
        self._flow, self._chosen, self._settings = flow, chosen, settings
        self._arguments = arguments
        used: list[keras.callbacks.Callback] = [StopOnNonFinite()]
        if settings.average not in (None, "auto"):
            used.append(AverageWeights(settings.average, every=AVERAGE_EVERY))
        used += settings.callbacks
        self._stop: StopEarly | StopMembers | None = None
        if "validation_data" in arguments:
            patience = settings.patience
            patience = chosen.patience if patience is None else patience
            start = None if settings.adapt else self._loss()
            self._stop = StopEarly(patience, start)
            if isinstance(flow, flows.Ensemble):
                self._stop = StopMembers(patience, keeps_start=start is not None)
            used.append(self._stop)
        self._backup: Backup | None = None
        if settings.backup is not None:
            self._backup = self._open_backup(used, given)
            used.append(self._backup)
        self._used = used

    @property
    def done(self) -> int:
        """Updates that were made before, by a fit that was cut short."""
        epochs = 0 if self._backup is None else self._backup.epoch
        return epochs * self._chosen.steps

    def _open_backup(self, used: list[Any], given: Given | None) -> Backup:
        flow, settings = self._flow, self._settings
        counted = self._chosen.counted
        if isinstance(flow, flows.Ensemble) or not counted or workers.are_several():
            what = "an ensemble" if counted else "a dataset"
            what = "several workers" if workers.are_several() else what
            msg = (
                f"`backup` must be left out for {what}, whose state is not kept. "
                "Fit arrays or files, one flow, or save the flow by callbacks."
            )
            raise ValueError(msg)
        key: dict[str, Any] = {
            "flow": type(flow).__name__,
            "parameters": report.parameter_count(flow),
            "seed": settings.seed,
            "batch_size": self._chosen.batch_size,
            "steps": self._chosen.steps,
            "epochs": self._chosen.epochs,
        }
        if given is not None:
            train = given.train
            key["rows"] = given.rows
            key["data"] = cards.data_digest(train.x, train.condition)
        return Backup(settings.backup or "", key, used)

    def run(
        self, dataset: tf.data.Dataset | None, source: Batches | None = None
    ) -> keras.callbacks.History:
        """Run Keras' loop; after an interrupt, too, the flow has its best weights.

        Args:
            dataset: Batches.
            source: Where they are read, if that may fail.

        Raises:
            ReadError: If a file could not be read.
        """
        flow, settings, interrupted = self._flow, self._settings, False
        before = 0 if self._backup is None else self._backup.epoch
        try:
            with settings.shown(flow) as lines, finite.trusted():
                return flow.fit(
                    dataset,
                    epochs=self._chosen.epochs,
                    initial_epoch=before,
                    callbacks=[*self._used, *lines],
                    shuffle=False,  # datasets shuffle themselves
                    verbose=0 if settings.verbose == "auto" else settings.verbose,
                    **self._arguments,
                )
        except KeyboardInterrupt:
            interrupted = True
            self._keep_best()
            raise
        except FloatingPointError:
            self._keep_best()
            raise
        except (tf.errors.OpError, limits.FileError) as error:
            if source is None or source.error is None:
                raise
            raise self._read_error(source.error) from error
        finally:
            self._finish(before, interrupted=interrupted)

    def _keep_best(self) -> None:
        """Leave averages in place of weights, and the best ones where rows judge."""
        for callback in self._used:
            if isinstance(callback, AverageWeights):
                callback.on_train_end()
        if self._stop is not None:
            self._stop.on_train_end()

    def _read_error(self, error: Exception) -> ReadError:
        """Return the error about a file, with the flow as it is."""
        self._keep_best()
        history = getattr(self._flow, "history", None)
        epochs = len(getattr(history, "epoch", ()))
        kept = "the last weights" if self._stop is None else "the best weights"
        found = ReadError(
            f"{error} The fit stopped there; `flow` of this error has {kept} of "
            f"{epochs} epochs."
        )
        found.flow, found.epochs = self._flow, epochs
        return found

    def _finish(self, before: int, *, interrupted: bool) -> None:
        """Note how training ended, and the epochs of a fit that was gone on with."""
        history = getattr(self._flow, "history", None)
        if not isinstance(history, keras.callbacks.History):
            return
        if not hasattr(history, "epoch"):  # stopped before Keras began
            history.epoch = []
        if before and self._backup is not None:
            for name, values in self._backup.history.items():
                history.history[name] = [*values, *history.history.get(name, [])]
            history.epoch = [*range(before), *history.epoch]
        history.ending = self._ending(len(history.epoch), interrupted=interrupted)
        if interrupted and not self._settings.silent:
            print(history.ending, flush=True)

    def _ending(self, epochs: int, *, interrupted: bool) -> report.Ending:
        """Return how training ended."""
        stop, limit = self._stop, self._chosen.epochs
        reason: Any = "length"
        if interrupted:
            reason = "interrupt"
        elif stop is not None and stop.stopped_epoch > 0:
            reason = "patience"
        elif epochs < limit:
            reason = "callback"
        best = None if stop is None or not epochs else stop.best_epoch + 1
        patience = None if stop is None else stop.patience
        return report.Ending(reason, epochs, limit, best, patience)

    def _loss(self) -> float:
        """Return the validation loss of the flow as it is."""
        with finite.explained():
            found = self._flow.evaluate(
                self._arguments["validation_data"],
                steps=self._arguments.get("validation_steps"),
                return_dict=True,
                verbose=0,
            )
        return float(found["loss"])
