"""Runs of a simulator at draws of the prior, in processes, and from a file."""

from __future__ import annotations

import concurrent.futures
import inspect
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _files
from tfp_flows._types import Seed
from tfp_flows.datasets import archives
from tfp_flows.inference.simulation import base
from tfp_flows.inference.simulation.parameters import Parameters

__all__ = ["run", "simulate"]

# Blocks of a file that is written while a simulation goes on: so many at most.
SAVES = 50


def simulate(
    prior: Any,
    simulator: Callable[..., Any],
    n: int,
    *,
    batch_size: int | None = 1_000,
    workers: int = 1,
    file: str | os.PathLike[str] | None = None,
    seed: Seed = None,
    verbose: int | str = "auto",
) -> tuple[Any, np.ndarray]:
    """Draw parameters from a prior, and simulate data at each.

    Args:
        prior: Distribution of the parameters, joint ones too.
        simulator: Function of parameters, `[B, D]` or in the structure of the prior's
            draws, that returns data, `[B, ...]`, as NumPy or TensorFlow arrays. If it
            takes `seed`, it gets an int, another one for each batch.
        n: Number of simulations.
        batch_size: Parameters of one call; `None` for a simulator that takes the
            parameters of one simulation, without a leading axis.
        workers: Processes that simulate side by side. The simulator must then be
            importable: a function of a module, not of a notebook.
        file: `.npz` file that keeps what was simulated. If it exists, the simulation
            goes on where it stopped; `prior`, `n` and `seed` must be those of before.
        seed: Int that fixes parameters and the seeds of the simulator.
        verbose: 0 shows no progress.

    Returns:
        Parameters in the structure of the prior's draws, and data `[n, ...]`.

    Raises:
        ValueError: If the simulator returns another number of rows, or the file is of
            another simulation.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> def simulator(theta, seed):
        ...     noise = np.random.default_rng(seed).normal(size=(len(theta), 3))
        ...     return theta[:, None] + noise
        >>> prior = tfd.Normal(0., 1.)
        >>> theta, x = inference.simulate(prior, simulator, 100, seed=0, verbose=0)
        >>> theta.shape, x.shape
        ((100,), (100, 3))
    """
    _context.require_eager("simulate")
    parameters = Parameters(prior)
    _checks.count(n, 1, "n")
    _checks.count(workers, 1, "workers")
    if seed is None and file is not None:
        seed = 0  # a second run must draw the parameters of the first
    parts = parameters.sample(n, base.pair(seed))
    x = run(
        parameters,
        simulator,
        parts,
        batch_size=batch_size,
        workers=workers,
        file=file,
        seed=seed,
        verbose=verbose,
    )
    return parameters.packed(parts), x


