"""What an export says of text: the tokenizer's rules as data, and golden tokens to hold it to."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fastner.lists.edges import lists_of
from fastner.lists.rules import LANGUAGES, PIECE, rules_of

# Written by tests/golden/make_tokens.py.
GOLDEN_TOKENS = Path(__file__).with_name("tokens.jsonl")
_ESCAPE = re.compile(r"\\(?:U([0-9a-f]{8})|u[0-9a-f]{4}|x[0-9a-f]{2}|(.))", re.IGNORECASE)


def tokenizer_json() -> bytes:
    """tokenizer.json, as docs/onnx.md describes it: pattern, classes, and words by language."""
    every = {language: rules_of(language) for language in LANGUAGES}
    classes = dict(every["en"]["classes"])
    del classes["spaced_closer"]
    rules = {
        "pattern": portable(PIECE),
        "classes": classes,
        "entities": every["en"]["entities"],
        "languages": {
            language: {
                "words": own["words"],
                "ordinals": own["ordinals"],
                "spaced_closers": _points(own["classes"]["spaced_closer"]),
                "edges": _edges(language),
            }
            for language, own in every.items()
        },
    }
    return json.dumps(rules, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _points(ranges: list[tuple[int, int]]) -> list[int]:
    return [point for first, last in ranges for point in range(first, last + 1)]


def _edges(language: str) -> dict[str, list[str]]:
    """The lists of `fastner.lists.edges`, in order."""
    return {name: sorted(items) for name, items in lists_of(language)._asdict().items()}


def portable(pattern: str) -> str:
    r"""A verbose pattern of Python's without blanks and comments, for engines like JavaScript's.

    There it needs the flags u (code points, \u{1f600}), s (a dot matches line ends) and not m ($ is
    the end of the text).
    """
    parts: list[str] = []
    inside = False  # of brackets, where blanks and # mean themselves
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if escape := _ESCAPE.match(pattern, at):
            parts.append(_escape(escape))
            at = escape.end()
            continue
        if char == "#" and not inside:
            at = pattern.index("\n", at)
        elif inside or not char.isspace():
            parts.append(char)
            inside = char != "]" if inside else char == "["
        at += 1
    return "".join(parts)


def _escape(escape: re.Match[str]) -> str:
    point, char = escape.groups()
    if point is not None:
        return f"\\u{{{int(point, 16):x}}}"
    if char is None or char in "^$\\.*+?()[]{}|/-tnrfv":
        return escape[0]
    if char == "Z":
        return "$"
    if char.isalnum():
        raise ValueError(f"expected an escape that all engines read alike, got {escape[0]!r}")
    return char
