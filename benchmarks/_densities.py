"""Densities that are compared on tables: each is fitted, then asked.

Every function takes training rows, a seed and options, and returns a function of rows
that gives their log-densities, where the density is defined, else minus infinity. What
a model needs is imported with it: each runs in a process of its own, some with the
Python of another environment, which has NumPy and that model alone.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["IMPORTS", "MODELS"]

Density = Callable[[np.ndarray], np.ndarray]
LOG_2PI = float(np.log(2.0 * np.pi))
# Rows at once, as the memory of a model is part of the table.
CHUNK = 4096
# What the size and the regularisation of a mixture are chosen on.
CHOICE_ROWS = 10_000
TEN = {
    "counts": (10,),
    "penalties": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "starts": 5,
    "most": 300,
}
SMOKE = {"epochs": 2}


def _gaussian(x: np.ndarray) -> Density:
    loc, covariance = x.mean(axis=0), np.cov(x.T)
    factor = np.linalg.cholesky(covariance)
    log_det = np.sum(np.log(np.diagonal(factor)))

    def density(x: np.ndarray) -> np.ndarray:
        w = np.linalg.solve(factor, (x - loc).T)
        return -0.5 * np.sum(w * w, axis=0) - log_det - 0.5 * len(w) * LOG_2PI

    return density


def gaussian(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """One full Gaussian."""
    del seed, options
    inner = _gaussian(train.astype(np.float64))
    return lambda x: inner(x.astype(np.float64))


def power(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """Yeo-Johnson's power of each feature, then a full Gaussian."""
    from sklearn import preprocessing

    del seed, options
    found = preprocessing.PowerTransformer(standardize=False)
    inner = _gaussian(found.fit_transform(train.astype(np.float64)))

    def density(x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        # d/dx of ((1 + x)^p - 1) / p, and of its mirror image with 2 - p below 0.
        exponent = (found.lambdas_ - 1.0) * np.sign(x)
        log_det = np.sum(exponent * np.log1p(np.abs(x)), axis=1)
        return inner(found.transform(x)) + log_det

    return density


def quantile(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """Normal quantiles of the empirical CDF of each feature, then a full Gaussian.

    The CDF is straight between quantiles. There is no density outside the range of the
    training rows, where it is constant, nor on values that many rows share.
    """
    from scipy import stats
    from sklearn import preprocessing

    del options
    found = preprocessing.QuantileTransformer(
        n_quantiles=min(1000, len(train)),
        output_distribution="normal",
        subsample=None,
        random_state=seed,
    )
    inner = _gaussian(found.fit_transform(train.astype(np.float64)))
    knots, levels = found.quantiles_, found.references_

    def density(x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        z, log_det = found.transform(x), np.zeros(len(x))
        for column, places in enumerate(knots.T):
            value = x[:, column]
            right = np.clip(np.searchsorted(places, value, "right"), 1, len(places) - 1)
            width = places[right] - places[right - 1]
            inside = (value > places[0]) & (value < places[-1]) & (width > 0)
            # On a value of several quantiles the CDF jumps.
            inside &= np.searchsorted(places, value, "left") + 1 >= right
            with np.errstate(divide="ignore"):
                slope = np.log(levels[right] - levels[right - 1]) - np.log(width)
            log_slope = slope - stats.norm.logpdf(z[:, column])
            log_det += np.where(inside, log_slope, -np.inf)
        return inner(z) + log_det

    return density


def mixture(
    train: np.ndarray,
    seed: int,
    options: dict[str, Any],
    counts: Sequence[int] = (3, 10, 30),
    penalties: Sequence[float] = (1e-6, 1e-3),
    starts: int = 1,
    most: int = 100,
) -> Density:
    """A mixture of full Gaussians; rows held out choose its size and regularisation."""
    from sklearn import exceptions
    from sklearn import mixture as mixtures

    from tfp_flows import datasets

    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    if options.get("smoke"):
        counts, penalties, starts = (2,), penalties[-1:], 1

    def fitted(
        x: np.ndarray, count: int, penalty: float, starts: int = 1
    ) -> mixtures.GaussianMixture:
        return mixtures.GaussianMixture(
            count, reg_covar=penalty, max_iter=most, n_init=starts, random_state=seed
        ).fit(x)

    x, groups = train.astype(np.float64), options.get("groups")
    some = x
    if len(x) > CHOICE_ROWS:
        kept = np.random.default_rng(seed).permutation(len(x))[:CHOICE_ROWS]
        some, groups = x[kept], None if groups is None else groups[kept]
    # Copies of a row are on one side, as in `fit`, which takes the same rows.
    count = round(0.1 * len(some))
    rest, held_out = datasets.split_rows(count, seed, some, groups=groups)
    scores = {
        (count, penalty): fitted(some[rest], count, penalty).score(some[held_out])
        for count in counts
        for penalty in penalties
    }
    found = fitted(x, *max(scores, key=scores.__getitem__), starts)
    return lambda x: found.score_samples(x.astype(np.float64))


def classic(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """RBIG as published."""
    import _classic

    del seed
    layers = 2 if options.get("smoke") else _classic.LAYERS
    found = _classic.fit(train.astype(np.float64), layers)
    return lambda x: found(x.astype(np.float64))


def sliced(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """SINF by its own package, with its defaults."""
    import sinflow

    del options
    np.random.seed(seed)  # noqa: NPY002 (what it draws from)
    found = sinflow.Flow(random_state=seed)
    # It shuffles its argument.
    found.fit(train.astype(np.float64).copy())
    return lambda x: found.log_prob(x.astype(np.float64))


def _of_flow(flow: Any) -> Density:
    return lambda x: np.concatenate(
        [flow.log_prob(x[i : i + CHUNK]).numpy() for i in range(0, len(x), CHUNK)]
    )


def flow_by_name(
    train: np.ndarray, seed: int, options: dict[str, Any], name: str, **fixed: Any
) -> Density:
    """`fit(name)` with its defaults, or with what is fixed."""
    import tfp_flows

    small = {"num_bins": 16} if name == "rbig" else {"hidden_units": (8,)}
    few = {**SMOKE, **small} if options.get("smoke") else {}
    few |= {"columns": "continuous", **fixed}  # densities, as those of all models
    if options.get("groups") is not None:
        few["groups"] = options["groups"]
    flow, _ = tfp_flows.fit(name, train, seed=seed, verbose=0, **few)
    return _of_flow(flow)


def _for_seconds(
    flow: Any, train: np.ndarray, seed: int, until: float, **options: Any
) -> Any:
    """Train a flow until the CPU clock of the process says so."""
    import keras

    import tfp_flows

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if time.process_time() > until:
                self.model.stop_training = True

    options["columns"] = "continuous"
    found, _ = tfp_flows.fit(
        flow, train, seed=seed, verbose=0, callbacks=[Stop()], **options
    )
    return found


def trained_rbig(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """`fit("rbig")`, trained on by gradients for the rest of the given time.

    Both stop by the same rows: those that a layer was made from judge no gradient.
    """
    import tfp_flows

    until = time.process_time() + options["seconds"]
    order = np.random.default_rng(seed).permutation(len(train))
    held = len(train) // 10
    part, stop = train[order[held:]], (train[order[:held]],)
    plain: dict[str, Any] = {"columns": "continuous", "verbose": 0}
    flow, _ = tfp_flows.fit("rbig", part, validation=stop, seed=seed, **plain)
    more = {"validation": stop, "adapt": False, "learning_rate": 1e-4}
    flow = _for_seconds(flow.trainable_flow(), part, seed, until, **more)
    return _of_flow(flow)


def within_budget(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """`fit(x, budget=...)` of the given time."""
    import tfp_flows

    flow, _ = tfp_flows.fit(
        train,
        budget=options["seconds"],
        groups=options.get("groups"),
        columns="continuous",
        seed=seed,
        verbose=0,
    )
    return _of_flow(flow)


def timed_maf(train: np.ndarray, seed: int, options: dict[str, Any]) -> Density:
    """`fit("maf")` with its defaults, for the given time at most."""
    until = time.process_time() + options["seconds"]
    return _of_flow(_for_seconds("maf", train, seed, until))


rbig = functools.partial(flow_by_name, name="rbig")
MODELS: dict[str, Callable[[np.ndarray, int, dict[str, Any]], Density]] = {
    "Gaussian": gaussian,
    "power": power,
    "quantile": quantile,
    "mixture": mixture,
    "mixture-10": functools.partial(mixture, **TEN),
    "classic": classic,
    "sinflow": sliced,
    # The best of the three simplest starts of the greedy fit, then of all of them.
    "simple": functools.partial(rbig, epochs=1, rotation="ica"),
    "start": functools.partial(rbig, epochs=1),
    "rbig": rbig,
    "nsf-ar": functools.partial(flow_by_name, name="nsf-ar"),
    "rbig+": trained_rbig,
    "maf": timed_maf,
    "budget": within_budget,
}
# What is imported before the time of a fit is taken.
SKLEARN = {"power": "preprocessing", "quantile": "preprocessing"}
SKLEARN |= {"mixture": "mixture", "mixture-10": "mixture"}
OURS = ("classic", "simple", "start", "rbig", "nsf-ar", "rbig+", "maf", "budget")
IMPORTS = {
    **{name: f"sklearn.{module}" for name, module in SKLEARN.items()},
    **dict.fromkeys(OURS, "tfp_flows.training"),
    "sinflow": "sinflow",
}
