"""Neural likelihood estimation: a flow of the data given the parameters."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows import flows
from tfp_flows._types import TensorLike
from tfp_flows.inference.simulation import base, chains
from tfp_flows.inference.simulation.simulations import Simulations

__all__ = ["NLE"]


class NLE(chains.ByChains, base.FlowEstimator):
    """Neural likelihood estimation: learns `p(x | theta)` from simulations.

    A flow learns the data given the parameters. The posterior is prior times
    likelihood, of any prior on the same parameters and of any number of independent
    observations; it has draws of chains, and a density up to a constant.

    Args:
        prior: Distribution of the parameters, joint ones too.
        flow: Name of the flow; see `flows.names`.
        ensemble: Number of flows whose mixture is learned; `None` for one.
        seed: Int that fixes initial weights and the order of batches.
        **options: Of the flow.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> rng = np.random.default_rng(0)
        >>> theta = rng.normal(size=500)
        >>> x = theta + 0.5 * rng.normal(size=500)
        >>> nle = inference.NLE(tfd.Normal(0., 1.), "linear", num_layers=1, seed=0)
        >>> likelihood = nle.fit(theta, x, epochs=2, verbose=0).likelihood(0.3)
        >>> likelihood.log_prob([1.]).shape
        TensorShape([])

    References:
        Papamakarios, Sterratt, Murray (2019). Sequential Neural Likelihood.
        https://arxiv.org/abs/1805.07226
    """

    def _events(self, found: Simulations) -> tuple[np.ndarray, np.ndarray]:
        return found.x, found.rows

    def likelihood(self, theta: TensorLike) -> object:
        """Return the distribution of data given parameters.

        Args:
            theta: Parameters, flat, `[..., D]`; a number for a single one.
        """
        return self._fitted().distribution(np.atleast_1d(np.asarray(theta)))

    def _log_prob(self) -> chains.LogProb:
        return _Likelihood(self._fitted())


class _Likelihood:
    """Log-density of data `[N, *x_shape]` given parameters `[N, D]`, `[N]`.

    Args:
        flow: The flow.
    """

    def __init__(self, flow: flows.Flow) -> None:
        self._flow = flow

    def __call__(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return self._flow.distribution(tf.cast(theta, x.dtype)).log_prob(x)
