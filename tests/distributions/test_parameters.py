"""TFP does not complain of what densities of this package say of their arguments."""

from __future__ import annotations

import importlib
import logging
import pkgutil

import tensorflow as tf
from tensorflow_probability import distributions as tfd

ROOMS = ("distributions", "flows", "inference", "models")


def below(kind):
    """Return all classes that derive from one."""
    return {c for part in kind.__subclasses__() for c in (part, *below(part))}


def densities():
    """Return the distributions that the modules of the package define."""
    for room in ROOMS:
        package = importlib.import_module(f"tfp_flows.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    own = (c for c in below(tfd.Distribution) if c.__module__.startswith("tfp_flows."))
    return sorted(own, key=lambda c: (c.__module__, c.__name__))


def complaint(kind, caplog):
    """Return whether a class has the annotations of another class' arguments."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        kind.parameter_properties(tf.float32)
    return "inherits `_parameter_properties" in caplog.text


def test_every_distribution_says_itself_what_its_arguments_are(caplog):
    found = densities()
    assert len(found) > 10
    assert [kind for kind in found if complaint(kind, caplog)] == []


def test_a_class_that_inherits_them_is_noticed(caplog):
    class Planted(tfd.Normal):
        def __init__(self, place):
            super().__init__(place, 1.0)

    assert complaint(Planted, caplog)
