"""The weights in an ONNX graph, where it is one bidirectional LSTM and one linear layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner.onnx_screen import Fields, Walker

Array = NDArray[np.float32]

_OPERATORS = "Add Add LSTM MatMul MatMul Slice Slice Squeeze Squeeze".split()
_CELL = ["Sigmoid", "Tanh", "Tanh"]
# [start, end, axis] of a slice of the LSTM's states [T, 2, B, H] -> its direction
_DIRECTIONS = {(0, 1, 1): 0, (1, 2, 1): 1}


class BiLSTMWeights(NamedTuple):
    """What `fastner.lstm.BiLSTM` takes, in this order and in Keras' layout, all float32."""

    forward: tuple[Array, Array, Array]  # W [D, 4H], U [H, 4H], b [4H]
    backward: tuple[Array, Array, Array]
    kernel: Array  # [2H, K]
    bias: Array  # [K]

    @property
    def hidden(self) -> int:
        """H."""
        return self.forward[1].shape[0]


class _AnotherGraphError(Exception):
    """The graph is not of the one form that is read here."""


def bilstm_weights(graph: bytes) -> BiLSTMWeights | None:
    """The weights of a graph, screened by `screen_onnx`; None where it computes anything else.

    What is read is the graph from `features` [T, B, D] and `lengths` to `emissions` [T, B, K] that
    `fastner.training.export.sentences_graph` writes for one LSTM and one linear layer: per
    direction a Slice and a Squeeze of the LSTM's states and a MatMul, which are added with the
    bias. The arrays are copies.
    """
    walker = Walker(graph, "sentences.onnx")
    fields = walker.fields(walker.root()["graph"][0], "Graph")
    try:
        return _read(walker, fields)
    except _AnotherGraphError:
        return None


def _read(walker: Walker, graph: Fields) -> BiLSTMWeights:
    outputs = [_text(walker.fields(span, "Value")["name"]) for span in graph["output"]]
    nodes = [walker.fields(span, "Node") for span in graph["node"]]
    constants = dict(_constant(walker.fields(span, "Tensor")) for span in graph["initializer"])
    _require(outputs == ["emissions"])
    _require(sorted(_text(node["op_type"]) for node in nodes) == _OPERATORS)
    made = {node["output"][0]: node for node in nodes if len(node["output"]) == 1}
    _require(len(made) == len(nodes) and not made.keys() & constants.keys())

    def maker(name: str, operator: str, count: int) -> Fields:
        """The node of this operator and number of inputs that makes the value `name`."""
        node = made.get(name)
        if node is None or _text(node["op_type"]) != operator or len(node["input"]) != count:
            raise _AnotherGraphError
        return node

    def inputs(name: str, operator: str, count: int) -> list[str]:
        node = maker(name, operator, count)
        _require(not node["attribute"])
        return node["input"]

    def constant(name: str, dtype: str, dimensions: int) -> NDArray[Any]:
        array = constants.get(name)
        if array is None or array.dtype != dtype or array.ndim != dimensions:
            raise _AnotherGraphError
        return array

    # emissions = a + (b + c) or (a + b) + c: of a, b, c, one is the bias, two are products
    terms = inputs("emissions", "Add", 2)
    inner = [name for name in terms if name in made and _text(made[name]["op_type"]) == "Add"]
    _require(len(inner) == 1)
    terms = [name for name in terms if name not in inner] + inputs(inner[0], "Add", 2)
    biases = [name for name in terms if name in constants]
    products = [name for name in terms if name not in constants]
    _require(len(biases) == 1 and len(products) == 2)
    kernels: dict[int, Array] = {}
    lstms: set[str] = set()
    for name in products:
        states, kernel = inputs(name, "MatMul", 2)
        sliced, axis = inputs(states, "Squeeze", 2)
        _require(constant(axis, "int64", 1).tolist() == [1])
        lstm, *bounds = inputs(sliced, "Slice", 4)
        where = tuple(n for bound in bounds for n in constant(bound, "int64", 1).tolist())
        _require(where in _DIRECTIONS)
        kernels[_DIRECTIONS[where]] = constant(kernel, "float32", 2)
        lstms.add(lstm)
    _require(len(kernels) == 2 and len(lstms) == 1)

    node = maker(lstms.pop(), "LSTM", 5)
    features, *arrays, lengths = node["input"]
    _require((features, lengths) == ("features", "lengths"))
    w, r, b = (constant(name, "float32", n) for name, n in zip(arrays, (3, 3, 2), strict=True))
    hidden, tags = kernels[0].shape
    bias = constant(biases[0], "float32", 1)
    _require(kernels[1].shape == (hidden, tags) and bias.shape == (tags,))
    _require(w.shape[:2] == (2, 4 * hidden) and r.shape == (2, 4 * hidden, hidden))
    _require(b.shape == (2, 8 * hidden) and min(hidden, tags, w.shape[2]) >= 1)
    _check_attributes([walker.fields(span, "Attribute") for span in node["attribute"]], hidden)
    forward, backward = (
        (_gates(w[d].T), _gates(r[d].T), _gates(b[d, : 4 * hidden] + b[d, 4 * hidden :]))
        for d in (0, 1)
    )
    return BiLSTMWeights(forward, backward, np.concatenate([kernels[0], kernels[1]]), bias.copy())


def _check_attributes(attributes: list[Fields], hidden: int) -> None:
    found = {_text(attribute["name"]): attribute for attribute in attributes}
    _require(found.keys() <= {"activations", "direction", "hidden_size"})
    _require("direction" in found and found["direction"]["s"] == ["bidirectional"])
    _require("hidden_size" in found and found["hidden_size"]["i"] == [hidden])
    _require("activations" not in found or found["activations"]["strings"] == 2 * _CELL)


def _gates(array: Array) -> Array:
    """Columns of the gates i, o, f, c (ONNX) in the order i, f, c, o (Keras), as a copy."""
    i, o, f, c = np.split(array, 4, axis=-1)
    return np.concatenate([i, f, c, o], axis=-1)


def _constant(tensor: Fields) -> tuple[str, NDArray[Any] | None]:
    """Name and numbers of an initializer; None for another type than the form needs."""
    dtype = {(1,): "<f4", (7,): "<i8"}.get(tuple(tensor["data_type"]))
    if dtype is None or len(tensor["raw_data"]) != 1:
        return _text(tensor["name"]), None
    return _text(tensor["name"]), np.frombuffer(tensor["raw_data"][0], dtype).reshape(
        tensor["dims"]
    )


def _text(values: list[str]) -> str:
    """An optional string of a message, "" where it is absent."""
    return "".join(values)


def _require(condition: bool) -> None:
    if not condition:
        raise _AnotherGraphError
