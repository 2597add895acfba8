"""`fit`: good defaults around the training loop of Keras."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from time import process_time as time_of_process
from typing import Any, Literal

import keras
import tensorflow as tf

from tfp_flows import _context, _stopped, flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.flows._model import keras_arguments, workers
from tfp_flows.flows._model.objective import MaximumLikelihood, Objective
from tfp_flows.training import budget as budgets
from tfp_flows.training import cards, garbage, interrupts, report, running, words
from tfp_flows.training.data import (
    arrays,
    building,
    given,
    given_files,
    noises,
    request,
)
from tfp_flows.training.greedy import streams

__all__ = ["fit"]


def fit(
    flow: flows.Flow | str,
    x: TensorLike | tf.data.Dataset | None = None,
    condition: Condition = None,
    *,
    objective: Objective | None = None,
    validation: (
        float | Literal["auto"] | tuple[Any, ...] | tf.data.Dataset | None
    ) = "auto",
    epochs: int | None = None,
    steps: int | None = None,
    steps_per_epoch: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float = 1e-4,
    patience: int | None = None,
    noise: float | Literal["rule-of-thumb"] = 0.0,
    budget: float | str | None = None,
    average: float | Literal["auto"] | None = "auto",
    weights: TensorLike | None = None,
    conditionals: Literal["any"] | None = None,
    missing: Literal["error", "impute", "marginal"] = "error",
    outliers: Literal["drop", "keep"] = "drop",
    columns: Any = "auto",
    groups: Any = None,
    time: Any = None,
    seed: int | None = None,
    adapt: bool = True,
    backup: str | os.PathLike[str] | None = None,
    jit_compile: bool | str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback = (),
    verbose: int | str = "auto",
    sample_weight: TensorLike | None = None,
    validation_split: float | None = None,
    validation_data: Any = None,
    **options: Any,
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a flow to data, by default by likelihood, as suits real tables.

    Standardisation and other data-dependent layers are set from the training part,
    then Keras trains with AdamW, warm-up, cosine decay, and gradient clipping, stops
    when the validation likelihood no longer rises, and restores the best weights.

    `RBIG` is fitted greedily instead, without gradients: `epochs` bounds its layers,
    `patience` counts layers, and what concerns batches and the optimizer has no part.
    A dataset or files are then read once for each layer, and never held in memory. Once
    the rows held out have said how many layers there are, all rows make them.

    Args:
        flow: A flow, or the name of one, which is then built for the data: coupling
            and autoregressive flows with a Student-t base, whose tails adapt, and
            with dropout 0.2 for tables of more than 2 columns and at most 20,000 rows;
            `nsf-ar` for such tables with dropout 0.4, linear maps between its layers,
            and averaged weights.
            `fit(x)` is for the flow `flows.DEFAULT`.
        x: Events, `[N, *event_shape]`: array, tensor, DataFrame; or a dict of `x` and
            `condition`; or a dataset of batches of such, or of pairs `(x, condition)`;
            or files that need not fit into memory: a path, a folder, a pattern, a list
            of them, or what `datasets.open_shards` returns. `None` for an objective
            that needs no data.
        condition: Conditions, `[N, *condition_shape]`, or `None`; of files the names of
            their columns.
        objective: What training minimises; by default `MaximumLikelihood`.
        validation: Share of rows held out, of equal ones all or none; or `(x,)` or
            `(x, condition)`; or a dataset; or `None` for no early stopping. By default
            a tenth; nothing for a dataset, and for a flow with so few numbers that it
            cannot over-fit the rows (`flow.needs_validation`).
        epochs: Upper bound of passes over the data; by default enough for about 8,000
            updates.
        steps: Number of updates in all, in place of `epochs`, or in so many epochs;
            needed by a dataset that never ends, and where there are no data.
        steps_per_epoch: Updates that make an epoch, in place of a pass over the data.
        batch_size: Events per update; by default a power of two near 1/16 of the rows,
            between 32 and 512 (64 for images). Not used for datasets.
        learning_rate: Highest learning rate; by default 3e-3, and 1e-2 for at most
            1,000 updates.
        weight_decay: Decoupled weight decay.
        patience: Epochs without improvement before training stops; by default a tenth
            of `epochs`, at least 10, and at least 250 updates.
        noise: Standard deviation of Gaussian noise added to the events of each batch,
            in units of the standard deviation of each coordinate; columns with bounds,
            steps, atoms or categories get none. `"rule-of-thumb"`, for densities of
            few rows given conditions: `1.06 * N ** (-1 / (4 + d))` for `N` rows of `d`
            columns, on events and conditions; the report says it.
        budget: CPU time of the whole fit, seconds or a text such as `"10s"`: an `RBIG`,
            among whose first layers is a mixture, then trained on by gradients while
            there is time; validation rows choose. The report says what more would buy.
        average: Decay of an exponential average of the weights, such as 0.999, which is
            validated and kept in place of the last weights; see `AverageWeights`. By
            default 0.99 where `nsf-ar` is built for a small table, `None` elsewhere.
        weights: Weights of the events, `[N]`; those of weight 0 have no influence.
        conditionals: `"any"` for the flow `any-order`, of which one answers for the
            density of any columns given any others, exactly, and fills missing cells.
        missing: What to do with missing cells of `x` and `condition` (NaN, or masked):
            name the first one in an error; fill them from similar rows, see
            `preprocessing.impute`; or, with `conditionals="any"`, `"marginal"`: train
            on the cells that are there, and leave out the others.
        outliers: Whether rows with a value at least 100 times as far from the middle
            as any other are left out, each with a warning, or kept.
        columns: What the columns of a flow given by name are: `"auto"` tells integers,
            rounded numbers, atoms, categories and natural ends by the values, see
            `preprocessing.detect`; kinds by name, such as
            `{"share": ("bounded", 0, 100)}`, see `preprocessing.Column.read`, go before
            that, and `"drop"` leaves a column out; `"continuous"`, or a list of names,
            takes all for numbers.
        groups: What rows belong together, such as a patient or a site, `[N]`: the
            validation rows are whole groups. Or the name of a column that says it,
            which is then no part of the events or conditions.
        time: When rows were observed, `[N]`, numbers or dates, or the name of such a
            column: the validation rows are the last ones.
        seed: Int that fixes the split, the initial weights, and the order of batches.
        adapt: Whether to set data-dependent layers first; `False` goes on training, and
            keeps the weights that there are unless the validation loss falls.
        backup: Folder to which the state of training is written after each epoch.
            The same call, made again after the process was killed, goes on from there
            and ends with the same weights. Removed when the fit ends; needs a `seed`.
        jit_compile: Whether to compile steps by XLA; `"auto"` where training is long
            enough to gain from it.
        callbacks: Further Keras callbacks, or one. With `LearningRateScheduler` or
            `ReduceLROnPlateau` the rate has no schedule of its own.
        verbose: `"auto"` shows one line while the fit goes on, and the report at its
            end; 0 nothing, but warns if the flow clearly loses to a Gaussian; 1 and 2
            are Keras' bar and lines, with the report.
        sample_weight: Another name of `weights`.
        validation_split: Another name of `validation`, as a share.
        validation_data: Another name of `validation`, as data.
        **options: Of the flow, if it is given by name.

    Returns:
        The flow and Keras' history, whose losses are nats per event, and whose `report`
        says what the fit has come to: the likelihood of the validation rows beside that
        of a full Gaussian, why training stopped, and advice; see `Report`.

    Raises:
        ValueError: If shapes do not fit or data are not finite, if there are fewer than
            10 rows or columns that are constant, copies or sums of others, or if a
            trainable variable of the flow is hidden from Keras.
        FloatingPointError: If the loss stops being finite.
        TypeError: If options are given along with a flow that is already built, or are
            words of another library.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500)
        >>> flow, history = tfpf.fit("linear", x, epochs=2, seed=0, verbose=0)
        >>> flow.sample(3, seed=1).shape.as_list()
        [3, 2]
    """
    _context.require_eager("fit")
    begun = time_of_process()
    garbage.collect()
    words.refuse_foreign(options)
    limit = None
    if budget is not None:
        limit = budgets.Budget.begin(budget, begun)
        flow, x = budgets.flow_and_data(flow, x, epochs=epochs, steps=steps)
    default = words.default_flow(conditionals)
    flow, x = words.flow_and_data(flow, x, objective, default)
    if conditionals is not None:
        words.require_any(flow, options)
    seed, verbose = workers.seed_of_all(seed), workers.verbose_of_first(verbose)
    asked = request.Request(
        flow,
        x,
        condition,
        weights=words.one_of("weights", weights, "sample_weight", sample_weight),
        validation=words.validation_of(validation, validation_split, validation_data),
        noise=noise,
        missing=missing,
        outliers=outliers,
        columns=columns,
        groups=groups,
        time=time,
        seed=seed,
        options=options,
        detects=objective is None or isinstance(objective, MaximumLikelihood),
    )
    settings = running.Settings(
        objective=objective,
        epochs=epochs,
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        patience=patience,
        noise=noise,
        average=average,
        seed=seed,
        jit_compile=jit_compile,
        callbacks=keras_arguments.callbacks_of(callbacks),
        verbose=verbose,
        adapt=adapt,
        backup=backup,
    )
    is_stream = streams.is_stream(flow, x, asked.validation)
    _require_equal(asked, settings, rows=not is_stream)
    if x is None:
        return _without_data(asked, settings)
    if is_stream:
        return _stream(asked, settings)
    found = _read(asked, limit)
    if limit is not None:
        running.refuse_for_layers(found.dataset, condition, asked.weights, settings)
    with interrupts.guarded(found.flow), _stopped.explained():
        return _fitted(found, settings, limit)


