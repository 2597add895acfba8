"""The works that are timed, and what the libraries share to do them.

Everything here runs in every peer's environment: the standard library and NumPy only.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = [
    "BY_NAME",
    "FAMILIES",
    "LEVELS",
    "SMOKE",
    "WORKS",
    "Model",
    "Skip",
    "Work",
    "data",
    "masks",
    "parameters",
    "pictures",
]

BOUND = 5.0
LEARNING_RATE = 1e-3
# How many different splines there are; the timed ones repeat them.
SPLINES = 4096
# Of Glow: its pictures are halved so often.
LEVELS = 3
# Flows that few libraries have; a peer that has some makes them by `family`.
FAMILIES = ("planar", "bnaf", "cnf")
# Error of a step of continuous flows, absolute and relative.
TOLERANCE = 1e-5
# Cosines, and sines, of the time that the field of a continuous flow sees.
FREQUENCIES = 2


class Skip(Exception):
    """A library cannot do a work; the message says why."""


@dataclasses.dataclass(frozen=True)
class Work:
    """One thing to do.

    Args:
        name: What `--works` calls it.
        kind: `"spline-coupling"`, `"affine-coupling"`, `"maf"`, `"iaf"`, `"glow"`,
            `"spline"`, or one of `FAMILIES`.
        size: Number of coordinates; for `"glow"` the side of pictures.
        layers: Number of layers, for `"glow"` of steps in each of three levels.
        hidden: Widths of the conditioner. Residual networks: the first product, then
            one block of two products for each further entry. `"bnaf"`: units of each
            coordinate.
        bins: Bins of the splines.
        batch: Events per call; for `"spline"` the number of scalars.
        dtype: Type of all numbers.
        ops: What is timed.
    """

    name: str
    kind: str
    size: int = 1
    layers: int = 0
    hidden: tuple[int, ...] = ()
    bins: int = 0
    batch: int = 512
    dtype: str = "float32"
    ops: tuple[str, ...] = ("log_prob", "sample", "step")

    @property
    def residual(self) -> bool:
        """Whether the conditioners are residual networks."""
        return self.kind == "spline-coupling"

    @property
    def per_scalar(self) -> int:
        """Numbers that a conditioner gives for each scalar."""
        return 3 * self.bins - 1 if self.bins else 2


@dataclasses.dataclass
class Model:
    """What a peer answers for a work.

    Args:
        ops: By name: a call that does the work once and returns when it is done, or
            several such calls by name, of which the fastest is taken.
        parameters: Number of trainable numbers; 0 where there is no network.
        wanted: What that number must be; `None` for `parameters(work)`.
        outputs: Results of the splines to compare, by name.
        skipped: Ops that the library cannot do, and why.
        note: What its architecture forces to be different.
    """

    ops: Mapping[str, Callable[[], Any] | dict[str, Callable[[], Any]]]
    parameters: int = 0
    wanted: int | None = None
    outputs: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)
    note: str = ""


def spline(bins: int, batch: int, dtype: str) -> Work:
    """Return the work of splines alone, one for each scalar."""
    name = f"spline-{bins}" + ("-64" if dtype == "float64" else "")
    ops = ("forward", "inverse", "gradient")
    return Work(name, "spline", bins=bins, batch=batch, dtype=dtype, ops=ops)


def works(*items: Work) -> dict[str, Work]:
    """Return works by name."""
    return {item.name: item for item in items}


def glow(steps: int, side: int = 32, hidden: int = 64, batch: int = 64) -> Work:
    """Return the work of Glow: networks of three convolutions, 3 x 3, 1 x 1, 3 x 3."""
    return Work(f"glow-{steps}", "glow", side, steps, (hidden,) * 2, batch=batch)


# Samples and their gradient.
SAMPLING = ("sample", "sample_gradient")
WORKS = works(
    Work("coupling-6", "spline-coupling", 6, 10, (256,) * 3, bins=8),
    Work("coupling-63", "spline-coupling", 63, 10, (128,) * 3, bins=8),
    Work("realnvp-64", "affine-coupling", 64, 10, (256,) * 2),
    Work("maf-21", "maf", 21, 5, (512,) * 2),
    Work("maf-64", "maf", 64, 5, (512,) * 2, batch=128, ops=SAMPLING),
    Work("maf-256", "maf", 256, 1, (512,) * 2, batch=128, ops=SAMPLING),
    Work("iaf-21", "iaf", 21, 5, (512,) * 2),
    glow(4),
    # At 128 bins the parameters of 1e6 scalars would fill the memory of all workers.
    *(
        spline(bins, batch, dtype)
        for dtype in ("float32", "float64")
        for bins, batch in ((8, 1_000_000), (32, 1_000_000), (128, 100_000))
    ),
)
# By name only.
BY_NAME = works(
    glow(8),
    glow(16),
    Work("planar-6", "planar", 6, 16),
    Work("bnaf-6", "bnaf", 6, 2, (16,) * 2),
    Work("cnf-6", "cnf", 6, 1, (64,) * 2),
)
SMOKE = works(
    Work("coupling-4", "spline-coupling", 4, 2, (8,) * 2, bins=4, batch=16),
    Work("realnvp-4", "affine-coupling", 4, 2, (8,) * 2, batch=16),
    Work("maf-3", "maf", 3, 2, (8,) * 2, batch=16),
    Work("iaf-3", "iaf", 3, 2, (8,) * 2, batch=16),
    Work("sampling-3", "maf", 3, 2, (8,) * 2, batch=16, ops=SAMPLING),
    glow(1, side=8, hidden=4, batch=2),
    Work("planar-3", "planar", 3, 2, batch=16),
    spline(4, SPLINES, "float32"),
)


def data(work: Work) -> np.ndarray:
    """Return a batch of events."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(work.batch, work.size)).astype(work.dtype)


