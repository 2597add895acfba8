"""Random parts of a table in which equal rows stay together.

A copy of a training row among the held-out rows tells what a density remembers, not
what it has learned. Rows of a table without copies go where a permutation sends them.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "copies",
    "equal_by_chance",
    "equal_rows",
    "holds_copies",
    "levels",
    "random_folds",
    "random_split",
    "row_hash",
    "whole",
]

# Elements that are hashed at once: what one step needs stays in the cache.
_BLOCK = 2**16
# Rows of which each is there so often on average, and of which fewer than so many
# different ones would be held out, are draws from a few values, not copies.
_OFTEN, _FEW = 10, 3
# Equal rows are draws from a few values as well if in each column this share of pairs
# is equal, and independent columns would have this part of so many equal rows.
_EQUAL, _BY_CHANCE = 0.02, 0.3


def equal_rows(*parts: np.ndarray | None) -> np.ndarray | None:
    """Number rows so that equal ones, and only those, share a number.

    Rows are compared by a hash of 64 bits: a million different rows share a number with
    a probability of 3e-8.

    Args:
        *parts: Arrays `[n, ...]` of which row `i` consists, such as events and
            conditions, or `None`.

    Returns:
        The number of the first row that equals each row, `[n]`, or `None` if all rows
        differ.

    Example:
        >>> import numpy as np
        >>> equal_rows(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
        array([0, 1, 0])
    """
    keys = row_hash(*parts)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][: len(keys)])
    if len(starts) == len(keys):
        return None
    first = np.empty(len(keys), np.intp)
    sizes = np.diff(np.r_[starts, len(keys)])
    first[order] = np.repeat(order[starts], sizes)
    return first


def row_hash(*parts: np.ndarray | None) -> np.ndarray:
    """Return 64 bits for each row, the same for equal rows wherever they are.

    Args:
        *parts: Arrays `[n, ...]` of which the rows consist, or `None`.
    """
    arrays = [np.asarray(part) for part in parts if part is not None]
    keys = _hash(arrays[0], 0)
    for i, array in enumerate(arrays[1:], start=1):
        keys = _mixed(keys) + _hash(array, i)
    return keys


def levels(number: np.ndarray, seed: int) -> np.ndarray:
    """Return a fixed number in [0, 1) for each row.

    Args:
        number: What stands for the row, its number or a hash, `[n]`.
        seed: Other seeds give other numbers.
    """
    mixed = number.astype(np.uint64) + np.uint64(seed % 2**32) * np.uint64(2**31 - 1)
    with np.errstate(over="ignore"):
        mixed = (mixed + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = _mixed(mixed)
    return (mixed >> np.uint64(11)) * 2.0**-53


def holds_copies(share: float, *parts: np.ndarray | None) -> bool:
    """Return whether equal rows are copies, which go to one side of a split together.

    Args:
        share: Of the rows that is to be held out.
        *parts: Arrays `[n, ...]` of which the rows consist, or `None`.

    Returns:
        `False` where rows are draws from a few values, each there many times; `True`
        otherwise, also where all rows differ.
    """
    arrays = [part for part in parts if part is not None]
    return equal_rows(*arrays) is None or _copies(arrays, share) is not None


def copies(*parts: np.ndarray | None) -> np.ndarray | None:
    """Number rows as `equal_rows`, where most rows differ: equal ones are copies then.

    Args:
        *parts: Arrays `[n, ...]` of which the rows consist, or `None`.

    Returns:
        The number of the first row that equals each row, `[n]`; `None` if all rows
        differ, and if most are there several times, as draws from a few values are.
    """
    groups = equal_rows(*parts)
    if groups is None or len(np.unique(groups)) < 0.5 * len(groups):
        return None
    return None if equal_by_chance(groups, *parts) else groups


def equal_by_chance(groups: np.ndarray, *parts: np.ndarray | None) -> bool:
    """Return whether columns of few values explain that rows are equal.

    Args:
        groups: The number of one row for all that are equal, `[n]`.
        *parts: Arrays `[n, ...]` of which the rows consist, or `None`.
    """
    count = len(groups)
    columns = [np.asarray(p).reshape(count, -1) for p in parts if p is not None]
    if sum(c.shape[1] for c in columns) < 2:
        return False  # equal numbers of one column may be either
    log_chance = 0.0
    for column in (column for part in columns for column in part.T):
        share = _pairs(column) / (count * (count - 1.0))
        if share < _EQUAL:
            return False
        log_chance += np.log(share)
    expected = count * (count - 1.0) * np.exp(log_chance)
    return bool(expected >= _BY_CHANCE * _pairs(groups))


def _pairs(values: np.ndarray) -> float:
    """Return how many pairs of equal values there are, each in both orders."""
    sizes = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float(np.sum(sizes * (sizes - 1.0)))


def random_split(
    count: int, seed: int | np.random.Generator | None, *parts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out random rows; equal rows are all held out, or none of them.

    Args:
        count: How many to hold out; fewer where equal rows do not fit in.
        seed: Int that fixes the choice, or a generator.
        *parts: Arrays `[n, ...]` of which the rows consist, or `None`.

    Returns:
        Numbers of the other rows and of those held out, both in rising order. Rows of a
        few values, each there many times, are held out one by one.

    Example:
        >>> import numpy as np
        >>> x = np.array([5.0, 6.0, 5.0, 7.0, 8.0, 6.0])
        >>> rest, held_out = random_split(2, 0, x)
        >>> set(x[rest]) & set(x[held_out])
        set()
    """
    arrays = [part for part in parts if part is not None]
    total = len(arrays[0])
    order = np.random.default_rng(seed).permutation(total)
    groups = _copies(arrays, count / max(total, 1))
    if groups is not None and 0 < count < total:
        chosen = whole(groups[order], count)
        order = np.r_[order[chosen], order[~chosen]]
        count = int(chosen.sum())
    return np.sort(order[count:]), np.sort(order[:count])


def random_folds(
    count: int, folds: int, rng: np.random.Generator, groups: np.ndarray | None = None
) -> np.ndarray:
    """Deal rows out to folds of nearly equal size.

    Args:
        count: Number of rows.
        folds: Number of folds.
        rng: Generator that fixes the choice.
        groups: What `equal_rows` says of them: a group goes to one fold.

    Returns:
        Number of the fold of each row, `[count]`.

    Example:
        >>> import numpy as np
        >>> groups = equal_rows(np.array([5.0, 6.0, 5.0, 7.0]))
        >>> fold = random_folds(4, 2, np.random.default_rng(0), groups)
        >>> bool(fold[0] == fold[2])
        True
    """
    places = rng.permutation(count)
    if groups is None:
        return places % folds
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    first = np.full(len(sizes), count)
    np.minimum.at(first, index, places)
    # Sets of copies are dealt out by size, so that folds differ by one set at most.
    # Rows without copies then fill up what is short.
    fold = np.empty(len(sizes), np.intp)
    several = np.flatnonzero(sizes > 1)
    several = several[np.lexsort((first[several], -sizes[several]))]
    fold[several] = np.arange(len(several)) % folds
    filled = np.bincount(fold[several], sizes[several], folds).astype(np.intp)
    alone = np.flatnonzero(sizes == 1)
    goal = _levelled(filled, len(alone))
    free = np.repeat(np.arange(folds), goal - filled)
    fold[alone[np.argsort(first[alone])]] = rng.permutation(free)
    return fold[index]


def _levelled(filled: np.ndarray, more: int) -> np.ndarray:
    """Return sizes of folds after `more` rows went to the smallest ones."""
    sizes = filled.copy()
    order = np.argsort(sizes, kind="stable")
    low = sizes[order]
    for i in range(len(low), 0, -1):  # the `i` smallest are raised to one level
        level, rest = divmod(low[:i].sum() + more, i)
        if level >= low[i - 1]:
            sizes[order[:i]] = level + (np.arange(i) < rest)
            break
    return sizes


def _copies(arrays: list[np.ndarray], share: float) -> np.ndarray | None:
    """Return the groups of equal rows, `None` if there are no copies."""
    groups = equal_rows(*arrays)
    if groups is None:
        return None
    distinct = int(np.sum(groups == np.arange(len(groups))))
    if distinct < 2 or (distinct * _OFTEN < len(groups) and distinct * share < _FEW):
        return None
    return None if equal_by_chance(groups, *arrays) else groups


def whole(groups: np.ndarray, count: int) -> np.ndarray:
    """Choose whole groups in the order of their first rows, `count` rows at most.

    Groups that do not fit in are passed over. If none fits, the smallest is chosen.
    """
    _, first, index, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    chosen = np.zeros(len(sizes), bool)
    order = np.argsort(first)
    order = order[sizes[order] <= count]
    while count and len(order):
        fit = np.cumsum(sizes[order]) <= count
        taken = int(np.argmin(fit)) if not fit.all() else len(order)
        chosen[order[:taken]] = True
        count -= int(sizes[order[:taken]].sum())
        order = order[taken:]
        order = order[sizes[order] <= count]
    if not chosen.any():
        chosen[np.argmin(sizes)] = True
    return chosen[index]


def _hash(array: np.ndarray, salt: int) -> np.ndarray:
    """Return 64 bits for each row, `[n]`, that depend on every number and its place."""
    flat = array.reshape(len(array), -1)
    columns = flat.shape[1]
    place = _mixed(np.arange(1, columns + 1, dtype=np.uint64) + np.uint64(salt << 32))
    out = np.empty(len(flat), np.uint64)
    step = max(1, _BLOCK // max(1, columns))
    for start in range(0, len(flat), step):
        # Zeros of both signs are equal; integers and float32 have one float64 each.
        rows = flat[start : start + step].astype(np.float64) + 0.0
        bits = _mixed(rows.view(np.uint64) + place)
        out[start : start + step] = bits.sum(axis=1, dtype=np.uint64)
    return out


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers.

    References:
        Steele, Lea, Flood (2014). Fast splittable pseudorandom number generators.
        https://doi.org/10.1145/2660193.2660195
    """
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
