"""Posteriors with reference draws: models, their data, and how to read parameters.

The data lie beside the checkout; the models are written here from the facts that the
folder states.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

__all__ = ["FOLDER", "MODELS", "Model", "load"]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "posteriordb"
KIND = np.float64


class Model(NamedTuple):
    """A target, what `fit_posterior` must be told about it, and its parameters.

    Attributes:
        target: Pinned joint distribution, or function.
        options: Event shape and support of a function.
        parameters: Function of events that returns the columns of the reference.
    """

    target: Any
    options: dict[str, Any]
    parameters: Callable[[Any], Any]


def normal(x: Any, loc: Any, scale: Any) -> tf.Tensor:
    """Return the log-density of a normal distribution."""
    return tfd.Normal(loc, scale).log_prob(x)


def columns(*parts: Any) -> np.ndarray:
    """Return numbers and vectors side by side."""
    return np.concatenate([np.reshape(p, (len(parts[-1]), -1)) for p in parts], -1)


def whole(x: Any) -> np.ndarray:
    """Return events that are rows of parameters."""
    return np.asarray(x)


def regression(y: np.ndarray, x: np.ndarray, prior: float | None = None) -> Model:
    """Return a regression with flat coefficients, and a flat or half-Cauchy scale."""

    def target(theta: tf.Tensor) -> tf.Tensor:
        beta, sigma = theta[..., :-1], theta[..., -1]
        mean = tf.linalg.matmul(beta, x, transpose_b=True)
        found = tf.reduce_sum(normal(y, mean, sigma[..., None]), axis=-1)
        if prior is not None:
            found += tfd.HalfCauchy(KIND(0.0), KIND(prior)).log_prob(sigma)
        return found

    size = x.shape[1]
    support = tfb.Blockwise([tfb.Identity(), tfb.Exp()], [size, 1])
    options = {"event_shape": size + 1, "support": support, "dtype": "float64"}
    return Model(target, options, whole)


def ark(data: dict[str, Any]) -> Model:
    """An autoregressive series of five lags."""
    y, lags = np.asarray(data["y"], KIND), data["K"]
    past = np.stack([y[lags - k : len(y) - k] for k in range(1, lags + 1)], 0)

    @tfd.JointDistributionCoroutineAutoBatched
    def model():  # type: ignore[no-untyped-def]
        alpha = yield tfd.Normal(KIND(0.0), KIND(10.0), name="alpha")
        beta = yield tfd.Sample(tfd.Normal(KIND(0.0), KIND(10.0)), lags, name="beta")
        sigma = yield tfd.HalfCauchy(KIND(0.0), KIND(2.5), name="sigma")
        mean = alpha + tf.linalg.matvec(past, beta, transpose_a=True)
        yield tfd.Independent(tfd.Normal(mean, sigma), 1, name="y")

    target = model.experimental_pin(y=y[lags:])
    return Model(target, {}, lambda x: columns(x.alpha, x.beta, x.sigma))


def earnings(data: dict[str, Any]) -> Model:
    """Log-earnings by height, sex, and their product."""
    height, male = np.asarray(data["height"], KIND), np.asarray(data["male"], KIND)
    x = np.stack([np.ones_like(height), height, male, height * male], -1)
    return regression(np.log(np.asarray(data["earn"], KIND)), x)


def eight_schools(data: dict[str, Any]) -> Model:
    """Effects of coaching in eight schools, not centred."""
    y, sigma = np.asarray(data["y"], KIND), np.asarray(data["sigma"], KIND)

    @tfd.JointDistributionCoroutineAutoBatched
    def model():  # type: ignore[no-untyped-def]
        mu = yield tfd.Normal(KIND(0.0), KIND(5.0), name="mu")
        tau = yield tfd.HalfCauchy(KIND(0.0), KIND(5.0), name="tau")
        z = yield tfd.Sample(tfd.Normal(KIND(0.0), KIND(1.0)), 8, name="z")
        yield tfd.Independent(tfd.Normal(mu + tau * z, sigma), 1, name="y")

    def parameters(x: Any) -> np.ndarray:
        theta = x.mu[..., None] + x.tau[..., None] * x.z
        return columns(theta, x.mu, x.tau)

    return Model(model.experimental_pin(y=y), {}, parameters)


def gaussian_process(data: dict[str, Any]) -> Model:
    """A Gaussian process of eleven points."""
    x, y = (np.asarray(data[name], KIND) for name in "xy")
    squares = 0.5 * (x[:, None] - x) ** 2

    @tfd.JointDistributionCoroutineAutoBatched
    def model():  # type: ignore[no-untyped-def]
        rho = yield tfd.Gamma(KIND(25.0), KIND(4.0), name="rho")
        alpha = yield tfd.HalfNormal(KIND(2.0), name="alpha")
        sigma = yield tfd.HalfNormal(KIND(1.0), name="sigma")
        kernel = alpha**2 * tf.exp(-squares / rho**2)
        kernel += sigma * tf.eye(len(x), dtype=KIND)
        factor = tf.linalg.cholesky(kernel)
        yield tfd.MultivariateNormalTriL(tf.zeros(len(x), KIND), factor, name="y")

    target = model.experimental_pin(y=y)
    return Model(target, {}, lambda found: columns(found.rho, found.alpha, found.sigma))


def kidscore(data: dict[str, Any]) -> Model:
    """Scores of children by those of their mothers."""
    iq = np.asarray(data["mom_iq"], KIND)
    y = np.asarray(data["kid_score"], KIND)
    return regression(y, np.stack([np.ones_like(iq), iq], -1), 2.5)


def mixture(data: dict[str, Any]) -> Model:
    """A mixture of two normal components with ordered means."""
    y = np.asarray(data["y"], KIND)

    def target(theta: tf.Tensor) -> tf.Tensor:
        mu, sigma, share = theta[..., :2], theta[..., 2:4], theta[..., 4]
        both = normal(y, mu[..., None], sigma[..., None])
        weights = tf.math.log(tf.stack([share, 1.0 - share], -1))
        found = tf.reduce_sum(tf.reduce_logsumexp(both + weights[..., None], -2), -1)
        found += tf.reduce_sum(normal(mu, KIND(0.0), KIND(2.0)), -1)
        found += tf.reduce_sum(normal(sigma, KIND(0.0), KIND(2.0)), -1)
        return found + tfd.Beta(KIND(5.0), KIND(5.0)).log_prob(share)

    support = tfb.Blockwise([tfb.Ascending(), tfb.Exp(), tfb.Sigmoid()], [2, 2, 1])
    options = {"event_shape": 5, "support": support, "dtype": "float64"}
    return Model(target, options, whole)


def nes(data: dict[str, Any]) -> Model:
    """Party identification of voters."""
    age = np.asarray(data["age_discrete"])
    names = ("real_ideo", "race_adj")
    x = [np.ones(len(age)), *(np.asarray(data[name], KIND) for name in names)]
    x += [(age == group).astype(KIND) for group in (2, 3, 4)]
    x += [np.asarray(data[name], KIND) for name in ("educ1", "gender", "income")]
    return regression(np.asarray(data["partyid7"], KIND), np.stack(x, -1))


MODELS: dict[str, Callable[[dict[str, Any]], Model]] = {
    "arK-arK": ark,
    "earnings-logearn_interaction": earnings,
    "eight_schools-eight_schools_noncentered": eight_schools,
    "gp_pois_regr-gp_regr": gaussian_process,
    "kidiq-kidscore_momiq": kidscore,
    "low_dim_gauss_mix-low_dim_gauss_mix": mixture,
    "nes1980-nes": nes,
}


def load(name: str) -> tuple[Model, np.ndarray, np.ndarray]:
    """Return a model, and means and deviations of its reference draws."""
    with np.load(FOLDER / f"{name}.npz") as file:
        data = json.loads(str(file["data_json"]))
        return MODELS[name](data), file["mean"], file["sd"]
