"""Labels that a model doubts: the probability of the gold tags where it would set others.

A suspect is a stretch of a sentence: gold and predicted entities that share tokens, taken
together, where the two sides differ. Its score is the lowest probability among its gold tags (the
marginals of the CRF, at the model's temperature), the least self-confidence of Wang & Mueller 2022.
Only stretches with a score below 0.5 count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastner.corpus.items import Placed
from fastner.doctor.worst import Worst
from fastner.tags import Span, TagScheme, spans_of

if TYPE_CHECKING:
    from fastner.tagger import Tagger

BATCH_TOKENS = 32_768  # tagged at once, so that sentences of like length come together
BELOW = 0.5  # a tag above it is what the model says


class Suspect(NamedTuple):
    """Words start to end (half-open) of a sentence, where gold and model differ."""

    place: str
    score: float  # the lowest probability of a gold tag
    model_score: float  # the lowest probability of a tag of the model's
    start: int
    end: int
    gold: tuple[Span, ...]
    predicted: tuple[Span, ...]
    words: tuple[str, ...]  # of the sentence

    def text(self, span: Span) -> str:
        return " ".join(self.words[span.start : span.end])

    def to_dict(self) -> dict[str, Any]:
        def dicts(spans: Sequence[Span]) -> list[dict[str, Any]]:
            return [{**span._asdict(), "text": self.text(span)} for span in spans]

        return {
            "place": self.place,
            "score": self.score,
            "model_score": self.model_score,
            "start": self.start,
            "end": self.end,
            "gold": dicts(self.gold),
            "predicted": dicts(self.predicted),
            "words": list(self.words),
        }


@dataclass(frozen=True)
class Suspicion:
    """The suspects of a corpus, worst first, of `count` that there are.

    likely: how many score below 0.01. unknown: entities by label, of labels that the model lacks;
    what they touch is not judged.
    """

    model: str
    count: int
    likely: int
    unknown: dict[str, int]
    suspects: list[Suspect]

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "count": self.count,
            "likely": self.likely,
            "unknown": self.unknown,
            "suspects": [suspect.to_dict() for suspect in self.suspects],
        }


class Doubter:
    """Asks the model about sentences as they come, and keeps the worst suspects."""

    def __init__(self, tagger: Tagger, *, limit: int) -> None:
        self._tagger = tagger
        self._columns = {tag: column for column, tag in enumerate(tagger.tags)}
        self._known = set(tagger.labels)
        self._worst: Worst[Suspect] = Worst(limit)
        self._count = self._likely = 0
        self._unknown: Counter[str] = Counter()
        self._batch: list[Placed] = []
        self._tokens = 0

    def add(self, sentence: Placed) -> None:
        self._batch.append(sentence)
        self._tokens += len(sentence.words)
        if self._tokens >= BATCH_TOKENS:
            self._judge()

    def suspicion(self, model: str) -> Suspicion:
        self._judge()
        unknown = dict(sorted(self._unknown.items()))
        return Suspicion(model, self._count, self._likely, unknown, self._worst.listed())

    def _judge(self) -> None:
        batch, self._batch, self._tokens = self._batch, [], 0
        marginals = self._tagger.marginals([sentence.words for sentence in batch])
        doubted = []
        for sentence, rows in zip(batch, marginals, strict=True):
            gold = spans_of(sentence.tags)
            self._unknown.update(span.label for span in gold if span.label not in self._known)
            tags = TagScheme.IOB2.tags(gold, len(sentence.tags))
            scores = self._scores(tags, rows)
            if scores.min(initial=1.0) < BELOW:
                doubted.append((sentence, gold, scores, rows))
        predicted = self._tagger.tag_batch([sentence.words for sentence, *_ in doubted])
        for (sentence, gold, scores, rows), tags in zip(doubted, predicted, strict=True):
            said = self._scores(tags, rows)
            for start, end, ours, theirs in differing(gold, spans_of(tags)):
                if any(span.label not in self._known for span in ours):
                    continue
                score = float(scores[start:end].min())
                if score >= BELOW:
                    continue
                self._count += 1
                self._likely += score < 0.01
                suspect = Suspect(
                    sentence.place_of(start),
                    score,
                    float(said[start:end].min()),
                    start,
                    end,
                    ours,
                    theirs,
                    tuple(sentence.words),
                )
                self._worst.add(suspect, -score)

    def _scores(self, tags: Sequence[str], rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The probability of each tag; 0 where the model does not know it."""
        columns = np.array([self._columns.get(tag, -1) for tag in tags], np.intp)
        scores = rows[np.arange(len(tags)), columns]
        scores[columns < 0] = 0
        return scores


def differing(
    gold: Sequence[Span], predicted: Sequence[Span]
) -> Iterator[tuple[int, int, tuple[Span, ...], tuple[Span, ...]]]:
    """Start and end of stretches of entities that share tokens, where the sides differ, and these.

    Both are in order.
    """
    ours: list[Span] = []
    theirs: list[Span] = []
    start = end = 0
    for span, side in sorted([(s, 0) for s in gold] + [(s, 1) for s in predicted]):
        if span.start >= end:
            if ours != theirs:
                yield start, end, tuple(ours), tuple(theirs)
            ours, theirs, start = [], [], span.start
        (theirs if side else ours).append(span)
        end = max(end, span.end)
    if ours != theirs:
        yield start, end, tuple(ours), tuple(theirs)
