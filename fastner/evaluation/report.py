"""The report of an evaluation: one HTML page that needs no other file, no network and no script.

It holds text of the corpus. All of it is escaped, and the page's content security policy lets it
load and run nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import chain
from unicodedata import bidirectional

from fastner.evaluation.analysis import ERRORS, KINDS, Analysis, Pair
from fastner.tags import Span
from fastner.text import printable

WORST_SHOWN = 50  # sentences
ERRORS_SHOWN = 100  # of each kind
WORDS_SHOWN = 300  # of a sentence
CONTEXT = 6  # words on either side of an error

_NAMES = {kind: kind.capitalize() for kind in KINDS} | {"both": "Label and boundary"}
_NOTHING = "<b></b>"  # above or below a word that no entity holds
_JOINERS = "\u200c\u200d"  # without width, but part of how scripts and emoji are spelt


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
        "entity F1": _percent(scores.f1),
        "precision": _percent(scores.precision),
        "recall": _percent(scores.recall),
        "gold entities": f"{scores.gold:,}",
        "predicted": f"{scores.predicted:,}",
        "correct": f"{scores.correct:,}",
        "sentences": f"{len(sentences):,}",
        "with errors": f"{len(worst):,}",
    }
    return "".join(
        (
            _HEAD.format(f1=_percent(scores.f1), style=_STYLE),
            f"<header><h1>Evaluation</h1>{_terms('facts', facts)}</header>",
            _terms("tiles", tiles),
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
            _FOOT,
        )
    )


# --- tables ------------------------------------------------------------------------------------


def _score_table(analysis: Analysis) -> str:
    rows = [
        (
            f'<th scope="row">{_text(name)}',
            f'<td class="bar"><i style="--share: {100 * row.f1:.2f}%"></i>{_percent(row.f1)}',
            f"<td>{_percent(row.precision)}",
            f"<td>{_percent(row.recall)}",
            *(f"<td>{count:,}" for count in (row.gold, row.predicted, row.correct)),
        )
        for name, row in (*analysis.scores.per_label.items(), ("all", analysis.scores))
    ]
    note = (
        "An entity is correct when start, end and label agree, as conlleval counts. "
        f"Of all tokens {_percent(analysis.scores.accuracy)} % bear the right tag."
    )
    head = ("label", "F1 (%)", "precision", "recall", "gold", "predicted", "correct")
    return _table(note, head, rows)


def _kind_table(analysis: Analysis, labels: list[str]) -> str:
    scores = analysis.scores
    errors = sum(map(analysis.count, ERRORS))
    rows = []
    for kind, meaning in KINDS.items():
        count = analysis.count(kind)
        share, mended = "<td>", "<td>"
        if kind in ERRORS:
            percent = 100 * count / max(errors, 1)
            share = f'<td class="bar"><i style="--share: {percent:.2f}%"></i>{percent:.1f}'
            f1 = analysis.f1_without(kind)
            mended = f"<td>{_percent(f1)} <small>+{100 * (f1 - scores.f1):.2f}</small>"
        rows.append(
            (
                f'<th scope="row">{_NAMES[kind]} <small>{meaning}</small>',
                f"<td>{count:,}",
                share,
                mended,
                *(f"<td>{_cell(analysis.counts[kind, label])}" for label in labels),
            )
        )
    note = (
        "Gold and predicted entities are paired one to one. All but the spurious ones add up to "
        f"the {scores.gold:,} gold entities, all but the missed ones to the {scores.predicted:,} "
        "predicted. F1 without them is what it would be had these errors not been made. The last "
        "columns count by gold label, spurious ones by predicted label."
    )
    head = ("kind", "count", "% of errors", "F1 without them", *map(_text, labels))
    return _table(note, head, rows)


def _confusion_table(analysis: Analysis, labels: list[str]) -> str:
    sides = [*labels, None]
    confusion = analysis.confusion
    largest = max((n for (gold, found), n in confusion.items() if gold != found), default=1)
    rows = []
    for gold in sides:
        row = [f'<th scope="row">{"none" if gold is None else _text(gold)}']
        for found in sides:
            count = confusion[gold, found]
            if gold == found:
                row.append(f'<td class="right">{count:,}' if gold else "<td>")
            else:
                shade = f"--shade: {count / largest:.2f}"
                row.append(f'<td class="wrong" style="{shade}">{_cell(count)}')
        rows.append((*row, f"<td>{sum(confusion[gold, found] for found in sides):,}"))
    columns = (sum(confusion[gold, found] for gold in sides) for found in sides)
    rows.append(('<th scope="row">sum', *(f"<td>{total:,}" for total in columns), "<td>"))
    note = (
        "Rows are gold labels, columns predicted ones, whether or not the boundaries agree; none "
        "stands for missed and spurious entities."
    )
    return _table(note, ("gold \\ predicted", *map(_text, labels), "none", "sum"), rows)


def _table(note: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = "".join(f'<th scope="col">{name}' for name in head)
    body = "".join(f"<tr>{''.join(row)}\n" for row in rows)
    table = f"<table><thead><tr>{heads}\n<tbody>\n{body}</table>"
    return f'<p>{note}</p>\n<div class="wide">{table}</div>\n'


def _terms(kind: str, terms: Mapping[str, str]) -> str:
    rows = "".join(
        f"<div><dt>{_text(name)}<dd>{_text(value)}</div>" for name, value in terms.items()
    )
    return f'<dl class="{kind}">{rows}</dl>\n'


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
            f"<li><p>sentence {sentence + 1:,}: {_counted(len(errors), 'error')} "
            f"<small>{what}{part}</small></p>{strips.strip(sentence, first, last)}"
        )
    note = (
        f"{len(shown):,} of {_counted(len(worst), 'sentence')} with errors, most errors first. "
        "Sentences are numbered from 1. Above the words stand the gold entities, below them the "
        "predicted ones; strong colours are errors."
    )
    return f"<p>{note}</p>\n{_list(rows)}"


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
        f"</summary>{_list(rows)}</details>\n"
    )


def _list(rows: list[str]) -> str:
    return "<ul>\n{}\n</ul>\n".format("\n".join(rows)) if rows else "<p>None.</p>\n"


class _Strips:
    """Sentences in strips: a column per word, its gold entity above it, the predicted one below."""

    def __init__(
        self, sentences: Sequence[Sequence[str]], pairs: Iterable[Pair], labels: list[str]
    ) -> None:
        self._sentences = sentences
        self._hue = {label: _HUES[i % len(_HUES)] for i, label in enumerate(labels)}
        self._pairs: dict[int, list[Pair]] = {}
        for pair in pairs:
            self._pairs.setdefault(pair.sentence, []).append(pair)

    def length(self, sentence: int) -> int:
        return len(self._sentences[sentence])

    def strip(self, sentence: int, first: int, last: int, pair: Pair | None = None) -> str:
        """The words first to last (half-open) of a sentence, those of the pair in bold.

        Dots say where the sentence goes on.
        """
        words = self._sentences[sentence]
        gold, predicted = ([_NOTHING] * (last - first) for _ in range(2))
        for other in self._pairs[sentence]:
            for side, span in ((gold, other.gold), (predicted, other.predicted)):
                if span is not None:
                    self._mark(side, span, first, other.kind != "correct")
        bold = range(pair.start, pair.end) if pair else ()
        columns = [_column(_NOTHING, "…", _NOTHING)] * (first > 0)
        for i in range(first, last):
            word = f"<strong>{_text(words[i])}</strong>" if i in bold else _text(words[i])
            columns.append(_column(gold[i - first], word, predicted[i - first]))
        columns += [_column(_NOTHING, "…", _NOTHING)] * (last < len(words))
        return f'<div class="strip" dir="{_direction(words)}">{"".join(columns)}</div>'

    def _mark(self, bands: list[str], span: Span, first: int, wrong: bool) -> None:
        for token in range(max(span.start, first), min(span.end, first + len(bands))):
            kinds = ["wrong"] * wrong
            kinds += ["first"] * (token == span.start) + ["last"] * (token == span.end - 1)
            name = _text(span.label) if token in (span.start, first) else ""
            style = f"--hue: {self._hue[span.label]}"
            bands[token - first] = f'<b class="{" ".join(kinds)}" style="{style}">{name}</b>'


def _column(above: str, word: str, below: str) -> str:
    return f"<span>{above}<span>{word} </span>{below}</span>"


def _direction(words: Iterable[str]) -> str:
    """rtl where the first letter that has a direction is of a script that runs to the left."""
    kinds = map(bidirectional, chain.from_iterable(words))
    return "rtl" if next((k for k in kinds if k in ("L", "R", "AL")), "L") != "L" else "ltr"


# --- text --------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """The text escaped, with what cannot be seen as its code point."""
    return printable(
        escape(text), keep=_JOINERS, escape=lambda char: f"<code>U+{ord(char):04X}</code>"
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def _cell(count: int) -> str:
    return f"{count:,}" if count else "<small>0</small>"


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}" + "s" * (count != 1)


_HUES = (255, 50, 150, 325, 200, 90, 290, 20)  # of OKLCH; with more labels they come again

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Evaluation: entity F1 {f1}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
"""

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --soft: #59636e; --line: #d8dee4;
        --bar: #c9daf2; --wrong: 232 120 60; --right-back: 92% .045; --right-ink: 38% .1;
        --wrong-back: 47% .16; --wrong-ink: 100% 0; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --ink: #e3e7eb; --soft: #98a2ad; --line: #333a43;
          --bar: #2b476e; --wrong: 216 110 50; --right-back: 30% .05; --right-ink: 84% .08;
          --wrong-back: 76% .13; --wrong-ink: 18% .02; }
}
body { margin: 0 auto; max-width: 68rem; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem;
       background: var(--paper); color: var(--ink); font: .95rem/1.5 system-ui, sans-serif;
       font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
@media (width < 62rem) { .tiles { --columns: 4; } }
@media (width < 36rem) { .tiles { --columns: 2; } }
h1 { margin: 0; font-size: 1.7rem; }
h2 { margin: 3rem 0 .5rem; font-size: 1.2rem; }
p { max-width: 46rem; margin: .25rem 0 1rem; color: var(--soft); }
small { color: var(--soft); font-size: .85em; font-weight: 400; }
code { padding: 0 .25em; border-radius: .25em; background: var(--line); font-size: .75em; }
dl, dd { margin: 0; }
dt { color: var(--soft); }
.facts div { display: grid; grid-template-columns: 6rem 1fr; gap: 1rem; }
.facts { margin-top: .75rem; }
.tiles { display: grid; grid-template-columns: repeat(var(--columns, 8), 1fr); gap: 1px;
         margin-top: 1.75rem; border: 1px solid var(--line); border-radius: .6rem;
         background: var(--line); overflow: hidden; }
.tiles div { padding: .7rem 1rem; background: var(--paper); }
.tiles dt { font-size: .8rem; }
.tiles dd { font-size: 1.4rem; font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .9rem; border-bottom: 1px solid var(--line); text-align: right;
         white-space: nowrap; }
th { font-weight: 600; text-align: left; overflow-wrap: normal; }
thead th { color: var(--soft); font-size: .8rem; font-weight: 400; text-align: right; }
thead th:first-child { text-align: left; }
th[scope=row] { position: sticky; left: 0; background: var(--paper); }
th small { display: block; white-space: normal; min-width: 13rem; }
.bar { position: relative; min-width: 6rem; }
.bar i { position: absolute; inset: .25rem auto .25rem 0; width: var(--share); z-index: -1;
         border-radius: .2rem; background: var(--bar); }
.right { font-weight: 600; }
.wrong { background: rgb(var(--wrong) / calc(var(--shade, 0) * .55)); }
ul { margin: 0; padding: 0; list-style: none; }
li { padding: .8rem 0 .5rem; border-top: 1px solid var(--line); }
li p { margin: 0 0 .35rem; font-size: .85rem; }
details { border: 1px solid var(--line); border-radius: .6rem; margin: .6rem 0; }
summary { padding: .6rem 1rem; cursor: pointer; font-weight: 600; }
@media (width >= 48rem) { details li { display: grid; grid-template-columns: 9rem 1fr; } }
details ul, details > p { padding: 0 1rem; }
.strip { line-height: 1.3; }
.strip::before { content: "gold\\A\\Apredicted"; display: inline-block; width: 4.2rem;
                 color: var(--soft); font-size: .65rem; line-height: 1.16rem; white-space: pre;
                 vertical-align: top; }
.strip > span { display: inline-flex; flex-direction: column; vertical-align: top;
                padding-bottom: .6rem; max-width: 100%; }
.strip > span > span { padding: .1rem 0 .1rem .2em; white-space: pre-wrap; }
.strip b { box-sizing: border-box; height: 1rem; padding: 0 .35em; white-space: nowrap;
           font-size: .65rem; line-height: 1rem; letter-spacing: .03em; font-weight: 600; }
.strip b[style] { color: oklch(var(--right-ink) var(--hue));
                  background: oklch(var(--right-back) var(--hue)); }
.strip b.wrong { color: oklch(var(--wrong-ink) var(--hue));
                 background: oklch(var(--wrong-back) var(--hue)); }
.strip b.first { margin-inline-start: .15em; border-start-start-radius: .3rem;
                 border-end-start-radius: .3rem; }
.strip b.last { margin-inline-end: .15em; border-start-end-radius: .3rem;
                border-end-end-radius: .3rem; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
"""

_FOOT = """<footer>This page quotes the corpus: share it only as the corpus may be shared.</footer>
</html>
"""
