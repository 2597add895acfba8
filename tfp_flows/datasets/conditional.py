"""Named conditional toys: one number given another, with exact entropies."""

from __future__ import annotations

import abc

import numpy as np

from tfp_flows.datasets import toys
from tfp_flows.datasets.toy import LOG_2PI

__all__ = [
    "AsymmetricBimodal",
    "Bimodal",
    "ConditionalToy",
    "Sinusoidal",
    "conditional_toy",
    "conditional_toy_entropy",
    "conditional_toy_log_prob",
    "conditional_toy_names",
]


class ConditionalToy(abc.ABC):
    """The density of a number `x` given a number `c`, uniform on `[-bound, bound]`.

    Attributes:
        bound: Half the width of the interval of conditions.
        entropy: Mean over `c` of the differential entropy of `x` given `c`, in nats.
    """

    bound: float
    entropy: float

    @abc.abstractmethod
    def sample(self, c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one number for each entry of `c`, `[n]` to `[n]`."""

    @abc.abstractmethod
    def log_prob(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `x` given `c`, both `[n]`."""


class AsymmetricBimodal(ConditionalToy):
    """One-sided noise above one of two branches that part for negative `c`.

    `x = m + s |z|` with `z` standard normal, `s = 1 + 3 |sin c|`, and `m` one of
    `5 sin c` and `5 sin |c|`, equally likely; `c` is uniform on `[-pi, pi]`. The
    entropy comes from quadrature.

    References:
        Trippe and Turner, 2018, "Conditional density estimation with Bayesian
        normalising flows", https://arxiv.org/abs/1802.04908
    """

    bound = float(np.pi)
    entropy = 2.01818

    def sample(self, c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one number for each entry of `c`."""
        branch = np.where(rng.integers(2, size=c.shape) == 1, c, np.abs(c))
        scale = 1.0 + 3.0 * np.abs(np.sin(c))
        return 5.0 * np.sin(branch) + scale * np.abs(rng.standard_normal(c.shape))

    def log_prob(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `x` given `c`."""
        scale = 1.0 + 3.0 * np.abs(np.sin(c))
        log_half_normal = []
        for branch in (c, np.abs(c)):
            z = (x - 5.0 * np.sin(branch)) / scale
            log_half_normal.append(np.where(z >= 0.0, -0.5 * z * z, -np.inf))
        # Twice a normal on one side, times one half for the branch.
        return np.logaddexp(*log_half_normal) - np.log(scale) - 0.5 * LOG_2PI


class Sinusoidal(ConditionalToy):
    """A sine with noise that grows with `|c|`.

    `x ~ N(5 sin(2 c), |c|)` (a deviation); `c` is uniform on `[-3, 3]`. The entropy
    is `(1 + ln 2 pi) / 2 + ln 3 - 1 = 1.51755`; over 1000 evenly spaced conditions,
    ends included, the mean is 1.51924.

    References:
        S. Boehm, 2019, "Normalizing flow network", test `test_on_gaussian`,
        https://github.com/siboehm/NormalizingFlowNetwork
    """

    bound = 3.0
    entropy = float(0.5 * (1.0 + LOG_2PI) + np.log(3.0) - 1.0)

    def sample(self, c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one number for each entry of `c`."""
        return 5.0 * np.sin(2.0 * c) + np.abs(c) * rng.standard_normal(c.shape)

    def log_prob(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `x` given `c`; it is degenerate at `c = 0`."""
        scale = np.abs(c)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (x - 5.0 * np.sin(2.0 * c)) / scale
            return -0.5 * z * z - np.log(scale) - 0.5 * LOG_2PI


class Bimodal(ConditionalToy):
    """Two Gaussians at -3 and 3, deviation 0.5, whatever the condition says.

    `c` is uniform on `[-3, 3]` and tells nothing: a model that follows it overfits.
    The modes are 12 deviations apart, so the entropy is `ln 2` plus a Gaussian's.

    References:
        S. Boehm, 2019, "Normalizing flow network", test `test_bimodal_gaussian`,
        https://github.com/siboehm/NormalizingFlowNetwork
    """

    bound = 3.0
    entropy = float(np.log(2.0) + 0.5 * (1.0 + LOG_2PI) + np.log(0.5))

    def sample(self, c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one number for each entry of `c`."""
        sign = 2.0 * rng.integers(2, size=c.shape) - 1.0
        return 3.0 * sign + 0.5 * rng.standard_normal(c.shape)

    def log_prob(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Evaluate the log-density of `x` given `c`."""
        log_kernel = [-0.5 * ((x - m) / 0.5) ** 2 for m in (-3.0, 3.0)]
        log_norm = 0.5 * LOG_2PI + np.log(0.5) + np.log(2.0)
        return np.logaddexp(*log_kernel) - log_norm + np.zeros_like(c)


_TOYS: dict[str, type[ConditionalToy]] = {
    "asymmetric_bimodal": AsymmetricBimodal,
    "bimodal": Bimodal,
    "sinusoidal": Sinusoidal,
}


def conditional_toy_names() -> tuple[str, ...]:
    """List the names that `conditional_toy` accepts.

    Returns:
        Tuple of names.
    """
    return tuple(sorted(_TOYS))


def conditional_toy(
    name: str, n: int, seed: int = 0, *, condition: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw independent pairs of a number and its condition.

    Args:
        name: One of `conditional_toy_names()`.
        n: Number of pairs.
        seed: Seed of `numpy.random.default_rng`; equal seeds give equal pairs.
        condition: Conditions to draw for, `[n]` or `[n, 1]`, such as an even grid; by
            default they are drawn as well.

    Returns:
        `(x, condition)`, two float32 arrays `[n, 1]`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If the name is unknown, `n` is negative, or the conditions are not
            `n` finite numbers.

    Example:
        >>> from tfp_flows import datasets
        >>> x, condition = datasets.conditional_toy("sinusoidal", 400)
        >>> x.shape, condition.shape
        ((400, 1), (400, 1))
    """
    density = toys.built(_TOYS, name)
    rng = np.random.default_rng(seed)
    n = toys.check_count(n)
    if condition is None:
        c = rng.uniform(-density.bound, density.bound, size=n)
    else:
        c = np.asarray(condition, np.float64)
        if c.shape not in {(n,), (n, 1)} or not np.isfinite(c).all():
            raise ValueError(
                f"`condition` must be {n} finite numbers, [{n}] or [{n}, 1], got shape "
                f"{c.shape}. Give one for each draw, and `n` as their number."
            )
        c = c.reshape(n)
    # x is drawn for the condition that the caller gets, after rounding.
    condition = c.astype(np.float32)
    x = density.sample(condition.astype(np.float64), rng)
    return x.astype(np.float32)[:, None], condition[:, None]


def conditional_toy_entropy(name: str) -> float:
    """Return the conditional entropy of a toy, the floor of any model's loss.

    Args:
        name: One of `conditional_toy_names()`.

    Returns:
        Mean over conditions of the entropy of `x` given `condition`, in nats.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> from tfp_flows import datasets
        >>> round(datasets.conditional_toy_entropy("sinusoidal"), 3)
        1.518
    """
    return toys.built(_TOYS, name).entropy


def conditional_toy_log_prob(
    name: str, x: np.ndarray, condition: np.ndarray
) -> np.ndarray:
    """Evaluate the exact conditional log-density of a toy.

    Args:
        name: One of `conditional_toy_names()`.
        x: Numbers, `[..., 1]`.
        condition: Conditions, `[..., 1]`, of the same shape.

    Returns:
        float64 array `[...]` in nats; -inf outside the support.

    Raises:
        ValueError: If the name is unknown or a shape is wrong.

    Example:
        >>> from tfp_flows import datasets
        >>> x, condition = datasets.conditional_toy("sinusoidal", 4000)
        >>> mean = datasets.conditional_toy_log_prob("sinusoidal", x, condition).mean()
        >>> bool(abs(mean + datasets.conditional_toy_entropy("sinusoidal")) < 0.05)
        True
    """
    density = toys.built(_TOYS, name)
    x = np.asarray(x, np.float64)
    condition = np.asarray(condition, np.float64)
    if x.ndim == 0 or x.shape[-1] != 1 or x.shape != condition.shape:
        raise ValueError(
            "`x` and `condition` must have one shape [..., 1], got "
            f"{x.shape} and {condition.shape}. Put one number in each row."
        )
    return density.log_prob(x[..., 0], condition[..., 0])
