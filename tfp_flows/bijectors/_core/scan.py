"""Runs of equal blocks in a chain: traced once, and evaluated in a loop.

Deep flows repeat one block of maps that differ in their numbers only. Traced layer by
layer, Python, TensorFlow's optimisers and XLA would work in proportion to the depth; a
loop over the stacked numbers of the blocks takes as long for fifty layers as for five.
Values cost as much in a loop as without. The gradient runs each block once more from
its input, which saves memory, and costs nothing to a third of a training step: the
more, the more of it are matrix products.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from tfp_flows import _context, _graphs, _tapes
from tfp_flows._types import Condition
from tfp_flows.bijectors._core import base, checkpoint

__all__ = ["Forms", "Run", "evaluate", "runs"]

# Forms of maps by the `id` of the map.
Forms: TypeAlias = "dict[int, Any]"
# Blocks of more maps are not looked for.
LONGEST = 8


class Run(NamedTuple):
    """Maps `start` to `start + period * times` of a list: `times` equal blocks."""

    start: int
    period: int
    times: int


def runs(
    parts: Sequence[Any], forms: Forms | None = None, *, merge: bool = False
) -> list[Run]:
    """Cut a list of maps into runs of equal blocks.

    Args:
        parts: The maps.
        forms: Where to put the forms that loops go through.
        merge: Whether couplings that change different halves count as equal.

    Returns:
        Runs that cover the list in order; `times` is 1 for what is not repeated.
    """
    kinds = _kinds(parts, {} if forms is None else forms, merge=merge)
    found, start = [], 0
    while start < len(parts):
        best = Run(start, 1, 1)
        for period in range(1, min(LONGEST, (len(parts) - start) // 2) + 1):
            count = _count(kinds, start, period)
            if count > 1 and period * count > best.period * best.times:
                best = Run(start, period, count)
        found.append(best)
        start += best.period * best.times
    return found


def _kinds(parts: Sequence[Any], forms: Forms, *, merge: bool) -> list[int]:
    """Return a number for each map, the same one for maps that differ in numbers."""
    known: list[Any] = []
    kinds = []
    for part in parts:
        spec: Any = None
        form = None
        if getattr(part, "repeatable", False):
            form = _form(part, forms, merge=merge)
        # Maps without numbers are left alone: a loop goes over numbers.
        if form is not None and tf.nest.flatten(form, expand_composites=True):
            spec = _graphs.spec(form)
        same = (i for i, other in enumerate(known) if _alike(spec, other))
        kinds.append(next(same, len(known)))
        if kinds[-1] == len(known):
            known.append(spec)
    return kinds


def _form(part: Any, forms: Forms, *, merge: bool = False) -> Any:
    """Return the form of a map that loops go through, made once: it takes tensors."""
    if id(part) not in forms:
        form = getattr(part, "form_of_either_half", part.loop_form)
        forms[id(part)] = form() if merge else part.loop_form()
    return forms[id(part)]


def _alike(spec: Any, other: Any) -> bool:
    """Whether two specs are equal; TFP compares callables in them by identity."""
    if spec is None or other is None:
        return False
    return spec.is_subtype_of(other) and other.is_subtype_of(spec)


def _count(kinds: list[int], start: int, period: int) -> int:
    block, count = kinds[start : start + period], 1
    while kinds[start + count * period : start + (count + 1) * period] == block:
        count += 1
    return count


def evaluate(
    blocks: Sequence[Sequence[Any]],
    value: tf.Tensor,
    condition: Condition,
    *,
    event_ndims: int,
    inverse: bool,
    forms: Forms | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate equal blocks of maps, one after the other.

    Args:
        blocks: Blocks in the order of their evaluation, each a list of maps likewise.
        value: What the first one is given.
        condition: Passed on to conditional maps.
        event_ndims: Rank of the event.
        inverse: Whether the maps are inverted.
        forms: What `runs` put there.

    Returns:
        Value and log-det, as one map would give them.
    """
    known = {} if forms is None else forms
    in_loop = [[_form(part, known) for part in block] for block in blocks]
    _advance(blocks)
    tensors = [_tensors(form) for form in in_loop]
    given: tuple[tf.Tensor, ...] = ()
    if condition is not None:
        condition = tf.convert_to_tensor(condition)
        given = (condition,)
        value = _with_batch_of(condition, value, blocks[0], event_ndims)
    rest = len(given)

    def step(value: tf.Tensor, *inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parts = tf.nest.pack_sequence_as(
            in_loop[0], list(inputs[rest:]), expand_composites=True
        )
        static = value.shape
        function = base.inverse_and_log_det if inverse else base.forward_and_log_det
        log_dets = []
        for part in parts:
            value, log_det = function(
                part, value, *inputs[:rest], event_ndims=event_ndims
            )
            log_dets.append(log_det)
        value.set_shape(static)
        return value, _total(log_dets, value, event_ndims)

    if len(blocks) == 1:
        return checkpoint.recomputed(step, value, [*given, *tensors[0]])
    if _tapes.in_forward_mode([value, *given, *itertools.chain(*tensors)]):
        # TensorFlow's forward mode takes minutes through loops.
        total: Any = 0.0
        for numbers in tensors:
            value, log_det = step(value, *given, *numbers)
            total = total + log_det
        return value, total
    stacks = [tf.stack(slot) for slot in zip(*tensors, strict=True)]
    return _recomputed(step, value, given, stacks, event_ndims)


def _total(
    log_dets: Sequence[tf.Tensor], value: tf.Tensor, event_ndims: int
) -> tf.Tensor:
    """Return the sum of log-dets, with the batch shape that the value has."""
    batch = value.shape[: value.shape.rank - event_ndims]
    total = functools.reduce(operator.add, log_dets)
    if total.shape.rank != batch.rank:  # of maps with one log-det for all inputs
        total += tf.zeros(tf.shape(value)[: batch.rank], value.dtype)
    total.set_shape(batch)
    return total


def _advance(blocks: Sequence[Sequence[Any]]) -> None:
    """Let networks count their evaluations: in a loop they hold no variables."""
    for part in [part for block in blocks for part in block]:
        for module in part.submodules:
            getattr(module, "advance", _nothing)()


def _nothing() -> None:
    pass


def _tensors(form: list[Any]) -> list[tf.Tensor]:
    flat = tf.nest.flatten(form, expand_composites=True)
    return [tf.convert_to_tensor(part) for part in flat]


def _with_batch_of(
    condition: tf.Tensor, value: tf.Tensor, block: Sequence[Any], event_ndims: int
) -> tf.Tensor:
    """Broadcast a value against the condition: in a loop its shape must not change."""
    shapes = [getattr(part, "condition_shape", None) for part in block]
    rank = max((len(shape) for shape in shapes if shape), default=0)
    cut = condition.shape.rank - rank
    if not rank or cut == 0:
        return value
    split = value.shape.rank - event_ndims
    batch = tf.broadcast_dynamic_shape(
        tf.shape(value)[:split], tf.shape(condition)[:cut]
    )
    static = tf.broadcast_static_shape(value.shape[:split], condition.shape[:cut])
    shape = tf.concat([batch, tf.shape(value)[split:]], axis=0)
    return tf.ensure_shape(
        tf.broadcast_to(value, shape), static.concatenate(value.shape[split:])
    )


def _loop(
    step: checkpoint.Function,
    value: tf.Tensor,
    given: Sequence[tf.Tensor],
    stacks: Sequence[tf.Tensor],
    event_ndims: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return value and log-det after all blocks, and what each block was given."""
    count = stacks[0].shape[0]
    read = _graphs.rows(stacks)
    batch = value.shape.rank - event_ndims
    total = tf.zeros(tf.shape(value)[:batch], value.dtype)
    total.set_shape(value.shape[:batch])
    kept = tf.TensorArray(value.dtype, count, element_shape=value.shape)
    points = _context.wants_points()

    def body(
        i: tf.Tensor, value: tf.Tensor, total: tf.Tensor, kept: tf.TensorArray
    ) -> tuple[Any, ...]:
        kept = kept.write(i, value)
        value, log_det = step(value, *given, *read(i))
        if not points:
            total += log_det
        return i + 1, value, total, kept

    _, value, total, kept = tf.while_loop(
        lambda i, *_: i < count,
        body,
        (tf.constant(0), value, total, kept),
        maximum_iterations=count,
    )
    return value, total, kept.stack()


def _recomputed(
    step: checkpoint.Function,
    value: tf.Tensor,
    given: Sequence[tf.Tensor],
    stacks: Sequence[tf.Tensor],
    event_ndims: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate the loop; its gradient runs each block again, the last one first."""
    training, rest = _context.is_training(), len(given)

    @tf.custom_gradient
    def run(value: tf.Tensor, *inputs: tf.Tensor) -> tuple[Any, Any]:
        given, stacks = inputs[:rest], inputs[rest:]
        out, total, kept = _loop(step, value, given, stacks, event_ndims)

        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            with _context.training_scope(training):
                by_out, by_total = (tf.convert_to_tensor(part) for part in upstream)
                return _backwards(step, kept, given, stacks, (by_out, by_total))

        return (out, total), gradient

    return run(value, *given, *stacks)


def _backwards(
    step: checkpoint.Function,
    kept: tf.Tensor,
    given: Sequence[tf.Tensor],
    stacks: Sequence[tf.Tensor],
    upstream: tuple[tf.Tensor, tf.Tensor],
) -> list[tf.Tensor]:
    """Return the gradients of a loop by its value, by what it is given, and its stacks.

    Args:
        step: One block.
        kept: What each block was given, `[R, ...]`.
        given: Further inputs of all blocks.
        stacks: Numbers of the blocks, `[R, ...]`.
        upstream: Gradients by value and log-det.
    """
    count, rest = stacks[0].shape[0], len(given)
    read = _graphs.rows([kept, *stacks])
    by_numbers = [
        tf.TensorArray(stack.dtype, count, element_shape=stack.shape[1:])
        for stack in stacks
        if stack.dtype.is_floating
    ]

    def body(
        i: tf.Tensor, by_value: tf.Tensor, by_given: Any, by_numbers: Any
    ) -> tuple[Any, ...]:
        value, *numbers = read(i)
        now = [value, *given, *numbers]
        found = checkpoint.gradients(step, now, (by_value, upstream[1]))
        by_given = [a + b for a, b in zip(by_given, found[1 : 1 + rest], strict=True)]
        numbers = [g for g in found[1 + rest :] if g.dtype.is_floating]
        by_numbers = [
            array.write(i, g) for array, g in zip(by_numbers, numbers, strict=True)
        ]
        return i - 1, found[0], by_given, by_numbers

    _, by_value, by_given, by_numbers = tf.while_loop(
        lambda i, *_: i >= 0,
        body,
        (
            tf.constant(count - 1),
            upstream[0],
            [tf.zeros_like(tensor) for tensor in given],
            by_numbers,
        ),
        # Or blocks would be run ahead of their gradient, and kept.
        parallel_iterations=1,
        maximum_iterations=count,
    )
    found = iter(by_numbers)
    by_stacks = [
        next(found).stack() if stack.dtype.is_floating else tf.zeros_like(stack)
        for stack in stacks
    ]
    return [by_value, *by_given, *by_stacks]
