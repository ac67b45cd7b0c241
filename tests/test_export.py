"""The exported graphs are the trained network: against NumPy by hand, and against Keras."""

import importlib
import sys
import warnings
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import reference

with warnings.catch_warnings():
    # What the frameworks warn of while they are imported is theirs; our calls stay strict.
    warnings.simplefilter("ignore")
    tf = pytest.importorskip("tensorflow")
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    import keras

from fastner.engine.weights import bilstm_weights, word_weights
from fastner.errors import BundleError, DependencyError, TrainingError
from fastner.screen import ONNX_OPERATORS
from fastner.training import conversion
from fastner.training.graphs import sentences_graph, words_graph
from fastner.training.parity import ParityBatch, check_parity
from fastner.training.weights import DenseWeights, GRUWeights, LSTMWeights, NetworkWeights

VECTOR_WIDTH = 50
CHARACTERS = 90


class Maker:
    """Random weights as large as trained ones; no bias is zero, as it would be untrained."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def array(self, *shape):
        """A bias or an embedding."""
        return self.rng.normal(scale=0.5, size=shape).astype(np.float32)

    def kernel(self, width, size):
        return self.rng.normal(scale=width**-0.5, size=(width, size)).astype(np.float32)

    def gru(self, width, hidden):
        kernels = self.kernel(width, 3 * hidden), self.kernel(hidden, 3 * hidden)
        return GRUWeights(*kernels, self.array(2, 3 * hidden))

    def lstm(self, width, hidden):
        kernels = self.kernel(width, 4 * hidden), self.kernel(hidden, 4 * hidden)
        return LSTMWeights(*kernels, self.array(4 * hidden))

    def dense(self, width, size, activation):
        return DenseWeights(self.kernel(width, size), self.array(size), activation)


def default_network():
    """One bidirectional layer of each kind, two lexicons, no projection."""
    m = Maker(1)
    return NetworkWeights(
        character_embedding=m.array(CHARACTERS, 25),
        character_grus=((m.gru(25, 25), m.gru(25, 25)),),
        case_embedding=m.array(8, 8),
        lexicon_embeddings=(m.array(30, 5), m.array(4, 3)),
        projection=None,
        lstms=((m.lstm(116, 100), m.lstm(116, 100)),),
        dense=(m.dense(200, 17, "linear"),),
    )


def notebook_network():
    """Deep and narrow: forward GRUs, many LSTMs and dense layers, a projection."""
    m = Maker(2)
    return NetworkWeights(
        character_embedding=m.array(CHARACTERS, 20),
        character_grus=((m.gru(20, 30), None), (m.gru(30, 30), None), (m.gru(30, 30), None)),
        case_embedding=m.array(8, 6),
        lexicon_embeddings=(),
        projection=m.dense(VECTOR_WIDTH + 30 + 6, 40, "tanh"),
        lstms=tuple((m.lstm(40, 20), m.lstm(40, 20)) for _ in range(5)),
        dense=(*(m.dense(40, 40, "tanh") for _ in range(4)), m.dense(40, 9, "linear")),
    )


def deep_network():
    """What the two above lack: stacked bidirectional GRUs, one lexicon, K = 1, width 1."""
    m = Maker(3)
    return NetworkWeights(
        character_embedding=m.array(CHARACTERS, 3),
        character_grus=((m.gru(3, 4), m.gru(3, 4)), (m.gru(8, 2), m.gru(8, 2))),
        case_embedding=m.array(8, 1),
        lexicon_embeddings=(m.array(2, 1),),
        projection=m.dense(VECTOR_WIDTH + 4 + 1 + 1, 5, "linear"),
        lstms=((m.lstm(5, 1), m.lstm(5, 1)),),
        dense=(m.dense(2, 3, "tanh"), m.dense(3, 1, "linear")),
    )


def export_network(weights):
    words, sentences = words_graph(weights, VECTOR_WIDTH), sentences_graph(weights)
    return SimpleNamespace(
        weights=weights,
        words=words,
        sentences=sentences,
        graphs=(words.SerializeToString(), sentences.SerializeToString()),
    )


@pytest.fixture(scope="module")
def default():
    return export_network(default_network())


@pytest.fixture(scope="module")
def notebook():
    return export_network(notebook_network())


@pytest.fixture(scope="module", params=[default_network, notebook_network, deep_network])
def exported(request, default, notebook):
    ready = {default_network: default, notebook_network: notebook}
    return ready.get(request.param) or export_network(request.param())


def make_words(weights, rng, count, longest):
    lengths = rng.integers(1, longest + 1, count).astype(np.int32)
    lengths[rng.integers(count)] = longest
    words = {
        "vectors": rng.normal(size=(count, VECTOR_WIDTH)).astype(np.float32),
        "characters": rng.integers(0, CHARACTERS, (count, longest)).astype(np.int32),
        "character_lengths": lengths,
        "cases": rng.integers(0, 8, count).astype(np.int32),
    }
    if weights.lexicon_embeddings:
        words["categories"] = np.stack(
            [rng.integers(0, len(t), count) for t in weights.lexicon_embeddings], 1
        ).astype(np.int32)
    return words


def make_batch(weights, seed, sentences, longest, *, words=9, characters=7):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, sentences).astype(np.int32)
    lengths[rng.integers(sentences)] = longest
    tokens = rng.integers(0, words, (sentences, longest)).astype(np.int32)
    return ParityBatch(make_words(weights, rng, words, characters), tokens, lengths)


def make_batches(weights):
    for size in range(1, 8):
        yield make_batch(weights, size, size, 1 + 3 * (size % 4), words=size, characters=size)
    yield make_batch(weights, 8, 5, 1, characters=1)


def by_hand(weights):
    return lambda *batch: reference.network_emissions(weights, *batch)


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)


# --- numbers -----------------------------------------------------------------------------------


def test_equals_the_network_by_hand(exported):
    weights = exported.weights
    difference = check_parity(*exported.graphs, by_hand(weights), make_batches(weights))
    assert 0 < difference < 2e-6  # float32 against float64


@pytest.mark.parametrize("longest", [127, 512])
def test_equals_the_network_by_hand_over_long_sentences(default, longest):
    weights = default.weights
    batch = make_batch(weights, longest, 2, longest, characters=longest)
    assert check_parity(*default.graphs, by_hand(weights), [batch]) < 1e-5


def test_features_equal_the_network_by_hand(exported):
    words = make_words(exported.weights, np.random.default_rng(0), 7, 11)
    (features,) = session(exported.words).run(["features"], words)
    expected = reference.network_features(exported.weights, words)
    np.testing.assert_allclose(features, expected, rtol=0, atol=2e-6)


def keras_network(weights):
    """Keras' own layers with `weights`: masks for padding, `Bidirectional` for two directions."""

    def recurrent(layer, forward, backward, sequences):
        layers = [
            layer(w.hidden_size, return_sequences=sequences, go_backwards=backwards)
            for w, backwards in ((forward, False), (backward, True))
            if w is not None
        ]
        if backward is None:
            whole = layers[0]
        else:
            whole = keras.layers.Bidirectional(layers[0], backward_layer=layers[1])
        both = [w for w in (forward, backward) if w is not None]
        whole.build((None, None, forward.input_width))
        whole.set_weights([a for w in both for a in (w.kernel, w.recurrent, w.bias)])
        return whole

    grus = [
        recurrent(keras.layers.GRU, *layer, index + 1 < len(weights.character_grus))
        for index, layer in enumerate(weights.character_grus)
    ]
    lstms = [recurrent(keras.layers.LSTM, *layer, True) for layer in weights.lstms]

    def dense(layer):
        result = keras.layers.Dense(layer.output_width, activation=layer.activation)
        result.build((None, layer.input_width))
        result.set_weights([layer.kernel, layer.bias])
        return result

    projection = [dense(layer) for layer in (weights.projection,) if layer is not None]
    top = [dense(layer) for layer in weights.dense]

    def emissions(words, tokens, lengths):
        characters = words["characters"]
        mask = np.arange(characters.shape[1]) < words["character_lengths"][:, None]
        states = weights.character_embedding[characters]
        for layer in grus:
            states = layer(states, mask=mask)
        tables = [weights.case_embedding[words["cases"]]]
        for index, table in enumerate(weights.lexicon_embeddings):
            tables.append(table[words["categories"][:, index]])
        rows = keras.ops.concatenate([words["vectors"], states, *tables], axis=1)
        for layer in projection:
            rows = layer(rows)
        mask = np.arange(tokens.shape[1]) < lengths[:, None]
        states = keras.ops.take(rows, tokens, axis=0)
        for layer in lstms:
            states = layer(states, mask=mask)
        for layer in top:
            states = layer(states)
        return keras.ops.convert_to_numpy(states)

    return emissions


