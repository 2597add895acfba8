"""Hands draws over to ArviZ, with the names of the parameters."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _optional
from tfp_flows.inference import targets
from tfp_flows.inference.chain_draws import Chains
from tfp_flows.inference.importance import ImportanceSample
from tfp_flows.inference.posterior import PosteriorReport
from tfp_flows.inference.simulation.chains import ChainPosterior
from tfp_flows.inference.simulation.sequential import SequentialResult

__all__ = ["to_arviz"]


def to_arviz(
    draws: Any,
    n: int = 1_000,
    *,
    name: str = "theta",
    coords: Mapping[str, Any] | None = None,
    dims: Mapping[str, list[str]] | None = None,
    seed: int | None = None,
) -> Any:
    """Return draws of any result of this chapter as ArviZ takes them.

    Chains stay chains, so that ArviZ' R-hat and effective sizes mean something. What
    gives independent draws gives `n` of them as one chain.

    Args:
        draws: Of `sample_posterior`; of `importance_sample`, or a report of
            `fit_posterior`: draws resampled by their weights; a posterior, such as
            those of `fit_posterior`, `NPE`, `NLE`, `NRE`, `sequential`, or any other
            distribution without a batch; or a dict of arrays `[chains, N, ...]`.
        n: Number of draws of what has no draws yet.
        name: Name of the parameter where the draws have no names.
        coords: Labels of dimensions, such as `{"school": ["A", "B"]}`.
        dims: Names of the dimensions of a parameter behind chain and draw, such as
            `{"effect": ["school"]}`.
        seed: Int that fixes draws that are made here.

    Returns:
        With ArviZ 0 an `InferenceData`, from 1 on a `DataTree`; the draws are in its
        group `posterior`, with the dimensions `chain` and `draw` first.

    Raises:
        ImportError: If ArviZ is not installed: `pip install 'tfp_flows[inference]'`.
        TypeError: If `draws` is nothing of these.
        ValueError: If it is a batch of distributions, or arrays do not fit together.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import inference
        >>> rng = np.random.default_rng(0)
        >>> draws = {"rate": rng.gamma(3.0, size=(4, 200))}
        >>> found = inference.to_arviz(draws)
        >>> found.posterior["rate"].dims
        ('chain', 'draw')
    """
    arviz = _optional.require("arviz", extra="inference")
    parts = _parts(draws, n, name, seed)
    labels = {
        "coords": None if coords is None else dict(coords),
        "dims": None if dims is None else dict(dims),
    }
    # ArviZ 1 takes a dict of groups, those before each group by its name.
    if "posterior" in inspect.signature(arviz.from_dict).parameters:
        return arviz.from_dict(posterior=parts, **labels)
    return arviz.from_dict({"posterior": parts}, **labels)


def _parts(draws: Any, n: int, name: str, seed: int | None) -> dict[str, np.ndarray]:
    """Return the draws of each parameter, `[chains, N, ...]`."""
    _checks.count(n, 1, "n")
    if isinstance(draws, SequentialResult):
        draws = draws.posterior
    if isinstance(draws, PosteriorReport):
        draws = draws.sample
    if isinstance(draws, Chains):
        return _named(draws.draws, name)
    if isinstance(draws, ChainPosterior):
        return _named(draws.draws, name)
    if isinstance(draws, ImportanceSample):
        return _named(_one_chain(draws.resample(n, seed=seed)), name)
    if isinstance(draws, Mapping):
        return _arrays(draws)
    if not (hasattr(draws, "sample") and hasattr(draws, "batch_shape")):
        msg = (
            "`draws` must be a result of sample_posterior, importance_sample or "
            "fit_posterior, a posterior, or a dict of arrays [chains, N, ...], got "
            f"{type(draws).__name__}."
        )
        raise TypeError(msg)
    if any(tuple(shape) for shape in tf.nest.flatten(draws.batch_shape)):
        msg = (
            f"`draws` must be one posterior, got a batch of shape {draws.batch_shape}. "
            "Pass the posterior of one observation."
        )
        raise ValueError(msg)
    number = int(_context.generator(seed).integers(2**31))
    return _named(_one_chain(draws.sample(n, seed=[number, 0])), name)


def _one_chain(events: Any) -> Any:
    return tf.nest.map_structure(lambda values: np.asarray(values)[None], events)


def _named(events: Any, name: str) -> dict[str, np.ndarray]:
    """Return the parts of a structure by their names."""
    parts = [np.asarray(part) for part in tf.nest.flatten(events)]
    if not tf.nest.is_nested(events):
        return {name: parts[0]}
    return dict(zip(targets.names_of(events), parts, strict=True))


def _arrays(draws: Mapping[Any, Any]) -> dict[str, np.ndarray]:
    """Return a user's arrays, all of one number of chains and draws.

    Raises:
        ValueError: If they are not.
    """
    parts = {str(key): np.asarray(values) for key, values in draws.items()}
    leading = {values.shape[:2] for values in parts.values()}
    if len(leading) != 1 or len(next(iter(leading))) < 2:
        shapes = {key: values.shape for key, values in parts.items()}
        msg = (
            "`draws` must be arrays [chains, N, ...] with as many chains and draws in "
            f"each, got shapes {shapes}. Of draws without chains pass values[None]."
        )
        raise ValueError(msg)
    return parts
