"""Options of flows: declared once, read by signatures, docs, files and the shell.

An option is declared in the body of a flow's class,

    num_layers: int = option(default=6, doc="Number of layers.", read=at_least(1))

with its type, its default, what it means and how values are read. Signature, docstring,
attribute and configuration of the class follow, and what the shell and errors list. A
subclass changes a default by `num_layers: int = option(default=5)`.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from tfp_flows import _checks
from tfp_flows._types import dataclass_transform

__all__ = [
    "Declared",
    "Option",
    "at_least",
    "describe",
    "fraction",
    "names",
    "one_of",
    "option",
    "plain",
    "require_known",
    "sizes",
    "types_of",
]

Reader = Callable[[Any, str], Any]
# Where a docstring goes on behind its arguments.
SECTIONS = ("Returns:", "Raises:", "Shapes:", "Example:", "References:")
SHAPES = """event_shape: Shape of one event; an int for vectors.
condition_shape: Shape of the condition, `None` for an unconditional density."""
WIDTH = 88


class _OfClass:
    """A signature that a class has, and its objects have not: `tf.function` asks them.

    Args:
        signature: That of the constructor.
    """

    def __init__(self, signature: inspect.Signature) -> None:
        self._signature = signature

    def __get__(self, instance: Any, owner: type) -> inspect.Signature:
        """Return the signature of the class.

        Raises:
            AttributeError: Of an object.
        """
        if instance is not None:
            raise AttributeError("__signature__")
        return self._signature


class Option:
    """One option of a flow: an attribute that reads what the flow was built with.

    Args:
        default: Value if none is given.
        doc: What it means; that of the class above if empty.
        read: Takes a value and the option's name, and returns the value that is kept;
            raises if it is no good.
    """

    def __init__(self, default: Any, doc: str, read: Reader | None) -> None:
        self.default, self.doc, self.read = default, doc, read
        self.name, self.annotation = "", "Any"

    def __get__(self, flow: Any, owner: type | None = None) -> Any:
        """Return the value of a flow; of a class, the option."""
        return self if flow is None else flow.options[self.name]

    def __set__(self, flow: Any, value: Any) -> None:
        """Refuse: a flow has been built with its options."""
        msg = f"`{self.name}` is fixed when a flow is built. Build another flow."
        raise AttributeError(msg)

    def value(self, given: Any) -> Any:
        """Return the value to keep of one that was given."""
        return given if self.read is None else self.read(given, self.name)

    def declared_in(self, owner: type, name: str) -> None:
        """Take the name, the type, and what classes above say of the option."""
        self.name = name
        self.annotation = inspect.get_annotations(owner).get(name, "Any")
        for above in owner.__mro__[1:]:
            known = vars(above).get("own_options", {}).get(name)
            if known is not None:
                self.doc = self.doc or known.doc
                self.read = self.read or known.read


def option(
    *,
    default: Any = None,
    doc: str = "",
    read: Reader | None = None,
    kw_only: bool = True,
) -> Any:
    """Declare an option in the body of a flow's class, see `Option`.

    Args:
        default: See `Option`.
        doc: See `Option`.
        read: See `Option`.
        kw_only: For editors: whether the argument must be named.
    """
    del kw_only
    return Option(default, doc, read)


def at_least(minimum: float) -> Reader:
    """Return the reader of numbers from a minimum on."""

    def read(value: Any, name: str) -> Any:
        _checks.at_least(value, minimum, name)
        return value

    return read


def one_of(*choices: Any) -> Reader:
    """Return the reader of a choice."""

    def read(value: Any, name: str) -> Any:
        _checks.one_of(value, choices, name)
        return value

    return read


def fraction(value: Any, name: str) -> Any:
    """Read a number from 0 on that is below 1."""
    _checks.fraction(value, name)
    return value


def sizes(value: Any, name: str) -> tuple[int, ...]:
    """Read one or several positive integers."""
    return _checks.static_shape(value, name)


@dataclass_transform(kw_only_default=True, field_specifiers=(option,))
class Declared:
    """Collects the options that are declared in the bodies of its subclasses.

    Attributes:
        own_options: The options in the body of a class by name.
        declared: Those that a class has besides the common ones, those of the classes
            above first.
        common: The options that every flow has, with the defaults of the class.
    """

    own_options: Mapping[str, Option] = {}
    declared: Mapping[str, Option] = {}
    common: Mapping[str, Option] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        found = {k: v for k, v in vars(cls).items() if isinstance(v, Option)}
        cls.own_options = found
        common = cls.common or _common(cls)
        cls.common = {**common, **{k: v for k, v in found.items() if k in common}}
        for name, new in found.items():
            new.declared_in(cls, name)
            if name in common or inspect.isfunction(getattr(cls.__base__, name, None)):
                delattr(cls, name)  # the class above has an attribute of this name
        declared: dict[str, Option] = {}
        for part in reversed(cls.__mro__):
            own = vars(part).get("own_options", {})
            # A class that fixes the value of an option has no such option. Properties
            # may show the value in another form.
            fixed = [
                k
                for k, v in vars(part).items()
                if k in declared and k not in own and not isinstance(v, property)
            ]
            declared = {k: v for k, v in declared.items() if k not in fixed}
            declared |= {k: v for k, v in own.items() if k not in common}
        cls.declared = declared
        cls.__signature__ = _OfClass(_signature(cls))  # type: ignore[attr-defined]
        cls.__doc__ = _documented(cls)

    @classmethod
    def read_options(cls, given: Mapping[str, Any]) -> tuple[dict, dict]:
        """Return the values of the declared and of the common options.

        Args:
            given: Values by name; what is missing gets its default.

        Raises:
            TypeError: If there is no such option.
        """
        require_known(cls, given, f"`{cls.__name__}`")
        own = {k: o.value(given.get(k, o.default)) for k, o in cls.declared.items()}
        return own, {k: given.get(k, o.default) for k, o in cls.common.items()}


def _common(cls: type) -> dict[str, Option]:
    """Return what the constructor of all flows takes by keyword."""
    found = {}
    for above in cls.__mro__[1:]:
        for p in inspect.signature(above).parameters.values():
            if p.kind is p.KEYWORD_ONLY and p.name != "options":
                found[p.name] = Option(p.default, "", None)
                found[p.name].name, found[p.name].annotation = p.name, p.annotation
        if found:
            break
    return found


def names(cls: type) -> list[str]:
    """Return the names of the options of a flow's class, its own ones first."""
    return list(types_of(cls))


