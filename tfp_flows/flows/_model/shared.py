"""Programs of XLA that flows of equal structure share.

TensorFlow keeps what XLA compiled by the name of its function, for as long as the
process lives: a function of its own for each flow leaves 10 to 15 MB for each, and
takes seconds to compile. Here a function is traced, which costs neither. If its graph
is that of an earlier one, operation by operation and constant by constant, the program
of the earlier one is called, with the variables of the new flow. Numbers cannot
differ: what is called is the same graph.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import tensorflow as tf

__all__ = ["MAX_PROGRAMS", "call", "compiled_steps", "num_programs"]

# Beyond, the program that was not called for longest is built anew when it is needed.
MAX_PROGRAMS = 64

# What says how a graph was made, not what it computes.
ANNOTATIONS = (
    "_class",
    "_gradient_op_type",
    "_output_shapes",
    "_user_specified_name",
    "backward_function_name",
    "forward_function_name",
)

_programs: OrderedDict[str, Any] = OrderedDict()
_numbers = itertools.count()
_lock = threading.Lock()


def num_programs() -> int:
    """Return how many programs are kept."""
    return len(_programs)


def call(traced: Any, arguments: Any) -> Any:
    """Call a traced function by the program that equal ones share.

    What it returns has no derivatives.

    Args:
        traced: Concrete function that XLA is to compile.
        arguments: What it was traced for: tensors in a structure.

    Returns:
        What it returns.
    """
    flat = tf.nest.flatten(arguments, expand_composites=True)
    tensors = [value for value in flat if tf.is_tensor(value)]
    out = _program(traced)(*tensors, *traced.captured_inputs)
    results = iter(out)
    structure = traced.structured_outputs
    return tf.nest.pack_sequence_as(
        structure,
        [
            next(results) if tf.is_tensor(value) else value
            for value in tf.nest.flatten(structure, expand_composites=True)
        ],
        expand_composites=True,
    )


@contextlib.contextmanager
def compiled_steps(model: Any, name: str) -> Iterator[None]:
    """Have a Keras model make a function whose step is a shared program.

    Args:
        model: The model.
        name: Method that does one step, as `"train_step"`.

    Yields:
        Nothing; the function is to be made meanwhile. Its outer part is left to
        TensorFlow, and the step to XLA.
    """
    is_alone = model.distribute_strategy.num_replicas_in_sync == 1
    if not (model.jit_compile and is_alone) or model.run_eagerly:
        yield
        return
    step = tf.function(getattr(model, name), jit_compile=True, autograph=False)

    def shared_step(data: Any) -> Any:
        return call(step.get_concrete_function(data), data)

    # Past Keras, which would track what is set on a model.
    vars(model)[name] = shared_step
    model.jit_compile = False
    try:
        yield
    finally:
        model.jit_compile = True
        del vars(model)[name]


def _program(traced: Any) -> Any:
    """Return the program of a traced function, built if there is none."""
    graph = traced.graph.as_graph_def()
    inputs = [tensor.name for tensor in traced.inputs]
    outputs = [tensor.name for tensor in traced.outputs]
    key, functions = _fingerprint(graph, inputs, outputs)
    with _lock:
        if key not in _programs:
            built = next(_numbers)
            names = {name: f"shared_{built}_{i}" for name, i in functions.items()}
            specs = [tf.TensorSpec(t.shape, t.dtype) for t in traced.inputs]
            with tf.init_scope():
                body = _body(graph, {_node(tensor) for tensor in inputs}, names)
                _programs[key] = _built(body, specs, inputs, outputs)
        _programs.move_to_end(key)
        while len(_programs) > MAX_PROGRAMS:
            _programs.popitem(last=False)
        return _programs[key]


def _body(graph: Any, inputs: Set[str], names: Mapping[str, str]) -> Any:
    """Return a graph without its inputs, with functions under names of their own.

    TensorFlow forgets the functions of a graph along with it.
    """
    body = tf.compat.v1.GraphDef(versions=graph.versions)
    body.node.extend(node for node in graph.node if node.name not in inputs)
    for function in graph.library.function:
        if function.signature.name in names:
            copy = body.library.function.add()
            copy.CopyFrom(function)
            copy.signature.name = names[function.signature.name]
            for key in ANNOTATIONS:
                copy.attr.pop(key, None)
    nodes = [body.node, *(function.node_def for function in body.library.function)]
    for node in itertools.chain.from_iterable(nodes):
        for key in ANNOTATIONS:
            node.attr.pop(key, None)
        for function in _called(node):
            function.name = names[function.name]
    return body


def _built(
    body: Any, specs: Sequence[tf.TensorSpec], inputs: list[str], outputs: list[str]
) -> Any:
    """Return the body of a graph as a function that XLA compiles."""
    used = {_node(tensor) for node in body.node for tensor in node.input}
    # In eager mode this makes functions known that graphs then call by name.
    library = tf.compat.v1.GraphDef(versions=body.versions, library=body.library)
    tf.graph_util.import_graph_def(library, name="")

    @tf.function(input_signature=specs, jit_compile=True, autograph=False)
    def program(*values: tf.Tensor) -> list[tf.Tensor]:
        given = dict(zip(inputs, values, strict=True))
        found = tf.graph_util.import_graph_def(
            body,
            input_map={k: value for k, value in given.items() if _node(k) in used},
            return_elements=[name for name in outputs if name not in given],
            name="",
        )
        computed = iter(found)
        return [given[k] if k in given else next(computed) for k in outputs]

    return program.get_concrete_function()


def _called(node: Any) -> list[Any]:
    """Return the functions that a node calls, by attributes that can be changed."""
    values = [node.attr[key] for key in sorted(node.attr)]
    found = [f for value in values for f in (value.func, *value.list.func)]
    return [function for function in found if function.name]


def _node(tensor: str) -> str:
    """Return the name of the node that an input of a node refers to."""
    return tensor.removeprefix("^").partition(":")[0]


class _Names(dict):
    """Names in the order in which they are met."""

    def __missing__(self, name: str) -> str:
        self[name] = str(len(self))
        return self[name]

    def of(self, tensor: str) -> str:
        """Return a reference to an output of a node, or to the node itself."""
        sign = "^" if tensor.startswith("^") else ""
        name, colon, place = tensor.removeprefix("^").partition(":")
        return f"{sign}{self[name]}{colon}{place}"


def _fingerprint(
    graph: Any, inputs: list[str], outputs: list[str]
) -> tuple[str, Mapping[str, str]]:
    """Return a hash of all that a graph computes, whatever the names in it.

    Beside it are the functions that it calls, numbered.
    """
    functions = {each.signature.name: each for each in graph.library.function}
    digest = hashlib.sha256()
    called, names = _Names(), _Names()
    for node in graph.node:
        digest.update(_canonical(node, names, called))
    digest.update(repr([names.of(tensor) for tensor in inputs + outputs]).encode())
    done = 0
    while done < len(called):
        for name in list(called)[done:]:
            digest.update(_canonical_function(functions[name], called))
            done += 1
    return digest.hexdigest(), called


def _canonical(node: Any, names: _Names, called: _Names) -> bytes:
    """Return a node with names by order."""
    out = type(node)()
    out.CopyFrom(node)
    out.ClearField("experimental_debug_info")
    out.name = names[node.name]
    out.input[:] = [names.of(tensor) for tensor in node.input]
    for annotation in ANNOTATIONS:
        out.attr.pop(annotation, None)
    for function in _called(out):
        function.name = called[function.name]
    return out.SerializeToString(deterministic=True)


def _canonical_function(function: Any, called: _Names) -> bytes:
    """Return a function of the library with names by order."""
    names = _Names()
    signature = function.signature
    parts = [
        (names[argument.name], argument.type, argument.type_attr)
        for argument in signature.input_arg
    ]
    nodes = [_canonical(node, names, called) for node in function.node_def]
    outputs = [names.of(function.ret[arg.name]) for arg in signature.output_arg]
    controls = sorted(names[name] for name in function.control_ret.values())
    attributes = sorted(
        (key, value.SerializeToString(deterministic=True))
        for key, value in function.attr.items()
        if key not in ANNOTATIONS
    )
    return repr((parts, nodes, outputs, controls, attributes)).encode()
