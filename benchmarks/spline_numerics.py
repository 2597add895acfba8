"""Count what is not finite, and measure rounding, in rational-quadratic splines.

Every spline maps [-5, 5] in float32 with logits of scale 1, 5 and 20. Finiteness:
value, log-det, and the gradients of both with respect to input and logits, in both
directions, at random inputs, at +-5, one ulp outside, +-1e30 and +-inf (where the value
is to be infinite and all else finite); the table counts the numbers that fail.

Backward error: the smallest `e` for which the exact map, after moving its input by at
most `e` ulp and then its output by at most `e` ulp, gives the float32 result. An ulp is
the spacing of float32 at the end of the range, 4.8e-7. For the inverse the same is
asked of the pair (result, input). "Exact" is float64, in one of two senses: with the
same float32 knots and slopes (column `knots`: the formula alone), or with the same
float32 logits (column `logits`: knots and slopes are made in float64 too, so that their
rounding counts). The error of the log-det is against float64 at the same input and
logits, in nats; it also holds what the map does to a rounded input, so no formula can
make it zero.

The rivals: `textbook`, the formula of the paper with the root `2c / (-b - sqrt(b^2 -
4ac))`, softmax bins and softplus slopes of at least 1e-3; the same formula on the knots
of this library (`textbook, our knots`); and distrax, in an environment of its own that
`--distrax` names. Since each makes other splines from equal logits, only the first and
the third see the same splines.

Run `python benchmarks/spline_numerics.py` (about two minutes). `python
benchmarks/speed/environments.py FOLDER distrax` makes an environment for distrax, whose
Python `FOLDER/distrax/bin/python` is what `--distrax` takes.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import _report
import numpy as np
import tensorflow as tf

from tfp_flows.math.splines import rational_quadratic, tails

BOUND = 5.0
SCALES = (1.0, 5.0, 20.0)
BINS = (8, 32)
ULP = float(np.spacing(np.float32(BOUND)))
BAR = 32.0
MINIMUM = 1e-3
COLUMNS = ("fwd knots", "inv knots", "fwd logits", "inv logits", "fwd log-det", "inv")

Tables = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class Rival(NamedTuple):
    """A spline: logits to knots and slopes, and the formula on those.

    Attributes:
        tables: From logits `[P, n]` to knots, knots and slopes, bin axis first.
        apply: From positions, tables and `inverse` to value and log-det.
        compiled: Whether to run through XLA.
        direct: From positions, logits, bins and `inverse` to value and log-det, where
            no tables are made in between.
    """

    tables: Callable[[tf.Tensor, int], Tables]
    apply: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    compiled: bool = False
    direct: Callable[..., tuple[tf.Tensor, tf.Tensor]] | None = None


def our_tables(logits: tf.Tensor, bins: int) -> Tables:
    """Make knots and slopes as the library does."""
    return tails.spline_parameters(logits, bins, -BOUND, BOUND, "identity")


def our_apply(
    value: tf.Tensor, tables: Tables, *, inverse: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate as the library does."""
    return tails.apply_spline(value, *tables, "identity", inverse=inverse)


