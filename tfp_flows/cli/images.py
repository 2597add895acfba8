"""Images as the commands read, fit, score and draw them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from tfp_flows._counts import counted
from tfp_flows.cli import files, models, output
from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.flows import Flow
    from tfp_flows.flows.images.base import ImageFlow

__all__ = [
    "ARRAY_SUFFIXES",
    "FLOWS",
    "PICTURE_SUFFIXES",
    "check_input",
    "draw",
    "fit",
    "grid",
    "holds_images",
    "is_image_file",
    "is_image_flow",
    "read",
    "sample",
    "score",
]

# Known before TensorFlow is imported; the first is the default for images.
FLOWS = ("glow", "realnvp-image", "nsf-image", "tarflow-image")
ARRAY_SUFFIXES = (".npz", ".npy")
PICTURE_SUFFIXES = (".png",)
CLASS = "class "
# Images of one call when sampling: bounds the memory of activations.
BLOCK = 256
# Images of a sheet unless told otherwise: in all, or of each class.
SHEET, ROWS = 36, 6
_LABELS = "y"


def is_image_file(path: str) -> bool:
    """Return whether a path can only hold images.

    That is a folder, an idx file, or a `.npy` file with more than two axes.
    """
    with files.named(path) as file:
        is_folder = file.is_dir()
    name = file.name.lower()
    if name.endswith(".npy"):
        return not is_folder and _axes(file) > 2
    return is_folder or name.endswith(("-ubyte", "-ubyte.gz"))


def _axes(file: Path) -> int:
    """Return the number of axes in a `.npy` file, 0 if it cannot be read."""
    from tfp_flows.datasets import archives

    try:
        return len(archives.npy_shape(file))
    except (OSError, ValueError):
        return 0


def holds_images(path: Path) -> bool:
    """Return whether a file that is no table holds images, as `.npz` files may."""
    from tfp_flows import datasets

    try:
        return len(datasets.read_images(path)) > 0
    except (OSError, ValueError):
        return False


def is_image_flow(flow: Flow) -> TypeGuard[ImageFlow]:
    """Return whether a flow is one of images of raw pixels."""
    from tfp_flows.flows.images.base import ImageFlow

    return isinstance(flow, ImageFlow)


def check_input(path: str) -> Path:
    """Return the path of an existing file, or of a folder with pictures.

    Raises:
        UsageError: If there is none, or the folder has no pictures.
    """
    from tfp_flows.datasets import images

    if path == files.STANDARD_INPUT:
        return Path(path)
    with files.named(path) as file:
        if not file.exists():
            raise UsageError(f"there is no file or folder '{path}'.")
        pictures = file.is_dir() and any(map(images.is_picture, file.iterdir()))
    if file.is_dir() and not pictures:
        raise UsageError(
            f"'{path}' is a folder without pictures: name a file, or a folder with "
            f"{', '.join(images.SUFFIXES)}."
        )
    return file


def read(path: Path) -> np.ndarray:
    """Read images, `[N, H, W, C]`.

    Raises:
        UsageError: If the file or folder holds none.
    """
    from tfp_flows import datasets

    with explained(path):
        return datasets.read_images(path)


def _labels(path: Path, name: str, count: int) -> tuple[np.ndarray, list[str]]:
    """Read classes as one-hot rows, and what these are called.

    Raises:
        UsageError: If the file has no such array, or if it holds no classes.
    """
    import numpy as np

    if path.suffix.lower() != ".npz":
        raise UsageError(f"--condition names an array of a .npz file, not of '{path}'.")
    from tfp_flows.datasets import archives

    with explained(path):
        archive = archives.Archive(path)
        if archive.members.get(name) is None:
            raise UsageError(
                f"{path}: there is no array {name!r}, only "
                f"{', '.join(archive.members)}."
            )
        labels = archive.read([name])[name].reshape(-1)
    if labels.dtype.kind not in "iub" or len(labels) != count:
        raise UsageError(
            f"{path}: array {name!r} must hold one whole number per image as its "
            f"class, got {len(labels)} of type {labels.dtype} for {count} images."
        )
    classes, position = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UsageError(f"{path}: all images have one class, {classes[0]}.")
    return np.eye(len(classes))[position], [f"{CLASS}{label}" for label in classes]


def fit(
    arguments: argparse.Namespace,
    path: Path,
    out: Path,
    name: str,
    options: dict[str, Any],
) -> None:
    """Fit a flow of images, save it, and print bits per dimension.

    Raises:
        UsageError: If the input is bad.
    """
    from tfp_flows.cli import fitting, tables

    if arguments.columns is not None:
        raise UsageError(f"--columns is for tables, and flow {name} is for images.")
    x = read(path)
    if len(x) < 2:
        raise UsageError(f"{path}: {len(x)} images are too few, 2 needed.")
    labels, classes = None, None
    if arguments.condition is not None:
        labels, classes = _labels(path, arguments.condition, len(x))
    train, test = tables.split_rows(arguments.test_fraction, arguments.seed, x, labels)
    done = fitting.run(
        name,
        x[train],
        None if labels is None else labels[train],
        arguments,
        options,
        out=out,
        event_shape=x.shape[1:],
        condition_columns=classes,
    )
    flow = done.flow
    models.save(flow, out)
    done.write(arguments, out, name)
    rows = test if len(test) else train
    bits = flow.bits_per_dim(x[rows], None if labels is None else labels[rows])
    mean, error = models.mean_and_error(bits)
    what = "held-out" if len(test) else "training"
    size = " x ".join(map(str, x.shape[1:]))
    report = output.Report(arguments)
    report.line(
        f"images: {len(train)} to fit, {len(test)} held out, {size}",
        images={"fit": len(train), "held_out": len(test)},
        shape=list(x.shape[1:]),
    )
    count = models.parameter_count(flow)
    report.line(f"flow: {name}, {count} parameters", flow=name, parameters=count)
    key = f"{what.replace('-', '_')}_bits_per_dim"
    figures = {"mean": mean, "standard_error": error}
    report.line(f"{what} bits/dim: {models.figure(mean, error)}", **{key: figures})
    done.report(report, out)
    report.end()
    done.end(out)


def score(flow: ImageFlow, path: Path, condition: str | None) -> np.ndarray:
    """Return bits per dimension of each image of a file, `[N]`.

    Raises:
        UsageError: If the images or their classes do not fit to the flow.
    """
    import numpy as np

    x = read(path)
    if not len(x):
        raise UsageError(f"{path}: there are no images.")
    labels = None
    if flow.condition_shape is not None:
        given, names = _labels(path, condition or _LABELS, len(x))
        known = list(flow.condition_columns or names)
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise UsageError(f"{path}: the flow knows no {unknown[0]}.")
        labels = np.zeros([len(x), len(known)])
        labels[:, [known.index(label) for label in names]] = given
    elif condition is not None:
        raise UsageError("--condition was given, but this flow takes none.")
    with explained(path):
        bits: np.ndarray = flow.bits_per_dim(x, labels)
    return bits


def draw(
    flow: ImageFlow,
    count: int,
    condition: np.ndarray | None,
    seed: int | None,
    temperature: float,
) -> np.ndarray:
    """Draw images in blocks, each with a seed of its own.

    Args:
        flow: The flow.
        count: Number of images.
        condition: One condition for all, or `[count, C]`, or `None`.
        seed: Int, or `None` for others each time.
        temperature: Factor of the deviation of base density and priors.

    Returns:
        Images, `[count, H, W, C]`.
    """
    import numpy as np

    seeds = np.random.default_rng(seed).integers(2**31, size=(-(-count // BLOCK), 2))
    blocks = []
    for number, pair in enumerate(seeds):
        rows = slice(number * BLOCK, min(count, (number + 1) * BLOCK))
        given: Any = condition
        sizes: tuple[int, ...] = ()
        if condition is not None and condition.ndim == 2:
            given = condition[rows]
        else:
            sizes = (rows.stop - rows.start,)
        x = flow.sample(
            sizes, given, seed=pair.astype(np.int32), temperature=temperature
        )
        blocks.append(x.numpy())
    return np.concatenate(blocks)


def _sheet_conditions(
    flow: ImageFlow, count: int | None, text: str | None
) -> tuple[np.ndarray | None, int | None]:
    """Return the condition of each image, and the number of columns of a sheet.

    Raises:
        UsageError: If the class is unknown, or not wanted.
    """
    import numpy as np

    if flow.condition_shape is None:
        if text is not None:
            raise UsageError("--condition was given, but this flow takes none.")
        return None, None
    names = [label.removeprefix(CLASS) for label in flow.condition_columns or ()]
    if not names:
        names = [str(i) for i in range(int(np.prod(flow.condition_shape)))]
    if text is None:  # a column for each class
        rows = np.arange(count or ROWS * len(names)) % len(names)
        return np.eye(len(names))[rows], len(names)
    if text.strip() not in names:
        raise UsageError(
            f"--condition must name a class, got {text!r}. There are: "
            f"{', '.join(names)}."
        )
    return np.eye(len(names))[[names.index(text.strip())] * (count or SHEET)], None


def sample(flow: ImageFlow, arguments: argparse.Namespace) -> None:
    """Draw images, and write them as an array, as a sheet, or as both.

    Raises:
        UsageError: If neither is asked for, or something does not fit.
    """
    import numpy as np

    if arguments.out is None and arguments.grid is None:
        raise UsageError(
            "name a picture with --grid, or an array of images with --out."
        )
    out = grid_path = None
    if arguments.out is not None:
        out = files.check_output(arguments.out, ARRAY_SUFFIXES, force=arguments.force)
    if arguments.grid is not None:
        grid_path = files.check_output(
            arguments.grid, PICTURE_SUFFIXES, force=arguments.force
        )
    report = output.Report(arguments)
    temperature = 1.0 if arguments.temperature is None else arguments.temperature
    condition, columns = _sheet_conditions(flow, arguments.n, arguments.condition)
    count = arguments.n or SHEET if condition is None else len(condition)
    x = draw(flow, count, condition, arguments.seed, temperature)
    if out is not None:
        with files.replacing(out) as temporary, temporary.open("wb") as stream:
            if out.suffix == ".npy":
                np.save(stream, x)
            else:
                np.savez_compressed(stream, x=x)
        report.line(
            f"wrote {counted(len(x), 'image')} to {out}", images=len(x), out=out
        )
    if grid_path is not None:
        grid(grid_path, x, columns)
        words = f"drew {counted(len(x), 'image')} in {grid_path}"
        report.line(words, images=len(x), grid=grid_path)
    report.end()


def grid(
    path: Path, images: np.ndarray, num_columns: int | None = None, **labels: Any
) -> None:
    """Draw images side by side in a PNG file; see `plots.image_grid`.

    Raises:
        UsageError: If they have neither 1 nor 3 channels, or matplotlib is missing.
    """
    from tfp_flows import plots

    with explained(path):
        ax: Any = plots.image_grid(images, num_columns=num_columns, **labels)
    with files.replacing(path) as temporary:
        ax.figure.savefig(temporary, dpi=150, bbox_inches="tight", pad_inches=0.05)