def pictures(work: Work) -> np.ndarray:
    """Return a batch of raw pixels with noise, `[N, side, side, 3]`."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(40, 200, work.size)[:, np.newaxis, np.newaxis]
    x = ramp + 20 * rng.normal(size=(work.batch, work.size, work.size, 3))
    return np.clip(x, 0, 255).astype(work.dtype)


def masks(work: Work) -> list[list[bool]]:
    """Return what each coupling layer keeps: the first half, the second, and so on."""
    first = [i < (work.size + 1) // 2 for i in range(work.size)]
    second = [not keep for keep in first]
    return [second if i % 2 else first for i in range(work.layers)]


def halves(work: Work) -> list[tuple[int, int]]:
    """Return how many coordinates each coupling layer keeps and changes."""
    return [(sum(mask), work.size - sum(mask)) for mask in masks(work)]


def products(inputs: int, outputs: int, work: Work) -> list[tuple[int, int]]:
    """Return the shapes `(out, in)` of the products of one conditioner."""
    blocks = 2 if work.residual else 1
    hidden = [pair[::-1] for pair in itertools.pairwise(work.hidden)]
    inner = [shape for shape in hidden for _ in range(blocks)]
    return [(work.hidden[0], inputs), *inner, (outputs, work.hidden[-1])]


def shapes(work: Work, per_scalar: int | None = None) -> list[list[tuple[int, int]]]:
    """Return the products of the conditioner of each layer."""
    width = per_scalar or work.per_scalar
    if work.kind in ("maf", "iaf"):
        return [products(work.size, work.size * width, work)] * work.layers
    return [products(kept, changed * width, work) for kept, changed in halves(work)]


def parameters(work: Work, per_scalar: int | None = None) -> int:
    """Return the number of weights and biases of all conditioners."""
    flat = [shape for layer in shapes(work, per_scalar) for shape in layer]
    return sum(rows * (columns + 1) for rows, columns in flat)


@dataclasses.dataclass
class Knots:
    """Splines to be evaluated by all libraries, `[N, ...]`.

    Args:
        x: Where, `[N]`; few lie outside the range.
        widths: Widths relative to the range, `[N, K]`.
        heights: Heights relative to the range, `[N, K]`.
        slopes: Derivatives at the inner knots, `[N, K - 1]`.
    """

    x: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    slopes: np.ndarray


def field(work: Work) -> list[np.ndarray]:
    """Return weights of a velocity, equal for all libraries: no solver has more to do.

    For each hidden layer a kernel, a bias and a kernel of features of the time; then
    the kernel and the bias of the head.
    """
    rng = np.random.default_rng(4)
    features, arrays = 1 + 2 * FREQUENCIES, []
    for before, after in itertools.pairwise((work.size, *work.hidden)):
        arrays += [
            rng.normal(size=(after, before)) / before**0.5,
            rng.normal(size=after),
            rng.normal(size=(after, features)) / features**0.5,
        ]
    arrays.append(
        rng.normal(size=(work.size, work.hidden[-1])) / work.hidden[-1] ** 0.5
    )
    arrays.append(np.zeros(work.size))
    return [array.astype(work.dtype) for array in arrays]


def repeat(values: np.ndarray, work: Work) -> np.ndarray:
    """Return values `[SPLINES, ...]` repeated to the size of the work, in its type."""
    times = -(-work.batch // len(values))
    tiled = np.tile(values, (times,) + (1,) * (values.ndim - 1))
    return np.ascontiguousarray(tiled[: work.batch].astype(work.dtype))


def positions() -> np.ndarray:
    """Return where the splines are evaluated, in both directions."""
    return np.random.default_rng(2).normal(size=SPLINES) * (BOUND / 2.5)


def softmax_logits(sizes: np.ndarray, minimum: float) -> np.ndarray:
    """Return logits of sizes `minimum + (1 - minimum * K) * softmax(logits)`."""
    bins = sizes.shape[-1]
    return np.log((sizes - minimum) / (1 - minimum * bins))


def softplus_inverse(values: np.ndarray) -> np.ndarray:
    """Return the numbers whose softplus is given."""
    return values + np.log(-np.expm1(-values))
