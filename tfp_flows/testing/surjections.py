"""The contract of surjections: maps with a contribution to the likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.bijectors import Surjection
from tfp_flows.distributions import SurjectedDistribution
from tfp_flows.testing import registry
from tfp_flows.testing.case import Case, Tolerances
from tfp_flows.testing.log_dets import density_mass

__all__ = ["SurjectionCase", "check_surjection"]

# Draws of a bound, and how many standard errors its mean may be off.
DRAWS, ERRORS = 4096, 4.5


@dataclass(frozen=True)
class SurjectionCase(Case):
    """A surjection, a base density, and what is known of what it makes of that.

    Args:
        build: Function of the dtype's name that builds the surjection.
        base: Function of the dtype's name that builds a density of `z`.
        condition: One condition, where the surjection takes one.
        exact: Function of `x` that returns the exact log-density, where it is known.
        tolerances: Largest errors; `mass` is that of bounds with 4096 draws as well.
        skip: Names of checks that do not apply; a mapping tells the reason for each.
        name: Name of the case in messages.
        seed: Seed of samples.
    """

    build: Callable[[str], Surjection]
    base: Callable[[str], tfd.Distribution]
    condition: tuple[float, ...] | None = None
    exact: Callable[[tf.Tensor], tf.Tensor] | None = None
    tolerances: Tolerances = field(default_factory=Tolerances)
    skip: Mapping[str, str] | Iterable[str] = ()
    name: str = "surjection"
    seed: int = 0

    def density(self, dtype: str = "float32") -> SurjectedDistribution:
        """Return what the surjection makes of the base."""
        condition = None
        if self.condition is not None:
            condition = tf.constant(self.condition, dtype)
        return SurjectedDistribution(self.base(dtype), self.build(dtype), condition)


def check_surjection(case: SurjectionCase) -> None:
    """Run all checks of surjections, `checks("surjection")`.

    Args:
        case: The surjection and a base.

    Raises:
        ContractError: At the first check that fails.

    Example:
        >>> from tensorflow_probability import distributions as tfd
        >>> import tfp_flows as tfpf
        >>> def base(dtype):
        ...     return tfd.Sample(tfd.Normal(tf.constant(1.0, dtype), 1.0), 2)
        >>> case = tfpf.testing.SurjectionCase(
        ...     lambda dtype: tfpf.bijectors.AbsoluteValue((1,)), base)
        >>> tfpf.testing.checks("surjection")["shapes"](case)
    """
    registry.run_all(registry.SURJECTION_CHECKS, case)


@registry.surjection_check
def check_surjection_shapes(case: SurjectionCase) -> None:
    """Sizes are as stated, for any leading shape, and the dtype stays."""
    for dtype in ("float32", "float64"):
        density = case.density(dtype)
        surjection, condition = density.surjection, density.condition
        size = density.event_shape[0]
        if surjection.inverse_size(size) != density.distribution.event_shape[0]:
            case.fail("shapes", "inverse_size against the base", size)
        for leading in ((), (0,), (2, 3)):
            x = density.sample(leading, seed=[case.seed, 1])
            if tuple(x.shape) != (*leading, size):
                case.fail("shapes", "a sample", tuple(x.shape), (*leading, size))
            found = surjection.preimages(x, condition)
            wanted = (*leading, surjection.inverse_size(size))
            if tuple(found.z.shape)[1:] != wanted:
                case.fail("shapes", "preimages", tuple(found.z.shape), wanted)
            if found.log_weight.shape != found.z.shape[:-1]:
                case.fail("shapes", "log_weight", found.log_weight.shape, wanted)
            types = {x.dtype, found.z.dtype, found.log_weight.dtype}
            if types != {tf.as_dtype(dtype)}:
                case.fail("shapes", "dtypes", types, dtype)


@registry.surjection_check
def check_surjection_mass(case: SurjectionCase) -> None:
    """The density integrates to one, by quadrature in one or two dimensions.

    A bound does so up to the error of its draws.
    """
    density = case.density("float64")
    if density.event_shape[0] > 2:
        return
    draws = DRAWS if density.is_bound else None

    def log_prob(points: np.ndarray) -> tf.Tensor:
        return density.log_prob(points, num_draws=draws)

    sample = density.sample(20_000, seed=[case.seed, 2]).numpy()
    cells = {1: 1_000, 2: 40}[sample.shape[-1]] if density.is_bound else None
    mass = density_mass(log_prob, sample, cells=cells, margin=0.5)
    bound = 10.0 * case.tolerances.mass if density.is_bound else case.tolerances.mass
    if not abs(mass - 1.0) <= bound:
        what = "the density integrates to"
        case.fail("mass", what, f"{mass:.5f}", f"1 +- {bound}")


@registry.surjection_check
def check_surjection_samples(case: SurjectionCase) -> None:
    """Samples have the density: the mean of `q(x) / p(x)` over them is one.

    `q` is a normal density narrower than the samples, around one of them.
    """
    density = case.density("float64")
    x = density.sample(20_000, seed=[case.seed, 3]).numpy()
    center = x[np.argsort(np.abs(x - np.median(x, axis=0)).sum(axis=1))[0]]
    scale = 0.3 * (np.quantile(x, 0.84, axis=0) - np.quantile(x, 0.16, axis=0))
    log_q = tfd.MultivariateNormalDiag(center, scale).log_prob(x)
    near = log_q > np.max(log_q) - 20.0
    given = {"num_draws": 256} if density.is_bound else {}
    ratio = np.zeros(len(x))
    ratio[near] = np.exp(log_q[near] - density.log_prob(x[near], **given))
    error = ratio.std() / math.sqrt(len(x))
    bound = ERRORS * error + (0.02 if density.is_bound else 0.0)
    if not abs(ratio.mean() - 1.0) <= bound:
        what = "mean of q(x) / p(x) over samples"
        case.fail("samples", what, f"{ratio.mean():.4f}", f"1 +- {bound:.4f}")


@registry.surjection_check
def check_surjection_bound(case: SurjectionCase) -> None:
    """An exact density is that; a bound is below it, its exponential right in the mean.

    A surjection that is no bound gives the same density whatever is drawn.
    """
    density = case.density("float64")
    x = density.sample(4, seed=[case.seed, 4])
    if not density.is_bound:
        found = density.log_prob(x, seed=[case.seed, 5])
        what = "log_prob with a seed"
        registry.compare(case, "bound", what, found, density.log_prob(x), 1e-12)
        if case.exact is not None:
            found, tolerance = density.log_prob(x), case.tolerances.float64
            what = "log_prob"
            registry.compare(case, "bound", what, found, case.exact(x), tolerance)
        return
    if case.exact is None:
        return
    many = tf.repeat(x, DRAWS, axis=0)
    found = density.log_prob(many, seed=[case.seed, 6], num_draws=4)
    gap = (tf.reshape(found, [4, -1]) - case.exact(x)[:, tf.newaxis]).numpy()
    ratio = np.exp(gap)
    error = ratio.std(axis=1) / math.sqrt(DRAWS)
    off = np.max(np.abs(ratio.mean(axis=1) - 1.0) / np.maximum(error, 1e-12))
    if not (off <= ERRORS or np.all(error < 1e-12)):
        what = "mean of exp(bound - exact), in standard errors from 1"
        case.fail("bound", what, f"{off:.2f}", ERRORS)
    above = np.max(gap.mean(axis=1) - ERRORS * gap.std(axis=1) / math.sqrt(DRAWS))
    if not above <= 1e-9:
        case.fail("bound", "mean of bound - exact", f"{above:.3g}", 0.0)


@registry.surjection_check
def check_surjection_modes(case: SurjectionCase) -> None:
    """Eager, compiled and XLA densities agree, and one seed gives one sample."""
    density = case.density()
    x = density.sample(6, seed=[case.seed, 7])
    expected = density.log_prob(x)
    for jit in (False, True):
        compiled = tf.function(density.log_prob, jit_compile=jit, autograph=False)
        what = "XLA against eager" if jit else "tf.function against eager"
        registry.compare(case, "modes", what, compiled(x), expected, 1e-4)
    again = density.sample(6, seed=[case.seed, 7])
    registry.compare(case, "modes", "the same seed", again, x, 0.0)
    other = density.sample(6, seed=[case.seed, 8])
    if registry.worst(other, x) == 0.0:
        case.fail("modes", "another seed gives the same sample")
    if density.is_bound:
        one, two = (density.log_prob(x, seed=[case.seed, s]) for s in (1, 2))
        if registry.worst(one, two) == 0.0:
            case.fail("modes", "another seed gives the same draws of the bound")


@registry.surjection_check
def check_surjection_gradients(case: SurjectionCase) -> None:
    """Log-densities have finite gradients by events and by all variables."""
    density = case.density()
    x = tf.identity(density.sample(8, seed=[case.seed, 9]))
    variables = density.trainable_variables
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(density.log_prob(x))
    found = tape.gradient(total, [x, *variables])
    for value in found:
        if value is None:
            case.fail("gradients", "log_prob does not depend on a variable")
        registry.require_finite(case, "gradients", "a gradient", value)