def test_equals_keras(exported):
    weights = exported.weights
    batches = [make_batch(weights, 1, 5, 8), make_batch(weights, 2, 3, 2, characters=2)]
    assert check_parity(*exported.graphs, keras_network(weights), batches) < 1e-5


def test_rows_do_not_depend_on_the_batch(exported):
    rng = np.random.default_rng(5)
    words = make_words(exported.weights, rng, 33, 9)
    run = session(exported.words).run
    (features,) = run(None, words)
    for u, length in enumerate(words["character_lengths"]):
        alone = {name: array[u : u + 1] for name, array in words.items()}
        alone["characters"] = alone["characters"][:, :length]
        np.testing.assert_array_equal(run(None, alone)[0], features[u : u + 1])

    lengths = np.array([20, 1, 7, 1, 19, 2, *range(1, 21)], np.int32)
    features = features[rng.integers(0, 33, (20, len(lengths)))]
    run = session(exported.sentences).run
    (emissions,) = run(None, {"features": features, "lengths": lengths})
    for b, length in enumerate(lengths):
        alone = {"features": features[:length, b : b + 1], "lengths": lengths[b : b + 1]}
        np.testing.assert_array_equal(run(None, alone)[0][:, 0], emissions[:length, b])


def test_every_word_reaches_every_emission(default):
    rng = np.random.default_rng(6)
    features = rng.normal(size=(6, 1, 116)).astype(np.float32)
    run = session(default.sentences).run
    lengths = np.array([6], np.int32)
    (before,) = run(None, {"features": features, "lengths": lengths})
    features[5] = 0
    (after,) = run(None, {"features": features, "lengths": lengths})
    assert (before != after).any(axis=(1, 2)).all()


