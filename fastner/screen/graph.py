"""An ONNX file as one plain graph of nodes and constants: all of it in the file, all finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner.screen.wire import BUNDLE, EXPORT, Fields, Walker
from fastner.strict import check_finite, refuse, show

STANDARD_DOMAINS = ("", "ai.onnx")
MAX_NODES = 2_000
FORBIDS = ("start", "transitions", "end")  # of an export: -inf where the scheme allows no step

_MAX_AXES = 4
_MAX_LENGTH = 1 << 25  # of an axis of a constant
_IR_VERSIONS = range(7, 11)
# data_type -> dtype and the field that holds the values where raw_data does not.
_TENSOR_TYPES: dict[int, tuple[np.dtype[Any], str]] = {
    1: (np.dtype("<f4"), "float_data"),
    2: (np.dtype("u1"), "int32_data"),
    3: (np.dtype("i1"), "int32_data"),
    4: (np.dtype("<u2"), "int32_data"),
    6: (np.dtype("<i4"), "int32_data"),
    7: (np.dtype("<i8"), "int64_data"),
    10: (np.dtype("<f2"), "raw_data"),
}
# type of an attribute -> the field that holds it
_ATTRIBUTE_TYPES = {
    1: "f", 2: "i", 3: "s", 4: "t", 5: "subgraph", 6: "floats", 7: "ints", 8: "strings",
}  # fmt: skip


class Declared(NamedTuple):
    """What a graph says of an input or output: a dtype, and a number or a name for each axis."""

    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"


class Constant(NamedTuple):
    """An initializer, or the tensor of an attribute."""

    dtype: str
    shape: tuple[int, ...]
    values: NDArray[Any]  # flat
    most: float = 0.0  # the largest magnitude among floats

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


class Node(NamedTuple):
    """One operation. An attribute is an int, a float, a str, a list, a Constant or a Graph."""

    where: str
    operator: str  # with its domain, where that is not the standard one
    inputs: list[str]
    outputs: list[str]
    attributes: Mapping[str, Any]


class Graph(NamedTuple):
    """Nodes in the order of the file; a Scan's body has no constants of its own."""

    inputs: Mapping[str, Declared]
    outputs: Mapping[str, Declared]
    constants: Mapping[str, Constant]
    nodes: list[Node]
    opsets: Mapping[str, int]  # domain -> version


def read_graph(data: bytes, where: str, *, export: bool = False) -> Graph:
    """The graph of an ONNX file of a bundle, or of an export.

    Takes bounded memory and time. Raises BundleError for fields that are not in the tables of
    `fastner.screen.wire`, for a name that is made twice, and for tensors that are not wholly in the
    file, not as large as they say, or not finite. What its nodes compute is not looked at.
    """
    walker = Walker(data, where, EXPORT if export else BUNDLE)
    model = walker.root()
    if not model["graph"]:
        refuse(where, "an ONNX graph, got none")
    if not model["ir_version"] or model["ir_version"][0] not in _IR_VERSIONS:
        got = show(model["ir_version"])
        refuse(where, f"IR version {_IR_VERSIONS[0]} to {_IR_VERSIONS[-1]}, got {got}")
    opsets: dict[str, int] = {}
    for span in model["opset_import"]:
        opset = walker.fields(span, "Opset")
        domain = _text(opset["domain"])
        domain = "" if domain in STANDARD_DOMAINS else domain
        if domain in opsets:
            refuse(f"{where}: opset_import", f"each domain once, got {show(domain)} twice")
        opsets[domain] = _number(opset["version"])
    if "" not in opsets:
        refuse(f"{where}: opset_import", f"the standard domain once, got {show(list(opsets))}")
    return _graph(walker, walker.fields(model["graph"][0], "Graph"), where, opsets, export)


