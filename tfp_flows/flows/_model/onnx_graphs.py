"""Flows as ONNX graphs, which run without TensorFlow.

Four operations of flows are none of ONNX', and are written in its own: the shape that
two shapes broadcast to, the solution of a triangular system, column by column, and
`log1p` and `expm1`, with all digits near 0.

References:
    Higham (2002). Accuracy and stability of numerical algorithms, section 1.14.1.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _files, _optional, _process
from tfp_flows.flows._model import compiled

__all__ = ["PARTS", "export", "graph"]

# The file of each function; samples are made of numbers of the base density.
FILES = {"log_prob": "log_prob.onnx", "push": "sample.onnx"}
OUTPUTS = {"log_prob": "log_prob", "push": "x"}
PARTS = tuple(FILES.values())
OPSET = 17


def export(flow: Any, filepath: Any, *, batch_size: int | None = None) -> None:
    """Write a folder with `log_prob.onnx` and `sample.onnx`.

    `log_prob` has the inputs `x` and, of a conditional flow, `condition`; `sample` has
    `z` in place of `x`: numbers that the caller draws from the base density, whose name
    is in the metadata, beside the names of columns.

    Args:
        flow: The flow.
        filepath: Folder to write; one with such files is replaced, whole or not at all.
        batch_size: Number of rows of each call; by default any.

    Raises:
        MissingExtraError: If tf2onnx is not installed.
        ValueError: If the flow needs an operation that ONNX does not have.
        FileExistsError: If there is a folder that holds something else.
        OSError: If it cannot be written.
    """
    _process.require_own()
    with _files.replacing_folder(os.fspath(filepath), PARTS) as temporary:
        temporary.mkdir()
        for kind, name in FILES.items():
            content = graph(flow, kind, batch_size=batch_size).SerializeToString()
            Path(temporary, name).write_bytes(content)


def graph(flow: Any, kind: str, *, batch_size: int | None = None) -> Any:
    """Return one function of a flow as an ONNX model.

    Args:
        flow: The flow.
        kind: `"log_prob"`, or `"push"` from the base to the data.
        batch_size: Number of rows of each call; by default any.

    Raises:
        MissingExtraError: If tf2onnx is not installed.
        ValueError: If the flow needs an operation that ONNX does not have.
    """
    convert = _optional.require("tf2onnx.convert", extra="export")
    if batch_size is not None:
        _checks.at_least(batch_size, 1, "batch_size")
    function, known = compiled.MAKERS[kind](flow)
    signature = [
        tf.TensorSpec([batch_size, *spec.shape[1:]], spec.dtype, spec.name)
        for spec in known
    ]

    def named(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUTS[kind]: function(*values)}

    traced = tf.function(named, input_signature=signature, autograph=False)
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # what is unknown is named below
    try:
        model, _ = convert.from_function(
            traced,
            input_signature=signature,
            opset=OPSET,
            custom_op_handlers={
                "BroadcastArgs": (_broadcast_shapes, []),
                "Expm1": (_expm1, []),
                "Log1p": (_log1p, []),
                "MatrixTriangularSolve": (_triangular_solve, []),
            },
        )
    finally:
        logger.setLevel(level)
    _require_known(model, flow)
    _name(model, [spec.name for spec in signature], OUTPUTS[kind])
    _describe(model, flow)
    return model


def _require_known(model: Any, flow: Any) -> None:
    """Raise if a graph has operations that ONNX does not."""
    onnx = _optional.require("onnx", extra="export")
    unknown = sorted(
        {
            node.op_type
            for node in _nodes(model.graph)
            if node.domain == "" and not onnx.defs.has(node.op_type)
        }
    )
    if unknown:
        msg = (
            f"`flow` needs {', '.join(unknown)}, which ONNX does not have, so a "
            f"`{type(flow).__name__}` of these options cannot be written. Export a "
            "SavedModel, or take 'realnvp', 'nsf', 'maf', 'nsf-ar' or 'rbig'."
        )
        raise ValueError(msg)


def _nodes(graph: Any) -> Iterator[Any]:
    """Go through the nodes of a graph, those of its loops and branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)
            for inner in attribute.graphs:
                yield from _nodes(inner)


def _name(model: Any, inputs: list[str], output: str) -> None:
    """Give inputs and output their names, wherever they are used."""
    graph = model.graph
    new = {value.name: name for value, name in zip(graph.input, inputs, strict=True)}
    new[graph.output[0].name] = output
    for value in (*graph.input, *graph.output):
        value.name = new[value.name]
    for node in _nodes(graph):
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = new.get(name, name)


def _describe(model: Any, flow: Any) -> None:
    """Write down what the numbers are."""
    facts = {
        "base": flow.base.kind,
        "columns": flow.columns,
        "condition_columns": flow.condition_columns,
        "unit": "nats",
    }
    for key, value in facts.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(list(value))
            model.metadata_props.add(key=key, value=text)


