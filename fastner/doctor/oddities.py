"""What is odd about single words and entities: characters, scripts, edges."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

# UTF-8 that was read as Latin-1 or Windows-1252: Ã© for é, â€™ for ’
_MOJIBAKE = re.compile(
    "[\u00c3\u00c2][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e]"
    "|\u00e2(?:\u20ac|\u0080)|\u00ef\u00bb\u00bf|\u00ef\u00bf\u00bd"
)
_JOINERS = "\u200c\u200d"  # part of how scripts and emoji are spelt
_ALIKE = {"LATIN", "GREEK", "CYRILLIC"}  # scripts whose letters look alike
_OPENING = {")": "(", "]": "[", "}": "{", "»": "«", "”": "“", "’": "‘", "''": "``"}
_QUOTES = "\"'`"
_PARTS_OF_NAMES = "%#@&*/\\‰§°"  # 5 %, C #, @name


def invisible(word: str) -> str | None:
    """The characters of a word that cannot be seen or stand for lost ones, as U+XXXX; else None."""
    if word.isprintable() and " " not in word and "\ufffd" not in word:
        return None
    odd = dict.fromkeys(
        char
        for char in word
        if (not char.isprintable() and char not in _JOINERS) or char in " \ufffd"
    )
    return ", ".join(f"U+{ord(char):04X}" for char in odd) or None


def mojibake(word: str) -> str | None:
    """What the word may have been before UTF-8 was read as another encoding; else None."""
    if word.isascii() or not _MOJIBAKE.search(word):
        return None
    for encoding in ("cp1252", "latin-1"):
        try:
            return f"perhaps {word.encode(encoding).decode()}"
        except UnicodeError:
            continue
    return "UTF-8 that was read as another encoding"


@lru_cache(maxsize=65536)
def script_of(char: str) -> str:
    """The first word of a letter's name, which is mostly its script; "" for what is no letter."""
    return unicodedata.name(char, "").split(" ")[0].split("-")[0] if char.isalpha() else ""


def scripts_of(word: str) -> Counter[str]:
    """The letters of a word by script."""
    if word.isascii():
        return Counter({"LATIN": sum(map(str.isalpha, word))})
    return Counter(filter(None, map(script_of, word)))


def mixed_scripts(word: str) -> str | None:
    """The scripts of a word that holds letters of several which look alike; else None."""
    found = _ALIKE & scripts_of(word).keys() if not word.isascii() else set()
    # one foreign letter in symbols such as μm is a unit, not a mix-up
    return " and ".join(sorted(found)).lower() if len(found) > 1 and len(word) > 2 else None


def not_composed(word: str) -> str | None:
    """The word in Unicode's composed form (NFC) where it is in another; else None."""
    if word.isascii() or unicodedata.is_normalized("NFC", word):
        return None
    return f"composed: {unicodedata.normalize('NFC', word)}"


def odd_edge(words: Sequence[str]) -> str | None:
    """The white space or punctuation at an edge of an entity; else None.

    A full stop that belongs to its word (Inc.) is none, nor is a bracket or quote that another one
    inside the entity opens or closes, unless the two enclose all of it.
    """
    first, last = words[0], words[-1]
    if first[0].isspace() or last[-1].isspace():
        return "white space"
    text = " ".join(words)
    found = []
    if _odd(first[0]) and not _balanced_start(text):
        found.append(first if _odd_word(first) else first[0])
    if _odd(last[-1]) and not _balanced_end(text) and not (last[-1] == "." and len(last) > 1):
        found.append(last if _odd_word(last) else last[-1])
    return " ".join(dict.fromkeys(found)) or None


def _odd(char: str) -> bool:
    return char == "`" or (unicodedata.category(char)[0] == "P" and char not in _PARTS_OF_NAMES)


def _odd_word(word: str) -> bool:
    return all(map(_odd, word))


def _balanced_end(text: str) -> bool:
    """Whether what closes at the end was opened inside."""
    char = text[-1]
    if char in _OPENING:
        return _OPENING[char] in text[1:-1]
    return char in _QUOTES and char in text[1:-1]


def _balanced_start(text: str) -> bool:
    """Whether what opens at the start is closed inside."""
    char = text[0]
    closing = next((close for close, opening in _OPENING.items() if opening == char), None)
    if closing is not None:
        return closing in text[1:-1]
    return char in _QUOTES and char in text[1:-1]
