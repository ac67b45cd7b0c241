"""Scores: how far predicted tags agree with gold tags, by entity (conlleval) and by token."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from operator import eq
from typing import Any

from fastner.errors import InputError
from fastner.tags import Span, spans_of


@dataclass(frozen=True)
class LabelScores:
    """Entities of one label, or of all: fractions in [0, 1] and counts.

    An entity is correct when start, end and label agree. precision is correct / predicted,
    recall correct / gold, f1 their harmonic mean; each is 0 where it would divide by 0.
    """

    precision: float
    recall: float
    f1: float
    gold: int
    predicted: int
    correct: int


@dataclass(frozen=True)
class Scores(LabelScores):
    """Entity scores over all labels (micro average), token accuracy, and each label's own.

    per_label is sorted and holds every label seen in gold or prediction.
    """

    accuracy: float
    per_label: dict[str, LabelScores]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts of the same names, ready for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """The table of `format_scores`, for Jupyter."""
        rows = [
            (
                name,
                *(f"{100 * share:.2f}" for share in (row.precision, row.recall, row.f1)),
                *(f"{count:,}" for count in (row.gold, row.predicted, row.correct)),
            )
            for name, row in (*self.per_label.items(), ("all", self))
        ]
        head = ("", "precision", "recall", "F1", "gold", "predicted", "correct")
        return html_table(f"token accuracy {100 * self.accuracy:.2f} %", head, rows)


@dataclass(frozen=True)
class TagScores:
    """Tokens of one tag, or an average: fractions in [0, 1]; support counts gold tokens."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class TokenReport:
    """What scikit-learn's classification_report says, every token being one sample.

    per_tag is sorted and holds every tag seen in gold or prediction; macro is the plain mean
    over it and weighted the mean by support. A division by 0 gives 0.
    """

    per_tag: dict[str, TagScores]
    accuracy: float
    macro: TagScores
    weighted: TagScores

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts of the same names, ready for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """The table of `format_token_report`, for Jupyter."""
        averages = ("macro avg", self.macro), ("weighted avg", self.weighted)
        rows = [
            (
                name,
                *(f"{share:.4f}" for share in (row.precision, row.recall, row.f1)),
                f"{row.support:,}",
            )
            for name, row in (*self.per_tag.items(), *averages)
        ]
        head = ("", "precision", "recall", "F1", "support")
        return html_table(f"accuracy {self.accuracy:.4f}", head, rows)


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Scores:
    """Entity scores, equal to the conlleval script of CoNLL-2003 on IOB1 and IOB2.

    Both arguments hold one sequence of tags per sentence; malformed ones count as conlleval
    counts them (see tags.spans_of) and the two sides may be in different schemes, although
    the token accuracy then compares unlike tags. BIOES is read as BIOES, where the script
    itself knows no S- and runs an entity on from E- to B-.

    Raises InputError, with the sentence (from 0), for lengths that differ and for what is not
    a tag.
    """
    _check_lengths(gold, predicted)
    gold_count: Counter[str] = Counter()
    predicted_count: Counter[str] = Counter()
    correct_count: Counter[str] = Counter()
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        gold_spans = _spans("gold", number, gold_tags)
        predicted_spans = _spans("predicted", number, predicted_tags)
        gold_count.update([label for _, _, label in gold_spans])
        predicted_count.update([label for _, _, label in predicted_spans])
        if gold_spans and predicted_spans:
            common = set(gold_spans).intersection(predicted_spans)
            correct_count.update([label for _, _, label in common])
    per_label = {
        label: label_scores(
            gold=gold_count[label],
            predicted=predicted_count[label],
            correct=correct_count[label],
        )
        for label in sorted(gold_count.keys() | predicted_count.keys())
    }
    totals = correct_count.total(), gold_count.total(), predicted_count.total()
    tokens = sum(map(len, gold))
    equal = sum(map(eq, chain.from_iterable(gold), chain.from_iterable(predicted)))
    return Scores(
        **_ratios(*totals),
        gold=totals[1],
        predicted=totals[2],
        correct=totals[0],
        accuracy=_ratio(equal, tokens),
        per_label=per_label,
    )


def label_scores(*, gold: int, predicted: int, correct: int) -> LabelScores:
    """The scores that follow from these counts of entities."""
    return LabelScores(
        **_ratios(correct, gold, predicted), gold=gold, predicted=predicted, correct=correct
    )


