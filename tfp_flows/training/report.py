"""What a fit has come to: its likelihood beside a Gaussian's, its end, and advice."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfp_flows import flows
from tfp_flows._counts import counted
from tfp_flows.flows._model.condition_kinds import encodings
from tfp_flows.networks.encoding import encode
from tfp_flows.training import steps
from tfp_flows.training.baseline import Estimate, Gaussian, estimate
from tfp_flows.training.data import arrays

__all__ = ["Ending", "Report", "is_clear_loss", "judged", "parameter_count", "warn"]

ROW_UNIT = "nats per row, columns in their own units"
IMAGE_UNIT = "bits/dim"
# Rows that are scored, and images, whose networks take longer.
MOST_ROWS, MOST_IMAGES = 10_000, 256
# Numbers that the Gaussian is fitted to, and the largest event that it is fitted to.
MOST_NUMBERS, LARGEST_EVENT = 20_000_000, 1_024
# Rows of one call: bounds the memory that hidden units take.
BLOCK = 4_096
# A flow loses clearly by so many nats, and so many standard errors.
CLEAR_NATS, CLEAR_ERRORS = 0.01, 2.0


@dataclasses.dataclass(frozen=True)
class Ending:
    """How training ended.

    Attributes:
        reason: `"patience"`, `"length"`, `"callback"` or `"interrupt"`.
        epochs: Epochs that ended; layers of a greedy fit.
        limit: Upper bound of them.
        best: The one whose weights are kept, from 1; 0 for those before the first, and
            `None` for the last ones, where no rows were held out.
        patience: Epochs without a gain that end a fit.
        unit: What is counted: `"epoch"` or `"layer"`.
    """

    reason: Literal["patience", "length", "callback", "interrupt"]
    epochs: int
    limit: int
    best: int | None
    patience: int | None = None
    unit: str = "epoch"

    def __str__(self) -> str:
        """Return a sentence."""
        # One of a limit of many: "1 of 100 epochs", but "after 1 epoch".
        units = "" if self.limit == 1 else "s"
        units = f"{self.unit}{units}"
        all_of = "" if self.epochs == 1 else "all "
        text = {
            "patience": f"stopped after {self.epochs} of {self.limit} {units}: no gain "
            f"on validation rows for {self.patience}",
            "length": f"ended after {all_of}{counted(self.epochs, self.unit)}",
            "callback": f"stopped by a callback after {self.epochs} of {self.limit} "
            f"{units}",
            "interrupt": f"interrupted after {self.epochs} of {self.limit} {units}",
        }[self.reason]
        if self.best is None:
            return f"{text}; no rows were held out, the last weights are kept"
        if self.unit == "layer":
            return f"{text}; {self.best} are kept"
        if self.best == 0:
            return f"{text}; none was better than the weights before, which are kept"
        return f"{text}; the best, {self.unit} {self.best}, is kept"


@dataclasses.dataclass(frozen=True)
class Report:
    """What a fit has come to; `print` shows it in a few lines.

    Likelihoods are those of the events as they were given, whatever the flow does to
    them inside: standardised columns have other figures.

    Attributes:
        rows: Number of rows that were fitted to, if it is known.
        parameters: How many numbers of the flow are trained.
        ending: Why training stopped, and when it was best.
        of: What the likelihoods are of: `"validation"` rows, which chose the best
            weights; `"held-out"` rows, which chose nothing; or `"training"` rows.
        count: How many rows these are.
        log_likelihood: Mean of the flow over these rows, with its standard error;
            `None` where the objective is not the likelihood.
        gaussian: The same of a Gaussian with full covariance, fitted to the same rows,
            its mean affine in the condition; `None` for large events and streams.
        lead: By how much the flow is better, the same rows taken together.
        unit: Of all three; a lead is positive where the flow is better.
        advice: Sentences that say what to do.
        columns: What columns are that are no plain numbers, how many cells were filled,
            and how much noise there was by a rule, in words.
        of_steps: Nats of the likelihood that the steps of rounded values make, where
            the flow takes these for structure; `None` where it does not.
    """

    rows: int | None
    parameters: int
    ending: Ending | None = None
    of: str = "validation"
    count: int = 0
    log_likelihood: Estimate | None = None
    gaussian: Estimate | None = None
    lead: Estimate | None = None
    unit: str = ROW_UNIT
    advice: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    of_steps: Estimate | None = None

    @property
    def loses(self) -> bool:
        """Whether the flow is clearly worse than the Gaussian."""
        return self.lead is not None and is_clear_loss(self.lead)

    def figures(self) -> Iterator[str]:
        """Yield the lines with likelihoods, then the advice."""
        if self.log_likelihood is not None:
            what = "bits/dim" if self.unit == IMAGE_UNIT else "log-likelihood"
            unit = "" if self.unit == IMAGE_UNIT else f" {self.unit}"
            yield f"{self.of} {what}: {self.log_likelihood}{unit}"
        if self.gaussian is not None:
            yield f"a full Gaussian: {self.gaussian}, the flow leads by {self.lead}"
        yield from self.advice

    def __str__(self) -> str:
        """Return the lines."""
        first = f"{self.parameters:,} parameters"
        if self.rows is not None:
            first = f"{counted(self.rows, 'row')} fitted, {first}"
        if self.count and self.of != "training":
            first += f"; {counted(self.count, f'{self.of} row')}"
        ending = [] if self.ending is None else [str(self.ending)]
        return "\n".join([*self.columns, first, *ending, *self.figures()])


def judged(
    flow: flows.Flow,
    train: arrays.Data,
    rows: arrays.Data | None,
    *,
    of: str = "validation",
    ending: Ending | None = None,
    losses: np.ndarray | None = None,
    advise_length: bool = False,
    most: int | None = None,
    fitted: int | None = None,
) -> Report:
    """Score rows under a flow, and under a Gaussian.

    Args:
        flow: The flow, fitted.
        train: Rows that it was fitted to.
        rows: Rows to score; `None` for those of the fit.
        of: What they are.
        ending: How training ended.
        losses: Negative log-likelihoods of the rows, if they are known.
        advise_length: Whether the length of the fit was chosen by hand.
        most: How many of the rows are scored, spread evenly; by default 10,000, and 256
            images.
        fitted: Number of rows that it was fitted to, where `train` is a part of them.
    """
    fitted = len(train) if fitted is None else fitted
    if rows is None:
        rows, of = train, "training"
    is_image = hasattr(flow, "bits_per_dim")
    if most is None:
        most = MOST_IMAGES if is_image else MOST_ROWS
    rows = rows.complete()  # a Gaussian has no density of rows with gaps
    if not len(rows):
        return Report(fitted, parameter_count(flow), ending)
    kept = spread(len(rows), most)
    scored = rows.select(kept)
    if losses is None:
        values = log_prob(flow, scored.x, scored.condition)
    else:
        values = -losses[kept]
    factor = 1.0
    if is_image:
        factor = -1.0 / (flow.event_size * math.log(2.0))
    gaussian = None
    if flow.event_size <= LARGEST_EVENT and flow.fit_policy.has_rivals:
        gaussian = _gaussian_log_prob(
            flow, train, scored, noise=1.0 if is_image else 0.0
        )
    found = Report(
        fitted,
        parameter_count(flow),
        ending,
        of,
        len(scored),
        estimate(factor * values, scored.weights),
        None if gaussian is None else estimate(factor * gaussian, scored.weights),
        None
        if gaussian is None
        else estimate(abs(factor) * (values - gaussian), scored.weights),
        IMAGE_UNIT if is_image else ROW_UNIT,
        of_steps=None
        if is_image
        else steps.gain(
            flow, train, scored.select(spread(len(scored), steps.ROWS)), log_prob
        ),
    )
    return dataclasses.replace(
        found, advice=tuple(_advice(flow, found, by_hand=advise_length))
    )


def is_clear_loss(lead: Estimate) -> bool:
    """Return whether a lead says that the flow is clearly worse."""
    if lead.mean > -CLEAR_NATS:
        return False
    if not math.isfinite(lead.mean):
        return True
    return lead.error is not None and lead.mean < -CLEAR_ERRORS * lead.error


def parameter_count(flow: Any) -> int:
    """Return how many numbers of a flow are trained."""
    return sum(math.prod(v.shape) for v in flow.trainable_variables)


def log_prob(
    flow: Any, x: np.ndarray, condition: np.ndarray | None = None
) -> np.ndarray:
    """Return log-densities of rows, `[N]`, without compiling a function for them.

    Those of images are of pixels with noise, less the log-density of the noise.
    """
    parts = []
    for start in range(0, len(x), BLOCK):
        some = slice(start, start + BLOCK)
        given = None
        if condition is not None:
            given = tf.constant(condition[some], flow.variable_dtype)
        values, log_noise = tf.constant(x[some], flow.variable_dtype), 0.0
        if hasattr(flow, "dequantize_and_log_prob"):
            values, log_noise = flow.dequantize_and_log_prob(
                values, seed=(start, 0), condition=given
            )
        found = flow.distribution(given).log_prob(values) - log_noise
        parts.append(np.asarray(found, np.float64))
    return np.concatenate(parts)


def spread(count: int, most: int) -> np.ndarray:
    """Return the numbers of at most so many rows, evenly spread over all."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).astype(np.intp)


