"""Small runs on toy densities, as `python -m tfp_flows.examples.ex_2d`."""

from __future__ import annotations

__all__: list[str] = []
