"""Neural ratio estimation: a classifier that knows which parameters made the data."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _process
from tfp_flows._types import TensorLike
from tfp_flows.flows._model.keras_arguments import callbacks_of
from tfp_flows.inference.simulation import chains
from tfp_flows.inference.simulation.simulations import Simulations
from tfp_flows.networks.keras_dense import dense_layers
from tfp_flows.training.choices import make_optimizer, size_of_batch
from tfp_flows.training.data.batches import shuffled

__all__ = ["NRE"]

# Other parameters of a batch among which the right ones are to be found.
CONTRASTS = 5
VALIDATION, PATIENCE, EPOCHS, LEARNING_RATE = 0.1, 20, 200, 1e-3


class NRE(chains.ByChains):
    """Neural ratio estimation: learns `p(x | theta) / p(x)` up to a factor of `x`.

    A Keras network sees data and several parameters, and learns which of them made the
    data. Any network will do, as nothing is inverted; the posterior has draws of
    chains, and a density up to a constant.

    Args:
        prior: Distribution of the parameters, joint ones too: what drew `theta`.
        hidden_units: Widths of the hidden layers of the classifier.
        embedding: Keras network through which the data pass, from `[N, *x_shape]` to
            `[N, C]`.
        seed: Int that fixes initial weights and the order of batches.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> theta = np.random.default_rng(0).normal(size=(200, 1))
        >>> nre = inference.NRE(tfd.Normal(0., 1.), hidden_units=(8,), seed=0)
        >>> nre.fit(theta[:, 0], theta, epochs=1, verbose=0).log_ratio([0.], [1.]).shape
        TensorShape([1])

    References:
        Durkan, Murray, Papamakarios (2020). On Contrastive Learning for Likelihood-free
        Inference. https://arxiv.org/abs/2002.03712, eq. 9
    """

    def __init__(
        self,
        prior: Any,
        *,
        hidden_units: Sequence[int] = (64, 64, 64),
        embedding: keras.Layer | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(prior, seed=seed)
        self._hidden_units = _checks.hidden_units(hidden_units, least=0)
        self._embedding = embedding
        self.network: Classifier | None = None

    def _learn(self, found: Simulations, settings: dict[str, Any]) -> None:
        settings = dict(settings)
        _refuse_unknown(settings)
        seed = settings.pop("seed", None)
        _checks.verbosity(settings.get("verbose", "auto"))
        further = callbacks_of(settings.pop("callbacks", None))
        rng = _context.generator(self._seed if seed is None else seed)
        self.network = Classifier(self._hidden_units, self._embedding, rng)
        self.network.adapt(found.rows, found.x)
        order = rng.permutation(len(found.x))
        cut = max(2 * CONTRASTS, int(VALIDATION * len(order)))
        size = settings.pop("batch_size", None) or size_of_batch(len(order) - cut)
        epochs = settings.pop("epochs", None) or EPOCHS
        parts: list[tf.data.Dataset] = []
        for kept in (order[cut:], order[:cut]):
            pairs = {"theta": found.rows[kept], "x": found.x[kept]}
            data = tf.data.Dataset.from_tensor_slices(pairs)
            if not parts:
                data = shuffled(data, len(kept), int(rng.integers(2**31 - 1)))
            # A rest of few rows would have too few parameters to choose from.
            parts.append(data.batch(min(size, len(kept)), drop_remainder=not parts))
        steps = epochs * max(1, (len(order) - cut) // size)
        self.network.compile(make_optimizer(LEARNING_RATE, 1e-4, steps))
        stopping = keras.callbacks.EarlyStopping(
            patience=settings.pop("patience", PATIENCE), restore_best_weights=True
        )
        self.history = self.network.fit(
            parts[0].map(_unlabelled),
            validation_data=parts[1].map(_unlabelled),
            epochs=epochs,
            callbacks=[stopping, *further],
            shuffle=False,  # the dataset is shuffled
            **settings,
        )

    def log_ratio(self, theta: TensorLike, x: TensorLike) -> tf.Tensor:
        """Return the logarithm of the ratio, up to a constant of each `x`, `[N]`.

        Args:
            theta: Parameters, flat, `[N, D]`; `[N]` for a single one.
            x: One observation, `[*x_shape]`, or `N` of them.
        """
        observed = self._observed(x)
        rows = np.asarray(theta, observed.dtype)
        rows = rows[:, None] if rows.ndim == 1 else rows
        every = np.broadcast_to(observed, (len(rows), *self.x_shape))
        network: Any = self.network
        return network({"theta": rows, "x": tf.constant(every)})

    def _log_prob(self) -> chains.LogProb:
        return _Ratio(self.network)


def _refuse_unknown(settings: dict[str, Any]) -> None:
    """Raise if the fit of a classifier is told what it does not take."""
    known = set(inspect.signature(keras.Model.fit).parameters) - {
        "self", "x", "y", "validation_data", "validation_split", "shuffle",
        "sample_weight",
    }  # fmt: skip
    known |= {"seed", "patience"}
    for name in settings:
        if name not in known:
            hint = _checks.did_you_mean(name, known)
            msg = (
                f"`{name}` is no setting of the fit of a classifier{hint or '.'} It "
                "takes epochs, batch_size, patience, callbacks, seed and verbose."
            )
            raise TypeError(msg)


class _Ratio:
    """Logits of parameters `[N, D]` and data `[N, *x_shape]`, `[N]`.

    Args:
        network: The classifier.
    """

    def __init__(self, network: Any) -> None:
        self._network = network

    def __call__(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return self._network({"theta": theta, "x": x})


def _unlabelled(pairs: dict[str, tf.Tensor]) -> tuple[Any, tf.Tensor]:
    """Return a batch as Keras takes it: its loss needs no labels."""
    return pairs, tf.zeros([tf.shape(pairs["theta"])[0]])


class Classifier(keras.Model):
    """A network of standardised parameters and data whose output is a logit.

    Args:
        hidden_units: Widths of the hidden layers.
        embedding: Network of the data.
        rng: Draws the initial weights.
    """

    def __init__(
        self,
        hidden_units: Sequence[int],
        embedding: keras.Layer | None,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(name="ratio")
        self.hidden_units = tuple(hidden_units)
        self.embedding = embedding
        self.stack = dense_layers(hidden_units, 1, "relu", rng)
        self.moments: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        state = (dict(self.moments), dict(self.shapes), self.get_weights())
        made = _restored, (self.hidden_units, self.embedding, *state)
        return _process.rebuilt, made

    def adapt(self, theta: np.ndarray, x: np.ndarray) -> None:
        """Set locations and scales; draws of a set share theirs."""
        shared = getattr(self.embedding, "shared_axes", 0)
        for name, values, axes in (("theta", theta, 1), ("x", x, 1 + shared)):
            over = tuple(range(axes))
            scale = values.std(axis=over)
            scale = np.where(scale > 0.0, scale, 1.0).astype(values.dtype)
            self.moments[name] = values.mean(axis=over), scale
            self.shapes[name] = values.shape[1:]

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Return logits, `[N]`."""
        theta, x = (
            (inputs[name] - self.moments[name][0]) / self.moments[name][1]
            for name in ("theta", "x")
        )
        if self.embedding is not None:
            x = self.embedding(x)
        x = keras.ops.reshape(x, (keras.ops.shape(x)[0], -1))
        found = keras.ops.concatenate([theta, x], axis=-1)
        for layer in self.stack:
            found = layer(found)
        return found[:, 0]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: Any = True,  # noqa: FBT002
    ) -> Any:
        """Return the cross-entropy of finding the right parameters among others."""
        del y, sample_weight
        logits = [y_pred]
        for i in range(1, CONTRASTS + 1):
            other = {"theta": keras.ops.roll(x["theta"], i, axis=0), "x": x["x"]}
            logits.append(self(other, training=training))
        every = keras.ops.stack(logits)
        return keras.ops.mean(keras.ops.logsumexp(every, axis=0) - y_pred)


def _restored(
    hidden_units: Sequence[int],
    embedding: keras.Layer | None,
    moments: dict[str, tuple[np.ndarray, np.ndarray]],
    shapes: dict[str, tuple[int, ...]],
    weights: list[np.ndarray],
) -> Classifier:
    """Return a network that was pickled."""
    network = Classifier(hidden_units, embedding, np.random.default_rng(0))
    network.moments, network.shapes = moments, shapes
    if weights:
        network({name: tf.zeros([1, *shape]) for name, shape in shapes.items()})
        network.set_weights(weights)
    return network
