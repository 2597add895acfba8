"""Training and test rows of the tables that densities are compared on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

__all__ = ["NAMES", "Fold", "folds"]

NAMES = (
    "red",
    "white",
    "ionosphere",
    "miniboone",
    "power",
    "galaxies",
    "higgs",
    "bsds",
)
Pair = tuple[np.ndarray, np.ndarray]


class Fold(NamedTuple):
    """A fold: rows, and which of them were equal before there was noise."""

    train: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None
    test_groups: np.ndarray | None = None


def _standardized(train: np.ndarray, test: np.ndarray) -> Pair:
    loc, scale = train.mean(axis=0), train.std(axis=0)
    return (train - loc) / scale, (test - loc) / scale


def rounding_step(column: np.ndarray) -> float:
    """Return the most frequent distance of neighbouring distinct values."""
    digits = 6  # float32 holds these of the wines
    values = np.unique(np.round(column.astype(np.float64), digits))
    steps, counts = np.unique(np.round(np.diff(values), digits), return_counts=True)
    return float(steps[np.argmax(counts)])


def wines(color: str, protocol: str) -> Iterator[Fold]:
    """Go through the folds of a wine table; see the head of this file."""
    from tfp_flows import datasets

    table = datasets.wine(color)
    steps = np.array([rounding_step(column) for column in table.x.T])
    for number in range(10):
        parts = table.split(number, distinct=protocol == "distinct")
        raw = [part.x.astype(np.float64) for part in parts]
        _, groups = np.unique(np.concatenate(raw), axis=0, return_inverse=True)
        groups = groups.ravel()
        if protocol == "distinct":
            rng = np.random.default_rng(number)
            raw = [x + steps * rng.uniform(-0.5, 0.5, x.shape) for x in raw]
        count = len(raw[0])
        yield Fold(*_standardized(*raw), groups[:count], groups[count:])


def _patches(pixels: np.ndarray, seed: int, rows: int | None) -> np.ndarray:
    noise = np.random.RandomState(seed).uniform(size=pixels.shape)
    x = ((pixels + noise) / 256.0)[:rows]
    return (x - x.mean(axis=1, keepdims=True))[:, :-1]


def folds(name: str, args: argparse.Namespace) -> Iterator[Fold]:
    """Go through the training and the test rows of each fold of a table."""

    def load(path: str) -> Any:
        return np.load(args.data / path, allow_pickle=False)

    if name in ("red", "white"):
        yield from wines(name, args.protocol)
        return
    if name == "toy":
        rng, mixing = np.random.default_rng(0), np.array([[1.0, 0.0], [0.8, 0.3]])
        train, test = (rng.gamma(2.0, size=(n, 2)) @ mixing.T for n in (300, 100))
    elif name == "ionosphere":
        found = load("uci_density/ionosphere.npz")
        for number in range(10):
            is_test = found["fold"] == number
            yield Fold(*_standardized(found["x"][~is_test], found["x"][is_test]))
        return
    elif name == "miniboone":
        x = load("miniboone_maf/val.npz")["x"]
        x = x[np.random.RandomState(0).permutation(len(x))]
        train, test = x[len(x) // 10 :], x[: len(x) // 10]
    elif name == "power":
        power = load("power_34d/trainval.npz")
        train, test = power["train"], power["val"]
    elif name == "galaxies":
        x = load("galaxies/train.npz")["x"].astype(np.float64)
        train, test = _standardized(x[:45_000], x[45_000:])
    elif name == "higgs":
        x = load("higgs_7k/train.npz")["x"].astype(np.float64)
        x = x[np.random.RandomState(0).permutation(len(x))]
        train, test = _standardized(x[700:], x[:700])
    else:
        pixels = (load(f"bsds300_patches/{k}.npz")["u8"] for k in ("train", "val"))
        counts = (args.patches, 10_000)
        train, test = (
            _patches(part, seed, rows)
            for part, seed, rows in zip(pixels, (1, 2), counts, strict=True)
        )
    yield Fold(train, test)
