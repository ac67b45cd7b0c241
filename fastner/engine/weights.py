"""The weights in a bundle's ONNX graphs, where these are of the forms that fastner runs itself."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner.screen.wire import Fields, Walker

Array = NDArray[np.float32]

_BILSTM = "Add Add LSTM MatMul MatMul Slice Slice Squeeze Squeeze".split()
_GAZETTEER = "Gather Slice Squeeze".split()  # for each, and one Concat
_CELLS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
_END = 2**31 - 1  # of a slice to the end


Cell = tuple[Array, Array, Array]


class BiLSTMWeights(NamedTuple):
    """What `fastner.engine.lstm.BiLSTM` takes, in this order and in Keras' layout, all float32.

    places: last, the embedding of the places in each gazetteer, [places, width]; what the LSTM
    reads of a token are its D features and these. `BiLSTM` takes `of_words`.
    """

    forward: tuple[Array, Array, Array]  # W [D + widths of places, 4H], U [H, 4H], b [4H]
    backward: tuple[Array, Array, Array]
    kernel: Array  # [2H, K]
    bias: Array  # [K]
    places: tuple[Array, ...] = ()

    @property
    def features(self) -> int:
        """D."""
        return len(self.forward[0]) - sum(int(table.shape[1]) for table in self.places)

    @property
    def of_words(self) -> tuple[Cell, Cell, Array, Array]:
        """Those for words alone, in no phrase of a gazetteer: place 0 adds nothing."""
        forward, backward = (
            (w[: self.features], u, b) for w, u, b in (self.forward, self.backward)
        )
        return forward, backward, self.kernel, self.bias

    @property
    def hidden(self) -> int:
        """H."""
        return len(self.forward[1])


class WordWeights(NamedTuple):
    """What `fastner.engine.gru.WordEncoder` takes, all float32; arrays of cells in Keras' layout.

    parts: what a feature row is made of, in order: "vectors", "forward" and "backward" (the GRU's
    last states), "cases", and the number of a lexicon.
    """

    characters: Array  # [A, E], the embedding of every character id
    forward: tuple[Array, Array, Array]  # W [E, 3H], U [H, 3H], b [2, 3H]; gates z, r, n
    backward: tuple[Array, Array, Array]
    cases: Array  # [cases, width]
    lexicons: tuple[Array, ...]  # [categories, width]
    parts: tuple[str | int, ...]


class _AnotherGraphError(Exception):
    """The graph is not of the one form that is read here."""


def bilstm_weights(graph: bytes) -> BiLSTMWeights | None:
    """The weights of a graph, screened by `fastner.screen`; None where it computes anything else.

    What is read is the graph from `features` [T, B, D] and `lengths`, and with gazetteers `places`
    [T, B, L], to `emissions` [T, B, K] that `fastner.training.graphs.sentences_graph` writes for
    one LSTM and one linear layer: per direction a Slice and a Squeeze of the LSTM's states and a
    MatMul, which are added with the bias; before it, features joined with the rows that places have
    in tables, whose first one is 0. The arrays are copies.
    """
    with suppress(_AnotherGraphError):
        return _bilstm(_Graph(graph, "sentences.onnx", "emissions"))
    return None


def word_weights(graph: bytes) -> WordWeights | None:
    """The weights of a graph, screened by `fastner.screen`; None where it computes anything else.

    What is read is the graph from `vectors`, `characters`, `character_lengths`, `cases` and
    `categories` to `features` that `fastner.training.export.words_graph` writes for one
    bidirectional GRU and no projection. The arrays are copies.
    """
    with suppress(_AnotherGraphError):
        return _words(_Graph(graph, "words.onnx", "features"))
    return None


class _Graph:
    """Nodes and constants of a graph with one output, by the name of what they make."""

    def __init__(self, graph: bytes, where: str, output: str) -> None:
        self._walker = Walker(graph, where)
        fields = self._walker.fields(self._walker.root()["graph"][0], "Graph")
        outputs = [_text(self._walker.fields(span, "Value")["name"]) for span in fields["output"]]
        nodes = [self._walker.fields(span, "Node") for span in fields["node"]]
        self.operators = sorted(_text(node["op_type"]) for node in nodes)
        self.constants = dict(
            _constant(self._walker.fields(span, "Tensor")) for span in fields["initializer"]
        )
        # an output that is not used has no name
        self.made = {name: node for node in nodes for name in node["output"] if name}
        _require(outputs == [output] and len(self.made) == len(nodes))
        _require(not self.made.keys() & self.constants.keys())

    def maker(self, name: str, operator: str, count: int) -> Fields:
        """The node of this operator and number of inputs that makes the value `name`."""
        node = self.made.get(name)
        if node is None or _text(node["op_type"]) != operator or len(node["input"]) != count:
            raise _AnotherGraphError
        return node

    def inputs(self, name: str, operator: str, count: int, **attributes: int) -> list[str]:
        """The inputs of that node, which has these attributes and no others."""
        node = self.maker(name, operator, count)
        got = {key: value["i"] for key, value in self.attributes(node).items()}
        _require(got == {key: [value] for key, value in attributes.items()})
        return node["input"]

    def attributes(self, node: Fields) -> dict[str, Fields]:
        fields = [self._walker.fields(span, "Attribute") for span in node["attribute"]]
        return {_text(attribute["name"]): attribute for attribute in fields}

    def constant(self, name: str, dtype: str, dimensions: int) -> NDArray[Any]:
        array = self.constants.get(name)
        if array is None or array.dtype != dtype or array.ndim != dimensions:
            raise _AnotherGraphError
        return array

    def sliced(self, name: str, axis: int) -> tuple[str, tuple[int, ...]]:
        """What `name` is a slice of, squeezed along axis; the slice's starts, ends and axes."""
        source, squeezed = self.inputs(name, "Squeeze", 2)
        _require(self.constant(squeezed, "int64", 1).tolist() == [axis])
        source, *bounds = self.inputs(source, "Slice", 4)
        return source, tuple(n for b in bounds for n in self.constant(b, "int64", 1).tolist())

    def recurrent(self, name: str, operator: str, gates: int) -> tuple[list[str], list[Array]]:
        """Inputs and weights W [2, gH, D], R [2, gH, H], B [2, 2gH] of a bidirectional layer."""
        node = self.maker(name, operator, 5)
        # all states of an LSTM, the last ones of a GRU
        _require(node["output"] == ([name] if operator == "LSTM" else ["", name]))
        source, *arrays, lengths = node["input"]
        w, r, b = (
            self.constant(array, "float32", n) for array, n in zip(arrays, (3, 3, 2), strict=True)
        )
        hidden = r.shape[2]
        _require(w.shape[:2] == (2, gates * hidden) and r.shape[:2] == (2, gates * hidden))
        _require(b.shape == (2, 2 * gates * hidden) and min(hidden, w.shape[2]) >= 1)
        attributes = self.attributes(node)
        activations = attributes.pop("activations", {"strings": []})["strings"]
        _require(activations in ([], 2 * _CELLS[operator]))
        values = {key: value["s"] or value["i"] for key, value in attributes.items()}
        wanted = {"direction": ["bidirectional"], "hidden_size": [hidden]}
        _require(values == wanted | ({"linear_before_reset": [1]} if operator == "GRU" else {}))
        return [source, lengths], [w, r, b]