# --- form --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("network", "grus", "lstms"), [("default", 1, 1), ("notebook", 3, 5)])
def test_recurrent_nodes(network, grus, lstms, request):
    exported = request.getfixturevalue(network)
    for model, meant, lengths in (
        (exported.words, {"GRU": grus}, "character_lengths"),
        (exported.sentences, {"LSTM": lstms}, "lengths"),
    ):
        nodes = model.graph.node
        counts = Counter(node.op_type for node in nodes)
        assert {kind: counts[kind] for kind in ("GRU", "LSTM") if counts[kind]} == meant
        assert counts.keys() <= ONNX_OPERATORS
        assert not counts.keys() & {"Loop", "If", "Scan", "ReverseSequence"}
        recurrent = [node for node in nodes if node.op_type in ("GRU", "LSTM")]
        assert all(node.input[4] == lengths and len(node.input) == 5 for node in recurrent)
        assert not any(a.HasField("g") or a.graphs for node in nodes for a in node.attribute)


def test_no_node_beside_the_network(default, notebook):
    def kinds(model):
        return Counter(node.op_type for node in model.graph.node)

    assert kinds(default.sentences) == Counter(LSTM=1, Slice=2, Squeeze=2, MatMul=2, Add=2)
    assert kinds(notebook.words) == Counter(
        Transpose=1, Gather=2, GRU=3, Squeeze=3, Concat=1, MatMul=1, Add=1, Tanh=1
    )


