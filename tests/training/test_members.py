"""How `fit` trains ensembles: own batches, own best epochs."""

from __future__ import annotations

import numpy as np
import pytest

import tfp_flows as tfpf
from tfp_flows.training.callbacks.members import StopMembers
from tfp_flows.training.data import arrays, members, noises

ROWS = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
TINY = {"num_layers": 1, "hidden_units": (8,), "num_bins": 4, "residual": False}


def _batches(**options):
    dataset = members.for_members(
        arrays.Data(ROWS), 3, 20, noises.Noise(np.zeros(2)), 5, "float32", **options
    )
    return np.stack([batch[0].numpy() for batch in dataset.take(6)])


def _sorted(rows):
    return np.sort(rows.reshape(len(rows), -1, 2)[..., 0])


def test_each_member_sees_all_rows_in_an_order_of_its_own():
    found = _batches()
    assert found.shape == (6, 3, 20, 2)
    by_member = found.transpose(1, 0, 2, 3)
    for epoch in (by_member[:, :3], by_member[:, 3:]):
        np.testing.assert_array_equal(_sorted(epoch), [np.sort(ROWS[:, 0])] * 3)
    assert not np.array_equal(by_member[0], by_member[1])
    assert not np.array_equal(by_member[:, :3], by_member[:, 3:])
    np.testing.assert_array_equal(_batches(), found)


def test_bootstrap_gives_each_member_rows_of_its_own():
    by_member = _batches(bootstrap=True).transpose(1, 0, 2, 3)
    first, second = _sorted(by_member[:, :3]), _sorted(by_member[:, 3:])
    np.testing.assert_array_equal(first, second)  # once for all epochs
    assert not np.array_equal(first[0], first[1])
    assert len(np.unique(first[0])) < 60


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_differs_between_members_and_steps(dtype):
    data = arrays.Data(np.tile([[20.0, 20.0], [60.0, 60.0]], [20, 1]))
    noise = noises.Noise(0.5 * data.x.std(axis=0))
    steps = members.for_members(data, 2, 10, noise, 5, dtype).take(3)
    found = np.stack([batch[0].numpy() for batch in steps]) % 20.0
    assert found.dtype == dtype
    assert len(np.unique(found)) > 100


class _Model:
    """What the callback reads and writes of an ensemble."""

    num_members = 2

    def __init__(self):
        import tensorflow as tf

        self.member_variables = [tf.Variable([0.0, 0.0])]
        self.member_losses = None
        self.stop_training = False


def test_each_member_stops_by_itself():
    import tensorflow as tf

    losses = np.array([[3, 3], [2, 4], [4, 2], [5, 1], [6, 0.5], [7, 2], [7, 2]])
    model, stop = _Model(), StopMembers(2)
    stop.set_model(model)
    stop.on_train_begin()
    validated = []
    for epoch, found in enumerate(losses):
        model.member_variables[0].assign([epoch, epoch])  # training moves all
        stop.on_test_begin()
        validated.append(model.member_variables[0].numpy().tolist())
        model.member_losses = tf.constant(found)
        stop.on_epoch_end(epoch)
        if model.stop_training:
            break
    stop.on_train_end()
    assert stop.best_epochs.tolist() == [1, 4]
    assert stop.best.tolist() == [2.0, 0.5]
    assert (stop.stopped_epoch, stop.best_epoch) == (6, 4)
    assert validated[4] == [1.0, 4.0]  # the first one is frozen since epoch 3
    assert model.member_variables[0].numpy().tolist() == [1.0, 4.0]


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["equal", "validation"])
def test_fit_keeps_each_member_at_its_best(weights):
    x, held_out = ROWS[:40], ROWS[40:]
    flow, history = tfpf.fit(
        "nsf",
        x,
        validation=(held_out,),
        members=2,
        member_weights=weights,
        epochs=3,
        seed=0,
        verbose=0,
        **TINY,
    )
    assert len(history.history["val_loss"]) == 3
    assert isinstance(flow, tfpf.flows.Ensemble)
    assert flow.disagreement(held_out).numpy().max() > 1e-4
    shares = flow.mixture_weights.numpy()
    assert np.allclose(shares, 0.5) == (weights == "equal")


def test_weights_by_validation_need_rows_held_out():
    with pytest.raises(ValueError, match="held out"):
        tfpf.fit(
            "linear",
            ROWS,
            validation=None,
            members=2,
            member_weights="validation",
            epochs=1,
            verbose=0,
        )
