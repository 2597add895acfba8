"""Runs fits: by gradients in Keras' own loop, or layer by layer."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _checks, _context, flows
from tfp_flows.flows._model import finite
from tfp_flows.flows._model.objective import Objective
from tfp_flows.training import choices
from tfp_flows.training import loop as loops
from tfp_flows.training.callbacks.progress import ProgressLine
from tfp_flows.training.data import arrays, batches, members, noises, shares
from tfp_flows.training.data.given import Given
from tfp_flows.training.greedy import fit as greedy
from tfp_flows.training.greedy import generator, progress

__all__ = [
    "Settings",
    "by_gradients",
    "by_layers",
    "choose",
    "refuse_for_layers",
    "without_data",
]

# Validation batches are so much larger: they keep no activations.
VALIDATION_BATCHES = 8
# Callbacks that set the learning rate, which no schedule may then hold.
SETS_RATE = (
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ReduceLROnPlateau,
)
# Fits without gradients, by the method of a flow's policy.
LAYERWISE: dict[str, Callable[..., keras.callbacks.History]] = {
    "greedy": greedy.fit_greedily,
    "generative": generator.fit_generator,
}

GREEDY_REFUSAL = (
    "`weights` and `noise` must be left out for a greedy fit, which counts rows, "
    "and so must a condition. Fit a Gaussianization from_rbig with them."
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train, as `fit` is told: its arguments, `None` where it chooses."""

    objective: Objective | None
    epochs: int | None
    steps: int | None
    steps_per_epoch: int | None
    batch_size: int | None
    learning_rate: float | None
    weight_decay: float
    patience: int | None
    noise: float | str
    average: Any
    seed: int | None
    jit_compile: bool | str
    callbacks: Sequence[keras.callbacks.Callback]
    verbose: int | str
    adapt: bool
    backup: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        _checks.verbosity(self.verbose)
        for name in ("epochs", "steps", "steps_per_epoch", "batch_size"):
            value = getattr(self, name)
            if value is not None:
                _checks.count(value, 1, name)
        if self.patience is not None:
            _checks.count(self.patience, 0, "patience")
        if self.learning_rate is not None and not self.learning_rate > 0:
            msg = f"`learning_rate` must be positive, got {self.learning_rate!r}."
            raise ValueError(msg)
        noises.require(self.noise)
        _checks.at_least(self.weight_decay, 0, "weight_decay")
        if self.average not in (None, "auto"):
            _checks.fraction(self.average, "average")
        if self.backup is not None and self.seed is None:
            msg = (
                "`seed` must be given with a `backup`, so that the fit that goes "
                "on is the one that was begun, got None. Pass seed=0."
            )
            raise ValueError(msg)

    @property
    def length(self) -> dict[str, int | None]:
        """What says how long a fit is."""
        names = ("epochs", "steps", "steps_per_epoch")
        return {name: getattr(self, name) for name in names}

    @property
    def silent(self) -> bool:
        """Whether nothing is printed."""
        return self.verbose in (0, "0")

    @contextlib.contextmanager
    def shown(
        self, flow: flows.Flow | None
    ) -> Iterator[list[keras.callbacks.Callback]]:
        """Show how a fit goes on in one line, unless nothing does or Keras' bar."""
        if self.verbose != "auto":
            yield []
            return
        line = ProgressLine(stream=sys.stdout)
        if flow is not None and hasattr(flow, "bits_per_dim"):
            line = ProgressLine.of_images(flow.event_shape, stream=sys.stdout)
        with line:
            yield [line]

    def limits(self, *more: keras.callbacks.Callback) -> progress.Limits:
        """Return how long a fit layer by layer may be."""
        verbose = 0 if self.verbose == "auto" else self.verbose
        callbacks = [*self.callbacks, *more]
        return progress.Limits(self.epochs, self.patience, callbacks, verbose)


def by_layers(given: Given, settings: Settings) -> keras.callbacks.History:
    """Fit layer by layer, without a loss; see `greedy.fit_greedily`."""
    held_out = given.held_out
    if isinstance(held_out, tf.data.Dataset):
        held_out = arrays.read(held_out, given.flow.event_shape)
    with settings.shown(given.flow) as lines:
        return LAYERWISE[given.flow.fit_policy.method](
            given.flow,
            given.train,
            held_out,
            settings.limits(*lines),
            seed=settings.seed,
            more=not settings.adapt,
            refit=given.share,
        )


def refuse_for_layers(x: Any, condition: Any, weights: Any, settings: Settings) -> None:
    """Raise if a fit layer by layer is given what has no part in it.

    Raises:
        ValueError: Naming it.
    """
    endless = False
    if isinstance(x, tf.data.Dataset):
        if condition is None:
            condition = arrays.batch_of(x.element_spec)[1]
        endless = x.cardinality() == tf.data.INFINITE_CARDINALITY
    if condition is not None or weights is not None or settings.noise:
        raise ValueError(GREEDY_REFUSAL)
    if settings.backup is not None:
        msg = (
            "`backup` must be left out for a greedy fit, whose layers are whole at "
            "its end only. Go on with a fitted flow by adapt=False."
        )
        raise ValueError(msg)
    if settings.objective or settings.steps or settings.steps_per_epoch:
        msg = (
            "`objective` and `steps` must be left out for a greedy fit, which has no "
            "steps. Fit a Gaussianization from_rbig with them."
        )
        raise ValueError(msg)
    if endless:
        msg = (
            "`x` must end for a greedy fit, which reads it for each layer, got a "
            "dataset that repeats for ever. Leave out its `repeat`."
        )
        raise ValueError(msg)


