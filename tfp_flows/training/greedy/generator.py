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

from tfp_flows import _checks, _context
from tfp_flows.flows.gaussianization import sliced as slices
from tfp_flows.math.gaussianization import sliced
from tfp_flows.training.data import arrays as training_data
from tfp_flows.training.greedy import directions, estimates, progress
from tfp_flows.training.greedy import layers as greedy_layers
from tfp_flows.training.greedy import rows as training_rows

__all__ = ["fit_generator"]

# Knots farther out than this share of the last row's level are drawn in to that level.
INNER = 0.8


def _swapped(knots: greedy_layers.Knots) -> greedy_layers.Knots:
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
    noise: greedy_layers.Knots, data: greedy_layers.Knots, share: float, rows: int
) -> greedy_layers.Knots:
    """Return the tables that move noise a share of the way to the data.

    Beyond the rows they only shift: slopes of all layers would multiply there.

    Args:
        noise: Tables that make the marginals of the noise normal.
        data: The same for the data, of as many knots.
        share: In (0, 1].
        rows: Number of rows that both were made from.
    """
    levels = _levels(noise[1], data[1], rows)
    positions, log_position = greedy_layers.table(levels, _swapped(noise))
    values, log_value = greedy_layers.table(levels, _swapped(data))
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
        kept: Sequence[greedy_layers.Layer],
        num_bins: int,
        rng: np.random.Generator,
    ) -> None:
        self.maps: list[greedy_layers.Spline] = []
        for layer in kept:
            if not isinstance(layer, greedy_layers.Spline):
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
            moved, _ = greedy_layers.table(self._noise, _swapped(layer.knots))
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
        self._noise = greedy_layers.table(rotated, knots)[0] @ rotation
        if self.maps:
            first = self.maps[0]
            joined = (
                rotation.T if first.rotation is None else first.rotation @ rotation.T
            )
            self.maps[0] = greedy_layers.Spline(joined, first.knots)
        self.maps.insert(0, greedy_layers.Spline(rotation, _swapped(knots)))

    def losses(self, part: np.ndarray, log_det: float) -> np.ndarray:
        """Return the negative log-likelihood of rows, in nats, `[N]`."""
        total = np.full(len(part), log_det)
        for layer in self.maps:
            part, more = layer.apply(part)
            total += more
        return greedy_layers.normal_losses(part) - total


def fit_generator(
    flow: slices.SIG,
    train: training_data.Data,
    held_out: training_data.Data | None,
    *,
    max_layers: int | None = None,
    patience: int | None = None,
    seed: int | None = None,
    more: bool = False,
    refit: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Fit the layers of a `SIG` to data.

    Each layer is evaluated by all layers so far: the time grows with the square of
    their number.

    Args:
        flow: The flow, whose layers are replaced.
        train: Rows that the noise is moved to.
        held_out: Validation rows, whose likelihood says when to stop; `None` uses the
            training rows, which over-fits.
        max_layers: Most layers; `None` for the option of the flow.
        patience: Layers without a gain before the fit stops; `None` for 10.
        seed: Int that fixes noise, folds and directions.
        more: Whether to keep the layers there are and to add to them.
        refit: Whether to make the layers that were kept once more, with the same
            directions, from all rows, the validation rows included.
        callbacks: Keras callbacks; a layer counts as an epoch.
        verbose: 0 is silent, else a line for each layer.

    Returns:
        The history: `loss` and `val_loss` in nats per event, what each layer took off
        them, and `layer_type`.
    """
    rng = _context.generator(seed)
    options = flow.fit_options
    max_layers = options["max_layers"] if max_layers is None else max_layers
    patience = progress.PATIENCE if patience is None else patience
    _checks.at_least(max_layers, 1, "max_layers")
    size, parts, log_det = flow.event_size, [], 0.0
    for part in (train, held_out):
        if part is not None:
            x, log_det = greedy_layers.standardised(
                flow.standardization, part.x.reshape(-1, size)
            )
            parts.append(x)
    kept = greedy_layers.read(flow) if more else []
    start = int(rng.integers(2**31))

    def generator(rows: np.ndarray) -> _Generator:
        source = np.random.default_rng(start)
        return _Generator(rows, kept, options["num_bins"], source)

    found = generator(parts[0])
    listed, history = progress.begin(flow, callbacks, max_layers, verbose)
    seen, best = None, np.full(len(parts[-1]), np.inf)
    taken: list[np.ndarray] = []
    maps, number, since = list(found.maps), 0, 0
    while len(taken) < max_layers and since < patience:
        taken.append(found.find_rotation(rng))
        found.apply_layer(taken[-1], options["step"])
        losses = [found.losses(part, log_det) for part in parts]
        means = [float(np.mean(part)) for part in losses]
        progress.report(listed, len(taken) - 1, means, seen, "sliced")
        seen, since = means, since + 1
        if number == 0 or progress.gains(best, losses[-1], progress.SIGNIFICANT):
            best, since, number, maps = losses[-1], 0, len(taken), list(found.maps)
    listed.on_train_end()
    if refit and len(parts) == 2:
        found = generator(np.concatenate(parts))
        for rotation in taken[:number]:
            found.apply_layer(rotation, options["step"])
        maps = found.maps
    greedy_layers.write(flow, maps)
    return history
