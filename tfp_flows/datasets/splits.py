"""Which rows are held out: at random, whole groups, or the last ones in time."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfp_flows.datasets import dates, folds

__all__ = ["check_groups", "check_times", "joined_groups", "split_rows"]


def split_rows(
    count: int,
    seed: int | np.random.Generator | None,
    *parts: np.ndarray | None,
    groups: Any = None,
    time: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out rows at random, in whole groups, or the last ones in time.

    Equal rows are all held out or none of them; but in time, where what comes later
    may repeat what was before.

    Args:
        count: How many to hold out; fewer where groups do not fit in.
        seed: Int that fixes the choice, or a generator; has no part in time.
        *parts: Arrays `[n, ...]` of which the rows consist, or `None`.
        groups: What rows belong together, such as a site or a patient, `[n]`: numbers
            or strings. A group is held out whole or not at all.
        time: When rows were observed, `[n]`: numbers or dates. The latest are held out,
            those of one instant together.

    Returns:
        Numbers of the other rows and of those held out, both in rising order.

    Raises:
        ValueError: If both are given, or one has a wrong length, missing values, or one
            value only.

    Example:
        >>> import numpy as np
        >>> x = np.arange(6.0)
        >>> rest, held_out = split_rows(2, 0, x, groups=["a", "a", "b", "b", "c", "c"])
        >>> held_out.tolist() in ([0, 1], [2, 3], [4, 5])
        True
        >>> split_rows(2, 0, x, time=[3, 1, 2, 6, 5, 4])[1].tolist()
        [3, 4]
    """
    arrays = [np.asarray(part) for part in parts if part is not None]
    total = len(arrays[0])
    if groups is not None and time is not None:
        raise ValueError(
            "`groups` and `time` both say which rows are held out, got both. Give one."
        )
    if time is not None:
        return _last(count, check_times(time, total))
    if groups is None:
        return folds.random_split(count, seed, *arrays)
    numbers = joined_groups(check_groups(groups, total), *arrays)
    order = np.random.default_rng(seed).permutation(total)
    if not 0 < count < total:
        return np.sort(order[count:]), np.sort(order[:count])
    chosen = folds.whole(numbers[order], count)
    return np.sort(order[~chosen]), np.sort(order[chosen])


def check_groups(groups: Any, count: int) -> np.ndarray:
    """Return the number of the group of each row, `[count]`.

    Raises:
        ValueError: If there is not one group for each row, or one in all.
    """
    values = _column(groups, count, "groups")
    if values.dtype.kind not in "biufUSMm":
        values = np.array([str(value) for value in values.tolist()])
    names, numbers = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"`groups` must name at least two groups, got {names.tolist()[0]!r} alone. "
            "Leave it out to hold out rows at random."
        )
    return numbers.reshape(count)


def check_times(time: Any, count: int) -> np.ndarray:
    """Return the place in time of each row, `[count]`, equal for equal times.

    Raises:
        ValueError: If there is not one time for each row, or if rows have no order.
    """
    values = _column(time, count, "time")
    if values.dtype.kind not in "biufMm":
        found = dates.read([str(cell) for cell in values.tolist()]).values
        values = values if found is None else found
    if values.dtype.kind not in "biufMm":
        raise ValueError(
            f"`time` must hold numbers or dates, got {values.tolist()[0]!r} in row 1. "
            "Convert it, such as by numpy.array(time, 'datetime64[s]')."
        )
    known, numbers = np.unique(values, return_inverse=True)
    if len(known) < 2:
        raise ValueError(
            f"`time` must have at least two instants, got {known.tolist()[0]!r} in all "
            "rows. Leave it out to hold out rows at random."
        )
    return numbers.reshape(count)


def joined_groups(groups: np.ndarray, *parts: np.ndarray | None) -> np.ndarray:
    """Join groups that share a row: none stands on both sides of a split.

    Args:
        groups: Number of the group of each row, `[n]`.
        *parts: Arrays `[n, ...]` of which the rows consist.

    Returns:
        Number of the joined group of each row, `[n]`; `groups` if all rows would be
        one, as draws from a few values are.
    """
    copies = folds.equal_rows(*parts)
    if copies is None:
        return groups
    found = groups
    while True:
        before = found
        for sets in (copies, groups):
            lowest = np.full(sets.max() + 1, len(found))
            np.minimum.at(lowest, sets, found)
            found = lowest[sets]
        if (found == before).all():
            break
    several = len(np.unique(found)) > 1
    return found if several else groups


def _last(count: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hold out at least `count` rows, all of those instants, but never all rows."""
    if count <= 0:
        return np.arange(len(places)), np.arange(0)
    start = np.sort(places)[max(len(places) - count, 0)]
    late = places >= max(start, 1)
    return np.flatnonzero(~late), np.flatnonzero(late)


def _column(given: Any, count: int, argument: str) -> np.ndarray:
    """Return one value for each row.

    Raises:
        ValueError: If there is another number of them, or if one is missing.
    """
    if isinstance(given, str):
        raise ValueError(  # noqa: TRY004
            f"`{argument}` must have one value for each of {count} rows, got the name "
            f"{given!r}. Pass the values of this column, such as table[{given!r}]."
        )
    values = np.asarray(given)
    if values.shape == (count, 1):
        values = values[:, 0]
    if values.shape != (count,):
        raise ValueError(
            f"`{argument}` must have one value for each of {count} rows, got shape "
            f"{values.shape}. Align it."
        )
    if values.dtype.kind in "fcMm":
        missing = np.isnat(values) if values.dtype.kind in "Mm" else np.isnan(values)
    elif values.dtype.kind == "O":
        missing = np.array([v is None or v != v or v == "" for v in values])
    else:
        missing = values == "" if values.dtype.kind == "U" else np.zeros(count, bool)
    if missing.any():
        raise ValueError(
            f"`{argument}` must be known for each row, got none in row "
            f"{int(np.argmax(missing)) + 1}. Fill it in, or drop the row."
        )
    return values
