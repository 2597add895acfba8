"""Programs that flows of equal structure share.

TensorFlow keeps what XLA compiled by the name of its function, for as long as the
process lives: a function of its own for each flow leaves 10 to 15 MB for each, and
takes seconds to compile. Without XLA, it keeps custom gradients and the graphs around
them. Here a function is traced, which costs neither. If its graph is that of an
earlier one, operation by operation and constant by constant, the program of the earlier
one is called, with the variables of the new flow. Numbers cannot differ: what is called
is the same graph. What has a state of its own beside the variables, as a function of
Python or a generator of random numbers, is not shared.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any

import tensorflow as tf

from tfp_flows import _graphs, _tapes

__all__ = [
    "MAX_PROGRAMS",
    "Steps",
    "bound",
    "compiled_steps",
    "forget_with",
    "num_programs",
]

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

# Attributes of operations whose state is not handed to them: functions of Python,
# random numbers of a generator of TensorFlow, tables and queues.
STATES = ("token", "seed2", "shared_name")

_programs: OrderedDict[str, Any] = OrderedDict()
_numbers = itertools.count()
_lock = threading.Lock()


def num_programs() -> int:
    """Return how many programs are kept."""
    return len(_programs)


def bound(traced: Any, *, jit_compile: bool = True) -> Any:
    """Return the program that equal functions share, bound to what one of them holds.

    What it returns has no derivatives.

    Args:
        traced: Concrete function whose tensors from outside are variables and other
            tensors of eager mode.
        jit_compile: Whether XLA is to compile it; otherwise only what in it was marked.

    Returns:
        A function of the tensors that `traced` takes, flattened.
    """
    own = copy.copy(_program(traced, jit_compile=jit_compile))
    own.set_external_captures(traced.captured_inputs)
    return own


def _tensors(structure: Any) -> list[tf.Tensor]:
    flat = tf.nest.flatten(structure, expand_composites=True)
    return [value for value in flat if tf.is_tensor(value)]


class Steps:
    """What Keras calls for each step: a shared program of an iterator.

    TensorFlow keeps the operations of a compiled function once for each graph that
    calls it. Hence all of the graph is shared, the reading of the data, too.

    Args:
        step: Does one step on data.
        otherwise: What does it for anything but an iterator of tensors, and where the
            step cannot be shared.
        jit_compile: Whether XLA compiles the step.
    """

    def __init__(
        self,
        step: Callable[[Any], Any],
        otherwise: Callable,
        *,
        jit_compile: bool = True,
    ) -> None:
        self._step = step
        self._otherwise = otherwise
        self._jit_compile = jit_compile
        self._known: list[tuple[Any, Any]] = []
        self._iterator: Any = lambda: None
        self._run: Callable[[], Any] = lambda: None

    def __call__(self, iterator: Any) -> Any:
        """Do one step; raise `tf.errors.OutOfRangeError` at the end of the data."""
        if not isinstance(iterator, tf.data.Iterator):
            return self._otherwise(iterator)
        if self._iterator() is not iterator:
            self._run = self._read(iterator)
            self._iterator = weakref.ref(iterator)
        return self._run()

    def _read(self, iterator: Any) -> Callable[[], Any]:
        spec = iterator.element_spec
        if any(isinstance(each, tf.OptionalSpec) for each in tf.nest.flatten(spec)):
            return functools.partial(self._otherwise, iterator)
        program = next((found for known, found in self._known if known == spec), None)
        if program is None:
            program = self._traced(iterator)
            self._known.append((spec, program))
        if program is None:
            return functools.partial(self._otherwise, iterator)
        return functools.partial(_graphs.called, program, *_tensors(iterator))

    def _traced(self, iterator: Any) -> Any:
        """Return the shared program, or `None` if the step has a state of its own."""
        compiled = tf.function(
            self._step, jit_compile=self._jit_compile or None, autograph=False
        )

        @tf.function(autograph=False)
        def whole(iterator: Any) -> Any:
            return compiled(iterator.get_next())

        traced = whole.get_concrete_function(iterator)
        graph = traced.graph.as_graph_def()
        # Nothing differentiates a step.
        functions = _functions(graph)
        called = (functions[each.name] for node in graph.node for each in _called(node))
        _tapes.forget(_custom_gradients(called, functions))
        if not self._jit_compile and _has_state(graph):
            return None
        return bound(traced, jit_compile=False)


@contextlib.contextmanager
def compiled_steps(model: Any, name: str) -> Iterator[None]:
    """Have a Keras model make a function whose step is a shared program.

    Args:
        model: The model.
        name: Which function, `"train"` or `"test"`.

    Yields:
        Nothing; the function is to be made meanwhile.
    """
    is_alone = model.distribute_strategy.num_replicas_in_sync == 1
    if not is_alone or model.run_eagerly:
        yield
        return
    before = getattr(model, f"{name}_function")
    yield
    made = getattr(model, f"{name}_function")
    if made is not before and model.steps_per_execution == 1:
        steps = Steps(
            getattr(model, f"{name}_step"), made, jit_compile=bool(model.jit_compile)
        )
        setattr(model, f"{name}_function", steps)


def _program(traced: Any, *, jit_compile: bool) -> Any:
    """Return the program of a traced function, built if there is none."""
    graph = traced.graph.as_graph_def()
    inputs = [tensor.name for tensor in traced.inputs]
    outputs = [tensor.name for tensor in traced.outputs]
    key, functions = _fingerprint(graph, inputs, outputs)
    known = {id(variable.handle): variable.shape for variable in traced.variables}
    shapes = [str(known.get(id(held))) for held in traced.captured_inputs]
    structure = traced.structured_outputs
    form = tf.nest.map_structure(
        lambda value: "" if tf.is_tensor(value) else value, structure
    )
    key = f"{key} {jit_compile} {form} {shapes}"
    with _lock:
        if key not in _programs:
            built = next(_numbers)
            names = {name: f"shared_{built}_{i}" for name, i in functions.items()}
            with tf.init_scope():
                body = _body(graph, {_node(tensor) for tensor in inputs}, names)
                _programs[key] = _built(body, traced, jit_compile=jit_compile)
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


def _built(body: Any, traced: Any, *, jit_compile: bool) -> Any:
    """Return the body of a graph as a function like the one that was traced."""
    used = {_node(tensor) for node in body.node for tensor in node.input}
    # In eager mode this makes functions known that graphs then call by name.
    library = tf.compat.v1.GraphDef(versions=body.versions, library=body.library)
    tf.graph_util.import_graph_def(library, name="")
    inputs = [tensor.name for tensor in traced.inputs]
    outputs = [tensor.name for tensor in traced.outputs]
    held, structure = traced.captured_inputs, traced.structured_outputs
    given_inputs = traced.inputs[: len(inputs) - len(held)]
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in given_inputs]

    @tf.function(input_signature=specs, jit_compile=jit_compile, autograph=False)
    def program(*values: tf.Tensor) -> Any:
        graph = tf.compat.v1.get_default_graph()
        captured = [graph.capture(tensor) for tensor in held]
        given = dict(zip(inputs, [*values, *captured], strict=True))
        found = iter(
            tf.graph_util.import_graph_def(
                body,
                input_map={k: value for k, value in given.items() if _node(k) in used},
                return_elements=[name for name in outputs if name not in given],
                name="",
            )
        )
        results = iter([given[k] if k in given else next(found) for k in outputs])
        flat = tf.nest.flatten(structure, expand_composites=True)
        flat = [next(results) if tf.is_tensor(value) else value for value in flat]
        return tf.nest.pack_sequence_as(structure, flat, expand_composites=True)

    return program.get_concrete_function()


def _has_state(graph: Any) -> bool:
    """Return whether an operation has a state that is not handed to it."""
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    return any(
        key in node.attr
        for node in itertools.chain.from_iterable(nodes)
        for key in STATES
    )


def _called(node: Any) -> list[Any]:
    """Return the functions that a node calls, by attributes that can be changed."""
    values = [node.attr[key] for key in sorted(node.attr)]
    found = [f for value in values for f in (value.func, *value.list.func)]
    return [function for function in found if function.name]


def forget_with(owner: Any, traced: Any) -> None:
    """Forget the custom gradients of a traced function when its owner is gone.

    Args:
        owner: What holds the function. Tapes that it is on build its gradient when it
            is called, and need nothing later.
        traced: Concrete function.
    """
    weakref.finalize(owner, _forget_all, traced.graph).atexit = False


def _forget_all(graph: Any) -> None:
    definition = graph.as_graph_def()
    names = _custom_gradients([definition.node], _functions(definition))
    _tapes.forget(names)


def _functions(graph: Any) -> dict[str, Any]:
    """Return the nodes of each function of a graph by its name."""
    return {each.signature.name: each.node_def for each in graph.library.function}


def _custom_gradients(
    graphs: Iterable[Any], functions: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the custom gradients of the nodes of graphs, and of their loops.

    Those of other functions stay: these may be called elsewhere.
    """
    left = list(graphs)
    while left:
        for node in left.pop():
            if "_gradient_op_type" in node.attr:
                yield node.attr["_gradient_op_type"].s.decode()
            if not node.op.endswith("PartitionedCall"):
                left += [functions[each.name] for each in _called(node)]


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
