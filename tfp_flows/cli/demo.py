"""`tfp-flows demo`: fit a flow to white wines, or to pictures, and compare it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows import _optional
from tfp_flows.cli import demo_images, files, models, quiet, ranges, tables
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.flows import Flow

__all__ = ["add_parser", "run"]

HELD_OUT = 0.1
MODEL, PICTURE, REPORT = "wine.keras", "corner.png", "report.json"
_QUICK_EPOCHS = 5
_COMPONENTS, _STARTS = 10, 5
_PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
_UNIT = "nats per wine, columns standardised with the wines to fit"


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "demo",
        help="fit white wines or pictures, compare with Gaussian models, draw",
        description="Fit the default flow to 11 measurements of 4,898 white wines (in "
        "the package; nine tenths to fit, one tenth held out, all copies of a wine on "
        "one side), print the log-likelihood of the wines held out beside a Gaussian "
        "and a mixture of Gaussians, and write "
        f"{MODEL}, {PICTURE} and {REPORT}. With --images: fit Glow to 1,350 pictures "
        "of clothes, print bits per dimension of 150 others, and draw samples.",
    )
    add = parser.add_argument
    add("--out", default="demo", metavar="DIR", help="folder to write to; default demo")
    add("--seed", type=ranges.seed, default=0, metavar="N", help="default 0")
    add("--images", action="store_true", help="pictures of clothes in place of wines")
    add("--quick", action="store_true", help=f"stop after {_QUICK_EPOCHS} epochs")
    add("--force", action="store_true", help="overwrite the outputs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the demo.

    Raises:
        UsageError: If outputs exist or cannot be written, or an extra is missing.
    """
    start = time.monotonic()
    folder = _folder(arguments.out)
    out = Report(arguments)
    if arguments.images:
        demo_images.run(arguments, folder, out)
        return
    for name in (MODEL, PICTURE, REPORT):
        suffix = Path(name).suffix
        files.check_output(str(folder / name), (suffix,), force=arguments.force)
    with explained():
        _optional.require("matplotlib.figure", extra="plot")
        mixture = _optional.require("sklearn.mixture", extra="sklearn")
    out.note("loading TensorFlow")
    quiet.import_tensorflow()
    from tfp_flows import datasets

    table = datasets.wine("white")
    rows, held_out = tables.split_rows(HELD_OUT, arguments.seed, table.x)
    fitted = _compared(mixture, table, table.x[rows], table.x[held_out], arguments, out)
    out.note("drawing the picture")
    models.save(fitted.flow, folder / MODEL)
    _draw(fitted.flow, table, folder / PICTURE, arguments.seed)
    _write(fitted, folder / REPORT, arguments.seed, out)
    out.line(f"wrote {MODEL}, {PICTURE} and {REPORT} to {folder}")
    out.end()
    out.note(
        f"{time.monotonic() - start:.0f} s in all, {fitted.seconds:.0f} s of it the fit"
    )


@dataclasses.dataclass(frozen=True)
class _Compared:
    """A flow that was fitted to wines, beside Gaussian models.

    Attributes:
        flow: The flow.
        epochs: Of its fit.
        seconds: Of its fit.
        scores: Log-densities of the wines held out, by model, the flow first.
        rows: Number of the wines to fit.
        shift: What a log-density loses in own units of the columns.
    """

    flow: Flow
    epochs: int
    seconds: float
    scores: dict[str, np.ndarray]
    rows: int
    shift: float


def _compared(
    library: Any,
    table: Table,
    train: np.ndarray,
    test: np.ndarray,
    arguments: argparse.Namespace,
    out: Report,
) -> _Compared:
    """Fit Gaussian models, then the flow."""
    import numpy as np

    from tfp_flows import flows

    loc, scale = _moments(train)
    rivals = {}
    for label, count in (("Gaussian", 1), (f"{_COMPONENTS} Gaussians", _COMPONENTS)):
        model = _mixture(library, count, train, arguments.seed)
        rivals[label] = model.score_samples((test - loc) / scale)
        out.note(f"{label}: {rivals[label].mean():.3f} {_UNIT}")
    name = flows.DEFAULT
    out.note(f"fitting {name} to {len(train)} wines; {len(test)} are held out")
    flow, epochs, seconds = _fit(name, train, table.columns, arguments)
    scores = {name: _score_flow(flow, train, test), **rivals}
    shift = float(np.log(scale).sum())
    return _Compared(flow, epochs, seconds, scores, len(train), shift)


