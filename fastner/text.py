"""Raw text → sentences of tokens with exact offsets, in the habits of CoNLL-2003.

How it works: one compiled pattern cuts the whole text into pieces, tokens and white space alike,
so the pieces joined are the text and nothing can be lost. Python then looks only at the pieces
that may end a sentence (full stops, line ends), glues abbreviations to their dots and notes where
to cut. Offsets are the running sum of the pieces' lengths. The pattern alone says what a piece is;
but for nine pieces in ten that is plain from their characters' classes, and then compiled code
finds their end many times as fast.

Every repetition in the pattern is either one character class or bounded, so that time and memory
are linear in the text whatever it holds.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from fastner._text import (
    ALONE,
    ENDS_SENTENCE,
    ENDS_WORD,
    SPACE,
    WORD_CHARACTER,
    cut,
    join,
)
from fastner.errors import InputError


class Token(NamedTuple):
    """One token: its text and its half-open range of character offsets."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> list[list[Token]]:
    """Return the sentences of `text`, each a non-empty list of tokens.

    Any `str` is accepted. `text[t.start:t.end] == t.text` for each token; tokens are in order and
    do not overlap; each character that is not white space (`str.isspace`) lies in exactly one.

    Tokens: punctuation, brackets, quotes and clitics stand apart (do n't, it 's, `%`, `$ 5`);
    kept whole are abbreviations (U.S., Mr.), numbers and scores (1,234.56, 10:30, 2-1), hyphenated
    words, URLs, e-mail addresses, @handles, #tags, AT&T, O'Brien, C++, emoji sequences and runs of
    dashes or dots. An abbreviation that ends a sentence keeps its dot and no second one is added.
    Scripts without spaces (Chinese, Japanese, Thai) come as runs between punctuation marks.
    A word with more than 64 joints (hyphens, dots, …) is cut there.

    Sentences end
    - at a blank line;
    - before a line that opens with a list marker (`1.`, `-`, `*`, `•`); other line ends are white
      space like any other, because running text is often hard-wrapped;
    - after . ! ? … and closing quotes or brackets, if white space and then no lower-case letter or
      joining punctuation follows. English titles (Mr.) never end one, other abbreviations
      (Inc., U.S., initials) only before a word that commonly starts one (The, He, In, …);
    - after the full stops of scripts that write none of these (。！？।؟۔), space or not.

    Raises:
        InputError: `text` is not a `str`.
    """
    if not isinstance(text, str):
        raise InputError(f"tokenize expects a str, got {type(text).__name__}; decode bytes first")
    pieces, ends = cut(text, _KINDS, _PIECE.match)
    return join(pieces, _cut_sentences(pieces, ends), Token)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def printable(text: str, *, keep: str = "", escape: Callable[[str], str] = _escaped) -> str:
    """Return the text with each character escaped that does not print (`str.isprintable`).

    Those are controls, direction marks, line ends, lone surrogates and the like: what could drive
    a terminal, or is not seen. keep: characters to leave as they are. escape: what stands for one
    of the others, its Python escape unless told otherwise.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else escape(char) for char in text)


# --- The pattern -----------------------------------------------------------------------------
# All that str.isspace accepts, written out: a class without \s compiles to one table look-up.
_SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_INVISIBLE = (  # controls, byte-order mark, zero-width space, direction marks
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
)
_PICTOGRAPH = r"\u2190-\u2bff\U0001f000-\U0001faff"
_MARK = (  # punctuation and symbols
    r"!-/:-@\[-\^`{-~\xa1-\xa9\xab\xac\xae-\xb1\xb4\xb6\xb8\xbb\xbf\xd7\xf7"
    r"\u060c\u061b\u061f\u06d4\u0964\u0965\u2010-\u2027\u2030-\u205e\u20a0-\u20cf\u2120\u2122"
    r"\u3001-\u3004\u3008-\u3020\u3030\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
# A word character is any other: letters, digits and _, and also combining marks, joiners
# (U+200C, U+200D), unassigned code points and lone surrogates, none of which should part a word.
_WORD = rf"[^{_SPACE}{_INVISIBLE}{_MARK}{_PICTOGRAPH}]"

_ENDS_WORD = r';!?()"“”'  # and white space
_ALONE = r',;()\[\]{}"“”'

_CLITIC = rf"['’](?:[sSmMdD]|[lL][lL]|[rR][eE]|[vV][eE])(?!{_WORD})"
_NOT = rf"[nN]['’][tT](?!{_WORD})"
_LINK_TAIL = rf"[^{_SPACE}<>\"“”«»]*[^{_SPACE}<>\"“”«».,;:!?'’)\]}}…]"
_LABEL = "[A-Za-z0-9-]{1,63}"
_MODIFIER = r"[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"

_PIECE = re.compile(
    rf"""
    # The common cases first, which text.hpp knows as well: a run of word characters that nothing
    # joins to what follows, white space, and marks that always stand alone.
      {_WORD}+(?=[{_SPACE}{_ENDS_WORD}]|,(?![0-9])|\.[{_SPACE}]|\Z)
    | [^\S\n]+ | \n
    | [{_ALONE}]
    # Internet: URL, e-mail, host with path (bit.ly/x), handle and tag.
    | (?:[hH][tT][tT][pP][sS]?|[fF][tT][pP])://{_LINK_TAIL} | [wW][wW][wW]\.{_LINK_TAIL}
    | [A-Za-z0-9_%+][A-Za-z0-9._%+-]{{0,63}}@{_LABEL}(?:\.{_LABEL}){{1,5}}
    | {_LABEL}(?:\.{_LABEL}){{0,4}}\.[a-z]{{2,24}}/(?:{_LINK_TAIL})?
    | @\w+ | \#(?=\d*[^\W\d])\w+
    # Clitics: do|n't, it|'s.
    | {_NOT} | [A-Za-z]+(?={_NOT}) | {_CLITIC}
    # C++, C#, AA+; US$ as in CoNLL-2003.
    | [A-Za-z]{{1,3}}(?:\+\+?|\#)(?!{_WORD}|[+\#]) | [A-Z]{{1,3}}\$(?=[0-9{_SPACE}]|\Z)
    # Words and numbers with joints, a phone number's or gain's plus, and the last dot of U.S.
    | (?:(?<!{_WORD})\+(?=[0-9]))? {_WORD}+
      (?:(?: \.?- | [‐‑&]                              # COMMERCE-BASED, U.S.-led, AT&T
           | (?<=[0-9])[.,:/–](?=[0-9])                # 1,234.56  10:30  1996/97
           | (?<![a-z0-9])\. | \.(?![A-Z](?!\.))       # U.S  Ph.D  a.org, but not Paris.The
           | (?!{_CLITIC})['’] )                       # O'Brien
       {_WORD}+){{0,64}}
      (?:(?<=\.[A-Za-z])\.(?!\.))?
    | \.[0-9]+(?!{_WORD})
    # Marks that stand together.
    | \.+ | [!?]+ | -+ | \*+ | =+ | ~+ | '' | ``
    | [\U0001f1e6-\U0001f1ff]{{2}}
    | [{_PICTOGRAPH}]{_MODIFIER}(?:\u200d[{_PICTOGRAPH}]{_MODIFIER}){{0,15}}
    | [{_INVISIBLE}]+
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


# --- Sentences -------------------------------------------------------------------------------
_FULL_STOPS = frozenset("。！？｡।॥؟۔")  # end a sentence without white space
_LAST = frozenset(".!?…\n") | _FULL_STOPS  # last characters of the pieces that may end one
_CLOSERS = frozenset("\"'”’»)]}」』）】》") | {"''"}
_OPENERS = frozenset("\"'“‘«([{„‚¿¡`「『（【《") | {"``"}
_CONTINUERS = frozenset(",;:.!?…)]}%&/*+=|-–—")
_BULLETS = frozenset("-*•‣◦·–—")

_NEVER, _MAYBE, _NUMBERED = 1, 2, 3
_TITLES = """Mr Mrs Ms Messrs Dr Prof Gen Lt Col Maj Sgt Capt Cpl Cmdr Adm Rep Reps Sen Sens Gov
    Pres Rev Hon Fr Ste Mt Ft Supt Det Insp Mme Mlle"""
_COMPANIES = "Inc Corp Ltd Co Cos Bros Jr Sr St Plc Pty Cia Intl Assn Dept Univ"
_OTHERS = """Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thurs Fri
    Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Mass Md Mich Minn Mo Mont Neb Nev
    Okla Ore Pa Penn Tenn Tex Va Vt Wash Wis Wyo Ave Blvd Rd
    etc al approx est inc corp ltd jr sr esp incl excl avg min max"""
_ABBREVIATIONS: dict[str, int] = (
    dict.fromkeys(_OTHERS.split(), _MAYBE)
    | dict.fromkeys((_COMPANIES + " " + _COMPANIES.upper()).split(), _MAYBE)
    | dict.fromkeys((_TITLES + " " + _TITLES.upper()).split(), _NEVER)
    | dict.fromkeys("vs Vs VS v cf Cf eg ie ca viz".split(), _NEVER)
    # Words of their own ("No. He left."), abbreviations only before a number.
    | dict.fromkeys("No Nos NO no nos Fig Figs fig Art Sec Vol vol Ch p pp Nr".split(), _NUMBERED)
)
_STARTERS = frozenset(
    """A About According After Although Among An And Another Any As At Because Before Both But By
    Despite During Each Earlier Even For From He Her His How However I If In It Its Last Later Many
    Meanwhile More Most My Next No Not Now Of On Once One Only Other Our Perhaps Since So Some Soon
    Still Such That The Their Then There These They This Those Though Through To Today Two Under
    Until We What When Where Whether Which While Who Why With Yesterday Yet You Your""".split()
)


def _character_kinds() -> bytes:
    """What text.hpp asks of each code point below 0x10000: a byte of flags."""
    points = "".join(map(chr, range(0x10000)))
    kinds = 0
    for flag, characters in (
        (WORD_CHARACTER, _WORD),
        (SPACE, f"[{_SPACE}]"),
        (ENDS_WORD, f"[{_SPACE}{_ENDS_WORD}]"),
        (ALONE, f"[{_ALONE}]"),
        (ENDS_SENTENCE, f"[{''.join(_LAST)}]"),
    ):
        flags = bytearray(len(points))
        for run in re.finditer(f"{characters}+", points):
            flags[slice(*run.span())] = bytes([flag]) * len(run[0])
        kinds |= int.from_bytes(flags, "big")
    return kinds.to_bytes(len(points), "big")


_KINDS = _character_kinds()


def _cut_sentences(pieces: list[str], ends: list[int]) -> list[int]:
    """Return the ascending piece indices at which sentences end (exclusive), the last included.

    ends: the indices of pieces whose last character is one of _LAST. Glues abbreviations to their
    dots in place: "Inc", "." becomes "Inc.", "", which keeps the sum of the lengths.
    """
    cuts: list[int] = []
    size = len(pieces)
    # A blank line closes the text, so that looking ahead needs no bounds checks.
    pieces += "\n", "\n"
    _open_line(pieces, 0)
    for i in ends:
        piece = pieces[i]
        if piece == "\n":
            after = i + 2 if pieces[i + 1] != "\n" and pieces[i + 1].isspace() else i + 1
            if pieces[after] == "\n" or _open_line(pieces, after):
                cuts.append(after)
            continue
        if not piece:  # the dot of a list marker, glued by _open_line
            continue
        after = i + 1
        while pieces[after] in _CLOSERS:
            after += 1
        if piece in _FULL_STOPS:
            cuts.append(after)
            continue
        following, paragraph_ends = _skip_space(pieces, after, size)
        while pieces[following] in _OPENERS:
            following += 1
        word = pieces[following]
        kind = 0
        if piece == ".":
            previous = pieces[i - 1] if i else ""
            if len(previous) == 1 and previous.isupper():  # an initial
                kind = 0 if paragraph_ends else _MAYBE
            else:
                kind = _ABBREVIATIONS.get(previous, 0)
                if kind == _NUMBERED and (paragraph_ends or not word[0].isdigit()):
                    kind = 0
            if kind:
                pieces[i - 1] += "."
                pieces[i] = ""
        elif piece[0] not in _LAST:  # U.S.
            kind = _MAYBE
        if not pieces[after].isspace() or kind in (_NEVER, _NUMBERED):
            continue
        if kind == _MAYBE:
            closes = word in _STARTERS and pieces[following + 1] != "."  # not the A. of "J. A. Roe"
        else:
            closes = word[0] not in _CONTINUERS and not (word.islower() and word[0].isalpha())
        if closes:
            cuts.append(after)
    del pieces[size:]
    cuts.append(size)
    return cuts


def _open_line(pieces: list[str], i: int) -> bool:
    """Return whether a list marker stands at the start of the line, piece i; glues "1" "."."""
    piece = pieces[i]
    if piece in _BULLETS:
        return pieces[i + 1].isspace()
    if len(piece) <= 3 and piece.isdecimal() and pieces[i + 1] == "." and pieces[i + 2].isspace():
        pieces[i] += "."
        pieces[i + 1] = ""
        return True
    return False


def _skip_space(pieces: list[str], i: int, size: int) -> tuple[int, bool]:
    """Return the first piece from i on that is not white space, and whether a blank line lay there.

    The end of the text counts as a blank line.
    """
    lines = 0
    while i < size and pieces[i].isspace():
        lines += pieces[i] == "\n"
        i += 1
    return i, i == size or lines > 1
