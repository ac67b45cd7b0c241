"""The way from trained weights to the bundle's two ONNX graphs, and the proof that they agree.

The graphs are written as TensorFlow functions in the very form that tf2onnx turns into `GRU` and
`LSTM` nodes; each step of that form is named where it is taken. Whatever tf2onnx does with them,
`_finish` accepts nothing but the operators, the number of recurrent nodes and the sequence
lengths that are meant, and `check_parity` compares numbers. Axis letters: U distinct words,
C characters, L lexicons, T tokens, B sentences, D features, K tags.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import onnxruntime

from fastner.bundle.screen import ONNX_OPERATORS
from fastner.errors import DependencyError, TrainingError
from fastner.training.weights import DenseWeights, GRUWeights, LSTMWeights, NetworkWeights

try:
    import onnx
    import tensorflow as tf
    import tf2onnx
except ImportError as error:
    raise DependencyError(
        "exporting a network needs tensorflow, tf2onnx and onnx: pip install 'fastner-crf[train]'"
    ) from error

__all__ = ["TOLERANCE", "ParityBatch", "check_parity", "sentences_graph", "words_graph"]

OPSET = 17
TOLERANCE = 1e-5  # largest accepted difference of an emission

_RECURRENT = ("GRU", "LSTM")
_LENGTHS, _INITIAL = 4, 5  # places among the inputs of an ONNX GRU or LSTM
_COPIES = ("Concat", "Expand", "Identity", "Reshape", "Squeeze", "Unsqueeze")  # make no number
_Tensor = Any  # TensorFlow ships no types
_Cell = GRUWeights | LSTMWeights
_Layer = tuple[GRUWeights, GRUWeights | None] | tuple[LSTMWeights, LSTMWeights]
_Shape = tuple[int | str, ...]


def words_graph(weights: NetworkWeights, vector_width: int) -> "onnx.ModelProto":
    """The ONNX graph from U distinct words to their feature rows.

    Inputs: `vectors` float32 [U, vector_width]; `characters` int32 [U, C], ids, anything valid
    past a word's end; `character_lengths` int32 [U], each from 1 to C; `cases` int32 [U]; and,
    where the network has lexicons, `categories` int32 [U, L]. Output: `features` float32 [U, D].

    Raises TrainingError if `vector_width` is not the network's, or tf2onnx made another graph
    than was meant.
    """
    if vector_width != weights.vector_width:
        raise TrainingError(
            f"vector_width: expected {weights.vector_width}, what the network reads, "
            f"got {vector_width}"
        )
    lexicons = len(weights.lexicon_embeddings)

    def features(
        vectors: _Tensor,
        characters: _Tensor,
        character_lengths: _Tensor,
        cases: _Tensor,
        categories: _Tensor = None,
    ) -> _Tensor:
        # Ids are turned to [C, U] before they are looked up: four bytes a character, not 4 Dc.
        states = tf.gather(weights.character_embedding, tf.transpose(characters))
        for layer in weights.character_grus[:-1]:
            states = tf.concat([s for s, _ in _directions(layer, states, character_lengths)], 2)
        last = _directions(weights.character_grus[-1], states, character_lengths)
        parts = [vectors, *(final for _, final in last), tf.gather(weights.case_embedding, cases)]
        for index, table in enumerate(weights.lexicon_embeddings):
            parts.append(tf.gather(table, categories[:, index]))
        row = tf.concat(parts, 1)
        return row if weights.projection is None else _dense(weights.projection, row)

    inputs = {
        "vectors": (tf.float32, ("U", vector_width)),
        "characters": (tf.int32, ("U", "C")),
        "character_lengths": (tf.int32, ("U",)),
        "cases": (tf.int32, ("U",)),
    }
    if lexicons:
        inputs["categories"] = (tf.int32, ("U", lexicons))
    return _convert(
        features,
        inputs,
        output=("features", ("U", weights.feature_width)),
        lengths="character_lengths",
        recurrent={"GRU": len(weights.character_grus)},
    )


def sentences_graph(weights: NetworkWeights) -> "onnx.ModelProto":
    """The ONNX graph from sentences of feature rows to emissions.

    Time comes first, which is how an ONNX LSTM reads: no large tensor is transposed on the way.
    Inputs: `features` float32 [T, B, D], anything past a sentence's end; `lengths` int32 [B],
    each from 1 to T. Output: `emissions` float32 [T, B, K], meaningless past a sentence's end.

    Raises TrainingError if tf2onnx made another graph than was meant.
    """

    def emissions(features: _Tensor, lengths: _Tensor) -> _Tensor:
        forward = backward = None
        states = features
        for layer in weights.lstms:
            (forward, _), (backward, _) = _directions(layer, states, lengths)
            states = tf.concat([forward, backward], 2)
        # The last concatenation goes unused: the first dense layer reads each direction with its
        # half of the kernel, which took 117 µs where concatenating took 153 (B=32, T=20, H=100).
        first, *rest = weights.dense
        top, bottom = np.split(first.kernel, 2)
        states = tf.matmul(forward, top) + tf.matmul(backward, bottom) + first.bias
        states = _activate(first, states)
        for layer in rest:
            states = _dense(layer, states)
        return states

    return _convert(
        emissions,
        {
            "features": (tf.float32, ("T", "B", weights.feature_width)),
            "lengths": (tf.int32, ("B",)),
        },
        output=("emissions", ("T", "B", weights.tag_count)),
        lengths="lengths",
        recurrent={"LSTM": len(weights.lstms)},
    )


# --- the network in the form that tf2onnx knows ------------------------------------------------


def _directions(layer: _Layer, inputs: _Tensor, lengths: _Tensor) -> list[tuple[_Tensor, _Tensor]]:
    """Per direction: its states [T, B, H] in the order of the input, and its last state [B, H].

    tf2onnx merges a run over `inputs` and one between two `reverse_sequence` into a single
    bidirectional node.
    """
    forward, backward = layer
    result = [_recur(forward, inputs, lengths)]
    if backward is not None:
        states, last = _recur(backward, _reverse(inputs, lengths), lengths)
        result.append((_reverse(states, lengths), last))
    return result


def _reverse(sequence: _Tensor, lengths: _Tensor) -> _Tensor:
    """`sequence` [T, B, …] with the first lengths[b] steps of each b in reverse."""
    return tf.reverse_sequence(sequence, lengths, seq_axis=0, batch_axis=1)


def _recur(cell: _Cell, inputs: _Tensor, lengths: _Tensor) -> tuple[_Tensor, _Tensor]:
    """The states [T, B, H], zero past the end, and the last state [B, H] of one direction.

    tf2onnx recognises the loop by its TensorArrays and the cell by its operations (see
    tf2onnx.rewriter.rnn_utils). It takes the sequence lengths from a `Select` (not `SelectV2`,
    which is what tf.where gives) between zeros and the cell's output, whose condition is exactly
    `step >= lengths`; without it they are lost, and padding runs into the results.
    """
    steps, batch = tf.shape(inputs)[0], tf.shape(inputs)[1]
    read = tf.TensorArray(tf.float32, steps).unstack(inputs).read
    step = _gru_step(cell) if isinstance(cell, GRUWeights) else _lstm_step(cell)
    zero = tf.zeros([batch, cell.hidden_size])
    states = (zero,) if isinstance(cell, GRUWeights) else (zero, zero)

    def body(time: _Tensor, outputs: _Tensor, *old: _Tensor) -> tuple[_Tensor, ...]:
        new = step(read(time), *old)
        over = tf.greater_equal(time, lengths)
        kept = (_select(over, before, after) for before, after in zip(old, new, strict=True))
        return time + 1, outputs.write(time, _select(over, zero, new[0])), *kept

    _, outputs, last, *_ = tf.while_loop(
        lambda time, *_: time < steps, body, (0, tf.TensorArray(tf.float32, steps), *states)
    )
    return outputs.stack(), last


def _select(condition: _Tensor, first: _Tensor, second: _Tensor) -> _Tensor:
    return tf.raw_ops.Select(condition=condition, x=first, y=second)


def _gru_step(cell: GRUWeights) -> Callable[..., tuple[_Tensor, ...]]:
    kernel, recurrent = tf.constant(cell.kernel), tf.constant(cell.recurrent)
    bias, recurrent_bias = tf.constant(cell.bias[0]), tf.constant(cell.bias[1])

    def step(x: _Tensor, state: _Tensor) -> tuple[_Tensor, ...]:
        xz, xr, xh = tf.split(tf.nn.bias_add(tf.matmul(x, kernel), bias), 3, 1)
        sz, sr, sh = tf.split(tf.nn.bias_add(tf.matmul(state, recurrent), recurrent_bias), 3, 1)
        z, r = tf.sigmoid(xz + sz), tf.sigmoid(xr + sr)
        return (z * state + (1 - z) * tf.tanh(xh + r * sh),)

    return step


def _lstm_step(cell: LSTMWeights) -> Callable[..., tuple[_Tensor, ...]]:
    kernel, recurrent = tf.constant(cell.kernel), tf.constant(cell.recurrent)
    bias = tf.constant(cell.bias)

    def step(x: _Tensor, state: _Tensor, memory: _Tensor) -> tuple[_Tensor, ...]:
        gates = tf.nn.bias_add(tf.matmul(x, kernel) + tf.matmul(state, recurrent), bias)
        i, f, c, o = tf.split(gates, 4, 1)
        memory = tf.sigmoid(f) * memory + tf.sigmoid(i) * tf.tanh(c)
        return tf.sigmoid(o) * tf.tanh(memory), memory

    return step


def _dense(layer: DenseWeights, inputs: _Tensor) -> _Tensor:
    return _activate(layer, tf.matmul(inputs, layer.kernel) + layer.bias)


def _activate(layer: DenseWeights, values: _Tensor) -> _Tensor:
    return tf.tanh(values) if layer.activation == "tanh" else values


# --- conversion --------------------------------------------------------------------------------


def _convert(
    function: Callable[..., _Tensor],
    inputs: Mapping[str, tuple[Any, _Shape]],
    *,
    output: tuple[str, _Shape],
    lengths: str,
    recurrent: Mapping[str, int],
) -> "onnx.ModelProto":
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
        model, _ = tf2onnx.convert.from_function(named, signature, opset=OPSET)
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
    model: "onnx.ModelProto",
    shapes: Mapping[str, _Shape],
    *,
    output: str,
    lengths: str,
    recurrent: Mapping[str, int],
) -> "onnx.ModelProto":
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
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    graph.name, graph.doc_string = output, ""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        _refuse(f"a graph that onnx.checker accepts, got: {error}")
    return model


def _check_recurrent(graph: "onnx.GraphProto", node: "onnx.NodeProto", lengths: str) -> None:
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


def _remove_unused(graph: "onnx.GraphProto") -> None:
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


def _put_in_order(graph: "onnx.GraphProto") -> None:
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


# --- parity ------------------------------------------------------------------------------------


class ParityBatch(NamedTuple):
    """Sentences to compare two implementations on.

    Attributes:
        words: the inputs of the words graph by name, U rows each.
        tokens: int [B, T], a row of `words` per token; any valid row past a sentence's end.
        lengths: int [B], from 1 to T.
    """

    words: Mapping[str, npt.NDArray[Any]]
    tokens: npt.NDArray[np.integer[Any]]
    lengths: npt.NDArray[np.integer[Any]]


Reference = Callable[
    [Mapping[str, npt.NDArray[Any]], npt.NDArray[np.int32], npt.NDArray[np.int32]],
    npt.NDArray[np.float32],
]


def check_parity(
    words_onnx: bytes,
    sentences_onnx: bytes,
    reference: Reference,
    batches: Iterable[ParityBatch],
) -> float:
    """The largest difference of an emission between the two graphs and `reference`.

    It is absolute for emissions within ±1, and relative to the emission beyond.

    `reference(words, tokens, lengths)` gives the trained network's emissions [B, T, K] for one
    `ParityBatch`. The graphs see other things in the padding than it does, characters past a
    word's end and feature rows past a sentence's end, which must change nothing. Each batch is
    compared whole, as its first sentence alone, and as its sentences' first tokens (T = 1).

    Raises TrainingError where a difference exceeds 1e-5, saying where, and without any batch.
    """
    sessions = [_session(words_onnx), _session(sentences_onnx)]
    largest, compared = 0.0, 0
    for index, batch in enumerate(batches):
        for part in _parts(batch):
            expected = np.asarray(reference(*part), np.float32)
            got = _emissions(*sessions, part, np.random.default_rng(index))
            if got.shape != expected.shape:
                raise TrainingError(
                    f"batch {index}: expected emissions {expected.shape} as the trained network "
                    f"gives, got {got.shape} from the exported one"
                )
            valid = np.arange(got.shape[1]) < part.lengths[:, None]
            scale = np.maximum(1, np.abs(expected))  # float32 carries about seven digits
            with np.errstate(invalid="ignore"):  # inf / inf is NaN, which is refused below
                difference = np.where(valid[:, :, None], np.abs(got - expected) / scale, 0)
            at = np.unravel_index(difference.argmax(), difference.shape)  # NaN is the largest
            if not difference[at] <= TOLERANCE:
                sentence, token, tag = map(int, at)
                raise TrainingError(
                    f"batch {index}, sentence {sentence} of {len(got)}, token {token} of "
                    f"{part.lengths[sentence]}, tag {tag}: expected the trained network's "
                    f"emission {expected[at]} within {TOLERANCE}, got {got[at]} from the "
                    "exported one; the export is wrong, do not use it"
                )
            largest = max(largest, float(difference[at]))
            compared += 1
    if not compared:
        raise TrainingError("batches: expected at least one to compare, got none")
    return largest


def _parts(batch: ParityBatch) -> Iterator[ParityBatch]:
    words, tokens, lengths = batch
    tokens, lengths = np.asarray(tokens, np.int32), np.asarray(lengths, np.int32)
    yield ParityBatch(words, tokens, lengths)
    yield ParityBatch(words, tokens[:1, : lengths[0]], lengths[:1])
    yield ParityBatch(words, tokens[:, :1], np.ones_like(lengths))


def _emissions(
    words: onnxruntime.InferenceSession,
    sentences: onnxruntime.InferenceSession,
    batch: ParityBatch,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """The graphs' emissions [B, T, K] of `batch`, with other contents in all padding."""
    inputs = dict(batch.words)
    characters = inputs["characters"]
    past = np.arange(characters.shape[1]) >= inputs["character_lengths"][:, None]
    others = rng.permutation(characters.ravel()).reshape(characters.shape)
    inputs["characters"] = np.where(past, others, characters)
    (rows,) = words.run(["features"], inputs)
    features = rows[batch.tokens.T]
    past = np.arange(len(features))[:, None] >= batch.lengths
    features[past] = rng.normal(scale=1e3, size=(past.sum(), rows.shape[1]))
    (emissions,) = sentences.run(["emissions"], {"features": features, "lengths": batch.lengths})
    return emissions.swapaxes(0, 1)


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
