"""The evidence of a model from draws of its posterior, by two estimates."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks, _context, flows, training
from tfp_flows._types import Shape
from tfp_flows.inference import proposals, targets
from tfp_flows.inference.importance import BLOCK_SIZE, Estimate, ImportanceSample

__all__ = ["Evidence", "evidence"]

# Standard errors by which both estimates may differ.
APART = 3.0
# Turns of the fixed point of the bridge, and the change in nats at which they end.
TURNS, CHANGE = 1_000, 1e-10
# Fewer draws of each half tell nothing.
FEWEST = 50


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The log-evidence by two estimates that share a flow; `float()` gives the bridge.

    Attributes:
        bridge: By draws of the posterior and of the flow, with its standard error.
        importance: By draws of the flow alone, with its standard error.
        sample: These draws with their weights.
        flow: The flow, over vectors without bounds.
        evaluations: How often the target's density was computed, without gradients; to
            compare with other methods, add what the draws took, such as
            `Chains.gradients` and `Chains.warm_up_gradients`.
    """

    bridge: Estimate
    importance: Estimate
    sample: ImportanceSample
    flow: flows.Flow
    evaluations: int

    def __float__(self) -> float:
        return float(self.bridge.value)

    @property
    def agree(self) -> bool:
        """Whether both estimates are within 3 standard errors of each other."""
        error = math.hypot(self.bridge.stderr, self.importance.stderr)
        return abs(self.bridge.value - self.importance.value) <= APART * error

    @property
    def judgement(self) -> str:
        """A sentence that says whether to trust the evidence."""
        if not self.agree:
            return (
                "The estimates disagree: do not trust either. The draws miss a part of "
                "the target that the flow reaches, or the flow is far from them."
            )
        if not self.sample.reliable:
            return (
                f"The estimates agree, but Pareto k-hat {self.sample.k_hat:.2f} is "
                "high: trust the bridge, with more draws if you can."
            )
        return "The estimates agree, and the weights are well-behaved: trust both."

    def __repr__(self) -> str:
        value, stderr = self.bridge
        other, doubt = self.importance
        return (
            f"log-evidence {value:.4f} +- {stderr:.4f} by bridge sampling, "
            f"{other:.4f} +- {doubt:.4f} by importance sampling. {self.judgement}"
        )


def evidence(
    target: Any,
    draws: Any,
    flow: str = "nsf-ar",
    *,
    num_draws: int | None = None,
    event_shape: Shape | None = None,
    support: tfb.Bijector | None = None,
    seed: int | None = None,
    verbose: int | str = 0,
    **options: Any,
) -> Evidence:
    """Compute the evidence of a model from draws of its posterior, of any sampler.

    A flow is fitted to half of the draws. Bridge sampling compares the other half with
    draws of the flow, and importance sampling takes those alone. Both estimates must
    agree. A mode that the draws miss is missing from both.

    Args:
        target: Function of events that returns the unnormalised log-density; or a
            joint distribution, its data pinned by `experimental_pin`.
        draws: Of the posterior, `[N, *event_shape]` in the order of a chain, or
            `[chains, N, *event_shape]`; or a structure of such.
        flow: Name of the flow.
        num_draws: Draws of the flow, by default as many as the other half has.
        event_shape: Shape of an event of a function, by default all but the first
            dimension of `draws`.
        support: Map from numbers without bounds to events, for a target that does not
            say where its events lie.
        seed: Int that fixes the fit and the draws of the flow.
        verbose: As in `fit`.
        **options: Of `fit`, and of the flow.

    Returns:
        Both estimates with their standard errors, and a judgement.

    Raises:
        ValueError: If there are too few draws, or if a density at them is not finite.

    Example:
        >>> import tensorflow as tf
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> normal = tfd.MultivariateNormalDiag([0.0, 1.0])
        >>> found = inference.evidence(
        ...     lambda x: normal.log_prob(x) + 2.0, normal.sample(1_000, seed=1),
        ...     "linear", seed=0, epochs=20)
        >>> abs(float(found) - 2.0) < 0.02, found.agree
        (True, True)

    References:
        Meng, Wong (1996). Simulating Ratios of Normalizing Constants via a Simple
        Identity. https://www3.stat.sinica.edu.tw/statistica/oldpdf/A6n42.pdf
        Fruehwirth-Schnatter (2004). Estimating Marginal Likelihoods Using Bridge
        Sampling Techniques. https://doi.org/10.1111/j.1368-423X.2004.00125.x
    """
    _context.require_eager("evidence")
    if event_shape is None and not tf.nest.is_nested(draws):
        event_shape = tuple(np.shape(draws)[1:])
    first = tf.nest.flatten(draws)[0]
    kind = np.asarray(first).dtype.name
    kind = kind if kind in ("float32", "float64") else "float32"
    read = targets.read(target, event_shape=event_shape, support=support, dtype=kind)
    rng = _context.generator(seed)
    train, rest = _halves(read, draws)
    fitted, _ = training.fit(
        flow,
        train.astype(read.dtype.as_numpy_dtype),
        columns="continuous",
        outliers="keep",
        dtype=read.dtype.name,
        seed=int(rng.integers(2**31)),
        verbose=verbose,
        **options,
    )
    density = proposals.density(fitted)
    count = rest.shape[0] * rest.shape[1] if num_draws is None else num_draws
    _checks.count(count, FEWEST, "num_draws")
    number = int(rng.integers(2**31))
    size = BLOCK_SIZE
    sample = ImportanceSample(
        proposals.Draws(read, density, count, size, number, flat=True)
    )
    ours = _log_ratios(read, density, rest)
    bridge = _bridge(ours, sample.log_weights)
    evaluations = count + ours.size
    return Evidence(bridge, sample.log_evidence, sample, fitted, evaluations)