def types_of(cls: type) -> dict[str, str]:
    """Return the options of a flow's class with their types, its own ones first."""
    parameters = list(inspect.signature(cls).parameters.values())
    for above in cls.__mro__[1:]:
        if any(p.kind is p.VAR_KEYWORD for p in parameters) and "__init__" in vars(
            above
        ):
            parameters += inspect.signature(above).parameters.values()
    found: dict[str, str] = {}
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and p.name != "options":
            found.setdefault(p.name, str(p.annotation))
    return found


def require_known(cls: type, given: Iterable[str], owner: str) -> None:
    """Raise unless the class of a flow has all options that are given.

    Raises:
        TypeError: Naming those that it has.
    """
    known = names(cls)
    unknown = sorted(set(given) - set(known))
    if unknown:
        msg = (
            f"`options` of {owner} must be among {', '.join(known)}, got "
            f"{', '.join(unknown)}"
            f"{_checks.did_you_mean(unknown[0], known) or '. Correct the name.'}"
        )
        raise TypeError(msg)


def plain(value: Any) -> Any:
    """Return the form in which a configuration keeps a value."""
    if hasattr(value, "get_config"):
        return keras.saving.serialize_keras_object(value)
    return value


def describe(cls: type[Declared]) -> str:
    """Return the options of a class with types, defaults and meaning, one a line."""
    return "\n".join(
        f"{o.name}: {getattr(o.annotation, '__name__', o.annotation)} = {o.default!r}\n"
        + textwrap.fill(o.doc, 80, initial_indent="    ", subsequent_indent="    ")
        for o in cls.declared.values()
    )


def _signature(cls: type[Declared]) -> inspect.Signature:
    kind = inspect.Parameter
    shapes = [
        kind("event_shape", kind.POSITIONAL_OR_KEYWORD, annotation="Shape"),
        kind(
            "condition_shape",
            kind.POSITIONAL_OR_KEYWORD,
            annotation="Shape | None",
            default=None,
        ),
    ]
    options = [
        kind(o.name, kind.KEYWORD_ONLY, annotation=o.annotation, default=o.default)
        for o in (*cls.declared.values(), *cls.common.values())
    ]
    return inspect.Signature([*shapes, *options])


def _documented(cls: type[Declared]) -> str | None:
    """Return the docstring of a class with the meaning of its arguments in it."""
    text = vars(cls).get("__doc__")
    if text is None or "\nArgs:\n" in inspect.cleandoc(text):
        return text
    entries = [*SHAPES.splitlines()]
    entries += [f"{o.name}: {o.doc}" for o in cls.declared.values()]
    rest = ", ".join(f"`{name}`" for name in cls.common)
    entries.append(f"**kwargs: {rest}: see `Flow`.")
    arguments = "Args:\n" + "\n".join(
        textwrap.fill(
            entry, WIDTH - 4, initial_indent="    ", subsequent_indent="        "
        )
        for entry in entries
    )
    paragraphs = inspect.cleandoc(text).split("\n\n")
    at = next(
        (i for i, p in enumerate(paragraphs) if p.startswith(SECTIONS)), len(paragraphs)
    )
    parts = [*paragraphs[:at], arguments, *paragraphs[at:]]
    return textwrap.indent("\n\n".join(parts), "    ").lstrip()
