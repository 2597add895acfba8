"""All that writes files, by name: what is written, and how it is read to its end."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["MANY", "TABLES", "WRITERS", "Writer", "prepare"]

ROWS, MANY = 200, 20_000
TABLES = ("csv", "csv.gz", "xlsx", "parquet", "npz", "npy")
COLUMNS = ["a", "b"]
# What a fit and a simulation do before they stop; both go on from their file.
EPOCHS, BATCHES = 3, 5


class Writer(NamedTuple):
    """What writes one file.

    Attributes:
        target: Name of the file or folder.
        write: Takes the folder of `prepare`, and the path to write.
        look: Reads what was written to its end, and raises if it is not whole.
    """

    target: str
    write: Callable[[Path, Path], Any]
    look: Callable[[Path], Any]


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Write what writers read, and what is there before each, in `old/NAME`."""
    import tfp_flows as tfpf

    x = rows()
    tfpf.datasets.write_table(folder / "rows.csv", x[:ROWS], COLUMNS)
    tfpf.datasets.write_table(folder / "many.csv", x, COLUMNS)
    flow = tfpf.flows.build("linear", 2, seed=0, columns=COLUMNS)
    flow.adapt(x)
    flow.save(folder / "flow.keras")
    for name in names:
        (folder / "old" / name).mkdir(parents=True)
        writer = WRITERS[name]
        writer.write(folder, folder / "old" / name / writer.target)


def rows() -> np.ndarray:
    """Return a table."""
    return np.random.default_rng(0).normal(size=(MANY, 2))


def _flow(folder: Path) -> Any:
    import tfp_flows as tfpf

    return tfpf.load(folder / "flow.keras")


def _shell(*words: Any) -> None:
    from tfp_flows.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        code = main.main([*map(str, words), "--quiet"])
    if code:
        raise OSError(said.getvalue().strip())


def _save(folder: Path, path: Path) -> None:
    flow = _flow(folder)
    flow.trainable_variables[0].assign(flow.trainable_variables[0] + 1.0)
    flow.save(path)


def _fit(folder: Path, path: Path) -> None:
    _shell(
        *("fit", folder / "rows.csv", "--out", path),
        *("--flow", "linear", "--epochs", "1", "--checkpoint", "1", "--force"),
    )


def _score(folder: Path, path: Path) -> None:
    _shell(
        *("score", folder / "flow.keras", folder / "many.csv"),
        *("--out", path, "--force"),
    )


def _score_files(folder: Path, path: Path) -> None:
    import tfp_flows as tfpf

    tfpf.training.score(_flow(folder), str(folder / "many.csv"), out=path, force=True)


def _sample(folder: Path, path: Path) -> None:
    _shell(
        *("sample", folder / "flow.keras", "-n", MANY, "--seed", "1"),
        *("--out", path, "--force"),
    )


def _picture(folder: Path, path: Path) -> None:
    _shell("plot", "density", folder / "flow.keras", "--out", path, "--force")


def _animation(folder: Path, path: Path) -> None:
    import tfp_flows as tfpf

    tfpf.plots.layers_gif(path, _flow(folder), num_samples=200, frames=2)


def _page(folder: Path, path: Path) -> None:
    import tfp_flows as tfpf

    tfpf.diagnose(_flow(folder), rows()[:ROWS]).save_html(path)


class _Stop(Exception):
    """Ends what goes on for long, so that its file stays."""


def _backup(folder: Path, path: Path) -> None:
    import keras

    import tfp_flows as tfpf

    class Stop(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.count += 1
            if self.count == EPOCHS:
                raise _Stop

    flow = tfpf.flows.build("linear", 2, seed=0)
    x, place = rows()[:ROWS], path.parent
    more: dict[str, Any] = {"callbacks": [Stop()], "verbose": 0}
    with contextlib.suppress(_Stop):
        tfpf.fit(flow, x, epochs=50, backup=place, validation=None, seed=0, **more)


def _simulated(folder: Path, path: Path) -> None:
    import tensorflow_probability as tfp

    import tfp_flows as tfpf

    prior = tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), 2)
    count = 0

    def simulator(theta: Any) -> Any:
        nonlocal count
        count += 1
        if count > BATCHES:
            raise _Stop
        return 2.0 * theta

    with contextlib.suppress(_Stop):
        tfpf.inference.simulate(prior, simulator, MANY, file=path, seed=0, verbose=0)


def _table(folder: Path, path: Path) -> None:
    import tfp_flows as tfpf

    tfpf.datasets.write_table(path, rows(), COLUMNS, force=True)


def _look_at_flow(path: Path) -> None:
    import tfp_flows as tfpf

    _require(np.isfinite(tfpf.load(path).log_prob(np.zeros((3, 2)))).all())


def _look_at_weights(path: Path) -> None:
    import tfp_flows as tfpf

    tfpf.flows.build("linear", 2, seed=0, columns=COLUMNS).load_weights(path)


def _look_at_served(path: Path) -> None:
    import tensorflow as tf

    served = tf.saved_model.load(str(path))
    _require(np.isfinite(served.log_prob(np.zeros((3, 2), np.float32))).all())


def _look_at_graphs(path: Path) -> None:
    import onnxruntime

    for file in path.glob("*.onnx"):
        onnxruntime.InferenceSession(file)


def _look_at_table(path: Path) -> None:
    import tfp_flows as tfpf

    _require(len(tfpf.datasets.read_table(path).x) in (ROWS, MANY))


def _look_at_picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        for frame in range(getattr(picture, "n_frames", 1)):
            picture.seek(frame)
            picture.load()


def _look_at_arrays(path: Path) -> None:
    with np.load(path) as found:
        for name in found.files:
            found[name]


def _look_at_page(path: Path) -> None:
    _require(path.read_text(encoding="utf-8").rstrip().endswith("</html>"))


def _require(whole: Any) -> None:
    if not whole:
        raise ValueError("it is not whole")


WRITERS: dict[str, Writer] = {
    "save": Writer("flow.keras", _save, _look_at_flow),
    "fit": Writer("flow.keras", _fit, _look_at_flow),
    "weights": Writer(
        "flow.weights.h5",
        lambda folder, path: _flow(folder).save_weights(path),
        _look_at_weights,
    ),
    "export": Writer(
        "served",
        lambda folder, path: _flow(folder).export(path, verbose=False),
        _look_at_served,
    ),
    "onnx": Writer(
        "graphs",
        lambda folder, path: _flow(folder).export(path, format="onnx", verbose=False),
        _look_at_graphs,
    ),
    "backup": Writer("training.npz", _backup, _look_at_arrays),
    "simulated": Writer("simulated.npz", _simulated, _look_at_arrays),
    "score": Writer("scores.csv", _score, _look_at_table),
    "score_files": Writer("scores.parquet", _score_files, _look_at_table),
    "sample": Writer("drawn.csv", _sample, _look_at_table),
    "picture": Writer("picture.png", _picture, _look_at_picture),
    "animation": Writer("moving.gif", _animation, _look_at_picture),
    "page": Writer("page.html", _page, _look_at_page),
    **{
        f"table.{ending}": Writer(f"table.{ending}", _table, _look_at_table)
        for ending in TABLES
    },
}
