"""Fit the default flow to ten folds of the wine tables.

One setting for both colours: `tfp_flows.fit("nsf-ar", train.x, seed=fold)`, which holds
out a tenth of the training rows for early stopping. Each fold is standardised with its
training rows; the figures are mean test log-likelihoods in nats per wine, beside those
of a Gaussian mixture with 10 full covariances and of one full Gaussian on the same
rows. The mixture is scikit-learn's; its regularisation is chosen on the same share of
held-out training rows, then it is fitted to all training rows from several starts.

Run `python benchmarks/wine.py` (some 30 minutes on two cores; `--color red` a third).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence

import _report
import numpy as np
from sklearn import exceptions, mixture

import tfp_flows
from tfp_flows import datasets

BARS = {"white": -10.60, "red": -10.10}
STRETCH = {"white": -10.23, "red": -9.36}
# No fold may lose more than this against the mixture.
MARGIN = 0.3
COMPONENTS = 10
REGULARISATION = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def gaussian(train: np.ndarray, test: np.ndarray) -> float:
    """Return the mean test log-likelihood of a full Gaussian."""
    model = mixture.GaussianMixture(1, reg_covar=1e-6).fit(train)
    return float(model.score(test))


def gaussian_mixture(
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
    starts: int,
    penalties: Sequence[float],
) -> tuple[float, float]:
    """Return the mixture's mean test log-likelihood and its regularisation."""

    def fitted(x: np.ndarray, penalty: float, starts: int) -> mixture.GaussianMixture:
        model = mixture.GaussianMixture(
            COMPONENTS,
            reg_covar=penalty,
            n_init=starts,
            max_iter=300,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
            return model.fit(x)

    rows = np.random.default_rng(seed).permutation(len(train))
    held_out, rest = np.split(train[rows], [len(train) // 10])
    scores = {
        penalty: fitted(rest, penalty, 1).score(held_out) for penalty in penalties
    }
    best = max(scores, key=scores.__getitem__)
    return float(fitted(train, best, starts).score(test)), best


def run(color: str, args: argparse.Namespace) -> None:
    """Print the table of one colour."""
    options = {"epochs": 1, "hidden_units": (8, 8)} if args.smoke else {}
    count = min(args.folds, 1 if args.smoke else 10)
    starts, penalties = (1, (1e-1,)) if args.smoke else (5, REGULARISATION)
    _report.header(f"{color} wine, {args.flow}", "scikit-learn")
    print(
        f"{'fold':>4}{'flow':>10}{'mixture-10':>12}{'reg':>8}{'Gaussian':>10}"
        f"{'flow-mix':>10}{'epochs':>8}{'seconds':>9}"
    )
    rows = []
    for fold, (train, test) in enumerate(datasets.wine_folds(color)):
        if fold == count:
            break
        start = time.perf_counter()
        flow, history = tfp_flows.fit(
            args.flow, train.x, seed=fold, verbose=0, **options
        )
        seconds = time.perf_counter() - start
        found = float(np.mean(flow.log_prob(test.x)))
        mix, penalty = gaussian_mixture(train.x, test.x, fold, starts, penalties)
        single = gaussian(train.x, test.x)
        rows.append((found, mix, single, found - mix, seconds))
        print(
            f"{fold:4d}{found:10.3f}{mix:12.3f}{penalty:8.0e}{single:10.3f}"
            f"{found - mix:10.3f}{len(history.epoch):8d}{seconds:9.0f}",
            flush=True,
        )
    table = np.array(rows)
    mean, deviation = table.mean(axis=0), table.std(axis=0, ddof=min(1, count - 1))
    print(f"mean{mean[0]:10.3f}{mean[1]:12.3f}{'':8}{mean[2]:10.3f}{mean[3]:10.3f}")
    print(
        f"sd  {deviation[0]:10.3f}{deviation[1]:12.3f}{'':8}{deviation[2]:10.3f}"
        f"{deviation[3]:10.3f}"
    )
    worst = table[:, 3].min()
    print(
        f"mean at least {BARS[color]:.2f}: "
        f"{_report.verdict(mean[0], BARS[color], at_least=True)}; "
        f"at least {STRETCH[color]:.2f}: "
        f"{_report.verdict(mean[0], STRETCH[color], at_least=True)}; "
        f"no fold below the mixture by over {MARGIN}: "
        f"{_report.verdict(worst, -MARGIN, at_least=True)} (worst {worst:+.3f})"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table for each colour."""
    parser = _report.parser(__doc__)
    parser.add_argument("--color", choices=("white", "red", "both"), default="both")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--flow", default="nsf-ar")
    args = parser.parse_args(arguments)
    colors = ("white", "red") if args.color == "both" else (args.color,)
    for color in colors[: 1 if args.smoke else 2]:
        run(color, args)


if __name__ == "__main__":
    main()
