"""What one coordinate of a table is: its support, its grid, its atoms, its labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfp_flows import _checks, _serialize

__all__ = ["Column"]

WORDS = (
    '"continuous", "integer", "positive", "log", ("bounded", low, high), '
    '("periodic", low, high), ("periodic", low, high, "wrap"), '
    '("rounded", step), ("atom", value), "category", ("category", labels), '
    "a tuple of such words, or a `Column`"
)
# What a word with numbers or labels behind it takes.
_TAKES = {"bounded": 2, "rounded": 1}
# Part of a step by which a value may miss the grid: decimals are no binary numbers.
GRID_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Column:
    """What one coordinate of a table is.

    Properties combine: counts with many zeros are `Column(low=0, step=1, atoms=(0,))`,
    shares that are often none or all `Column(low=0, high=1, atoms=(0, 1))`.

    Args:
        low: Lower bound of the values, may be `-inf`.
        high: Upper bound of the values, may be `inf`.
        step: The values are multiples of this, `None` if any number may occur. Of step
            1, integers, `log_prob` is that of masses; of others, of a density per unit,
            the mass over the step.
        offset: What is added to the multiples.
        atoms: Values that are taken with a probability of their own, such as 0.
        categories: Labels in a fixed order, of a column without any order; numbers
            stand for themselves in data, other labels as their positions from 0. The
            empty tuple stands for labels that are still to be found.
        logarithmic: Whether a column with one bound spans decades, and is mapped by
            `log(x - low)`.
        periodic: Whether both bounds are one point: an angle, an hour, a month.
        wrap: Whether values outside of the period are taken for those inside.
        found: Whether the step was found in data, not declared: later values between
            its multiples count for the nearest one. Equal columns may differ in it.

    Raises:
        ValueError: If properties contradict one another.

    Example:
        >>> from tfp_flows.preprocessing import Column
        >>> print(Column.read(["positive", ("atom", 0.0)]))
        amounts from 0, with an atom at 0
        >>> print(Column.read("integer"))
        integers
        >>> print(Column.read(("periodic", 0, 360)))
        angles of the period from 0 to 360
    """

    low: float = -math.inf
    high: float = math.inf
    step: float | None = None
    offset: float = 0.0
    atoms: tuple[float, ...] = ()
    categories: tuple[Any, ...] | None = None
    logarithmic: bool = False
    periodic: bool = False
    wrap: bool = False
    found: bool = dataclasses.field(default=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("low", "high", "offset"):
            object.__setattr__(self, name, float(getattr(self, name)))
        atoms = tuple(sorted({float(atom) + 0.0 for atom in self.atoms}))
        object.__setattr__(self, "atoms", atoms)
        if self.step is not None:
            object.__setattr__(self, "step", float(self.step))
        if self.categories is not None:
            labels = tuple(_serialize.plain(label) for label in self.categories)
            object.__setattr__(self, "categories", labels)
        self._check_bounds()
        self._check_period()
        self._check_grid()
        self._check_categories()

    def _check_bounds(self) -> None:
        if not self.low < self.high:
            msg = f"bounds must increase, got {self.low:g} and {self.high:g}."
            raise ValueError(msg)
        for atom in self.atoms:
            if not (math.isfinite(atom) and self.low <= atom <= self.high):
                msg = (
                    f"atoms must be finite numbers from {self.low:g} to "
                    f"{self.high:g}, got {atom:g}."
                )
                raise ValueError(msg)
        if self.logarithmic and math.isfinite(self.low) == math.isfinite(self.high):
            msg = (
                '"log" is for a column with one bound, got '
                f"{self.low:g} and {self.high:g}."
            )
            raise ValueError(msg)

    def _check_period(self) -> None:
        if not self.periodic:
            if self.wrap:
                raise ValueError('"wrap" is for a period, got none.')
            return
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            msg = f"periods have two ends, got {self.low:g} and {self.high:g}."
            raise ValueError(msg)
        if self.atoms:
            msg = f"a periodic column has no atoms, got {_listed(self.atoms)}."
            raise ValueError(msg)
        if self.step:
            count = (self.high - self.low) / self.step
            if abs(count - round(count)) > GRID_TOLERANCE or not self.on_grid(self.low):
                msg = (
                    f"steps must divide the period, got {self.step:g} from "
                    f"{self.low:g} to {self.high:g}."
                )
                raise ValueError(msg)

    def _check_grid(self) -> None:
        if self.step is None:
            return
        if not (math.isfinite(self.step) and self.step > 0.0):
            raise ValueError(f"steps must be positive numbers, got {self.step:g}.")
        if not math.isfinite(self.offset):
            raise ValueError(f"offsets must be finite numbers, got {self.offset:g}.")
        for atom in self.atoms:
            if not self.on_grid(atom):
                msg = (
                    f"atoms must be values of the column, got {atom:g} of one with "
                    f"step {self.step:g}."
                )
                raise ValueError(msg)
        if self.first_and_last[0] > self.first_and_last[1]:
            msg = (
                f"between {self.low:g} and {self.high:g} must lie a multiple of step "
                f"{self.step:g}."
            )
            raise ValueError(msg)

    def _check_categories(self) -> None:
        if self.categories is None:
            return
        others = dataclasses.replace(self, categories=None)
        if others != Column():
            msg = f"categories have labels and nothing else, got {others}, too."
            raise ValueError(msg)
        if len(set(self.categories)) != len(self.categories):
            msg = f"labels must differ, got {list(self.categories)}."
            raise ValueError(msg)
        if len(self.categories) == 1:
            msg = f"a category must have two labels or more, got {self.categories[0]!r}"
            raise ValueError(f"{msg} alone. Leave the column out.")

    @property
    def is_discrete(self) -> bool:
        """Whether single values have a positive mass: a grid, atoms, or labels."""
        return self.step is not None or bool(self.atoms) or self.categories is not None

    @property
    def is_plain(self) -> bool:
        """Whether the column takes any number and no value more than others."""
        return self == Column()

    @property
    def is_whole(self) -> bool:
        """Whether every value is a whole number."""
        numbers = self.categories or (self.step or math.inf, self.offset)
        return all(isinstance(n, (int, float)) and n % 1 == 0 for n in numbers)

    @property
    def first_and_last(self) -> tuple[float, float]:
        """First and last value of a column with a step, which may be infinite."""
        if self.step is None:
            return self.low, self.high
        first, last = self.low, self.high
        if math.isfinite(first):
            n = math.ceil((first - self.offset) / self.step - GRID_TOLERANCE)
            first = n * self.step + self.offset
        if math.isfinite(last):
            n = math.floor((last - self.offset) / self.step + GRID_TOLERANCE)
            last = n * self.step + self.offset
        if self.periodic:
            last -= self.step  # which is the first one again
        return first, last

    @property
    def values(self) -> tuple[float, ...] | None:
        """Numbers that stand for the labels in data, `None` without labels."""
        if self.categories is None:
            return None
        if all(isinstance(label, (bool, int, float)) for label in self.categories):
            return tuple(float(label) for label in self.categories)
        return tuple(float(code) for code in range(len(self.categories)))

    def on_grid(self, value: float) -> bool:
        """Return whether a number is a multiple of the step, if there is one.

        Args:
            value: A finite number.
        """
        if self.step is None:
            return True
        place = (value - self.offset) / self.step
        return abs(place - round(place)) <= GRID_TOLERANCE

    @classmethod
    def read(cls, kind: Any, name: str = "") -> Column:
        """Return the column that words describe.

        Args:
            kind: `"continuous"`, `"integer"`, `"positive"`, `"log"` (positive, over
                decades), `("bounded", low, high)`, `("periodic", low, high)`, with
                `"wrap"` behind for values of any number of turns, `("rounded", step)`,
                `("atom", value)`, `"category"`, `("category", labels)`, a list of such
                words, a `Column`, or its `get_config`.
            name: What to call the column in errors.

        Raises:
            ValueError: If there is no such kind, or if words contradict one another.
        """
        where = f"`columns` of {name!r}" if name else "`columns`"
        try:
            if isinstance(kind, Column):
                return kind
            if isinstance(kind, Mapping):
                return cls(**{k: _tuple(v) for k, v in kind.items()})
            fields: dict[str, Any] = {}
            for word in _words(kind):
                new = _fields(word)
                if "atoms" in new:
                    new["atoms"] = (*fields.get("atoms", ()), *new["atoms"])
                fields = _joined(fields, new)
            return cls(**fields)
        except (TypeError, ValueError) as error:
            msg = f"{where}: {error} Kinds are {WORDS}."
            raise ValueError(msg) from None

    def get_config(self) -> dict[str, Any]:
        """Return what differs from a plain column, as numbers, strings and lists."""
        config: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                config[field.name] = list(value) if isinstance(value, tuple) else value
        return config

    def describe(self, shares: Sequence[float] = ()) -> str:
        """Return the column in words.

        Args:
            shares: Share of each atom in the data, if known.
        """
        if self.categories is not None:
            labels = [str(label) for label in self.categories]
            if not labels:
                return "categories"
            shown = labels if len(labels) <= 5 else [*labels[:3], "...", labels[-1]]
            return f"{len(labels)} categories ({', '.join(shown)})"
        words = [self._noun() + self._range()]
        if self.wrap:
            words.append("wrapped")
        if self.step not in (None, 1.0):
            words.append(f"in steps of {self.step:g}")
        if self.offset:
            words.append(f"from {self.offset:g} on either side")
        if self.logarithmic:
            words.append("over decades")
        if shares:
            pairs = zip(shares, self.atoms, strict=True)
            parts = [f"{100 * share:.0f} % {atom:g}" for share, atom in pairs]
            words.append(" and ".join(parts) + (" as atoms" if self.atoms[1:] else ""))
            words[-1] += "" if self.atoms[1:] else " as an atom"
        elif self.atoms:
            noun = "an atom" if len(self.atoms) == 1 else "atoms"
            words.append(f"with {noun} at " + _listed(self.atoms))
        return ", ".join(words)

    def _noun(self) -> str:
        if self.periodic:
            return ("integers" if self.step == 1.0 else "angles") + " of the period"
        if self.step == 1.0:
            return "integers"
        if self.step is not None:
            return "rounded numbers"
        return "amounts" if math.isfinite(self.low) else "numbers"

    def _range(self) -> str:
        below, above = math.isfinite(self.low), math.isfinite(self.high)
        low = f" from {self.low:g}" if below else ""
        to = " to" if below else " up to"
        return low + (f"{to} {self.high:g}" if above else "")

    def __str__(self) -> str:
        """Return the column in words."""
        return self.describe()


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _listed(values: Sequence[float]) -> str:
    return " and ".join(f"{value:g}" for value in values)


def _words(kind: Any) -> list[Any]:
    """Return the words of a kind, each a string or a tuple that begins with one."""
    if isinstance(kind, str):
        return [kind]
    if isinstance(kind, (tuple, list)) and kind:
        first = kind[0]
        behind = kind[1:]
        if isinstance(first, str) and first in {"bounded", "rounded", "atom"}:
            return [tuple(kind)]
        if first == "category" and behind and not isinstance(behind[0], str):
            return [tuple(kind)]
        if first == "category" and len(behind) > 1:
            return [("category", list(behind))]
        if first == "periodic":
            return [tuple(kind)]
        return [word for part in kind for word in _words(part)]
    msg = f"kinds are words, got {kind!r}."
    raise ValueError(msg)


def _fields(word: Any) -> dict[str, Any]:
    """Return the fields of a column that one word sets."""
    head, *behind = (word,) if isinstance(word, str) else word
    takes = _TAKES.get(head)
    if takes is not None and len(behind) != takes:
        noun = "number" if takes == 1 else "numbers"
        raise ValueError(f"{head!r} takes {takes} {noun}, got {behind}.")
    if head == "bounded":
        low, high = (_number(part, head) for part in behind)
        return {"low": low, "high": high}
    if head == "rounded":
        return {"step": _number(behind[0], head)}
    if head == "atom":
        if not behind:
            raise ValueError("'atom' takes the value, got none.")
        return {"atoms": tuple(_number(value, head) for value in behind)}
    if head == "category":
        return {"categories": tuple(behind[0]) if behind else ()}
    if head == "periodic":
        wraps = behind[2:] == ["wrap"]
        if len(behind) != 2 + wraps:
            msg = (
                "'periodic' takes both ends, such as 0 and 360, and may have 'wrap' "
                f"behind, got {behind}."
            )
            raise ValueError(msg)
        low, high = (_number(part, head) for part in behind[:2])
        return {"low": low, "high": high, "periodic": True, "wrap": wraps}
    known: dict[str, dict[str, Any]] = {
        "continuous": {},
        "integer": {"step": 1.0},
        "positive": {"low": 0.0},
        "log": {"low": 0.0, "logarithmic": True},
    }
    if head not in known:
        words = (*known, *_TAKES, "atom", "category", "periodic")
        hint = _checks.did_you_mean(head, words)
        raise ValueError(f"there is no kind {head!r}{hint or '.'}")
    return dict(known[head])


def _number(value: Any, head: str) -> float:
    """Return a number behind a word."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{head!r} takes numbers, got {value!r}.") from None


def _joined(fields: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of two words, of which neither takes back the other."""
    for key, value in new.items():
        if key != "atoms" and key in fields and fields[key] != value:
            raise ValueError(f"two words give {key} {fields[key]} and {value}.")
    return {**fields, **new}
