"""fastner.engine.gru against a float64 reference and onnxruntime, on every instruction set here."""

from types import SimpleNamespace

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from small import EMBEDDED

import fastner
from fastner import _gru
from fastner._native import Networks
from fastner.bundle import read_bundle, word_inputs
from fastner.bundle.vectors import DTYPES, pack_coded, pack_vectors, stored
from fastner.engine import open_engine
from fastner.engine.gru import WordEncoder
from fastner.engine.lstm import BiLSTM
from fastner.engine.weights import WordWeights
from fastner.errors import InputError
from fastner.vocab import Vocabulary

SEEDS = st.integers(0, 2**32 - 1)
VECTOR_WIDTH = 3
CHARACTERS, CASES, CATEGORIES = 11, 8, (6, 4)
PARTS = ("vectors", "forward", "backward", "cases", 0, 1)


def make(rng, *, width=4, hidden=5, parts=PARTS):
    """Weights of about a trained network's size."""

    def cell():
        return (
            rng.normal(0, 1.5 / np.sqrt(width), (width, 3 * hidden)).astype(np.float32),
            rng.normal(0, 1.5 / np.sqrt(hidden), (hidden, 3 * hidden)).astype(np.float32),
            rng.normal(0, 0.5, (2, 3 * hidden)).astype(np.float32),
        )

    def table(rows, columns):
        return rng.normal(0, 0.5, (rows, columns)).astype(np.float32)

    lexicons = tuple(table(rows, 2) for rows in CATEGORIES)
    return WordWeights(table(CHARACTERS, width), cell(), cell(), table(CASES, 3), lexicons, parts)


def inputs_of(rng, lengths, *, padding=0):
    """What words.onnx takes, for words of these lengths."""
    count = len(lengths)
    characters = rng.integers(0, CHARACTERS, (count, max(lengths, default=1)), np.int32)
    for row, length in zip(characters, lengths, strict=True):
        row[length:] = padding
    return {
        "vectors": rng.normal(0, 1, (count, VECTOR_WIDTH)).astype(np.float32),
        "characters": characters,
        "character_lengths": np.array(lengths, np.int32),
        "cases": rng.integers(0, CASES, count, np.int32),
        "categories": np.stack([rng.integers(0, n, count, np.int32) for n in CATEGORIES], 1),
    }


def expected(weights, inputs):
    """Feature rows in the order of PARTS, in float64."""
    directions = tuple(
        SimpleNamespace(kernel=w, recurrent=u, bias=b)
        for w, u, b in (weights.forward, weights.backward)
    )
    network = SimpleNamespace(
        character_embedding=weights.characters,
        character_grus=(directions,),
        case_embedding=weights.cases,
        lexicon_embeddings=weights.lexicons,
        projection=None,
    )
    return reference.network_features(network, inputs)


def last_states(weights, isa, inputs):
    gru = _gru.Gru(weights.characters, weights.forward, weights.backward, isa=isa)
    count, hidden = len(inputs["cases"]), weights.forward[1].shape[0]
    states = np.full((count, 2 * hidden), np.nan, np.float32)
    gru.last_states(inputs["characters"], inputs["character_lengths"], states)
    return states


LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=20)