def our_direct(
    value: tf.Tensor, logits: tf.Tensor, bins: int, *, inverse: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate as coupling and autoregressive maps do, one spline per scalar."""
    limits = (-BOUND, BOUND)
    return tails.apply_logits(value, logits, bins, limits, "identity", inverse=inverse)


def textbook_tables(logits: tf.Tensor, bins: int) -> Tables:
    """Make knots by softmax and slopes by softplus, as in the paper's code."""
    widths, heights, inner = tf.split(logits, [bins, bins, bins - 1])

    def knots(part: tf.Tensor) -> tf.Tensor:
        sizes = MINIMUM + (1.0 - MINIMUM * bins) * tf.nn.softmax(part, axis=0)
        ends = (tf.constant(end, logits.dtype) for end in (-BOUND, BOUND))
        return rational_quadratic.knots(sizes, *ends)

    slopes = MINIMUM + tf.nn.softplus(inner)
    one = tf.ones_like(inner[:1])
    return knots(widths), knots(heights), tf.concat([one, slopes, one], axis=0)


def distrax_tables(logits: tf.Tensor, bins: int) -> Tables:
    """Make knots and slopes as distrax does, for its reference in float64."""
    widths, heights, inner = tf.split(logits, [bins, bins, bins - 1])

    def knots(part: tf.Tensor) -> tf.Tensor:
        share = (1.0 - MINIMUM * bins) * tf.nn.softmax(part, axis=0)
        ends = (tf.constant(end, logits.dtype) for end in (-BOUND, BOUND))
        return rational_quadratic.knots(MINIMUM + share, *ends)

    offset = tf.math.log(tf.math.expm1(tf.constant(1.0 - MINIMUM, logits.dtype)))
    slopes = MINIMUM + tf.nn.softplus(inner + offset)
    one = tf.ones_like(inner[:1])
    return knots(widths), knots(heights), tf.concat([one, slopes, one], axis=0)


def textbook_apply(
    value: tf.Tensor, tables: Tables, *, inverse: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate equations 4 to 8 of the paper as they stand."""
    x_knots, y_knots = tables[:2]
    inside = tf.abs(value) <= BOUND
    clipped = tf.clip_by_value(value, -BOUND, BOUND)
    source = y_knots if inverse else x_knots
    place = tf.reduce_sum(tf.cast(clipped >= source[1:-1], tf.int32), axis=0)

    def pick(table: tf.Tensor, shift: int) -> tf.Tensor:
        return tf.gather(tf.transpose(table), place + shift, batch_dims=1)

    x0, y0, d0 = (pick(t, 0) for t in tables)
    x1, y1, d1 = (pick(t, 1) for t in tables)
    w, h = x1 - x0, y1 - y0
    s = h / w
    total = d0 + d1 - 2.0 * s
    if inverse:
        step = clipped - y0
        a = step * total + h * (s - d0)
        b = h * d0 - step * total
        c = -s * step
        xi = 2.0 * c / (-b - tf.sqrt(b * b - 4.0 * a * c))
        out = xi * w + x0
    else:
        xi = (clipped - x0) / w
        out = y0 + h * (s * xi**2 + d0 * xi * (1 - xi)) / (s + total * xi * (1 - xi))
    den = s + total * xi * (1 - xi)
    num = s**2 * (d1 * xi**2 + 2 * s * xi * (1 - xi) + d0 * (1 - xi) ** 2)
    log_det = tf.math.log(num) - 2 * tf.math.log(den)
    log_det = -log_det if inverse else log_det
    out = tf.where(inside, out, value)
    return out, tf.where(inside, log_det, tf.zeros_like(log_det))


def distrax_like(
    python: Path, value: tf.Tensor, logits: tf.Tensor, *, inverse: bool
) -> list[np.ndarray]:
    """Return value, log-det, and the gradients of both, of distrax."""
    given = {
        "value": value.numpy(),
        "logits": logits.numpy(),
        "inverse": inverse,
        "bound": BOUND,
        "minimum": MINIMUM,
    }
    with tempfile.TemporaryDirectory() as folder:
        source, target = (Path(folder) / name for name in ("in.npz", "out.npz"))
        np.savez(source, **given)
        script = Path(__file__).with_name("_distrax.py")
        subprocess.run([python, script, source, target], check=True)
        with np.load(target) as found:
            return [found[f"arr_{i}"] for i in range(6)]


RIVALS = {
    "tfp_flows": Rival(our_tables, our_apply),
    "tfp_flows, XLA": Rival(our_tables, our_apply, compiled=True),
    "tfp_flows, search": Rival(our_tables, our_apply, direct=our_direct),
    "the same, XLA": Rival(our_tables, our_apply, compiled=True, direct=our_direct),
    "textbook, our knots": Rival(our_tables, textbook_apply),
    "textbook": Rival(textbook_tables, textbook_apply),
}


def evaluated(
    rival: Rival, value: tf.Tensor, logits: tf.Tensor, bins: int, *, inverse: bool
) -> list[np.ndarray]:
    """Return value, log-det, and the gradients of both for input and logits."""

    def run(value: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([value, logits])
            if rival.direct is None:
                out = rival.apply(value, rival.tables(logits, bins), inverse=inverse)
            else:
                out = rival.direct(value, logits, bins, inverse=inverse)
        gradients = [tape.gradient(o, [value, logits]) for o in out]
        return [*out, *gradients[0], *gradients[1]]

    if rival.compiled:
        run = tf.function(run, jit_compile=True, autograph=False)
    return [t.numpy() for t in run(value, logits)]


def failures(value: np.ndarray, results: list[np.ndarray]) -> int:
    """Count results that are not finite, an infinite value of infinite input apart."""
    out, *others = results
    wrong = np.where(np.isfinite(value), ~np.isfinite(out), out != value).sum()
    return int(wrong + sum((~np.isfinite(o)).sum() for o in others))


def backward_error(
    exact: Callable[[np.ndarray], np.ndarray], x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Return the smallest error, in ulp, that explains `y = exact(x)`.

    Args:
        exact: An increasing map in float64.
        x: Positions in the domain.
        y: Positions in the codomain.

    Returns:
        Array like `x`; infinite where a position is not finite.
    """
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = (
        np.where(finite, x, 0.0).astype(float),
        np.where(finite, y, 0.0).astype(float),
    )

    def explained(error: np.ndarray) -> np.ndarray:
        step = error * ULP
        return (exact(x - step) - step <= y) & (y <= exact(x + step) + step)

    low, high = np.zeros_like(x), np.full_like(x, 4 * BOUND / ULP)
    for _ in range(50):
        middle = 0.5 * (low + high)
        good = explained(middle)
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return np.where(finite, high, np.inf)


@tf.function(autograph=False, reduce_retracing=True)
def exact_forward(x: tf.Tensor, *tables: tf.Tensor) -> tf.Tensor:
    """Evaluate by the form that loses nothing, compiled for many calls."""
    return our_apply(x, tables, inverse=False)[0]


def in_float64(tables: Tables) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map with these knots and slopes in float64."""
    exact = [tf.cast(t, tf.float64) for t in tables]
    return lambda x: exact_forward(tf.constant(x), *exact).numpy()


def errors(
    rival: Rival | Path, value: tf.Tensor, logits: tf.Tensor, bins: int
) -> list[float]:
    """Return the columns of one line, of a rival or of distrax under a Python."""
    exact_logits = tf.cast(logits, tf.float64)
    make = distrax_tables if isinstance(rival, Path) else rival.tables
    exact_tables = make(exact_logits, bins)
    out: list[list[float]] = [[], [], []]
    for inverse in (False, True):
        if isinstance(rival, Path):
            results = distrax_like(rival, value, logits, inverse=inverse)
            own = None
        else:
            results = evaluated(rival, value, logits, bins, inverse=inverse)
            # Under XLA, or without tables, the knots are not to be had.
            hidden = rival.compiled or rival.direct is not None
            tables = None if hidden else rival.tables(logits, bins)
            own = None if tables is None else in_float64(tables)
        pair = (value.numpy(), results[0])
        pair = pair[::-1] if inverse else pair
        out[0].append(np.nan if own is None else backward_error(own, *pair).max())
        out[1].append(backward_error(in_float64(exact_tables), *pair).max())
        truth = our_apply(
            tf.cast(value, tf.float64), exact_tables, inverse=inverse
        )[1].numpy()  # fmt: skip
        gap = np.abs(results[1] - truth)
        out[2].append(np.where(np.isfinite(gap), gap, np.inf).max())
    return [*out[0], *out[1], *out[2]]


def inputs(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return positions within the range, and positions at its ends and far away."""
    inside = rng.uniform(-BOUND, BOUND, count).astype(np.float32)
    end = np.float32(BOUND)
    far = np.array([end, np.nextafter(end, np.float32(9)), 1e30, np.inf], np.float32)
    edges = np.concatenate([far, -far, np.nextafter([end, -end], np.float32(0))])
    return inside, np.resize(edges.astype(np.float32), max(count // 10, len(edges)))


def logits_of(
    bins: int, scale: float, count: int, rng: np.random.Generator
) -> tf.Tensor:
    """Return normal logits of a scale, `[P, count]`."""
    return tf.constant(scale * rng.standard_normal((3 * bins - 1, count)), tf.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--distrax", type=Path, help="a Python that has distrax")
    parser.add_argument("--only", nargs="+", help="names of the splines to measure")
    args = parser.parse_args(arguments)
    count = 20 if args.smoke else 20_000
    rivals: dict[str, Rival | Path] = dict(RIVALS)
    if args.distrax is not None:
        rivals["distrax"] = args.distrax
    if args.only:
        rivals = {name: rivals[name] for name in args.only}
    _report.header("rational-quadratic splines in float32")
    heads = "".join(f"{c:>12}" for c in COLUMNS)
    print(f"{'spline':20}{'K':>3}{'scale':>6}{'failures':>9}{heads}")
    worst = [0.0, 0.0, 0.0]
    for name, rival in rivals.items():
        for bins in BINS[:1] if args.smoke else BINS:
            for scale in SCALES[-1:] if args.smoke else SCALES:
                rng = np.random.default_rng(0)
                inside, edges = inputs(count, rng)
                every = tf.constant(np.concatenate([inside, edges]))
                params = logits_of(bins, scale, len(every), rng)
                bad = 0
                for inverse in (False, True):
                    if isinstance(rival, Path):
                        results = distrax_like(rival, every, params, inverse=inverse)
                    else:
                        results = evaluated(rival, every, params, bins, inverse=inverse)
                    bad += failures(every.numpy(), results)
                value = tf.constant(inside)
                found = errors(rival, value, params[:, :count], bins)
                cells = "".join(f"{_number(v):>12}" for v in found)
                print(f"{name:20}{bins:3d}{scale:6.0f}{bad:9d}{cells}", flush=True)
                if name.startswith(("tfp_flows", "the same")):
                    new = [bad, np.nanmax([0.0, *found[:2]]), max(found[2:4])]
                    worst = [max(pair) for pair in zip(worst, new, strict=True)]
    print(
        f"tfp_flows: failures {worst[0]:.0f} (0: {_report.verdict(worst[0], 0)}), "
        f"backward error at most {worst[1]:.1f} ulp from knots "
        f"({BAR:.0f}: {_report.verdict(worst[1], BAR)}) and {worst[2]:.1f} ulp from "
        f"logits ({BAR:.0f}: {_report.verdict(worst[2], BAR)})"
    )


def _number(value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.1f}" if 0.1 <= value < 1e4 else f"{value:.1e}"


if __name__ == "__main__":
    main()
