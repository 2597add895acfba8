"""Words of Keras and scikit-learn: those that `fit` takes, and those it explains."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import X, fit
from tfp_flows.preprocessing import DataNotice
from tfp_flows.training import words

WEIGHTS = np.linspace(0.5, 1.5, 120)


@pytest.mark.slow
def test_words_of_keras_are_other_names():
    flow = small.build("linear")
    pairs = [
        ({"weights": WEIGHTS, "validation": 0.2}, "validation_split", 0.2),
        (
            {"weights": WEIGHTS, "validation": (X[:9],)},
            "validation_data",
            (X[:9], None),
        ),
        ({"weights": WEIGHTS, "validation": (X[:9],)}, "validation_data", X[:9]),
    ]
    for ours, word, value in pairs:
        losses = [
            fit("linear", **options)[1].history["val_loss"]
            for options in (ours, {"sample_weight": WEIGHTS, word: value})
        ]
        np.testing.assert_allclose(*losses, atol=1e-6)
    history = fit(flow, validation_split=0.0)[1].history
    assert "val_loss" not in history


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": WEIGHTS, "sample_weight": WEIGHTS}, "say the same, got both"),
        ({"validation": 0.1, "validation_split": 0.1}, "both say what is held out"),
        ({"validation": None, "validation_data": (X,)}, "both say what is held out"),
        ({"validation_split": 0.1, "validation_data": (X,)}, "`validation_data` both"),
    ],
)
def test_words_that_contradict_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fit("linear", **options)


@pytest.mark.parametrize("word", words.FOREIGN)
def test_foreign_words_point_to_ours(word):
    with pytest.raises(TypeError, match=f"calls it `{words.FOREIGN[word]}`"):
        tfpf.fit("nsf", X, **{word: 1})


def test_flow_may_be_left_out_and_not_come_last():
    assert words.flow_and_data(X, None, None) == (tfpf.flows.DEFAULT, X)
    with pytest.raises(TypeError, match=r"got a `ndarray`\. Write fit\('nsf', x\)"):
        tfpf.fit(X, "nsf")
    with pytest.raises(TypeError, match=r"Write fit\('nsf-ar', x\)"):
        tfpf.fit(None, X)
    with pytest.raises(ValueError, match="likelihood needs data"):
        tfpf.fit("nsf")


def test_validation_of_dicts_and_datasets():
    x, condition = small.batch(60)
    held_out = {"x": x[:20], "condition": condition[:20]}
    batches = tf.data.Dataset.from_tensor_slices((x[:20], condition[:20])).batch(20)
    losses = [
        fit("linear", x, condition, validation_data=data)[1].history["val_loss"]
        for data in (held_out, batches)
    ]
    np.testing.assert_allclose(*losses, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "`epochs` must be at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "`epochs` must be a number without a fraction"),
        ({"steps": "9"}, TypeError, "`steps` must be a number without a fraction"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
        ({"patience": -1}, ValueError, "`patience` must be at least 0"),
        ({"learning_rate": -1.0}, ValueError, "`learning_rate` must be positive"),
        ({"learning_rate": float("nan")}, ValueError, "`learning_rate` must be"),
        ({"noise": -0.1}, ValueError, "`noise` must be at least 0"),
        ({"weight_decay": -1.0}, ValueError, "`weight_decay` must be at least 0"),
        ({"average": 1.0}, ValueError, "`average` must be at least 0 and below 1"),
    ],
)
def test_numbers_without_a_meaning_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        tfpf.fit("linear", np.eye(9, 2), **given)


def test_files_are_read_before():
    with pytest.raises(
        TypeError, match=r"the path 'wine.csv'. Read it by .*read_table"
    ):
        tfpf.fit("nsf", np.eye(9, 2), weights="wine.csv")
    with pytest.raises(FileNotFoundError, match="`path` must be an existing file"):
        tfpf.fit("nsf", "wine.csv")


def test_near_words_are_named():
    with pytest.raises(ValueError, match="got 'nsf-arr': did you mean 'nsf-ar'"):
        fit("nsf-arr")
    with pytest.raises(TypeError, match="got num_layer: did you mean 'num_layers'"):
        fit("maf", num_layer=2)
    with pytest.raises(TypeError, match="`fit` calls it `epochs`"):
        fit("maf", epoch=2)


def test_what_some_flows_and_datasets_cannot_detect_is_said():
    x = np.column_stack([np.arange(120.0) % 6, X[:, 0]])
    with pytest.warns(DataNotice, match="'symmetric' has no masses of single values"):
        fit("symmetric", x)
    rows = tf.data.Dataset.from_tensor_slices(x.astype("float32")).batch(40)
    with pytest.warns(DataNotice, match="Columns of a dataset are not detected"):
        fit("maf", rows, batch_size=None)


@pytest.mark.parametrize("word", words.OF_COMPILE)
def test_words_of_compile_are_explained(word):
    with pytest.raises(TypeError, match=f"`{word}` is no argument of `fit`, which"):
        fit("linear", **{word: 1})
