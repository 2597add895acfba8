"""Looks at the rows of a fit for what no density can have, before it begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tfp_flows import _checks
from tfp_flows._findings import Finding
from tfp_flows.preprocessing import Column, checks, dependence
from tfp_flows.training.data import arrays
from tfp_flows.training.data.kinds import REMEDY, unbounded

__all__ = ["Screened", "screen"]

# Numbers of events and conditions, and their names.
Parts = dict[str, tuple[np.ndarray, tuple[str, ...] | None]]
# Further outliers are counted, not listed.
_LISTED = 5
# So many pictures are compared with each other.
_PICTURES = 10_000


@dataclasses.dataclass(frozen=True)
class Screened:
    """What was found in the rows of a table.

    Args:
        data: The rows to fit.
        findings: What was found in them.
        fine: What float32 cannot hold, to follow with what is done about it.
        kinds: What the columns are, `None` for numbers.
    """

    data: arrays.Data
    findings: list[Finding]
    fine: list[Finding]
    kinds: Sequence[Column] | None = None

    def settle_dtype(self, dtype: str, *, chosen: bool) -> str:
        """Return the dtype in which the rows can be fitted, and say why.

        Args:
            dtype: That of the flow.
            chosen: Whether it was asked for, so that another one will not do.
        """
        if not self.fine or dtype == "float64":
            return dtype
        what = (
            "Build the flow with dtype='float64', or subtract an offset and divide by "
            "a unit."
            if chosen
            else "the flow computes in float64."
        )
        self.findings.extend(
            dataclasses.replace(
                finding,
                sentence=f"{finding.sentence}{'. ' if chosen else ': '}{what}",
                severity="error" if chosen else "warning",
            )
            for finding in self.fine
        )
        return "float64"


def screen(
    data: arrays.Data,
    outliers: str,
    *,
    is_part: bool = False,
    kinds: Callable[[arrays.Data], Sequence[Column] | None] = lambda _: None,
    notices: Callable[..., list[Finding]] = lambda *_: [],
    remedy: str = REMEDY,
) -> Screened:
    """Look for constants, copies, outliers, codes of missing cells and lost digits.

    Args:
        data: The rows; of images only whether they are copies.
        outliers: `"drop"` leaves rows with gross outliers out, `"keep"` does not.
        is_part: Whether these are the first rows of a dataset only, which stay as they
            are; nothing is an error then.
        kinds: Says what the columns are, of the rows that count, without outliers.
        notices: Says what is to be said of these.
        remedy: What to do about equal values that are taken for numbers.
    """
    _checks.one_of(outliers, ("drop", "keep"), "outliers")
    if data.x.ndim > 2 or (data.condition is not None and data.condition.ndim > 2):
        return Screened(data, _of_pictures(data, is_part=is_part), [])
    parts: Parts = {"": (_matrix(data.x), data.columns)}
    if data.condition is not None:
        parts["condition "] = (_matrix(data.condition), data.condition_columns)
    counts = np.ones(len(data), bool) if data.weights is None else data.weights > 0
    if counts.sum() < checks.MIN_ROWS:
        few = [] if is_part else checks.few_rows(int(counts.sum()))
        return Screened(data, few, [])
    findings: list[Finding] = []
    drops = outliers == "drop" and not is_part
    far = _outliers(parts, counts, findings, drops=drops)
    keep = np.ones(len(data), bool)
    keep[far] = not drops
    seen = keep & counts
    found_kinds = kinds(data if seen.all() else data.select(seen))
    discrete = [] if found_kinds is None else [c.is_discrete for c in found_kinds]
    labelled = [c.categories is not None for c in found_kinds or ()]
    fine: list[Finding] = []
    for kind, (values, names) in parts.items():
        values = values[seen]
        still = checks.constant(values, names, condition=bool(kind))
        found = [*still, *checks.sentinels(values, names)]
        found += checks.counting(values, names, None if kind else labelled or None)
        found += checks.compact_dates(values, names)
        if not kind:
            found += checks.absent_atoms(values, names, found_kinds or ())
        if not kind and not still:
            found += dependence.dependent(values, names, discrete or None)
            found += _given(values, names, parts, seen, discrete)
        findings += [_of(kind, finding) for finding in found]
        fine += [_of(kind, f) for f in checks.too_fine_for_float32(values, names)]
    if not discrete or not all(discrete):
        every = np.concatenate([values[seen] for values, _ in parts.values()], axis=1)
        findings += checks.copied_rows(every)
    findings += notices(data.select(seen), found_kinds)
    findings += unbounded(data.select(seen), found_kinds, data.columns, remedy)
    if is_part:
        findings = [dataclasses.replace(f, severity="warning") for f in findings]
    kept = data if keep.all() else data.select(keep)
    return Screened(kept, findings, fine, found_kinds)


def _given(
    values: np.ndarray,
    names: Sequence[str] | None,
    parts: Parts,
    seen: np.ndarray,
    discrete: Sequence[bool],
) -> list[Finding]:
    """Find columns that conditions determine, if there are conditions."""
    if len(parts) == 1:
        return []
    condition, known = parts["condition "]
    return dependence.given(values, names, condition[seen], known, discrete or None)


def _of_pictures(data: arrays.Data, *, is_part: bool) -> list[Finding]:
    """Find that pictures are copies of others, by themselves or of one class."""
    x = data.x if data.weights is None else data.x[data.weights > 0]
    if len(x) < 2:
        return []
    found = checks.equal_rows(x)
    if not found:
        found = checks.copied_rows(x[:_PICTURES].reshape(min(len(x), _PICTURES), -1))
    if is_part:
        found = [dataclasses.replace(f, severity="warning") for f in found]
    return found


def _outliers(
    parts: Parts,
    counts: np.ndarray,
    findings: list[Finding],
    *,
    drops: bool,
) -> np.ndarray:
    """Return the rows of gross outliers, and note them."""
    every, listed = [], []
    numbers = np.flatnonzero(counts)
    for kind, (values, names) in parts.items():
        rows, cells = checks.gross_outliers(values[counts], names)
        every.append(numbers[rows])
        listed += [
            (kind, where, value, int(numbers[row])) for where, value, row in cells
        ]
    what = (
        "the row is left out. Pass outliers='keep' to fit it, too."
        if drops
        else "it sets the scale of the column. Drop the row, or correct the cell."
    )
    for i, (kind, where, value, row) in enumerate(listed[:_LISTED]):
        place: tuple[int, ...] = (row,)
        more = ""
        if i == _LISTED - 1 < len(listed) - 1:
            place = (row, *(other for *_, other in listed[_LISTED:]))
            more = f" There are {len(place) - 1} more such cells."
        sentence = f"has {value:.9g} in row {row + 1}, far from all others: {what}"
        findings.append(Finding(f"{kind}{where}", sentence + more, place))
    return np.unique(np.concatenate(every))


def _matrix(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1).astype(np.float64)


def _of(kind: str, finding: Finding) -> Finding:
    if finding.column.startswith(kind):
        return finding
    return dataclasses.replace(finding, column=f"{kind}{finding.column}")
