"""Batches of images from arrays, files and datasets."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows
from tfp_flows import datasets, training


@pytest.fixture(scope="module")
def clothes():
    images, classes = datasets.fashion_mnist()
    return images[:96], classes[:96]


def _dictionaries(images, classes):
    return tf.data.Dataset.from_tensor_slices({"image": images, "label": classes})


def _rows(images):
    return sorted(image.tobytes() for image in images)


@pytest.mark.parametrize(
    "source",
    [
        lambda x, y: (x, y),
        lambda x, y: (x[..., 0], y),
        lambda x, y: (_dictionaries(x, y), None),
        lambda x, y: (_dictionaries(x, y).batch(20), None),
        lambda x, y: (tf.data.Dataset.from_tensor_slices((x, y)), None),
    ],
    ids=["arrays", "no channel", "dictionaries", "batches", "pairs"],
)
def test_every_source_gives_all_images_with_their_classes(source, clothes):
    images = clothes[0]
    x, y = source(*clothes)
    batches = training.image_batches(x, y, num_classes=10, batch_size=32, seed=0)
    found = list(batches.as_numpy_iterator())
    assert [len(batch["x"]) for batch in found] == [32, 32, 32]
    given = {image.tobytes(): label for image, label in zip(*clothes, strict=True)}
    seen = np.concatenate([batch["x"] for batch in found])
    assert _rows(seen) == _rows(images)
    assert not np.array_equal(seen, images)  # shuffled
    rows = np.concatenate([batch["condition"] for batch in found])
    np.testing.assert_array_equal(rows.sum(axis=1), 1.0)
    want = [given[image.tobytes()] for image in seen]
    np.testing.assert_array_equal(rows.argmax(axis=1), want)


def test_labels_of_a_dataset_are_left_out_unless_classes_are_counted(clothes):
    batch = next(iter(training.image_batches(_dictionaries(*clothes), batch_size=8)))
    assert batch.shape == (8, 28, 28, 1)
    assert batch.dtype == tf.uint8


def test_order_and_last_batch_stay_without_shuffling(clothes):
    batches = training.image_batches(clothes[0], batch_size=40, shuffle=False)
    found = list(batches.as_numpy_iterator())
    assert [len(batch) for batch in found] == [40, 40, 16]
    np.testing.assert_array_equal(np.concatenate(found), clothes[0])


def test_flips_mirror_about_half_of_the_images_anew_in_each_pass(clothes):
    images, _ = clothes
    batches = training.image_batches(
        images, batch_size=96, shuffle=False, flip=True, seed=1
    )
    passes = [next(batches.as_numpy_iterator()) for _ in range(2)]
    mirrored = []
    for found in passes:
        same = np.all(found == images, axis=(1, 2, 3))
        turned = np.all(found == images[:, :, ::-1], axis=(1, 2, 3))
        assert np.all(same | turned)
        assert 25 < np.sum(turned & ~same) < 70
        mirrored.append(turned)
    again = training.image_batches(
        images, batch_size=96, shuffle=False, flip=True, seed=1
    )
    np.testing.assert_array_equal(next(again.as_numpy_iterator()), passes[0])
    iterated = [b for _ in range(2) for b in batches.as_numpy_iterator()]
    assert not np.array_equal(iterated[0], iterated[1])


def test_folder_of_pictures(clothes, tmp_path):
    library = pytest.importorskip("PIL.Image")
    for i, image in enumerate(clothes[0][:6]):
        library.fromarray(image[..., 0]).save(tmp_path / f"{i}.png")
    batches = training.image_batches(tmp_path, batch_size=6, shuffle=False)
    np.testing.assert_array_equal(next(iter(batches)), clothes[0][:6])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["tfp_flows.fit", "flow.fit"])
def test_flows_train_on_dictionaries(way, clothes):
    batches = training.image_batches(
        _dictionaries(*clothes), num_classes=10, batch_size=32, flip=True, seed=0
    )
    options = {"num_levels": 1, "num_steps": 1, "hidden_units": 8}
    if way == "tfp_flows.fit":
        flow, history = tfp_flows.fit(
            "glow", batches, validation=None, epochs=2, seed=0, verbose=0, **options
        )
    else:
        flow = tfp_flows.flows.build("glow", (28, 28, 1), 10, seed=0, **options)
        flow.adapt(clothes[0], np.eye(10, dtype=np.float32)[clothes[1]])
        flow.compile(keras.optimizers.Adam(1e-3))
        history = flow.fit(batches, epochs=2, verbose=0)
    assert flow.condition_shape == (10,)
    loss = history.history["loss"]
    assert loss[1] < loss[0]


def test_dictionaries_with_other_names_point_to_the_pipeline(clothes):
    options = {"num_levels": 1, "num_steps": 1, "hidden_units": 8}
    flow = tfp_flows.flows.build("glow", (28, 28, 1), seed=0, **options)
    with pytest.raises(ValueError, match="image_batches"):
        flow({"image": clothes[0]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros([3, 4])}, r"`images` must be \[N, H, W, C\]"),
        ({"images": np.zeros([3, 4, 4]), "batch_size": 4}, "`batch_size` must be"),
        ({"images": np.zeros([3, 4, 4]), "num_classes": 4}, "must come with labels"),
        ({"labels": np.zeros([2], int)}, "`labels` must be 3 whole numbers"),
        ({"labels": np.zeros([3])}, "of type float64"),
        ({"labels": np.arange(3), "num_classes": 2}, "must lie in 0 ... 1, got 0 to 2"),
        ({"labels": np.arange(3) - 1}, "got -1 to 1"),
    ],
)
def test_bad_arrays_are_refused(arguments, message):
    given = {"images": np.zeros([3, 4, 4], np.uint8), "batch_size": 1, **arguments}
    with pytest.raises(ValueError, match=message):
        training.image_batches(**given)


@pytest.mark.parametrize(
    ("elements", "arguments", "message"),
    [
        ({"picture": np.zeros([3, 4, 4, 1])}, {}, r"got keys \['picture'\]"),
        (np.zeros([3, 4, 4]), {}, r"got elements \(4, 4\)"),
        (np.zeros([3, 4, 4, 1]), {"num_classes": 2}, "must be left out"),
        (np.zeros([3, 4, 4, 1]), {"labels": np.arange(3)}, "must come with the"),
    ],
)
def test_bad_datasets_are_refused(elements, arguments, message):
    dataset = tf.data.Dataset.from_tensor_slices(elements)
    with pytest.raises(ValueError, match=message):
        training.image_batches(dataset, **arguments)


def test_a_label_beyond_the_classes_is_no_silent_row_of_zeros():
    pair = (np.zeros([3, 4, 4, 1]), np.arange(3))
    dataset = tf.data.Dataset.from_tensor_slices(pair)
    batches = training.image_batches(dataset, num_classes=2, batch_size=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must exceed all labels"):
        next(iter(batches))
