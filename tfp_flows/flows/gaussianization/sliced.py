"""Flows along the directions in which noise and data are farthest apart."""

from __future__ import annotations

from tfp_flows import _serialize
from tfp_flows.flows._model import policy
from tfp_flows.flows.gaussianization import rbig

__all__ = ["GIS", "SIG"]


class _Sliced(rbig.RBIG):
    """An `RBIG` whose fit rotates to the worst slices only."""

    rotation = "sliced"
    marginals = "spline"


@_serialize.register()
class GIS(_Sliced):
    """Gaussianizing iterative slicing: an `RBIG` along the directions of the worst fit.

    Each layer rotates to orthogonal directions along which the data are farthest from
    normal in sliced Wasserstein distance, and makes the marginals there normal. Fitted
    by `tfp_flows.fit("gis", x)` like `RBIG`, of which it is the form
    `rotation="sliced"`; where other layers may help as well, `RBIG` is the better
    density.

    Raises:
        ValueError: If an option is out of range, or a condition is asked for.

    References:
        Dai, Seljak (2021). Sliced Iterative Normalizing Flows.
        https://arxiv.org/abs/2007.00674
    """


@_serialize.register()
class SIG(_Sliced):
    """Sliced iterative generator: normal noise that is moved to the data in slices.

    Each layer of a fit looks for orthogonal directions along which noise that has come
    through the layers so far and the data are farthest apart, in sliced Wasserstein
    distance, and moves the noise by the optimal map of each direction. `GIS` goes the
    other way, from data to noise, and is mostly the better density; what `SIG` brings
    closer to the data from its first layer on are samples.

    Raises:
        ValueError: If an option is out of range, or a condition is asked for.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500)
        >>> flow, history = tfpf.fit("sig", x, epochs=3, seed=0, verbose=0)
        >>> flow.sample(3, seed=1).shape.as_list()
        [3, 2]

    References:
        Dai, Seljak (2021). Sliced Iterative Normalizing Flows.
        https://arxiv.org/abs/2007.00674
    """

    fit_policy = policy.FitPolicy(method="generative")
