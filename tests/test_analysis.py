"""Kinds of errors: pairs equal a brute-force search, and their counts add up to both sides."""

import re
from itertools import pairwise

import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastner.errors import InputError
from fastner.evaluation.analysis import ERRORS, KINDS, Pair, analyse, pair_spans
from fastner.scoring import score
from fastner.tags import Span, spans_of

TAGS = ["O", "B-X", "I-X", "I-X", "B-Y", "I-Y", "B-Z"]
CORPORA = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=9), max_size=4
).map(lambda rows: [[[pair[side] for pair in row] for row in rows] for side in (0, 1)])


@given(CORPORA)
def test_pairs_equal_brute_force_and_lose_nothing(corpus):
    gold, predicted = corpus
    analysis = analyse(gold, predicted)
    for i, (one, two) in enumerate(zip(gold, predicted, strict=True)):
        pairs = list(pair_spans(spans_of(one), spans_of(two)))
        assert [pair[1:] for pair in analysis.pairs if pair.sentence == i] == pairs
        assert len(set(pairs)) == len(pairs)
        assert set(pairs) == reference.paired_entities(spans_of(one), spans_of(two))
        assert [gold for gold, _ in pairs if gold] == spans_of(one)
        assert sorted(found for _, found in pairs if found) == spans_of(two)
    assert [pair.sentence for pair in analysis.pairs] == sorted(p.sentence for p in analysis.pairs)


@given(CORPORA)
def test_counts_add_up(corpus):
    analysis = analyse(*corpus)
    scores, count = analysis.scores, {kind: analysis.count(kind) for kind in KINDS}
    assert scores == score(*corpus)
    assert count["correct"] == scores.correct
    assert sum(count.values()) - count["spurious"] == scores.gold
    assert sum(count.values()) - count["missed"] == scores.predicted
    assert analysis.counts.total() == analysis.confusion.total() == len(analysis.pairs)
    for label, row in scores.per_label.items():
        kinds = (analysis.counts[kind, label] for kind in KINDS if kind != "spurious")
        assert sum(kinds) == row.gold
        assert analysis.counts["correct", label] == row.correct
        assert sum(n for (gold, _), n in analysis.confusion.items() if gold == label) == row.gold
        columns = (n for (_, found), n in analysis.confusion.items() if found == label)
        assert sum(columns) == row.predicted
    assert sum(len(analysis.errors(kind)) for kind in KINDS) == len(analysis.pairs)


@given(CORPORA)
def test_f1_without_a_kind_is_that_of_mended_entities(corpus):
    analysis = analyse(*corpus)
    gold = {(pair.sentence, pair.gold) for pair in analysis.pairs if pair.gold}
    for kind in ERRORS:
        mended = {
            (pair.sentence, pair.gold if pair.kind == kind else pair.predicted)
            for pair in analysis.pairs
        }
        mended = {entity for entity in mended if entity[1] is not None}
        whole = len(gold) + len(mended)
        expected = 2 * len(gold & mended) / whole if whole else 0
        assert analysis.f1_without(kind) == pytest.approx(expected)


@given(CORPORA)
def test_worst_sentences_come_first_and_all_come(corpus):
    analysis = analyse(*corpus)
    worst = analysis.worst()
    errors = [sum(pair.kind in ERRORS for pair in pairs) for _, pairs in worst]
    assert all(errors) and errors == sorted(errors, reverse=True)
    assert {i for i, _ in worst} == {p.sentence for p in analysis.pairs if p.kind in ERRORS}
    for i, pairs in worst:
        assert pairs == [pair for pair in analysis.pairs if pair.sentence == i]
    for ((i, _), (j, _)), (one, two) in zip(pairwise(worst), pairwise(errors), strict=True):
        assert one > two or i < j


@pytest.mark.parametrize(
    ("gold", "predicted", "kinds"),
    [
        ("B-X I-X O", "B-X I-X O", ["correct"]),
        ("B-X I-X O", "B-Y I-Y O", ["label"]),
        ("B-X I-X O", "O B-X I-X", ["boundary"]),
        ("B-X I-X O", "O B-Y I-Y", ["both"]),
        ("B-X I-X O", "O O B-X", ["missed", "spurious"]),
        # one label before more tokens in common: the second prediction is the gold one's
        ("B-X I-X I-X I-X", "B-Y I-Y I-Y B-X", ["boundary", "spurious"]),
        # of one label, more tokens in common: the first gold entity stays alone
        ("B-X B-X I-X", "B-X I-X I-X", ["missed", "boundary"]),
        # as many tokens in common: the one on the left
        ("B-X B-X", "B-X I-X", ["boundary", "missed"]),
    ],
)
def test_kinds_by_hand(gold, predicted, kinds):
    analysis = analyse([gold.split()], [predicted.split()])
    assert [pair.kind for pair in analysis.pairs] == kinds


def test_confusion_and_places_by_hand():
    gold = ["B-X I-X O B-Y O", "O", "B-X O O O O"]
    predicted = ["O B-X O B-Z O", "O", "O O O O B-Y"]
    analysis = analyse([row.split() for row in gold], [row.split() for row in predicted])
    assert analysis.confusion == {("X", "X"): 1, ("Y", "Z"): 1, ("X", None): 1, (None, "Y"): 1}
    assert analysis.pairs[0] == Pair(0, Span(0, 2, "X"), Span(1, 2, "X"))
    assert [(pair.start, pair.end) for pair in analysis.pairs] == [(0, 2), (3, 4), (0, 1), (4, 5)]
    assert analysis.counts["spurious", "Y"] == 1
    assert [i for i, _ in analysis.worst()] == [0, 2]


def test_a_notebook_shows_kinds_and_labels_escaped():
    found = analyse([["B-<b>", "O", "B-x"]], [["B-<b>", "O", "O"]])
    page = found._repr_html_()
    assert "<b>" not in page and "F1 66.67" in page
    rows = [re.findall(r"<t[hd]\b[^>]*>([^<]*)", row) for row in page.split("<tr>")[1:]]
    assert rows[0] == ["", "&lt;b&gt;", "x", "all", "F1 without them"]
    assert [row[0] for row in rows[1:]] == list(KINDS)
    assert rows[1][1:] == ["1", "0", "1", ""] and rows[5] == ["missed", "0", "1", "1", "100.00"]
    assert all(row[-1] == f"{100 * found.f1_without(row[0]):.2f}" for row in rows[2:])


def test_nothing_and_bad_input():
    assert analyse([], []).pairs == ()
    assert analyse([[]], [[]]).f1_without("label") == 0.0
    with pytest.raises(InputError, match="sentence 0: expected 1 predicted tags, got 0"):
        analyse([["O"]], [[]])


def test_a_long_sentence_takes_no_square_time():
    tokens = 200_000
    analysis = analyse([["B-X", "O"] * (tokens // 2)], [["O", "B-X"] * (tokens // 2)])
    assert (analysis.count("missed"), analysis.count("spurious")) == (tokens // 2, tokens // 2)
