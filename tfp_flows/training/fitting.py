"""`fit`: good defaults around the training loop of Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.training import garbage
from tfp_flows.training.callbacks.averaging import AverageWeights
from tfp_flows.training.callbacks.stopping import StopEarly, StopOnNonFinite
from tfp_flows.training.data import arrays as training_data
from tfp_flows.training.greedy import fit as greedy
from tfp_flows.training.greedy import generator as generation
from tfp_flows.training.greedy import streams

__all__ = ["fit"]

# Small tables need many passes, large ones few: both get about so many updates.
DEFAULT_STEPS = 8_000
MAX_EPOCHS = 1_000
# Share of the rows that are held out.
VALIDATION = 0.1
# Up to so many rows a network remembers single events: dropout holds it back.
SMALL_TABLE = 20_000
SMALL_TABLE_DROPOUT = 0.2
# Few updates take longer steps.
FEW_STEPS = 1_000
LEARNING_RATES = (1e-2, 3e-3)
# Early stopping waits for at least so many updates, however many make an epoch.
PATIENT_STEPS = 250
# XLA halves the time of a step on a CPU, and costs some ten seconds once.
STEPS_WORTH_COMPILING = 2_000
# Fits without gradients, by the `fit_method` of a flow.
LAYERWISE: dict[str, Callable[..., keras.callbacks.History]] = {
    "greedy": greedy.fit_greedily,
    "generative": generation.fit_generator,
}
GREEDY_REFUSAL = (
    "`weights` and `noise` must be left out for a greedy fit, which counts rows, "
    "and so must a condition. Fit a Gaussianization from_rbig with them."
)


def _sizes(
    rows: int, batch_size: int | None, epochs: int | None, largest: int = 512
) -> tuple[int, int]:
    """Choose what was left open: batches of 1/16 of the rows, within 32 and 512."""
    if batch_size is None:
        batch_size = int(2 ** np.clip(np.round(np.log2(rows / 16)), 5, 9))
        batch_size = min(batch_size, largest)
    steps = -(-rows // batch_size)
    if epochs is None:
        epochs = int(np.clip(np.ceil(DEFAULT_STEPS / steps), 1, MAX_EPOCHS))
    return batch_size, epochs


def _optimizer(
    learning_rate: float, weight_decay: float, steps: int
) -> keras.optimizers.Optimizer:
    warmup = max(1, min(200, steps // 20))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / warmup,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
        warmup_target=learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        schedule, weight_decay=weight_decay, global_clipnorm=5.0
    )


def _slices(parts: tuple[Any, Any, Any]) -> tf.data.Dataset:
    """Return single events, with targets and weights if there are weights."""
    inputs, _, weights = parts
    return tf.data.Dataset.from_tensor_slices((inputs,) if weights is None else parts)


def _pipeline(
    data: training_data.Data,
    batch_size: int,
    noise: float,
    seed: int,
    dtype: str,
) -> tf.data.Dataset:
    """Return batches of one size, reshuffled every epoch, with noise on the events.

    What does not fill the last batch waits for another epoch's order: one size of
    batch is compiled once. The noise is in units of each coordinate's deviation.
    """
    dataset = _slices(data.keras(dtype))
    dataset = dataset.shuffle(len(data), seed=seed, reshuffle_each_iteration=True)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    if noise:
        scale = tf.constant(noise * data.counted().x.std(axis=0), dtype)
        generator = tf.random.Generator.from_seed(seed)

        def add_noise(inputs: Any, *rest: Any) -> tuple[Any, ...]:
            x = inputs["x"] if isinstance(inputs, dict) else inputs
            x += scale * generator.normal(tf.shape(x), dtype=x.dtype)
            inputs = {**inputs, "x": x} if isinstance(inputs, dict) else x
            return (inputs, *rest)

        dataset = dataset.map(add_noise)
    return dataset.prefetch(2)


def fit(
    flow: flows.Flow | str,
    x: TensorLike | tf.data.Dataset,
    condition: Condition = None,
    *,
    validation: (
        float | Literal["auto"] | tuple[Any, ...] | tf.data.Dataset | None
    ) = "auto",
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float = 1e-4,
    patience: int | None = None,
    noise: float = 0.0,
    average: float | None = None,
    weights: TensorLike | None = None,
    seed: int | None = None,
    adapt: bool = True,
    jit_compile: bool | str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
    **options: Any,
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a flow to data by maximum likelihood, with defaults that suit real tables.

    Standardisation and other data-dependent layers are set from the training part,
    then Keras trains with AdamW, warm-up, cosine decay, and gradient clipping, stops
    when the validation likelihood no longer rises, and restores the best weights.

    `RBIG` is fitted greedily instead, without gradients: `epochs` bounds its layers,
    `patience` counts layers, and what concerns batches and the optimizer has no part.
    A dataset is then read once for each layer and never held in memory, and `x` may
    also be the paths of CSV, Parquet or NPZ shards. Once the rows held out have said
    how many layers there are, all rows make them.

    Args:
        flow: A flow, or the name of one, which is then built for the data: coupling
            and autoregressive flows with a Student-t base, whose tails adapt, and
            with dropout 0.2 for tables of more than 2 columns and at most 20,000 rows.
        x: Events, `[N, *event_shape]`: array, tensor, DataFrame; or a dict of `x` and
            `condition`; or a dataset of batches of such.
        condition: Conditions, `[N, *condition_shape]`, or `None`.
        validation: Share of rows held out, of equal ones all or none; or `(x,)` or
            `(x, condition)`; or a dataset; or `None` for no early stopping. By default
            a tenth; nothing for a dataset, and for a flow with so few numbers that it
            cannot over-fit the rows (`flow.needs_validation`).
        epochs: Upper bound of passes over the data; by default enough for about 8,000
            updates.
        batch_size: Events per update; by default a power of two near 1/16 of the rows,
            between 32 and 512 (64 for images). Not used for datasets.
        learning_rate: Highest learning rate; by default 3e-3, and 1e-2 for at most
            1,000 updates.
        weight_decay: Decoupled weight decay.
        patience: Epochs without improvement before training stops; by default a tenth
            of `epochs`, at least 10, and at least 250 updates.
        noise: Standard deviation of Gaussian noise added to the events of each batch,
            in units of the standard deviation of each coordinate.
        average: Decay of an exponential average of the weights, such as 0.999, which is
            validated and kept in place of the last weights; see `AverageWeights`.
        weights: Weights of the events, `[N]`; those of weight 0 have no influence.
        seed: Int that fixes the split, the initial weights, and the order of batches.
        adapt: Whether to set data-dependent layers first; `False` goes on training, and
            keeps the weights that there are unless the validation loss falls.
        jit_compile: Whether to compile steps by XLA; `"auto"` where training is long
            enough to gain from it.
        callbacks: Further Keras callbacks.
        verbose: As in `keras.Model.fit`; 0 is silent.
        **options: Of the flow, if it is given by name.

    Returns:
        The flow and Keras' history, whose losses are nats per event.

    Raises:
        ValueError: If shapes do not fit or data are not finite, or if a trainable
            variable of the flow is hidden from Keras.
        FloatingPointError: If the loss stops being finite.
        TypeError: If options are given along with a flow that is already built.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500)
        >>> flow, history = tfpf.fit("linear", x, epochs=2, seed=0, verbose=0)
        >>> flow.sample(3, seed=1).shape.as_list()
        [3, 2]
    """
    garbage.collect()
    share = VALIDATION if validation == "auto" else validation
    if streams.is_stream(flow, x, share):
        if condition is not None or weights is not None or noise:
            raise ValueError(GREEDY_REFUSAL)
        return streams.fit(
            flow,
            x,
            validation=share if isinstance(share, float) else None,
            max_layers=epochs,
            patience=patience,
            seed=seed,
            adapt=adapt,
            callbacks=callbacks,
            verbose=verbose,
            **options,
        )
    dataset = x if isinstance(x, tf.data.Dataset) else None
    if dataset is not None:
        if condition is not None or weights is not None or noise:
            msg = (
                "`condition`, `weights` and `noise` must come with the dataset, got "
                "them beside it. Let it yield {'x': ..., 'condition': ...}."
            )
            raise ValueError(msg)
        shape = None if isinstance(flow, str) else flow.event_shape
        train, held_out = training_data.take(dataset, shape), None
    else:
        if isinstance(x, dict) and condition is None:
            inputs: dict[str, Any] = x
            x, condition = inputs["x"], inputs.get("condition")
        if isinstance(flow, flows.Flow):
            x, condition = flow.in_order(x, condition)
        train, held_out = training_data.Data(x, condition, weights), None
    flow = _built(flow, train, seed, options)
    if flow.base.bounds is not None and not flow.keeps_bounds:
        msg = (
            f"`base` must have tails to fit a `{type(flow).__name__}`, got "
            f"{flow.base.kind!r}: its maps leave the box of the base, where densities "
            "are 0. Use 'normal' or 'student-t', or fit 'nsf' or 'nsf-ar'."
        )
        raise ValueError(msg)
    every = train
    if validation == "auto":
        holds_out = dataset is None and flow.needs_validation(len(train))
        validation = VALIDATION if holds_out else None
    if isinstance(validation, tf.data.Dataset):
        held_out = validation
    elif dataset is None or isinstance(validation, (tuple, list)):
        if isinstance(validation, (tuple, list)):
            given = (*validation, None)[:2]
            validation = (*flow.in_order(*given), *validation[2:])
        train, held_out = training_data.hold_out(train, validation, seed)
    if adapt:
        seen = train.counted() if flow.base.bounds is None else every.counted()
        flow.adapt(seen.x, seen.condition)
    if flow.fit_method in LAYERWISE:
        if weights is not None or noise:
            raise ValueError(GREEDY_REFUSAL)
        if isinstance(held_out, tf.data.Dataset):
            held_out = training_data.take(held_out, flow.event_shape)
        return flow, LAYERWISE[flow.fit_method](
            flow,
            train,
            held_out,
            max_layers=epochs,
            patience=patience,
            seed=seed,
            more=not adapt,
            refit=dataset is None and isinstance(validation, float),
            callbacks=callbacks,
            verbose=verbose,
        )
    largest = flow.largest_batch
    batch_size, epochs = _sizes(len(train), batch_size, epochs, largest)
    if dataset is None:
        batch_size = min(batch_size, len(train))
        fixed_seed = int(_context.generator(seed).integers(2**31))
        dataset = _pipeline(train, batch_size, noise, fixed_seed, flow.variable_dtype)
    steps = int(dataset.cardinality())
    if steps < 0:
        steps = -(-len(train) // batch_size)
    if patience is None:
        patience = max(10, epochs // 10, -(-PATIENT_STEPS // steps))
    if learning_rate is None:
        learning_rate = LEARNING_RATES[steps * epochs > FEW_STEPS]
    if jit_compile == "auto":
        long = steps * epochs >= STEPS_WORTH_COMPILING
        jit_compile = long and flow.prefers_xla
    flow.compile(
        optimizer=_optimizer(learning_rate, weight_decay, steps * epochs),
        jit_compile=jit_compile,
    )
    used: list[keras.callbacks.Callback] = [StopOnNonFinite()]
    if average is not None:
        used.append(AverageWeights(average))
    used += callbacks
    arguments: dict[str, Any] = {}
    # Unless it counts steps, Keras makes two iterators for each epoch: ten times the
    # time of a step on a small table.
    if not isinstance(x, tf.data.Dataset):
        dataset, arguments["steps_per_epoch"] = dataset.repeat(), steps
    if held_out is not None:
        arguments["validation_data"] = held_out
        if isinstance(held_out, training_data.Data):
            size = min(len(held_out), 8 * largest)
            parts = held_out.keras(flow.variable_dtype)
            arguments["validation_data"] = _slices(parts).batch(size).repeat()
            arguments["validation_steps"] = -(-len(held_out) // size)
        used.append(StopEarly(patience, None if adapt else _loss(flow, arguments)))
    history = flow.fit(
        dataset,
        epochs=epochs,
        callbacks=used,
        shuffle=False,  # datasets shuffle themselves
        verbose=verbose,
        **arguments,
    )
    return flow, history


def _loss(flow: flows.Flow, arguments: dict[str, Any]) -> float:
    """Return the validation loss of a flow as it is."""
    found = flow.evaluate(
        arguments["validation_data"],
        steps=arguments.get("validation_steps"),
        return_dict=True,
        verbose=0,
    )
    return float(found["loss"])


def _defaults(name: str, train: training_data.Data) -> dict[str, Any]:
    """Return the options that suit the data, where a flow has them."""
    _checks.one_of(name, (*flows.names(), *flows.image_names()), "flow")
    tail_base = flows.flow_class(name).tail_base
    if tail_base is None:
        return {}
    is_table = train.x.ndim == 2 and train.x.shape[1] > 2
    small = is_table and len(train) <= SMALL_TABLE
    return {"base": tail_base, "dropout": SMALL_TABLE_DROPOUT if small else 0.0}


def _built(
    flow: flows.Flow | str,
    train: training_data.Data,
    seed: int | None,
    options: dict[str, Any],
) -> flows.Flow:
    """Return the flow for the data, built if it was given by name."""
    if isinstance(flow, str):
        condition = train.condition
        shape = None if condition is None else condition.shape[1:] or (1,)
        names = {"columns": train.columns, "condition_columns": train.condition_columns}
        options = {**names, **_defaults(flow, train), **options}
        flow = flows.build(flow, train.x.shape[1:], shape, seed=seed, **options)
    elif options:
        msg = (
            "`options` must be given when the flow is built, got "
            f"{sorted(options)} with a flow that exists. Give a name instead."
        )
        raise TypeError(msg)
    if flow.columns is None and train.columns is not None:
        flow.columns = train.columns
        flow.condition_columns = train.condition_columns
    return flow
