"""Graphs of parents: what is none is told in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows.math import graphs

CHAIN = ((False, False, False), (True, False, False), (False, True, False))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[0, 1], [1, 0]], "no cycle, got 0 -> 1 -> 0"),
        ([[0, 0], [0, 1]], "no cycle, got 1 -> 1"),
        ([[0, 1, 0], [0, 0, 1], [0, 1, 0]], "no cycle, got 1 -> 2 -> 1"),
        ([[0, 1]], r"square matrix.* got shape \(1, 2\)"),
        ([[0, 1], [0]], "rows of unequal lengths"),
        ([[0, 2], [0, 0]], "zeros and ones"),
        ([["a"]], "zeros and ones"),
        ([[0, np.nan], [0, 0]], "zeros and ones"),
    ],
)
def test_a_matrix_that_is_no_graph_is_refused(matrix, words):
    with pytest.raises(ValueError, match=words):
        graphs.read_adjacency(matrix)


def test_parents_come_first_else_left_to_right():
    upwards = graphs.read_adjacency(np.triu(np.ones((3, 3)), 1))
    assert graphs.topological_ranks(upwards) == (2, 1, 0)
    assert graphs.topological_ranks(CHAIN) == (0, 1, 2)
    assert graphs.topological_ranks(graphs.read_adjacency(np.zeros((3, 3)))) == (
        *(0, 1, 2),
    )
    with pytest.raises(ValueError, match="parents of `adjacency` first"):
        graphs.read_ranks((2, 1, 0), CHAIN)


def test_a_chain_is_kept_by_one_layer_only():
    with pytest.raises(ValueError, match="got 2 -> 1 -> 0 without"):
        graphs.require_transitive(CHAIN, "Give one.")
    graphs.require_transitive(((False, False), (True, False)), "Give one.")


def test_every_set_of_parents_has_units():
    seen = graphs.unit_parents(5, CHAIN, (0, 1, 2), with_none=True)
    assert seen.astype(int).tolist() == [
        *([0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]),
    ]
    assert graphs.unit_ranks(seen, (0, 1, 2)).tolist() == [0, 0, 1, 1, 2]
    with pytest.raises(ValueError, match="at least 2 in each layer"):
        graphs.unit_parents(1, CHAIN, (0, 1, 2), with_none=False)
