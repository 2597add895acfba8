"""The real tables that densities are compared on, as `(train, test)` pairs.

They need NumPy alone: the processes of peers load them without this library.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["DATA", "NAMES", "folds"]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NAMES = ("red", "white", "miniboone", "power", "galaxies", "bsds")
Pair = tuple[np.ndarray, np.ndarray]


def _load(path: str) -> dict[str, np.ndarray]:
    with np.load(DATA / path, allow_pickle=False) as found:
        return dict(found)


def _in_units(train: np.ndarray, test: np.ndarray) -> Pair:
    """Return both parts, z-scored with the training rows."""
    loc, scale = train.mean(axis=0), train.std(axis=0)
    return (train - loc) / scale, (test - loc) / scale


def _patches(part: str, seed: int, rows: int) -> np.ndarray:
    pixels = _load(f"bsds300_patches/{part}.npz")["u8"]
    noise = np.random.RandomState(seed).uniform(size=pixels.shape)
    x = ((pixels + noise) / 256.0)[:rows]
    return (x - x.mean(axis=1, keepdims=True))[:, :-1]


def _toy(rng: np.random.Generator) -> Pair:
    mixing = np.array([[1.0, 0.0], [0.8, 0.3]])
    train, test = rng.gamma(2.0, size=(300, 2)), rng.gamma(2.0, size=(100, 2))
    return train @ mixing.T, test @ mixing.T


def folds(name: str, rows: int | None = None) -> Iterator[Pair]:
    """Go through the training and the test rows of each fold of a table.

    Args:
        name: One of `NAMES`, or `"toy"` for a small law without files.
        rows: Most training rows, the first ones; `None` for all.
    """
    if name == "toy":
        pairs: list[Pair] = [_toy(np.random.default_rng(0))]
    elif name in ("red", "white"):
        wine = _load(f"uci_density/{name}_wine.npz")
        fold = wine["fold"]
        numbers = np.unique(fold)
        pairs = [_in_units(wine["x"][fold != k], wine["x"][fold == k]) for k in numbers]
    elif name == "miniboone":
        x = _load("miniboone_maf/val.npz")["x"]
        x = x[np.random.RandomState(0).permutation(len(x))]
        pairs = [(x[len(x) // 10 :], x[: len(x) // 10])]
    elif name == "power":
        power = _load("power_34d/trainval.npz")
        pairs = [(power["train"], power["val"])]
    elif name == "galaxies":
        x = _load("galaxies/train.npz")["x"].astype(np.float64)
        pairs = [_in_units(x[:45_000], x[45_000:])]
    else:
        most = len(_load("bsds300_patches/train.npz")["u8"]) if rows is None else rows
        pairs = [(_patches("train", 1, most), _patches("val", 2, 10_000))]
    for train, test in pairs:
        yield train[:rows].astype(np.float32), test.astype(np.float32)
