"""The report of an evaluation: one HTML page that needs no other file, no network and no script.

It holds text of the corpus, all of it escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fastner.evaluation.analysis import ERRORS, KINDS, Analysis, Pair
from fastner.evaluation.page import (
    Strips,
    cell,
    counted,
    listed,
    page,
    percent,
    table,
    terms,
    text,
)

WORST_SHOWN = 50  # sentences
ERRORS_SHOWN = 100  # of each kind
WORDS_SHOWN = 300  # of a sentence
CONTEXT = 6  # words on either side of an error

_NAMES = {kind: kind.capitalize() for kind in KINDS} | {"both": "Label and boundary"}


def report_page(
    sentences: Sequence[Sequence[str]], analysis: Analysis, *, facts: Mapping[str, str]
) -> str:
    """The page, HTML to be written as UTF-8.

    sentences: the words of each sentence of the analysis. facts: what else to say about the run,
    by name, such as corpus and model. Any text may stand in either; a character that cannot be
    seen is shown as its code point.
    """
    scores = analysis.scores
    labels = list(scores.per_label)
    strips = _Strips(sentences, analysis.pairs, labels)
    worst = analysis.worst()
    tiles = {
        "entity F1": percent(scores.f1),
        "precision": percent(scores.precision),
        "recall": percent(scores.recall),
        "gold entities": f"{scores.gold:,}",
        "predicted": f"{scores.predicted:,}",
        "correct": f"{scores.correct:,}",
        "sentences": f"{len(sentences):,}",
        "with errors": f"{len(worst):,}",
    }
    return page(
        f"Evaluation: entity F1 {percent(scores.f1)}",
        "Evaluation",
        facts,
        (
            terms("tiles", tiles),
            "<h2>Scores by label</h2>",
            _score_table(analysis),
            "<h2>Kinds of errors</h2>",
            _kind_table(analysis, labels),
            "<h2>Confusion of labels</h2>",
            _confusion_table(analysis, labels),
            "<h2>Worst sentences</h2>",
            _worst(worst, strips),
            "<h2>All errors by kind</h2>",
            *(_errors(kind, analysis.errors(kind), strips) for kind in ERRORS),
        ),
    )


# --- tables ------------------------------------------------------------------------------------


def _score_table(analysis: Analysis) -> str:
    rows = [
        (
            f'<th scope="row">{text(name)}',
            f'<td class="bar"><i style="--share: {100 * row.f1:.2f}%"></i>{percent(row.f1)}',
            f"<td>{percent(row.precision)}",
            f"<td>{percent(row.recall)}",
            *(f"<td>{count:,}" for count in (row.gold, row.predicted, row.correct)),
        )
        for name, row in (*analysis.scores.per_label.items(), ("all", analysis.scores))
    ]
    note = (
        "An entity is correct when start, end and label agree, as conlleval counts. "
        f"Of all tokens {percent(analysis.scores.accuracy)} % bear the right tag."
    )
    head = ("label", "F1 (%)", "precision", "recall", "gold", "predicted", "correct")
    return table(note, head, rows)


def _kind_table(analysis: Analysis, labels: list[str]) -> str:
    scores = analysis.scores
    errors = sum(map(analysis.count, ERRORS))
    rows = []
    for kind, meaning in KINDS.items():
        count = analysis.count(kind)
        share, mended = "<td>", "<td>"
        if kind in ERRORS:
            part = 100 * count / max(errors, 1)
            share = f'<td class="bar"><i style="--share: {part:.2f}%"></i>{part:.1f}'
            f1 = analysis.f1_without(kind)
            mended = f"<td>{percent(f1)} <small>+{100 * (f1 - scores.f1):.2f}</small>"
        rows.append(
            (
                f'<th scope="row">{_NAMES[kind]} <small>{meaning}</small>',
                f"<td>{count:,}",
                share,
                mended,
                *(f"<td>{cell(analysis.counts[kind, label])}" for label in labels),
            )
        )
    note = (
        "Gold and predicted entities are paired one to one. All but the spurious ones add up to "
        f"the {scores.gold:,} gold entities, all but the missed ones to the {scores.predicted:,} "
        "predicted. F1 without them is what it would be had these errors not been made. The last "
        "columns count by gold label, spurious ones by predicted label."
    )
    head = ("kind", "count", "% of errors", "F1 without them", *map(text, labels))
    return table(note, head, rows)


def _confusion_table(analysis: Analysis, labels: list[str]) -> str:
    sides = [*labels, None]
    confusion = analysis.confusion
    largest = max((n for (gold, found), n in confusion.items() if gold != found), default=1)
    rows = []
    for gold in sides:
        row = [f'<th scope="row">{"none" if gold is None else text(gold)}']
        for found in sides:
            count = confusion[gold, found]
            if gold == found:
                row.append(f'<td class="right">{count:,}' if gold else "<td>")
            else:
                shade = f"--shade: {count / largest:.2f}"
                row.append(f'<td class="wrong" style="{shade}">{cell(count)}')
        rows.append((*row, f"<td>{sum(confusion[gold, found] for found in sides):,}"))
    columns = (sum(confusion[gold, found] for gold in sides) for found in sides)
    rows.append(('<th scope="row">sum', *(f"<td>{total:,}" for total in columns), "<td>"))
    note = (
        "Rows are gold labels, columns predicted ones, whether or not the boundaries agree; none "
        "stands for missed and spurious entities."
    )
    return table(note, ("gold \\ predicted", *map(text, labels), "none", "sum"), rows)


# --- sentences ---------------------------------------------------------------------------------


def _worst(worst: list[tuple[int, list[Pair]]], strips: _Strips) -> str:
    shown = worst[:WORST_SHOWN]
    rows = []
    for sentence, pairs in shown:
        errors = [pair for pair in pairs if pair.kind != "correct"]
        kinds = Counter(pair.kind for pair in errors)
        what = ", ".join(f"{kinds[kind]} {_NAMES[kind].lower()}" for kind in ERRORS if kinds[kind])
        length = strips.length(sentence)
        first = max(0, min(errors[0].start - CONTEXT, length - WORDS_SHOWN))
        last = min(length, first + WORDS_SHOWN)
        part = f"; words {first + 1:,} to {last:,} of {length:,}" if last - first < length else ""
        rows.append(
            f"<li><p>sentence {sentence + 1:,}: {counted(len(errors), 'error')} "
            f"<small>{what}{part}</small></p>{strips.strip(sentence, first, last)}"
        )
    note = (
        f"{len(shown):,} of {counted(len(worst), 'sentence')} with errors, most errors first. "
        "Sentences are numbered from 1. Above the words stand the gold entities, below them the "
        "predicted ones; strong colours are errors."
    )
    return f"<p>{note}</p>\n{listed(rows)}"


def _errors(kind: str, errors: list[Pair], strips: _Strips) -> str:
    rows = []
    for pair in errors[:ERRORS_SHOWN]:
        first = max(0, pair.start - CONTEXT)
        last = min(strips.length(pair.sentence), pair.end + CONTEXT, first + WORDS_SHOWN)
        strip = strips.strip(pair.sentence, first, last, pair)
        rows.append(f"<li><p>sentence {pair.sentence + 1:,}</p>{strip}")
    cut = f", of which the first {ERRORS_SHOWN:,} follow" if len(errors) > ERRORS_SHOWN else ""
    return (
        f"<details><summary>{_NAMES[kind]}: {len(errors):,}{cut} <small>{KINDS[kind]}</small>"
        f"</summary>{listed(rows)}</details>\n"
    )


class _Strips:
    """The sentences of an analysis in strips, wrong entities in strong colours."""

    def __init__(
        self, sentences: Sequence[Sequence[str]], pairs: Iterable[Pair], labels: list[str]
    ) -> None:
        self._sentences = sentences
        self._strips = Strips(labels)
        self._pairs: dict[int, list[Pair]] = {}
        for pair in pairs:
            self._pairs.setdefault(pair.sentence, []).append(pair)

    def length(self, sentence: int) -> int:
        return len(self._sentences[sentence])

    def strip(self, sentence: int, first: int, last: int, pair: Pair | None = None) -> str:
        """The words first to last (half-open) of a sentence, those of the pair in bold."""
        pairs = self._pairs[sentence]
        return self._strips.strip(
            self._sentences[sentence],
            [(p.gold, p.kind != "correct") for p in pairs if p.gold is not None],
            [(p.predicted, p.kind != "correct") for p in pairs if p.predicted is not None],
            shown=range(first, last),
            bold=range(pair.start, pair.end) if pair else range(0),
        )
