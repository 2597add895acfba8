"""Total correlation and mutual information between blocks of columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfp_flows._types import TensorLike
from tfp_flows.information import crossfit, entropies
from tfp_flows.information.measure import Measure
from tfp_flows.information.options import Options
from tfp_flows.information.samples import Sample

__all__ = [
    "co_information",
    "conditional_mutual_information",
    "mutual_information",
    "total_correlation",
]


class _Blocks:
    """Blocks of columns with their own densities, and the gains of joint ones."""

    def __init__(self, samples: Sequence[Sample], options: Options) -> None:
        self.samples = list(samples)
        self.options = options
        self.cross = options.cross(*self.samples)
        self.fits = [
            self.cross.columns(sample.x)[0]
            if sample.x.shape[1] == 1
            else self.cross.fit(sample.x)
            for sample in self.samples
        ]

    def gain(self, *numbers: int) -> tuple[np.ndarray, float]:
        """Return `log p(blocks) - sum of log p(block)`, `[K, N]`, and its doubt."""
        samples = [self.samples[i] for i in numbers]
        fits = [self.fits[i] for i in numbers]
        fitted = self.options.fitted if len(numbers) == len(self.samples) else None
        return _gain(self.cross, samples, fits, fitted)

    def total(self, signs: Mapping[tuple[int, ...], float]) -> tuple[np.ndarray, float]:
        """Return a sum of gains row by row, and its doubt."""
        gains = [self.gain(*numbers) for numbers in signs]
        values = [
            sign * gain[0] for sign, gain in zip(signs.values(), gains, strict=True)
        ]
        doubt = math.hypot(*(gain[1] for gain in gains))
        return self.cross.rows(np.sum(values, axis=0), doubt)


def _gain(
    cross: crossfit.CrossFit,
    samples: Sequence[Sample],
    fits: Sequence[crossfit.Fits],
    fitted: Any,
) -> tuple[np.ndarray, float]:
    doubts = [fit.doubt for fit in fits]
    product = np.sum([fit.log_prob for fit in fits], axis=0)
    if fitted is not None:
        raw = np.concatenate([sample.raw for sample in samples], axis=1)
        joint = entropies.score_fitted(fitted, raw, "all columns side by side")
        joint = joint + sum(sample.log_scale for sample in samples)
        return joint - product, math.hypot(*doubts)
    x = np.concatenate([sample.x for sample in samples], axis=1)
    z = np.concatenate([fit.z for fit in fits], axis=2)
    log_det = np.sum([fit.log_det for fit in fits], axis=0)
    columns = [fit for fit in fits if fit.z.shape[2] == 1]
    apart = product if len(columns) == len(fits) else None
    found, behind = crossfit.better(cross, z, log_det, x, apart=apart)
    if columns and not behind:
        # What tables of columns miss, a density behind them misses as well, and it
        # cancels; but not in a density of the rows themselves.
        completed, doubt = cross.completed_columns(columns)
        product += completed - np.sum([fit.log_prob for fit in columns], axis=0)
        doubts.append(doubt)
    return found.log_prob - product, math.hypot(found.doubt, *doubts)


def total_correlation(x: TensorLike, **options: Any) -> Measure:
    """Estimate the total correlation: sum of the columns' entropies minus the joint.

    It is 0 if the columns are independent, and does not change under invertible maps
    of single columns. Also known as multi-information.

    Args:
        x: Rows, `[N, D]`, of at least two columns: array, tensor or DataFrame.
        **options: See `Options`; a fitted flow is the density of `x`.

    Returns:
        The estimate, from differences row by row.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> x = np.random.default_rng(0).normal(size=(2000, 2)) @ [[1, 0.75], [0, 0.66]]
        >>> abs(float(information.total_correlation(x, seed=0)) - 0.41) < 0.06
        True
    """
    chosen = Options.of(options)
    sample = chosen.read(x, "x")
    if sample.x.shape[1] < 2:
        msg = (
            "`x` must have at least two columns for a total correlation, got one. "
            "Give the columns side by side, [N, D]."
        )
        raise ValueError(msg)
    cross = chosen.cross(sample)
    fits = cross.columns(sample.x)
    gain = _gain(cross, [sample], fits, chosen.fitted)
    return chosen.measure("total correlation", *cross.rows(*gain), [sample])


def mutual_information(x: TensorLike, y: TensorLike, **options: Any) -> Measure:
    """Estimate the mutual information `I(X; Y)` of two blocks of columns.

    It does not change under invertible maps of the blocks.

    Args:
        x: Rows, `[N, D]` or `[N]`: array, tensor or DataFrame.
        y: Rows that belong to those of `x`, `[N, E]` or `[N]`.
        **options: See `Options`; a fitted flow is the density of `x` and `y` side by
            side.

    Returns:
        The estimate, from differences row by row.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 2000))
        >>> y = np.exp(x + noise)
        >>> abs(float(information.mutual_information(x, y, seed=0)) - 0.347) < 0.06
        True
    """
    return _combined("mutual information", {(0, 1): 1.0}, options, x=x, y=y)


def conditional_mutual_information(
    x: TensorLike, y: TensorLike, z: TensorLike, **options: Any
) -> Measure:
    """Estimate `I(X; Y | Z)`: what `x` tells about `y` if `z` is known, `>= 0`.

    Args:
        x: Rows, `[N, D]` or `[N]`: array, tensor or DataFrame.
        y: Rows that belong to those of `x`.
        z: Rows that belong to those of `x`.
        **options: See `Options`; a fitted flow is the density of `x`, `y` and `z` side
            by side.

    Returns:
        The estimate, from differences row by row.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> x, y, z = np.random.default_rng(0).normal(size=(3, 2000))
        >>> told = information.conditional_mutual_information(x, x + y + z, z, seed=0)
        >>> abs(float(told) - 0.347) < 0.08
        True
    """
    signs = {(0, 1, 2): 1.0, (0, 2): -1.0, (1, 2): -1.0}
    return _combined("conditional mutual information", signs, options, x=x, y=y, z=z)


def co_information(
    x: TensorLike, y: TensorLike, z: TensorLike, **options: Any
) -> Measure:
    """Estimate the co-information `I(X; Y; Z) = I(X; Y) - I(X; Y | Z)`.

    Positive values are redundancy: `z` explains a part of what `x` and `y` share.
    Negative values are synergy: `x` and `y` tell more about `z` together than singly.
    The interaction information of other texts is this with the sign reversed.

    Args:
        x: Rows, `[N, D]` or `[N]`: array, tensor or DataFrame.
        y: Rows that belong to those of `x`.
        z: Rows that belong to those of `x`.
        **options: See `Options`; a fitted flow is the density of `x`, `y` and `z` side
            by side.

    Returns:
        The estimate, from differences row by row.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> x, y, z = np.random.default_rng(0).normal(size=(3, 2000))
        >>> shared = information.co_information(x, x + y + z, z, seed=0)
        >>> float(shared) < 0.0  # synergy: `y` and `z` tell more together
        True
    """
    signs = {(0, 1, 2): -1.0, (0, 1): 1.0, (0, 2): 1.0, (1, 2): 1.0}
    return _combined("co-information", signs, options, x=x, y=y, z=z)


def _combined(
    name: str,
    signs: dict[tuple[int, ...], float],
    options: dict[str, Any],
    **given: TensorLike,
) -> Measure:
    """Return a sum of total correlations of blocks, each with its sign."""
    chosen = Options.of(options)
    blocks = _Blocks(chosen.paired(**given), chosen)
    rows, doubt = blocks.total(signs)
    return chosen.measure(name, rows, doubt, blocks.samples)