def _gaussian_log_prob(
    flow: flows.Flow, train: arrays.Data, rows: arrays.Data, *, noise: float
) -> np.ndarray:
    """Return log-densities under a Gaussian; pixels get noise of the width given.

    Columns that are more than numbers are mapped onto lines first, as by the flow.
    """
    size = math.prod(train.x.shape[1:]) or 1
    fitted = train.select(spread(len(train), max(1_000, MOST_NUMBERS // size)))
    rng = np.random.default_rng(0)
    x, test = (
        part.x + noise * rng.uniform(size=part.x.shape) if noise else part.x
        for part in (fitted, rows)
    )
    log_det = 0.0
    if flow.cells is not None:
        width = len(flow.cells.spec.columns)
        x = flow.on_lines(x.reshape(-1, width), 1)[0]
        test, log_det = flow.on_lines(test.reshape(-1, width), 2)
    given, asked = (_seen(flow, part.condition) for part in (fitted, rows))
    model = Gaussian.fit(x, given, fitted.weights)
    return model.log_prob(test, asked) + log_det


def _seen(flow: flows.Flow, condition: np.ndarray | None) -> np.ndarray | None:
    """Return conditions as networks see them: a label is no number to regress on."""
    found = encodings(flow.condition_kinds)
    if condition is None or found is None:
        return condition
    return encode(tf.constant(condition, tf.float64), found).numpy()


def _advice(flow: flows.Flow, found: Report, *, by_hand: bool) -> Iterator[str]:
    lead, ending = found.lead, found.ending
    if lead is not None and not lead.mean > 0:
        by = f"by {-lead.mean:.3f}" if math.isfinite(lead.mean) else "by far"
        by += "" if lead.error is None else f" +- {lead.error:.3f}"
        unit = "bits/dim" if found.unit == IMAGE_UNIT else "nats per row"
        if not found.loses:
            yield f"The flow is no better than a full Gaussian, worse {by} {unit}."
        elif flow.fit_policy.rows_per_number is not None:
            yield (
                f"The flow loses to a full Gaussian {by} {unit}: train it longer, or "
                "on more rows."
            )
        else:
            yield (
                f"The flow loses to a full Gaussian {by} {unit}: take 'linear', "
                "which is one, or fewer layers or hidden units, or more rows."
            )
    if found.of_steps is not None:
        yield _about_steps(found.of_steps)
    if found.rows is not None and found.parameters > found.rows:
        yield (
            f"The flow has more parameters ({found.parameters:,}) than there are rows "
            f"({found.rows:,}), and can remember them: trust the figure of rows held "
            "out only, and try fewer layers or hidden units, noise, or 'linear'."
        )
    if ending is None or ending.unit != "epoch" or not by_hand:
        return
    if ending.reason == "length" and ending.best == ending.epochs > 1:
        yield (
            "The last epoch was the best: train on with more epochs, or by "
            "fit(flow, x, adapt=False)."
        )


def _about_steps(gain: Estimate) -> str:
    return (
        f"Of the log-likelihood, {gain} nats come from the steps to which values are "
        "rounded, and compare with nothing: between them the density is lower. Fit a "
        "flow by its name, with columns='auto', or spread the values over their steps."
    )


def warn(report: Report) -> None:
    """Warn if the flow clearly loses to a Gaussian, or has learned steps of values."""
    if report.loses:
        warnings.warn(report.advice[0], UserWarning, stacklevel=4)
    if report.of_steps is not None:
        warnings.warn(_about_steps(report.of_steps), UserWarning, stacklevel=4)
