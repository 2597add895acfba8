"""When a chain goes through equal blocks in a loop: the one policy.

A loop compiles as fast for fifty layers as for five. It costs values nothing, and
training some time per step, for the gradient runs each block once more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_flows import _context
from tfp_flows.bijectors._core import scan

__all__ = ["LOOP_TO_TRAIN", "blocks", "least_blocks"]

# From so many equal blocks on, training goes through a loop: what it saves in compiling
# is worth hundreds of its steps, which are slower if the networks are wide. On a GPU,
# values do so, too.
LOOP_TO_TRAIN = 16


def least_blocks(*, rank: int, checkpoint: bool) -> float:
    """Return from how many equal blocks on there is a loop, infinity for never.

    - Op by op there is nothing to compile: never.
    - With checkpoints, whose memory is that of a loop: always.
    - Values alone, on a CPU: always; on a GPU small steps wait for each other, so from
      `LOOP_TO_TRAIN` on.
    - Training: from `LOOP_TO_TRAIN` on; never for images, as convolutions that run
      again cost more than a loop saves in compiling.
    - Elsewhere, as in functions of a user's own: never.

    Args:
        rank: Rank of an event.
        checkpoint: Whether gradients keep only the inputs of blocks.
    """
    if tf.executing_eagerly():
        return math.inf
    values = _context.wants_values()
    if checkpoint or (values and not _context.on_gpu()):
        return 2
    if (values or _context.is_training()) and rank <= 1:
        return LOOP_TO_TRAIN
    return math.inf


def blocks(
    parts: Sequence[Any], least: float, forms: scan.Forms | None = None
) -> list[list[list[Any]]]:
    """Return lists of equal blocks of maps, each one map where there is no loop.

    Args:
        parts: Maps in the order of their evaluation.
        least: From how many equal blocks on they make one list.
        forms: Where to put the forms that loops go through.
    """
    if len(parts) < least:
        return [[[part]] for part in parts]
    found: list[list[list[Any]]] = []
    # Not where few blocks are no loop: halves that alternate count as pairs there.
    merge = least <= 2 and _context.wants_values()
    for start, period, count in scan.runs(parts, forms, merge=merge):
        stop = start + period * count
        if count < least:
            found += [[[part]] for part in parts[start:stop]]
        else:
            places = range(start, stop, period)
            found.append([list(parts[i : i + period]) for i in places])
    return found
