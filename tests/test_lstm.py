"""fastner.engine.lstm against a float64 reference and onnxruntime, on all instruction sets here."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fastner import _lstm
from fastner.engine.lstm import BiLSTM, in_8_bits
from fastner.errors import InputError

SEEDS = st.integers(0, 2**32 - 1)
# by bits of the recurrence, as BiLSTM says it of trained networks
TOLERANCE = {16: 4e-3, 8: 0.1}
KERNELS = [(isa, bits) for isa in _lstm.ISAS for bits in TOLERANCE]
LANES = {"portable": 4, "avx2": 8, "avx512": 16}


def make(rng, inputs, hidden, tags, *, strength=1.0):
    """Weights (forward, backward, kernel, bias) of about a trained network's size."""

    def cell():
        return (
            rng.normal(0, strength / np.sqrt(inputs), (inputs, 4 * hidden)).astype(np.float32),
            rng.normal(0, strength / np.sqrt(hidden), (hidden, 4 * hidden)).astype(np.float32),
            rng.normal(0, 0.3, 4 * hidden).astype(np.float32),
        )

    forward, backward = cell(), cell()
    kernel = rng.normal(0, 0.3, (2 * hidden, tags)).astype(np.float32)
    return forward, backward, kernel, rng.normal(0, 0.3, tags).astype(np.float32)


class Native:
    """One kernel of the compiled module, chosen by name, behind the methods of BiLSTM."""

    def __init__(self, weights, isa, bits=16):
        self.layer = _lstm.Layer(*weights, bits=bits, isa=isa)
        self.tags = len(weights[3])

    @property
    def projection_width(self):
        return self.layer.projection_width

    def project(self, features, out):
        self.layer.project(features, out)

    def emissions(self, projections, tokens, lengths):
        out = np.full((len(lengths), max(lengths), self.tags), np.nan, np.float32)
        self.layer.emissions(projections, tokens, lengths, out)
        return out


def projections(lstm, features):
    rows = np.full((len(features), lstm.projection_width), np.nan, np.float32)
    lstm.project(features, rows)
    return rows


def batch_of(lstm, sentences):
    """projections, tokens and lengths of sentences given as features [their length, D].

    The projections are in no order, and among them are some of no token.
    """
    lengths = np.array([len(s) for s in sentences], np.int32)
    rows = projections(lstm, np.concatenate(sentences))
    places = np.random.default_rng(len(rows)).permutation(len(rows) + 2).astype(np.int32)
    shuffled = np.full((len(places), rows.shape[1]), np.nan, np.float32)
    shuffled[places[:-2]] = rows
    return shuffled, places[:-2], lengths


def expected(weights, features):
    forward, backward, kernel, bias = weights
    directions = tuple(
        SimpleNamespace(kernel=w, recurrent=u, bias=b) for w, u, b in (forward, backward)
    )
    dense = SimpleNamespace(kernel=kernel, bias=bias, activation="linear")
    return reference.sentence_emissions(
        SimpleNamespace(lstms=(directions,), dense=(dense,)), features.astype(np.float64)
    )


def features_of(rng, lengths, inputs):
    return [rng.normal(0, 1, (n, inputs)).astype(np.float32) for n in lengths]


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
@settings(deadline=None, max_examples=40)
@given(
    SEEDS,
    st.lists(st.integers(1, 12), min_size=1, max_size=9),
    st.integers(1, 20),
    st.integers(1, 37),
    st.integers(1, 70),
)
def test_emissions_are_the_reference(isa, bits, seed, lengths, inputs, hidden, tags):
    rng = np.random.default_rng(seed)
    weights = make(rng, inputs, hidden, tags, strength=1.5)
    alone = *((w, np.zeros_like(u), b) for w, u, b in weights[:2]), *weights[2:]
    sentences = features_of(rng, lengths, inputs)
    for layer, tolerance in ((weights, TOLERANCE[bits]), (alone, TOLERANCE[16])):
        lstm = Native(layer, isa, bits)
        emissions = lstm.emissions(*batch_of(lstm, sentences))
        for b, sentence in enumerate(sentences):
            np.testing.assert_allclose(
                emissions[b, : len(sentence)],
                expected(layer, sentence),
                rtol=0,
                atol=tolerance,
            )
            assert not emissions[b, len(sentence) :].any()


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
def test_the_size_of_a_trained_network(isa, bits):
    rng = np.random.default_rng(7)
    weights = make(rng, 140, 100, 17, strength=1.5)
    lstm = Native(weights, isa, bits)
    sentences = features_of(rng, [512, 1, 100], 140)
    emissions = lstm.emissions(*batch_of(lstm, sentences))
    for b, sentence in enumerate(sentences):
        wrong = np.abs(emissions[b, : len(sentence)] - expected(weights, sentence)).max()
        assert wrong < TOLERANCE[bits]


