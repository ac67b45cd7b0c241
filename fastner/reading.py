"""How a word is read before it is looked up: one spelling for all writings of the same word.

A word reads as it stands if all its characters are visible ASCII (U+0021 to U+007E) and none of its
`&` has a `;` behind it: so nearly every word. Any other is read in these steps:

1. Entities of HTML 4, and those by number, become their character (`AT&amp;T`, `O&#39;Brien`).
2. A hyphen (`-`, U+2010) and the white space behind it, where that has a line end in it and both
   stand between two other characters, are dropped if the vocabulary knows the word that is left,
   after steps 3 to 5; else they become `-`. A soft hyphen (U+00AD) with such white space is
   dropped.
3. Format characters and variation selectors are dropped (`DROPPED`), then white space at both ends,
   unless nothing would be left.
4. Each full-width form, ligature and mathematical letter (`COMPATIBLE`) becomes its NFKC.
5. The word becomes its NFC.
6. Its plain form, without diacritics and typographic marks (`plain`), may take its place: where it
   has a vector and the word has none; where the word's is much rarer; and where neither has one,
   if the model knows more of its characters. The more frequent vector has the lower row. Much
   rarer is a row above 8 times that of the plain form, or above half of it where the model knows
   more of the plain form's characters: it never learnt from the word as it is written.

Steps 2 and 6 ask the vocabulary about all three look-up forms. Steps 5 and 6 leave a word of more
than 256 characters alone: bringing its marks into order could take for ever.

The tables are data, so that clients in other languages do the same, whatever version of Unicode
they have; this rule, number 1, never changes. docs/onnx.md writes it down for them.
"""

import re
import unicodedata
from collections.abc import Callable, Container
from functools import cache
from typing import Any

RULE = 1
LONGEST = 256  # code points that normalisation takes
COMMON, FAMILIAR = (8, 1), (1, 2)  # much rarer: row + 1 above this times the plain form's row + 1

# Inclusive ranges of code points.
Ranges = tuple[tuple[int, int], ...]
LINE_ENDS: Ranges = ((0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029))
SPACES: Ranges = (
    *((0x09, 0x0D), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680)),
    *((0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
DROPPED: Ranges = (  # category Cf, variation selectors, the grapheme joiner
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD)),
    *((0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2), (0x180B, 0x180F), (0x200B, 0x200F)),
    *((0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB)),
    *((0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3)),
    *((0x1D173, 0x1D17A), (0xE0001, 0xE0001), (0xE0020, 0xE007F), (0xE0100, 0xE01EF)),
)
COMPATIBLE: Ranges = (  # letters like ℂ and ℎ, which the mathematical block leaves out; ﬁ; Ａ; 𝐀
    *((0x2102, 0x2102), (0x210A, 0x2113), (0x2115, 0x2115), (0x2119, 0x211D), (0x2124, 0x2124)),
    *((0x2128, 0x2128), (0x212C, 0x212D), (0x212F, 0x2131), (0x2133, 0x2134), (0xFB00, 0xFB06)),
    *((0xFF01, 0xFFE2), (0xFFE4, 0xFFEE), (0x1D400, 0x1D7FF)),
)
MARKS: Ranges = (  # diacritics of Latin, Greek and Cyrillic; the points of Hebrew and Arabic
    *((0x300, 0x36F), (0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x5C4, 0x5C5)),
    *((0x5C7, 0x5C7), (0x610, 0x61A), (0x64B, 0x65F), (0x670, 0x670)),
)
PLAIN = (  # what stands for a letter that is not a letter and a mark, and for typographic marks
    dict(zip("ØøŁłĐđÐðĦħŦŧıƏə", "OoLlDdDdHhTtiAa", strict=True))
    | {"ß": "ss", "ẞ": "SS", "Æ": "Ae", "æ": "ae", "Œ": "Oe", "œ": "oe", "Þ": "Th", "þ": "th"}
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02b9\u02bb\u02bc\u00b4\u2039\u203a", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | {"\u2026": "...", "\u2044": "/", "\u2215": "/"}
)

# The vector row of a word, -1 where it has none, and whether the vocabulary knows it at all.
LookUp = Callable[[str], tuple[int, bool]]