def _require_equal(
    asked: request.Request, settings: running.Settings, *, rows: bool
) -> None:
    """Raise if several workers are told other things, or have one backup.

    Args:
        asked: The flow and its data.
        settings: How to train.
        rows: Whether each worker is given all rows, in place of files of its own.
    """
    told = {**vars(settings), **asked.options, "verbose": None}
    names = ["flow", "condition", "validation", *(["x"] if rows else ())]
    names += ["weights", "missing"]
    workers.require_equal({**told, **{name: getattr(asked, name) for name in names}})
    words.refuse_backup_of_several(settings.backup)


def _read(asked: request.Request, limit: budgets.Budget | None) -> given.Given:
    """Read arrays, a dataset, or files."""
    words.refuse_paths(weights=asked.weights)
    if not given_files.is_files(asked.x):
        words.refuse_paths(condition=asked.condition)
        return given.read(asked)
    given_files.refuse(
        weights=asked.weights is not None,
        noise=asked.noise,
        missing=asked.missing != "error",
        groups=asked.groups is not None,
        time=asked.time is not None,
        budget=limit is not None,
    )
    return given_files.read(asked)


def _fitted(
    found: given.Given, settings: running.Settings, limit: budgets.Budget | None
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a flow, and say what that has come to."""
    said: tuple[str, ...] = ()
    if settings.noise:
        noise = noises.noise_of(found.flow, found.train, settings.noise)
        found = dataclasses.replace(found, noise=noise)
    if limit is None:
        history = _run(found, settings)
    else:
        found, history, sentence = budgets.run(found, settings, limit)
        said = (sentence,)
    judged = _report(found, settings, history)
    advice = (*judged.advice, *said)
    history.report = dataclasses.replace(
        judged, columns=found.described(), advice=advice
    )
    found.flow.card = cards.written(found.flow, judged, *found.at_hand())
    _tell(history.report, settings)
    return found.flow, history


def _run(found: given.Given, settings: running.Settings) -> keras.callbacks.History:
    """Fit a flow to the data that were read."""
    if settings.adapt:
        found.adapt()
    if found.flow.fit_policy.method != "gradients":
        running.refuse_for_layers(found.dataset, None, found.every.weights, settings)
        return running.by_layers(found, settings)
    return running.by_gradients(found, settings)


def _report(
    found: given.Given, settings: running.Settings, history: keras.callbacks.History
) -> report.Report:
    """Return what the fit has come to."""
    flow, held_out, objective = found.flow, found.held_out, settings.objective
    if not (objective is None or isinstance(objective, MaximumLikelihood)):
        return report.Report(found.rows, report.parameter_count(flow), history.ending)
    if isinstance(held_out, tf.data.Dataset):
        held_out = arrays.read(held_out, flow.event_shape, report.MOST_ROWS)
    return report.judged(
        flow,
        found.train,
        held_out,
        ending=history.ending,
        losses=getattr(history, "row_losses", None),
        fitted=found.rows,
        advise_length=settings.epochs is not None or settings.steps is not None,
    )


def _tell(found: report.Report, settings: running.Settings) -> None:
    if settings.silent:
        report.warn(found)
    else:
        print(found, flush=True)


def _stream(
    asked: request.Request, settings: running.Settings
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a greedy flow to what is read anew for each layer."""
    request.require_share(asked.x, asked.groups, asked.time)
    running.refuse_for_layers(asked.x, asked.condition, asked.weights, settings)
    given_files.refuse(missing=asked.missing != "error")
    validation = asked.validation
    share = given.VALIDATION if isinstance(validation, str) else validation
    if not isinstance(share, (float, type(None))):
        msg = (
            "`validation` must be a share of the rows where a flow is fitted to files "
            f"by layers, got a `{type(share).__name__}`. Pass validation=0.1."
        )
        raise TypeError(msg)
    with settings.shown(None) as lines:
        flow, history = streams.fit(
            asked.flow,
            asked.x,
            settings.limits(*lines),
            validation=share,
            seed=settings.seed,
            adapt=settings.adapt,
            columns=asked.columns,
            outliers=asked.outliers,
            **asked.options,
        )
    flow.card = cards.written(flow, history.report)
    _tell(history.report, settings)
    return flow, history


def _without_data(
    asked: request.Request, settings: running.Settings
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a flow by an objective that needs no data, if it is one."""
    flow, objective = asked.flow, settings.objective
    if objective is None or objective.needs_data:
        name = "likelihood" if objective is None else f"`{type(objective).__name__}`"
        msg = f"`x` must be given: {name} needs data, got None. Pass the events."
        raise ValueError(msg)
    if isinstance(flow, str):
        msg = (
            f"`flow` must be built where there are no data, got {flow!r}. Write "
            f"fit(flows.build({flow!r}, event_shape), ...)."
        )
        raise TypeError(msg)
    if asked.condition is not None:
        msg = (
            "`condition` must come with events, got it alone. Train on conditions by "
            "flow.compile(objective=...) and flow.fit({'condition': ...})."
        )
        raise ValueError(msg)
    building.refuse_options(asked.options)
    with interrupts.guarded(flow):
        history = running.without_data(flow, settings)
    count = report.parameter_count(flow)
    history.report = report.Report(None, count, history.ending)
    _tell(history.report, settings)
    return flow, history