@pytest.mark.parametrize("bits", TOLERANCE)
@settings(deadline=None, max_examples=15)
@given(SEEDS, st.integers(1, 160), st.floats(0, 2))
def test_rounding_stays_small_where_the_recurrence_is_of_a_trained_size(
    bits, seed, hidden, strength
):
    rng = np.random.default_rng(seed)
    weights = make(rng, 20, hidden, 9)
    cells = [
        (w, rng.normal(0, strength / np.sqrt(hidden), u.shape).astype(np.float32), b)
        for w, u, b in weights[:2]
    ]
    weights = (*cells, *weights[2:])
    lstm = Native(weights, _lstm.ISAS[-1], bits)
    sentence = features_of(rng, [60], 20)[0]
    emissions = lstm.emissions(*batch_of(lstm, [sentence]))[0]
    assert np.abs(emissions - expected(weights, sentence)).max() < TOLERANCE[bits]


@pytest.mark.parametrize("isa", _lstm.ISAS)
def test_8_bits_multiply_by_kernels_that_were_rounded_to_them(isa):
    """So rounding them before changes nothing here, and rounds for all others the same way."""
    rng = np.random.default_rng(3)
    forward, backward, *top = make(rng, 20, 96, 9)
    forward[1][:, 5] = 0  # a column without a largest weight
    rounded = [(w, in_8_bits(u), b) for w, u, b in (forward, backward)]
    sentence = features_of(rng, [40], 20)[0]
    found = []
    for weights in ((forward, backward, *top), (*rounded, *top)):
        lstm = Native(weights, isa, 8)
        found.append(lstm.emissions(*batch_of(lstm, [sentence]))[0])
    assert np.array_equal(*found)
    for (_, u, _), (_, v, _) in zip((forward, backward), rounded, strict=True):
        unit = np.abs(u).max(0) / 64
        assert v.dtype == np.float32 and np.abs(v - u).max() > 0
        assert np.array_equal(in_8_bits(v), v)
        assert (np.abs(v - u) <= 0.5001 * unit).all()
    far = expected((*rounded, *top), sentence), expected((forward, backward, *top), sentence)
    assert np.abs(found[0] - far[0]).mean() < 0.7 * np.abs(found[0] - far[1]).mean()


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
def test_gates_keep_their_accuracy_from_zero_to_saturation(isa, bits):
    # One unit, no recurrence: s = sigmoid(o) tanh(sigmoid(i) tanh(g)), each gate swept alone.
    sweep = np.concatenate([np.linspace(-40, 40, 4001), [-1e30, -200, -0.0, 0, 1e-20, 200, 1e30]])
    for gate in (0, 2, 3):
        kernel = np.zeros((1, 4), np.float32)
        kernel[0, gate] = 1
        bias = np.array([3, 0, 3, 3], np.float32)
        bias[gate] = 0
        cell = kernel, np.zeros((1, 4), np.float32), bias
        weights = cell, cell, np.array([[1], [0]], np.float32), np.zeros(1, np.float32)
        lstm = Native(weights, isa, bits)
        words = sweep.astype(np.float32)[:, None]
        emissions = lstm.emissions(*batch_of(lstm, list(words[:, None])))[:, 0, 0]
        with np.errstate(over="ignore"):
            wanted = [expected(weights, word[None])[0, 0] for word in words]
        # a gate is rounded to 2^-9 log2(e) at most, and the state to 2^-13
        np.testing.assert_allclose(emissions, wanted, rtol=0, atol=5e-4)


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
def test_memory_may_grow_without_bound(isa, bits):
    # i = f = g = 1: the memory counts the tokens
    bias = np.array([30, 30, 30, 30], np.float32)
    cell = np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32), bias
    weights = cell, cell, np.ones((2, 1), np.float32), np.zeros(1, np.float32)
    lstm = Native(weights, isa, bits)
    emissions = lstm.emissions(*batch_of(lstm, [np.zeros((100_000, 1), np.float32)]))
    assert emissions[0, -1, 0] == pytest.approx(1 + np.tanh(1), abs=2e-4)
    assert (np.abs(emissions[0, 50:-50] - 2) < 1e-6).all()


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
def test_sums_cannot_leave_32_bits(isa, bits):
    # states near 1 times weights of one sign: the largest sums there are
    hidden = 256
    recurrent = np.full((hidden, 4 * hidden), 0.5, np.float32)
    recurrent[:, ::2] = 1e-3
    cell = np.zeros((1, 4 * hidden), np.float32), recurrent, np.full(4 * hidden, 20, np.float32)
    weights = cell, cell, np.ones((2 * hidden, 3), np.float32), np.zeros(3, np.float32)
    lstm = Native(weights, isa, bits)
    sentence = np.zeros((6, 1), np.float32)
    emissions = lstm.emissions(*batch_of(lstm, [sentence]))[0]
    np.testing.assert_allclose(emissions, expected(weights, sentence), rtol=1e-3)


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
@pytest.mark.parametrize("size", [3e38, 1e-42])
def test_weights_of_any_finite_size(isa, bits, size):
    rng = np.random.default_rng(8)
    cells = [
        tuple((np.sign(a) * size).astype(np.float32) for a in cell)
        for cell in make(rng, 5, 9, 3)[:2]
    ]
    lstm = Native((*cells, *make(rng, 5, 9, 3)[2:]), isa, bits)
    emissions = lstm.emissions(*batch_of(lstm, features_of(rng, [4, 7], 5)))
    assert np.isfinite(emissions).all()


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
def test_emissions_are_those_of_onnxruntime(isa, bits):
    onnx = pytest.importorskip("onnx", reason="builds a graph to compare with")
    rng = np.random.default_rng(3)
    weights = make(rng, 24, 20, 9)
    session = onnx_session(onnx, weights)
    lstm = Native(weights, isa, bits)
    for lengths in ([1], [512], [5, 9, 2, 9], list(range(1, 33))):
        sentences = features_of(rng, lengths, 24)
        features = np.zeros((max(lengths), len(lengths), 24), np.float32)
        for b, sentence in enumerate(sentences):
            features[: len(sentence), b] = sentence
        batch = batch_of(lstm, sentences)
        (wanted,) = session.run(None, {"features": features, "lengths": batch[2]})
        emissions = lstm.emissions(*batch)
        for b, length in enumerate(lengths):
            wrong = np.abs(emissions[b, :length] - wanted[:length, b]).max()
            assert wrong < TOLERANCE[bits]


