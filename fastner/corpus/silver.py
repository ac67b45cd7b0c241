"""Silver corpora: sentences that a model tagged, with its probabilities where it was in doubt.

A line of JSON for each sentence, through gzip in files named .gz:

    {"tokens": ["Tim", "spoke"], "ner_tags": ["S-PER", "O"], "scheme": "BIOES",
     "probabilities": [{"S-PER": 0.71, "O": 0.29}, null]}

`read` takes it as words with tags. `probabilities` has an entry for each word: null where the
teacher is certain of the tag in `ner_tags`, else the tags that it holds for possible. "weight", a
number above 0, says what the sentence counts; without it, 1.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fastner.corpus.items import Annotated, Options
from fastner.corpus.jsonl import jsonl_line
from fastner.corpus.records import items_of
from fastner.corpus.sentences import Finding
from fastner.corpus.spans import CharSpan, Misaligned, Overlapping, put_on_tokens
from fastner.errors import InputError
from fastner.tags import TagScheme, shown, spans_of

CERTAIN = 0.99  # a tag of this probability or more is written without it, as is the only one left
LEAST = 0.01  # tags of less are left out, and the others made to sum to 1
DIGITS = 3  # of a probability
MOST = 1e6  # of a weight


def silver_record(
    words: Sequence[str],
    tags: Sequence[str],
    probabilities: Sequence[Mapping[str, float] | None] | None = None,
    *,
    weight: float | None = None,
) -> dict[str, Any]:
    """One sentence as a line of a silver file holds it.

    tags: BIOES, a tag a word. probabilities: for each word those of its possible tags, or None for
    certainty; by default the teacher is certain of all. Those that CERTAIN and LEAST leave out are
    left out here, and the others rounded. Raises InputError for unequal lengths, words that are
    empty, tags that are not of BIOES, and numbers that are no probabilities or weight.
    """
    words, tags = list(words), list(tags)
    rows = [None] * len(words) if probabilities is None else list(probabilities)
    if not len(words) == len(tags) == len(rows):
        raise InputError(
            f"expected a tag and an entry of probabilities for each of {len(words)} words, got "
            f"{len(tags)} and {len(rows)}"
        )
    if not all(words) or not set(map(type, words)) <= {str}:
        raise InputError(f"expected words of type str that are not empty, got {shown(words)}")
    if TagScheme.BIOES.tags(TagScheme.BIOES.spans(tags), len(tags)) != tags:
        raise InputError(f"expected well-formed tags of BIOES, got {shown(tags)}; convert them")
    record: dict[str, Any] = {"tokens": words, "ner_tags": tags, "scheme": "BIOES"}
    record["probabilities"] = [
        None if row is None else _kept(row, tag) for row, tag in zip(rows, tags, strict=True)
    ]
    if weight is not None:
        if not 0 < weight <= MOST:
            raise InputError(f"expected a weight above 0, up to {MOST:,.0f}, got {weight!r}")
        record["weight"] = weight
    return record


def _kept(row: Mapping[str, float], tag: str) -> dict[str, float] | None:
    """The probabilities as they are written, or None for certainty."""
    if not row or min(row.values()) < 0 or not 0.99 < sum(row.values()) < 1.01:
        raise InputError(f"expected probabilities that sum to 1, got {shown(dict(row))}")
    if row.get(tag, 0.0) >= CERTAIN:
        return None
    kept = {name: p for name, p in row.items() if p >= LEAST}
    if kept.keys() == {tag}:
        return None
    total = sum(kept.values())
    return {name: round(p / total, DIGITS) for name, p in kept.items()}


def silver_records(
    texts: Iterable[Mapping[str, Any]],
    *,
    language: str = "en",
    misaligned: Misaligned = "widen",
    overlapping: Overlapping = "longest",
    findings: list[Finding] | None = None,
) -> Iterator[dict[str, Any]]:
    """The records of texts that any other tool has annotated, a record a sentence.

    texts: {"text": "…", "entities": [{"start", "end", "label"}, …]} each, with a "score" in an
    entity where the tool gives one: then each of its words has its tag with that probability, and O
    with the rest. The other options are those of `read`; findings: a list that what is changed or
    left out is added to. Raises InputError as `read` does, and for scores out of [0, 1].
    """
    options = Options(
        misaligned=misaligned,
        overlapping=overlapping,
        language=language,
        findings=[] if findings is None else findings,
    )
    for item in items_of(_placed(texts), "jsonl", options):
        assert isinstance(item, Annotated)
        score_of = _Scores(item)
        sentences, tag_rows = put_on_tokens(
            item.text,
            item.spans,
            place=item.place,
            misaligned=misaligned,
            overlapping=overlapping,
            findings=options.findings,
            language=language,
        )
        for tokens, row in zip(sentences, tag_rows, strict=True):
            spans = spans_of(row)
            tags = TagScheme.BIOES.tags(spans, len(tokens))
            rows: list[dict[str, float] | None] = [None] * len(tokens)
            for start, end, label in spans:
                p = score_of(CharSpan(tokens[start].start, tokens[end - 1].end, label))
                for i in range(start, end):
                    rows[i] = {"O": 1 - p, tags[i]: p}
            yield silver_record([token.text for token in tokens], tags, rows)


def _placed(texts: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record with its place."""
    for number, record in enumerate(texts, 1):
        if not isinstance(record, Mapping):
            raise InputError(
                f'text {number}: expected {{"text": …, "entities": […]}}, got {shown(record)}'
            )
        yield f"text {number}", dict(record)


class _Scores:
    """The probabilities of the entities of a text, to be found by where they came to lie."""

    def __init__(self, item: Annotated) -> None:
        written = item.record.get("entities") or []
        if not isinstance(written, (list, tuple)) or len(written) != len(item.spans):
            got = shown(written)
            raise InputError(f"{item.place}: expected entities of one label each, got {got}")
        scored = []
        for span, entity in zip(item.spans, written, strict=True):
            p = entity.get("score") if isinstance(entity, Mapping) else None
            p = 1.0 if p is None else p
            if not hasattr(p, "__float__") or not 0 <= p <= 1:
                raise InputError(f"{item.place}: expected a score from 0 to 1, got {shown(p)}")
            scored.append((span, float(p)))
        self._scored = sorted(scored, key=lambda pair: pair[0])
        self._starts = [span.start for span, _ in self._scored]
        self._longest = max((span.end - span.start for span in item.spans), default=0)

    def __call__(self, on_tokens: CharSpan) -> float:
        """Of the longest span of the same label that overlaps this one, which was made of it."""
        first = bisect_left(self._starts, on_tokens.start - self._longest)
        last = bisect_left(self._starts, on_tokens.end)
        near = (
            (span.end - span.start, p)
            for span, p in self._scored[first:last]
            if span.label == on_tokens.label and span.end > on_tokens.start
        )
        return max(near)[1]


def write_silver(path: str | os.PathLike[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Writes the records to a file, through gzip where it is named .gz.

    It takes its place when the last record is written; until then, and if anything fails, what was
    there stays. The same records give the same bytes. Raises InputError for what JSON cannot hold,
    and OSError.
    """
    from fastner.files import atomic_writer  # which needs numpy; who reads corpora does not

    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    packed = os.fsdecode(path).endswith(".gz")
    with atomic_writer(path) as write:
        for record in records:
            line = jsonl_line(dict(record)).encode()
            write(packer.compress(line) if packed else line)
        if packed:
            write(packer.flush())