def test_model_header_and_shapes(default, notebook):
    def shapes(values):
        result = {}
        for value in values:
            tensor = value.type.tensor_type
            kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
            result[value.name] = kind, *(d.dim_param or d.dim_value for d in tensor.shape.dim)
        return result

    for model in (default.words, default.sentences, notebook.words, notebook.sentences):
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
        assert model.ir_version <= 8
        assert not model.functions and not model.metadata_props
        onnx.checker.check_model(model, full_check=True)
    assert shapes(default.words.graph.input) == {
        "vectors": ("float32", "U", 50),
        "characters": ("int32", "U", "C"),
        "character_lengths": ("int32", "U"),
        "cases": ("int32", "U"),
        "categories": ("int32", "U", 2),
    }
    assert "categories" not in shapes(notebook.words.graph.input)
    assert shapes(default.words.graph.output) == {"features": ("float32", "U", 116)}
    assert shapes(default.sentences.graph.input) == {
        "features": ("float32", "T", "B", 116),
        "lengths": ("int32", "B"),
    }
    assert shapes(default.sentences.graph.output) == {"emissions": ("float32", "T", "B", 17)}


def test_weights_are_kept_to_the_bit(default):
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in default.sentences.graph.initializer}
    (node,) = (n for n in default.sentences.graph.node if n.op_type == "LSTM")
    for direction, cell in enumerate(default.weights.lstms[0]):
        hidden = cell.hidden_size

        def iofc(array, hidden=hidden):
            """Keras' i, f, c, o as ONNX' i, o, f, c, gates first."""
            i, f, c, o = np.split(array.T, 4)
            return np.concatenate([i, o, f, c])

        np.testing.assert_array_equal(stored[node.input[1]][direction], iofc(cell.kernel))
        np.testing.assert_array_equal(stored[node.input[2]][direction], iofc(cell.recurrent))
        both = stored[node.input[3]][direction].reshape(2, -1)
        np.testing.assert_array_equal(both, [iofc(cell.bias), np.zeros(4 * hidden)])
    dense = default.weights.dense[0]
    kernels = [stored[n.input[1]] for n in default.sentences.graph.node if n.op_type == "MatMul"]
    halves = {half.tobytes() for half in np.split(dense.kernel, 2)}
    assert {kernel.tobytes() for kernel in kernels} == halves


def test_says_nothing(capfd, caplog):
    export_network(deep_network())
    assert capfd.readouterr().out == ""
    assert not caplog.records


# --- refusals ----------------------------------------------------------------------------------


@pytest.fixture
def tampered(monkeypatch):
    """sentences_graph of a tf2onnx that changes its result by a function of the graph."""
    convert = conversion.tf2onnx.convert.from_function

    def run(change):
        def from_function(*args, **kwargs):
            model, storage = convert(*args, **kwargs)
            change(model.graph)
            return model, storage

        monkeypatch.setattr(conversion.tf2onnx.convert, "from_function", from_function)
        return sentences_graph(deep_network())

    return run


def lstm_node(graph):
    (node,) = (node for node in graph.node if node.op_type == "LSTM")
    return node


def test_refuses_a_node_that_lost_its_lengths(tampered):
    def change(graph):
        lstm_node(graph).input[4] = ""

    with pytest.raises(TrainingError, match="every LSTM to read 'lengths', got ''"):
        tampered(change)


def test_refuses_a_start_that_is_not_zero(tampered):
    def change(graph):
        one = onnx.numpy_helper.from_array(np.ones((2, 1, 1), np.float32), "one")
        graph.initializer.append(one)
        lstm_node(graph).input[6] = "one"

    with pytest.raises(TrainingError, match="start from zeros"):
        tampered(change)


def test_refuses_a_foreign_operator(tampered):
    def change(graph):
        graph.node[-1].output[0] = "before"
        graph.node.append(onnx.helper.make_node("Round", ["before"], ["emissions"]))

    with pytest.raises(TrainingError, match=r"operators .* got \['Round'\]"):
        tampered(change)


def test_refuses_another_number_of_recurrent_nodes(tampered):
    def change(graph):
        nodes = []
        for node in graph.node:
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            if node.op_type == "LSTM":
                nodes[-1].output[:] = ["once"]
                nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
                nodes[-1].output[:] = ["twice"]
                both = ["once", "twice"]
                nodes.append(onnx.helper.make_node("Add", both, [node.output[0]]))
        del graph.node[:]
        graph.node.extend(nodes)

    with pytest.raises(TrainingError, match="'LSTM': 1} recurrent nodes, got .*'LSTM': 2}"):
        tampered(change)


def test_refuses_other_inputs(tampered):
    def change(graph):
        graph.input[0].name = "x"
        lstm_node(graph).input[0] = "x"
        for node in graph.node:
            node.input[:] = ["x" if name == "features" else name for name in node.input]

    with pytest.raises(TrainingError, match="the inputs and output"):
        tampered(change)


def test_refuses_another_vector_width(default):
    with pytest.raises(TrainingError, match="vector_width: expected 50, .* got 49"):
        words_graph(default.weights, 49)


def test_a_graph_that_lost_its_lengths_is_not_even_run(default):
    model = onnx.ModelProto.FromString(default.graphs[1])
    lstm_node(model.graph).input[4] = ""
    broken = default.graphs[0], model.SerializeToString()
    batch = make_batch(default.weights, 3, 4, 6)
    with pytest.raises(BundleError, match="'LSTM': expected inputs of the kinds .* lengths, got"):
        check_parity(*broken, by_hand(default.weights), [batch])


def test_a_graph_that_lost_its_character_lengths_is_not_even_run(notebook):
    model = onnx.ModelProto.FromString(notebook.graphs[0])
    for node in model.graph.node:
        if node.op_type == "GRU":
            node.input[4] = ""
    batch = make_batch(notebook.weights, 3, 4, 6)
    broken = model.SerializeToString(), notebook.graphs[1]
    with pytest.raises(BundleError, match="'GRU': expected inputs of the kinds .* lengths, got"):
        check_parity(*broken, by_hand(notebook.weights), [batch])


@pytest.mark.parametrize("wrong", [1e-4, np.nan, np.inf])
def test_parity_finds_one_wrong_emission(default, wrong):
    batch = make_batch(default.weights, 3, 4, 6)

    def reference_off(*parts):
        emissions = reference.network_emissions(default.weights, *parts)
        emissions[0, 0, 3] += wrong
        return emissions

    with pytest.raises(TrainingError, match="sentence 0 of 4, token 0 of ., tag 3"):
        check_parity(*default.graphs, reference_off, [batch])


