"""Held-out log-likelihood of RBIG and its peers on real tables.

All models see the same training rows and are scored on the same rows held out, once;
what a model holds out for itself it takes from its training rows. `red` and `white` are
the wine tables (mean over the ten folds that come with them, z-scored with the training
rows of each), `miniboone` the *validation* split of the MAF preprocessing (3,284 rows:
a tenth is held out here; the published figures had 29,556 rows to train on and another
test split), `power` the first 34 days (the file's own validation rows), `galaxies`
45,000 and 5,000 rows of a simulation, `bsds` patches of the BSDS300 training images
(test: patches of 20 of them that gave no training row), of which the first `--patches`
are used.

Models: a full Gaussian; scikit-learn's PowerTransformer, and QuantileTransformer (whose
density is 0 outside the range of the training rows and undefined on ties), each before
a full Gaussian; a Gaussian mixture whose size (3, 10, 30) and regularisation (1e-6,
1e-3) are chosen on a tenth of at most 10,000 training rows; RBIG as published
(`classic`); `sinflow`, with `--sinflow PYTHON`, an interpreter that has it;
`fit("rbig")`, its start alone (`start`, one layer), and the best of its three simplest
starts (`simple`, `rotation="ica"`). With `--seconds`, also `rbig+`, that fit trained on
by gradients until so much CPU time is over in all, and `maf`, `fit("maf")` stopped at
the same time.

One process for each line; imports are not part of the time. "bad" counts rows without a
finite log-density; where there are some, the mean is over the others, which favours the
model. "grew" is the peak of resident memory less that after loading the data; for
TensorFlow's models it holds the import as well.

Run `python benchmarks/rbig_tables.py --sinflow VENV/bin/python`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import _report
import _table_models
import _tables
import numpy as np

OURS = ("simple", "start", "rbig")
DEFAULT = ("Gaussian", "power", "quantile", "mixture", "classic", "sinflow", *OURS)
TIMED = ("rbig+", "maf")
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


def memory() -> float:
    """Return the peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(name: str, model: str, options: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a model on a table, in this process."""
    pairs = list(_tables.folds(name, options["rows"]))[: options["folds"]]
    before = memory()
    if model in _table_models.LIBRARIES:
        importlib.import_module(_table_models.LIBRARIES[model])
    means, errors, bad, fit_seconds, per_row = [], [], 0, [], []
    for seed, (train, test) in enumerate(pairs):
        start = time.process_time()
        density = _table_models.MODELS[model](train, seed, options)
        fit_seconds.append(time.process_time() - start)
        density(test)
        start = time.process_time()
        found = density(test)
        per_row.append((time.process_time() - start) / len(test))
        finite = np.isfinite(found)
        bad += int(np.sum(~finite))
        means.append(float(np.mean(found[finite])) if finite.any() else np.nan)
        errors.append(float(np.std(found[finite])) / np.sqrt(max(1, finite.sum())))
    count = len(means)
    return {
        "rows": len(pairs[0][0]),
        "size": pairs[0][0].shape[1],
        "mean": float(np.mean(means)),
        "error": float(np.sqrt(np.mean(np.square(errors)) / count)),
        "bad": bad,
        "fit": float(np.mean(fit_seconds)),
        "per_row": 1e6 * float(np.mean(per_row)),
        "grew": memory() - before,
    }


def process(
    name: str, model: str, options: dict[str, Any], python: str
) -> dict[str, float] | str:
    """Return the figures of a model on a table, from a process of its own."""
    command = [python, __file__, "--worker", json.dumps([name, model, options])]
    environment = {**os.environ, **ONE_THREAD}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=options["timeout"],
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done in {options['timeout']} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(args: argparse.Namespace) -> None:
    """Print a line for each table and model."""
    _report.header(
        "held-out log-likelihood on real tables, nats per row", "scikit-learn"
    )
    print(
        f"{'table':10}{'rows':>7}{'d':>4}  {'model':10}{'mean':>9}{'error':>7}"
        f"{'bad':>5}{'fit s':>8}{'us/row':>8}{'grew MB':>9}"
    )
    models = args.models or (*DEFAULT, *(TIMED if args.seconds else ()))
    for name in args.tables:
        best: dict[str, dict[str, float]] = {}
        for model in models:
            if model == "sinflow" and args.sinflow is None:
                continue
            options = {
                "smoke": args.smoke,
                "folds": args.folds,
                "seconds": args.seconds,
                "timeout": args.timeout,
                "rows": args.patches if name == "bsds" else None,
            }
            python = args.sinflow if model == "sinflow" else sys.executable
            found = process(name, model, options, python)
            if isinstance(found, str):
                print(f"{name:10}{'':11}  {model:10}{found}", flush=True)
                continue
            if not found["bad"]:
                best[model] = found
            print(
                f"{name:10}{found['rows']:7.0f}{found['size']:4.0f}  {model:10}"
                f"{found['mean']:9.3f}{found['error']:7.3f}{found['bad']:5.0f}"
                f"{found['fit']:8.1f}{found['per_row']:8.1f}{found['grew']:9.0f}",
                flush=True,
            )
        verdicts(name, best)


def verdicts(name: str, found: dict[str, dict[str, float]]) -> None:
    """Print what was to be reached on a table."""
    means = {model: figures["mean"] for model, figures in found.items()}
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
        level, seconds = means["sinflow"], found["sinflow"]["fit"]
        enough = [m for m in OURS if means.get(m, -np.inf) >= level]
        if enough:
            first = min(enough, key=lambda m: found[m]["fit"])
            ratio = seconds / found[first]["fit"]
            good = _report.verdict(ratio, FASTER, at_least=True)
            print(
                f"{name}: {first} has SINF's likelihood {ratio:.1f} times sooner, "
                f"at least {FASTER:.0f}: {good}"
            )
    if {"rbig+", "maf"} <= set(found):
        good = _report.verdict(means["rbig+"], means["maf"] - 1.0, at_least=True)
        print(f"{name}: rbig+ within 1 nat of maf at equal time: {good}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--tables", nargs="+", choices=_tables.NAMES, default=_tables.NAMES)
    add("--models", nargs="+", choices=list(_table_models.MODELS))
    add("--folds", type=int, default=10, help="of the wine tables")
    add("--patches", type=int, default=50_000, help="training rows of `bsds`")
    add("--seconds", type=float, default=0.0, help="CPU time of trained flows")
    add("--timeout", type=float, default=1800.0, help="of a line, in seconds")
    add("--sinflow", help="a Python interpreter that has sinflow")
    add("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.worker:
        print(json.dumps(measure(*json.loads(args.worker))))
        return
    if args.smoke:
        args.tables, args.models = ["toy"], ["Gaussian", "power", "quantile"]
        args.models += ["mixture", "classic", "rbig"]
    table(args)


if __name__ == "__main__":
    main()
