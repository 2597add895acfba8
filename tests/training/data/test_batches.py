"""Orders of batches: by their own seed, whatever the global one is."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows.training.data import batches


def orders(seed):
    data = tf.data.Dataset.range(40).map(lambda i: {"x": i, "y": (i, -i)})
    mixed = batches.shuffled(data, 40, seed)
    return [[int(each["x"]) for each in mixed] for _ in range(2)]


@pytest.fixture
def global_seed():
    """Set TensorFlow's global seed, and set another one at the end."""
    yield tf.random.set_seed
    tf.random.set_seed(0)


def test_order_is_that_of_tensorflow_without_a_global_seed():
    first, second = orders(3)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(40))
    assert orders(3) == [first, second]
    assert orders(4)[0] != first


def test_order_and_numbers_do_not_depend_on_the_global_seed(global_seed):
    found = []
    for seed in (1, 2):
        global_seed(seed)
        numbers = [int(each) for each in batches.random_numbers(5).take(9)]
        found.append((orders(3), numbers))
    assert found[0] == found[1]
    drawn = [int(each) for each in batches.random_numbers(None).take(3)]
    assert drawn != found[0][1][:3]


def test_orders_of_chance_differ():
    assert orders(None)[0] != list(range(40))


def test_fits_and_batches_of_images_do_not_depend_on_the_global_seed(global_seed):
    x = tfpf.datasets.toy("two_moons", 200, seed=0)
    images = np.arange(24 * 4).reshape(24, 2, 2, 1).astype(np.uint8)
    found = []
    for seed in (1, 2):
        global_seed(seed)
        flow, _ = tfpf.fit("linear", x, epochs=2, noise=0.1, seed=0, verbose=0)
        pictures = tfpf.training.image_batches(images, batch_size=8, flip=True, seed=0)
        found.append((flow.log_prob(x).numpy(), next(iter(pictures))))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    tf.nest.map_structure(np.testing.assert_array_equal, found[0][1], found[1][1])
