"""The base class that reads declarations; `parameters.py` says how they are written."""

from __future__ import annotations

import inspect
import itertools
import operator
import re
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import dataclass_transform
from tfp_flows.bijectors._core import arguments, documented
from tfp_flows.bijectors._core.parameters import (
    Declaration,
    Option,
    OptionOf,
    Parameter,
    ParameterOf,
    Part,
    PartOf,
    Parts,
    PartsOf,
)

__all__ = ["Declared"]


@dataclass_transform(field_specifiers=(Parameter, Option, Part, Parts))
class Declared:
    """What a class of maps declares, and what follows for the class."""

    _declared: ClassVar[dict[str, Declaration]] = {}
    _declares: ClassVar[bool] = False
    # Those of the declared that are tensors.
    _tensors: ClassVar[dict[str, ParameterOf]] = {}
    _of_tensors: ClassVar[bool] = False
    _event: ClassVar[str] = "D"
    _is_constant_jacobian: ClassVar[bool] = False
    _default_name: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {k: v for k, v in vars(cls).items() if isinstance(v, Declaration)}
        # A map without parameters says the rank of its events.
        cls._declares = cls._declares or bool(own) or "_event" in vars(cls)
        if not cls._declares:
            return
        cls._declared = {**cls._declared, **own}
        found = cls._declared.items()
        cls._tensors = {k: v for k, v in found if isinstance(v, ParameterOf)}
        for name, declared in own.items():
            attribute = property(operator.attrgetter(f"_{name}"), doc=declared.text)
            setattr(cls, name, attribute)
        if "_default_name" not in vars(cls):
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__.lstrip("_"))
            cls._default_name = words.lower()
        if own and "_of_tensors" not in vars(cls):
            kinds = (ParameterOf, PartOf)
            cls._of_tensors = any(isinstance(v, kinds) for v in cls._declared.values())
        if "__init__" not in vars(cls):
            setattr(cls, "__init__", _constructor(cls))  # noqa: B010
        if cls.__doc__:
            cls.__doc__ = documented.of_class(cls, cls._declared, cls._event)
        for name, factory in vars(cls).items():
            if isinstance(factory, classmethod) and not name.startswith("_"):
                function: Any = factory.__func__
                function.__doc__ = documented.of_factory(
                    function, cls._declared, cls._event
                )

    @classmethod
    def _of_variables(
        cls, sizes: dict[str, int], dtype: Any, *, trains: bool = True, **given: Any
    ) -> Any:
        """Return a map of new variables, named as the parameters.

        Args:
            sizes: Sizes of the letters in shapes.
            dtype: Dtype of the variables.
            trains: Whether those that are trainable by declaration are trained.
            **given: Arrays to start from instead of the declared start; `None` for no
                such parameter. Options as they are.

        Returns:
            The map.
        """
        for size in sizes.values():
            _checks.at_least(size, 1, "size")
        with tf.name_scope(given.setdefault("name", cls._default_name)):
            for name, declared in cls._tensors.items():
                if name not in given and declared.start is not None:
                    given[name] = np.full(declared.sizes(sizes), declared.start)
                if given.get(name) is not None:
                    given[name] = arguments.variable(
                        given[name],
                        name,
                        dtype,
                        trainable=trains and declared.trainable,
                    )
            return cls(**given)

    def _accept(self, given: dict[str, Any]) -> tuple[Any, dict[str, int]]:
        """Set the declared attributes of a new map.

        Args:
            given: Its arguments.

        Returns:
            The dtype of its tensors, `None` without any, and the sizes of letters.

        Raises:
            TypeError: If a tensor is a function.
            ValueError: If a shape or an option is wrong.
        """
        owner = f"`{type(self).__name__}`"
        known: dict[str, int] = {}
        for name, declared in self._declared.items():
            value = given[name]
            if isinstance(declared, OptionOf):
                value = declared.value(value, name)
            elif isinstance(declared, PartsOf):
                value = list(value)
            if not isinstance(declared, ParameterOf):
                setattr(self, f"_{name}", value)
        tensors = self._tensors
        # Vectors teach more than matrices: what is wrong with a matrix is its shape.
        order = sorted(tensors, key=lambda name: len(tensors[name].shape))
        for name in [name for name in order if tensors[name].exact]:
            if isinstance(given[name], (int, float)):
                setattr(self, f"_{name}", given[name])
                order.remove(name)
        dtype = None
        if order:
            values = (given[name] for name in order)
            dtype = arguments.common_dtype(*values, owner=owner)
        for name in order:
            value = arguments.as_parameter(given[name], name, dtype)
            setattr(self, f"_{name}", value)
        for name in order:
            value = getattr(self, f"_{name}")
            if value is not None:
                tensors[name].learn(value, known, name, owner)
        return dtype, known

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        """Check and set what the declaration cannot say; see `parameters.py`."""
        del sizes
        return {}

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """Set the attributes of a new map, and return arguments of `Bijector`."""
        dtype, sizes = self._accept(given)
        settings = dict(self._setup(sizes))
        letters = self._event.split()
        shape = tuple(sizes[key] for key in letters if key in sizes)
        settings.setdefault("event_shape", shape or None)
        settings.setdefault("forward_min_event_ndims", len(letters))
        settings.setdefault("is_constant_jacobian", self._is_constant_jacobian)
        lists = (k for k, one in self._declared.items() if isinstance(one, PartsOf))
        more = itertools.chain(*(getattr(self, f"_{key}") for key in lists))
        for part in itertools.chain(self._parts().values(), more):
            dtype = dtype or getattr(part, "dtype", None)
            condition_shape = getattr(part, "condition_shape", None)
            if condition_shape is not None:
                settings.setdefault("condition_shape", condition_shape)
        settings.setdefault("dtype", dtype)
        for key, stated in self._declared.items():
            if isinstance(stated, OptionOf):
                given[key] = getattr(self, f"_{key}")
        settings.update(parameters=given, validate_args=given["validate_args"])
        return settings

    def _stated_requirements(self) -> list[arguments.Requirement]:
        """Return what the values of declared parameters must fulfil."""
        found = []
        for name, declared in self._tensors.items():
            constraint = declared.constraint
            if constraint.holds is not None:
                message = (
                    f"`{name}` must {constraint.words}. {declared.remedy}".rstrip()
                )
                found.append(arguments.Requirement((name,), constraint.holds, message))
        return found

    @classmethod
    def _stated_properties(cls, dtype: Any) -> dict[str, Any]:
        """Return what TFP asks of the declared parameters of a class."""
        found: dict[str, Any] = {}
        for name, declared in cls._declared.items():
            if isinstance(declared, ParameterOf):
                found[name] = declared.constraint.properties(
                    declared.event_ndims, dtype
                )
            elif isinstance(declared, PartOf) and declared.event_ndims is not None:
                found[name] = tfp.util.BatchedComponentProperties(declared.event_ndims)
            elif isinstance(declared, PartsOf):
                found[name] = tfp.util.BatchedComponentProperties(_of_each(name))
        return found

    def _has_batch(self, event_ndims: int) -> bool:
        """Return whether a tensor has more dimensions than one map needs."""
        for name, stated in self._tensors.items():
            shape = getattr(getattr(self, f"_{name}"), "shape", None)
            rank = stated.event_ndims
            rank = event_ndims if callable(rank) else rank
            if shape is not None and len(shape) > rank:
                return True
        return False

    def _parts(self) -> dict[str, Any]:
        """Return the bijectors and conditioners inside of a map."""
        return {
            name: getattr(self, f"_{name}")
            for name, declared in self._declared.items()
            if isinstance(declared, PartOf)
        }


