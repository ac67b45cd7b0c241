"""The tokenizer: on any text nothing is lost, offsets are exact, time is linear."""

import re
import time

import reference

from fastner.lists.rules import CLASSES, LANGUAGES, PIECE
from fastner.text import Token, printable, rules, tokenize
from fuzz.source import Source

# What the rules look at, so that random text reaches their corners.
RULES = [
    *"a A The Mr Inc U.S No I n't don't 's ' ’ \" “ ” . .. ... … ! ? ,".split(),
    *"- -- – ( ) [ ]".split(),
    *"1 12 1,5 $ % & @ # + / : http:// a@b.c x.de/y 。 東 👍 🏽 🇫 * • `` ''".split(),
    *"<b> </p> <!-- --> <script> &amp; &nbsp; &#8203; &".split(),
    *"_ __ ** ~~ ` ](a.b) ![ | |- > # and".split(),
    *("\u0301", "\u200d", "\ufe0f", "\ud83d", "\u200b", "\xad", "\ufeff", "\uff21", "\uff0e", "\f"),
    *(" ", " ", "  ", "\n", "\n\n", "\r\n", "\t", "\x00", "\x85", "\u3000", "\u2029"),
]
LONG = 30_000  # characters: quadratic time would be seconds


def check_invariants(text):
    sentences = tokenize(text)
    assert all(sentences)
    done = 0
    for sentence in sentences:
        for token in sentence:
            assert type(token) is Token
            assert text[token.start : token.end] == token.text != ""
            gap = text[done : token.start]
            assert done <= token.start and (not gap or gap.isspace())
            inside = token.text.split()
            # white space only where a word is hyphenated at a line end, or in a link's title
            assert len(inside) == 1 or token.markup or set(inside[0]) & set("-\u2010\uff0d\xad")
            done = token.end
    assert not text[done:].strip()


def check_pieces(text):
    """Tokens are the pieces that the reference finds, but for dots glued to what they shorten."""
    pieces = reference.text_pieces(text, PIECE, CLASSES)
    begins = iter(pieces)
    for token in (t for sentence in tokenize(text, lines="sentences") for t in sentence):
        begin, end, markup = next(begins)
        assert (begin, markup) == (token.start, token.markup), (token, begin, end, markup)
        if end != token.end:
            begin, last, markup = next(begins)
            assert (begin, last, markup) == (end, token.end, False)
            assert text[end] in ".\uff0e"
    assert next(begins, None) is None


def check_utf8(text):
    """UTF-8 is cut as the str is, with offsets in bytes beside those in characters."""
    data = text.encode("utf-8", "replace")
    text = data.decode()
    cut = rules("en").split_utf8(data)
    assert [[row[:2] for row in s] for s in cut] == [[t[1:3] for t in s] for s in tokenize(text)]
    assert all(
        data[first:last] == text[start:end].encode()
        for sentence in cut
        for start, end, first, last in sentence
    )


def check_options(text):
    """In any language, with any lines, and in HTML, tokens are in order and nothing is lost."""
    for language in LANGUAGES:
        for html, lines in ((False, "auto"), (True, "wrapped")):
            done, between = 0, []
            sentences = tokenize(text, language=language, lines=lines, html=html)
            assert all(sentences)
            for token in (token for sentence in sentences for token in sentence):
                assert done <= token.start < token.end
                assert text[token.start : token.end] == token.text
                between.append(text[done : token.start])
                done = token.end
            rest = "".join(between) + text[done:]
            if html:  # entities may be white space
                rest = re.sub("&[#A-Za-z0-9]+;", "", rest)
            assert not rest.strip()


def fuzz_text(data):
    """First byte: how the others stand for text."""
    source = Source(data)
    kind = source.below(3)
    rest = source.rest()
    if kind == 0:
        text = rest.decode("utf-8", "surrogateescape")
    elif kind == 1:
        text = rest[: len(rest) & ~1].decode("utf-16-le", "surrogatepass")
    else:
        text = _of_rules(rest)
    check_invariants(text)
    check_pieces(text)
    check_utf8(text)
    check_options(text)
    assert printable(text).isprintable()


def fuzz_linear(data):
    """A long text that repeats a few pieces, perhaps after another and before a third."""
    source = Source(data)
    before, after = source.pick(["", *RULES]), source.pick(["", *RULES])
    unit = _of_rules(source.rest()) or "."
    text = before + unit * (LONG // len(unit)) + after
    began = time.process_time()
    tokenize(text, html=bool(len(unit) % 2))
    seconds = time.process_time() - began
    assert seconds < 1e-5 * len(text) + 1, f"{seconds:.1f} s for {unit!a} repeated"


def _of_rules(data):
    return "".join(RULES[byte % len(RULES)] for byte in data)


SEEDS = [
    b"",
    b'\x00Mr. Roe\'s U.S.-led 1,234.56 talks (see http://a.org/b?c). "Go!" he said.\n\n1. a@b.co',
    "\x00東京です。「次。」 👨\u200d👩\u200d👧🏽 🇫🇷 e\u0301 \u2029 \ufeff؟".encode(),
    b"\x01" + "J. A. Roe \ud83d \u0130ſ".encode("utf-16-le", "surrogatepass"),
    b"\x02" + bytes(range(len(RULES))),
]
LINEAR_SEEDS = [
    b"\x00\x00\x1d\x13",
    b"\x02\x03\x24\x27",
    *(bytes([0, 9, i]) for i in range(0, len(RULES), 3)),
]
WORDS = ["http://", "www.", "n't", "'s", "U.S.", "Mr.", "Inc.", "...", "\n\n", "\n1. ", "a@b.c"]
