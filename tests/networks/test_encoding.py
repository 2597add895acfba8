"""What networks see of labels and angles."""

import numpy as np
import tensorflow as tf

from tfp_flows import networks
from tfp_flows.networks import encoding

KINDS = (None, ("labels", 3.0, 5.0, 9.0), ("period", 0.0, 4.0))
ROWS = tf.constant([[7.0, 5.0, 1.0], [8.0, 9.0, 4.0]])
SEEN = [[7.0, 0.0, 1.0, 0.0, 0.0, 1.0], [8.0, 0.0, 0.0, 1.0, 1.0, 0.0]]


def test_labels_become_zeros_and_a_one_and_angles_two_numbers():
    assert encoding.encoded_size(KINDS) == 6
    np.testing.assert_allclose(encoding.encode(ROWS, KINDS), SEEN, atol=1e-6)
    assert encoding.is_scaled(KINDS) == [True] + [False] * 5


def test_what_is_no_label_is_no_number():
    seen = encoding.encode(ROWS - 1.0, KINDS).numpy()
    assert np.isnan(seen[:, 1:4]).all()
    assert np.isfinite(seen[:, [0, 4, 5]]).all()


def test_only_numbers_are_standardised():
    embedding = networks.ConditionEmbedding((3,), encodings=KINDS)
    embedding.adapt(ROWS)
    assert embedding.output_shape == (6,)
    np.testing.assert_allclose(embedding(ROWS)[:, 0], [-1.0, 1.0], atol=1e-5)
    np.testing.assert_allclose(embedding(ROWS)[:, 1:], np.array(SEEN)[:, 1:], atol=1e-6)
    several = embedding(tf.reshape(ROWS, [1, 2, 3]))
    np.testing.assert_allclose(several[0], embedding(ROWS), atol=1e-6)