def _bilstm(graph: _Graph) -> BiLSTMWeights:
    gazetteers = graph.operators.count("Gather")
    more = [*(_GAZETTEER * gazetteers), *(["Concat"] if gazetteers else [])]
    _require(graph.operators == sorted(_BILSTM + more))
    # emissions = a + (b + c) or (a + b) + c: of a, b, c, one is the bias, two are products
    terms = graph.inputs("emissions", "Add", 2)
    inner = [
        name for name in terms if name in graph.made and _text(graph.made[name]["op_type"]) == "Add"
    ]
    _require(len(inner) == 1)
    terms = [name for name in terms if name not in inner] + graph.inputs(inner[0], "Add", 2)
    biases = [name for name in terms if name in graph.constants]
    products = [name for name in terms if name not in graph.constants]
    _require(len(biases) == 1 and len(products) == 2)
    kernels: dict[int, Array] = {}
    lstms: set[str] = set()
    for name in products:
        states, kernel = graph.inputs(name, "MatMul", 2)
        lstm, bounds = graph.sliced(states, 1)  # of the states [T, 2, B, H]
        _require(bounds in ((0, 1, 1), (1, 2, 1)))
        kernels[bounds[0]] = graph.constant(kernel, "float32", 2)
        lstms.add(lstm)
    _require(len(kernels) == 2 and len(lstms) == 1)

    inputs, (w, r, b) = graph.recurrent(lstms.pop(), "LSTM", 4)
    places = _places(graph, inputs[0], gazetteers) if gazetteers else ()
    _require(inputs[1] == "lengths" and (bool(places) or inputs[0] == "features"))
    _require(sum(table.shape[1] for table in places) < w.shape[2])
    hidden, tags = kernels[0].shape
    bias = graph.constant(biases[0], "float32", 1)
    _require(kernels[1].shape == (hidden, tags) and bias.shape == (tags,))
    _require(hidden == r.shape[2] and tags >= 1)
    forward, backward = (
        (_gates(w[d].T), _gates(r[d].T), _gates(b[d, : 4 * hidden] + b[d, 4 * hidden :]))
        for d in (0, 1)
    )
    both = np.concatenate([kernels[0], kernels[1]])
    return BiLSTMWeights(forward, backward, both, bias.copy(), places)


