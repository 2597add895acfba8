"""The fit behind `tfp-flows fit`: progress, Ctrl-C, and what is said at its end."""

from __future__ import annotations

import argparse
import dataclasses
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import config, models
from tfp_flows.cli.errors import Interrupted, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Shards, Table

__all__ = ["Done", "rows", "run", "tell"]


@dataclasses.dataclass(frozen=True)
class Done:
    """A fit that ended.

    Attributes:
        flow: The flow.
        seconds: How long the fit took.
        epochs: How many epochs there were.
        interrupted: Whether Ctrl-C ended it.
        ending: A sentence on why it ended, and when it was best.
        losses: Losses of each epoch, by name.
        judged: The report of the fit, `None` where it was interrupted.
        unit: What `epochs` counts: `"epoch"` or `"layer"`.
    """

    flow: Any
    seconds: float
    epochs: int
    interrupted: bool
    ending: str
    losses: dict[str, Any]
    judged: Any = None
    unit: str = "epoch"

    def write(self, arguments: argparse.Namespace, out: Path, flow: str) -> None:
        """Write how to repeat the fit, unless it went on with another one."""
        if not arguments.resume:
            config.write(arguments, out, flow, self.losses)

    def report(self, report: Report, out: Path) -> None:
        """Print the last lines."""
        report.line(self.ending, ending=self.ending)
        report.line(
            f"wrote {out} after {self.seconds:.0f} s of fitting",
            out=out,
            seconds=round(self.seconds, 1),
            epochs=self.epochs,
            interrupted=self.interrupted,
        )

    def end(self, out: Path) -> None:
        """Say that the fit was cut short, if it was.

        Raises:
            Interrupted: Then.
        """
        if self.interrupted:
            what = "best weights" if self.unit == "epoch" else "best"
            raise Interrupted(
                f"interrupted: '{out}' has the {what} of {self.epochs} {self.unit}s; "
                "go on with --resume."
            )


def run(
    flow: Any,
    x: np.ndarray | Table | Shards,
    condition: np.ndarray | list[str] | None,
    arguments: argparse.Namespace,
    options: dict[str, Any],
    *,
    out: Path,
    event_shape: Sequence[int] = (),
    **more: Any,
) -> Done:
    """Fit a flow, or a name of one, and keep its best weights on Ctrl-C.

    Args:
        flow: Name of the flow, or one that is to be trained on.
        x: Events to fit, or files.
        condition: Conditions, if there are any; of files their names.
        arguments: Of the command.
        options: Of the flow and of the fit.
        out: File to write to each `--checkpoint` epochs.
        event_shape: Of images, whose progress counts bits.
        **more: Further arguments of `training.fit`.

    Raises:
        UsageError: If an option is wrong.
        KeyboardInterrupt: Before the end of the first epoch, or layer.
    """
    from tfp_flows import training
    from tfp_flows.training.callbacks.progress import ProgressLine

    line = ProgressLine(quiet=arguments.quiet)
    if event_shape:
        line = ProgressLine.of_images(event_shape, quiet=arguments.quiet)
    start, interrupted = time.monotonic(), False
    # Data are checked by now: what is of the wrong type is an option.
    from tfp_flows.preprocessing import DataNotice

    also = (TypeError,) if options else ()
    with explained(also=also), line, warnings.catch_warnings():
        # The report and the command say it.
        warnings.filterwarnings("ignore", "The flow loses to a full Gaussian")
        warnings.simplefilter("ignore", DataNotice)
        try:
            flow, history = training.fit(
                flow,
                x,
                condition,
                missing=getattr(arguments, "missing", "error"),
                seed=arguments.seed,
                callbacks=[line, *_checkpoints(arguments.checkpoint, out)],
                verbose=0,
                epochs=arguments.epochs,
                batch_size=arguments.batch_size,
                **{"outliers": "keep", **more},  # they are left out by now
                **options,
            )
        except KeyboardInterrupt:
            flow, interrupted = line.model, True
            history = getattr(flow, "history", None)
            if not _count(line, history):
                raise
    seconds = time.monotonic() - start
    ending, losses = str(history.ending), dict(history.history)
    if more.get("budget") is not None and not interrupted:
        ending += f"; {history.report.advice[-1]}"
    judged = None if interrupted else history.report
    count, unit = _count(line, history), history.ending.unit
    return Done(flow, seconds, count, interrupted, ending, losses, judged, unit)


def _count(line: Any, history: Any) -> int:
    """Return how many epochs the flow had, or of how many layers the best are in it."""
    found = getattr(history, "ending", None)
    if found is None:
        return 0
    return line.epochs_done if found.unit == "epoch" else found.epochs


def rows(
    x: np.ndarray, condition: np.ndarray | None, arguments: argparse.Namespace
) -> Any:
    """Return rows for a report, missing cells filled as in the fit."""
    from tfp_flows.training.data import arrays

    return arrays.Data(x, condition, missing=arguments.missing, seed=arguments.seed)


def tell(report: Report, judged: Any) -> None:
    """Print a flow's likelihood beside that of a Gaussian.

    Args:
        report: Of the command.
        judged: What the likelihoods are, see `tfp_flows.training.report`.
    """
    facts = {
        f"{judged.of.replace('-', '_')}_log_likelihood": judged.log_likelihood,
        "gaussian": judged.gaussian,
        "flow_minus_gaussian": judged.lead,
    }
    report.facts |= {name: models.plain(value) for name, value in facts.items()}
    report.facts |= {"unit": judged.unit, "advice": list(judged.advice)}
    for line in judged.figures():
        report.line(line)


def _checkpoints(every: int | None, out: Path) -> list[Any]:
    """Return what writes the flow as it is each so many epochs, if it is asked for."""
    if every is None:
        return []
    import keras

    def save(epoch: int, logs: Any = None) -> None:
        del logs
        flow = callback.model  # one that is fitted by layers is whole at the end only
        if (epoch + 1) % every == 0 and flow.fit_policy.method == "gradients":
            models.save(flow, out)

    callback = keras.callbacks.LambdaCallback(on_epoch_end=save)
    return [callback]
