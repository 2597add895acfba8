"""Fit the default flow to ten folds of the wine tables.

One setting for both colours: `tfp_flows.fit("nsf-ar", train.x, seed=fold)`, which holds
out a tenth of the training rows for early stopping. Each fold is standardised with its
training rows; the figures are mean test log-likelihoods of the standardised columns in
nats per wine, beside those of a Gaussian mixture with 10 full covariances and of one
full Gaussian on the same rows. The mixture is scikit-learn's; its regularisation is
chosen on the same share of held-out training rows, then it is fitted to all training
rows from several starts.

Many wines are in the tables several times. `--protocol distinct`, the default, puts all
copies of a wine into one fold, so that every test row is new. `--protocol rows` is the
literature's: rows are divided at random, and copies of test rows stand in the training
part. Their share is printed, and the lead over the mixture on the rows that are new.

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
# Both bars are for the literature's protocol.
# No fold may lose more than this against the mixture.
MARGIN = 0.3
COMPONENTS = 10
REGULARISATION = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def standard_error(values: np.ndarray, groups: np.ndarray | None) -> float:
    """Return the standard error of a mean of which rows of one group are one draw."""
    rest = values - values.mean()
    sums = rest if groups is None else np.bincount(groups, rest)
    return float(np.sqrt(np.sum(np.square(sums))) / len(values))


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
) -> tuple[np.ndarray, float]:
    """Return the mixture's test log-likelihoods and its regularisation."""

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

    rest, held_out = datasets.random_split(len(train) // 10, seed, train)
    scores = {
        penalty: fitted(train[rest], penalty, 1).score(train[held_out])
        for penalty in penalties
    }
    best = max(scores, key=scores.__getitem__)
    return fitted(train, best, starts).score_samples(test), best


def run(color: str, args: argparse.Namespace) -> None:
    """Print the table of one colour."""
    options = {"epochs": 1, "hidden_units": (8, 8)} if args.smoke else {}
    count = min(args.folds, 1 if args.smoke else 10)
    starts, penalties = (1, (1e-1,)) if args.smoke else (5, REGULARISATION)
    distinct = args.protocol == "distinct"
    _report.header(f"{color} wine, {args.flow}", "scikit-learn")
    what = "distinct wines" if distinct else "rows, the literature's protocol"
    print(f"test log-likelihood, nats per wine, standardised columns; folds of {what}")
    print(
        f"{'fold':>4}{'flow':>10}{'mixture-10':>12}{'reg':>8}{'Gaussian':>10}"
        f"{'flow-mix':>10}{'error':>8}{'known':>7}{'epochs':>8}{'seconds':>9}"
    )
    rows: list[tuple[float, ...]] = []
    leads, tests, new = [], [], []
    folds = datasets.wine_folds(color, distinct=distinct)
    for fold, (train, test) in enumerate(folds):
        if fold == count:
            break
        start = time.perf_counter()
        flow, history = tfp_flows.fit(
            args.flow, train.x, seed=fold, verbose=0, **options
        )
        seconds = time.perf_counter() - start
        found = np.asarray(flow.log_prob(test.x), np.float64)
        mix, penalty = gaussian_mixture(train.x, test.x, fold, starts, penalties)
        single = gaussian(train.x, test.x)
        copies = datasets.equal_rows(np.concatenate([train.x, test.x]))
        groups = None if copies is None else copies[len(train) :]
        known = np.zeros(len(test), bool) if groups is None else groups < len(train)
        lead = found - mix
        # Numbers of wines that stay apart from those of other folds.
        tests.append(
            (np.arange(len(test)) if groups is None else groups) + fold * 10_000
        )
        leads.append(lead)
        new.append(~known)
        rows.append(
            (found.mean(), mix.mean(), single, lead.mean(), known.mean(), seconds)
        )
        print(
            f"{fold:4d}{found.mean():10.3f}{mix.mean():12.3f}{penalty:8.0e}"
            f"{single:10.3f}{lead.mean():10.3f}{standard_error(lead, groups):8.3f}"
            f"{known.mean():7.0%}{len(history.epoch):8d}{seconds:9.0f}",
            flush=True,
        )
    table = np.array(rows)
    mean, deviation = table.mean(axis=0), table.std(axis=0, ddof=min(1, count - 1))
    for name, line in (("mean", mean), ("sd", deviation)):
        print(
            f"{name:<4}{line[0]:10.3f}{line[1]:12.3f}{'':8}{line[2]:10.3f}{line[3]:10.3f}"
        )
    lead, groups, is_new = map(np.concatenate, (leads, tests, new))
    print(
        f"flow-mix over {len(lead)} test rows of {count} folds: {lead.mean():.3f} +- "
        f"{standard_error(lead, groups):.3f}"
    )
    if not distinct:
        error = standard_error(lead[is_new], groups[is_new])
        print(
            f"{1 - is_new.mean():.1%} of them stand in the training part; on the "
            f"{is_new.sum()} that are new: {lead[is_new].mean():.3f} +- {error:.3f}"
        )
        print(
            f"mean at least {BARS[color]:.2f}: "
            f"{_report.verdict(mean[0], BARS[color], at_least=True)}; "
            f"at least {STRETCH[color]:.2f}: "
            f"{_report.verdict(mean[0], STRETCH[color], at_least=True)}"
        )
    worst = table[:, 3].min()
    print(
        f"no fold below the mixture by over {MARGIN}: "
        f"{_report.verdict(worst, -MARGIN, at_least=True)} (worst {worst:+.3f})"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table for each colour."""
    parser = _report.parser(__doc__)
    parser.add_argument("--color", choices=("white", "red", "both"), default="both")
    parser.add_argument("--protocol", choices=("distinct", "rows"), default="distinct")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--flow", default="nsf-ar")
    args = parser.parse_args(arguments)
    colors = ("white", "red") if args.color == "both" else (args.color,)
    for color in colors[: 1 if args.smoke else 2]:
        run(color, args)


if __name__ == "__main__":
    main()
