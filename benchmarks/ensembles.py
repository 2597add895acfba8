"""What an ensemble costs and gains: five members against one, on new red wines.

    python benchmarks/ensembles.py

Red wine in ten folds, all copies of a wine in one of them, values with the same uniform
noise of one rounding step for both models, standardised by the training rows. A process
of its own fits `nsf-ar` with the defaults, another one an ensemble of it. `seconds` is
the CPU time of the fit, tracing and compiling included, imports not; `ratio` that of
the ensemble over that of one flow. `lead` is the mean over test rows of the
log-likelihood of the ensemble less that of the flow, in nats; `members` the mean of its
members'. `epochs` are those until all members were stopped.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _report
import _rows
import numpy as np

__all__ = ["main"]

RATIO, LEAD = 2.5, 0.05


def fitted(fold: int, members: int, options: dict[str, Any]) -> dict[str, Any]:
    """Fit one flow, or an ensemble for `members` above 0, and score the test rows."""
    from tfp_flows import training

    found = next(itertools.islice(_rows.wines("red", "distinct"), fold, None))
    train, test = (x.astype("float32") for x in (found.train, found.test))
    given = {"members": members} if members else {}
    start = time.process_time()
    flow, history = training.fit(
        "nsf-ar", train, seed=fold, verbose=0, groups=found.groups, **given, **options
    )
    seconds = time.process_time() - start
    out = {
        "seconds": seconds,
        "epochs": len(history.epoch),
        "scores": np.asarray(flow.log_prob(test)).tolist(),
    }
    if members:
        out["members"] = float(np.mean(flow.member_log_prob(test)))
    return out


def one(fold: int, members: int, options: dict[str, Any]) -> dict[str, Any]:
    """Do that in a process of its own."""
    given = json.dumps([fold, members, options])
    done = subprocess.run(
        [sys.executable, Path(__file__).resolve(), "--one", given],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--one", help="for its own processes")
    args = parser.parse_args(argv)
    if args.one:
        print(json.dumps(fitted(*json.loads(args.one))))
        return
    options: dict[str, Any] = {}
    if args.smoke:
        args.folds, args.members = [0], 2
        options = {"epochs": 1, "num_layers": 1, "hidden_units": [8, 8]}
    _report.header(f"{args.members} members of nsf-ar against one, red wine")
    print(
        f"{'fold':4}{'one':>9}{'members':>9}{'ensemble':>10}{'lead':>8}{'epochs':>8}"
        f"{'epochs':>8}{'seconds':>9}{'seconds':>9}{'ratio':>7}"
    )
    leads, ratios = [], []
    for fold in args.folds:
        single, many = (one(fold, count, options) for count in (0, args.members))
        each = np.array(many["scores"]) - np.array(single["scores"])
        leads.append(each.mean())
        ratios.append(many["seconds"] / single["seconds"])
        print(
            f"{fold:4d}{np.mean(single['scores']):9.3f}{many['members']:9.3f}"
            f"{np.mean(many['scores']):10.3f}{leads[-1]:+8.3f}{single['epochs']:8d}"
            f"{many['epochs']:8d}{single['seconds']:9.1f}{many['seconds']:9.1f}"
            f"{ratios[-1]:7.2f}",
            flush=True,
        )
    ratio, lead = float(np.mean(ratios)), float(np.mean(leads))
    print(f"ratio {ratio:.2f}, at most {RATIO}: {_report.verdict(ratio, RATIO)}")
    reached = _report.verdict(lead, LEAD, at_least=True)
    print(f"lead {lead:+.3f}, at least {LEAD}: {reached}")


if __name__ == "__main__":
    main()
