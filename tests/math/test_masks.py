"""Orders and masks of autoregressive networks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tfp_flows.math import masks


def test_named_orders_and_given_ranks():
    assert masks.order_ranks("left-to-right", 3) == (0, 1, 2)
    assert masks.order_ranks("right-to-left", 3) == (2, 1, 0)
    assert masks.order_ranks(np.array([1, 0, 2]), 3) == (1, 0, 2)
    drawn = {masks.order_ranks("random", 6, seed) for seed in range(5)}
    assert len(drawn) > 1
    assert all(sorted(ranks) == list(range(6)) for ranks in drawn)
    assert masks.order_ranks("random", 6, 3) == masks.order_ranks("random", 6, 3)


@pytest.mark.parametrize("order", ["sideways", (0, 0, 1), (0, 1), (1, 2, 3)])
def test_other_orders_are_refused(order):
    with pytest.raises(ValueError, match=r"permutation of range\(3\), got"):
        masks.order_ranks(order, 3)


def test_degrees_are_sorted_and_spread_evenly():
    for units, size, with_zero in ((12, 4, False), (12, 4, True), (7, 3, False)):
        degrees = masks.hidden_degrees(units, size, with_zero=with_zero)
        first = 0 if with_zero else 1
        assert np.all(np.diff(degrees) >= 0)
        assert {*degrees.tolist()} == {*range(first, size)}
        counts = np.bincount(degrees)[first:]
        assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(masks.hidden_degrees(4, 1, with_zero=False), 0)


@pytest.mark.parametrize("ranks", [(0, 1, 2, 3), (2, 0, 3, 1)])
def test_outputs_see_exactly_the_coordinates_before_their_own(ranks):
    degrees = [masks.hidden_degrees(n, 4, with_zero=True) for n in (9, 8, 12)]
    made = masks.stack_masks(ranks, degrees, 2)()
    assert [*made] == ["kernel_0", "kernel_1", "kernel_2", "head"]
    paths = made["head"].astype(int)
    for name in ("kernel_2", "kernel_1", "kernel_0"):
        paths = paths @ made[name]
    before = np.array(ranks)[:, np.newaxis] > np.array(ranks)
    # Parameters first: all coordinates of one, then those of the next.
    np.testing.assert_array_equal(paths > 0, np.tile(before, (2, 1)))


def test_small_products_are_whole_and_large_ones_are_cut():
    size = 64
    for units in (16, 256):
        degrees = [masks.hidden_degrees(units, size, with_zero=False)] * 2
        made = masks.stack_masks(range(size), degrees, 1)()
        cut = masks.stack_blocks(made, size)()
        assert [*cut] == [*made]
        assert len(cut["kernel_1"]) == (masks.BLOCKS if units == 256 else 1)
        for name, blocks in cut.items():
            mask = made[name]
            rows = [row for block in blocks for row in range(block.start, block.stop)]
            assert rows == list(range(len(mask)))
            for block in blocks:
                inside = mask[block.start : block.stop]
                assert not inside[:, block.seen :].any()
                if len(blocks) > 1:
                    assert inside[:, block.seen - 1].any()


def test_steps_bring_the_units_of_their_degree():
    ranks, degrees = (1, 2, 0), [np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 1])]
    first, one, two, last = masks.stack_slots(ranks, degrees, 2)()
    np.testing.assert_array_equal(first, [[2], [0], [1]])
    np.testing.assert_array_equal(one, [[0, 1], [2, 5], [3, 4]])
    np.testing.assert_array_equal(two, [[0, 4, 4], [1, 2, 3], [4, 4, 4]])
    np.testing.assert_array_equal(last, [[2, 5], [0, 3], [1, 4]])


def test_what_holds_the_arrays_can_be_pickled():
    degrees = [masks.hidden_degrees(3, 2, with_zero=False)]
    held = masks.stack_masks((0, 1), degrees, 1)
    twin = pickle.loads(pickle.dumps(held))
    np.testing.assert_array_equal(twin()["head"], held()["head"])
