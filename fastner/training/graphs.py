"""A network's two graphs, from words to features and from features to emissions, as ONNX.

They are written as TensorFlow functions in the very form that tf2onnx turns into `GRU` and `LSTM`
nodes; each step of that form is named where it is taken. Axis letters: U distinct words,
C characters, L lexicons, G gazetteers, T tokens, B sentences, D features, K tags.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastner.errors import TrainingError
from fastner.training.conversion import Shape, convert, tf
from fastner.training.weights import DenseWeights, GRUWeights, LSTMWeights, NetworkWeights

if TYPE_CHECKING:
    import onnx

_Tensor = Any  # TensorFlow ships no types
_Cell = GRUWeights | LSTMWeights
_Layer = tuple[GRUWeights, GRUWeights | None] | tuple[LSTMWeights, LSTMWeights]


def words_graph(weights: NetworkWeights, vector_width: int) -> onnx.ModelProto:
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

    inputs: dict[str, tuple[_Tensor, Shape]] = {
        "vectors": (tf.float32, ("U", vector_width)),
        "characters": (tf.int32, ("U", "C")),
        "character_lengths": (tf.int32, ("U",)),
        "cases": (tf.int32, ("U",)),
    }
    if lexicons:
        inputs["categories"] = (tf.int32, ("U", lexicons))
    return convert(
        features,
        inputs,
        output=("features", ("U", weights.feature_width)),
        lengths="character_lengths",
        recurrent={"GRU": len(weights.character_grus)},
    )


def sentences_graph(weights: NetworkWeights) -> onnx.ModelProto:
    """The ONNX graph from sentences of feature rows to emissions.

    Time comes first, which is how an ONNX LSTM reads: no large tensor is transposed on the way.
    Inputs: `features` float32 [T, B, D], anything past a sentence's end; `lengths` int32 [B],
    each from 1 to T; and, where the network has gazetteers, `places` int32 [T, B, G], any valid
    ones past a sentence's end. Output: `emissions` float32 [T, B, K], meaningless past a
    sentence's end.

    Raises TrainingError if tf2onnx made another graph than was meant.
    """

    def emissions(features: _Tensor, lengths: _Tensor, places: _Tensor = None) -> _Tensor:
        forward = backward = None
        states = features
        if weights.places:
            tables = enumerate(weights.places)
            parts = [tf.gather(table, places[:, :, index]) for index, table in tables]
            states = tf.concat([features, *parts], 2)
        for directions in weights.lstms:
            (forward, _), (backward, _) = _directions(directions, states, lengths)
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

    inputs: dict[str, tuple[_Tensor, Shape]] = {
        "features": (tf.float32, ("T", "B", weights.feature_width)),
        "lengths": (tf.int32, ("B",)),
    }
    if weights.places:
        inputs["places"] = (tf.int32, ("T", "B", len(weights.places)))
    return convert(
        emissions,
        inputs,
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
