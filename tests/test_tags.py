"""Tags stand for the spans that conlleval sees, in every scheme and back."""

import re
from itertools import pairwise, product

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastner.errors import InputError
from fastner.tags import (
    Span,
    TagScheme,
    allowed,
    convert,
    labels_of,
    spans_of,
    split_tag,
    tag_set,
)

LABELS = ["PER", "creative-work", "-"]
schemes = st.sampled_from(TagScheme)
any_tag = st.sampled_from(["O"] + [f"{p}-{label}" for p in "BIES" for label in LABELS])
iob_tag = st.sampled_from(["O"] + [f"{p}-{label}" for p in "BI" for label in LABELS])


@st.composite
def spans_and_length(draw):
    """Spans that do not overlap, often touching, and the length of their sentence."""
    spans, position = [], 0
    for gap, size, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(LABELS)))
    ):
        start = position + gap
        position = start + size
        spans.append(Span(start, position, label))
    return spans, position + draw(st.integers(0, 2))


@given(st.lists(any_tag))
def test_spans_are_those_of_conlleval(tags):
    spans = spans_of(tags)
    assert spans == sorted(spans)
    assert set(spans) == reference.conlleval_chunks(tags)
    assert TagScheme.BIOES.spans(tags) == spans


@given(spans_and_length(), schemes)
def test_spans_to_tags_to_spans_is_the_identity(spans_length, scheme):
    spans, length = spans_length
    tags = scheme.tags(reversed(spans), length)
    assert len(tags) == length
    assert scheme.spans(tags) == spans


@given(st.lists(iob_tag), schemes, schemes)
def test_converting_keeps_the_spans(tags, middle, target):
    there = convert(tags, TagScheme.IOB2, middle)
    assert target.spans(convert(there, middle, target)) == spans_of(tags)
    assert convert(there, middle, middle) == there


def test_the_three_schemes_by_hand():
    spans = [Span(0, 2, "PER"), Span(2, 3, "PER"), Span(4, 7, "ORG"), Span(7, 8, "LOC")]
    written = {
        "IOB1": "I-PER I-PER B-PER O I-ORG I-ORG I-ORG I-LOC",
        "IOB2": "B-PER I-PER B-PER O B-ORG I-ORG I-ORG B-LOC",
        "BIOES": "B-PER E-PER S-PER O B-ORG I-ORG E-ORG S-LOC",
    }
    for scheme in TagScheme:
        assert scheme.tags(spans, 8) == written[scheme.value].split()


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        ([], "IOB2"),
        (["O O"], "IOB2"),
        (["B-X"], "IOB2"),
        (["B-X I-X", "O I-X"], "IOB2"),  # one stray I-, as real corpora have
        (["I-X"], "IOB1"),
        (["I-X B-X I-X", "I-X I-Y"], "IOB1"),
        (["B-X I-Y"], "IOB2"),
        (["I-X B-Y"], "IOB2"),
        (["B-X", "S-X"], "BIOES"),
        (["B-X E-X"], "BIOES"),
    ],
)
def test_detect(sentences, scheme):
    assert TagScheme.detect(tags.split() for tags in sentences) is TagScheme(scheme)


@given(st.lists(spans_and_length()), schemes)
def test_detect_finds_a_scheme_that_reads_the_same_spans(corpus, scheme):
    tags = [scheme.tags(*sentence) for sentence in corpus]
    found = TagScheme.detect(tags)
    assert [found.spans(sentence) for sentence in tags] == [spans for spans, _ in corpus]
    assert [found.tags(*sentence) for sentence in corpus] == tags  # also written in it


@pytest.mark.parametrize(
    "tag",
    [
        *"U-PER L-PER PER B B- b-PER -X X-Y".split(),
        *("", 3, "B- X", "B-X ", "B-X\u00a0", "B-X\tY", "B-X\nY", "B-X\rY"),
    ],
)
def test_what_is_not_a_tag_is_refused_with_its_place(tag):
    with pytest.raises(InputError, match=r"^expected .*, got .*; "):
        split_tag(tag)
    with pytest.raises(InputError, match=f"sentence 1, token 2: .* got {re.escape(repr(tag))}"):
        TagScheme.detect([["O"], ["O", "O", tag]])
    with pytest.raises(InputError, match="token 1: expected"):
        spans_of(["O", tag])


def test_labels_may_hold_blanks_and_hyphens():
    assert split_tag("B-creative work-2 \u00e9") == ("B", "creative work-2 \u00e9")
    assert spans_of(["B-a b", "I-a b", "I-a  b"]) == [(0, 2, "a b"), (2, 3, "a  b")]


def test_long_tags_do_not_flood_the_message():
    with pytest.raises(InputError) as caught:
        split_tag("x" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_a_tag_of_another_scheme_is_refused():
    with pytest.raises(InputError, match="token 1: expected a tag of IOB2, got 'S-X'"):
        convert(["O", "S-X"], TagScheme.IOB2, TagScheme.BIOES)


@pytest.mark.parametrize(
    "spans", [[(0, 2, "X"), (1, 3, "X")], [(2, 2, "X")], [(-1, 1, "X")], [(3, 5, "X")]]
)
def test_spans_that_cannot_be_written_are_refused(spans):
    with pytest.raises(InputError, match="within 4 tokens"):
        TagScheme.IOB2.tags([Span(*span) for span in spans], 4)


def test_tag_set_is_ordered():
    assert tag_set(["b", "a", "b"], TagScheme.IOB2) == ["O", "B-a", "I-a", "B-b", "I-b"]
    assert tag_set(["a"], TagScheme.BIOES) == ["O", "B-a", "I-a", "E-a", "S-a"]
    assert tag_set([], TagScheme.IOB1) == ["O"]


@given(st.lists(st.sampled_from(LABELS)), schemes)
def test_labels_of_a_tag_set(labels, scheme):
    assert labels_of(tag_set(labels, scheme)) == sorted(set(labels))


@pytest.mark.parametrize("scheme", TagScheme)
def test_allowed_is_what_the_scheme_writes(scheme):
    tags = tag_set(["X", "Y"], scheme)[::-1]  # no order is assumed
    start, transitions, end = allowed(tags, scheme)
    assert start.dtype == transitions.dtype == end.dtype == np.bool_
    assert transitions.shape == (len(tags), len(tags))
    for length in (1, 2, 3, 4):
        for path in product(range(len(tags)), repeat=length):
            legal = start[path[0]] and end[path[-1]]
            legal = legal and all(transitions[i, j] for i, j in pairwise(path))
            written = [tags[i] for i in path]
            assert legal == (scheme.tags(scheme.spans(written), length) == written)


def test_allowed_refuses_other_schemes_and_repetition():
    with pytest.raises(InputError, match="IOB2"):
        allowed(["O", "S-X"], TagScheme.IOB2)
    with pytest.raises(InputError, match="'O' twice"):
        allowed(["O", "B-X", "O"], TagScheme.IOB2)
