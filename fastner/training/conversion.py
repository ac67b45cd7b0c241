"""From a TensorFlow function to the ONNX graph that was meant, or an error.

Whatever tf2onnx does with a function, `_finish` accepts nothing but the operators, the number of
recurrent nodes and the sequence lengths that are meant.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from fastner.errors import DependencyError, TrainingError, install_hint
from fastner.screen import ONNX_OPERATORS

try:
    import onnx
    import tensorflow as tf
    import tf2onnx
except ImportError as error:
    raise DependencyError(
        f"exporting a network needs tensorflow, tf2onnx and onnx; {install_hint('train')}"
    ) from error

__all__ = ["BUNDLE_OPSET", "Shape", "convert", "tf"]

BUNDLE_OPSET = 17  # of the graphs in a bundle

_RECURRENT = ("GRU", "LSTM")
_LENGTHS, _INITIAL = 4, 5  # places among the inputs of an ONNX GRU or LSTM
_COPIES = ("Concat", "Expand", "Identity", "Reshape", "Squeeze", "Unsqueeze")  # make no number
_Tensor = Any  # TensorFlow ships no types
Shape = tuple[int | str, ...]


def convert(
    function: Callable[..., _Tensor],
    inputs: Mapping[str, tuple[Any, Shape]],
    *,
    output: tuple[str, Shape],
    lengths: str,
    recurrent: Mapping[str, int],
) -> onnx.ModelProto:
    """`function` as a checked ONNX graph; a name in a shape is an axis of any length."""
    signature = [
        tf.TensorSpec([None if isinstance(n, str) else n for n in shape], dtype, name)
        for name, (dtype, shape) in inputs.items()
    ]
    named = tf.function(
        lambda *tensors: {output[0]: function(*tensors)},
        input_signature=signature,
        autograph=False,
    )
    # On the CPU, where there is no fused recurrence of cuDNN that tf2onnx could not convert.
    with tf.device("/cpu:0"), _quiet(logging.getLogger("tf2onnx")):
        model, _ = tf2onnx.convert.from_function(named, signature, opset=BUNDLE_OPSET)
    shapes = {name: shape for name, (_, shape) in inputs.items()} | dict([output])
    return _finish(model, shapes, output=output[0], lengths=lengths, recurrent=recurrent)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """`logger` with errors only: tf2onnx warns of what `_finish` checks anyway."""
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _finish(
    model: onnx.ModelProto,
    shapes: Mapping[str, Shape],
    *,
    output: str,
    lengths: str,
    recurrent: Mapping[str, int],
) -> onnx.ModelProto:
    """`model` without what is not needed, if it is the graph that was meant.

    Raises TrainingError unless its inputs and output are those of `shapes`, its operators are
    allowed in a bundle, it has exactly the GRU and LSTM nodes of `recurrent`, and each of these
    reads the input `lengths` and starts from zeros.
    """
    graph = model.graph
    for node in graph.node:
        if node.op_type in _RECURRENT:
            _check_recurrent(graph, node, lengths)
            del node.input[_INITIAL:]  # zeros, which is the default
    _remove_unused(graph)
    _put_in_order(graph)

    counts = Counter(node.op_type for node in graph.node)
    foreign = sorted(counts.keys() - ONNX_OPERATORS)
    if foreign or any(node.domain for node in graph.node):
        _refuse(f"only operators that a bundle may hold, got {foreign}")
    found = {kind: counts[kind] for kind in _RECURRENT}
    meant = {kind: recurrent.get(kind, 0) for kind in _RECURRENT}
    if found != meant:
        _refuse(f"{meant} recurrent nodes, got {found}")
    values = {value.name: value for value in (*graph.input, *graph.output)}
    if values.keys() != shapes.keys() or [value.name for value in graph.output] != [output]:
        _refuse(f"the inputs and output {list(shapes)}, got {list(values)}")

    for name, shape in shapes.items():
        value = values[name]
        kind = value.type.tensor_type.elem_type
        value.CopyFrom(onnx.helper.make_tensor_value_info(name, kind, shape))
    del graph.value_info[:]  # names of tf2onnx's axes: ours stand at the ends
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", BUNDLE_OPSET))
    graph.name, graph.doc_string = output, ""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        _refuse(f"a graph that onnx.checker accepts, got: {error}")
    return model


def _check_recurrent(graph: onnx.GraphProto, node: onnx.NodeProto, lengths: str) -> None:
    """Refuse a GRU or LSTM `node` that forgets `lengths`, or does not start from zeros."""
    inputs = [*node.input, *[""] * (_INITIAL + 2 - len(node.input))]
    if inputs[_LENGTHS] != lengths:
        _refuse(f"every {node.op_type} to read {lengths!r}, got {inputs[_LENGTHS]!r}")
    zero = {
        tensor.name for tensor in graph.initializer if not onnx.numpy_helper.to_array(tensor).any()
    } | {""}
    for other in graph.node:  # in topological order
        data = other.input if other.op_type == "Concat" else other.input[:1]
        if other.op_type in _COPIES and zero.issuperset(data):
            zero.update(other.output)
    if not zero.issuperset(inputs[_INITIAL:]):
        _refuse(f"every {node.op_type} to start from zeros, got {inputs[_INITIAL:]}")


def _remove_unused(graph: onnx.GraphProto) -> None:
    """Drop the nodes, outputs of nodes and initializers that no output depends on."""
    needed = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed.isdisjoint(node.output):
            continue
        used = [name if name in needed else "" for name in node.output]
        while not used[-1]:
            used.pop()
        node.output[:] = used
        needed.update(node.input)
        nodes.append(node)
    initializers = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, kept in ((graph.node, nodes[::-1]), (graph.initializer, initializers)):
        kept = [type(item).FromString(item.SerializeToString()) for item in kept]
        del field[:]
        field.extend(kept)


def _put_in_order(graph: onnx.GraphProto) -> None:
    """Order and name nodes and tensors by the path from the outputs back to the inputs.

    tf2onnx numbers both by a counter of the process and orders some by hash; the same weights
    have to give the same bytes.
    """
    makers = {name: node for node in graph.node for name in node.output if name}
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []

    def visit(name: str) -> None:  # as deep as the graph is: a few dozen nodes
        if name in initializers and name not in names:
            names[name] = f"constant_{len(tensors)}"
            tensors.append(initializers[name])
        node = makers.get(name)
        if node is None or any(node is done for done in nodes):
            return
        for needed in node.input:
            visit(needed)
        for made in node.output:
            names.setdefault(made, f"{node.op_type}_{len(nodes)}")
        nodes.append(node)

    for value in graph.output:
        visit(value.name)
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        attributes = [onnx.AttributeProto.FromString(a.SerializeToString()) for a in attributes]
        del node.attribute[:]
        node.attribute.extend(attributes)
    for tensor in tensors:
        tensor.name = names[tensor.name]
    for field, kept in ((graph.node, nodes), (graph.initializer, tensors)):
        kept = [type(item).FromString(item.SerializeToString()) for item in kept]
        del field[:]
        field.extend(kept)


def _refuse(problem: str) -> NoReturn:
    raise TrainingError(
        f"tf2onnx {tf2onnx.__version__} with tensorflow {tf.__version__}: expected {problem}. "
        "Its rewriters may have changed: install versions that fastner is tested with"
    )
