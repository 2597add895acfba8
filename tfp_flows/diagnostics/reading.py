"""What users hand over as draws: arrays of rows, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfp_flows import _arrays, _context
from tfp_flows.diagnostics import structures

__all__ = ["draws_of", "finite", "generator", "in_parts", "names_of", "rows"]


def finite(values: Any, argument: str) -> np.ndarray:
    """Return numbers in double precision.

    Raises:
        ValueError: If some are not finite, or none are there.
    """
    values = getattr(values, "x", values)  # of a `Table`
    found = np.asarray(_arrays.unmasked(values, argument), np.float64)
    bad = int(np.sum(~np.isfinite(found)))
    if bad:
        msg = (
            f"`{argument}` must hold finite numbers, got {bad} that are not. Drop such "
            "rows, and say how many they were."
        )
        raise ValueError(msg)
    if not found.size:
        msg = f"`{argument}` must hold numbers, got shape {found.shape}."
        raise ValueError(msg)
    return found


def rows(values: Any, argument: str) -> np.ndarray:
    """Return rows `[N, D]`; `[N]` are rows of one number, events are flattened.

    Parts of a joint distribution, in a dictionary or a named tuple, are columns side by
    side, dictionaries by the order of their names.
    """
    if structures.is_parts(values):
        return _of_parts(values, argument, 1)
    found = finite(values, argument)
    if found.ndim == 0:
        msg = f"`{argument}` must be rows [N, D], got a single number."
        raise ValueError(msg)
    return found.reshape(len(found), -1)


def draws_of(truth: Any, draws: Any, names: tuple[str, str]) -> tuple[np.ndarray, ...]:
    """Return what is true, `[N, D]`, and draws for each, `[N, L, D]`.

    Args:
        truth: `[N, D]`, or `[N]`; or parts of a joint distribution, `[N, ...]` each.
        draws: `[N, L, D]`, or `[N, L]`; or such parts, `[N, L, ...]` each.
        names: What to call both in an error.

    Raises:
        ValueError: If the shapes do not fit each other, or there are too few.
    """
    if in_parts(truth, draws):
        first = _of_parts(truth, names[0], 1)
    else:
        first = rows(truth, names[0])
    if structures.is_parts(draws) or (
        in_parts(truth, draws) and _same_length(truth, draws)
    ):
        _require_same_parts(truth, draws, names)
        second = _of_parts(draws, names[1], 2)
    else:
        second = finite(draws, names[1])
    count, size = first.shape
    if second.ndim < 2 or len(second) != count or second[0, 0].size != size:
        msg = (
            f"`{names[1]}` must be [{count}, L, {size}], L draws for each of the "
            f"{count} rows of `{names[0]}`, got shape {second.shape}. Move the axis of "
            "the draws behind that of the rows."
        )
        raise ValueError(msg)
    second = second.reshape(count, second.shape[1], size)
    if count < 10 or second.shape[1] < 2:
        msg = (
            f"calibration needs 10 rows of `{names[0]}` and 2 draws for each or more, "
            f"got {count} and {second.shape[1]}. Simulate some hundreds of pairs."
        )
        raise ValueError(msg)
    return first, second


def in_parts(truth: Any, draws: Any) -> bool:
    """Whether true values come in the parts of a joint distribution.

    A list of arrays is such, if as one array it does not fit the draws.
    """
    if structures.is_parts(truth):
        return True
    if not structures.listed(truth):
        return False
    try:
        one, all_draws = np.asarray(truth), np.asarray(draws)
    except ValueError:  # of parts of several shapes
        return True
    return (
        all_draws.ndim < 2
        or len(all_draws) != len(one)
        or (all_draws[0, 0].size != one[0].size)
    )


def names_of(truth: Any, draws: Any) -> tuple[str, ...] | None:
    """Return names of the columns of a joint distribution, `None` for one array."""
    if not in_parts(truth, draws):
        return None
    parts = structures.leaves(truth)
    words = structures.words_of(truth, len(parts))
    return tuple(structures.column_names(words, [np.shape(p)[1:] for p in parts]))


def _of_parts(values: Any, argument: str, lead: int) -> np.ndarray:
    """Return parts side by side, `[N, D]` or `[N, L, D]`.

    Raises:
        ValueError: If their first axes differ.
    """
    parts = [finite(part, argument) for part in structures.leaves(values)]
    leads = {part.shape[:lead] for part in parts}
    if len(leads) != 1 or len(next(iter(leads))) != lead:
        shapes = [part.shape for part in parts]
        wanted = "[N, ...]" if lead == 1 else "[N, L, ...]"
        msg = (
            f"the parts of `{argument}` must be {wanted} each, of the same rows, got "
            f"shapes {shapes}. Move the axis of the draws behind that of the rows."
        )
        raise ValueError(msg)
    return structures.joined(parts, lead)


def _same_length(truth: Any, draws: Any) -> bool:
    return structures.listed(draws) and len(draws) == len(truth)


def _require_same_parts(truth: Any, draws: Any, names: tuple[str, str]) -> None:
    """Raise if draws have other parts than what is true."""
    if not structures.is_parts(truth):
        return
    words = [
        structures.words_of(values, len(structures.leaves(values)))
        for values in (truth, draws)
    ]
    if words[0] != words[1]:
        msg = (
            f"`{names[1]}` must have the parts of `{names[0]}`, {words[0]}, got "
            f"{words[1]}."
        )
        raise ValueError(msg)


def generator(seed: Any) -> np.random.Generator:
    """Return a generator of its own stream for a seed.

    What users draw from `np.random.default_rng(seed)` must not depend on it.
    """
    return _context.generator(seed).spawn(1)[0]
