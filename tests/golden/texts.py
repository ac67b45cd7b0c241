"""Reads texts.txt: the texts of the golden tokens, and what a careful reader expects of some."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fastner.lists.rules import LANGUAGES

TEXTS = Path(__file__).with_name("texts.txt")
LINES = ("auto", "sentences", "wrapped")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([ntrfv\\]))")
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "\\": "\\"}


class Text(NamedTuple):
    """A text, the options it is tokenised with, and the sentences expected of it, if any are.

    expected: sentences of (token, whether it is markup). known: the tokenizer is known to give
    others.
    """

    line: int
    kind: str
    text: str
    language: str
    lines: str
    html: bool
    expected: list[list[tuple[str, bool]]]
    known: bool


def read_texts(path: Path = TEXTS) -> list[Text]:
    """All texts of the file, in order. Raises ValueError for a line that is none of its forms."""
    texts: list[Text] = []
    kind, language, lines, html = "", "en", "auto", False
    for number, line in enumerate(path.read_bytes().decode().split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            kind, *options = line.strip("[]").split()
            language = next((option for option in options if option in LANGUAGES), "en")
            lines = next((option for option in options if option in LINES), "auto")
            html = "html" in options
            if unknown := set(options) - {language, lines, "html"}:
                raise ValueError(f"{path}:{number}: expected options, got {sorted(unknown)}")
        elif line == ">" or line.startswith("> "):
            texts.append(Text(number, kind, _plain(line[2:]), language, lines, html, [], False))
        elif line.startswith(("= ", "! ")) and texts:
            texts[-1].expected.append([_token(word) for word in line[2:].split(" ")])
            texts[-1] = texts[-1]._replace(known=line.startswith("!"))
        else:
            raise ValueError(f"{path}:{number}: expected one of [>=!#, got {line!r}")
    return texts


def spelled(text: str) -> str:
    """The text as texts.txt has it in a token: what does not print is escaped."""
    return "".join(char if char.isprintable() and char != "\\" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    point = ord(char)
    for plain, name in _SIMPLE.items():
        if name == char:
            return "\\" + plain
    return (
        f"\\x{point:02x}"
        if point < 0x100
        else f"\\u{point:04x}"
        if point < 0x10000
        else f"\\U{point:08x}"
    )


def _token(word: str) -> tuple[str, bool]:
    markup = word.startswith("⟦") and word.endswith("⟧")
    return _plain(word[1:-1] if markup else word), markup


def _plain(line: str) -> str:
    def char(match: re.Match[str]) -> str:
        byte, short, long, simple = match.groups()
        return _SIMPLE[simple] if simple else chr(int(byte or short or long, 16))

    return _ESCAPE.sub(char, line)
