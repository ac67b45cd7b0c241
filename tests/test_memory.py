"""Corpora in memory, as people hold them: read to the same sentences as their files."""

from __future__ import annotations

import types

import pytest

from fastner.corpus import read
from fastner.errors import InputError

WORDS = [["Ada", "left", "Oslo"], ["It", "rained"]]
TAGS = [["B-PER", "O", "B-LOC"], ["O", "O"]]
TEXTS = [("It rained.", []), ("Ada left Oslo.", [(0, 3, "PER"), (9, 13, "LOC")])]
FLAT = [
    {"sentence_id": n, "word": w, "tag": t}
    for n, (row, tags) in enumerate(zip(WORDS, TAGS, strict=True))
    for w, t in zip(row, tags, strict=True)
]


class Frame:
    """Like a data frame of pandas: columns, rows as dicts, columns as attributes."""

    features = "the column of that name, which would look like a datasets.Dataset"

    def __init__(self, rows):
        self.rows = rows
        self.columns = list(rows[0])

    def itertuples(self):
        raise NotImplementedError

    def to_dict(self, orient):
        assert orient == "records"
        return self.rows


class Array:
    """Like an array or a number of NumPy."""

    def __init__(self, value):
        self.value = value

    def tolist(self):
        return self.value


def test_pairs_of_words_and_tags_as_any_iterable():
    pairs = list(zip(WORDS, TAGS, strict=True))
    for given in (pairs, tuple(pairs), iter(pairs), zip(WORDS, TAGS, strict=True)):
        corpus = read(given)
        assert (corpus.sentences, corpus.tags, corpus.format) == (WORDS, TAGS, "tokens")


def test_pairs_of_text_and_spans():
    for given in (TEXTS, (pair for pair in TEXTS), [list(pair) for pair in TEXTS]):
        corpus = read(given)
        assert corpus.sentences == [["It", "rained", "."], ["Ada", "left", "Oslo", "."]]
        assert corpus.tags[1] == ["B-PER", "O", "B-LOC", "O"]
        assert corpus.documents == [0, 1]
    spans = {"start": 0, "end": 3, "label": "PER"}
    assert read([("Ada left.", [spans])]).tags == [["B-PER", "O", "O"]]
    assert read([("Ada left.", {"entities": [(0, 3, "PER")]})]).tags == [["B-PER", "O", "O"]]


def test_frames_of_records_and_of_one_word_a_row():
    frame = Frame([{"tokens": Array(w), "ner_tags": t} for w, t in zip(WORDS, TAGS, strict=True)])
    assert read(frame).sentences == WORDS
    numbers = Frame([{"tokens": ["Oslo", "won"], "ner_tags": Array([1, 0])}])
    assert read(numbers, tag_names=["O", "B-LOC"]).tags == [["B-LOC", "O"]]
    corpus = read(Frame(FLAT))
    assert (corpus.sentences, corpus.tags) == (WORDS, TAGS)
    kaggle = [
        {"Sentence #": first if not at else float("nan"), "Word": w, "Tag": t}
        for first, row, tags in zip("ab", WORDS, TAGS, strict=True)
        for at, (w, t) in enumerate(zip(row, tags, strict=True))
    ]
    assert read(Frame(kaggle)).sentences == WORDS
    polars = types.SimpleNamespace(columns=["word"], to_dicts=lambda: FLAT)
    assert read(polars).tags == TAGS


def test_frames_of_pandas_and_pyarrow():
    pyarrow = pytest.importorskip("pyarrow")
    assert read(pyarrow.Table.from_pylist(FLAT)).sentences == WORDS
    pandas = pytest.importorskip("pandas")
    assert read(pandas.DataFrame(FLAT)).sentences == WORDS


def test_lines_that_any_iterable_gives_are_a_file():
    assert read(["Ada B-PER\n", "left O\n", "\n"]).sentences == [["Ada", "left"]]
    assert read(iter([b"Ada B-PER\n"])).tags == [["B-PER"]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(["Ada"], ["B-PER", "O"])], "<list>: row 1: expected a list of 1 \"ner_tags\""),
        ([("Ada", [(0, 9, "PER")])], "<list>: row 1: expected a span within the 3 characters"),
        ([("Ada", [(0, 3)])], "row 1: expected spans of start, end and label"),
        ([("Ada", [(0, 3, "PER")]), ("Bo", 7)], "row 2: expected jsonl"),
        (Frame([{"word": "a", "tag": "O"}]), "<Frame>: expected a column out of sentence_id"),
        (Frame([*FLAT, {**FLAT[0], "word": 3}]), "row 6: expected a word and its tag as strings"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_row(given, message):
    with pytest.raises(InputError, match=message):
        read(given)