def onnx_session(onnx, weights):
    """features [T, B, D], lengths [B] -> emissions [T, B, K] by onnxruntime's LSTM."""
    import onnxruntime as ort

    forward, backward, kernel, bias = weights
    hidden = forward[1].shape[0]

    def gates(matrix):  # Keras' i f c o -> ONNX' i o f c
        i, f, c, o = np.split(matrix, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1)

    arrays = {
        "W": np.stack([gates(cell[0]).T for cell in (forward, backward)]),
        "R": np.stack([gates(cell[1]).T for cell in (forward, backward)]),
        "B": np.stack([np.pad(gates(cell[2]), (0, 4 * hidden)) for cell in (forward, backward)]),
        "kernel": kernel,
        "bias": bias,
        "shape": np.array([0, 0, 2 * hidden]),
    }
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    number = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [
            node(
                "LSTM",
                ["features", "W", "R", "B", "lengths"],
                ["y"],
                direction="bidirectional",
                hidden_size=hidden,
            ),
            node("Transpose", ["y"], ["turned"], perm=[0, 2, 1, 3]),
            node("Reshape", ["turned", "shape"], ["states"]),
            node("MatMul", ["states", "kernel"], ["product"]),
            node("Add", ["product", "bias"], ["emissions"]),
        ],
        "lstm",
        [
            value("features", number, ["T", "B", forward[0].shape[0]]),
            value("lengths", onnx.TensorProto.INT32, ["B"]),
        ],
        [value("emissions", number, ["T", "B", len(bias)])],
        [
            onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in arrays.items()
        ],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


# ---- whole numbers -------------------------------------------------------------------------------


def one_hot(rng, words, hidden, strength):
    """Weights for features that say which word it is, and states as emissions."""

    def cell():
        return (
            rng.normal(0, 1, (words, 4 * hidden)).astype(np.float32),
            rng.normal(0, strength / np.sqrt(hidden), (hidden, 4 * hidden)).astype(np.float32),
            rng.normal(0, 0.3, 4 * hidden).astype(np.float32),
        )

    return cell(), cell(), np.eye(2 * hidden, dtype=np.float32), np.zeros(2 * hidden, np.float32)


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
@pytest.mark.parametrize(("hidden", "length"), [(1, 9), (3, 7), (16, 6), (37, 5), (100, 4)])
def test_states_are_those_of_the_same_whole_numbers(isa, bits, hidden, length):
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        weights = one_hot(rng, length, hidden, 2.0)
        tokens = rng.integers(0, length, length)
        wanted, margin = reference.fixed_bilstm(weights[:2], tokens, bits)
        if margin > 1e-3:  # no state so close to a half that float32 may round it otherwise
            break
    else:
        pytest.fail("no seed without such a state")
    lstm = Native(weights, isa, bits)
    rows = projections(lstm, np.eye(length, dtype=np.float32))
    emissions = lstm.emissions(rows, tokens.astype(np.int32), np.array([length], np.int32))[0]
    # where a single state was another number, the next ones are off by 50 times that
    np.testing.assert_allclose(emissions, wanted, rtol=0, atol=0.51 / 8192)


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
def test_projections_are_the_nearest_multiples(isa, bits):
    """And saturate within 64."""
    hidden, words = 5, 9
    rng = np.random.default_rng(1)
    weights = one_hot(rng, words, hidden, 1.0)
    for cell in weights[:2]:
        cell[0][3:] *= 60
    lstm = Native(weights, isa, bits)
    rows = projections(lstm, np.eye(words, dtype=np.float32)).view(np.int16)
    rows = rows.reshape(words, 2, -1, 4, LANES[isa]).transpose(0, 1, 3, 2, 4)
    rows = rows.reshape(words, 2, 4, -1)
    wanted = np.stack([reference.fixed_projections(w, b) for w, _, b in weights[:2]], axis=1)
    assert np.abs(wanted).max() == 32767
    np.testing.assert_array_equal(rows[..., :hidden], wanted.reshape(words, 2, 4, hidden))


# ---- a sentence alone ----------------------------------------------------------------------------


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
@settings(deadline=None, max_examples=40)
@given(SEEDS, st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 40))
def test_a_batch_is_its_sentences_alone_bit_for_bit(isa, bits, seed, lengths, hidden):
    rng = np.random.default_rng(seed)
    lstm = Native(make(rng, 5, hidden, int(rng.integers(1, 40))), isa, bits)
    sentences = features_of(rng, lengths, 5)
    together = lstm.emissions(*batch_of(lstm, sentences))
    for b, sentence in enumerate(sentences):
        alone = lstm.emissions(*batch_of(lstm, [sentence]))[0]
        assert together[b, : len(sentence)].tobytes() == alone.tobytes()


@pytest.mark.parametrize(("isa", "bits"), KERNELS)
@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(1, 30), st.integers(1, 40))
def test_a_projection_is_that_of_its_word_alone(isa, bits, seed, words, hidden):
    rng = np.random.default_rng(seed)
    lstm = Native(make(rng, 13, hidden, 3), isa, bits)
    features = rng.normal(0, 1, (words, 13)).astype(np.float32)
    together = projections(lstm, features)
    for u in range(words):
        assert projections(lstm, features[u : u + 1]).tobytes() == together[u].tobytes()


def test_every_token_sees_the_whole_sentence():
    rng = np.random.default_rng(5)
    lstm = BiLSTM(*make(rng, 8, 12, 5))
    (sentence,) = features_of(rng, [6], 8)
    before = lstm.emissions(*batch_of(lstm, [sentence]))[0]
    for changed in (0, 5):
        other = sentence.copy()
        other[changed] += 1
        after = lstm.emissions(*batch_of(lstm, [other]))[0]
        assert (before != after).any(axis=1).all()


def test_threads_give_the_same_bits():
    rng = np.random.default_rng(6)
    lstm = BiLSTM(*make(rng, 16, 40, 9))
    batches = [batch_of(lstm, features_of(rng, rng.integers(1, 12, n), 16)) for n in range(1, 17)]
    wanted = [lstm.emissions(*batch).tobytes() for batch in batches]
    wrong = []

    def work():
        for _ in range(20):
            for batch, bits in zip(batches, wanted, strict=True):
                if lstm.emissions(*batch).tobytes() != bits:
                    wrong.append(batch)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- the edges of the interface ------------------------------------------------------------------


def small():
    return BiLSTM(*make(np.random.default_rng(0), 4, 6, 3))


