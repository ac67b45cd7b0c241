"""The usual features of a CRF tagger, as in python-crfsuite's tutorial but for parts of speech.

Of the word: itself as it stands and in lower case, suffixes of two and three letters, a prefix of
three, shape, case and digit flags; of the words at -2, -1, +1 and +2: themselves in lower case,
shape and case flags.
"""

from __future__ import annotations

import re

_SHAPE = (
    (re.compile(r"[A-Z]+"), "X"),
    (re.compile(r"[a-z]+"), "x"),
    (re.compile(r"[0-9]+"), "d"),
)


def features_of(sentence: list[str]) -> list[list[str]]:
    """The features of every word of a sentence."""
    lower = [word.lower() for word in sentence]
    shapes = [_shape(word) for word in sentence]
    flags = [f"{word.isupper():d}{word.istitle():d}" for word in sentence]
    last = len(sentence) - 1
    rows = []
    for i, word in enumerate(sentence):
        row = [
            "bias",
            "w=" + word,
            "l=" + lower[i],
            "s3=" + word[-3:],
            "s2=" + word[-2:],
            "p3=" + word[:3],
            "h=" + shapes[i],
            "f=" + flags[i],
            "d=1" if word.isdigit() else "d=0",
        ]
        for offset in (-2, -1, 1, 2):
            at = i + offset
            if 0 <= at <= last:
                row += (
                    f"{offset}:l={lower[at]}",
                    f"{offset}:h={shapes[at]}",
                    f"{offset}:f={flags[at]}",
                )
        if i == 0:
            row.append("BOS")
        if i == last:
            row.append("EOS")
        rows.append(row)
    return rows


def _shape(word: str) -> str:
    for pattern, letter in _SHAPE:
        word = pattern.sub(letter, word)
    return word
