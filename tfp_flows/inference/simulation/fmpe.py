"""Flow matching posterior estimation: a velocity of the parameters given the data."""

from __future__ import annotations

from typing import Any, ClassVar

import keras

from tfp_flows import _checks, training
from tfp_flows.inference.simulation.npe import NPE

__all__ = ["FMPE"]

# Flows that have a velocity.
NAMES = ("flow-matching", "cnf")


class FMPE(NPE):
    """Flow matching posterior estimation: learns a velocity that makes `p(theta | x)`.

    A network learns, by regression, along which velocity draws of the base become the
    parameters given the data. Nothing is inverted while training, so that the network
    is free and a step is cheap; draws and densities solve an equation afterwards, which
    takes some ten evaluations of the network where `NPE` needs one. Parameters are
    standardised and without bounds inside, as in `NPE`, whose other methods it has.

    Args:
        prior: Distribution of the parameters, joint ones too: what drew `theta`.
        flow: `"flow-matching"`, or `"cnf"`, the same network with other defaults.
        objective: How the velocity is learned; by default `FlowMatching` without
            pairs, as hardly two simulations have equal data.
        embedding: Keras network through which the data pass, see `NPE`.
        seed: Int that fixes initial weights, the order of batches and times.
        **options: Of the flow, such as `hidden_units` or `num_steps` of the solver.

    Raises:
        ValueError: If the flow has no velocity.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> prior = tfd.Sample(tfd.Normal(0., 1.), 2)
        >>> rng = np.random.default_rng(0)
        >>> theta = rng.normal(size=(500, 2))
        >>> x = theta + 0.1 * rng.normal(size=(500, 2))
        >>> fmpe = inference.FMPE(prior, hidden_units=(16,), seed=0)
        >>> posterior = fmpe.fit(theta, x, epochs=2, verbose=0).posterior([0.5, 1.])
        >>> posterior.sample(4, seed=1).shape.as_list()
        [4, 2]

    References:
        Dax et al. (2023). Flow Matching for Scalable Simulation-Based Inference.
        https://arxiv.org/abs/2305.17161
    """

    # The loss is noisy, and hardly falls while the velocity still gets better.
    SETTINGS: ClassVar[dict[str, Any]] = {**NPE.SETTINGS, "patience": 100}

    def __init__(
        self,
        prior: Any,
        flow: str = NAMES[0],
        *,
        objective: training.FlowMatching | None = None,
        embedding: keras.Layer | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        _checks.one_of(flow, NAMES, "flow")
        super().__init__(prior, flow, embedding=embedding, seed=seed, **options)
        self._objective = objective

    def _learn(self, found: Any, settings: dict[str, Any]) -> None:
        objective = self._objective or training.FlowMatching("independent")
        super()._learn(found, {"objective": objective, **settings})
