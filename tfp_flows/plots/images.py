"""Sheets of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows import _checks
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["image_grid"]


def image_grid(
    images: Any,
    *,
    num_columns: int | None = None,
    max_value: float = 255.0,
    gap: int = 2,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw images side by side, in rows.

    Args:
        images: Raw pixels `[N, H, W, C]` with 1 or 3 channels, or `[N, H, W]`; or a
            sheet with rows of its own, `[R, N, H, W, C]`.
        num_columns: Number of images in a row; default: a sheet as square as possible.
            Not used for a sheet with rows of its own.
        max_value: The value of white; pixels outside `[0, max_value]` are cut.
        gap: Number of pixels between images.
        row_labels: Text on the left of each row, from the top.
        column_labels: Text above each column, from the left.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If the shape is not that of images.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import plots
        >>> ax = plots.image_grid(np.zeros([6, 8, 8, 1]), num_columns=3)
        >>> ax.images[0].get_array().shape
        (22, 32, 3)
    """
    pixels = np.asarray(images, np.float64)
    if pixels.ndim == 5:
        num_columns = pixels.shape[1]
        pixels = pixels.reshape(-1, *pixels.shape[2:])
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or not len(pixels):
        msg = (
            "`images` must have shape [N, H, W, C] with 1 or 3 channels, got "
            f"{pixels.shape}. Choose channels, or add an axis."
        )
        raise ValueError(msg)
    num_columns = num_columns or math.ceil(math.sqrt(len(pixels)))
    _checks.count(num_columns, 1, "num_columns")
    sheet = _sheet(pixels / max_value, num_columns, gap)
    height, width = sheet.shape[:2]
    if ax is None:
        scale = 6.0 / max(height, width)
        ax = canvas.axes_or_new(None, scale * width, scale * height)
    ax.imshow(sheet, interpolation="nearest")
    ax.set_axis_off()
    rows, columns = pixels.shape[1] + gap, pixels.shape[2] + gap
    for i, text in enumerate(row_labels):
        middle = gap + i * rows + pixels.shape[1] / 2
        ax.text(-gap, middle, text, ha="right", va="center", fontsize=8)
    for i, text in enumerate(column_labels):
        middle = gap + i * columns + pixels.shape[2] / 2
        ax.text(middle, -gap, text, ha="center", va="bottom", fontsize=8)
    return ax


def _sheet(pixels: np.ndarray, num_columns: int, gap: int) -> np.ndarray:
    """Return one picture `[H, W, 3]` of all images; what is empty is white."""
    count, height, width = pixels.shape[:3]
    num_rows = -(-count // num_columns)
    shape = (
        gap + num_rows * (height + gap),
        gap + num_columns * (width + gap),
        3,
    )
    sheet = np.ones(shape)
    for i, image in enumerate(np.clip(pixels, 0.0, 1.0)):
        top = gap + (i // num_columns) * (height + gap)
        left = gap + (i % num_columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet
