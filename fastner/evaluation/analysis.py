"""What kind of errors a tagger makes: gold and predicted entities of a corpus, paired one to one.

A pair shares at least one token. Within a sentence pairs are made in this order, and no entity is
in two: those of the same tokens; then those of the same label; then the others; in each of these
more shared tokens come first, and what stands further left. Every gold entity is then correct, an
error of label, boundary or both, or missed; every predicted one is one of the first four, or
spurious: see KINDS.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from fastner.scoring import Scores, html_table, score
from fastner.tags import Span, spans_of

KINDS = {
    "correct": "same words, same label",
    "label": "same words, another label",
    "boundary": "same label, but other words of which some are shared",
    "both": "another label, and other words of which some are shared",
    "missed": "gold, and no predicted entity stands for it",
    "spurious": "predicted, and it stands for no gold entity",
}
ERRORS = tuple(KINDS)[1:]


class Pair(NamedTuple):
    """A gold and a predicted entity that stand for each other, or one of them alone."""

    sentence: int  # from 0
    gold: Span | None
    predicted: Span | None

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if self.predicted is None:
            return "missed"
        if self.gold is None:
            return "spurious"
        tokens = self.gold[:2] == self.predicted[:2]
        if self.gold.label == self.predicted.label:
            return "correct" if tokens else "boundary"
        return "label" if tokens else "both"

    @property
    def spans(self) -> list[Span]:
        """The entities that there are, the gold one first."""
        return [span for span in (self.gold, self.predicted) if span is not None]

    @property
    def start(self) -> int:
        """The first token of either entity."""
        return min(span.start for span in self.spans)

    @property
    def end(self) -> int:
        """Past the last token of either entity."""
        return max(span.end for span in self.spans)


@dataclass(frozen=True)
class Analysis:
    """The pairs of a corpus, in order of sentences and of `pair_spans`, and its entity scores."""

    scores: Scores
    pairs: tuple[Pair, ...]

    @cached_property
    def counts(self) -> Counter[tuple[str, str]]:
        """Pairs by kind and label: the gold label, of spurious ones the predicted label."""
        return Counter((pair.kind, pair.spans[0].label) for pair in self.pairs)

    @cached_property
    def confusion(self) -> Counter[tuple[str | None, str | None]]:
        """Pairs by gold and predicted label, None for what is missing, whatever the boundaries."""
        return Counter(
            (pair.gold and pair.gold.label, pair.predicted and pair.predicted.label)
            for pair in self.pairs
        )

    def count(self, kind: str) -> int:
        """Pairs of this kind."""
        return sum(count for (other, _), count in self.counts.items() if other == kind)

    def errors(self, kind: str) -> list[Pair]:
        """Pairs of this kind, in order."""
        return [pair for pair in self.pairs if pair.kind == kind]

    def worst(self) -> list[tuple[int, list[Pair]]]:
        """The sentences with errors and all their pairs, most errors first, then in order."""
        wrong = Counter(pair.sentence for pair in self.pairs if pair.kind != "correct")
        rows = [(i, list(pairs)) for i, pairs in groupby(self.pairs, attrgetter("sentence"))]
        return sorted((row for row in rows if wrong[row[0]]), key=lambda row: -wrong[row[0]])

    def f1_without(self, kind: str) -> float:
        """Entity F1 had the errors of this kind not been made and all else been the same.

        Pairs would be correct, missed entities found, spurious ones absent.
        """
        errors = self.count(kind)
        correct = self.scores.correct + (errors if kind != "spurious" else 0)
        predicted = self.scores.predicted + {"missed": errors, "spurious": -errors}.get(kind, 0)
        whole = self.scores.gold + predicted
        return 2 * correct / whole if whole else 0.0

    def _repr_html_(self) -> str:
        """The pairs by kind and label, and F1 without each kind of errors, for Jupyter."""
        labels = sorted({label for _, label in self.counts})
        rows = (
            (
                kind,
                *(f"{self.counts[kind, label]:,}" for label in labels),
                f"{self.count(kind):,}",
                f"{100 * self.f1_without(kind):.2f}" if kind in ERRORS else "",
            )
            for kind in KINDS
        )
        head = ("", *labels, "all", "F1 without them")
        return html_table(f"entities by kind of error; F1 {100 * self.scores.f1:.2f}", head, rows)


def analyse(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Analysis:
    """The analysis of one sequence of tags per sentence on both sides, in any scheme.

    Raises InputError as `score` does.
    """
    scores = score(gold, predicted)
    pairs = [
        Pair(i, *pair)
        for i, (meant, found) in enumerate(zip(gold, predicted, strict=True))
        for pair in pair_spans(spans_of(meant), spans_of(found))
    ]
    return Analysis(scores, tuple(pairs))


def pair_spans(
    gold: Sequence[Span], predicted: Sequence[Span]
) -> Iterator[tuple[Span | None, Span | None]]:
    """The pairs of one sentence in order of their gold spans, spurious ones where they start.

    The spans of each side are in order and do not overlap. How they are paired is in the docstring
    of this module. Takes n log n time.
    """
    candidates = []
    i = j = 0
    while i < len(gold) and j < len(predicted):
        one, two = gold[i], predicted[j]
        shared = min(one.end, two.end) - max(one.start, two.start)
        if shared > 0:
            candidates.append((one[:2] != two[:2], one.label != two.label, -shared, i, j))
        if one.end <= two.end:
            i += 1
        else:
            j += 1
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for *_, i, j in sorted(candidates):
        if i not in partner and j not in taken:
            partner[i] = j
            taken.add(j)
    pairs: list[tuple[int, Span | None, Span | None]] = [
        (span.start, span, predicted[partner[i]] if i in partner else None)
        for i, span in enumerate(gold)
    ]
    pairs += [(span.start, None, span) for j, span in enumerate(predicted) if j not in taken]
    for _, meant, found in sorted(pairs, key=itemgetter(0)):
        yield meant, found
