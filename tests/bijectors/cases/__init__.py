"""Every bijector as a named case of the contract suite, room by room.

Parameters are away from their initial values, so that nothing is tested at the
identity only.
"""

from __future__ import annotations

from tests.bijectors.cases import (
    autoregressive,
    composition,
    continuous,
    coupling,
    elementwise,
    gaussianization,
    images,
    linear,
    manifolds,
    mixtures,
    normalization,
    residual,
    splines,
    wrappers,
)
from tfp_flows.testing import BijectorCase

__all__ = ["CASES"]

CASES: dict[str, BijectorCase] = {
    **images.CASES,
    **mixtures.CASES,
    **splines.CASES,
    **composition.CASES,
    **elementwise.CASES,
    **coupling.CASES,
    **autoregressive.CASES,
    **normalization.CASES,
    **manifolds.CASES,
    **linear.CASES,
    **residual.CASES,
    **continuous.CASES,
    **wrappers.CASES,
    **gaussianization.CASES,
}
