"""Variational inference: a flow is fitted to a target by its own draws."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _context, flows, training
from tfp_flows._types import DType, Shape
from tfp_flows.inference import drift, importance, proposals, repair, starts, targets
from tfp_flows.inference.posterior_report import PosteriorReport, report_of
from tfp_flows.inference.whitened import Whitened
from tfp_flows.training.objectives.drawing import FromTarget

__all__ = [
    "OBJECTIVES",
    "PosteriorReport",
    "fit_posterior",
    "flow_for",
    "require_density",
]

# What `objective` can be by name.
OBJECTIVES = ("reverse-kl", "alpha", "importance-weighted", "forward-kl")
# Fewer steps are over before XLA has compiled one.
FEWEST_COMPILED = 300
# Draws by which a target is checked.
CHECKED = 1_000
# The flow by default; it cannot bend a single coordinate, for which splines stand in.
DEFAULT, FOR_ONE = "realnvp", "nsf"


def fit_posterior(
    target: Any,
    flow: flows.Flow | str | None = None,
    *,
    objective: str | FromTarget = "reverse-kl",
    start: str = "auto",
    steps: int = 1_000,
    num_samples: int = 128,
    learning_rate: float = 3e-3,
    restarts: int = 1,
    draws: int = 10_000,
    check_steps: int = 20,
    repairs: int = 2,
    event_shape: Shape | None = None,
    support: tfb.Bijector | None = None,
    dtype: DType = "float32",
    seed: int | None = None,
    verbose: int | str = "auto",
) -> tuple[tfd.Distribution, PosteriorReport]:
    """Fit a flow to a target density, and judge what it has become.

    The target is moved to vectors without bounds, a normal distribution is put near it,
    and the flow is trained from there, by draws of its own.

    Args:
        target: Function of events that returns their log-density up to a constant; or
            a `tfd.Distribution`; or a joint distribution, its data pinned by
            `experimental_pin`.
        flow: Flow over vectors `[D]` of the target's dtype, or the name of one; by
            default RealNVP. Take `"nsf"` for several modes.
        objective: `"reverse-kl"` with path gradients, `"alpha"` (order 1/2, wider),
            `"importance-weighted"` or `"forward-kl"`; or an objective whose
            `target_log_prob` is set here.
        start: `"laplace"` (mode and curvature), `"mean-field"`, `"none"` (standard
            normal), or `"auto"`, which takes the best.
        steps: Number of updates.
        num_samples: Draws of each update.
        learning_rate: Highest learning rate.
        restarts: Number of fits, of other initial weights and draws, of which that of
            the highest lower bound is kept. A flow that is given cannot be restarted.
        draws: Draws for the report.
        check_steps: Steps of 512 chains that start at the weighted draws, where weights
            are as they should be, and tell whether the target has mass where the flow
            has no draws, which no weight shows. A step is twelve gradients; 20 steps
            are as many as 960 updates, but do not pass the flow. 0 leaves them out.
        repairs: Most rounds in which a flow that is not to be trusted is trained on,
            on where chains go that start at its draws. A round takes 349,184 gradients.
        event_shape: Shape of an event of a function.
        support: Map from numbers without bounds to events, for a target that does not
            say where its events lie.
        dtype: Of the events of a function.
        seed: Int that fixes initial weights and draws.
        verbose: `"auto"` shows one line while the fit goes on, and the report; 0
            nothing; 1 and 2 are Keras' bar and lines, with the report.

    Returns:
        The posterior, a `tfd.Distribution` over the structure of the target, and the
        report, whose `judgement` says whether to trust it.

    Raises:
        ValueError: If shapes do not fit, or the target is NaN, or 0 everywhere.
        TypeError: If the target is of another kind.
        FloatingPointError: If the loss stops being finite.

    Example:
        >>> import tensorflow as tf
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> model = tfd.JointDistributionNamedAutoBatched({
        ...     "rate": tfd.Gamma(3.0, 2.0),
        ...     "counts": lambda rate: tfd.Sample(tfd.Poisson(rate), 3)})
        >>> posterior, report = inference.fit_posterior(
        ...     model.experimental_pin(counts=[1.0, 4.0, 2.0]),
        ...     steps=50, seed=0, verbose=0)
        >>> report.ess_per_draw > 0.9
        True
        >>> abs(float(report.sample.expectation().value["rate"]) - 2.0) < 0.05
        True
        >>> posterior.sample(5, seed=1)["rate"].shape.as_list()
        [5]
    """
    _context.require_eager("fit_posterior")
    _checks.one_of(start, starts.STARTS, "start")
    _checks.verbosity(verbose)
    counts = {"steps": steps, "restarts": restarts, "draws": draws}
    _require_counts({**counts, "num_samples": num_samples}, 1)
    _require_counts({"check_steps": check_steps, "repairs": repairs}, 0)
    if isinstance(flow, flows.Flow) and event_shape is None and support is None:
        event_shape = flow.event_shape
    read = targets.read(target, event_shape=event_shape, support=support, dtype=dtype)
    _require_restarts(flow, restarts)
    rng = _context.generator(seed)
    require_density(read, int(rng.integers(2**31)))
    begin = starts.choose(read, start, int(rng.integers(2**31)))
    whitened = Whitened(read, begin)
    best = None
    for _ in range(restarts):
        number = int(rng.integers(2**31))
        built = flow_for(flow, read, number)
        loss = _objective(objective, whitened.log_prob, num_samples)
        loss.supports_jit = steps >= FEWEST_COMPILED and whitened.compiles
        with _explained(whitened, number):
            built, history = training.fit(
                built,
                None,
                objective=loss,
                steps=steps,
                learning_rate=learning_rate,
                weight_decay=0.0,
                seed=number,
                verbose=verbose,
            )
        found = report_of(read, whitened, built, history, draws, number)
        if best is None or found.elbo.value > best.elbo.value:
            best = found
    if best is None:
        raise AssertionError  # `restarts` is at least 1
    best = dataclasses.replace(best, gradients=restarts * steps * loss.num_samples)
    best = _checked(best, check_steps, number)
    if repairs and not best.reliable:
        mending = repair.Repair(
            whitened,
            best.flow,
            learning_rate=learning_rate,
            seed=number,
            verbose=verbose,
        )
        best = _repaired(best, mending, repairs, check_steps, number)
    if verbose not in (0, "0"):
        print(best, flush=True)
    return whitened.posterior(best.flow), best


def _require_counts(counts: dict[str, int], least: int) -> None:
    for name, value in counts.items():
        _checks.count(value, least, name)


def _require_restarts(flow: Any, restarts: int) -> None:
    """Raise if a flow that is built is to be fitted several times."""
    if isinstance(flow, flows.Flow) and restarts > 1:
        msg = (
            "`restarts` must be 1 for a flow that is built, got "
            f"{restarts}. Pass its name, or None, to build one for each."
        )
        raise ValueError(msg)


def _checked(report: PosteriorReport, steps: int, seed: int) -> PosteriorReport:
    """Return a report with what chains say, where weights are as they should be."""
    if not steps or not report.sample.reliable:
        return report
    draws = report.sample.first_block()
    moved = drift.measure(report.whitened, *draws, steps, seed)
    spent = report.gradients + moved.gradients
    return dataclasses.replace(report, drift=moved, gradients=spent)


def _repaired(
    report: PosteriorReport,
    mending: repair.Repair,
    repairs: int,
    check_steps: int,
    seed: int,
) -> PosteriorReport:
    """Return the report of the first round that can be trusted.

    If none can, that of the highest lower bound is returned, the first one included,
    and the flow gets its weights back.
    """
    flow, whitened = report.flow, report.whitened
    best, weights, draws = report, flow.get_weights(), len(report.sample)
    spent = report.gradients
    for count in range(1, repairs + 1):
        try:
            history = mending.round(report.sample)
        except FloatingPointError:  # a divergence that is infinite: as it was before
            break
        if history is None:
            break
        number = (seed + count) % 2**31
        report = report_of(whitened.target, whitened, flow, history, draws, number)
        report = dataclasses.replace(
            _checked(report, check_steps, number),
            repairs=count,
            losses=best.losses + report.losses,
        )
        spent += report.gradients
        if report.reliable or report.elbo.value > best.elbo.value:
            best, weights = report, flow.get_weights()
        if report.reliable:
            break
    flow.set_weights(weights)
    return dataclasses.replace(best, gradients=spent + mending.gradients)


@contextlib.contextmanager
def _explained(whitened: Whitened, seed: int) -> Iterator[None]:
    """Say of a loss that is not finite if the target is 0 where the flow draws."""
    try:
        yield
    except FloatingPointError as error:
        shape = [CHECKED, whitened.target.size]
        z = tf.random.stateless_normal(shape, [seed, 6], dtype=whitened.target.dtype)
        share = float(np.mean(np.isneginf(whitened.log_prob(z))))
        if not share:
            raise
        msg = (
            f"`target` is 0 at {share:.1%} of draws near its start: the divergence of "
            "a flow that draws there is infinite. Give the bounds by `support`, or "
            "take objective='forward-kl'."
        )
        raise FloatingPointError(msg) from error


def require_density(target: targets.Target, seed: int) -> None:
    """Raise if a target is NaN, or 0 at all of some normal vectors."""
    scalar = tfd.Normal(tf.zeros([], target.dtype), 1.0)
    normal = tfd.Sample(scalar, target.size)
    draws = proposals.Draws(target, normal, CHECKED, CHECKED, seed, flat=True)
    importance.ImportanceSample(draws)


def flow_for(given: flows.Flow | str | None, target: targets.Target, seed: int) -> Any:
    """Return the flow to train, built if it is not yet."""
    kind, size = target.dtype.name, target.size
    if isinstance(given, flows.Flow):
        if given.event_shape != (size,) or given.condition_shape is not None:
            msg = (
                f"`flow` must be over vectors of shape {(size,)} without a condition, "
                f"got event_shape {given.event_shape}, condition_shape "
                f"{given.condition_shape}."
            )
            raise ValueError(msg)
        if tf.as_dtype(given.variable_dtype) != target.dtype:
            msg = (
                f"`flow` must have the dtype of the target, {kind}, got "
                f"{given.variable_dtype}. Build it with dtype={kind!r}."
            )
            raise ValueError(msg)
        return given
    if given is None:
        given = DEFAULT if size > 1 else FOR_ONE
    return flows.build(given, size, dtype=kind, seed=seed)


def _objective(given: str | FromTarget, log_prob: Any, num_samples: int) -> Any:
    """Return the objective, with the target set."""
    if isinstance(given, FromTarget):
        given.target_log_prob = log_prob
        return given
    _checks.one_of(given, OBJECTIVES, "objective")
    if given == "alpha":
        return training.AlphaDivergence(log_prob, num_samples)
    if given == "importance-weighted":
        return training.ImportanceWeighted(log_prob, num_samples)
    if given == "forward-kl":
        return training.ForwardKL(log_prob, num_samples)
    return training.ReverseKL(log_prob, num_samples, path_gradients=True)
