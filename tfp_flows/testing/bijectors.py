"""Runs the contract checks over one map."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from tensorflow_probability import bijectors as tfb

from tfp_flows._types import Shape
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase, Tolerances

__all__ = ["check_bijector"]


def check_bijector(
    bijector: tfb.Bijector | Callable[[str], tfb.Bijector],
    event_shape: Shape,
    *,
    condition_shape: Shape | None = None,
    domain: tuple[float, float] = (-math.inf, math.inf),
    codomain: tuple[float, float] = (-math.inf, math.inf),
    edges: tuple[float, ...] = (),
    quadrature: bool = True,
    composite: bool = True,
    passes: Callable[[], int] | None = None,
    tolerances: Tolerances | None = None,
    skip: Mapping[str, str] | Iterable[str] = (),
    seed: int = 0,
    name: str | None = None,
) -> None:
    """Check that a map keeps the contract of this library's maps.

    Args:
        bijector: The map, or a function that builds it for the dtype `"float32"` or
            `"float64"`. Only with the second form both dtypes are checked.
        event_shape: Trailing shape of inputs, `()` for a scalar map.
        condition_shape: Trailing shape of the condition, `None` for a map without.
        domain: Interval from which each input of `forward` may come.
        codomain: The same for `inverse`.
        edges: Scalars at which the map changes its form.
        quadrature: Whether to integrate the density (up to two dimensions).
        composite: Whether the map can be an argument of a `tf.function`.
        passes: Returns how many network passes there were so far. Without it, the
            calls of each part's primitives are counted.
        tolerances: Largest errors, `None` for the defaults.
        skip: Names of checks to leave out; see `checks`.
        seed: Seed of the random inputs.
        name: Name in messages, by default that of the map.

    Raises:
        ContractError: At the first check that fails.

    Example:
        >>> import tfp_flows as tfpf
        >>> chain = tfpf.bijectors.Chain([])
        >>> tfpf.testing.check_bijector(chain, event_shape=(2,))
    """
    case = BijectorCase(
        bijector,
        event_shape,
        condition_shape=condition_shape,
        domain=domain,
        codomain=codomain,
        edges=edges,
        quadrature=quadrature,
        composite=composite,
        passes=passes,
        tolerances=tolerances or Tolerances(),
        skip=skip,
        seed=seed,
        name=name or str(getattr(bijector, "name", "bijector")),
    )
    registry.run_all(registry.BIJECTOR_CHECKS, case)
