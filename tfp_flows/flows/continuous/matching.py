"""Flow matching: a velocity by regression, without solving an equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks, _serialize
from tfp_flows.flows._model import objective
from tfp_flows.flows._model.batch import Batch

__all__ = ["FlowMatching"]

# An assignment takes time as the cube of its rows: so many are paired at once.
PAIRED = 128


@_serialize.register()
class FlowMatching(objective.Objective):
    """Fit the velocity of a continuous flow to straight lines from the base to data.

    With an event `x1` of the data and one `x0` of the base the network is asked, at a
    random time `t` and at `(1 - t) * x0 + t * x1`, for `x1 - x0`; the mean squared
    error of all lines through a point is least for the velocity that makes the data of
    the base. Data are standardised inside, as the flow does. A step evaluates the
    network once. The loss is not a likelihood, and not zero for the best field.

    Without pairs lines cross, and the field is curved. Optimal-transport pairs of each
    batch cross less: fewer steps solve the field. Under conditions only events of equal
    condition are exchanged, and weighted events are not paired: everything else would
    bias the density.

    Args:
        pairing: `"optimal"`, the least sum of squared distances in each batch, or
            `"independent"`.
        times: `"power-law"`, with a density proportional to `t ** power`, or
            `"logit-normal"`, the sigmoid of a normal number.
        power: Of the power law; 0 is uniform, and above 0 favours the end, where the
            velocity is less smooth.
        location: Mean of the logit of the time.
        scale: Standard deviation of the logit of the time.
        name: Name.

    Raises:
        ValueError: If the flow has no velocity, or an option is out of range.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("8gaussians", 500, seed=0)
        >>> flow, history = tfpf.fit(
        ...     "cnf", x, objective=tfpf.training.FlowMatching(), epochs=1,
        ...     hidden_units=(8,), seed=0, verbose=0)
        >>> flow.sample(3, seed=1).shape.as_list()
        [3, 2]

    References:
        Lipman et al. (2022). Flow Matching for Generative Modeling.
        https://arxiv.org/abs/2210.02747
        Tong et al. (2023). Improving and generalizing flow-based generative models with
        minibatch optimal transport. https://arxiv.org/abs/2302.00482
        Dax et al. (2023). Flow Matching for Scalable Simulation-Based Inference.
        https://arxiv.org/abs/2305.17161, eq. 6, for the power law
    """

    def __init__(
        self,
        pairing: str = "optimal",
        *,
        times: str = "power-law",
        power: float = 1.0,
        location: float = 0.0,
        scale: float = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        _checks.one_of(pairing, ("optimal", "independent"), "pairing")
        _checks.one_of(times, ("power-law", "logit-normal"), "times")
        _checks.at_least(power, 0.0, "power")
        _checks.at_least(scale, 1e-3, "scale")
        self.pairing, self.times = pairing, times
        self.power, self.location, self.scale = power, location, scale
        # SciPy finds the pairs, which no compiler sees.
        self.supports_jit = pairing == "independent"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        names = ("pairing", "times", "power", "location", "scale")
        return {name: getattr(self, name) for name in names}

    def loss(
        self, flow: Any, batch: Batch | None, *, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean squared error of the velocity, summed over coordinates."""
        del step
        if not hasattr(flow, "in_field"):
            msg = (
                "`flow` must have a velocity for `FlowMatching`, got a "
                f"`{type(flow).__name__}`. Take 'flow-matching' or 'cnf'."
            )
            raise ValueError(msg)
        if len(flow.odes) > 1:
            msg = (
                "`num_layers` must be 1 for `FlowMatching`, which fits one velocity, "
                f"got {len(flow.odes)}. Build the flow with num_layers=1."
            )
            raise ValueError(msg)
        if batch is None or batch.x is None:
            msg = "`x` must be given: flow matching is to data. Pass the events."
            raise ValueError(msg)
        end, condition, _ = flow.in_field(batch)
        seeds = tfp.random.split_seed(seed, 2)
        base = flow.base.distribution().sample(tf.shape(end)[0], seed=seeds[0])
        begin = tf.stop_gradient(tf.reshape(base, tf.shape(end)))
        if self.pairing == "optimal" and batch.sample_weight is None:
            begin = _paired(begin, end, batch.condition)
        time = self._draw_times(seeds[1], end)
        errors = _errors
        if flow.compiles_parts and not tf.executing_eagerly():
            errors = tf.function(_errors, jit_compile=True, autograph=False)
        return batch.mean(errors(flow.odes[0], time, begin, end, condition))

    def _draw_times(self, seed: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """Return one time for each event, evenly spread: `[N]`."""
        count, dtype = tf.shape(end)[0], end.dtype
        shift = tf.random.stateless_uniform([], seed, dtype=dtype)
        places = tf.cast(tf.range(count), dtype) / tf.cast(count, dtype)
        uniform = tf.math.floormod(places + shift, 1.0)
        if self.times == "power-law":
            return uniform ** (1.0 / (1.0 + self.power))
        tiny = np.finfo(dtype.as_numpy_dtype).eps
        uniform = tf.clip_by_value(uniform, tiny, 1.0 - tiny)
        return tf.sigmoid(self.location + self.scale * tf.math.ndtri(uniform))


def _errors(
    ode: Any, time: tf.Tensor, begin: tf.Tensor, end: tf.Tensor, condition: Any
) -> tf.Tensor:
    """Return the squared error of the velocity for each pair, `[N]`."""
    share = time[:, tf.newaxis]
    place = (1.0 - share) * begin + share * end
    found = ode.velocity(time, place, condition)
    return tf.reduce_sum(tf.square(found - (end - begin)), axis=-1)


def _paired(begin: tf.Tensor, end: tf.Tensor, condition: Any) -> tf.Tensor:
    """Return base events in the order in which they are nearest to the data."""
    given = [] if condition is None else [condition]
    order = tf.numpy_function(_assigned, [begin, end, *given], tf.int32, stateful=False)
    order.set_shape(end.shape[:1])
    return tf.ensure_shape(tf.gather(begin, order), end.shape)


def _assigned(
    begin: np.ndarray, end: np.ndarray, condition: np.ndarray | None = None
) -> np.ndarray:
    """Return for each event of the data the number of its base event."""
    order = np.arange(len(end), dtype=np.int32)
    if condition is None:
        groups = [order]
    else:
        flat = condition.reshape(len(end), -1)
        labels = np.unique(flat, axis=0, return_inverse=True)[1].reshape(-1)
        ranked = np.argsort(labels, kind="stable").astype(np.int32)
        groups = np.split(ranked, np.flatnonzero(np.diff(labels[ranked])) + 1)
    for group in groups:
        for start in range(0, len(group), PAIRED):
            rows = group[start : start + PAIRED]
            order[rows] = rows[_nearest(end[rows], begin[rows])]
    return order


def _nearest(end: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Return the assignment with the least sum of squared distances."""
    from scipy import optimize

    cost = -2.0 * (end @ begin.T)  # the squares are the same for all assignments
    if len(end) < 2 or not np.all(np.isfinite(cost)):  # the loss shall say so
        return np.arange(len(end))
    return optimize.linear_sum_assignment(cost)[1]