def choose(given: Given, settings: Settings) -> choices.Choices:
    """Return how long a fit is."""
    rows, dataset, length = given.rows, given.dataset, settings.length
    batch_size = settings.batch_size
    if batch_size is None:
        largest = given.flow.fit_policy.largest_batch
        batch_size = choices.size_of_batch(rows, largest)
    batch_size = shares.divisible(batch_size, settings.batch_size)
    of_rows = -(-rows // batch_size)
    in_data: int | None = of_rows
    if dataset is None:
        batch_size = min(batch_size, rows)
        in_data = rows // batch_size
    elif (size := int(dataset.cardinality())) != tf.data.UNKNOWN_CARDINALITY:
        in_data = None if size == tf.data.INFINITE_CARDINALITY else size
    if in_data is not None and set(length.values()) == {None}:
        length["epochs"] = choices.enough_epochs(of_rows)
        if given.files is not None and in_data > choices.LONG_EPOCH:
            length = choices.divided(in_data)
    epochs, steps = choices.lengths(in_data, **length)
    counted = dataset is None or settings.steps or settings.steps_per_epoch
    return choices.Choices(batch_size, epochs, steps, bool(counted))


def by_gradients(given: Given, settings: Settings) -> keras.callbacks.History:
    """Train in Keras' own loop, and stop early where rows are held out."""
    flow, held_out = given.flow, given.held_out
    weighs, chosen = _weighs(given), choose(given, settings)
    rng = _context.generator(settings.seed)
    fixed_seed = int(rng.integers(2**31))
    arguments: dict[str, Any] = {}
    if isinstance(held_out, arrays.Data):
        size = VALIDATION_BATCHES * flow.fit_policy.largest_batch
        size = shares.even_size(len(held_out), size)
        held_out, arguments["validation_steps"] = batches.for_validation(
            held_out, size, flow.variable_dtype
        )
        held_out = shares.of_worker(held_out)
    elif held_out is not None:
        held_out = finite.watched(flow, held_out, "validation")
    if held_out is not None:
        arguments["validation_data"] = held_out
    if settings.average == "auto":
        average = given.average if settings.adapt else None
        settings = dataclasses.replace(settings, average=average)
    _compile(flow, chosen, settings, rng)
    if given.dataset is None:
        flow.objective.prepare(flow, _counted(given))
    loop = loops.Loop(flow, chosen, settings, arguments, given)
    # Of a dataset, the first rows alone were looked at.
    dataset, source = finite.watched(flow, given.dataset), None
    if given.files is not None:
        source = given.files.batches(flow, chosen.batch_size, fixed_seed, loop.done)
        dataset = source.dataset
    elif dataset is None:
        dataset = _batches(given, chosen.batch_size, fixed_seed)
    # Unless it counts steps, Keras makes two iterators for each epoch: ten times the
    # time of a step on a small table.
    if chosen.counted:
        dataset, arguments["steps_per_epoch"] = dataset.repeat(), chosen.steps
        if loop.done and source is None:
            dataset = dataset.skip(loop.done)
    if given.dataset is None:
        dataset = shares.of_worker(dataset)
    history = loop.run(dataset, source)
    if weighs:
        rows: Any = given.held_out
        if isinstance(rows, tf.data.Dataset):
            rows = arrays.read(rows, flow.event_shape)
        flow.weigh(rows.x, rows.condition)
    return history


def _batches(given: Given, size: int, seed: int) -> tf.data.Dataset:
    """Return the batches of arrays, of ensembles others for each member."""
    flow = given.flow
    kind = flow.variable_dtype
    if isinstance(flow, flows.Ensemble):
        count = flow.num_members
        return members.for_members(
            given.train, count, size, given.noise, seed, kind, bootstrap=flow.bootstrap
        )
    return batches.for_training(given.train, size, given.noise, seed, kind)


def _counted(given: Given) -> int:
    """Return how many rows there are to train on, those of weight 0 apart."""
    return given.rows if given.files is not None else len(given.train.counted())


def _weighs(given: Given) -> bool:
    """Whether the members of an ensemble are to be weighed by rows held out."""
    flow = given.flow
    if not (isinstance(flow, flows.Ensemble) and flow.member_weights == "validation"):
        return False
    if given.held_out is None:
        msg = (
            "`member_weights` 'validation' needs rows that are held out. Leave "
            "validation as it is, or take member_weights='equal'."
        )
        raise ValueError(msg)
    return True


def without_data(flow: flows.Flow, settings: Settings) -> keras.callbacks.History:
    """Train by an objective that needs no data."""
    chosen = choices.Choices(0, *choices.lengths(None, **settings.length))
    _compile(flow, chosen, settings, _context.generator(settings.seed))
    return loops.Loop(flow, chosen, settings, {"steps_per_epoch": chosen.steps}).run(
        None
    )


def _compile(
    flow: flows.Flow, chosen: choices.Choices, settings: Settings, rng: Any
) -> None:
    rate = settings.learning_rate
    objective = settings.objective or flow.default_objective()
    rate = chosen.learning_rate if rate is None else rate
    jit_compile = settings.jit_compile
    if jit_compile == "auto":
        # XLA does not compile sums over devices.
        is_alone = flow.distribute_strategy.num_replicas_in_sync == 1
        jit_compile = is_alone and chosen.worth_compiling
        jit_compile = jit_compile and flow.fit_policy.prefers_xla(flow)
    flow.compile(
        choices.make_optimizer(
            rate,
            settings.weight_decay,
            chosen.updates,
            settable=any(isinstance(call, SETS_RATE) for call in settings.callbacks),
        ),
        objective=objective,
        seed=int(rng.integers(2**31)),
        jit_compile=jit_compile,
    )
