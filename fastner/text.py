"""Raw text → sentences of tokens with exact offsets, in the habits of CoNLL-2003.

How it works: `src_ext/text.hpp` cuts the whole text into pieces in one pass and then looks for ends
of sentences among them. The classes of characters and the lists of words that it goes by are data,
in `text_rules`; so is the pattern that says what a piece is, which its scanner is tested against.
Time and memory are linear in the text whatever it holds.
"""

from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

from fastner import text_rules
from fastner._text import Rules
from fastner.errors import InputError

Lines: TypeAlias = Literal["auto", "sentences", "wrapped"]


class Token(NamedTuple):
    """One token: its text and its half-open range of character offsets."""

    text: str
    start: int
    end: int
    markup: bool = False


def tokenize(
    text: str, *, language: str = "en", lines: Lines = "auto", html: bool = False
) -> list[list[Token]]:
    """Return the sentences of `text`, each a non-empty list of tokens.

    Any `str` is accepted. `text[t.start:t.end] == t.text` for each token; tokens are in order and
    do not overlap; each character that is not white space (`str.isspace`) lies in exactly one.

    Tokens: punctuation, brackets, quotes and clitics stand apart (do n't, it 's, `%`, `$ 5`);
    kept whole are abbreviations (U.S., Mr.), numbers and scores (1,234.56, 10:30, 2-1), hyphenated
    words, URLs, e-mail addresses, @handles, #tags, AT&T, O'Brien, C++, emoji sequences and runs of
    dashes or dots. An abbreviation that ends a sentence keeps its dot and no second one is added.
    Scripts without spaces: each Han character, runs of hiragana and of katakana, a letter of Thai,
    Lao, Khmer or Burmese with its marks.
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
        InputError: `text` is not a `str`, or there are no such rules.
    """
    if not isinstance(text, str):
        raise InputError(f"tokenize expects a str, got {type(text).__name__}; decode bytes first")
    return rules(language).tokenize(text, Token, lines, html)


@cache
def rules(language: str) -> Rules:
    """The compiled rules of a language; raises InputError for one that is not known."""
    if language not in text_rules.LANGUAGES:
        known = ", ".join(text_rules.LANGUAGES)
        raise InputError(
            f"expected a language among {known}, got {language!r}; take xx for any other"
        )
    return Rules(**text_rules.rules(language))


def is_wrapped(text: str, *, language: str = "en", html: bool = False) -> bool:
    """Whether some line of the text runs on in the next, as `tokenize` decides of itself.

    So a program that reads lines can tell which to keep together. A block (lines without a blank
    one between) is decided by itself.
    """
    return rules(language).joins_lines(text, html)


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
