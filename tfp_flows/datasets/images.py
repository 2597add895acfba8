"""Images: 1,500 pictures of clothes that come with the package, and readers.

The pictures are a part of Fashion-MNIST by Zalando SE (MIT licence), with changes that
`FASHION.md` beside the file states.
"""

from __future__ import annotations

import math
import os
import warnings
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from tfp_flows import _findings, _optional
from tfp_flows.datasets import archives, limits

__all__ = [
    "FASHION_CLASSES",
    "fashion_mnist",
    "read_idx",
    "read_images",
    "reduce_bits",
]

FASHION_CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
# Types of numbers by the third byte of an idx file, all with the highest byte first.
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
# Arrays of NumPy have no more axes.
_MAX_RANK = 32


def fashion_mnist() -> tuple[np.ndarray, np.ndarray]:
    """Load 1,500 grey pictures of clothes, 150 of each class.

    Returns:
        Raw pixels, uint8 `[1500, 28, 28, 1]`, and classes, int64 `[1500]`, whose names
        are in `FASHION_CLASSES`. The order is mixed.

    Example:
        >>> from tfp_flows import datasets
        >>> images, classes = datasets.fashion_mnist()
        >>> images.shape, int(classes.max())
        ((1500, 28, 28, 1), 9)

    References:
        Xiao, Rasul and Vollgraf, 2017, "Fashion-MNIST: a novel image dataset for
        benchmarking machine learning algorithms", https://arxiv.org/abs/1708.07747
    """
    file = resources.files("tfp_flows.datasets").joinpath("fashion.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return arrays["x"], arrays["y"].astype(np.int64)


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an array from an idx file, the format of MNIST, compressed or not.

    Args:
        path: Such as `train-images-idx3-ubyte.gz`.

    Returns:
        The array, in the shape and type that the file states.

    Raises:
        ValueError: If the file is no idx file, is cut short, or unfolds to more than
            1 GiB and more than 100 times its size.
    """
    content = limits.unpacked(Path(path))
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        msg = f"`path` must be an idx file, got {str(path)!r}. Check the path."
        raise ValueError(msg)
    rank, dtype = content[3], np.dtype(_IDX_TYPES[content[2]])
    start = 4 + 4 * rank
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    wanted = start + math.prod(shape) * dtype.itemsize
    if len(content) != wanted or len(content) < start or rank > _MAX_RANK:
        msg = (
            f"`path` must be a whole idx file of {wanted} bytes, got {len(content)} in "
            f"{str(path)!r}. Download it again."
        )
        raise ValueError(msg)
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def read_images(path: str | os.PathLike[str], *, key: str = "x") -> np.ndarray:
    """Read images from a `.npz`, `.npy` or idx file, or from a folder of pictures.

    Args:
        path: The file, or a folder of PNG or JPEG files of one size, which are read in
            the order of their names. Files whose names begin with a dot are skipped.
        key: Name of the array in a `.npz` file.

    Returns:
        `[N, H, W, C]`; arrays `[N, H, W]` get one channel. Folders give uint8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the content is no batch of images of one size, if a file is
            damaged, or if it unfolds to more than 1 GiB and more than 100 times its
            size.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "scans.npy")
        ...     np.save(path, np.zeros([6, 8, 8], np.uint8))
        ...     print(tfpf.datasets.read_images(path).shape)
        (6, 8, 8, 1)
    """
    path = Path(path)
    if not path.exists():
        msg = f"`path` must be an existing file or folder, got {str(path)!r}."
        raise FileNotFoundError(msg)
    if path.is_dir():
        images = _read_folder(path)
    elif path.suffix.lower() == ".npz":
        images = _read_npz(path, key)
    elif path.suffix.lower() == ".npy":
        images = archives.read_npy(path)
    else:
        images = read_idx(path)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4:
        msg = (
            f"`path` must hold images [N, H, W] or [N, H, W, C], got shape "
            f"{images.shape} in {str(path)!r}. Reshape them."
        )
        raise ValueError(msg)
    if images.dtype.kind not in "fiub":
        msg = (
            f"`path` must hold pixels as numbers, got type {images.dtype} in "
            f"{str(path)!r}. Save them again with astype('uint8')."
        )
        raise ValueError(msg)
    return images


def reduce_bits(images: np.ndarray, num_bits: int) -> np.ndarray:
    """Return 8-bit pixels with fewer bits: `floor(x / 2 ** (8 - num_bits))`.

    The quantiser of Glow's paper. A flow for them is built with
    `num_values=2 ** num_bits`, and its bits per dimension are those of the reduced
    images: at most `num_bits` for uniform pixels.

    Args:
        images: Integer pixels from 0 to 255, of any shape.
        num_bits: From 1 to 8.

    Returns:
        uint8, from 0 to `2 ** num_bits - 1`.

    Raises:
        ValueError: If a pixel or the number of bits is out of range.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import datasets
        >>> datasets.reduce_bits(np.array([0, 7, 8, 255]), 5).tolist()
        [0, 0, 1, 31]
    """
    if not 1 <= num_bits <= 8 or int(num_bits) != num_bits:
        msg = f"`num_bits` must be a whole number from 1 to 8, got {num_bits}."
        raise ValueError(msg)
    pixels = np.asarray(images)
    if pixels.dtype.kind not in "iu" or (
        pixels.size and not (pixels.min() >= 0 and pixels.max() <= 255)
    ):
        msg = (
            f"`images` must be integers from 0 to 255, got type {pixels.dtype}. "
            "Give raw pixels."
        )
        raise ValueError(msg)
    return (pixels.astype(np.uint8) >> np.uint8(8 - num_bits)).astype(np.uint8)


def _read_npz(path: Path, key: str) -> np.ndarray:
    """Return one array of an archive."""
    archive = archives.Archive(path)
    if archive.members.get(key) is None:
        msg = (
            f"`key` must name an array in {str(path)!r}, got {key!r}. There "
            f"are: {', '.join(archive.members)}."
        )
        raise ValueError(msg)
    return archive.read([key])[key]


def is_picture(path: Path) -> bool:
    """Return whether a file is a picture by its name; hidden files are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _read_folder(folder: Path) -> np.ndarray:
    """Return the pictures of a folder, `[N, H, W, C]`."""
    library = _optional.require("PIL.Image", extra="plot", purpose="read pictures")
    files = sorted(file for file in folder.iterdir() if is_picture(file))
    if not files:
        msg = f"`path` must be a folder with PNG or JPEG files, got {str(folder)!r}."
        raise ValueError(msg)
    pictures: list[np.ndarray] = []
    transparent: list[str] = []
    for file in files:
        pixels, is_transparent = _read_picture(library, file)
        transparent += [file.name] * is_transparent
        if pictures and pixels.shape != pictures[0].shape:
            msg = (
                f"`path` must hold pictures of one size, got {pixels.shape} in "
                f"{file.name!r} after {pictures[0].shape}. Crop or convert them."
            )
            raise ValueError(msg)
        pictures.append(pixels)
    if transparent:
        sentence = (
            f"is transparent in part ({len(transparent)} of {len(files)} are): its "
            "colours are taken as if it were not. Lay it on a background before, if "
            "they are not what you see."
        )
        _findings.report([_findings.Finding(f"picture {transparent[0]!r}", sentence)])
    return np.stack(pictures)


def _read_picture(library: Any, file: Path) -> tuple[np.ndarray, bool]:
    """Return pixels, `[H, W]` or `[H, W, 3]`, and whether some are transparent.

    Transparency itself is left out.
    """
    with limits.reading(file, "picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ours is the limit of the size
        with library.open(file) as picture:
            mode = picture.mode
            if mode.startswith(("I", "F")):
                raise limits.FileError(
                    f"'{file}' must be a picture of 8 bits per channel, got mode "
                    f"{mode!r}. Convert it, or save the array as .npy."
                )
            grey = mode in ("1", "L")
            size = picture.width * picture.height
            limits.check_unpacked(file, size if grey else 4 * size)
            found = np.asarray(picture.convert("L" if grey else "RGB"))
            has_alpha = "A" in picture.getbands() or "transparency" in picture.info
            alpha = picture.convert("RGBA").getchannel("A") if has_alpha else None
            return found, alpha is not None and alpha.getextrema()[0] < 255
