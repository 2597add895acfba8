"""Batches of images for training: from arrays, files, and datasets of dictionaries."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, datasets
from tfp_flows._types import TensorLike
from tfp_flows.training.data.batches import random_numbers, shuffled

__all__ = ["image_batches"]

# Shuffling holds so many images at a time.
SHUFFLE_BUFFER = 10_000
_IMAGE, _LABEL = "image", "label"


def _parts(element: Any) -> tuple[Any, Any]:
    """Return image and label of an element of a dataset, `None` for no label.

    Raises:
        ValueError: If the element has no image.
    """
    if isinstance(element, dict):
        if _IMAGE not in element:
            msg = (
                f"`images` must yield dicts with {_IMAGE!r} and, for classes, "
                f"{_LABEL!r}, got keys {sorted(element)}. Rename them."
            )
            raise ValueError(msg)
        return element[_IMAGE], element.get(_LABEL)
    if isinstance(element, tuple):
        return element[0], element[1] if len(element) > 1 else None
    return element, None


def _from_dataset(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return a dataset of single images, or of pairs with their labels."""
    image, label = _parts(dataset.element_spec)
    rank = image.shape.rank
    if rank not in (3, 4):
        msg = (
            "`images` must yield images [H, W, C], or batches of them, got elements "
            f"{image.shape}. Give grey images one channel."
        )
        raise ValueError(msg)

    def pick(*element: Any) -> Any:
        found = _parts(element[0] if len(element) == 1 else element)
        return found[0] if label is None else found

    dataset = dataset.map(pick)
    return dataset.unbatch() if rank == 4 else dataset


def _from_arrays(images: Any, labels: Any) -> tuple[tf.data.Dataset, int]:
    """Return a dataset of single images, of pairs if there are labels, and its size."""
    if isinstance(images, (str, os.PathLike)):
        images = datasets.read_images(images)
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or len(images) == 0:
        msg = (
            "`images` must be [N, H, W, C] or [N, H, W] with N > 0, got shape "
            f"{images.shape}. Reshape them."
        )
        raise ValueError(msg)
    if labels is None:
        return tf.data.Dataset.from_tensor_slices(images), len(images)
    labels = np.asarray(labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        msg = (
            f"`labels` must be {len(images)} whole numbers, one per image, got shape "
            f"{labels.shape} of type {labels.dtype}. Number the classes from 0."
        )
        raise ValueError(msg)
    return tf.data.Dataset.from_tensor_slices((images, labels)), len(images)


def _classes(labels: Any, num_classes: int) -> int:
    """Return the number of classes, checked against labels that are at hand."""
    _checks.at_least(num_classes, 1, "num_classes")
    if labels is not None and not 0 <= np.min(labels) <= np.max(labels) < num_classes:
        msg = (
            f"`labels` must lie in 0 ... {num_classes - 1}, got {np.min(labels)} to "
            f"{np.max(labels)}. Number the classes from 0, or raise num_classes."
        )
        raise ValueError(msg)
    return num_classes


def image_batches(
    images: TensorLike | str | os.PathLike[str] | tf.data.Dataset,
    labels: TensorLike | None = None,
    *,
    batch_size: int = 64,
    num_classes: int | None = None,
    flip: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Make the batches that flows of images train on.

    They go into `tfp_flows.fit(flow, batches)` and `flow.fit(batches)` alike. Without
    classes, a batch is the images; with them it is `{"x": images, "condition": rows}`,
    where rows are 1 at the class and 0 elsewhere, `[batch_size, num_classes]`: a flow
    for them has `condition_shape=num_classes`.

    Args:
        images: Raw pixels, `[N, H, W, C]` or `[N, H, W]`; or what
            `datasets.read_images` reads, such as a folder of pictures; or a dataset of
            images `[H, W, C]`, of pairs `(image, label)`, or of dictionaries
            `{"image": ..., "label": ...}` such as those of TensorFlow Datasets, each
            by itself or in batches.
        labels: Class of each image, whole numbers from 0, `[N]`; those of a dataset
            come with it.
        batch_size: Images per batch.
        num_classes: Number of classes; by default one more than the largest of
            `labels`. The labels of a dataset are left out unless it is given.
        flip: Whether to mirror each image with probability 1/2, anew in each pass.
            Right for clothes and landscapes, wrong for digits and letters.
        shuffle: Whether to shuffle anew in each pass, up to 10,000 images at a time;
            what does not fill a batch then waits for another pass. `False` keeps the
            order and the last, smaller batch, as validation wants it.
        seed: Int that fixes the order and the flips.

    Returns:
        A dataset of batches, in the type of the images.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If these are no images, if classes do not fit them, or if fewer
            than `batch_size` images are to be shuffled.

    Example:
        >>> import tfp_flows as tfpf
        >>> images, classes = tfpf.datasets.fashion_mnist()
        >>> batches = tfpf.training.image_batches(images, classes, flip=True, seed=0)
        >>> batch = next(iter(batches))
        >>> batch["x"].shape.as_list(), batch["condition"].shape.as_list()
        ([64, 28, 28, 1], [64, 10])
    """
    _checks.at_least(batch_size, 1, "batch_size")
    if isinstance(images, tf.data.Dataset):
        if labels is not None:
            msg = (
                "`labels` must come with the dataset, got them beside it. Let it yield "
                "(image, label)."
            )
            raise ValueError(msg)
        found = _from_dataset(images)
        labelled = num_classes is not None
        if labelled and not isinstance(found.element_spec, tuple):
            msg = (
                "`num_classes` must be left out for a dataset without labels, got "
                f"{num_classes}. Let it yield (image, label)."
            )
            raise ValueError(msg)
        if not labelled and isinstance(found.element_spec, tuple):
            found = found.map(lambda image, _: image)
        count = SHUFFLE_BUFFER
    else:
        found, count = _from_arrays(images, labels)
        labelled = labels is not None
        if num_classes is not None and not labelled:
            msg = f"`num_classes` must come with labels, got {num_classes} alone."
            raise ValueError(msg)
        if shuffle and count < batch_size:
            msg = (
                f"`batch_size` must be at most the number of images, {count}, got "
                f"{batch_size}. Lower it."
            )
            raise ValueError(msg)
        if labelled and num_classes is None:
            num_classes = int(np.max(np.asarray(labels))) + 1
    depth = 0
    if labelled:
        depth = _classes(labels, int(num_classes or 0))
    if shuffle:
        buffer = min(count, SHUFFLE_BUFFER)
        found = shuffled(found, buffer, seed)
    found = found.batch(batch_size, drop_remainder=shuffle)
    if flip:
        found = _flipped(found, seed)

    def finish(x: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.debugging.assert_less(
            label, tf.cast(depth, label.dtype), "`num_classes` must exceed all labels."
        )
        return {"x": x, "condition": tf.one_hot(label, depth)}

    return (found.map(finish) if labelled else found).prefetch(2)


def _flipped(batches: tf.data.Dataset, seed: int | None) -> tf.data.Dataset:
    """Mirror a random half of the images."""
    draws = random_numbers(seed).batch(2)

    def mirror(element: Any, draw: tf.Tensor) -> Any:
        x, *rest = element if isinstance(element, tuple) else (element,)
        x = tf.image.stateless_random_flip_left_right(x, draw)
        return (x, *rest) if rest else x

    return tf.data.Dataset.zip((batches, draws)).map(mirror)
