"""The same sentences as others would type them: in one case, or with a typesetter's characters.

Each function gives new sentences with as many words, so that their tags stay as they are. The same
changes measure robustness (bench/accuracy.py) and, in training, teach it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle

import numpy as np

Sentences = Sequence[Sequence[str]]

ATTACHED_RATE = 0.1  # share of the words that get an invisible character

_PAIRS = {'"': "“”", "'": "‘’"}  # for a mark that is a word: opening and closing in turn
_MARKS = {"``": "“", "''": "”", "`": "‘", "'": "’", '"': "”", "--": "—", "...": "…"}
_DASHES = "\u2010\u2011\u2013\u2014\u2212"  # hyphen, no-break hyphen, en, em, minus
_BLANKS = "\u00a0\u202f\u2009"  # no-break, narrow no-break, thin space: at an end of a word
_ZERO_WIDTH = "\u00ad\u200b\u200d\u200e\u2060\ufeff"  # soft hyphen, joiners, …: anywhere in it
_CHANGES = re.compile(r"[0-9]|``|''|[`'\"]|--|-|\.\.\.")


def lowered(sentences: Sentences) -> list[list[str]]:
    """The sentences in lower case, as people chat."""
    return [[word.lower() for word in sentence] for sentence in sentences]


def uppered(sentences: Sentences) -> list[list[str]]:
    """The sentences in upper case, as headlines shout."""
    return [[word.upper() for word in sentence] for sentence in sentences]


def typographic(sentences: Sentences, rng: np.random.Generator) -> list[list[str]]:
    """The sentences as word processors and web pages spell them; the same for the same rng state.

    Straight quotes and backticks become curly ones, a hyphen any other dash, three dots one
    character, and each digit another digit. One word in ten gets an invisible character that
    splitting at blanks leaves in it: a no-break or thin space at one end, or a character without
    width at any place.
    """
    words = sum(map(len, sentences))
    attached = iter((rng.random(words) < ATTACHED_RATE).tolist())
    changed = []
    for sentence in sentences:
        pairs = {mark: cycle(pair) for mark, pair in _PAIRS.items()}
        row = []
        for word in sentence:
            if word in pairs:
                word = next(pairs[word])
            else:
                word = _CHANGES.sub(lambda match: _changed(match[0], rng), word)
            row.append(_attach(word, rng) if next(attached) else word)
        changed.append(row)
    return changed


def _changed(found: str, rng: np.random.Generator) -> str:
    if found.isdecimal():
        return str((int(found) + rng.integers(1, 10)) % 10)
    return _DASHES[rng.integers(len(_DASHES))] if found == "-" else _MARKS[found]


def _attach(word: str, rng: np.random.Generator) -> str:
    kinds = _BLANKS + _ZERO_WIDTH
    kind = kinds[rng.integers(len(kinds))]
    place = rng.integers(2) * len(word) if kind in _BLANKS else rng.integers(len(word) + 1)
    return word[:place] + kind + word[place:]
