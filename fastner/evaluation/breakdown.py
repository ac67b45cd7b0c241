"""Scores of parts of a corpus: entities by length, and those that training text holds or lacks."""

from collections import Counter
from collections.abc import Callable, Sequence

from fastner.scoring import LabelScores, label_scores
from fastner.tags import Span, spans_of

LONGEST = 5  # tokens; longer entities are one part
SEEN, OTHER_LABEL, UNSEEN = "seen", "seen, other label", "unseen"


def by_length(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, LabelScores]:
    """Entity scores by the number of their tokens: "1", "2", …, "5+"."""

    def length(sentence: int, span: Span) -> str:
        tokens = span.end - span.start
        return str(tokens) if tokens < LONGEST else f"{LONGEST}+"

    return _parts(gold, predicted, length)


def by_seen(
    sentences: Sequence[Sequence[str]],
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    training: tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]],
) -> dict[str, LabelScores]:
    """Entity scores by whether their words, case and all, are an entity of training text.

    training: its words and tags. "seen": with the same label; "seen, other label": only with
    others; "unseen": not at all. Gold and predicted entities are each parted by their own words
    and label.
    """
    known = {
        (*words[start:end], label)
        for words, tags in zip(*training, strict=True)
        for start, end, label in spans_of(tags)
    }
    names = {name[:-1] for name in known}

    def seen(sentence: int, span: Span) -> str:
        name = tuple(sentences[sentence][span.start : span.end])
        if (*name, span.label) in known:
            return SEEN
        return OTHER_LABEL if name in names else UNSEEN

    found = _parts(gold, predicted, seen)
    return {part: found[part] for part in (SEEN, OTHER_LABEL, UNSEEN) if part in found}


def format_parts(title: str, parts: dict[str, LabelScores]) -> str:
    """A plain-text table in percent."""
    width = max(map(len, [title, *parts]))
    head = f"{title:{width}}  precision  recall      f1    gold  predicted  correct"
    lines = [
        f"{name:{width}}  {100 * row.precision:9.2f}  {100 * row.recall:6.2f}  {100 * row.f1:6.2f}"
        f"  {row.gold:6}  {row.predicted:9}  {row.correct:7}"
        for name, row in parts.items()
    ]
    return "\n".join([head, *lines])


def _parts(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    part: Callable[[int, Span], str],
) -> dict[str, LabelScores]:
    """The scores of each part; part: which one an entity of a sentence (from 0) belongs to."""
    counts: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for number, (gold_tags, tags) in enumerate(zip(gold, predicted, strict=True)):
        meant, found = spans_of(gold_tags), spans_of(tags)
        for counter, spans in zip(counts, (set(meant) & set(found), meant, found), strict=True):
            counter.update(part(number, span) for span in spans)
    correct, wanted, given = counts
    return {
        name: label_scores(correct=correct[name], gold=wanted[name], predicted=given[name])
        for name in sorted(wanted.keys() | given.keys())
    }
