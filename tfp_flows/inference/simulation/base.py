"""What estimators from simulations share: prior, flow, and what was simulated."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import keras
import numpy as np

from tfp_flows import _checks, _context, flows, training
from tfp_flows._types import Seed, TensorLike
from tfp_flows.inference.simulation.parameters import Parameters
from tfp_flows.inference.simulation.simulations import (
    Middle,
    Simulations,
    observation,
)

__all__ = ["Estimator", "FlowEstimator", "pair"]

# The default flow of tables; no choice between flows was made on the tasks of
# `benchmarks/inference/sbibm.py`.
DEFAULT = "nsf-ar"


class Estimator(abc.ABC):
    """Learns from simulations, and answers with the posterior of an observation.

    Args:
        prior: Distribution of the parameters, joint ones too: what drew `theta`.
        seed: Int that fixes initial weights and the order of batches.

    Attributes:
        invalid: How many simulations were left out.
        x_shape: Shape of one simulation.
        history: Keras' history of the fit.
    """

    def __init__(self, prior: Any, *, seed: int | None = None) -> None:
        self.parameters = Parameters(prior)
        self._seed = seed
        self.invalid = 0
        self.x_shape: tuple[int, ...] = ()
        self.history: keras.callbacks.History | None = None
        self._middle: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: of the history, its numbers."""
        state = dict(self.__dict__)
        if self.history is not None:
            state["history"] = keras.callbacks.History()
            for name in ("history", "epoch", "params"):
                setattr(state["history"], name, getattr(self.history, name))
        return state

    @property
    def prior(self) -> Any:
        """The prior."""
        return self.parameters.prior

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters as `draws` and flat arrays have them."""
        return self.parameters.names

    @abc.abstractmethod
    def _learn(self, found: Simulations, settings: dict[str, Any]) -> None:
        """Fit to simulations."""

    def fit(
        self, theta: TensorLike, x: TensorLike | None = None, **settings: Any
    ) -> Any:
        """Learn from simulations; called again, anew from all that it is given.

        An embedding alone goes on from the weights that it has.

        Args:
            theta: Parameters that the prior drew, `[N, D]`, or in its structure; or a
                `tf.data.Dataset` of batches of pairs of parameters and data.
            x: What the simulator made of each, `[N, *x_shape]`.
            **settings: Of `tfp_flows.fit`, such as `epochs` or `verbose`.

        Returns:
            The estimator itself.

        Raises:
            ValueError: If shapes do not fit, fewer than 50 simulations are valid, or
                the prior has no density at some parameters.
        """
        _context.require_eager(f"{type(self).__name__}.fit")
        found = Simulations.read(self.parameters, theta, x)
        self.x_shape, self.invalid = found.x.shape[1:], found.invalid
        self._learn(found, settings)
        self._middle = Middle(found.x)
        return self

    def _observed(self, x_o: TensorLike) -> np.ndarray:
        """Return observations after checks, `[..., *x_shape]`."""
        if self._middle is None:
            msg = f"`{type(self).__name__}` is not fitted: call fit(theta, x) first."
            raise ValueError(msg)
        dtype = self.parameters.dtype.as_numpy_dtype
        return observation(x_o, self.x_shape, dtype, self._middle)


class FlowEstimator(Estimator):
    """Learns a density by a flow.

    Args:
        prior: Distribution of the parameters, joint ones too: what drew `theta`.
        flow: Name of the flow; see `flows.names`.
        embedding: Keras network through which conditions pass.
        ensemble: Number of flows whose mixture is learned; `None` for one.
        seed: Int that fixes initial weights and the order of batches.
        **options: Of the flow.

    Attributes:
        flow: The fitted flow, `None` before.
    """

    # What a fit is told where the user says nothing.
    SETTINGS: ClassVar[dict[str, Any]] = {"outliers": "keep"}

    def __init__(
        self,
        prior: Any,
        flow: str = DEFAULT,
        *,
        embedding: keras.Layer | None = None,
        ensemble: int | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(prior, seed=seed)
        _checks.one_of(flow, flows.names(), "flow")
        if ensemble is not None:
            _checks.count(ensemble, 1, "ensemble")
        self._name, self._ensemble = flow, ensemble
        self._options = {**options}
        if embedding is not None:
            self._options["embedding"] = embedding
        self.flow: flows.Flow | None = None

    @abc.abstractmethod
    def _events(self, found: Simulations) -> tuple[np.ndarray, np.ndarray]:
        """Return what the flow is a density of, and its condition."""

    def _learn(self, found: Simulations, settings: dict[str, Any]) -> None:
        events, condition = self._events(found)
        options = dict(self._options)
        if self._ensemble is not None:
            options["members"] = self._ensemble
        if events.dtype == np.float64:
            options.setdefault("dtype", "float64")
        flow = flows.build(
            self._name,
            events.shape[1:],
            condition.shape[1:],
            seed=self._seed,
            **options,
        )
        settings = {"seed": self._seed, **self.SETTINGS, **settings}
        self.flow, self.history = training.fit(flow, events, condition, **settings)

    def _fitted(self) -> flows.Flow:
        if self.flow is None:
            msg = f"`{type(self).__name__}` is not fitted: call fit(theta, x) first."
            raise ValueError(msg)
        return self.flow


def pair(seed: Seed) -> np.ndarray:
    """Return a stateless seed of TFP, `[2]`."""
    return _context.generator(seed).integers(2**31 - 1, size=2).astype(np.int32)
