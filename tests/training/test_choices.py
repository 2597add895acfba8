"""What `fit` chooses: sizes, lengths and rates."""

from __future__ import annotations

import keras
import pytest

from tfp_flows.training import choices


def test_defaults_choose_batch_and_epochs_by_the_size_of_the_data():
    assert (choices.size_of_batch(50), choices.enough_epochs(2)) == (32, 1000)
    assert choices.size_of_batch(4000) == 256
    steps = -(-4000 // 256)
    assert choices.enough_epochs(steps) * steps >= choices.DEFAULT_STEPS
    assert choices.size_of_batch(10**6) == 512
    assert choices.lengths(10**6 // 64, epochs=3) == (3, 10**6 // 64)


def test_learning_rate_warms_up_and_falls():
    schedule = choices.make_optimizer(0.01, 0.0, 1000)._learning_rate
    rates = [float(schedule(step)) for step in (0, 50, 500, 1000)]
    assert rates[0] < rates[1] == pytest.approx(0.01, rel=0.02)
    assert rates[1] > rates[2] > rates[3]


@pytest.mark.parametrize("settable", [False, True])
def test_variables_of_optimizers_have_the_same_names_in_each_fit(settable):
    """TensorFlow keeps the operation of each new name for the life of the process."""
    names = []
    for _ in range(2):
        optimizer = choices.make_optimizer(0.01, 0.0, 1000, settable=settable)
        optimizer.build([keras.Variable([0.0], name="weight")])
        names.append([variable.path for variable in optimizer.variables])
    assert names[0] == names[1]
    assert len(names[0]) > 2


@pytest.mark.parametrize(
    ("in_data", "given", "wanted"),
    [
        (4, {}, (1000, 4)),
        (100, {}, (80, 100)),
        (4, {"epochs": 3}, (3, 4)),
        (4, {"steps": 10}, (3, 4)),
        (4, {"steps": 3}, (1, 3)),
        (4, {"steps": 10, "epochs": 5}, (5, 2)),
        (4, {"steps_per_epoch": 100}, (80, 100)),
        (None, {"steps": 1000}, (100, 10)),
        (None, {"steps": 7}, (7, 1)),
    ],
)
def test_lengths_follow_what_is_given(in_data, given, wanted):
    assert choices.lengths(in_data, **given) == wanted


def test_lengths_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="`steps` must be at least 1"):
        choices.lengths(4, steps=0)
    with pytest.raises(ValueError, match="`steps` must be given for data without"):
        choices.lengths(None, epochs=3)
