"""A map declares its parameters, and its plumbing follows from the declaration.

```python
class Shear(base.Bijector):
    \"\"\"Add a learned multiple of the first coordinate to the others.\"\"\"

    slope: TensorLike = Parameter("D-1", "Multiple for each other coordinate.", start=0)
    _: KW_ONLY
    bound: float | None = Option("Largest slope.", default=None, check=at_least(0.1))

    @classmethod
    def trainable(cls, size: int, *, dtype: DType = tf.float32, **kwargs: Any) -> Shear:
        \"\"\"Return the identity of new variables.\"\"\"
        return cls._of_variables({"D": size}, dtype, **kwargs)

    def _forward_and_log_det(self, x): ...
    def _inverse_and_log_det(self, y): ...
```

What a class lists, in this order, are its arguments; those below `_: KW_ONLY` are
keyword-only. A type checker or an editor reads them as the fields of a dataclass.

- `Parameter(shape, doc)` is a tensor, a variable, or what TFP derives from one. Its
  shape has a letter for each trailing size, `"D K+1"`; `""` is a scalar, and `"*"` has
  the rank of events. A letter is learned from the parameter of the lowest rank that has
  it, and checked in the others; `"K?"` leaves that to `_setup`. `default=None` may be
  left out; `start` is what `_of_variables` fills it with, `trainable=False` keeps
  optimizers away; `constraint=POSITIVE, remedy="Pass ..."` checks values (numbers
  always, the rest under `validate_args`, which every map takes) and names the
  constraining bijector; `batched=False` refuses batches; `exact=True` keeps plain
  numbers as they are, without a dtype.
- `Option(doc)` is anything else: number, flag, name, mask, transformer. `check` is
  called with value and name and raises; `convert` returns what is kept.
- `Part(doc)` is a bijector or a conditioner inside of the map: the map is repeatable if
  its parts are, and has their dtype and `condition_shape`. `event_ndims` says on which
  events a batch of bijectors acts, as a number or as TFP's function. `Parts(doc)` is a
  list of bijectors, ours or TFP's, which take events as the map does.

From these follow `__init__`, the attributes (`self.slope`, read-only), the conversion,
the shape checks, the dtype, `_parameter_properties`, `_requirements`, slicing and
copying, the composite tensor, `repeatable` and `loop_form`, a default `name`, and in
the class docstring `Args:` (write the docs without shape; it is added), `Raises:` and,
of vectors, `Shapes:`. Classmethods document what is theirs alone: `size`, `dtype`,
options of the class, `**kwargs` and `Returns:` are added.

Class attributes say the rest: `_event = "D"` (letters of an event; `""` for scalars),
`_is_constant_jacobian`, `_default_name` where it is not the class name in snake case,
`_of_tensors = False` for a map that is not repeatable. What a declaration cannot say
goes into `_setup(self, sizes)`, which is called with the sizes of all letters once all
attributes are set: it checks, adds letters to `sizes`, may set attributes (options are
recorded as it leaves them) and returns further arguments of `Bijector.__init__`, such
as `condition_shape` or `dtype`. A class with an `__init__` of its own declares nothing.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any

from tfp_flows import _checks
from tfp_flows.bijectors._core import arguments
from tfp_flows.bijectors._core.properties import FREE, Constraint

__all__ = [
    "MAX_LOG_SCALE",
    "Declaration",
    "Option",
    "OptionOf",
    "Parameter",
    "ParameterOf",
    "Part",
    "PartOf",
    "Parts",
    "PartsOf",
    "at_least",
    "one_of",
]

REQUIRED = inspect.Parameter.empty
# Where the shape goes in the documentation of a parameter: the end of the first clause.
_CLAUSE = re.compile(r"[;:.](?=\s|$)")

Check = Callable[[Any, str], None]


@dataclasses.dataclass(frozen=True)
class Declaration:
    """One argument of a map."""

    doc: str
    default: Any = REQUIRED

    @property
    def text(self) -> str:
        """Its documentation."""
        return self.doc


@dataclasses.dataclass(frozen=True)
class OptionOf(Declaration):
    """A plain argument."""

    check: Check | None = None
    convert: Callable[[Any, str], Any] | None = None

    def value(self, given: Any, name: str) -> Any:
        """Return what is kept of an argument."""
        if given is None and self.default is None:
            return None
        if self.check is not None:
            self.check(given, name)
        return given if self.convert is None else self.convert(given, name)


@dataclasses.dataclass(frozen=True)
class PartOf(Declaration):
    """A bijector or conditioner."""

    event_ndims: Any = None


@dataclasses.dataclass(frozen=True)
class PartsOf(Declaration):
    """A list of bijectors."""


@dataclasses.dataclass(frozen=True)
class ParameterOf(Declaration):
    """A tensor."""

    shape: tuple[str, ...] = ()
    start: float | None = None
    trainable: bool = True
    constraint: Constraint = FREE
    remedy: str = ""
    batched: bool = True
    exact: bool = False

    @property
    def event_ndims(self) -> Any:
        """Rank of one parameter, or the function that TFP asks for it."""
        return _rank_of_event if self.shape == ("*",) else len(self.shape)

    @property
    def text(self) -> str:
        """Its documentation, with the shape at the end of the first clause."""
        if not self.shape:
            return self.doc
        sizes = ", ".join(self.shape).replace("*", "*event_shape").replace("?", "")
        shape = f", `[{'..., ' if self.batched else ''}{sizes}]`"
        return _CLAUSE.sub(lambda end: shape + end[0], self.doc, count=1)

    def sizes(self, known: dict[str, int]) -> tuple[int, ...]:
        """Return its shape, of the sizes of letters."""
        return tuple(known[token[0]] + int(token[1:] or 0) for token in self.shape)

    def learn(self, value: Any, known: dict[str, int], name: str, owner: str) -> None:
        """Add the sizes of new letters to the known ones, and check the shape."""
        if self.shape == ("*",) or any("?" in token for token in self.shape):
            return
        shape, rank = value.shape, len(self.shape)
        new = [token for token in self.shape if token[0] not in known]
        if rank > 1 and new and new != [self.shape[-1]]:
            found = [] if shape.rank is None else shape[-rank:].as_list()
            if len(found) < rank or not all(found):
                letters = " and ".join(dict.fromkeys(token[0] for token in self.shape))
                msg = (
                    f"`{name}` must have shape [..., {', '.join(self.shape)}] with "
                    f"known {letters} of at least 1 for {owner}, got {shape}. Pass one "
                    "row as [[...]], and state sizes by tf.ensure_shape."
                )
                raise ValueError(msg)
            for token, size in zip(self.shape, found, strict=True):
                known.setdefault(token[0], size - int(token[1:] or 0))
        elif new:
            size = arguments.last_size(value, name)
            known[new[0][0]] = size - int(new[0][1:] or 0)
        wanted = self.sizes(known)
        if self.batched:
            _checks.require_trailing(shape, wanted, name, owner)
        else:
            arguments.require_exact(value, wanted, name, owner)


def Parameter(
    shape: str,
    doc: str,
    *,
    default: Any = REQUIRED,
    start: float | None = None,
    trainable: bool = True,
    constraint: Constraint = FREE,
    remedy: str = "",
    batched: bool = True,
    exact: bool = False,
) -> Any:
    """Declare a tensor; the module says what the arguments mean."""
    return ParameterOf(
        doc,
        default,
        tuple(shape.split()),
        start,
        trainable,
        constraint,
        remedy,
        batched,
        exact,
    )


def Option(
    doc: str,
    *,
    default: Any = REQUIRED,
    check: Check | None = None,
    convert: Callable[[Any, str], Any] | None = None,
) -> Any:
    """Declare a plain argument; the module says what the arguments mean."""
    return OptionOf(doc, default, check, convert)


def Part(doc: str, *, default: Any = REQUIRED, event_ndims: Any = None) -> Any:
    """Declare a bijector or a conditioner inside of the map."""
    return PartOf(doc, default, event_ndims)


def Parts(doc: str, *, default: Any = REQUIRED) -> Any:
    """Declare a list of bijectors, all on the events of the map."""
    return PartsOf(doc, default)


def at_least(minimum: float) -> Check:
    """Return the check of an option that is a number of at least `minimum`."""
    return lambda value, name: _checks.at_least(value, minimum, name)


def one_of(*choices: Any) -> Check:
    """Return the check of an option that is one of some choices."""
    return lambda value, name: _checks.one_of(value, choices, name)


def _rank_of_event(bijector: Any, x_event_ndims: int) -> int:
    del bijector
    return x_event_ndims


# Bound of log-scales that many maps take.
MAX_LOG_SCALE: Any = Option(
    "Soft bound, `s = max * tanh(. / max)`; `None` takes `s` as it is.",
    default=None,
    check=at_least(1e-3),
)
