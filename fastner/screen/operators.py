"""What the graphs of a bundle may compute: one table of operators, and the shapes they make.

The table holds what training emits and nothing else. onnxruntime trusts its graphs: other
operators, and these ones with other inputs, attributes or shapes, make it divide by zero, read
past an array, abort the process, or fold constants for minutes and gigabytes at load.

Axes: U words, C characters, L lexicons, T tokens, B sentences, D and E widths, H hidden units of
one direction, d directions, g gates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from fastner.screen.graph import STANDARD_DOMAINS, Constant, Declared, Graph, Node
from fastner.strict import refuse, show

Shape = tuple[int | str, ...]

OPSET = 17  # of the graphs in a bundle
MAX_WIDTH = 1 << 16  # of a vector, a feature row, a hidden state
MAX_WEIGHT = 1e30  # magnitude: the sum of two biases stays finite
MAX_EMISSION = 1e25  # magnitude: sums along any sentence stay finite, at any temperature
MAX_NUMBERS = 1 << 18  # of one token, word or character, in all that the nodes make
_TO_THE_END = (1 << 31) - 1  # of a slice


class Value(NamedTuple):
    """What a name stands for: a constant, an input of the graph, or what a node makes."""

    dtype: str
    shape: Shape
    constant: Constant | None = None
    lengths_of: str = ""  # for the input of lengths: the axis that it counts
    most: float = math.inf  # no number has a larger magnitude
    below: tuple[int, ...] = ()  # for ids: what they are less than, in each column; (): unknown

    def __str__(self) -> str:
        return f"{'constant ' * (self.constant is not None)}{Declared(self.dtype, self.shape)}"


class Call(NamedTuple):
    """One node with its values: what a rule of the table looks at. "" stands for an absent one."""

    node: Node
    values: list[Value]

    def refuse(self, expected: str) -> NoReturn:
        got = ", ".join(map(str, self.values))
        refuse(self.node.where, f"{expected}, got {got} with {show(dict(self.node.attributes))}")

    def numbers(self, place: int) -> list[int]:
        """The numbers of a constant input."""
        constant = self.values[place].constant
        return [] if constant is None else constant.values.tolist()


# --- the rules: the shapes of the outputs, in the table's order ----------------------------------


def _add(call: Call) -> list[Shape]:
    """Of equal shapes, or a row that is added to all rows: nothing grows by broadcasting."""
    first, second = (value.shape for value in call.values)
    if all(value.constant for value in call.values):
        call.refuse("a term that is no constant")
    if len(first) < len(second):
        first, second = second, first
    if second not in (first, first[-1:]):
        call.refuse("terms of one shape, or of a width")
    return [first]


def _concat(call: Call) -> list[Shape]:
    axis, width = call.node.attributes["axis"], 0
    for _, shape, *_ in call.values:
        last = shape[-1]
        if axis != len(shape) - 1 or shape[:-1] != call.values[0].shape[:-1]:
            call.refuse("values that differ in the last axis, which is joined")
        width += last if isinstance(last, int) else MAX_WIDTH + 1
    if width > MAX_WIDTH:
        call.refuse(f"a width of at most {MAX_WIDTH}")
    return [(*call.values[0].shape[:-1], width)]


def _gather(call: Call) -> list[Shape]:
    table, ids = (value.shape for value in call.values)
    if len(table) != 2 or len(ids) > 2:
        call.refuse("a table of rows, and ids on at most two axes")
    if isinstance(table[0], int) and table[0] < max(call.values[1].below, default=0):
        call.refuse(f"a row for each of {max(call.values[1].below)} ids")
    return [(*ids, table[1])]


def _matmul(call: Call) -> list[Shape]:
    rows, kernel = (value.shape for value in call.values)
    if len(rows) < 2 or len(kernel) != 2 or rows[-1] != kernel[0]:
        call.refuse("rows and a matrix for their width")
    return [(*rows[:-1], kernel[1])]


def _slice(call: Call) -> list[Shape]:
    shape = list(call.values[0].shape)
    starts, ends, axes = (call.numbers(place) for place in (1, 2, 3))
    if not len(starts) == len(ends) == len(axes) == len(set(axes)):
        call.refuse("as many starts and ends as axes")
    for start, end, axis in zip(starts, ends, axes, strict=True):
        length = shape[axis] if 0 <= axis < len(shape) else 0
        if isinstance(length, int) and 0 <= start < end <= length:
            shape[axis] = end - start
        elif isinstance(length, int) or (start, end) != (0, _TO_THE_END):
            call.refuse("slices within the axes, or of a whole one")
    return [tuple(shape)]


def _squeeze(call: Call) -> list[Shape]:
    shape, axes = call.values[0].shape, call.numbers(1)
    if len(axes) != 1 or not 0 <= axes[0] < len(shape) or shape[axes[0]] != 1:
        call.refuse("one axis of length 1")
    return [shape[: axes[0]] + shape[axes[0] + 1 :]]


def _same(call: Call) -> list[Shape]:
    return [call.values[0].shape]


def _transpose(call: Call) -> list[Shape]:
    shape, order = call.values[0].shape, call.node.attributes["perm"]
    if sorted(order) != list(range(len(shape))):
        call.refuse("each axis once")
    return [tuple(shape[axis] for axis in order)]


def _recurrent(gates: int, cell: list[str], *, quantized: bool = False) -> Callable[..., Any]:
    def rule(call: Call) -> list[Shape]:
        """All states [T, d, B, H] and the last ones [d, B, H]; `lengths` are 1 to T."""
        attributes = call.node.attributes
        hidden, two = attributes["hidden_size"], attributes["direction"] == "bidirectional"
        d = 1 + two
        steps, kernel, recurrent, bias, lengths = call.values[:5]
        turned = -1 if quantized else 1  # DynamicQuantizeLSTM has the weights transposed
        if (
            attributes["activations"] != d * cell
            or len(steps.shape) != 3
            or lengths.lengths_of != steps.shape[0]
            or lengths.shape != steps.shape[1:2]
            or kernel.shape != (d, *(gates * hidden, steps.shape[2])[::turned])
            or recurrent.shape != (d, *(gates * hidden, hidden)[::turned])
            or bias.shape != (d, 2 * gates * hidden)
            or any(value.shape != (d,) for value in call.values[8:])
        ):
            call.refuse(f"weights, lengths and activations of {hidden} units, {gates} gates each")
        time, batch, _ = steps.shape
        return [(time, d, batch, hidden), (d, batch, hidden)]

    return rule


# --- the table -----------------------------------------------------------------------------------


def _most(call: Call) -> float:
    """The largest magnitude of what a node of floats makes."""
    first = call.values[0].most
    match call.node.operator.rpartition(".")[2]:
        case "GRU" | "LSTM" | "DynamicQuantizeLSTM" | "Tanh":
            return 1.0  # also of infinity
        case "Add":
            return first + call.values[1].most
        case "MatMul":
            kernel = call.values[1]
            return first * kernel.most * float(kernel.shape[0])
        case "Concat":
            return max(value.most for value in call.values)
        case _:
            return first


class Operator(NamedTuple):
    """What one operator may look like.

    inputs: a kind for each, all of which are there; "-" for one that is not.

        float    float32, an input of the graph or made of one
        term     float32, also a constant
        values   float32 or int32, no constant
        ids      int32, no constant
        lengths  the graph's own lengths
        weight   a float32 constant; of several axes, it is read by this node alone
        bytes    an int8 or uint8 constant
        numbers  an int64 constant of one axis

    "..." stands for more of the last kind. outputs: how many; each may be "", but not all.
    attributes: all of them must be there, with values out of these (lists: of items out of these).
    """

    inputs: str
    outputs: int
    attributes: Mapping[str, Any]
    rule: Callable[[Call], list[Shape]]


_LAYER = {
    "activations": ("Sigmoid", "Tanh"),
    "direction": ("forward", "bidirectional"),
    "hidden_size": range(1, MAX_WIDTH + 1),
}
_LSTM, _GRU = ["Sigmoid", "Tanh", "Tanh"], ["Sigmoid", "Tanh"]

_TABLE = {
    "Add": Operator("term term", 1, {}, _add),
    "Concat": Operator("float ...", 1, {"axis": range(1, 3)}, _concat),
    "GRU": Operator(
        "float weight weight weight lengths",
        2,
        _LAYER | {"linear_before_reset": range(1, 2)},
        _recurrent(3, _GRU),
    ),
    "Gather": Operator("weight ids", 1, {"axis": range(1)}, _gather),
    "LSTM": Operator("float weight weight weight lengths", 2, _LAYER, _recurrent(4, _LSTM)),
    "MatMul": Operator("float weight", 1, {}, _matmul),
    "Slice": Operator("values numbers numbers numbers", 1, {}, _slice),
    "Squeeze": Operator("values numbers", 1, {}, _squeeze),
    "Tanh": Operator("float", 1, {}, _same),
    "Transpose": Operator("values", 1, {"perm": range(3)}, _transpose),
}
_QUANTIZED = {  # of an export with recurrences in 8 bits only
    "com.microsoft.DynamicQuantizeLSTM": Operator(
        "float bytes bytes weight lengths - - - weight bytes weight bytes",
        1,
        _LAYER,
        _recurrent(4, _LSTM, quantized=True),
    ),
}
ONNX_OPERATORS = frozenset(_TABLE)


# --- graphs --------------------------------------------------------------------------------------


class Limits:
    """What the nodes of one file have made so far, and the matrices that they have read."""

    def __init__(self) -> None:
        self.left = MAX_NUMBERS
        self.matrices: set[str] = set()


# operators that a table without columns passes, which embeds nothing
_TAKE_NOTHING = ("Gather", "Concat")


def check_nodes(
    nodes: list[Node], values: dict[str, Value], *, quantized: bool = False, limits: Limits
) -> None:
    """Refuse nodes that are not of the table; the values that they make join `values`."""
    table = _TABLE | (_QUANTIZED if quantized else {})
    for node in nodes:
        operator = table.get(node.operator)
        if operator is None:
            known = "an operator of fastner.screen.ONNX_OPERATORS"
            refuse(node.where, f"{known}, got {show(node.operator)}")
        call = Call(node, [values.get(name, Value("nothing", ())) for name in node.inputs])
        _check_attributes(node, operator)
        _check_inputs(call, operator, limits)
        if node.operator not in _TAKE_NOTHING and any(0 in value.shape for value in call.values):
            call.refuse("no empty axis")
        if not any(node.outputs) or len(node.outputs) > operator.outputs:
            call.refuse(f"1 to {operator.outputs} outputs")
        dtype = "int32" if call.values[0].dtype == "int32" else "float32"
        shapes = operator.rule(call)[: len(node.outputs)]
        for name, shape in zip(node.outputs, shapes, strict=True):
            size = 1
            for length in shape:
                size *= length if isinstance(length, int) else 1
            limits.left -= size
            if name:
                values[name] = Value(dtype, shape, most=_most(call), below=_below(call))
        if limits.left < 0:
            refuse(node.where, f"at most {MAX_NUMBERS} numbers of a token in all nodes, got more")


def _below(call: Call) -> tuple[int, ...]:
    """The bounds of ids that a node takes from others."""
    below = call.values[0].below
    if call.node.operator == "Slice" and len(below) > 1:
        last = len(call.values[0].shape) - 1
        for start, end, axis in zip(*map(call.numbers, (1, 2, 3)), strict=True):
            below = below[start:end] if axis == last else below
    return below


def _check_attributes(node: Node, operator: Operator) -> None:
    if node.attributes.keys() != operator.attributes.keys():
        got = show(sorted(node.attributes))
        refuse(node.where, f"the attributes {sorted(operator.attributes)}, got {got}")
    for name, known in operator.attributes.items():
        value = node.attributes[name]
        several = name in ("activations", "perm")
        kind = int if isinstance(known, range) else str
        items = value if several and isinstance(value, list) else [value]
        if isinstance(value, list) != several or not all(
            type(item) is kind and item in known for item in items
        ):
            refuse(f"{node.where}.{name}", f"values out of {known}, got {show(value)}")


def _check_inputs(call: Call, operator: Operator, limits: Limits) -> None:
    kinds = operator.inputs.split()
    if kinds[-1] == "...":
        kinds[-1:] = kinds[-2:-1] * (len(call.values) - len(kinds) + 1)
    if len(kinds) != len(call.values):
        call.refuse(f"{len(kinds)} inputs")
    for kind, name, (dtype, shape, constant, lengths_of, most, _) in zip(
        kinds, call.node.inputs, call.values, strict=True
    ):
        fits = {
            "float": dtype == "float32" and constant is None and len(shape) > 0,
            "term": dtype == "float32" and len(shape) > 0,
            "values": dtype in ("float32", "int32") and constant is None and len(shape) > 0,
            "ids": dtype == "int32" and constant is None,
            "lengths": lengths_of != "",
            "weight": dtype == "float32" and constant is not None,
            "bytes": dtype in ("int8", "uint8") and constant is not None,
            "numbers": dtype == "int64" and constant is not None and len(shape) == 1,
            "-": name == "",
        }
        if not fits[kind] or (kind != "-" and not name):
            call.refuse(f"inputs of the kinds {' '.join(kinds)}")
        if constant is not None and most > MAX_WEIGHT:
            refuse(call.node.where, f"weights within ±{MAX_WEIGHT:g}, got {most:g} in {show(name)}")
        if kind in ("weight", "bytes") and len(shape) > 1:
            if name in limits.matrices:
                # a small file would cost as much time as a large one
                refuse(call.node.where, f"matrices of its own, got {show(name)} again")
            limits.matrices.add(name)


# --- the two graphs of a bundle ------------------------------------------------------------------


class Signature(NamedTuple):
    """The inputs and the output that a graph of a bundle has; None: any width.

    lengths: the input that counts, for each word or sentence, steps of the axis `steps`. optional:
    an input that may be absent. below: for inputs of ids, what they are less than, in each column.
    bounded: the output is finite for any input. quantized: its LSTMs may be in 8 bits, for
    onnxruntime alone.
    """

    inputs: Mapping[str, tuple[str, tuple[int | str | None, ...]]]
    output: tuple[str, tuple[int | str | None, ...]]
    lengths: str
    steps: str
    optional: str = ""
    below: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    bounded: bool = False
    quantized: bool = False


def words_signature(
    width: int | None = None,
    features: int | None = None,
    lexicons: int | None = None,
    below: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> Signature:
    """Of words.onnx: vectors of this width, so many features and lexicons; None: any.

    below: how many characters and cases there are, and categories in each lexicon.
    """
    inputs: dict[str, tuple[str, tuple[int | str | None, ...]]] = {
        "vectors": ("float32", ("U", width)),
        "characters": ("int32", ("U", "C")),
        "character_lengths": ("int32", ("U",)),
        "cases": ("int32", ("U",)),
    }
    if lexicons != 0:
        inputs["categories"] = ("int32", ("U", lexicons))
    optional = "categories" if lexicons is None else ""
    output = ("features", ("U", features))
    return Signature(inputs, output, "character_lengths", "C", optional, below)


def sentences_signature(
    features: int | None = None,
    tags: int | None = None,
    *,
    gazetteers: int | None = None,
    places: int = 0,
    quantized: bool = False,
) -> Signature:
    """Of sentences.onnx: rows of so many features, so many tags and gazetteers; None: any.

    places: how many there are in a gazetteer; 0: not known.
    """
    inputs: dict[str, tuple[str, tuple[int | str | None, ...]]] = {
        "features": ("float32", ("T", "B", features)),
        "lengths": ("int32", ("B",)),
    }
    if gazetteers != 0:
        inputs["places"] = ("int32", ("T", "B", gazetteers))
    return Signature(
        inputs,
        ("emissions", ("T", "B", tags)),
        "lengths",
        "T",
        "places" if gazetteers is None else "",
        {"places": (places,) * (gazetteers or 0)} if places else {},
        bounded=True,
        quantized=quantized,
    )


def check_graph(graph: Graph, signature: Signature, where: str) -> None:
    """Refuse a graph of a bundle that is not of this signature, or computes anything else."""
    domains = {"", "ai.onnx.ml"}  # tf2onnx imports the second one; without a node it does nothing
    domains |= {"com.microsoft"} if signature.quantized else set()
    if not graph.opsets.keys() <= domains or graph.opsets[""] != OPSET:
        got = show(dict(graph.opsets))
        refuse(f"{where}: opset_import", f"version {OPSET} of {STANDARD_DOMAINS}, got {got}")
    output, shape = signature.output
    wanted = {name: Declared(*value) for name, value in signature.inputs.items()}  # type: ignore[arg-type]  # None: any width
    if signature.optional not in graph.inputs:
        wanted.pop(signature.optional, None)
    _check_declared(graph.inputs, wanted, where, "inputs")
    _check_declared(graph.outputs, {output: Declared("float32", shape)}, where, "outputs")  # type: ignore[arg-type]  # None: any width
    values = {
        name: Value(*value, below=signature.below.get(name, ()))
        for name, value in graph.inputs.items()
    }
    lengths = values[signature.lengths]  # as ids they would be out of any table
    values[signature.lengths] = lengths._replace(lengths_of=signature.steps, below=(1 << 31,))
    values |= constants(graph)
    made = {name for node in graph.nodes for name in node.outputs}
    check_nodes(graph.nodes, values, quantized=signature.quantized, limits=Limits())
    if output not in made or values[output][:2] != graph.outputs[output]:
        got = str(values[output]) if output in made else "none"
        refuse(where, f"{output!r} made as {graph.outputs[output]}, got {got}")
    if signature.bounded:
        check_bounded(values[output], where)


def constants(graph: Graph, prefix: str = "") -> dict[str, Value]:
    """The constants whose names begin like this, as values."""
    return {
        name: Value(constant.dtype, constant.shape, constant, most=constant.most)
        for name, constant in graph.constants.items()
        if name.startswith(prefix)
    }


def check_bounded(emissions: Value, where: str) -> None:
    """Refuse emissions that may be infinite, or NaN, for some features."""
    if not emissions.most <= MAX_EMISSION:
        problem = f"emissions within ±{MAX_EMISSION:g} for all features"
        refuse(where, f"{problem}, got up to {emissions.most:g}")


def _check_declared(
    found: Mapping[str, Declared], wanted: Mapping[str, Declared], where: str, kind: str
) -> None:
    if found.keys() != wanted.keys():
        refuse(where, f"the {kind} {sorted(wanted)}, got {show(sorted(found))}")
    for name, (dtype, shape) in wanted.items():
        value = found[name]
        fits = value.dtype == dtype and len(value.shape) == len(shape)
        for got, length in zip(value.shape, shape, strict=False):
            any_width = length is None and isinstance(got, int) and got <= MAX_WIDTH
            fits = fits and (got == length or any_width)
        if not fits:
            text = ", ".join("…" if length is None else str(length) for length in shape)
            refuse(where, f"{name!r} as {dtype} [{text}], got {value}")
