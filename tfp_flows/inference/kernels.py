"""What kernels of chains state of themselves."""

from __future__ import annotations

from typing import Any

import tensorflow_probability as tfp

__all__ = ["Kernel"]


class Kernel(tfp.mcmc.TransitionKernel):
    """A kernel that leaves its target as it is, and states what it was built with."""

    _parameters: dict[str, Any]

    @property
    def parameters(self) -> dict[str, Any]:
        """What it was built with."""
        return self._parameters

    @property
    def is_calibrated(self) -> bool:
        """Whether it leaves the target as it is."""
        return True