def _broadcast_shapes(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write the shape that two shapes broadcast to as ONNX: the larger sizes."""
    del name, args
    onnx = _optional.require("onnx", extra="export")
    one = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [1], [1])

    def make(kind: str, inputs: list[str], **attributes: Any) -> str:
        made: str = ctx.make_node(kind, inputs, attr=attributes).output[0]
        return made

    wide = [make("Cast", [part], to=onnx.TensorProto.INT64) for part in node.input]
    ranks = [make("Shape", [part]) for part in wide]
    rank = make("Max", ranks)
    filled = []
    for part, own in zip(wide, ranks, strict=True):
        ones = make("ConstantOfShape", [make("Sub", [rank, own])], value=one)
        filled.append(make("Concat", [ones, part], axis=0))
    _replace(ctx, node, "Cast", [make("Max", filled)], to=onnx.TensorProto.INT32)


def _log1p(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write `log(1 + x)` as `log(u) * x / (u - 1)`, `u = 1 + x`, as rounded."""
    del name, args
    (x,) = node.input
    one = _one(ctx, node)
    u = _made(ctx, "Add", x, one)
    log = _made(ctx, "Log", u)
    ratio = _made(ctx, "Div", x, _made(ctx, "Sub", u, one))
    near = _made(ctx, "Mul", log, ratio)
    near = _made(ctx, "Where", _made(ctx, "Equal", u, x), log, near)  # infinity, too
    _replace(ctx, node, "Where", [_made(ctx, "Equal", u, one), x, near])


def _expm1(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write `exp(x) - 1` as `(u - 1) * x / log(u)`, `u = exp(x)`, as rounded."""
    del name, args
    (x,) = node.input
    one = _one(ctx, node)
    u = _made(ctx, "Exp", x)
    less = _made(ctx, "Sub", u, one)
    near = _made(ctx, "Mul", less, _made(ctx, "Div", x, _made(ctx, "Log", u)))
    size = _made(ctx, "Abs", x)
    near = _made(ctx, "Where", _made(ctx, "Greater", size, one), less, near)
    _replace(ctx, node, "Where", [_made(ctx, "Equal", u, one), x, near])


def _made(ctx: Any, kind: str, *inputs: str) -> str:
    made: str = ctx.make_node(kind, list(inputs)).output[0]
    return made


def _one(ctx: Any, node: Any) -> str:
    """Return a constant 1 of the type of a node's input."""
    utils = _optional.require("tf2onnx.utils", extra="export")
    dtype = utils.map_onnx_to_numpy_type(ctx.get_dtype(node.input[0]))
    made: str = ctx.make_const(utils.make_name("one"), np.ones([], dtype)).output[0]
    return made


def _triangular_solve(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write the solution of a triangular system as ONNX, by substitution."""
    del name, args
    make_name = _optional.require("tf2onnx.utils", extra="export").make_name
    matrix, right = node.input
    size = ctx.get_shape(matrix)[-1]
    lower = bool(node.get_attr_value("lower", default=True))
    if node.get_attr_value("adjoint", default=False):
        rank = len(ctx.get_shape(matrix))
        order = [*range(rank - 2), rank - 1, rank - 2]
        matrix = ctx.make_node("Transpose", [matrix], attr={"perm": order}).output[0]
        lower = not lower

    def cut(value: str, axis: int, begin: int) -> str:
        """Return one row (axis -2) or column (axis -1)."""
        numbers = [
            ctx.make_const(make_name("number"), np.array([number], np.int64)).output[0]
            for number in (begin, begin + 1, axis)
        ]
        made: str = ctx.make_node("Slice", [value, *numbers]).output[0]
        return made

    steps = range(size) if lower else range(size - 1, -1, -1)
    found: dict[int, str] = {}
    for i in steps:
        column = cut(matrix, -1, i)
        row = cut(right, -2, i)
        found[i] = ctx.make_node("Div", [row, cut(column, -2, i)]).output[0]
        taken = ctx.make_node("MatMul", [column, found[i]]).output[0]
        right = ctx.make_node("Sub", [right, taken]).output[0]
    _replace(ctx, node, "Concat", [found[i] for i in range(size)], axis=-2)


def _replace(ctx: Any, node: Any, kind: str, inputs: list[str], **attr: Any) -> None:
    """Put a node of ONNX in the place of one of TensorFlow."""
    outputs = list(node.output)
    shapes = [ctx.get_shape(output) for output in outputs]
    dtypes = [ctx.get_dtype(output) for output in outputs]
    ctx.remove_node(node.name)
    ctx.make_node(
        kind,
        inputs,
        attr=attr,
        outputs=outputs,
        name=node.name,
        shapes=shapes,
        dtypes=dtypes,
    )
