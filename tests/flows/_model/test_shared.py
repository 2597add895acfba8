"""Programs that flows of equal structure share."""

from __future__ import annotations

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import _tapes
from tfp_flows.flows._model import shared


@pytest.fixture(autouse=True)
def keep_all(monkeypatch):
    """Let no program go for those that tests before have left."""
    monkeypatch.setattr(shared, "MAX_PROGRAMS", 10_000)


def _counter(factor, start):
    """A function that moves a variable in a loop, and the variable."""
    variable = tf.Variable(start)

    def count(data):
        steps = tf.while_loop(
            lambda i: i < 3,
            lambda i: (i + tf.cast(data["x"][0] > 0, i.dtype) + 1,),
            (0,),
        )
        variable.assign_add(factor * tf.reduce_sum(data["x"]))
        return {"steps": steps[0], "data": data["x"], "nothing": None}

    function = tf.function(count, jit_compile=True, autograph=False)
    spec = {"x": tf.TensorSpec([None]), "missing": None}
    bound = shared.bound(function.get_concrete_function(spec))
    return lambda *values: bound(tf.constant(values)), variable


def test_equal_functions_share_a_program_and_keep_their_variables():
    first, one = _counter(2.0, 10.0)
    out = first(1.0, 2.0)
    assert one.numpy() == 16.0
    assert out["steps"].numpy() == 4
    assert out["data"].numpy().tolist() == [1.0, 2.0]
    assert out["nothing"] is None
    programs = shared.num_programs()
    del first, out
    gc.collect()  # the program outlives the function that it was made of
    second, other = _counter(2.0, -1.0)
    assert second(-3.0, 1.0)["steps"].numpy() == 3
    assert (one.numpy(), other.numpy()) == (16.0, -5.0)
    assert shared.num_programs() == programs


def test_functions_with_other_constants_do_not_share():
    _counter(3.0, 0.0)[0](1.0)
    programs = shared.num_programs()
    function, variable = _counter(4.0, 0.0)
    function(1.0)
    assert variable.numpy() == 4.0
    assert shared.num_programs() == programs + 1


def test_programs_beyond_the_most_are_built_anew(monkeypatch):
    monkeypatch.setattr(shared, "MAX_PROGRAMS", 1)
    for factor in (5.0, 6.0, 5.0):
        function, variable = _counter(factor, 0.0)
        function(1.0)
        assert variable.numpy() == factor
        assert shared.num_programs() == 1


def _trained(x, *, jit_compile, steps_per_execution=1):
    keras.utils.set_random_seed(0)
    flow = tfpf.flows.build("nice", 2, num_layers=1, hidden_units=(4,))
    flow.compile(
        optimizer=keras.optimizers.Adam(0.1),
        jit_compile=jit_compile,
        steps_per_execution=steps_per_execution,
    )
    history = flow.fit(
        x, epochs=2, batch_size=8, shuffle=False, verbose=0, validation_data=(x,)
    )
    return flow, history.history


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_flow_trained_by_a_shared_program_is_that_without_xla(steps_per_execution):
    x = np.random.default_rng(0).normal(size=[32, 2]).astype("float32")
    _trained(x, jit_compile=True)
    programs = shared.num_programs()
    options = {"steps_per_execution": steps_per_execution}
    flow, history = _trained(x, jit_compile=True, **options)
    assert shared.num_programs() == programs
    assert flow.jit_compile
    expected, losses = _trained(x, jit_compile=False, **options)
    for one, other in zip(flow.variables, expected.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for key in losses:
        np.testing.assert_allclose(history[key], losses[key], rtol=1e-5)


def test_densities_of_equal_flows_share_a_program_and_keep_their_gradients():
    x = tf.constant([[0.5, -1.0], [2.0, 0.3]])
    flows = [small.perturbed(small.build("nice"), seed=seed) for seed in range(2)]
    found = flows[0].log_prob(x, jit_compile=True)
    programs = shared.num_programs()
    found = found, flows[1].log_prob(x, jit_compile=True)
    assert shared.num_programs() == programs
    for flow, values in zip(flows, found, strict=True):
        np.testing.assert_allclose(values, flow.log_prob(x), rtol=1e-5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        density = flows[1].log_prob(x, jit_compile=True)
    np.testing.assert_allclose(density, found[1], rtol=1e-6)
    assert np.all(np.isfinite(tape.gradient(density, x)))


def test_equal_flows_share_their_steps_without_xla():
    x = np.random.default_rng(0).normal(size=[32, 2]).astype("float32")
    flow, history = _trained(x, jit_compile=False)
    programs = shared.num_programs()
    for _ in range(2):
        again, found = _trained(x, jit_compile=False)
        assert found == history
        for one, other in zip(again.variables, flow.variables, strict=True):
            np.testing.assert_array_equal(one, other)
    assert shared.num_programs() == programs


def _steps(step):
    """What runs a step twice on three rows, and how often TensorFlow ran it itself."""
    own = []

    def otherwise(iterator):
        own.append(1)
        return step(next(iterator))

    steps = shared.Steps(step, otherwise, jit_compile=False)
    iterator = iter(tf.data.Dataset.from_tensor_slices(np.float32([1.0, 2.0, 3.0])))
    return [steps(iterator), steps(iterator)], len(own)


def test_steps_with_a_state_of_their_own_are_not_shared():
    shifted = tf.Variable(10.0)
    found, own = _steps(lambda row: row + shifted)
    assert ([value.numpy() for value in found], own) == ([11.0, 12.0], 0)
    for step in (
        lambda row: tf.numpy_function(lambda v: v + 1.0, [row], tf.float32),
        lambda row: tf.py_function(lambda v: v + 1.0, [row], tf.float32),
        lambda row: row + tf.random.uniform([]),
    ):
        programs = shared.num_programs()
        assert _steps(step)[1] == 2
        assert shared.num_programs() == programs


@pytest.mark.slow
def test_custom_gradients_of_a_flow_go_with_it(monkeypatch):
    known = {}
    monkeypatch.setattr(
        _tapes, "forget", lambda names: known.update(dict.fromkeys(names))
    )
    flow = small.build("nsf")
    x = tf.zeros([2, *flow.event_shape])
    with tf.GradientTape() as tape:
        tape.watch(x)
        density = flow.log_prob(x)
    del flow
    gc.collect()
    assert any(name.startswith("CustomGradient-") for name in known)
    assert np.all(np.isfinite(tape.gradient(density, x)))
