"""Arguments that change during a call: the output overlaps them, or another thread writes to them.

Counts and indices are read once: a call gives the result of values that stood there, or refuses
them with InputError. Run under AddressSanitizer this says more than here.
"""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from fastner._gru import Gru
from fastner.crf import CRF
from fastner.engine.lstm import BiLSTM
from fastner.errors import InputError
from fastner.vocab import RowBatch, WordCache

SECONDS = 0.5  # of racing, per case


def zero_crf(tags):
    return CRF(np.zeros(tags), np.zeros((tags, tags)), np.zeros(tags))


# ---- the output overlaps -------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [-1, 0, 1, 3])
def test_decode_may_write_over_its_lengths(shift):
    rng = np.random.default_rng(1)
    sentences, tokens, tags = 8, 5, 300  # tag ids are no lengths
    emissions = rng.normal(0, 1, (sentences, tokens, tags)).astype(np.float32)
    lengths = rng.integers(0, tokens + 1, sentences).astype(np.int32)
    wanted = zero_crf(tags).decode(emissions, lengths)
    memory = np.zeros(sentences * tokens + 2, np.int32)
    out = memory[1:-1].reshape(sentences, tokens)
    overlapping = memory[1 + shift :][:sentences]
    overlapping[:] = lengths
    found = zero_crf(tags).decode(emissions, overlapping, out=out)
    assert found is out
    np.testing.assert_array_equal(found, wanted)


def test_decode_may_write_over_lengths_with_a_stride():
    rng = np.random.default_rng(2)
    emissions = rng.normal(0, 1, (6, 3, 9)).astype(np.float32)
    lengths = np.array([3, 0, 2, 3, 1, 3], np.int32)
    wanted = zero_crf(9).decode(emissions, lengths)
    out = np.zeros((6, 3), np.int32)
    out[::-1, 1] = lengths
    np.testing.assert_array_equal(zero_crf(9).decode(emissions, out[::-1, 1], out=out), wanted)


def test_decode_may_write_over_its_emissions():
    memory = np.full((4, 7, 9), 2.5, np.float32)
    out = memory.view(np.int32).reshape(-1)[:28].reshape(4, 7)
    found = zero_crf(9).decode(memory, np.full(4, 7, np.int32), out=out)
    assert found.min() >= 0 and found.max() < 9


def test_an_order_that_changes_while_sentences_are_copied():
    order = np.array([0, 1], np.int32)

    class Words:  # no list or tuple: it is copied, which runs this code
        def __len__(self):
            return 1

        def __getitem__(self, i):
            order[:] = 1_000_000
            return "a"[i]

    batch = WordCache(4, 2).look_up([Words(), ["b"]], order)
    assert batch.missing == ["a", "b"] and batch.tokens.tolist() == [0, 1]


# ---- another thread writes -----------------------------------------------------------------------


@contextmanager
def writing(array, *values):
    """Another thread gives the last half of an array these values in turn."""
    stop = threading.Event()

    def write():
        while not stop.is_set():
            for value in values:
                array.reshape(-1)[array.size // 2 :] = value

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def calls():
    """Name, the array that changes, its values, and what is called with it."""
    rng = np.random.default_rng(3)
    crf = zero_crf(9)
    sentences, tokens = 600, 20
    emissions = rng.normal(0, 1, (sentences, tokens, 9)).astype(np.float32)

    def lengths():
        return np.full(sentences, tokens, np.int32)

    def tags():
        return np.zeros((sentences, tokens), np.int32)

    huge = 2_000_000
    for name in ("decode", "log_normalizer", "marginals"):
        changing = lengths()
        yield (
            name,
            changing,
            (huge, -1, tokens),
            lambda n=name, c=changing: getattr(crf, n)(emissions, c),
        )
    changing = lengths()
    yield "nbest", changing, (huge, -1, tokens), lambda c=changing: crf.nbest(emissions, c, 2)
    for place, (name, changing) in enumerate((("tags", tags()), ("lengths", lengths()))):
        arguments = [emissions, tags(), lengths()]
        arguments[1 + place] = changing
        yield (
            f"sequence_score {name}",
            changing,
            (huge, -1, 0),
            lambda a=tuple(arguments): crf.sequence_score(*a),
        )
    numbers = np.arange(sentences, dtype=np.int32)
    for place, name in enumerate(("tags", "lengths", "sentences", "starts", "ends"), 1):
        arguments = [emissions, tags(), lengths(), numbers.copy(), 0 * numbers, 0 * numbers + 5]
        right = int(arguments[place].reshape(-1)[-1])
        yield (
            f"path_marginals {name}",
            arguments[place],
            (huge, -1, right),
            lambda a=tuple(arguments): crf.path_marginals(*a),
        )

    hidden, inputs = 8, 4
    cell = (
        rng.normal(0, 1, (inputs, 4 * hidden)).astype(np.float32),
        rng.normal(0, 1, (hidden, 4 * hidden)).astype(np.float32),
        np.zeros(4 * hidden, np.float32),
    )
    lstm = BiLSTM(
        cell, cell, rng.normal(0, 1, (2 * hidden, 5)).astype(np.float32), np.zeros(5, np.float32)
    )
    projections = np.zeros((10, lstm.projection_width), np.float32)
    for name in ("tokens", "lengths"):
        words, counts = np.zeros(sentences * tokens, np.int32), lengths()
        yield (
            f"lstm {name}",
            words if name == "tokens" else counts,
            (500_000_000, -1, 0 if name == "tokens" else tokens),
            lambda w=words, c=counts: lstm.emissions(projections, w, c),
        )
        rows = rng.normal(0, 1, (10, 3)).astype(np.float32)
        yield (
            f"pad {name}",
            words if name == "tokens" else counts,
            (500_000_000, -1, 0 if name == "tokens" else tokens),
            lambda r=rows, w=words, c=counts: RowBatch(r, w, c, []).padded(),
        )

    cell = (
        rng.normal(0, 1, (inputs, 3 * hidden)).astype(np.float32),
        rng.normal(0, 1, (hidden, 3 * hidden)).astype(np.float32),
        np.zeros((2, 3 * hidden), np.float32),
    )
    gru = Gru(rng.normal(0, 1, (11, inputs)).astype(np.float32), cell, cell)
    for name in ("characters", "lengths"):
        characters, counts = np.full((sentences, tokens), 3, np.int32), lengths()
        out = np.empty((sentences, 2 * hidden), np.float32)
        yield (
            f"gru {name}",
            characters if name == "characters" else counts,
            (500_000_000, -1, 3 if name == "characters" else tokens),
            lambda c=characters, n=counts, o=out: gru.last_states(c, n, o),
        )


@pytest.mark.parametrize(
    ("changing", "values", "call"), [pytest.param(*rest, id=name) for name, *rest in calls()]
)
def test_a_thread_that_writes_is_refused_or_unseen(changing, values, call):
    before = changing.copy()
    outcomes = set()
    try:
        with writing(changing, *values):
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                try:
                    call()
                    outcomes.add("a result")
                except InputError:
                    outcomes.add("refused")
    finally:
        changing[:] = before
    call()
    assert outcomes
