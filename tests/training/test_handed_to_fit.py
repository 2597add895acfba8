"""What `fit` is handed by mistake: each is named in a sentence, or understood."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.tiny import X, fit


def test_one_callback_is_a_list_of_one():
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(epoch)
    )
    fit("linear", epochs=1, callbacks=callback)
    assert seen == [0]
    fit("linear", epochs=1, callbacks=None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            keras.callbacks.EarlyStopping,
            r"the class `EarlyStopping`.*EarlyStopping\(\)",
        ),
        ([keras.callbacks.EarlyStopping], "the class `EarlyStopping`"),
        ("early", "callbacks of Keras, got 'early'"),
        ([3], "callbacks of Keras, got 3"),
    ],
)
def test_what_is_no_callback_is_refused(given, words):
    with pytest.raises(TypeError, match=f"`callbacks` must be .*{words}"):
        fit("linear", epochs=1, callbacks=given)


@pytest.mark.parametrize("verbose", ["loud", 3, None])
def test_unknown_verbosity_is_refused(verbose):
    with pytest.raises(ValueError, match="`verbose` must be one of 'auto', 0, 1, 2"):
        fit("linear", epochs=1, verbose=verbose)


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"`columns` must name .*'a' 2 times"):
        fit("linear", columns=["a", "a"])
    with pytest.raises(ValueError, match=r"`condition_columns` must .*'b' 2 times"):
        fit("linear", x=X[:, :1], condition=X, condition_columns=["b", "b"])


@pytest.mark.parametrize("wide", [X[:, :1], np.zeros([5, 3], np.float32)])
@pytest.mark.parametrize("as_dataset", [False, True])
def test_validation_of_another_width_is_named(wide, as_dataset):
    given = tf.data.Dataset.from_tensor_slices(wide).batch(5) if as_dataset else (wide,)
    with pytest.raises(ValueError, match=r"^`validation` must hold events of shape"):
        fit("linear", validation=given)


def test_conditions_of_validation_are_named():
    with pytest.raises(
        ValueError, match=r"^`validation` must hold conditions of shape"
    ):
        fit("linear", condition=X[:, :1], validation=(X, X))
    with pytest.raises(ValueError, match=r"^`validation` must have conditions if"):
        fit("linear", condition=X[:, :1], validation=(X,))
    with pytest.raises(ValueError, match=r"got conditions. Pass validation=\(x,\)"):
        fit("linear", validation=(X, X))