def _write(fitted: _Compared, path: Path, seed: int, out: Report) -> None:
    """Write and print the likelihoods."""
    scores, shift = fitted.scores, fitted.shift
    results = {label: models.mean_and_error(score) for label, score in scores.items()}
    name, *_, label = scores
    lead, lead_error = models.mean_and_error(scores[name] - scores[label])
    held_out = len(scores[name])
    report = {
        "data": "UCI wine quality, white, 11 columns",
        "split": f"random, copies of a wine on one side, seed {seed}",
        "rows": {"fit": fitted.rows, "held_out": held_out},
        "unit": _UNIT,
        "held_out_log_likelihood": {
            label: {"mean": mean, "standard_error": error}
            for label, (mean, error) in results.items()
        },
        "in_own_units": {label: mean - shift for label, (mean, _) in results.items()},
        "flow_minus_mixture": {"mean": lead, "standard_error": lead_error},
        "flow": name,
        "parameters": models.parameter_count(fitted.flow),
        "seed": seed,
        "epochs": fitted.epochs,
        "fit_seconds": round(fitted.seconds, 1),
        "versions": _versions(),
    }
    with files.replacing(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    wines = f"{held_out} white wines held out, none equal to a fitted one"
    out.line(f"log-likelihood of {wines}", **report)
    out.line(_UNIT)
    out.line("(in brackets: columns in their own units, as `score` prints)")
    for model, (mean, error) in results.items():
        own = f"({mean - shift:.3f})"
        out.line(f"  {model:<13} {mean:8.3f} +- {error:.3f} {own:>9}")
    out.line(
        f"  {'difference':<13} {lead:8.3f} +- {lead_error:.3f}  ({name} - {label})"
    )


def _folder(path: str) -> Path:
    with files.named(path) as folder:
        blocked = folder.exists() and not folder.is_dir()
    if blocked:
        raise UsageError(f"cannot write to '{path}': it is no folder.")
    with explained(f"cannot write to '{path}'"):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fit(
    name: str,
    train: np.ndarray,
    columns: tuple[str, ...],
    arguments: argparse.Namespace,
) -> tuple[Flow, int, float]:
    """Fit, and return the flow, the number of epochs and the seconds they took."""
    import numpy as np

    from tfp_flows import training
    from tfp_flows.training.callbacks.progress import ProgressLine

    # In the unit of the result: see `_score_flow`.
    offset = np.log(_moments(train)[1]).sum()
    start = time.monotonic()
    unit = "nats per wine of standardised columns"
    with ProgressLine(offset, unit=unit, quiet=arguments.quiet) as line:
        flow, history = training.fit(
            name,
            train,
            columns=columns,
            seed=arguments.seed,
            callbacks=[line],
            verbose=0,
            epochs=_QUICK_EPOCHS if arguments.quick else None,
        )
    return flow, len(history.history["loss"]), time.monotonic() - start


def _moments(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the rows to fit, in float64."""
    import numpy as np

    x = train.astype(np.float64)
    return x.mean(axis=0), x.std(axis=0)


def _score_flow(flow: Flow, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return log-densities, as if the columns had been standardised.

    The flow is a density of the wines in their own units; in units of standard
    deviations it is larger by their product.
    """
    import numpy as np

    _, scale = _moments(train)
    return models.log_prob(flow, test, None) + np.log(scale).sum()


def _mixture(library: Any, count: int, train: np.ndarray, seed: int) -> Any:
    """Return full Gaussians, from five starts, fitted to standardised rows.

    Their regularisation is chosen on the validation rows that the flow stops by.
    """
    import warnings

    loc, scale = _moments(train)
    z = (train - loc) / scale

    def fitted(rows: np.ndarray, penalty: float, starts: int) -> Any:
        model = library.GaussianMixture(
            count, reg_covar=penalty, n_init=starts, max_iter=300, random_state=seed
        )
        return model.fit(rows)

    rest, held_out = tables.split_rows(HELD_OUT, seed, train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a start that has not converged is not taken
        best = max(
            _PENALTIES,
            key=lambda penalty: fitted(z[rest], penalty, 1).score(z[held_out]),
        )
        return fitted(z, best, _STARTS)


def _draw(flow: Flow, table: Table, path: Path, seed: int) -> None:
    from tfp_flows import plots

    samples = flow.sample(len(table), seed=(seed, 0)).numpy()
    axes = plots.corner(table, samples, labels=("wines", "samples of the flow"))
    with files.replacing(path) as temporary:
        axes[0, 0].figure.savefig(temporary, dpi=100)


def _versions() -> dict[str, str]:
    from importlib import metadata

    import tfp_flows

    packages = ("tensorflow", "tensorflow-probability", "keras", "scikit-learn")
    versions = {name: metadata.version(name) for name in packages}
    return {"tfp_flows": str(tfp_flows.__version__), **versions}