def _of_each(name: str) -> Callable[[Any, int], list[int]]:
    """Return the function that TFP asks for the rank of events of parts."""
    return lambda bijector, ndims: [ndims] * len(getattr(bijector, name))


def _constructor(cls: type[Declared]) -> Callable[..., None]:
    """Return the `__init__` of a class, with a signature of its own."""
    signature = _signature(cls)
    owner = cls.__name__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            msg = f"`{owner}`: {error}. It takes {', '.join(cls._declared)}."
            raise TypeError(msg) from None
        bound.apply_defaults()
        given = dict(bound.arguments)
        del given["self"]
        self._construct(given)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    __init__.__module__ = cls.__module__
    return __init__


def _signature(cls: type[Declared]) -> inspect.Signature:
    kinds = inspect.Parameter
    stated, keyword_only = {}, set()
    for base in reversed(cls.__mro__):
        below = False
        for name, annotation in vars(base).get("__annotations__", {}).items():
            below = below or str(annotation).endswith("KW_ONLY")
            stated[name] = annotation
            if below:
                keyword_only.add(name)
    arguments_ = [kinds("self", kinds.POSITIONAL_OR_KEYWORD)]
    for name, declared in cls._declared.items():
        arguments_.append(
            kinds(
                name,
                kinds.KEYWORD_ONLY
                if name in keyword_only
                else kinds.POSITIONAL_OR_KEYWORD,
                default=declared.default,
                annotation=stated.get(name, kinds.empty),
            )
        )
    for name, default, kind in (
        ("validate_args", False, "bool"),
        ("name", cls._default_name, "str"),
    ):
        arguments_.append(
            kinds(name, kinds.KEYWORD_ONLY, default=default, annotation=kind)
        )
    arguments_.sort(key=lambda argument: argument.kind)
    return inspect.Signature(arguments_)
