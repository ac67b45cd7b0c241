"""What pages of HTML are made of: a frame that needs no other file, no network and no script.

Pages hold text of corpora. All of it goes through `text`, which escapes it, and a page's content
security policy lets it load and run nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import chain
from unicodedata import bidirectional

from fastner.tags import Span
from fastner.text import printable

Marked = tuple[Span, bool]  # an entity, and whether it is to stand out

_NOTHING = "<b></b>"  # above or below a word that no entity holds
_JOINERS = "\u200c\u200d"  # without width, but part of how scripts and emoji are spelt


def page(title: str, heading: str, facts: Mapping[str, str], parts: Iterable[str]) -> str:
    """The page, HTML to be written as UTF-8. title, heading and facts are text, parts are HTML."""
    return "".join(
        (
            _HEAD.format(title=text(title), style=_STYLE),
            f"<header><h1>{text(heading)}</h1>{terms('facts', facts)}</header>",
            *parts,
            _FOOT,
        )
    )


def text(text: str) -> str:
    """The text escaped, with what cannot be seen as its code point."""
    return printable(
        escape(text), keep=_JOINERS, escape=lambda char: f"<code>U+{ord(char):04X}</code>"
    )


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def cell(count: int) -> str:
    return f"{count:,}" if count else "<small>0</small>"


def counted(count: int, name: str) -> str:
    return f"{count:,} {name}" + "s" * (count != 1)


def table(note: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A note above a table; of HTML, each cell with the tag that opens it."""
    heads = "".join(f'<th scope="col">{name}' for name in head)
    body = "".join(f"<tr>{''.join(row)}\n" for row in rows)
    table = f"<table><thead><tr>{heads}\n<tbody>\n{body}</table>"
    return f'<p>{note}</p>\n<div class="wide">{table}</div>\n'


def terms(kind: str, terms: Mapping[str, str]) -> str:
    """Names and values, both text; kind: "facts" or "tiles"."""
    rows = "".join(f"<div><dt>{text(name)}<dd>{text(value)}</div>" for name, value in terms.items())
    return f'<dl class="{kind}">{rows}</dl>\n'


def listed(rows: Sequence[str]) -> str:
    return "<ul>\n{}\n</ul>\n".format("\n".join(rows)) if rows else "<p>None.</p>\n"


class Strips:
    """Sentences in strips: a column per word, its gold entity above it, the predicted one below.

    labels: of all entities; each has a hue.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._hue = {label: _HUES[i % len(_HUES)] for i, label in enumerate(labels)}

    def strip(
        self,
        words: Sequence[str],
        gold: Iterable[Marked],
        predicted: Iterable[Marked],
        *,
        shown: range,
        bold: range = range(0),
    ) -> str:
        """The words `shown` of a sentence, those that are `bold` so.

        Dots say where the sentence goes on.
        """
        first, last = shown.start, shown.stop
        above, below = ([_NOTHING] * (last - first) for _ in range(2))
        for side, marked in ((above, gold), (below, predicted)):
            for span, wrong in marked:
                self._mark(side, span, first, wrong)
        columns = [_column(_NOTHING, "…", _NOTHING)] * (first > 0)
        for i in shown:
            word = f"<strong>{text(words[i])}</strong>" if i in bold else text(words[i])
            columns.append(_column(above[i - first], word, below[i - first]))
        columns += [_column(_NOTHING, "…", _NOTHING)] * (last < len(words))
        return f'<div class="strip" dir="{_direction(words)}">{"".join(columns)}</div>'

    def _mark(self, bands: list[str], span: Span, first: int, wrong: bool) -> None:
        for token in range(max(span.start, first), min(span.end, first + len(bands))):
            kinds = ["wrong"] * wrong
            kinds += ["first"] * (token == span.start) + ["last"] * (token == span.end - 1)
            name = text(span.label) if token in (span.start, first) else ""
            style = f"--hue: {self._hue[span.label]}"
            bands[token - first] = f'<b class="{" ".join(kinds)}" style="{style}">{name}</b>'


def _column(above: str, word: str, below: str) -> str:
    return f"<span>{above}<span>{word} </span>{below}</span>"


def _direction(words: Iterable[str]) -> str:
    """rtl where the first letter that has a direction is of a script that runs to the left."""
    kinds = map(bidirectional, chain.from_iterable(words))
    return "rtl" if next((k for k in kinds if k in ("L", "R", "AL")), "L") != "L" else "ltr"


_HUES = (255, 50, 150, 325, 200, 90, 290, 20)  # of OKLCH; with more labels they come again

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
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
th.wraps { min-width: 7rem; white-space: normal; overflow-wrap: anywhere; }
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
@media (width >= 48rem) { details li.case { grid-template-columns: 19rem 1fr; gap: 1rem; } }
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
