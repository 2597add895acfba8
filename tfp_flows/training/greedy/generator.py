"""The greedy fit of `SIG`: layers that move normal noise to the data.

A layer rotates to orthogonal directions along which noise `u` and data `v` differ,
moves the noise by the optimal map `G_v^-1(G_u(u))`, where `G` makes a marginal normal,
and rotates back. The maps of the flow go from the data to the noise: each rotates, then
applies the inverse of a map. Each rotation back is merged with the next rotation, and
the last one is left out, since the normal distribution has no directions.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _context
from tfp_flows.flows.gaussianization import sliced as sliced_flows
from tfp_flows.math.gaussianization import sliced
from tfp_flows.training.data import arrays
from tfp_flows.training.greedy import directions, estimates, layers, progress
from tfp_flows.training.greedy import rows as training_rows

__all__ = ["fit_generator"]

# Knots farther out than this share of the last row's level are drawn in to that level.
INNER = 0.8


def _swapped(knots: layers.Knots) -> layers.Knots:
    """Return the tables of the inverse maps."""
    positions, values, log_slopes = knots
    return values, positions, -log_slopes


def _levels(noise: np.ndarray, data: np.ndarray, rows: int) -> np.ndarray:
    """Return the normal levels of the knots of a transport, `[K + 1, D]`.

    Args:
        noise: Levels of the knots that make the noise normal, `[D, K + 1]`.
        data: Those of the data.
        rows: Number of rows, which have none beyond some level.
    """
    # Every other level: no level is there more than twice.
    merged = np.sort(np.concatenate([noise, data], axis=1), axis=1)
    levels = np.concatenate([merged[:, :-2:2], merged[:, -1:]], axis=1).T
    last = float(tf.math.ndtri(np.float64(1.0 - 0.5 / rows)))
    inner = INNER * last
    size = np.abs(levels)
    outermost = np.maximum(np.maximum(size[0], size[-1]), last)
    outer = inner + (size - inner) * ((last - inner) / (outermost - inner))
    return np.sign(levels) * np.where(size > inner, outer, size)


def _transport(
    noise: layers.Knots, data: layers.Knots, share: float, rows: int
) -> layers.Knots:
    """Return the tables that move noise a share of the way to the data.

    Beyond the rows they only shift: slopes of all layers would multiply there.

    Args:
        noise: Tables that make the marginals of the noise normal.
        data: The same for the data, of as many knots.
        share: In (0, 1].
        rows: Number of rows that both were made from.
    """
    levels = _levels(noise[1], data[1], rows)
    positions, log_position = layers.table(levels, _swapped(noise))
    values, log_value = layers.table(levels, _swapped(data))
    values = positions + share * (values - positions)
    slopes = (1.0 - share) + share * np.exp(log_value - log_position)
    slopes[[0, -1]] = 1.0
    return positions.T, values.T, np.log(slopes).T


class _Generator:
    """Noise on its way to the data, and the maps that take the data back.

    Args:
        rows: Standardised rows, `[N, D]`.
        kept: Maps there are already, from the data side.
        num_bins: Bins of splines.
        rng: Source of noise and folds.
    """

    def __init__(
        self,
        rows: np.ndarray,
        kept: Sequence[layers.Layer],
        num_bins: int,
        rng: np.random.Generator,
    ) -> None:
        self.maps: list[layers.Spline] = []
        for layer in kept:
            if not isinstance(layer, layers.Spline):
                msg = (
                    "`flow` must have spline layers only to be fitted further, got "
                    f"{layer.layer_type!r}. Fit it anew."
                )
                raise ValueError(msg)  # noqa: TRY004 - the flow's state, not a type
            self.maps.append(layer)
        self._rows, self._num_bins = rows, num_bins
        self._noise = rng.standard_normal(rows.shape)
        self._folds = [
            rng.permutation(len(rows)) % estimates.NUM_FOLDS for _ in range(2)
        ]
        for layer in reversed(self.maps):
            moved, _ = layers.table(self._noise, _swapped(layer.knots))
            self._noise = moved if layer.rotation is None else moved @ layer.rotation

    def find_rotation(self, rng: np.random.Generator) -> np.ndarray:
        """Return an orthogonal matrix, first the directions that differ most."""
        size = self._rows.shape[1]
        if size == 1:
            return np.eye(1)
        found = sliced.pair_directions(
            self._noise[: training_rows.SEARCH_ROWS],
            self._rows[: training_rows.SEARCH_ROWS],
            min(size, directions.MAX_SLICES),
            rng,
        )
        return sliced.complete(found, rng)

    def apply_layer(self, rotation: np.ndarray, share: float) -> None:
        """Add a layer, and move the noise by it."""
        rotated = self._noise @ rotation.T
        parts = (rotated, self._rows @ rotation.T)
        noise, data = (
            estimates.quantile_layer(part, None, folds, self._num_bins).knots
            for part, folds in zip(parts, self._folds, strict=True)
        )
        knots = _transport(noise, data, share, len(rotated))
        self._noise = layers.table(rotated, knots)[0] @ rotation
        if self.maps:
            first = self.maps[0]
            joined = (
                rotation.T if first.rotation is None else first.rotation @ rotation.T
            )
            self.maps[0] = layers.Spline(joined, first.knots)
        self.maps.insert(0, layers.Spline(rotation, _swapped(knots)))

    def losses(self, part: np.ndarray, log_det: float) -> np.ndarray:
        """Return the negative log-likelihood of rows, in nats, `[N]`."""
        total = np.full(len(part), log_det)
        for layer in self.maps:
            part, more = layer.apply(part)
            total += more
        return layers.normal_losses(part) - total


def fit_generator(
    flow: sliced_flows.SIG,
    train: arrays.Data,
    held_out: arrays.Data | None,
    limits: progress.Limits,
    *,
    seed: int | None = None,
    more: bool = False,
    refit: bool = False,
) -> keras.callbacks.History:
    """Fit the layers of a `SIG` to data.

    Each layer is evaluated by all layers so far: the time grows with the square of
    their number.

    Args:
        flow: The flow, whose layers are replaced.
        train: Rows that the noise is moved to.
        held_out: See `fit_greedily`.
        limits: How long the fit may be.
        seed: Int that fixes noise, folds and directions.
        more: See `fit_greedily`.
        refit: See `fit_greedily`.

    Returns:
        The history: `loss` and `val_loss` in nats per event, what each layer took off
        them, and `layer_type`.
    """
    rng = _context.generator(seed)
    options, size = flow.fit_options, flow.event_size
    standard = [
        layers.standardised(
            flow.standardization,
            flow.on_lines(part.x.reshape(-1, size), 0)[0],
        )
        for part in (train, held_out)
        if part is not None
    ]
    parts, log_det = [x for x, _ in standard], standard[-1][1]
    kept = layers.read(flow) if more else []
    fixed = int(rng.integers(2**31))

    def generator(rows: np.ndarray) -> _Generator:
        source = np.random.default_rng(fixed)
        return _Generator(rows, kept, options["num_bins"], source)

    found = generator(parts[0])
    state = progress.Progress(flow, limits)
    tried: list[np.ndarray] = []
    maps, number = list(found.maps), 0
    with state.interruptible():
        while state.goes_on:
            tried.append(found.find_rotation(rng))
            found.apply_layer(tried[-1], options["step"])
            if state.note("sliced", [found.losses(part, log_det) for part in parts]):
                number, maps = len(tried), list(found.maps)
    history = state.end(number, state.best, judges=len(parts) > 1)
    if refit and len(parts) == 2 and history.ending.reason != "interrupt":
        with progress.leaving(history):
            found = generator(np.concatenate(parts))
            for rotation in tried[:number]:
                found.apply_layer(rotation, options["step"])
            maps = found.maps
    layers.write(flow, maps)
    progress.raise_if_interrupted(history)
    return history
