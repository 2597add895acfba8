"""Posterior estimation by flow matching."""

from __future__ import annotations

from typing import Any

import keras

from tfp_flows.inference.simulation import npe

__all__ = ["FMPE"]


class FMPE(npe.NPE):
    """Flow matching posterior estimation: a velocity learned by regression.

    As `NPE`, with a continuous flow: any network may be its velocity, a step of
    training is cheap, and draws and densities solve a differential equation.

    Args:
        prior: Distribution of the parameters, joint ones too: what drew `theta`.
        embedding: Keras network through which the data pass.
        seed: Int that fixes initial weights and the order of batches.
        **options: Of the flow `"flow-matching"`, by default without the sines of its
            first layer (`frequency=0`), which remember simulations.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> theta = np.random.default_rng(0).normal(size=(100, 2))
        >>> prior = tfd.MultivariateNormalDiag([0., 0.], [1., 1.])
        >>> fmpe = inference.FMPE(prior, hidden_units=(8,), num_steps=2, seed=0)
        >>> posterior = fmpe.fit(theta, theta, epochs=1, verbose=0).posterior([0., 1.])
        >>> posterior.sample(3, seed=1).shape.as_list()
        [3, 2]

    References:
        Dax et al. (2023). Flow Matching for Scalable Simulation-Based Inference.
        https://arxiv.org/abs/2305.17161
    """

    def __init__(
        self,
        prior: Any,
        *,
        embedding: keras.Layer | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        # Sines learn edges soon, and remember the noise of simulations.
        options.setdefault("frequency", 0.0)
        super().__init__(
            prior, "flow-matching", embedding=embedding, seed=seed, **options
        )
