"""The tokenizer's rules as data: character classes, the pattern of pieces, word lists a language.

text.hpp is built from these lists and does what `fastner.text` states; the pattern is what its
scanner is tested against, and what clients in other languages may compile.
"""

import re
from collections.abc import Mapping

# --- Character classes, as the inside of a regular expression's brackets -----------------------
# All that str.isspace accepts, written out.
_SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_INVISIBLE = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls
_PICTOGRAPH = r"\u2190-\u2bff\U0001f000-\U0001faff"
_MARK = (  # punctuation and symbols
    r"!-/:-@\[-\^`{-~\xa1-\xa9\xab\xac\xae-\xb1\xb4\xb6\xb8\xbb\xbf\xd7\xf7"
    r"\u060c\u061b\u061f\u06d4\u0964\u0965\u2010-\u2027\u2030-\u205e\u20a0-\u20cf\u2120\u2122"
    r"\u3001-\u3004\u3008-\u3020\u3030\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
# Scripts that write no spaces. Han: each character; kana: runs; the others: a letter with its marks.
_HAN = r"\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_HIRAGANA = r"\u3041-\u3096\u3099-\u309f"
_KATAKANA = r"\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3099\u309a\uff66-\uff9f"
_CLUSTER_MARK = (  # Thai, Lao, Burmese and Khmer signs that lean on the letter before
    r"\u0e30-\u0e3a\u0e45\u0e47-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece\u102b-\u1038\u103a-\u103e"
    r"\u1056-\u1059\u17b4-\u17d1\u17d3\u17dd"
)
_STACKER = r"\u1039\u17d2"  # joins the next letter, too
_CLUSTER = (
    r"\u0e01-\u0e2f\u0e40-\u0e44\u0e46\u0e4f\u0e5a\u0e5b\u0e81-\u0eaf\u0ebd-\u0ec6\u0edc-\u0edf"
    r"\u1000-\u102a\u103f\u104a-\u1055\u105a-\u109f\u1780-\u17b3\u17d4-\u17dc"
)
_SCRIPTS = _HAN + _HIRAGANA + _KATAKANA + _CLUSTER + _CLUSTER_MARK + _STACKER
# A word character is any other: letters, digits and _, and also combining marks, unassigned code
# points and lone surrogates, none of which should part a word.
_WORD = rf"[^{_SPACE}{_INVISIBLE}{_MARK}{_PICTOGRAPH}{_SCRIPTS}]"

_ENDS_WORD = r';!?()"“”'  # and white space
_ALONE = r',;()\[\]{}"“”'
_MODIFIER = r"\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"

_CLITIC = rf"['’](?:[sSmMdD]|[lL][lL]|[rR][eE]|[vV][eE])(?!{_WORD})"
_NOT = rf"[nN]['’][tT](?!{_WORD})"
_ROUND = rf"\([^{_SPACE}<>\"“”«»()]*\)"  # brackets that a URL opens and closes
_LINK_TAIL = rf"(?:[^{_SPACE}<>\"“”«»()]|{_ROUND})*(?:[^{_SPACE}<>\"“”«»().,;:!?'’\]}}…]|{_ROUND})"
_LABEL = "[A-Za-z0-9-]{1,63}"

# Every repetition is either one character class or bounded, so that time is linear in any text.
PIECE = rf"""
    # The common cases first: a run of word characters that nothing joins to what follows, white
    # space, and marks that always stand alone.
      {_WORD}+(?=[{_SPACE}{_ENDS_WORD}]|,(?![0-9])|\.[{_SPACE}]|\Z)
    | [{_SPACE}]+
    | [{_ALONE}]
    # Internet: URL, e-mail, host with path (bit.ly/x), handle and tag.
    | (?:[hH][tT][tT][pP][sS]?|[fF][tT][pP])://{_LINK_TAIL} | [wW][wW][wW]\.{_LINK_TAIL}
    | [A-Za-z0-9_%+][A-Za-z0-9._%+-]{{0,63}}@{_LABEL}(?:\.{_LABEL}){{1,5}}
    | {_LABEL}(?:\.{_LABEL}){{0,4}}\.[a-z]{{2,24}}/(?:{_LINK_TAIL})?
    | @{_WORD}+ | \#(?=[0-9]*(?![0-9]){_WORD}){_WORD}+
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
    # Scripts without spaces.
    | [{_HAN}] | [{_HIRAGANA}]+ | [{_KATAKANA}]+
    | [{_CLUSTER}](?:[{_CLUSTER_MARK}]|[{_STACKER}][{_CLUSTER}]?)*
    # Marks that stand together.
    | \.+ | [!?]+ | -+ | \*+ | =+ | ~+ | '' | ``
    | [\U0001f1e6-\U0001f1ff]{{2}}
    | [{_PICTOGRAPH}][{_MODIFIER}]*(?:\u200d[{_PICTOGRAPH}][{_MODIFIER}]*){{0,15}}
    | [{_INVISIBLE}]+
    | .
    """

# --- Sentences -----------------------------------------------------------------------------------
_FULL_STOPS = "。！？｡।॥؟۔"  # end a sentence without white space
_LAST = ".!?…" + _FULL_STOPS  # last characters of the pieces that may end one
_CLOSERS = "\"'”’»)\\]}」』）】》"
_OPENERS = "\"'“‘«(\\[{„‚¿¡`「『（【《"
_CONTINUERS = ",;:.!?…)\\]}%&/*+=|\\-–—"
_BULLETS = "\\-*•‣◦·–—"

CLASSES = {  # the names are those of text.hpp
    "space": _SPACE,
    "ends_word": _SPACE + _ENDS_WORD,
    "alone": _ALONE,
    "invisible": _INVISIBLE,
    "mark": _MARK,
    "pictograph": _PICTOGRAPH,
    "modifier": _MODIFIER,
    "han": _HAN,
    "hiragana": _HIRAGANA,
    "katakana": _KATAKANA,
    "cluster": _CLUSTER,
    "cluster_mark": _CLUSTER_MARK,
    "stacker": _STACKER,
    "link_stop": _SPACE + '<>"“”«»()',
    "link_trim": ".,;:!?'’\\]}…",
    "last": _LAST,
    "full_stop": _FULL_STOPS,
    "closer": _CLOSERS,
    "opener": _OPENERS,
    "continuer": _CONTINUERS,
    "bullet": _BULLETS,
}
WORD_EXCEPT = ("space", "invisible", "mark", "pictograph", "han", "hiragana", "katakana")
WORD_EXCEPT += ("cluster", "cluster_mark", "stacker")

_TITLES = """Mr Mrs Ms Messrs Dr Prof Gen Lt Col Maj Sgt Capt Cpl Cmdr Adm Rep Reps Sen Sens Gov
    Pres Rev Hon Fr Ste Mt Ft Supt Det Insp Mme Mlle"""
_COMPANIES = "Inc Corp Ltd Co Cos Bros Jr Sr St Plc Pty Cia Intl Assn Dept Univ"
_OTHERS = """Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thurs Fri
    Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Mass Md Mich Minn Mo Mont Neb Nev
    Okla Ore Pa Penn Tenn Tex Va Vt Wash Wis Wyo Ave Blvd Rd
    etc al approx est inc corp ltd jr sr esp incl excl avg min max"""
_STARTERS = """A About According After Although Among An And Another Any As At Because Before Both
    But By Despite During Each Earlier Even For From He Her His How However I If In It Its Last
    Later Many Meanwhile More Most My Next No Not Now Of On Once One Only Other Our Perhaps Since
    So Some Soon Still Such That The Their Then There These They This Those Though Through To Today
    Two Under Until We What When Where Whether Which While Who Why With Yesterday Yet You Your"""


def _upper_too(words: str) -> str:
    return f"{words} {words.upper()}"


# Words of a kind, a language; the names are those of text.hpp.
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": _upper_too(_TITLES) + " vs Vs VS v cf Cf eg ie ca viz",
        # words of their own ("No. He left."), abbreviations only before a number
        "numbered": "No Nos NO no nos Fig Figs fig Art Sec Vol vol Ch p pp Nr",
        "abbreviation": _upper_too(_COMPANIES) + " " + _OTHERS,
        "starter": _STARTERS,
    },
}


