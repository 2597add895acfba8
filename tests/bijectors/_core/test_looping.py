"""The policy by which chains go through loops."""

from __future__ import annotations

import math

import pytest
import tensorflow as tf

from tfp_flows import _context
from tfp_flows import bijectors as maps
from tfp_flows.bijectors._core import looping


def least(scope, *, rank=1, checkpoint=False):
    """Return the answer within a traced function."""
    found = []
    with scope, tf.Graph().as_default():
        found.append(looping.least_blocks(rank=rank, checkpoint=checkpoint))
    return found[0]


@pytest.mark.parametrize(
    ("on_gpu", "values", "training", "elsewhere"),
    [
        (False, 2, looping.LOOP_TO_TRAIN, math.inf),
        (True, looping.LOOP_TO_TRAIN, looping.LOOP_TO_TRAIN, math.inf),
    ],
)
def test_policy_of_vectors(monkeypatch, on_gpu, values, training, elsewhere):
    monkeypatch.setattr(_context, "on_gpu", lambda: on_gpu)
    assert least(_context.values_scope()) == values
    assert least(_context.training_scope(enabled=True)) == training
    assert least(_context.training_scope(enabled=False)) == elsewhere
    for scope in (_context.values_scope(), _context.training_scope(enabled=True)):
        assert least(scope, checkpoint=True) == 2


def test_images_train_without_a_loop_unless_told_to_checkpoint():
    assert least(_context.training_scope(enabled=True), rank=3) == math.inf
    assert least(_context.training_scope(enabled=True), rank=3, checkpoint=True) == 2


def test_there_is_no_loop_op_by_op():
    with _context.values_scope():
        assert looping.least_blocks(rank=1, checkpoint=True) == math.inf


def test_blocks_are_cut_where_enough_are_equal():
    pair = [maps.PReLU.trainable(), maps.Standardize.trainable(2)]
    parts = [maps.ActNorm.trainable(2), *pair, *pair, *pair]
    sizes = [[len(block) for block in one] for one in looping.blocks(parts, 3)]
    assert sizes == [[1], [2, 2, 2]]
    assert looping.blocks(parts, math.inf) == [[[part]] for part in parts]
    assert looping.blocks(parts, 4) == [[[part]] for part in parts]
