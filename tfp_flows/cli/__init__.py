"""The command line `tfp-flows`, one module for each command.

Its modules import TensorFlow inside the commands, so that help is instant.
"""

from __future__ import annotations

__all__: list[str] = []
