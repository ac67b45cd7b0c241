"""Words of a corpus back to raw text: what the corpus sets apart is joined as it stands in print.

A corpus does not say where blanks were, so rules do: closing punctuation and clitics stand close to
the word before them, opening brackets and `$` to the word behind, quotes by turns. Slow, careful,
and the same for the same words; the offsets of all words come out of it. What no rule can know
stays as it is in the corpus: the blanks of headlines ("SOCCER - RESULTS"), and of tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FORMS = ("a line each", "flowing", "wrapped", "wrapped, lists too")
WIDTH = 72  # columns of the wrapped forms

Sentences = Sequence[Sequence[str]]
Offsets = list[tuple[int, int]]

_CLITIC = re.compile(r"(?i)['’`](?:s|d|m|ll|re|ve)|n['’]t")
_CLOSING = re.compile(r"[.,;:!?]+|[)\]}”»]+|…")  # "..." and "!?" are one word in a corpus
_OPENING = re.compile(r"[(\[{“«]+|``?")
_CURRENCY = re.compile(r"[A-Z]{0,3}\$|[£€¥#]")
_ONE_WORD = {("gon", "na"), ("wan", "na"), ("got", "ta"), ("lem", "me"), ("gim", "me")}
_ENDS = re.compile(r"[.!?…]+")
_JOINED = re.compile(r"[-/]")


@dataclass(frozen=True)
class RawText:
    """A text, and the half-open range of characters of each word, by sentence.

    A quotation mark that opens at the very end of a sentence of the corpus is the first word of
    the next one here; the order of all words stays.
    """

    text: str
    sentences: list[Offsets]


def raw_text(sentences: Sentences, form: str, *, hyphenated: bool = False) -> RawText:
    """One document as raw text, in one of FORMS.

    a line each: a line for every sentence. flowing: sentences of prose that follow each other are
    a paragraph of one line; headlines, datelines and rows of tables keep lines of their own.
    wrapped: flowing, with line ends for blanks so that no line of prose exceeds WIDTH columns where
    its words allow it; lists too: and no other line either, as in a text that a program wrapped
    without looking. hyphenated: "-" between words stands without blanks, as in corpora that
    split hyphenated words.
    """
    if form not in FORMS:
        raise ValueError(f"expected one of {', '.join(FORMS)}, got {form!r}")
    sentences = [list(sentence) for sentence in sentences if sentence]
    blanks = _blanks(sentences, hyphenated)
    sentences, blanks = _move_opening_quotes(sentences, blanks)
    prose = [form != "a line each" and is_prose(sentence) for sentence in sentences]
    pieces: list[str] = []
    flows: list[bool] = prose[:1]  # of each line of the text
    offsets: list[Offsets] = []
    at = 0
    for number, (words, spaced) in enumerate(zip(sentences, blanks, strict=True)):
        if number:
            before, here = prose[number - 1 : number + 1]
            if before == here or _goes_on(sentences[number - 1], words):
                pieces.append(" " if before and here else "\n")
            else:
                pieces.append("\n\n")
            flows += [here] * pieces[-1].count("\n")
            at += len(pieces[-1])
        offsets.append([])
        for word, blank in zip(words, spaced, strict=True):
            pieces.append(" " * blank + word)
            at += len(pieces[-1])
            offsets[-1].append((at - len(word), at))
    lines = "".join(pieces).split("\n")
    if "wrapped" in form:
        lists = form == FORMS[-1]
        lines = [
            wrapped(line, WIDTH) if flow or lists else line
            for line, flow in zip(lines, flows, strict=True)
        ]
    return RawText("\n".join(lines), offsets)


def wrapped(line: str, width: int) -> str:
    """The line with line ends in place of blanks, for lines of this width if words allow it."""
    lines = []
    start = 0
    while len(line) - start > width:
        cut = line.rfind(" ", start, start + width + 1)
        if cut < 0:
            cut = line.find(" ", start + width)
        if cut < 0:
            break
        lines.append(line[start:cut])
        start = cut + 1
    return "\n".join([*lines, line[start:]])


def is_prose(sentence: Sequence[str]) -> bool:
    """Whether it is a sentence of running text: it ends as one and has words in lower case."""
    end = len(sentence)
    while end and sentence[end - 1] in {'"', "'", "''", "”", "’", ")"}:
        end -= 1
    ends = end > 0 and bool(_ENDS.fullmatch(sentence[end - 1]))
    return ends and sum(word.islower() and word.isalpha() for word in sentence) >= 2


def _goes_on(sentence: Sequence[str], following: Sequence[str]) -> bool:
    """Whether the corpus cut a sentence at the end of a line of print."""
    return not is_prose(sentence) and following[0].islower() and sentence[-1] not in ".:"


def _blanks(sentences: Sentences, hyphenated: bool) -> list[list[bool]]:
    """Whether a blank stands before each word; never before the first of a sentence."""
    quoted = {'"': False, "'": False}  # a quotation may go on over sentences
    rows = []
    for words in sentences:
        sides = [_sides(words, i, quoted, hyphenated) for i in range(len(words))]
        row = [False]
        for (_, joins_next), (joins_last, _) in pairwise(sides):
            row.append(not (joins_next or joins_last))
        rows.append(row)
    return rows


def _sides(
    words: Sequence[str], i: int, quoted: dict[str, bool], hyphens: bool
) -> tuple[bool, bool]:
    """Whether words[i] is joined to the word before it, and to the one behind it."""
    word = words[i]
    last = words[i - 1] if i else ""
    following = words[i + 1] if i + 1 < len(words) else ""
    if word in ('"', "''"):
        opens = not quoted['"'] if i else following not in ("", ".", ",")
        quoted['"'] = opens
        return not opens, opens
    if word in ("'", "’"):
        return _single_quote(words, i, quoted)
    if _OPENING.fullmatch(word):
        quoted["'"] |= word == "`"
        return False, True
    if _CLITIC.fullmatch(word) or (last.lower(), word.lower()) in _ONE_WORD:
        return True, False
    if _CLOSING.fullmatch(word):
        return True, False
    if re.match(r"['’][A-Z]", word) and re.fullmatch("[A-Z]", last):  # O 'Neill
        return True, False
    if re.match(r"`.", word):  # `LOST
        quoted["'"] = True
    if _CURRENCY.fullmatch(word):
        return False, bool(re.match(r"\.?[0-9]", following))
    if word == "%":
        return last[-1:].isdigit(), False
    if word == "/" or (word == "-" and hyphens):
        joined = last[-1:].isalnum() and (following[:1].isalnum() or following[:1] in "$.")
        joined = joined and following != ""
        return joined, joined
    return False, False


def _single_quote(words: Sequence[str], i: int, quoted: dict[str, bool]) -> tuple[bool, bool]:
    """Of a "'" that is a word: an apostrophe behind a plural or before a year, or a quote."""
    last = words[i - 1] if i else ""
    following = words[i + 1] if i + 1 < len(words) else ""
    if re.fullmatch("[0-9]{2}s?", following):  # ' 91
        return False, True
    if quoted["'"] and (last[-1:].lower() != "s" or not following[:1].isalnum()):
        quoted["'"] = False
        return True, False
    more = any(word in ("'", "’") for word in words[i + 1 :])
    if last in ("", '"', "``", "(", ",", ":", "-", "--") or (more and last[-1:].lower() != "s"):
        quoted["'"] = True
        return False, True
    return True, False


def _move_opening_quotes(
    sentences: list[list[str]], blanks: list[list[bool]]
) -> tuple[list[list[str]], list[list[bool]]]:
    """The same with a quote that opens at the end of a sentence moved to the next sentence."""
    sentences, blanks = [list(s) for s in sentences], [list(b) for b in blanks]
    for i in range(len(sentences) - 1):
        if len(sentences[i]) > 1 and sentences[i][-1] in ('"', "''") and blanks[i][-1]:
            sentences[i + 1].insert(0, sentences[i].pop())
            blanks[i].pop()
            blanks[i + 1].insert(0, False)
    return sentences, blanks
