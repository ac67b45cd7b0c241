"""Annotated characters put onto tokens: the only place that knows what to do where they differ."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

from fastner.corpus.sentences import Finding
from fastner.corpus.sources import fail
from fastner.errors import InputError
from fastner.tags import Span, TagScheme, is_label, shown
from fastner.text import Token, tokenize

Misaligned: TypeAlias = Literal["split", "widen", "error"]
Overlapping: TypeAlias = Literal["error", "longest"]
MISALIGNED = ("split", "widen", "error")
OVERLAPPING = ("error", "longest")

SPLIT = "spans that begin or end inside a token, which was split there"
WIDENED = "spans that begin or end inside a token, widened to hold all of it"
BLANK = "spans that hold no token, left out"
TRIMMED = "spans that begin or end with white space or markup, taken without it"
TWICE = "spans that are annotated twice, taken once"
SHORTER = "spans that overlap a longer one, left out"


class CharSpan(NamedTuple):
    """The characters start to end (half-open) of a text, and their label."""

    start: int
    end: int
    label: str


def put_on_tokens(
    text: str,
    spans: Iterable[CharSpan],
    *,
    place: str,
    misaligned: Misaligned,
    overlapping: Overlapping,
    findings: list[Finding],
    language: str = "en",
) -> tuple[list[list[Token]], list[list[str]]]:
    """The sentences of the text, as tokenize parts it, and the IOB2 tags that say its spans.

    Markup (emphasis, targets of links, bars of tables) is left out: a model never sees it.

    misaligned: what to do with a span that begins or ends inside a token: "split" the token there,
    "widen" the span, or raise the "error". overlapping: raise the "error", or keep the "longest" of
    spans that overlap, of equal ones the first. Sentences that a span crosses are joined. White
    space and markup at the edges of a span do not count. What is changed or left out is added to
    findings.

    Raises InputError, with the place, for spans outside the text, and as chosen.
    """
    whole_sentences = tokenize(text, language=language)
    sentences = [[t for t in tokens if not t.markup] for tokens in whole_sentences]
    sentences = [tokens for tokens in sentences if tokens]
    markup = [token for tokens in whole_sentences for token in tokens if token.markup]
    tokens = [token for sentence in sentences for token in sentence]
    starts = [token.start for token in tokens]
    ends = [token.end for token in tokens]

    def found(kind: str, span: CharSpan, detail: str = "") -> None:
        findings.append(Finding(kind, place, _said(text, span) + detail))

    kept: dict[CharSpan, CharSpan] = {}  # as on tokens: as written
    for written in spans:
        start, end, label = written
        if not 0 <= start <= end <= len(text):
            got = f"{start} to {end} ({label})"
            fail(place, f"a span within the {len(text)} characters", got, "correct its offsets")
        start, end = _without_edges(text, start, end, markup)
        if start == end:
            if misaligned == "error":
                fail(place, "a span of words", _said(text, written), "delete the span")
            found(BLANK, written)
            continue
        span = CharSpan(start, end, label)
        if span[:2] != written[:2]:
            found(TRIMMED, written)
        first = bisect_right(ends, span.start)
        last = bisect_left(starts, span.end) - 1
        whole = CharSpan(starts[first], ends[last], label)
        if whole != span:
            around = f" in {shown(text[whole.start : whole.end])}"
            if misaligned == "error":
                got = _said(text, written) + around
                do = 'correct its offsets or choose misaligned="split" or "widen"'
                fail(place, "a span that begins and ends with a token", got, do)
            found(WIDENED if misaligned == "widen" else SPLIT, written, around)
            if misaligned == "widen":
                span = whole
        if span in kept:
            found(TWICE, written)
        else:
            kept[span] = written

    chosen: list[CharSpan] = []
    # without an overlap the order does not matter
    for span in sorted(kept, key=lambda s: (s.start - s.end, s.start)):
        at = bisect_left(chosen, span)
        near = [other for other in chosen[max(0, at - 1) : at + 1] if _overlap(span, other)]
        if near and overlapping == "error":
            one, two = sorted((kept[span], kept[near[0]]))
            got = f"{_said(text, one)} and {_said(text, two)}"
            do = 'delete one of them or choose overlapping="longest"'
            fail(place, "spans that do not overlap", got, do)
        if near:
            found(SHORTER, kept[span], f" under {_said(text, kept[near[0]])}")
        else:
            chosen.insert(at, span)
    sentences = _joined(_cut(sentences, chosen), chosen)
    return sentences, [_tags(sentence, chosen) for sentence in sentences]


def _without_edges(text: str, start: int, end: int, markup: Sequence[Token]) -> tuple[int, int]:
    """The characters start to end without white space and markup at their edges; perhaps none."""
    while True:
        inside = text[start:end].strip()
        start += len(text[start:end]) - len(text[start:end].lstrip())
        end = start + len(inside)
        at = bisect_right(markup, start, key=lambda token: token.end)
        first = markup[at].end if at < len(markup) and markup[at].start <= start else start
        at = bisect_left(markup, end, key=lambda token: token.start) - 1
        last = markup[at].start if at >= 0 and markup[at].end >= end else end
        if not inside or first >= last:
            return start, start
        if (first, last) == (start, end):
            return start, end
        start, end = first, last


def _overlap(one: CharSpan, two: CharSpan) -> bool:
    return one.start < two.end and two.start < one.end


def _said(text: str, span: CharSpan) -> str:
    return f"{span.label} {shown(text[span.start : span.end])} ({span.start} to {span.end})"


def _cut(sentences: list[list[Token]], spans: Sequence[CharSpan]) -> list[list[Token]]:
    """The sentences with each token split where a span begins or ends inside it."""
    edges = sorted({edge for span in spans for edge in span[:2]})
    result = []
    for sentence in sentences:
        tokens: list[Token] = []
        for token in sentence:
            inside = edges[bisect_right(edges, token.start) : bisect_left(edges, token.end)]
            bounds = [token.start, *inside, token.end]
            for start, end in pairwise(bounds):
                piece = token.text[start - token.start : end - token.start]
                start += len(piece) - len(piece.lstrip())  # of a word hyphenated at a line end
                if piece := piece.strip():
                    tokens.append(Token(piece, start, start + len(piece)))
        result.append(tokens)
    return result


def _joined(sentences: list[list[Token]], spans: Sequence[CharSpan]) -> list[list[Token]]:
    """The sentences, those that one span crosses as one."""
    result: list[list[Token]] = []
    for sentence in sentences:
        start = sentence[0].start
        at = bisect_left(spans, (start,)) - 1  # the last span that begins before this sentence
        if result and at >= 0 and spans[at].end > start:
            result[-1] += sentence
        else:
            result.append(list(sentence))
    return result


def _tags(sentence: Sequence[Token], spans: Sequence[CharSpan]) -> list[str]:
    starts = {token.start: i for i, token in enumerate(sentence)}
    ends = {token.end: i for i, token in enumerate(sentence, 1)}
    here = spans[bisect_left(spans, (sentence[0].start,)) : bisect_left(spans, (sentence[-1].end,))]
    rows = [Span(starts[span.start], ends[span.end], span.label) for span in here]
    return TagScheme.IOB2.tags(rows, len(sentence))


def check_label(label: object, place: str) -> str:
    """The label, which a tag can hold; raises InputError."""
    if isinstance(label, str) and is_label(label):
        return label
    raise InputError(
        f"{place}: expected a label as a string without tab, line break, or white space at its "
        f"edges, got {shown(label)}; rename it"
    )
