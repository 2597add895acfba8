"""Conditional densities of before flows: Gaussian, mixtures of normals, kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from tfp_flows import _checks
from tfp_flows.bijectors import NormalMixture
from tfp_flows.bijectors.transformers.mixtures import KernelMixture
from tfp_flows.estimators import base, conditional
from tfp_flows.math import clusters

__all__ = ["ConditionalGaussian", "KernelMixtureNetwork", "MixtureDensityNetwork"]

# Deviations of kernels in units of the mean distance between their places.
KERNEL_WIDTHS = (0.5, 1.0, 2.0)


class _OfOneKind(conditional.ConditionalFlowDensity):
    """A conditional density of one family, fitted as a flow is."""

    _arguments: ClassVar[dict[str, str]] = {
        **base.ARGUMENTS,
        "epochs": "Most passes over the data; by default enough for 8,000 updates.",
    }
    flow: Any = "autoregressive"
    _own: tuple[str, ...] = ("base", "num_layers", "transformer")
    # The name and the options of a flow of the family, of targets and a seed.
    _family: Callable[[np.ndarray, int], tuple[str, dict[str, Any]]]

    def __init__(
        self,
        *,
        options: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation: float | Literal["auto"] | None = "auto",
        patience: int | None = None,
        missing: Literal["error", "impute"] = "error",
        fit_arguments: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | str = 0,
    ) -> None:
        self.options = options
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation = validation
        self.patience = patience
        self.missing = missing
        self.fit_arguments = fit_arguments
        self.random_state = random_state
        self.verbose = verbose

    def _unfitted(
        self,
        x: np.ndarray,
        condition: np.ndarray | None,
        columns: dict[str, Any],
        seed: int,
    ) -> tuple[Any, dict[str, Any]]:
        _, options = super()._unfitted(x, condition, columns, seed)
        for word in self._own:
            if word in options:
                msg = (
                    f"`options` must leave out {word!r}, which makes a "
                    f"{type(self).__name__} what it is. Take a ConditionalFlowDensity."
                )
                raise ValueError(msg)
        name, own = self._family(x, seed)
        return name, {**options, "base": "normal", "num_layers": 1, **own}


class ConditionalGaussian(_OfOneKind):
    """Gaussian of targets given features, its mean and scales by a network.

    What a heteroscedastic regression is. Correlations of several targets are the same
    for all rows. All else is as in `ConditionalFlowDensity`.

    Args:
        options: Options of the networks, such as `{"hidden_units": (32,)}`.

    Attributes:
        flow_: The fitted flow; of several targets a `tfp_flows.flows.LinearFlow`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(200, 1))
        >>> y = X[:, 0] * rng.normal(size=200)
        >>> model = tfpf.estimators.ConditionalGaussian(epochs=3, random_state=0)
        >>> model.fit(X, y).predict_interval(X[:4], 0.9).shape
        (4, 2)

    References:
        Nix, Weigend (1994). Estimating the mean and variance of the target probability
        distribution. https://doi.org/10.1109/ICNN.1994.374138
    """

    def _family(self, x: np.ndarray, seed: int) -> tuple[str, dict[str, Any]]:
        del seed
        if x.size == len(x):
            return "autoregressive", {"transformer": NormalMixture(1)}
        return "linear", {}


class MixtureDensityNetwork(_OfOneKind):
    """Mixture of normals of the target given features, all by one network.

    Of several targets each has such a mixture, given features and the targets before
    it. All else is as in `ConditionalFlowDensity`.

    Args:
        num_components: Number of normals.
        options: Options of the network, such as `{"hidden_units": (32,)}`; with
            `{"members": 5}` an ensemble of networks.

    Attributes:
        flow_: The fitted flow, one layer of `tfp_flows.bijectors.NormalMixture`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(200, 1))
        >>> y = X[:, 0] * rng.normal(size=200)
        >>> model = tfpf.estimators.MixtureDensityNetwork(3, epochs=3, random_state=0)
        >>> model.fit(X, y).predict(X[:4], quantiles=[0.05, 0.95]).shape
        (4, 2)

    References:
        Bishop (1994). Mixture density networks.
        https://publications.aston.ac.uk/id/eprint/373/
    """

    def __init__(
        self,
        num_components: int = 10,
        *,
        options: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation: float | Literal["auto"] | None = "auto",
        patience: int | None = None,
        missing: Literal["error", "impute"] = "error",
        fit_arguments: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | str = 0,
    ) -> None:
        super().__init__(
            options=options,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            validation=validation,
            patience=patience,
            missing=missing,
            fit_arguments=fit_arguments,
            random_state=random_state,
            verbose=verbose,
        )
        self.num_components = num_components

    def _family(self, x: np.ndarray, seed: int) -> tuple[str, dict[str, Any]]:
        del x, seed
        _checks.count(self.num_components, 1, "num_components")
        return "autoregressive", {"transformer": NormalMixture(self.num_components)}


class KernelMixtureNetwork(MixtureDensityNetwork):
    """Mixture of normal kernels at fixed places, of which a network says the weights.

    Places are the middles of clusters of the targets, at each of which there are
    kernels of three widths: a half, one and two of their mean distances. The density
    has no peaks narrower than that, which few rows cannot ask for. There must be one
    target, which is taken for a number. All else is as in `ConditionalFlowDensity`.

    Args:
        num_components: Number of places; as many as there are different targets, if
            these are fewer.
        options: Options of the network, such as `{"hidden_units": (32,)}`.

    Attributes:
        flow_: The fitted flow, one layer of kernels.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(200, 1))
        >>> y = X[:, 0] * rng.normal(size=200)
        >>> model = tfpf.estimators.KernelMixtureNetwork(9, epochs=3, random_state=0)
        >>> model.fit(X, y).predict_dist(X[:4]).cdf(0.0).shape.as_list()
        [4]

    References:
        Ambrogioni et al. (2017). The Kernel Mixture Network.
        https://arxiv.org/abs/1705.07111
    """

    def _family(self, x: np.ndarray, seed: int) -> tuple[str, dict[str, Any]]:
        if x.size != len(x):
            msg = (
                f"`y` must be one target of a KernelMixtureNetwork, got {x.shape[1]}. "
                "Fit one to each, or take a MixtureDensityNetwork."
            )
            raise ValueError(msg)
        _checks.count(self.num_components, 1, "num_components")
        x = x.reshape(-1, 1).astype(np.float64)
        z = (x - np.nanmean(x)) / np.nanstd(x)
        z = z[np.isfinite(z[:, 0])]
        count = min(self.num_components, len(np.unique(z)))
        which = clusters.nearest(z, count, seed)
        places = np.sort([z[which == i].mean() for i in np.unique(which)])
        apart = (places[-1] - places[0]) / max(1, len(places) - 1)
        scales = tuple(width * apart for width in KERNEL_WIDTHS)
        kernels = KernelMixture(tuple(places.tolist()), scales)
        found: dict[str, Any] = {"transformer": kernels}
        if "columns" not in (self.fit_arguments or {}):
            found["columns"] = "continuous"
        return "autoregressive", found