def test_parity_needs_something_to_compare(default):
    with pytest.raises(TrainingError, match="at least one"):
        check_parity(*default.graphs, by_hand(default.weights), [])
    batch = make_batch(default.weights, 3, 4, 6)
    with pytest.raises(TrainingError, match=r"expected emissions \(4, 6, 3\)"):
        check_parity(*default.graphs, lambda *_: np.zeros((4, 6, 3)), [batch])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {"lstms": ()}, "lstms: expected at least one layer"),
        (lambda w: {"lstms": (w.lstms[0], w.lstms[0])}, r"lstms\[1\]\[0\].kernel: expected 200"),
        (lambda w: {"lstms": ((w.lstms[0][0], Maker(0).lstm(116, 9)),)}, "one hidden size"),
        (lambda w: {"character_grus": ((Maker(0).gru(24, 5), None),)}, "expected 25 rows"),
        (lambda w: {"case_embedding": w.case_embedding[:7]}, r"case_embedding of shape \[8, any\]"),
        (lambda w: {"dense": (replace(w.dense[0], activation="tanh"),)}, "expected 'linear'"),
        (lambda w: {"projection": Maker(0).dense(66, 116, "tanh")}, "nothing is left"),
        (lambda w: {"character_embedding": w.character_embedding * np.nan}, r"nan at \[0, 0\]"),
        (
            lambda w: {"lexicon_embeddings": (np.ones((3, 2)),)},
            r"lexicon_embeddings\[0\] as float32 \[any, any\], got float64",
        ),
    ],
)
def test_weights_that_do_not_fit(change, message):
    weights = default_network()
    with pytest.raises(TrainingError, match=message):
        replace(weights, **change(weights))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: GRUWeights(m.array(4, 9), m.array(3, 9), m.array(9)), r"\[2, 9\], got \[9\]"),
        (lambda m: GRUWeights(m.array(4, 9), m.array(3, 8), m.array(2, 9)), r"\[3, 9\], got"),
        (lambda m: LSTMWeights(m.array(4, 9), m.array(3, 12), m.array(12)), r"\[any, 12\]"),
        (lambda m: LSTMWeights(m.array(0, 12), m.array(3, 12), m.array(12)), r"got \[0, 12\]"),
        (lambda m: DenseWeights(m.array(4, 9), m.array(9), "relu"), "'tanh' or 'linear'"),
        (
            lambda m: DenseWeights([[1.0]], m.array(1), "tanh"),
            r"DenseWeights.kernel as float32 \[any, any\], got list",
        ),
    ],
)
def test_layers_that_do_not_fit(make, message):
    with pytest.raises(TrainingError, match=message):
        make(Maker(0))


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.delitem(sys.modules, "fastner.training.conversion")
    with pytest.raises(DependencyError, match=r"run pip install -e '\.\[train\]' in .+"):
        importlib.import_module("fastner.training.conversion")


# --- the way back, for the native LSTM ---------------------------------------------------------


def test_weights_are_read_back_from_the_graph(default):
    read = bilstm_weights(default.graphs[1])
    (forward, backward), *_ = default.weights.lstms
    (dense,) = default.weights.dense
    for cell, got in ((forward, read.forward), (backward, read.backward)):
        for wanted, array in zip((cell.kernel, cell.recurrent, cell.bias), got, strict=True):
            np.testing.assert_array_equal(array, wanted, strict=True)
    np.testing.assert_array_equal(read.kernel, dense.kernel, strict=True)
    np.testing.assert_array_equal(read.bias, dense.bias, strict=True)
    assert read.hidden == 100


def test_no_weights_are_read_from_a_deeper_graph(default, notebook):
    one = default.weights
    maker = Maker(5)
    linear, last = one.dense[0], maker.dense(17, 17, "linear")
    dense = replace(one, dense=(linear, last))
    tanh = replace(one, dense=(replace(linear, activation="tanh"), last))
    lstms = replace(one, lstms=(*one.lstms, (maker.lstm(200, 100), maker.lstm(200, 100))))
    for weights in (dense, tanh, lstms):
        assert bilstm_weights(sentences_graph(weights).SerializeToString()) is None
    assert bilstm_weights(notebook.graphs[1]) is None


def _node(graph, operator):
    return next(node for node in graph.node if node.op_type == operator)


def _initializer(graph, name):
    return next(tensor for tensor in graph.initializer if tensor.name == name)


def _swap(graph):
    """Reads both products from one direction."""
    first, second = (node for node in graph.node if node.op_type == "Slice")
    first.input[:] = second.input


def _activations(graph):
    for attribute in _node(graph, "LSTM").attribute:
        if attribute.name == "activations":
            attribute.strings[1] = b"Relu"


def _clip(graph):
    _node(graph, "LSTM").attribute.append(onnx.helper.make_attribute("clip", 1.0))


def _cycle(graph):
    adds = [node for node in graph.node if node.op_type == "Add"]
    adds[0].input[:] = [adds[1].output[0], adds[0].output[0]]