def _graph(
    walker: Walker, fields: Fields, where: str, opsets: Mapping[str, int], export: bool
) -> Graph:
    if fields["value_info"]:
        # a lie about a shape misleads onnxruntime's plan of its memory
        refuse(where, "no value_info in the graph; export it without")
    if len(fields["node"]) > MAX_NODES:
        refuse(where, f"at most {MAX_NODES} nodes, got {len(fields['node'])}")
    inputs, outputs = (
        _declared(walker, fields[kind], f"{where}: {kind}") for kind in ("input", "output")
    )
    constants: dict[str, Constant] = {}
    for index, span in enumerate(fields["initializer"]):
        tensor = walker.fields(span, "Tensor")
        name = _text(tensor["name"])
        key = f"{where}: initializer[{index}] {show(name)}"
        if not name or name in constants or name in inputs:
            refuse(key, "a name of its own")
        constants[name] = _constant(tensor, key, forbids=export and name in FORBIDS)
    nodes = [_node(walker, span, where, index) for index, span in enumerate(fields["node"])]
    made = {*inputs, *constants}
    for node in nodes:
        for name in node.inputs:
            if name and name not in made:
                refuse(node.where, f"inputs that are made before, got {show(name)}")
        for name in filter(None, node.outputs):
            if name in made:
                refuse(node.where, f"outputs of new names, got {show(name)} again")
            made.add(name)
    return Graph(inputs, outputs, constants, nodes, opsets)


def _declared(walker: Walker, spans: list[range], where: str) -> dict[str, Declared]:
    """The inputs or outputs by name, each a tensor all of whose axes are known."""
    declared: dict[str, Declared] = {}
    for span in spans:
        value = walker.fields(span, "Value")
        name = _text(value["name"])
        key = f"{where} {show(name)}"
        if not name or name in declared:
            refuse(key, "a name of its own")
        shape: list[int | str] = []
        kind = walker.fields(value["type"][0], "Type")["tensor_type"] if value["type"] else []
        tensor = walker.fields(kind[0], "TensorType") if kind else {"elem_type": [], "shape": []}
        if not tensor["shape"]:
            refuse(key, "a tensor with a shape, got none")
        for part in walker.fields(tensor["shape"][0], "Shape")["dim"]:
            dim = walker.fields(part, "Dim")
            number, symbol = dim["dim_value"], dim["dim_param"]
            if len(number) + len(symbol) != 1 or (number and not 1 <= number[0] <= _MAX_LENGTH):
                refuse(key, "axes with either a name or a length from 1, got another")
            shape += number or [show(symbol[0])[1:-1]]
        declared[name] = Declared(_dtype(tensor["elem_type"]), tuple(shape))
    return declared


def _node(walker: Walker, span: range, where: str, index: int) -> Node:
    fields = walker.fields(span, "Node")
    operator, domain = _text(fields["op_type"]), _text(fields["domain"])
    where = f"{where}: node[{index}] {show(operator)}"
    attributes: dict[str, Any] = {}
    for part in fields["attribute"]:
        attribute = walker.fields(part, "Attribute")
        name = _text(attribute["name"])
        key = f"{where}.{show(name)}"
        if name in attributes:
            refuse(key, "each attribute once, got it twice")
        attributes[name] = _attribute(walker, attribute, key)
    full = operator if domain in STANDARD_DOMAINS else f"{domain}.{operator}"
    return Node(where, full, fields["input"], fields["output"], attributes)


def _attribute(walker: Walker, fields: Fields, where: str) -> Any:
    """The value in the one field that its type names; no other field holds anything."""
    held = _ATTRIBUTE_TYPES.get(_number(fields["type"]), "")
    others = [name for name in _ATTRIBUTE_TYPES.values() if name != held and fields[name]]
    if not held or others or (held in ("f", "i", "s", "t", "subgraph") and not fields[held]):
        refuse(where, f"one value of the attribute's type, got {show([held, *others])}")
    values = fields[held]
    if held in ("i", "ints"):
        values = [_signed(value) for value in values]
    elif held in ("f", "floats"):
        floats = np.frombuffer(b"".join(values), "<f4")
        check_finite(floats, where)
        values = floats.tolist()
    elif held == "t":
        values = [_constant(walker.fields(values[0], "Tensor"), where)]
    elif held == "subgraph":
        body = walker.fields(values[0], "Graph")
        values = [_body(walker, body, where)]
    return values if held in ("floats", "ints", "strings") else values[0]


