"""Stacked updates: the numbers of Keras' own optimizers, in few operations."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows.flows._model import optimizer as updates

X = small.table(64)
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True, clipvalue=0.05),
    "adamw": lambda: keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(0.01, 10),
        weight_decay=0.1,
        global_clipnorm=0.5,
    ),
    "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "clipped": lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
    "averaged": lambda: keras.optimizers.Adam(0.01, use_ema=True),
    "gathered": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
}
STACKED = ("adam", "amsgrad", "adamw")


def trained(kind, *, jit_compile=False, dtype="float32", **options):
    """Return weights and the optimizer's numbers after some steps."""
    flow = small.build("realnvp", dtype=dtype)
    optimizer = OPTIMIZERS[kind]()
    flow.compile(optimizer=optimizer, jit_compile=jit_compile, **options)
    if kind == "adamw":
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    losses = [flow.train_on_batch(X) for _ in range(3)]
    numbers = [v.numpy() for v in (*flow.trainable_variables, *optimizer.variables)]
    return losses, numbers


@pytest.mark.slow
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_stacked_updates_are_those_of_keras(kind, monkeypatch):
    losses, numbers = trained(kind, dtype="float64")
    monkeypatch.setattr(updates, "KINDS", ())
    wanted_losses, wanted = trained(kind, dtype="float64")
    np.testing.assert_allclose(losses, wanted_losses, rtol=1e-6)
    for ours, theirs in zip(numbers, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_stacked_updates_are_those_of_keras_under_xla(monkeypatch):
    _, numbers = trained("adamw", jit_compile=True)
    monkeypatch.setattr(updates, "KINDS", ())
    _, wanted = trained("adamw")
    for ours, theirs in zip(numbers, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_only_adam_on_single_numbers_is_stacked(kind):
    flow = small.build("realnvp")
    optimizer = OPTIMIZERS[kind]()
    optimizer.build(flow.trainable_variables)
    own = optimizer.apply_gradients
    found = []

    @tf.function
    def trace():
        with updates.stacked(optimizer):
            found.append(optimizer.apply_gradients != own)

    trace()
    assert found == [kind in STACKED]
    assert optimizer.apply_gradients == own


@pytest.mark.slow
@pytest.mark.parametrize("name", updates.INTERNALS.values())
def test_names_that_keras_may_change_are_not_needed(name, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(updates, "KINDS", ())
        wanted_losses, wanted = trained("amsgrad")

    asked = []

    def hiding(self, attribute):
        asker = sys._getframe(1).f_globals["__name__"]
        if attribute == name and asker == updates.__name__:
            asked.append(attribute)
            raise AttributeError(attribute)
        return object.__getattribute__(self, attribute)

    monkeypatch.setattr(keras.optimizers.Adam, "__getattribute__", hiding)
    monkeypatch.setattr(updates, "_apply", None)  # stacks are not even tried
    losses, numbers = trained("amsgrad")
    assert asked
    np.testing.assert_array_equal(losses, wanted_losses)
    for ours, theirs in zip(numbers, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_frozen_variables_stay_and_a_missing_gradient_is_left_to_keras():
    flow = small.build("realnvp")
    frozen = flow.trainable_variables[0]
    frozen.trainable = False
    before = frozen.numpy()
    flow.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    first = flow.train_on_batch(X)
    for _ in range(5):
        last = flow.train_on_batch(X)
    assert last < first
    np.testing.assert_array_equal(frozen.numpy(), before)

    optimizer = keras.optimizers.Adam(0.01)
    variables = [keras.Variable(np.ones(2)), keras.Variable(np.ones(2))]
    optimizer.build(variables)

    @tf.function
    def step():
        with updates.stacked(optimizer):
            optimizer.apply_gradients(zip([tf.ones(2), None], variables, strict=True))

    with pytest.warns(UserWarning, match="Gradients do not exist"):
        step()
    assert np.all(variables[0].numpy() < 1)
    np.testing.assert_array_equal(variables[1].numpy(), 1)


def test_operations_of_the_update_do_not_grow_with_depth():
    counts = []
    for size in (10, 20):
        variables = [keras.Variable(np.ones([3, 2])) for _ in range(size)]
        optimizer = keras.optimizers.Adam(0.01)
        optimizer.build(variables)

        @tf.function
        def step():
            with updates.stacked(optimizer):  # noqa: B023
                pairs = [(tf.ones([3, 2]), v) for v in variables]  # noqa: B023
                optimizer.apply_gradients(pairs)  # noqa: B023

        operations = step.get_concrete_function().graph.get_operations()
        counts.append(sum(op.type in ("Mul", "Sub", "Sqrt") for op in operations))
    assert counts[0] == counts[1]