def _wide_bias(graph):
    tensor = _initializer(graph, _node(graph, "LSTM").input[3])
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros((2, 800, 1), np.float32), tensor.name))


def _doubles(graph):
    tensor = _initializer(graph, _node(graph, "LSTM").input[1])
    array = onnx.numpy_helper.to_array(tensor).astype(np.float64)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _initial_state(graph):
    _node(graph, "LSTM").input.append("features")


@pytest.mark.parametrize(
    "change",
    [_swap, _activations, _clip, _cycle, _wide_bias, _doubles, _initial_state],
    ids=lambda change: change.__name__[1:],
)
def test_no_weights_are_read_from_a_graph_that_computes_more(default, change):
    model = type(default.sentences).FromString(default.graphs[1])
    change(model.graph)
    changed = model.SerializeToString()
    assert changed != default.graphs[1]
    assert bilstm_weights(changed) is None


def test_word_weights_are_read_back_from_the_graph(default):
    read = word_weights(default.graphs[0])
    weights = default.weights
    assert read.parts == ("vectors", "forward", "backward", "cases", 0, 1)
    ((forward, backward),) = weights.character_grus
    for cell, got in ((forward, read.forward), (backward, read.backward)):
        for wanted, array in zip((cell.kernel, cell.recurrent, cell.bias), got, strict=True):
            np.testing.assert_array_equal(array, wanted, strict=True)
    wanted = (weights.character_embedding, weights.case_embedding, *weights.lexicon_embeddings)
    for table, array in zip(wanted, (read.characters, read.cases, *read.lexicons), strict=True):
        np.testing.assert_array_equal(array, table, strict=True)


def test_word_weights_without_a_lexicon(default):
    weights = replace(default.weights, lexicon_embeddings=())
    read = word_weights(words_graph(weights, weights.vector_width).SerializeToString())
    assert read.parts == ("vectors", "forward", "backward", "cases") and read.lexicons == ()


def test_no_word_weights_are_read_from_another_network(default, notebook):
    maker, one = Maker(6), default.weights
    deeper = replace(one, character_grus=(*one.character_grus, (maker.gru(50, 25),) * 2))
    forward = replace(one, character_grus=((maker.gru(25, 25), None),))
    width = one.feature_width
    projection = replace(one, projection=maker.dense(width, width, "tanh"))
    for weights in (deeper, forward, projection):
        graph = words_graph(weights, weights.vector_width).SerializeToString()
        assert word_weights(graph) is None
    assert word_weights(notebook.graphs[0]) is None
    assert word_weights(default.graphs[1]) is None


def _all_states(graph):
    """Reads states of all characters where the last ones were."""
    gru = _node(graph, "GRU")
    gru.output[0], gru.output[1] = gru.output[1], "last"


def _twice_forward(graph):
    first, second = [node for node in graph.node if node.op_type == "Slice"][:2]
    second.input[:] = first.input


def _other_lexicon(graph):
    slices = [node for node in graph.node if node.op_type == "Slice"]
    slices[-1].input[:] = slices[-2].input


def _repeated(graph):
    concat = _node(graph, "Concat")
    concat.input[1] = concat.input[2]


def _along_words(graph):
    _node(graph, "Concat").attribute[0].i = 0


def _reset_first(graph):
    for attribute in _node(graph, "GRU").attribute:
        if attribute.name == "linear_before_reset":
            attribute.i = 0


def _other_lengths(graph):
    _node(graph, "GRU").input[4] = "cases"


@pytest.mark.parametrize(
    "change",
    [
        _all_states, _twice_forward, _other_lexicon, _repeated, _along_words, _reset_first,
        _other_lengths,
    ],
    ids=lambda change: change.__name__[1:],
)  # fmt: skip
def test_no_word_weights_are_read_from_a_graph_that_computes_more(default, change):
    model = type(default.words).FromString(default.graphs[0])
    change(model.graph)
    changed = model.SerializeToString()
    assert changed != default.graphs[0]
    assert word_weights(changed) is None
