"""The loss of sinflow on rows held out, from an interpreter that has it.

As a script it needs sinflow and NumPy alone: it reads arrays `train` and `test` from
an NPZ file and prints the mean negative log-likelihood in nats, over the finite rows,
and the seconds of CPU time of the fit.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _table_models
import numpy as np

__all__ = ["loss"]


def loss(python: str, train: np.ndarray, test: np.ndarray) -> tuple[float, float]:
    """Return the loss of a fit with the defaults, and its seconds of CPU time.

    Args:
        python: Path of the interpreter.
        train: Rows of the fit, `[N, D]`.
        test: Rows held out, `[M, D]`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npz"
        np.savez(path, train=train, test=test)
        done = subprocess.run(
            [python, __file__, str(path)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found["loss"], found["seconds"]


def main(path: str) -> None:
    """Fit the rows of a file."""
    importlib.import_module(_table_models.LIBRARIES["sinflow"])
    with np.load(path) as rows:
        train, test = rows["train"], rows["test"]
    start = time.process_time()
    density = _table_models.MODELS["sinflow"](train, 0, {})
    seconds = time.process_time() - start
    losses = -density(test)
    mean = float(np.mean(losses[np.isfinite(losses)]))
    print(json.dumps({"loss": mean, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1])