def run(
    parameters: Parameters,
    simulator: Callable[..., Any],
    parts: list[np.ndarray],
    *,
    batch_size: int | None = 1_000,
    workers: int = 1,
    file: str | os.PathLike[str] | None = None,
    seed: Seed = None,
    verbose: int | str = "auto",
) -> np.ndarray:
    """Return what a simulator makes of parameters, `[N, ...]`.

    Args:
        parameters: Those of the prior.
        simulator: See `simulate`.
        parts: Parameters, an array for each part of the prior's draws.
        batch_size: See `simulate`.
        workers: See `simulate`.
        file: See `simulate`.
        seed: See `simulate`.
        verbose: See `simulate`.
    """
    _checks.function(simulator, "simulator")
    _checks.verbosity(verbose)
    count, size = len(parts[0]), batch_size or 1_000
    _checks.count(size, 1, "batch_size")
    path = None if file is None else Path(file)
    rows = np.concatenate([part.reshape(count, -1) for part in parts], axis=1)
    done = [] if path is None else _read(path, rows, size)
    starts = range(sum(map(len, done)), count, size)
    jobs = [
        _Job(
            simulator,
            parameters.packed([part[start : start + size] for part in parts]),
            len(rows[start : start + size]),
            None if seed is None else int(base.pair([*_ints(seed), start])[0]),
            one_by_one=batch_size is None,
        )
        for start in starts
    ]
    silent = verbose in (0, "0")
    bar = keras.utils.Progbar(count, verbose=0 if silent else 1)
    every = -(-len(jobs) // SAVES)
    try:
        for i, x in enumerate(_results(jobs, workers)):
            done.append(x)
            bar.update(sum(map(len, done)), finalize=i + 1 == len(jobs))
            if (i + 1) % every == 0:
                _write(path, rows, done, size)
    finally:  # what was simulated before an error or Ctrl-C is kept
        _write(path, rows, done, size)
    return np.concatenate(done)


def _write(
    path: Path | None, rows: np.ndarray, done: list[np.ndarray], size: int
) -> None:
    if path is None or not done:
        return
    with _files.replacing(path) as temporary, temporary.open("wb") as out:
        np.savez(out, theta=rows, x=np.concatenate(done), batch_size=size)


class _Job:
    """One call of a simulator, which another process can make.

    Args:
        simulator: The simulator.
        theta: Its parameters.
        count: How many they are.
        seed: Its seed, or `None`.
        one_by_one: Whether it takes the parameters of one simulation.
    """

    def __init__(
        self,
        simulator: Callable[..., Any],
        theta: Any,
        count: int,
        seed: int | None,
        *,
        one_by_one: bool,
    ) -> None:
        self.simulator, self.theta, self.count = simulator, theta, count
        self.seed, self.one_by_one = seed, one_by_one

    def __call__(self) -> np.ndarray:
        """Return the data, `[count, ...]`."""
        rng = np.random.default_rng(self.seed)
        seeds = rng.integers(2**31 - 1, size=self.count).tolist()
        if self.one_by_one:
            found = [
                _numbers(self._call(_item(self.theta, i), seeds[i]))
                for i in range(self.count)
            ]
            return np.stack(found)
        x = _numbers(self._call(self.theta, seeds[0]))
        if x.ndim == 0 or len(x) != self.count:
            msg = (
                f"`simulator` must return {self.count} rows for {self.count} "
                f"parameters, got shape {x.shape}. For a simulator of one simulation "
                "pass batch_size=None."
            )
            raise ValueError(msg)
        return x

    def _call(self, theta: Any, seed: int) -> Any:
        if _takes_seed(self.simulator):
            return self.simulator(theta, seed=seed)
        return self.simulator(theta)


def _numbers(found: Any) -> np.ndarray:
    """Return what a simulator made, if it is numbers."""
    try:
        x = np.asarray(found)
    except ValueError:  # lists of several lengths
        x = np.asarray(None)
    if x.dtype.kind not in "fiub":
        what = "lists of several lengths, or None" if x.dtype.kind == "O" else x.dtype
        msg = (
            f"`simulator` must return numbers, got {what}. Return an array of floats "
            "or integers."
        )
        raise TypeError(msg)
    return x


def _item(theta: Any, i: int) -> Any:
    return tf.nest.map_structure(lambda part: part[i], theta)


def _takes_seed(simulator: Callable[..., Any]) -> bool:
    try:
        return "seed" in inspect.signature(simulator).parameters
    except (TypeError, ValueError):
        return False


def _ints(seed: Any) -> list[int]:
    return [int(v) for v in np.atleast_1d(seed)]


def _results(jobs: list[_Job], workers: int) -> Iterator[np.ndarray]:
    """Yield the results of jobs in order."""
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield job()
        return
    # Forked processes of TensorFlow hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        yield from pool.map(_Job.__call__, jobs)


def _read(path: Path, rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Return what a file holds of a simulation that stopped."""
    if path.suffix != ".npz":
        msg = f"`file` must end in .npz, got {path.name!r}."
        raise ValueError(msg)
    if not path.exists():
        return []
    archive, names = archives.Archive(path), ("theta", "x", "batch_size")
    is_whole = set(archive.members) >= set(names)
    found = archive.read(names) if is_whole else {}
    is_same = set(found) == set(names) and np.array_equal(found["theta"], rows)
    if not is_same or not np.array_equal(found["batch_size"], size):
        msg = (
            f"`file` {path.name!r} holds another simulation, of other parameters "
            "or batches. Pass the same prior, n, batch_size and seed, or another "
            "file."
        )
        raise ValueError(msg)
    return [found["x"]] if len(found["x"]) else []