def read(word: str, look_up: LookUp, characters: Container[str]) -> str:
    """What this word reads as, at least one character.

    look_up: answers for a word by its three look-up forms. characters: those that the model knows.
    """
    word = _unescaped(word)
    reading = normal(unbroken(word))
    joined = normal(_compiled(_BREAK).sub(_joined, word))
    if joined != reading and look_up(joined)[1]:
        reading = joined
    other = plain(reading)
    if other == reading:
        return reading
    row, other_row = look_up(reading)[0], look_up(other)[0]
    familiar = _unknown(other, characters) < _unknown(reading, characters)
    if row < 0 and other_row < 0:
        return other if familiar else reading
    if row < 0 or other_row < 0:
        return other if row < 0 else reading
    times, of = FAMILIAR if familiar else COMMON
    return other if of * (row + 1) > times * (other_row + 1) else reading


def normal(word: str) -> str:
    """A word after steps 3 to 5, which ask nothing of the vocabulary."""
    if _compiled(_VISIBLE).fullmatch(word):
        return word
    word = _stripped(_compiled(_DROPPED).sub("", word) or word)
    word = _compiled(_COMPATIBLE).sub(lambda match: unicodedata.normalize("NFKC", match[0]), word)
    return unicodedata.normalize("NFC", word) if len(word) <= LONGEST else word


def folded(word: str) -> str:
    """How a vocabulary spells a word, so that its readings are found: after steps 1 and 3 to 5."""
    return normal(_unescaped(word))


def plain(word: str) -> str:
    """A word without diacritics, special letters and typographic marks, or the word itself.

    An upper-case word stays one.
    """
    if word.isascii() or len(word) > LONGEST:
        return word
    bare = _compiled(_MARKS).sub("", unicodedata.normalize("NFD", word))
    if not bare:
        return word
    upper = word.isupper()

    def stands_for(match: re.Match[str]) -> str:
        return PLAIN[match[0]].upper() if upper else PLAIN[match[0]]

    return unicodedata.normalize("NFC", _compiled(_PLAIN).sub(stands_for, bare))


def tables() -> dict[str, Any]:
    """The rule's number and its data, ready for JSON; docs/onnx.md says what each is."""
    return {
        "rule": RULE,
        "longest": LONGEST,
        "common": COMMON,
        "familiar": FAMILIAR,
        "entities": _entities(),
        "line_ends": LINE_ENDS,
        "spaces": SPACES,
        "dropped": DROPPED,
        "compatible": COMPATIBLE,
        "marks": MARKS,
        "plain": PLAIN,
    }


def _class(ranges: Ranges) -> str:
    return "[{}]".format("".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges))


_SPACES = "".join(chr(point) for low, high in SPACES for point in range(low, high + 1))
# compiled when a word is first read: most processes begin without one
_VISIBLE = "[!-~]*"
_ENTITY = "&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,15}));"
_BREAK = f"(?<=[^{_SPACES}])([-\u2010\u00ad])([{_SPACES}]+)(?=[^{_SPACES}])"
_LINE_END = _class(LINE_ENDS)
_DROPPED, _COMPATIBLE, _MARKS = map(_class, (DROPPED, COMPATIBLE, MARKS))
_PLAIN = "[{}]".format("".join(PLAIN))
_compiled = cache(re.compile)


@cache
def _entities() -> dict[str, str]:
    """The characters of HTML 4's entities, and of &apos;."""
    from html.entities import name2codepoint

    return {name: chr(point) for name, point in name2codepoint.items()} | {"apos": "'"}


def _stripped(word: str) -> str:
    return word.strip(_SPACES) or word


def _unescaped(word: str) -> str:
    return _compiled(_ENTITY).sub(_character, word) if "&" in word else word


def _character(match: re.Match[str]) -> str:
    """The character of an entity, or the entity itself where it is none."""
    decimal, hexadecimal, name = match.groups()
    if name is not None:
        return _entities().get(name, match[0])
    point = int(decimal) if decimal is not None else int(hexadecimal, 16)
    if point == 0 or 0xD800 <= point < 0xE000 or point > 0x10FFFF:
        return match[0]
    return chr(point)


def unbroken(word: str) -> str:
    """The word without line ends behind its hyphens; soft hyphens go with them, others stay."""
    return _compiled(_BREAK).sub(_hyphenated, word)


def _hyphenated(match: re.Match[str]) -> str:
    """A hyphen and the white space behind it, without a line end and what comes with that."""
    if not _compiled(_LINE_END).search(match[2]):
        return match[0]
    return "" if match[1] == "\u00ad" else "-"


def _joined(match: re.Match[str]) -> str:
    return "" if _compiled(_LINE_END).search(match[2]) else match[0]


def _unknown(word: str, characters: Container[str]) -> int:
    return sum(character not in characters for character in word)
