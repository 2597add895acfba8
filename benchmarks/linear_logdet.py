"""Compare the log-det of triangular factors with that of the dense matrix.

For D = 512, prints the log-det of `LU`, `TriangularAffine` and `LowRankAffine`, that of
`tf.linalg.slogdet` of the same matrix, the time of both, and the ratio. Times are
medians over interleaved rounds of graph functions that read the variables anew in each
call, as a training step does. The second group of times is for the gradient with
respect to the variables.

Run `python benchmarks/linear_logdet.py` (ten seconds).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import _report
import tensorflow as tf

from tfp_flows.bijectors.linear import lu, triangular
from tfp_flows.testing import perturb

SIZE = 512
ROUNDS = 15
CALLS = 5
BATCH = 1


Map = lu.LU | triangular.TriangularAffine | triangular.LowRankAffine


def build() -> dict[str, Map]:
    """Return the maps, away from the identity but far from singular."""
    maps = {
        "LU": lu.LU.trainable(SIZE, init="orthogonal", seed=1),
        "TriangularAffine": triangular.TriangularAffine.trainable(SIZE),
        "LowRankAffine": triangular.LowRankAffine.trainable(SIZE, rank=4, seed=1),
    }
    for bijector in maps.values():
        perturb(bijector, 0.01, seed=2)
    return maps


def with_gradient(
    log_det: Callable[[], tf.Tensor], variables: tuple[tf.Variable, ...]
) -> Callable[[], list[tf.Tensor]]:
    """Return a function of no arguments that differentiates a log-det."""

    def gradient() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            value = log_det()
        found = tape.gradient(value, variables)
        return [g for g in found if g is not None]

    return gradient


def seconds(
    functions: dict[str, Callable[[], object]], rounds: int
) -> dict[str, float]:
    """Return median times of compiled functions, measured in turns."""
    compiled = {key: tf.function(f, autograph=False) for key, f in functions.items()}
    times: dict[str, list[float]] = {key: [] for key in functions}
    for function in compiled.values():
        function()
    for _ in range(rounds):
        for key, function in compiled.items():
            for _ in range(CALLS):
                start = time.perf_counter()
                tf.nest.map_structure(lambda tensor: tensor.numpy(), function())
                times[key].append(time.perf_counter() - start)
    return {key: statistics.median(values) for key, values in times.items()}


def row(name: str, bijector: Map, rounds: int) -> str:
    """Return one line of the table."""
    x = tf.zeros([BATCH, SIZE])

    def ours() -> tf.Tensor:
        return bijector.forward_log_det_jacobian(x, event_ndims=1)

    def dense() -> tf.Tensor:
        return tf.linalg.slogdet(bijector.matrix())[1]

    functions = {"ours": ours, "dense": dense}
    variables = bijector.trainable_variables
    value = seconds(functions, rounds)
    gradients = {k: with_gradient(f, variables) for k, f in functions.items()}
    gradient = seconds(gradients, rounds)
    found, expected = float(ours()[0]), float(dense())
    line = f"{name:18}{found:10.5f}{expected:10.5f}{abs(found - expected):9.1e}"
    for times in (value, gradient):
        ratio = times["dense"] / times["ours"]
        line += f"{1e6 * times['ours']:10.0f}{1e6 * times['dense']:10.0f}{ratio:7.1f}"
    return line


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    args = _report.parser(__doc__).parse_args(arguments)
    _report.header(f"log-dets of linear maps, D = {SIZE}")
    print(
        f"{'map':18}{'log-det':>10}{'slogdet':>10}{'error':>9}"
        f"{'us':>10}{'dense us':>10}{'ratio':>7}"
        f"{'grad us':>10}{'dense us':>10}{'ratio':>7}"
    )
    for name, bijector in build().items():
        print(row(name, bijector, 1 if args.smoke else ROUNDS), flush=True)


if __name__ == "__main__":
    main()