def token_report(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> TokenReport:
    """Precision, recall and F1 of every tag, counting tokens; tags may be any strings.

    Raises InputError, with the sentence (from 0), for lengths that differ.
    """
    _check_lengths(gold, predicted)
    pairs = Counter(zip(chain.from_iterable(gold), chain.from_iterable(predicted), strict=True))
    support: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for (gold_tag, predicted_tag), count in pairs.items():
        support[gold_tag] += count
        found[predicted_tag] += count
    per_tag = {
        tag: TagScores(**_ratios(pairs[tag, tag], support[tag], found[tag]), support=support[tag])
        for tag in sorted(support.keys() | found.keys())
    }
    tokens = support.total()
    return TokenReport(
        per_tag=per_tag,
        accuracy=_ratio(sum(pairs[tag, tag] for tag in per_tag), tokens),
        macro=_mean(per_tag, dict.fromkeys(per_tag, 1), tokens),
        weighted=_mean(per_tag, support, tokens),
    )


def format_scores(scores: Scores) -> str:
    """A plain-text table of entity scores in percent: a row per label, then all, then accuracy."""
    rows = [*scores.per_label.items(), ("all", scores)]
    width = max(len(name) for name, _ in rows)
    head = f"{'':{width}}  precision  recall      f1    gold  predicted  correct"
    lines = [
        f"{name:{width}}  {100 * row.precision:9.2f}  {100 * row.recall:6.2f}  {100 * row.f1:6.2f}"
        f"  {row.gold:6}  {row.predicted:9}  {row.correct:7}"
        for name, row in rows
    ]
    return "\n".join([head, *lines, f"token accuracy {100 * scores.accuracy:.2f} %"])


def format_token_report(report: TokenReport) -> str:
    """A plain-text table laid out as scikit-learn's, with four digits."""
    averages = {"macro avg": report.macro, "weighted avg": report.weighted}
    width = max(map(len, [*report.per_tag, *averages]))

    def row(name: str, scores: TagScores) -> str:
        return (
            f"{name:>{width}}  {scores.precision:9.4f}  {scores.recall:8.4f}"
            f"  {scores.f1:8.4f}  {scores.support:8}"
        )

    return "\n".join(
        [
            f"{'':{width}}  precision    recall  f1-score   support",
            "",
            *(row(tag, scores) for tag, scores in report.per_tag.items()),
            "",
            (
                f"{'accuracy':>{width}}  {'':9}  {'':8}  {report.accuracy:8.4f}"
                f"  {report.macro.support:8}"
            ),
            *(row(name, scores) for name, scores in averages.items()),
        ]
    )


def html_table(note: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of text, the first column of it the rows' names, and a note above it.

    Colours are the notebook's, all text is escaped, and a table that is too wide scrolls.
    """
    import html  # who scores elsewhere goes without

    def cells(tag: str, row: Iterable[str]) -> str:
        name, *rest = map(html.escape, row)
        return "".join(
            [f'<th style="text-align:left">{name}</th>', *(f"<{tag}>{c}</{tag}>" for c in rest)]
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    # the spacing is for pages without a style for tables: Jupyter has one, in which it is nothing
    style = "text-align:right;white-space:nowrap;border-spacing:8px 2px"
    page = (
        f'<div style="overflow-x:auto">{html.escape(note)}<table style="{style}">'
        f"<thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    return page.encode("utf-8", "xmlcharrefreplace").decode("utf-8")


def _check_lengths(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    if len(gold) != len(predicted):
        raise InputError(
            f"expected predictions for {len(gold)} sentences, got {len(predicted)}; "
            "pass one sequence of tags per sentence"
        )
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(predicted_tags):
            raise InputError(
                f"sentence {number}: expected {len(gold_tags)} predicted tags, "
                f"got {len(predicted_tags)}; pass one tag per word"
            )


def _spans(side: str, number: int, tags: Sequence[str]) -> list[Span]:
    try:
        return spans_of(tags)
    except InputError as error:
        raise InputError(f"{side} sentence {number}, {error}") from None


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _ratios(correct: int, gold: int, predicted: int) -> dict[str, float]:
    # 2PR / (P + R) = 2 correct / (gold + predicted)
    return {
        "precision": _ratio(correct, predicted),
        "recall": _ratio(correct, gold),
        "f1": _ratio(2 * correct, gold + predicted),
    }


def _mean(per_tag: dict[str, TagScores], weight: dict[str, int], support: int) -> TagScores:
    total = sum(weight[tag] for tag in per_tag)

    def mean(name: str) -> float:
        return _ratio(sum(getattr(s, name) * weight[tag] for tag, s in per_tag.items()), total)

    return TagScores(mean("precision"), mean("recall"), mean("f1"), support)
