"""`tfp-flows sbi`: the posterior of an observation, from a file of simulations."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import catalog, files, output, quiet, ranges
from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets.archives import Archive

__all__ = ["add_parser", "read_pairs", "run"]

_ARRAYS = (".npz", ".npy", *files.TABLE_SUFFIXES)
# Simulations that --check leaves out of the fit, and draws of the posterior of each.
_CHECKED, _CHECK_DRAWS = 500, 200


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "sbi",
        help="the posterior of an observation, from simulations",
        description="Learn the posterior of an observation from a file of simulations: "
        "theta [N, D], what the prior drew, and x [N, ...], what was simulated. Prints "
        "mean, deviation and interval of each parameter.",
    )
    add = parser.add_argument
    add("simulations", metavar="SIMULATIONS.npz", help="file with `theta` and `x`")
    add(
        "--observation",
        metavar="FILE",
        required=True,
        help="one observation, of the shape of a row of `x`: .npy, .npz or a table",
    )
    add(
        "--bounds",
        metavar="LOW:HIGH,...",
        help="bounds of the prior: one for all parameters, or one for each, `:` for "
        "none; draws do not leave them",
    )
    add("--names", metavar="A,B,...", help="names of the parameters")
    add("-n", type=ranges.count, metavar="N", default=10_000, help="number of draws")
    add("--out", metavar="DRAWS", help=f"table of draws to write: {files.TABLES}")
    add(
        "--check",
        action="store_true",
        help="keep some simulations out of the fit, and see whether posteriors are "
        "calibrated",
    )
    add("--flow", metavar="NAME", help=f"default: {catalog.DEFAULT}")
    add("--epochs", type=ranges.count, metavar="N", help="upper bound of passes")
    add("--seed", type=ranges.seed, metavar="N", help="default: another fit each time")
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Fit, and print what the posterior is.

    Raises:
        UsageError: If the input is bad.
    """
    source = files.check_input(arguments.simulations, (".npz",))
    given = files.check_input(arguments.observation, _ARRAYS)
    out = files.check_table_output(arguments, [source, given])
    with explained(source):
        theta, x = read_pairs(source)
    observed = _observation(given, x.shape[1:])
    names = _names(arguments.names, theta.shape[1])
    bounds = _bounds(arguments.bounds, theta.shape[1])
    quiet.import_tensorflow()
    from tfp_flows import inference

    report = output.Report(arguments)
    held = min(_CHECKED, len(x) // 5) if arguments.check else 0
    with explained(source), output.noted(report, UserWarning):
        npe = inference.NPE(
            _prior(bounds, theta),
            arguments.flow or catalog.DEFAULT,
            seed=arguments.seed,
        )
        settings = {} if arguments.epochs is None else {"epochs": arguments.epochs}
        npe.fit(theta[: len(x) - held], x[: len(x) - held], verbose=0, **settings)
    with explained(given), output.noted(report, UserWarning):
        npe.posterior(observed)  # warns of an observation unlike the simulations
        draws = npe.draws(observed[None], arguments.n, arguments.seed)[0]
    report.line(
        f"{len(x) - held - npe.invalid} simulations, {npe.invalid} more left out",
        simulations=len(x) - held - npe.invalid,
        invalid=npe.invalid,
    )
    _summarize(report, names, draws)
    if held:
        _check(report, npe, names, theta[-held:], x[-held:], arguments.seed)
    if out is not None:
        output.write(out, draws, names)
        report.line(f"wrote {len(draws)} draws to {out}", draws=len(draws), out=out)
    report.end()


def _summarize(report: output.Report, names: list[str], draws: np.ndarray) -> None:
    import numpy as np

    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    width = max(9, *map(len, names))
    report.line(
        f"{'parameter':<{width}} {'mean':>10} {'sd':>10} {'5 %':>10} {'95 %':>10}"
    )
    report.facts["posterior"] = {}
    for i, name in enumerate(names):
        mean, sd = draws[:, i].mean(), draws[:, i].std()
        figures = "".join(f" {v:10.4g}" for v in (mean, sd, low[i], high[i]))
        report.line(f"{name:<{width}}{figures}")
        report.facts["posterior"][name] = {
            "mean": mean,
            "sd": sd,
            "quantiles": {"0.05": low[i], "0.95": high[i]},
        }


def _check(
    report: output.Report,
    npe: Any,
    names: list[str],
    theta: np.ndarray,
    x: np.ndarray,
    seed: int | None,
) -> None:
    import numpy as np

    from tfp_flows import diagnostics

    valid = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    draws = npe.draws(x[valid], _CHECK_DRAWS, seed)
    with explained("--check"):
        ranks = diagnostics.sbc(theta[valid], draws, names=names)
        cover = diagnostics.coverage(theta[valid], draws)
    p = {k: v.tolist() for k, v in ranks.p_values.items()}
    facts = {"calibrated": ranks.is_calibrated, "p_values": p}
    report.line(str(ranks), ranks=facts)
    facts = {"calibrated": cover.is_calibrated, "p_value": cover.p_value}
    report.line(str(cover), coverage=facts)


def read_pairs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return parameters `[N, D]` and data `[N, ...]` of a file.

    Raises:
        ValueError: If they are not there.
    """
    import numpy as np

    from tfp_flows.datasets import archives

    archive = archives.Archive(path)
    found = archive.read([name for name in ("theta", "x") if name in archive.members])
    if len(found) < 2:
        msg = (
            f"{path}: a file of simulations must hold the arrays `theta` and `x`, got "
            f"{', '.join(sorted(archive.members)) or 'none'}."
        )
        raise ValueError(msg)
    theta, x = found["theta"], found["x"]
    theta = theta[:, None] if theta.ndim == 1 else theta
    x = x[:, None] if x.ndim == 1 else x
    if theta.ndim != 2 or len(theta) != len(x):
        msg = (
            f"{path}: `theta` must be [N, D] and `x` [N, ...], row by row, got "
            f"{theta.shape} and {x.shape}."
        )
        raise ValueError(msg)
    return theta.astype(np.float32), x.astype(np.float32)


def _observation(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return one observation of the shape of a simulation.

    Raises:
        UsageError: If the file holds another number of numbers.
    """
    import math

    import numpy as np

    from tfp_flows import datasets
    from tfp_flows.datasets import archives

    with explained(path):
        if path.suffix == ".npy":
            found = archives.read_npy(path)
        elif path.suffix == ".npz":
            found = _first(archives.Archive(path), path)
        else:
            found = datasets.read_table(path).x
    if found.size != math.prod(shape):
        raise UsageError(
            f"{path}: the observation must have shape {shape}, that of a simulation, "
            f"got {found.shape}."
        )
    observed: np.ndarray = found.reshape(shape).astype(np.float32)
    return observed


def _first(archive: Archive, path: Path) -> np.ndarray:
    """Return the array of an archive that is the observation.

    Raises:
        ValueError: If there is none.
    """
    there = list(archive.members)
    names = [n for n in ("x_o", "observation", "x") if n in there] or there
    found = archive.read(names[:1])
    if not found:
        raise ValueError(f"{path}: the observation must be an array, got none.")
    return next(iter(found.values()))


def _names(text: str | None, size: int) -> list[str]:
    if text is None:
        return [f"theta{i}" for i in range(size)]
    names = [name.strip() for name in text.split(",")]
    if len(names) != size or len(set(names)) != size:
        raise UsageError(f"--names must name {size} parameters, got {text!r}.")
    return names


def _bounds(text: str | None, size: int) -> list[tuple[float, float] | None]:
    """Return the bounds of each parameter, `None` for none.

    Raises:
        UsageError: If they are no pairs of numbers in order.
    """
    parts = [":"] if text is None else text.split(",")
    if len(parts) not in (1, size):
        raise UsageError(f"--bounds must be one or {size}, got {len(parts)}.")
    found: list[tuple[float, float] | None] = []
    for part in parts:
        if part.strip() == ":":
            found.append(None)
            continue
        try:
            low, high = (float(number) for number in part.split(":"))
        except ValueError:
            raise UsageError(
                f"--bounds must be LOW:HIGH such as -1:1, got {part!r}."
            ) from None
        if not low < high:
            raise UsageError(f"--bounds must be LOW:HIGH in order, got {part!r}.")
        found.append((low, high))
    return found if len(found) == size else found * size


def _prior(bounds: list[tuple[float, float] | None], theta: np.ndarray) -> Any:
    """Return a prior with these bounds; its density is not needed."""
    import numpy as np
    from tensorflow_probability import distributions as tfd

    middle, width = theta.mean(axis=0), np.maximum(theta.std(axis=0), 1e-6)
    parts = [
        tfd.Normal(np.float32(middle[i]), np.float32(width[i]))
        if pair is None
        else tfd.Uniform(np.float32(pair[0]), np.float32(pair[1]))
        for i, pair in enumerate(bounds)
    ]
    return tfd.JointDistributionSequential(parts)