def test_nothing_to_do():
    lstm = small()
    nothing = np.empty(0, np.int32)
    rows = projections(lstm, np.empty((0, 4), np.float32))
    assert rows.shape == (0, lstm.projection_width)
    for sentences in (0, 2):
        emissions = lstm.emissions(rows, nothing, np.zeros(sentences, np.int32))
        assert emissions.shape == (sentences, 0, 3)


def test_a_word_may_come_twice_and_a_sentence_be_empty():
    lstm = small()
    rows = projections(lstm, np.concatenate(features_of(np.random.default_rng(1), [3], 4)))
    tokens, lengths = np.array([2, 0, 2, 1, 2], np.int32), np.array([0, 3, 0, 2], np.int32)
    emissions = lstm.emissions(rows, tokens, lengths)
    assert emissions.shape == (4, 3, 3) and not emissions[::2].any() and not emissions[3, 2].any()
    apart = lstm.emissions(rows[tokens], np.arange(5, dtype=np.int32), lengths)
    assert emissions.tobytes() == apart.tobytes()


@pytest.mark.parametrize(
    ("tokens", "lengths", "message"),
    [
        ([0, 1, 2], [4], r"0 <= lengths <= 3 .* got lengths\[0\] = 4"),
        ([0, 1, 2], [2, 2], "as many tokens as the sum of lengths, 4, got 3"),
        ([0, 1, 2], [1, 1], "as many tokens as the sum of lengths, 2, got 3"),
        ([0, 1, 2], [3, -1], r"0 <= lengths <= 3 .* got lengths\[1\] = -1"),
        ([0, 3, 2], [3], r"0 <= tokens <= 2 .* got tokens\[1\] = 3"),
        ([0, 1, -1], [3], r"0 <= tokens <= 2 .* got tokens\[2\] = -1"),
    ],
)
def test_tokens_and_lengths_out_of_range(tokens, lengths, message):
    lstm = small()
    rows = np.zeros((3, lstm.projection_width), np.float32)
    with pytest.raises(InputError, match=message):
        lstm.emissions(rows, np.array(tokens, np.int32), np.array(lengths, np.int32))


def test_arrays_of_another_kind():
    lstm = small()
    width = lstm.projection_width
    rows, tokens, lengths = np.zeros((3, width), np.float32), np.arange(3, dtype=np.int32), [3]
    lengths = np.array(lengths, np.int32)
    for arguments, message in [
        ((rows.astype(np.float64), tokens, lengths), "projections as float32"),
        ((rows[:, 1:], tokens, lengths), f"projections of shape .any, {width}"),
        (
            (np.asfortranarray(rows), tokens, lengths),
            "projections with C-contiguous, aligned axes, got strides",
        ),
        ((rows.tolist(), tokens, lengths), "projections .* got list"),
        ((rows, tokens.astype(np.int64), lengths), "tokens as int32 .any."),
        ((rows, tokens[None], lengths), "tokens of shape .any."),
        ((rows, tokens, lengths.astype(np.int64)), "lengths as int32"),
    ]:
        with pytest.raises(InputError, match=message):
            lstm.emissions(*arguments)
    features, read_only = np.zeros((3, 4), np.float32), rows.copy()
    read_only.flags.writeable = False
    for arguments, message in [
        ((features[:, 1:].copy(), rows), "features of shape .any, 4."),
        ((features, rows[1:]), f"out of shape .3, {width}."),
        ((features, read_only), "read-only"),
    ]:
        with pytest.raises(InputError, match=message):
            lstm.project(*arguments)


def test_weights_that_disagree():
    forward, backward, kernel, bias = make(np.random.default_rng(0), 4, 6, 3)
    nan = forward[0].copy()
    nan[1, 2] = np.nan
    for arguments, message in [
        (((nan, *forward[1:]), backward, kernel, bias), "forward kernel to be finite"),
        ((forward, (backward[0][:3], *backward[1:]), kernel, bias), "backward kernel .* .4, 24."),
        ((forward, backward, kernel[1:], bias), "kernel of shape .12, any."),
        ((forward, backward, kernel, bias[1:]), "bias of shape .3."),
        ((forward, backward, kernel[:, :0], bias[:0]), "one feature and one tag"),
        (((forward[0], forward[1][:0], forward[2]), backward, kernel, bias), "hidden units"),
        ((forward, backward, kernel.astype(np.float64), bias), "got float64"),
    ]:
        with pytest.raises(InputError, match=message):
            BiLSTM(*arguments)
    for bits in (0, 7, 32, "8"):
        with pytest.raises(InputError, match=f"bits of 8 or 16, got {bits!r}"):
            BiLSTM(forward, backward, kernel, bias, bits)
