"""What other libraries call the arguments of `fit`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tfp_flows import _checks, flows
from tfp_flows.flows._model import workers
from tfp_flows.training.data.request import answers_any

__all__ = [
    "default_flow",
    "flow_and_data",
    "one_of",
    "refuse_backup_of_several",
    "refuse_foreign",
    "refuse_paths",
    "require_any",
    "validation_of",
]

# The flow of any conditional density.
ANY_ORDER = "any-order"
# Words that `fit` does not take, and its own for them.
FOREIGN = {
    "lr": "learning_rate",
    "epoch": "epochs",
    "batchsize": "batch_size",
    "weight": "weights",
    "callback": "callbacks",
    "num_steps_per_epoch": "steps_per_epoch",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "max_iter": "epochs",
    "random_state": "seed",
    "validation_fraction": "validation",
    "n_iter_no_change": "patience",
    "context": "condition",
    "loss": "objective",
}
# Words of a method of the flow.
OF_COMPILE = ("optimizer", "metrics", "schedule", "scheduler", "clipnorm")


def one_of(ours: str, value: Any, theirs: str, other: Any) -> Any:
    """Return an argument that has two names.

    Raises:
        ValueError: If both are given.
    """
    if value is not None and other is not None:
        msg = f"`{ours}` and `{theirs}` say the same, got both. Give one of them."
        raise ValueError(msg)
    return other if value is None else value


def validation_of(ours: Any, split: float | None, data: Any) -> Any:
    """Return `validation`, from Keras' words if these are given.

    Raises:
        ValueError: If several of them are.
    """
    if isinstance(ours, np.floating):  # such as a float32
        ours = float(ours)
    if isinstance(split, np.floating):
        split = float(split)
    words = {"validation_split": split, "validation_data": data}
    given = [name for name, value in words.items() if value is not None]
    if not given:
        return ours
    given = given if isinstance(ours, str) else ["validation", *given]
    if len(given) > 1:
        msg = (
            f"`{given[0]}` and `{given[1]}` both say what is held out. Give one of "
            "them."
        )
        raise ValueError(msg)
    return (split or None) if data is None else data


def refuse_foreign(options: dict[str, Any]) -> None:
    """Raise if an option is the word of another library for an argument of `fit`."""
    for word in options:
        if word in OF_COMPILE:
            msg = (
                f"`{word}` is no argument of `fit`, which makes an optimizer of its "
                f"own, got {options[word]!r}. Set learning_rate, weight_decay, steps, "
                "or train by flow.compile(...) and flow.fit(...)."
            )
            raise TypeError(msg)
        if word in FOREIGN:
            msg = (
                f"`{word}` is no option of a flow, got {options[word]!r}. `fit` calls "
                f"it `{FOREIGN[word]}`."
            )
            raise TypeError(msg)


def flow_and_data(
    flow: Any, x: Any, objective: Any, default: str = flows.DEFAULT
) -> tuple[flows.Flow | str, Any]:
    """Return a flow or its name, and data: `fit(x)` is for the default flow.

    Raises:
        TypeError: If they come in another order.
    """
    if isinstance(flow, (str, flows.Flow)):
        return flow, x
    if x is None and objective is None and flow is not None:
        return default, flow
    wanted = repr(x if isinstance(x, str) else default)
    wanted = "flow" if isinstance(x, flows.Flow) else wanted
    msg = (
        f"`flow` must be a flow or its name, got a `{type(flow).__name__}`. Write "
        f"fit({wanted}, x)."
    )
    raise TypeError(msg)


def default_flow(conditionals: str | None) -> str:
    """Return the flow of `fit(x)`.

    Raises:
        ValueError: If there is no such kind of conditional densities.
    """
    if conditionals is None:
        return flows.DEFAULT
    _checks.one_of(conditionals, ("any",), "conditionals")
    return ANY_ORDER


def require_any(flow: Any, options: dict[str, Any]) -> None:
    """Raise unless a flow, or one of a name, answers for any split of its columns.

    Raises:
        ValueError: If it does not, or if it is to be an ensemble.
    """
    if options.get("members") is not None:
        msg = (
            "`members` must be left out with `conditionals` 'any', got "
            f"{options['members']!r}: an ensemble is trained for one order."
        )
        raise ValueError(msg)
    if not answers_any(flow):
        name = flow if isinstance(flow, str) else type(flow).__name__
        msg = (
            f"`conditionals` 'any' is what the flow {ANY_ORDER!r} is trained for, got "
            f"{name!r}. Leave out the flow: fit(x, conditionals='any')."
        )
        raise ValueError(msg)


def refuse_paths(**data: Any) -> None:
    """Raise if data are the path of a file.

    Raises:
        TypeError: If they are.
    """
    for name, value in data.items():
        if isinstance(value, (str, os.PathLike)):
            msg = (
                f"`{name}` must be numbers, got the path {os.fspath(value)!r}. Read it "
                "by tfp_flows.datasets.read_table."
            )
            raise TypeError(msg)


def refuse_backup_of_several(backup: Any) -> None:
    """Raise if several workers are to write one backup."""
    if backup is not None and workers.are_several():
        msg = (
            f"`backup` must be left out where several workers train, got {backup!r}. "
            "Give callbacks=[keras.callbacks.BackupAndRestore(folder)] in its place."
        )
        raise ValueError(msg)