def _places(graph: _Graph, joined: str, count: int) -> tuple[Array, ...]:
    """The tables of places in so many gazetteers, which are joined to the features in order."""
    first, *parts = graph.inputs(joined, "Concat", count + 1, axis=2)
    _require(first == "features")
    tables = []
    for number, part in enumerate(parts):
        table, ids = graph.inputs(part, "Gather", 2, axis=0)
        source, bounds = graph.sliced(ids, 2)
        column = (0, 0, number, _END, _END, number + 1, 0, 1, 2)
        _require(source == "places" and bounds == column)
        tables.append(graph.constant(table, "float32", 2).copy())
        _require(not tables[-1][0].any())
    return tuple(tables)


def _words(graph: _Graph) -> WordWeights:
    parts: list[str | int] = []
    tables: dict[str | int, Array] = {}
    grus: set[str] = set()
    pieces = graph.maker("features", "Concat", graph.operators.count("Gather") + 2)["input"]
    _require(graph.inputs("features", "Concat", len(pieces), axis=1) == pieces)
    for piece in pieces:
        if piece == "vectors":
            parts.append(piece)
        elif piece in graph.made and _text(graph.made[piece]["op_type"]) == "Squeeze":
            gru, bounds = graph.sliced(piece, 0)  # of the last states [2, U, H]
            _require(bounds in ((0, 1, 0), (1, 2, 0)))
            parts.append(("forward", "backward")[bounds[0]])
            grus.add(gru)
        else:
            table, ids = graph.inputs(piece, "Gather", 2, axis=0)
            part: str | int = ids
            if ids != "cases":
                source, bounds = graph.sliced(ids, 1)
                part = bounds[1] if len(bounds) == 6 else -1
                _require(source == "categories" and bounds == (0, part, _END, part + 1, 0, 1))
            parts.append(part)
            tables[part] = graph.constant(table, "float32", 2)
    lexicons = range(len(tables) - 1)
    _require(tables.keys() == {"cases", *lexicons} and len(grus) == 1)
    _require(len(parts) == len(set(parts)) and {"vectors", "forward", "backward"} <= set(parts))
    (states, lengths), (w, r, b) = graph.recurrent(grus.pop(), "GRU", 3)
    table, ids = graph.inputs(states, "Gather", 2, axis=0)
    transpose = graph.maker(ids, "Transpose", 1)
    turned = {key: value["ints"] for key, value in graph.attributes(transpose).items()}
    _require((transpose["input"], lengths) == (["characters"], "character_lengths"))
    _require(turned == {"perm": [1, 0]})
    characters = graph.constant(table, "float32", 2)
    _require(characters.shape[1] == w.shape[2])
    forward, backward = (
        (np.array(w[d].T, order="C"), np.array(r[d].T, order="C"), b[d].reshape(2, -1).copy())
        for d in (0, 1)
    )
    cases, *others = (tables[part].copy() for part in ("cases", *lexicons))
    return WordWeights(characters.copy(), forward, backward, cases, tuple(others), tuple(parts))


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
