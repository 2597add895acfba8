"""Runs fits: by gradients in Keras' own loop, or layer by layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _context, flows
from tfp_flows.flows._model.objective import Objective
from tfp_flows.training import choices
from tfp_flows.training.callbacks.averaging import AverageWeights
from tfp_flows.training.callbacks.stopping import StopEarly, StopOnNonFinite
from tfp_flows.training.data import arrays, batches
from tfp_flows.training.data.given import Given
from tfp_flows.training.greedy import fit as greedy
from tfp_flows.training.greedy import generator, progress

__all__ = ["Settings", "by_gradients", "by_layers", "choose", "without_data"]

# Validation batches are so much larger: they keep no activations.
VALIDATION_BATCHES = 8
# Fits without gradients, by the method of a flow's policy.
LAYERWISE: dict[str, Callable[..., keras.callbacks.History]] = {
    "greedy": greedy.fit_greedily,
    "generative": generator.fit_generator,
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train, as `fit` is told; `None` to choose.

    `seed` fixes the order of batches and what the objective draws; `keeps` keeps the
    weights that there are unless the validation loss falls.
    """

    objective: Objective | None
    noise: float
    learning_rate: float | None
    weight_decay: float
    patience: int | None
    average: float | None
    seed: int | None
    jit_compile: bool | str
    callbacks: Sequence[keras.callbacks.Callback]
    verbose: int | str
    keeps: bool

    def limits(self, max_layers: int | None) -> progress.Limits:
        """Return how long a fit layer by layer may be."""
        return progress.Limits(max_layers, self.patience, self.callbacks, self.verbose)


def by_layers(
    given: Given, max_layers: int | None, settings: Settings
) -> keras.callbacks.History:
    """Fit layer by layer, without a loss; see `greedy.fit_greedily`."""
    held_out = given.held_out
    if isinstance(held_out, tf.data.Dataset):
        held_out = arrays.read(held_out, given.flow.event_shape)
    return LAYERWISE[given.flow.fit_policy.method](
        given.flow,
        given.train,
        held_out,
        settings.limits(max_layers),
        seed=settings.seed,
        more=settings.keeps,
        refit=given.share,
    )


def choose(
    given: Given,
    *,
    batch_size: int | None,
    epochs: int | None,
    steps: int | None,
    steps_per_epoch: int | None,
) -> choices.Choices:
    """Return how long a fit is."""
    rows, dataset = len(given.train), given.dataset
    if batch_size is None:
        largest = given.flow.fit_policy.largest_batch
        batch_size = choices.size_of_batch(rows, largest)
    of_rows = -(-rows // batch_size)
    in_data: int | None = of_rows
    if dataset is None:
        batch_size = min(batch_size, rows)
        in_data = rows // batch_size
    elif (size := int(dataset.cardinality())) != tf.data.UNKNOWN_CARDINALITY:
        in_data = None if size == tf.data.INFINITE_CARDINALITY else size
    counted = dataset is None or in_data is None
    if (epochs, steps, steps_per_epoch) == (None, None, None) and in_data is not None:
        epochs = choices.enough_epochs(of_rows)
    counted = counted or steps is not None or steps_per_epoch is not None
    epochs, per_epoch = choices.lengths(in_data, epochs, steps, steps_per_epoch)
    return choices.Choices(batch_size, epochs, per_epoch, counted)


def by_gradients(
    given: Given, chosen: choices.Choices, settings: Settings
) -> keras.callbacks.History:
    """Train in Keras' own loop, and stop early where rows are held out."""
    flow, held_out = given.flow, given.held_out
    rng = _context.generator(settings.seed)
    fixed_seed = int(rng.integers(2**31))
    arguments: dict[str, Any] = {}
    dataset = given.dataset
    if dataset is None:
        noise, size = settings.noise, chosen.batch_size
        dataset = batches.for_training(
            given.train, size, noise, fixed_seed, flow.variable_dtype
        )
    # Unless it counts steps, Keras makes two iterators for each epoch: ten times the
    # time of a step on a small table.
    if chosen.counted:
        dataset, arguments["steps_per_epoch"] = dataset.repeat(), chosen.steps
    if isinstance(held_out, arrays.Data):
        size = VALIDATION_BATCHES * flow.fit_policy.largest_batch
        held_out, arguments["validation_steps"] = batches.for_validation(
            held_out, size, flow.variable_dtype
        )
    if held_out is not None:
        arguments["validation_data"] = held_out
    _compile(flow, chosen, settings, rng)
    return _run(flow, dataset, chosen, settings, arguments)


def without_data(
    flow: flows.Flow, chosen: choices.Choices, settings: Settings
) -> keras.callbacks.History:
    """Train by an objective that needs no data."""
    _compile(flow, chosen, settings, _context.generator(settings.seed))
    return _run(flow, None, chosen, settings, {"steps_per_epoch": chosen.steps})


def _compile(
    flow: flows.Flow, chosen: choices.Choices, settings: Settings, rng: Any
) -> None:
    rate, objective = settings.learning_rate, settings.objective
    rate = chosen.learning_rate if rate is None else rate
    jit_compile = settings.jit_compile
    if jit_compile == "auto":
        jit_compile = chosen.worth_compiling and flow.fit_policy.prefers_xla(flow)
        jit_compile = jit_compile and (objective is None or objective.supports_jit)
    flow.compile(
        choices.make_optimizer(rate, settings.weight_decay, chosen.updates),
        objective=objective,
        seed=int(rng.integers(2**31)),
        jit_compile=jit_compile,
    )


def _run(
    flow: flows.Flow,
    dataset: tf.data.Dataset | None,
    chosen: choices.Choices,
    settings: Settings,
    arguments: dict[str, Any],
) -> keras.callbacks.History:
    """Run Keras' loop; after an interrupt, too, the flow has its best weights."""
    used: list[keras.callbacks.Callback] = [StopOnNonFinite()]
    if settings.average is not None:
        used.append(AverageWeights(settings.average))
    used += settings.callbacks
    stop = None
    if "validation_data" in arguments:
        patience = settings.patience
        patience = chosen.patience if patience is None else patience
        stop = StopEarly(patience, _loss(flow, arguments) if settings.keeps else None)
        used.append(stop)
    try:
        return flow.fit(
            dataset,
            epochs=chosen.epochs,
            callbacks=used,
            shuffle=False,  # datasets shuffle themselves
            verbose=settings.verbose,
            **arguments,
        )
    except KeyboardInterrupt:
        if stop is not None:
            stop.on_train_end()
        raise


def _loss(flow: flows.Flow, arguments: dict[str, Any]) -> float:
    """Return the validation loss of a flow as it is."""
    found = flow.evaluate(
        arguments["validation_data"],
        steps=arguments.get("validation_steps"),
        return_dict=True,
        verbose=0,
    )
    return float(found["loss"])
