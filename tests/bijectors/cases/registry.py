"""Where the rooms enter their cases, and what these share."""

from __future__ import annotations

from tfp_flows.testing import BijectorCase, perturb

__all__ = ["BATCH", "DENSE", "Cases", "perturbed"]

# Checks that maps may skip, with the reason.
BATCH = {"event_shape": "a batch of parameters broadcasts, as in tfb.Scale"}
DENSE = {"infinite_inputs": "a sum of infinite terms of both signs is no number"}


class Cases(dict):
    """The cases of a room, by name."""

    def add(self, name, event_shape, **options):
        """Return what enters a function of the dtype that builds a map."""

        def register(build):
            self[name] = BijectorCase(build, event_shape, name=name, **options)
            return build

        return register


def perturbed(bijector, scale=0.3):
    """Return a map whose parameters were moved away from their initial values."""
    perturb(bijector, scale, seed=1)
    return bijector