@pytest.mark.parametrize("isa", _gru.ISAS)
@settings(deadline=None, max_examples=60)
@given(SEEDS, LENGTHS, st.integers(1, 6), st.integers(1, 37))
def test_last_states_are_the_reference(isa, seed, lengths, width, hidden):
    rng = np.random.default_rng(seed)
    weights, inputs = make(rng, width=width, hidden=hidden), inputs_of(rng, lengths)
    wanted = expected(weights, inputs)[:, VECTOR_WIDTH : VECTOR_WIDTH + 2 * hidden]
    np.testing.assert_allclose(last_states(weights, isa, inputs), wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("isa", _gru.ISAS)
@settings(deadline=None, max_examples=30)
@given(SEEDS, LENGTHS, st.integers(1, 37))
def test_a_word_has_the_same_bits_in_any_company(isa, seed, lengths, hidden):
    weights = make(np.random.default_rng(seed), hidden=hidden)
    together, other = (
        inputs_of(np.random.default_rng(seed), lengths, padding=id_) for id_ in (0, -(2**31))
    )
    states = last_states(weights, isa, together)
    assert states.tobytes() == last_states(weights, isa, other).tobytes()
    for u, length in enumerate(lengths):
        alone = {name: array[u : u + 1] for name, array in together.items()}
        alone["characters"] = alone["characters"][:, :length].copy()
        assert last_states(weights, isa, alone).tobytes() == states[u].tobytes()


@pytest.mark.parametrize("isa", _gru.ISAS)
@pytest.mark.parametrize("size", [3e38, 1e-42])
def test_weights_of_any_finite_size(isa, size):
    rng = np.random.default_rng(8)
    weights = make(rng)
    forward, backward = (
        tuple((np.sign(a) * size).astype(np.float32) for a in cell)
        for cell in (weights.forward, weights.backward)
    )
    weights = weights._replace(forward=forward, backward=backward)
    assert np.isfinite(last_states(weights, isa, inputs_of(rng, [4, 7]))).all()


VOCABULARY = ["ada", "Oslo", "x0"]


def networks(weights, vectors):
    """Those of a vocabulary of three words, under a layer that only its size matters of."""
    encoder = WordEncoder(weights, VECTOR_WIDTH)
    units, tags = 2, 3
    cell = (
        np.zeros((encoder.width, 4 * units), np.float32),
        np.zeros((units, 4 * units), np.float32),
        np.zeros(4 * units, np.float32),
    )
    lstm = BiLSTM(cell, cell, np.zeros((2 * units, tags), np.float32), np.zeros(tags, np.float32))
    vocabulary = Vocabulary.from_words(
        VOCABULARY,
        vector_rows=len(VOCABULARY),
        characters=sorted(map(ord, "Oadlosx0A")),
        max_characters=8,
        categories=np.array([[1, 0], [5, 3], [0, 2]], np.uint16),
    )
    made = Networks(
        vocabulary.index,
        encoder.gru,
        lstm.layer,
        stored(vectors),
        UNKNOWN,
        encoder.parts,
        encoder.hidden,
        encoder.lexicons,
    )
    return made, vocabulary, lstm.projection_width


UNKNOWN = np.array([9.0, -9.0, 0.5], np.float32)


def packed(dtype):
    """Arrays of three vectors of this dtype."""
    values = np.array([[1.0, -2.0, 6e-8], [0.25, 3.0, -7e-5], [0.0, -0.0, 100.0]], np.float32)
    if dtype != "product":
        return pack_vectors(values, dtype)
    codes = np.array([[3, 255], [0, 7]], np.uint8)
    centroids = np.random.default_rng(1).normal(0, 1, (512, 2)).astype(np.float32)
    return pack_coded(values[:1], codes, centroids)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parts", [PARTS, (1, "backward", "vectors", 0, "cases", "forward")])
def test_a_row_is_its_parts_in_order(parts, dtype):
    weights, arrays = make(np.random.default_rng(3), parts=parts), packed(dtype)
    made, vocabulary, width = networks(weights, arrays)
    words = ["Oslo", "ADA", "X9", "nowhere", "\u0416x", "ada"] * 40  # more than one call of the GRU
    widths = dict(zip(PARTS, (VECTOR_WIDTH, 5, 5, 3, 2, 2), strict=True))
    ends = dict(zip(PARTS, np.cumsum(list(widths.values())), strict=True))
    columns = np.concatenate([np.arange(ends[p] - widths[p], ends[p]) for p in parts])
    assert made.width == len(columns) == 20
    features = np.full((len(words), 20), np.nan, np.float32)
    made.rows(words, np.empty((len(words), width), np.float32), features)
    inputs = word_inputs(
        vocabulary.encode_words(words),
        {**arrays, "unknown": UNKNOWN, "categories": vocabulary.categories},
    )
    np.testing.assert_allclose(features, expected(weights, inputs)[:, columns], rtol=0, atol=2e-6)
    at = list(columns).index(0)  # vectors are unpacked to the bit
    assert features[:, at : at + VECTOR_WIDTH].tobytes() == inputs["vectors"].tobytes()


def test_no_words():
    made, _, width = networks(make(np.random.default_rng(0)), packed("int8"))
    made.rows([], np.empty((0, width), np.float32), np.empty((0, 20), np.float32))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 2**16 - 1), min_size=3, max_size=3))
def test_float16_is_unpacked_to_the_bit(bits):
    half = np.array([bits] * 3, np.uint16).view(np.float16)
    made, _, width = networks(make(np.random.default_rng(0)), {"vectors": half})
    features = np.empty((1, 20), np.float32)
    made.rows(["ada"], np.empty((1, width), np.float32), features)
    assert np.array_equal(features[0, :3], half[0].astype(np.float32), equal_nan=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"character_lengths": [3, 0]}, "1 <= character_lengths <= 3, got 0 at 1"),
        ({"character_lengths": [4, 1]}, "1 <= character_lengths <= 3, got 4 at 0"),
        ({"characters": [[0, 1, 2], [11, 0, 0]]}, r"0 <= characters < 11, got 11 at \[1, 0\]"),
        ({"characters": [[0, -1, 2], [1, 0, 0]]}, r"0 <= characters < 11, got -1 at \[0, 1\]"),
    ],
)
def test_what_is_out_of_range_is_refused(change, message):
    rng = np.random.default_rng(0)
    weights, inputs = make(rng), inputs_of(rng, [3, 1])
    changed = {name: np.array(value, np.int32) for name, value in change.items()}
    with pytest.raises(InputError, match=message):
        last_states(weights, None, inputs | changed)


WORDS = st.lists(st.text(st.characters(), min_size=1, max_size=30), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def embedded():
    """Both engines over the embedded model."""
    bundle = read_bundle(EMBEDDED)
    return open_engine(bundle, "native"), open_engine(bundle, "onnxruntime")


@settings(deadline=None, max_examples=60)
@given(WORDS)
def test_features_are_those_of_onnxruntime(embedded, words):
    native, onnx = embedded
    wanted, features = np.empty((2, len(words), onnx.width), np.float32)
    onnx.encode(words, wanted)
    native.networks.rows(words, np.empty((len(words), native.width), np.float32), features)
    np.testing.assert_allclose(features, wanted, rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    ("name", "value"), [("word_weights", lambda graph: None), ("MAX_CHARACTER_STATES", 100)]
)
def test_words_of_another_form_are_left_to_onnxruntime(monkeypatch, name, value):
    sentence = ["Unheardof", "Quixotica", "visited", "Xyzzyville", "."]
    with fastner.load(engine="native") as native:
        tags = native.tag(sentence)
    monkeypatch.setattr(f"fastner.engine.native.{name}", value)
    with fastner.load() as other:
        assert other.engine == "onnxruntime" and other.tag(sentence) == tags
    with pytest.raises(
        InputError, match=r"words\.onnx: engine 'native' expected one bidirec.* GRU"
    ):
        fastner.load(engine="native")
