"""What `fit` chooses where it is not told: sizes, lengths and rates."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from tfp_flows import _checks

__all__ = [
    "LONG_EPOCH",
    "Choices",
    "divided",
    "enough_epochs",
    "lengths",
    "make_optimizer",
    "size_of_batch",
]

# Small tables need many passes, large ones few: both get about so many updates.
DEFAULT_STEPS = 8_000
MAX_EPOCHS = 1_000
# Updates of an epoch of files, whose passes may be longer than a fit.
LONG_EPOCH = 1_000
# A fit that knows no passes is reported so many times.
REPORTS = 100
# Few updates take longer steps.
FEW_STEPS = 1_000
LEARNING_RATES = (1e-2, 3e-3)
# Early stopping waits for at least so many updates, however many make an epoch.
PATIENT_STEPS = 250
# TensorFlow keeps some 35 KB for each name of a variable that it has once made, as long
# as the process lives: Keras' own names (`adam_w_7`) would be new for each fit.
OPTIMIZER_NAME = "adam_w"
# XLA halves the time of a step on a CPU, and costs some ten seconds once.
STEPS_WORTH_COMPILING = 2_000


@dataclasses.dataclass(frozen=True)
class Choices:
    """How long a fit is.

    Args:
        batch_size: Events per update.
        epochs: Upper bound of epochs.
        steps: Updates per epoch.
        counted: Whether an epoch is so many updates, and not a pass over a dataset.
    """

    batch_size: int
    epochs: int
    steps: int
    counted: bool = True

    @property
    def updates(self) -> int:
        """Upper bound of updates."""
        return self.epochs * self.steps

    @property
    def learning_rate(self) -> float:
        """Highest learning rate."""
        return LEARNING_RATES[self.updates > FEW_STEPS]

    @property
    def patience(self) -> int:
        """Epochs without improvement before training stops."""
        return max(10, self.epochs // 10, -(-PATIENT_STEPS // self.steps))

    @property
    def worth_compiling(self) -> bool:
        """Whether training is long enough to gain from XLA."""
        return self.updates >= STEPS_WORTH_COMPILING


def size_of_batch(rows: int, largest: int = 512) -> int:
    """Return a batch of 1/16 of the rows, within 32 and 512."""
    size = int(2 ** np.clip(np.round(np.log2(rows / 16)), 5, 9))
    return min(size, largest)


def lengths(
    in_data: int | None,
    epochs: int | None = None,
    steps: int | None = None,
    steps_per_epoch: int | None = None,
) -> tuple[int, int]:
    """Return the number of epochs and the updates of each.

    Args:
        in_data: Updates of one pass over the data; `None` if they never end.
        epochs: Given number of epochs.
        steps: Given number of updates in all, rounded up to whole epochs.
        steps_per_epoch: Given updates per epoch.

    Raises:
        ValueError: If data never end and no number of steps is given, or if all are.
    """
    given = {"epochs": epochs, "steps": steps, "steps_per_epoch": steps_per_epoch}
    for name, number in given.items():
        if number is not None and name != "epochs":
            _checks.at_least(number, 1, name)
    if None not in given.values():
        msg = "`epochs`, `steps` and `steps_per_epoch` must be at most two, got all."
        raise ValueError(msg)
    if steps_per_epoch is None:
        if steps is not None and epochs is not None:
            steps_per_epoch = -(-steps // epochs)
        elif in_data is not None:
            steps_per_epoch = in_data if steps is None else min(in_data, steps)
        elif steps is not None:
            steps_per_epoch = -(-steps // min(steps, REPORTS))
        else:
            msg = (
                "`steps` must be given for data without an end, got none. Say how many "
                "updates to make, such as steps=8000, or steps_per_epoch=100."
            )
            raise ValueError(msg)
    if epochs is None:
        epochs = enough_epochs(steps_per_epoch)
        if steps is not None:
            epochs = -(-steps // steps_per_epoch)
    return epochs, steps_per_epoch


def enough_epochs(steps_per_epoch: int) -> int:
    """Return how many epochs make about as many updates as a fit needs."""
    return int(np.clip(np.ceil(DEFAULT_STEPS / steps_per_epoch), 1, MAX_EPOCHS))


def divided(in_data: int) -> dict[str, int | None]:
    """Return the length of a fit whose passes are divided into epochs.

    Args:
        in_data: Updates of one pass over the data.
    """
    parts = -(-in_data // LONG_EPOCH)
    steps = in_data // parts
    epochs = max(parts, enough_epochs(steps))
    return {"epochs": epochs, "steps": None, "steps_per_epoch": steps}


def make_optimizer(
    learning_rate: float, weight_decay: float, steps: int, *, settable: bool = False
) -> keras.optimizers.Optimizer:
    """Return AdamW with warm-up, cosine decay and clipped gradients.

    Args:
        learning_rate: Highest rate.
        weight_decay: Share of the weights that each step takes away, over the rate.
        steps: Number of updates.
        settable: Whether callbacks set the rate, which then starts from the highest and
            has no schedule.
    """
    if settable:
        return keras.optimizers.AdamW(
            learning_rate,
            weight_decay=weight_decay,
            global_clipnorm=5.0,
            name=OPTIMIZER_NAME,
        )
    warmup = max(1, min(200, steps // 20))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / warmup,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
        warmup_target=learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=weight_decay,
        global_clipnorm=5.0,
        name=OPTIMIZER_NAME,
    )