def _halves(target: targets.Target, draws: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors to fit to, `[M, D]`, and those of chains, `[C, N, D]`.

    Halves are whole chains where there are several, else parts of one.
    """
    shapes = tf.nest.flatten(target.event_shape)
    leaves = [np.asarray(leaf) for leaf in tf.nest.flatten(draws)]
    leading = {
        leaf.shape[: leaf.ndim - len(shape)]
        for leaf, shape in zip(leaves, shapes, strict=False)
        if leaf.shape[leaf.ndim - len(shape) :] == tuple(shape)
    }
    lead = next(iter(leading)) if len(leading) == 1 else ()
    fits = len(leaves) == len(shapes) and all(
        leaf.shape == (*lead, *shape)
        for leaf, shape in zip(leaves, shapes, strict=True)
    )
    if not fits or len(lead) not in (1, 2):
        msg = (
            f"`draws` must be [N, *event] or [chains, N, *event] for events "
            f"{target.event_shape}, got shapes {[leaf.shape for leaf in leaves]}."
        )
        raise ValueError(msg)
    dtype = target.dtype.as_numpy_dtype
    flat = [
        leaf.reshape((-1, *tuple(shape))).astype(dtype)
        for leaf, shape in zip(leaves, shapes, strict=True)
    ]
    packed = tf.nest.pack_sequence_as(target.event_shape, flat)
    if not tf.nest.is_nested(draws):
        packed = flat[0]
    z = np.asarray(target.flatten(packed), np.float64)
    wrong = ~np.all(np.isfinite(z), axis=-1)
    lost = [~np.isfinite(leaf.reshape((len(z), -1))).all(axis=-1) for leaf in flat]
    broken = np.any(lost, axis=0)
    if broken.any():
        msg = (
            f"`draws` must be finite numbers, got NaN or infinity in "
            f"{int(broken.sum())} of {len(z)}, the first at {int(np.argmax(broken))}. "
            "Look why the sampler failed there; draws that are left out bias the "
            "evidence."
        )
        raise ValueError(msg)
    if wrong.any():
        msg = (
            f"`draws` must lie inside of the support, got {int(wrong.sum())} of "
            f"{len(z)} outside or on its edge, the first at {int(np.argmax(wrong))}."
        )
        raise ValueError(msg)
    chains = z.reshape((lead[0] if len(lead) == 2 else 1, -1, z.shape[-1]))
    if len(chains) > 1:
        half = len(chains) // 2
        train, rest = chains[:half], chains[half:]
    else:
        half = chains.shape[1] // 2
        train, rest = chains[:, :half], chains[:, half:]
    train = train.reshape((-1, z.shape[-1]))
    if min(len(train), rest.shape[0] * rest.shape[1]) < FEWEST:
        msg = (
            f"`draws` must be at least {2 * FEWEST}, got {len(z)}. Run the sampler "
            "for longer."
        )
        raise ValueError(msg)
    return train, rest


def _log_ratios(target: targets.Target, density: Any, z: np.ndarray) -> np.ndarray:
    """Return log-density of the target minus that of the flow, `[C, N]`."""

    @tf.function(autograph=False, reduce_retracing=True)
    def ratios(rows: tf.Tensor) -> tf.Tensor:
        return target.flat_log_prob(rows) - density.log_prob(rows)

    rows = tf.constant(z.reshape((-1, z.shape[-1])), target.dtype)
    size = BLOCK_SIZE
    parts = [
        np.asarray(ratios(rows[i : i + size]), np.float64)
        for i in range(0, len(rows), size)
    ]
    found = np.concatenate(parts)
    if not np.all(np.isfinite(found)):
        first = int(np.argmin(np.isfinite(found)))
        msg = (
            f"`target` must be finite at its own draws, got {found[first]} at draw "
            f"{first} of the half that is compared. Check that both belong together."
        )
        raise ValueError(msg)
    return found.reshape(z.shape[:-1])


def _bridge(ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """Return the log of the ratio of normalising constants by the optimal bridge.

    Args:
        ours: Log-ratios at draws of the target, `[C, N]`.
        theirs: Log-ratios at draws of the flow, `[M]`.
    """
    count = len(theirs)
    effective = _effective(ours)
    share = math.log(effective / (effective + count))
    other = math.log(count / (effective + count))
    value = float(np.median(ours))
    for _ in range(TURNS):
        last = value
        above = theirs - np.logaddexp(share + theirs, other + last)
        below = -np.logaddexp(share + ours, other + last)
        value = _log_mean_exp(above) - _log_mean_exp(below)
        if abs(value - last) < CHANGE:
            break
    # Both functions of the bridge are bounded: by 1 / share and by 1 / other.
    f = np.exp(theirs - np.logaddexp(share + theirs, other + value))
    g = np.exp(value - np.logaddexp(share + ours, other + value))
    first = f.var() / f.mean() ** 2 / count
    second = g.var() / g.mean() ** 2 / _effective(g)
    return Estimate(value, math.sqrt(first + second))


def _log_mean_exp(x: np.ndarray) -> float:
    top = float(x.max())
    return top + math.log(float(np.exp(x - top).mean()))


def _effective(chains: np.ndarray) -> float:
    """Return the effective number of correlated values, `[C, N]`."""
    if np.ptp(chains) == 0.0:
        return float(chains.size)
    found = tfp.mcmc.effective_sample_size(
        tf.constant(chains.T), filter_beyond_positive_pairs=True
    )
    total = float(np.nansum(np.asarray(found)))
    return min(max(total, 1.0), float(chains.size))