def _body(walker: Walker, fields: Fields, where: str) -> Graph:
    """The graph inside a node, which sees the names outside; nothing is checked but its form."""
    if fields["initializer"] or fields["value_info"]:
        refuse(where, "a body of nodes alone, got initializers or value_info")
    inputs, outputs = (
        _declared(walker, fields[kind], f"{where}: {kind}") for kind in ("input", "output")
    )
    nodes = []
    for index, span in enumerate(fields["node"]):
        for part in walker.fields(span, "Node")["attribute"]:
            if walker.fields(part, "Attribute")["subgraph"]:
                refuse(f"{where}: node[{index}]", "no graph inside a body, got one")
        nodes.append(_node(walker, span, where, index))
    return Graph(inputs, outputs, {}, nodes, {})


def _constant(tensor: Fields, where: str, *, forbids: bool = False) -> Constant:
    """The tensor, refused if it is not wholly in the file, not as large as it says, or not finite.

    No axis is empty but the second of a matrix: a table without columns embeds nothing. forbids: it
    may hold -inf.
    """
    if tensor["data_location"] not in ([], [0]):
        refuse(where, "its data in the file, got external data")
    kind = _number(tensor["data_type"])
    if kind not in _TENSOR_TYPES:
        refuse(where, f"an ONNX data type of {sorted(_TENSOR_TYPES)}, got {kind}")
    dtype, field = _TENSOR_TYPES[kind]
    shape = tensor["dims"]
    rows = shape[:1] if len(shape) == 2 and shape[1] == 0 else shape
    if len(shape) > _MAX_AXES or not all(1 <= length <= _MAX_LENGTH for length in rows):
        problem = f"at most {_MAX_AXES} axes, each from 1 to {_MAX_LENGTH} long"
        refuse(where, f"{problem}, got shape {show(shape)}")
    count = 1
    for length in shape:
        count *= length
    data = ("raw_data", "float_data", "int32_data", "int64_data", "double_data")
    held = [name for name in data if tensor[name]]
    if len(held) > 1 or any(name not in ("raw_data", field) for name in held):
        refuse(where, f"its numbers in raw_data or {field}, got them in {' and '.join(held)}")
    if held and (held[0] == "raw_data" or dtype.kind == "f"):
        payload = tensor[held[0]]
        joined = payload[0] if len(payload) == 1 else b"".join(payload)
        if len(joined) != count * dtype.itemsize:
            refuse(where, f"{count * dtype.itemsize} bytes, got {len(joined)}")
        values = np.frombuffer(joined, dtype)
    else:
        numbers = tensor[field] if held else []
        if len(numbers) != count:
            refuse(where, f"{count} numbers, got {len(numbers)}")
        try:
            values = np.array([_signed(number) for number in numbers], np.int64).astype(dtype)
        except OverflowError:
            refuse(where, f"numbers of {dtype.name}, got larger ones")
    if dtype.kind != "f" or not values.size:
        return Constant(dtype.name, tuple(shape), values)
    low, high = float(values.min()), float(values.max())  # NaN if one of them is NaN
    if not math.isfinite(high) or not (math.isfinite(low) or (forbids and low == -math.inf)):
        refuse(where, "finite numbers, got NaN or infinity")
    return Constant(dtype.name, tuple(shape), values, max(-low, high))


def _dtype(kind: list[int]) -> str:
    known = _TENSOR_TYPES.get(_number(kind))
    return known[0].name if known else f"type {_number(kind)}"


def _signed(number: int) -> int:
    """A varint of 64 bits as the signed number that it stands for."""
    return number - (1 << 64) if number >> 63 else number


def _number(values: list[int]) -> int:
    """An optional number of a message, 0 where it is absent."""
    return values[0] if values else 0


def _text(values: list[str]) -> str:
    """An optional string of a message, "" where it is absent."""
    return "".join(values)
