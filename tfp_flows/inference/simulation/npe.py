"""Neural posterior estimation: a flow of the parameters given the data."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tfp_flows._types import Seed, TensorLike
from tfp_flows.inference.simulation import base
from tfp_flows.inference.simulation.posterior import Posterior
from tfp_flows.inference.simulation.simulations import Simulations

__all__ = ["NPE"]

# Draws that are made at once.
BLOCK = 100_000


class NPE(base.FlowEstimator):
    """Neural posterior estimation: learns `p(theta | x)` from simulations.

    A flow learns the parameters given the data, both standardised, the parameters
    behind the map that takes the bounds of the prior away: no draw leaves its support,
    and nothing is rejected. Once fitted, the posterior of any observation costs one
    pass.

    Args:
        prior: Distribution of the parameters, joint ones too: what drew `theta`. Its
            support bounds the posterior; its density is only known to the flow by the
            simulations.
        flow: Name of the flow; see `flows.names`.
        embedding: Keras network through which the data pass, from `[N, *x_shape]` to
            `[N, C]`, trained along; `SetEmbedding` for sets of equal draws.
        ensemble: Number of flows whose mixture is learned; `None` for one.
        seed: Int that fixes initial weights and the order of batches.
        **options: Of the flow.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> prior = tfd.Independent(tfd.Uniform([-1., 0.], [1., 2.]), 1)
        >>> rng = np.random.default_rng(0)
        >>> theta = rng.uniform([-1., 0.], [1., 2.], size=(500, 2))
        >>> x = theta + 0.1 * rng.normal(size=(500, 2))
        >>> npe = inference.NPE(prior, "realnvp", seed=0)
        >>> posterior = npe.fit(theta, x, epochs=2, verbose=0).posterior([0.5, 1.])
        >>> posterior.sample(4, seed=1).shape.as_list()
        [4, 2]
        >>> bool(np.isneginf(posterior.log_prob([0., 3.])))
        True

    References:
        Papamakarios, Murray (2016). Fast epsilon-free Inference of Simulation Models
        with Bayesian Conditional Density Estimation. https://arxiv.org/abs/1605.06376

        Greenberg et al. (2019). Automatic Posterior Transformation for Likelihood-Free
        Inference. https://arxiv.org/abs/1905.07488
    """

    SETTINGS: ClassVar[dict[str, Any]] = {
        **base.FlowEstimator.SETTINGS,
        "average": 0.99,
    }

    def _events(self, found: Simulations) -> tuple[np.ndarray, np.ndarray]:
        return found.vectors, found.x

    def posterior(self, x_o: TensorLike) -> Posterior:
        """Return the posterior of an observation.

        Args:
            x_o: Observation, `[*x_shape]`; or a batch of them, which makes a batch of
                posteriors.

        Returns:
            A distribution over what the prior draws.

        Raises:
            ValueError: If the shape is not that of a simulation, or numbers are not
                finite.
        """
        observed = self._observed(x_o)
        return Posterior(
            self._fitted().distribution(observed), self.parameters.bijector, self.prior
        )

    def draws(self, x: TensorLike, count: int, seed: Seed = None) -> np.ndarray:
        """Return draws of the posterior of each of many data, as `diagnostics` take.

        Args:
            x: Data, `[N, *x_shape]`.
            count: Draws for each.
            seed: Int that fixes them.

        Returns:
            Parameters, flat, `[N, count, D]`; see `names`.
        """
        flow = self._fitted()
        x = np.asarray(x, flow.variable_dtype)
        x = x[:, None] if x.shape[1:] == () else x
        step, found = max(1, BLOCK // count), []
        for start in range(0, len(x), step):
            own = base.pair(None if seed is None else [seed, start])
            vectors = flow.sample(count, x[start : start + step], seed=own)
            events = self.parameters.bounded(vectors)
            found.append(np.swapaxes(self.parameters.rows_of(events), 0, 1))
        return np.concatenate(found)
