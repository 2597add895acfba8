"""Held-out log-likelihood, time and memory of many densities on real tables.

`white` and `red` are the package's wines in ten folds, standardised with the training
rows. Many wines are in the tables several times: by default all copies of a wine are in
one fold, so that every test row is new, and all of them are validation rows or none.
Values are rounded, and a density can win by spikes on their grid: every model is
fitted to, validated and scored on values with the same uniform noise of one rounding
step, the most frequent distance of neighbouring values of a column. `--protocol rows`
is the literature's: rows are divided at random, so that copies of test rows stand in
the training part (their share is printed as "known"), and have no noise.

The others are not part of the package: `--data` names the folder that has them.
`miniboone` is a tenth of the published validation split, the other nine tenths to fit;
`power` is 34 days of the household's data; `galaxies` has 45,000 rows to fit; `higgs`
6,300; `ionosphere` has ten folds of 351 rows; `bsds` has 63 numbers of 8 x 8 patches
with noise, less their mean.

Models: a full Gaussian, behind powers or quantiles of each feature; scikit-learn's
mixture, its size and regularisation chosen on rows held out; `mixture-10` of ten full
Gaussians, from five starts, its regularisation chosen on rows held out; RBIG as
published (`classic`); sinflow, from an interpreter that has it; `rbig`, `fit("rbig")`,
with the best of its starts (`start`) and the best of its three simplest starts
(`simple`, `rotation="ica"`); `nsf-ar`, the default flow. With `--seconds`, also
`rbig+`, that fit trained on by gradients until so much CPU time is over in all, and
`maf`, `fit("maf")` stopped at the same time, and `budget`, `fit(x, budget=...)`.

One process for each line; imports are not part of the time. "bad" counts rows without a
finite log-density; where there are some, the mean is over the others, which favours the
model. "lead" is over the mixture of ten (else the mixture) on the same rows, with a
standard error in which copies count as one draw. "grew" is the peak of resident memory
less that after loading the data; for TensorFlow's models it holds the import as well.
"median" and "low" are those log-densities that a half and nine tenths of the test rows
exceed. All figures are nats per row of standardised columns.

`--keep FOLDER` keeps the scores of each fold there, and takes those that it has: a run
that was interrupted goes on.

Run `python benchmarks/tables.py --sinflow VENV/bin/python`, or for the wines
`python benchmarks/tables.py --tables white red --models mixture-10 Gaussian nsf-ar`.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _densities
import _memory
import _report
import _rows
import numpy as np

__all__ = ["scored"]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OURS = ("simple", "start", "rbig")
DEFAULT = ("Gaussian", "power", "quantile", "mixture", "classic", "sinflow", *OURS)
TIMED = ("rbig+", "maf", "budget")
# Published figures of RBIG, and by how much they are to be passed.
PUBLISHED, MARGIN = {"miniboone": -25.41, "bsds": 115.96}, 5.0
# How many times faster than SINF its likelihood is to be reached.
FASTER = 5.0
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# What the default flow is to lead the mixture by, over new wines.
LEADS = {"white": 0.6, "red": 0.9}


def work(folder: Path, model: str, options: dict[str, Any]) -> dict[str, Any]:
    """Fit a model to the folds in a folder, and write the scores of their test rows."""
    before = _memory.highest()
    if model in _densities.IMPORTS:
        importlib.import_module(_densities.IMPORTS[model])
    scores, seconds, per_row = [], [], []
    for seed, path in enumerate(sorted(folder.glob("fold-*.npz"))):
        with np.load(path) as rows:
            given = dict(rows)
        kept = None
        if options.get("keep"):
            key = f"{zlib.crc32(given['train'].tobytes()):08x}"
            kept = Path(options["keep"]) / f"{model}-{seed}-{key}.npz"
        if kept is not None and kept.exists():
            with np.load(kept) as found:
                parts = [found[name] for name in ("scores", "seconds", "per_row")]
        else:
            parts = _one_fold(model, given, seed, options)
        if kept is not None and not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(
                kept, **dict(zip(("scores", "seconds", "per_row"), parts, strict=True))
            )
        scores.append(parts[0])
        seconds.append(float(parts[1]))
        per_row.append(float(parts[2]))
    np.savez(folder / f"{model}.npz", **{str(k): s for k, s in enumerate(scores)})
    return {
        "fit": float(np.mean(seconds)),
        "per_row": 1e6 * float(np.mean(per_row)),
        "grew": _memory.highest() - before,
    }


def _one_fold(
    model: str, given: dict[str, np.ndarray], seed: int, options: dict[str, Any]
) -> list[Any]:
    """Return scores of the test rows, and CPU seconds of the fit and of a row."""
    start = time.process_time()
    options = {**options, "groups": given.get("groups")}
    density = _densities.MODELS[model](given["train"], seed, options)
    seconds = time.process_time() - start
    density(given["test"])
    start = time.process_time()
    scores = density(given["test"])
    return [scores, seconds, (time.process_time() - start) / len(scores)]


def scored(
    pairs: Sequence[Any], model: str, python: str | None = None, **options: Any
) -> tuple[list[np.ndarray], dict[str, float]]:
    """Return the scores of each fold's test rows, and what a model took for them.

    Args:
        pairs: Training and test rows of each fold; a `Fold` has more.
        model: One of `_densities.MODELS`, in a process of its own.
        python: The interpreter of that process, `None` for this one.
        **options: Of the model; `timeout` is in seconds.

    Raises:
        RuntimeError: If it fails, or takes longer.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for k, (train, test, *more) in enumerate(pairs):
            parts = {"train": train.astype(np.float32), "test": test.astype(np.float32)}
            if more and more[0] is not None:
                parts["groups"] = more[0]
            np.savez(folder / f"fold-{k:02}.npz", **parts)
        job = json.dumps([name, model, options])
        try:
            done = subprocess.run(
                [python or sys.executable, __file__, "--worker", job],
                env={**os.environ, **ONE_THREAD},
                capture_output=True,
                text=True,
                timeout=options.get("timeout"),
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"not done in {options['timeout']} s"
            raise RuntimeError(msg) from None
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        with np.load(folder / f"{model}.npz") as found:
            scores = [found[str(k)].astype(np.float64) for k in range(len(pairs))]
        return scores, json.loads(done.stdout.strip().splitlines()[-1])


def standard_error(values: np.ndarray, groups: np.ndarray) -> float:
    """Return the standard error of a mean of which rows of one group are one draw."""
    sums = np.bincount(groups, values - values.mean())
    return float(np.sqrt(np.sum(np.square(sums))) / len(values))


def copies(pairs: Sequence[_rows.Fold]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return groups of equal test rows by fold, and which are known from training."""
    groups, known = [], []
    for train, test, of_train, of_test in pairs:
        if of_train is None or of_test is None:
            rows = np.concatenate([train, test])
            _, found = np.unique(rows, axis=0, return_inverse=True)
            of_train, of_test = np.split(found.ravel(), [len(train)])
        groups.append(of_test)
        known.append(np.isin(of_test, of_train))
    return groups, np.concatenate(known)


def mean(scores: np.ndarray) -> float:
    """Return the mean of finite scores."""
    finite = scores[np.isfinite(scores)]
    return float(np.mean(finite)) if len(finite) else float("nan")


def table(name: str, args: argparse.Namespace) -> None:
    """Print a line for each model on a table, and what was to be reached there."""
    pairs = list(itertools.islice(_rows.folds(name, args), args.folds))
    groups, known = copies(pairs)
    wine = name in ("red", "white")
    rows, size = pairs[0][0].shape
    figures: dict[str, dict[str, Any]] = {}
    for model in args.models:
        if model == "sinflow" and args.sinflow is None:
            continue
        python = args.sinflow if model == "sinflow" else None
        options = {key: getattr(args, key) for key in ("smoke", "seconds", "timeout")}
        if args.keep is not None:
            options["keep"] = str(args.keep / f"{name}-{args.protocol}")
        try:
            scores, found = scored(pairs, model, python, **options)
        except RuntimeError as error:
            print(f"{name:10}{'':11}  {model:11}{error}", flush=True)
            continue
        means = np.array([mean(fold) for fold in scores])
        offsets = np.cumsum([0, *(group.max() + 1 for group in groups[:-1])])
        draws = np.concatenate([g + k for g, k in zip(groups, offsets, strict=True)])
        every = np.concatenate(scores)
        finite = np.isfinite(every)
        figures[model] = {**found, "means": means, "bad": int(np.sum(~finite))}
        error = standard_error(every[finite], draws[finite]) if finite.any() else np.nan
        line = f"{name:10}{rows:7}{size:4}  {model:11}{np.mean(means):9.3f}{error:7.3f}"
        line += f"{figures[model]['bad']:5}{found['fit']:8.1f}{found['per_row']:8.1f}"
        line += f"{found['grew']:9.0f}"
        low, median = np.quantile(every, (0.1, 0.5))
        line += f"{median:9.3f}{low:9.3f}"
        figures[model]["scores"] = every
        rival = next((m for m in ("mixture-10", "mixture") if m in figures), model)
        if rival != model:
            lead = every - figures[rival]["scores"]
            if np.isfinite(lead).all():
                line += f"{lead.mean():8.3f} +- {standard_error(lead, draws):.3f}"
                if known.any() and not known.all():
                    line += f", new rows {lead[~known].mean():.3f}"
        print(line, flush=True)
        if args.each_fold:
            print("  folds: " + " ".join(f"{value:.3f}" for value in means))
    if wine:
        print(f"{name}: {np.mean(known):.1%} of the test rows are known")
    verdicts(name, {m: f for m, f in figures.items() if not f["bad"]})


def verdicts(name: str, found: dict[str, dict[str, Any]]) -> None:
    """Print what was to be reached on a table."""
    means = {model: float(np.mean(f["means"])) for model, f in found.items()}
    if "rbig" in found:
        peers = [means[m] for m in ("classic", "sinflow") if m in means]
        if peers:
            good = _report.verdict(means["rbig"], max(peers), at_least=True)
            print(f"{name}: rbig over classic RBIG and SINF: {good}")
        if name in PUBLISHED:
            bar = PUBLISHED[name] + MARGIN
            good = _report.verdict(means["rbig"], bar, at_least=True)
            print(f"{name}: rbig at least {bar:.2f}: {good}")
    if "sinflow" in found:
        enough = [m for m in OURS if means.get(m, -np.inf) >= means["sinflow"]]
        if enough:
            first = min(enough, key=lambda m: found[m]["fit"])
            ratio = found["sinflow"]["fit"] / found[first]["fit"]
            good = _report.verdict(ratio, FASTER, at_least=True)
            print(
                f"{name}: {first} has SINF's likelihood {ratio:.1f} times sooner, "
                f"at least {FASTER:.0f}: {good}"
            )
    if {"rbig+", "maf"} <= set(found):
        good = _report.verdict(means["rbig+"], means["maf"] - 1.0, at_least=True)
        print(f"{name}: rbig+ within 1 nat of maf at equal time: {good}")
    if {"nsf-ar", "mixture-10"} <= set(found):
        leads = found["nsf-ar"]["means"] - found["mixture-10"]["means"]
        bar = LEADS.get(name, 0.0)
        good = _report.verdict(leads.mean(), bar, at_least=True)
        error = leads.std(ddof=1) / np.sqrt(len(leads)) if len(leads) > 1 else np.nan
        spread = f" +- {error:.3f} over {len(leads)} folds" if len(leads) > 1 else ""
        print(f"{name}: nsf-ar leads mixture-10 by {leads.mean():.3f}{spread}")
        print(f"{name}: by at least {bar}: {good}")
        good = _report.verdict(leads.min(), 0.0, at_least=True)
        print(f"{name}: no fold below mixture-10: {good} (worst {leads.min():+.3f})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--tables", nargs="+", choices=_rows.NAMES, default=_rows.NAMES)
    add("--models", nargs="+", choices=list(_densities.MODELS))
    add("--protocol", choices=("distinct", "rows"), default="distinct")
    add("--data", type=Path, default=DATA, help="folder of tables")
    add("--folds", type=int, default=10, help="of the wine tables")
    add("--keep", type=Path, help="folder that keeps the scores of each fold")
    add("--each-fold", action="store_true", help="print the mean of each fold")
    add("--patches", type=int, default=50_000, help="training rows of `bsds`")
    add("--seconds", type=float, default=0.0, help="CPU time of trained flows")
    add("--timeout", type=float, default=3600.0, help="of a line, in seconds")
    add("--sinflow", help="a Python interpreter that has sinflow")
    add("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.worker:
        folder, model, options = json.loads(args.worker)
        print(json.dumps(work(Path(folder), model, options)))
        return
    args.models = args.models or [*DEFAULT, *(TIMED if args.seconds else ())]
    if args.smoke:
        args.tables = ["toy"]
        args.models = ["Gaussian", "power", "quantile", "mixture", "classic", "rbig"]
    _report.header("held-out log-likelihood, nats per row", "scikit-learn")
    print("columns are standardised; those of bsds are pixels from 0 to 1")
    print(
        f"{'table':10}{'rows':>7}{'d':>4}  {'model':11}{'mean':>9}{'error':>7}"
        f"{'bad':>5}{'fit s':>8}{'us/row':>8}{'grew MB':>9}{'median':>9}{'low':>9}"
        f"{'lead':>8}"
    )
    for name in args.tables:
        table(name, args)


if __name__ == "__main__":
    main()
