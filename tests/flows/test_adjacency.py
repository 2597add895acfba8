"""Autoregressive flows of a graph of parents."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows import flows, training

CHAIN = [[0, 0, 1], [0, 0, 0], [0, 1, 0]]  # 1 before 2 before 0


@pytest.mark.parametrize("name", ["iaf", "nsf-ar"])
def test_jacobian_is_blocked_where_the_graph_has_no_edge(name):
    flow = small.build(name, 3, num_layers=1, adjacency=CHAIN, dtype="float64")
    flow = small.perturbed(flow, 1.0)
    bijector = flow.bijector()
    function = bijector.forward if name == "iaf" else bijector.inverse
    x = tf.constant(small.table(6, 3, dtype="float64"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = function(x)
    found = np.abs(tape.batch_jacobian(z, x)).max(axis=0) > 0.0
    np.testing.assert_array_equal(found, np.array(CHAIN) + np.eye(3) > 0)


def test_coordinates_are_independent_given_their_parents():
    flow = small.build("maf", 3, num_layers=1, adjacency=CHAIN, dtype="float64")
    small.perturbed(flow, 0.5)
    # Given 2, the density of 0 does not depend on 1; without it, it does.
    x = small.table(20, 3, dtype="float64")
    for given, same in ((1, True), (2, False)):
        moved = x + 0.7 * np.eye(3)[given]
        raised = np.array([0.9, 0.0, 0.0])
        change = [flow.log_prob(v + raised) - flow.log_prob(v) for v in (x, moved)]
        assert np.allclose(*change, atol=1e-9) == same


def test_graph_survives_a_configuration_and_a_fit_by_name():
    x = small.table(60, 3)
    flow, _ = training.fit(
        "nsf-ar",
        x,
        num_layers=1,
        hidden_units=(8, 8),
        adjacency=np.array(CHAIN),
        epochs=1,
        seed=0,
        verbose=0,
        jit_compile=False,
    )
    again = type(flow).from_config(flow.get_config())
    assert again.adjacency == flow.adjacency
    again.set_weights(flow.get_weights())
    np.testing.assert_array_equal(again.log_prob(x), flow.log_prob(x))


def test_what_would_connect_all_coordinates_is_refused():
    with pytest.raises(ValueError, match=r"parents of parents.*num_layers=1"):
        flows.build("maf", 3, adjacency=CHAIN)
    with pytest.raises(ValueError, match="`mixing` must be 'none'"):
        flows.build("maf", 3, num_layers=1, adjacency=CHAIN, mixing="lu")
    with pytest.raises(ValueError, match="`order` must be left out"):
        flows.build("maf", 3, num_layers=1, adjacency=CHAIN, order="random")
    with pytest.raises(ValueError, match="a row for each of 2 coordinates, got 3"):
        flows.build("maf", 2, num_layers=1, adjacency=CHAIN)