def ranges(inside: str) -> list[tuple[int, int]]:
    """The code points of a class, as ranges with their last ones; inside: as between brackets."""
    points: list[tuple[str, bool]] = []  # and whether a range's dash
    for piece in re.findall(r"\\u.{4}|\\U.{8}|\\x..|\\.|.", inside, re.DOTALL):
        char = piece
        if len(piece) > 1:
            char = piece.encode().decode("unicode_escape") if piece[1] in "uUxtnrfv" else piece[1]
        points.append((char, piece == "-"))
    result = []
    i = 0
    while i < len(points):
        if i + 2 < len(points) and points[i + 1][1]:
            result.append((ord(points[i][0]), ord(points[i + 2][0])))
            i += 3
        else:
            result.append((ord(points[i][0]), ord(points[i][0])))
            i += 1
    return result


def classes() -> dict[str, list[tuple[int, int]]]:
    """The ranges of each class, "word" among them: all that is in none of WORD_EXCEPT."""
    result = {name: ranges(inside) for name, inside in CLASSES.items()}
    word, begin = [], 0
    for first, last in sorted(pair for name in WORD_EXCEPT for pair in result[name]):
        if begin < first:
            word.append((begin, first - 1))
        begin = max(begin, last + 1)
    return result | {"word": [*word, (begin, 0x10FFFF)]}


def words(language: str) -> Mapping[str, list[str]]:
    """The words of each kind in this language."""
    return {kind: text.split() for kind, text in WORDS[language].items()}
