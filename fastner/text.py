r"""Raw text → sentences of tokens with exact offsets, in the habits of CoNLL-2003.

`src_ext/text.hpp` and the files it names do it, in time and memory linear in the text whatever it
holds; classes of characters, word lists and the pattern of pieces are data, in `lists.rules`. These
are the rules, in the order in which they work. They are a function of the text alone, and what
stands behind a blank line changes nothing before it (but in HTML). Other clients follow the same
text.

1. Reading. Format characters (class `format`: zero-width, direction marks, byte-order mark, soft
hyphens, variation selectors) are not read: they belong to the token of the character before them,
or else, behind white space, to that of the one behind them; a run of them between white space is a
markup token. A zero-width joiner or emoji selector behind a pictograph is read. Full-width forms
(`folded`) are read as their ASCII ones. With html=True an entity is read as its character; a
comment, a tag, and a `script` or `style` element whole are one markup token each, and a tag of the
list `block_tag` ends a sentence; a quoted value in a tag may hold `>` but no `<`. Where there is a
tag, and unless lines="sentences", outside <pre> a line end is white space, but beside a blank line,
and blanks in a row are one. Below, "character" means one that is read.

2. Pieces. What is not white space is cut from left to right by `lists.rules.PIECE`; in languages
with such words, a word of the list `elision` with its apostrophe is a piece (l'), and so is an
apostrophe with a word of the list `apostrophe` and what is joined to it ('t, 's-Gravenhage).
Scripts without spaces: each Han character is a piece, so are runs of hiragana and of katakana, and
a letter of Thai, Lao, Khmer or Burmese with its marks. No dictionary is asked where their words
end; for words, give `load` a tokenizer of your own.

Some marks are markup, which a model steps over. They are looked for where a piece begins:
- at the start of a line, each `>` (a quotation), and one to six `#` with white space behind them (a
  heading);
- `|` in a line that begins with it, or with white space or nothing on both sides;
- all of a line that holds only `- = : | +`, at least one of `- =` and one of `| +`;
- `[` or `![` of a link `[text](target "title")` on one line, and its other marks, target and title;
- emphasis: one to three `*`, `_` or backquotes, or two `~`, not behind a word character and before
  no white space, if the same number of them follows in the paragraph, behind no white space, before
  no word character, and with one character between at least. The pieces before such marks, and
  before the other marks of a link, are cut as if the text ended there. Emphasis of a kind does not
  open inside one of the same kind.

3. Lines. A line end is \n, \r\n, \r, \v, U+0085 or U+2028; \f, U+001C to U+001E and U+2029 end a
paragraph, as a blank line does (a line of markup alone is one). A sentence ends
- at the end of a paragraph;
- before a list marker that opens a line (a bullet and white space, `1.` or `1)`; `1.` is a token);
- before a cell: behind a tab that does not open a line, behind a bar `|` that is markup, and behind
  three blanks or more in two lines, one below the other, with as many such gaps in each;
- before and behind a heading, a row of a table, a line of one or two marks (three characters or
  more: a ruler), a header of mail (a word of the list `mail_header` and a colon), and where the
  depth of quotation changes.
The lines between such places are decided together, with lines="auto": wrapped prose, whose line
ends are white space, or lines of their own, whose ends end sentences. Each line end scores, and a
sum above 0 is prose (is_wrapped of text_lines.hpp holds the numbers): for prose count
a hyphenated word, a last word of the list `function`, a next line that opens in lower case, a next
word that would not have fit, a capital at either side of the line end within one sentence, or a
given name before it and a sentence that goes on with the name (President Joe⏎Biden met); against it
a next line that opens with a capital, more so with a word of the list `starter` or the same word as
the line before, signs of code, short lines. In prose a line stands alone still if it is a greeting
or sign-off, or a heading: shorter than the widest line by the next word and 12 characters, not
ended, and all capitalised, or before a starter, or first and without starter or verb.
lines="wrapped" takes all of them for prose, lines="sentences" ends a sentence at each line end.

In prose a word hyphenated at a line end (a letter, a hyphen, the line end and a letter in lower
case, or one in upper case behind a capitalised word; or a soft hyphen) is one token, which spans
the line end, unless a word of the list `joiner` comes next (pre-⏎and post-war): then the hyphen is
part of the token before.

4. Sentences. Else a sentence ends behind `. ! ? …` (a piece whose last character is one of them)
with the quotes and brackets that close behind it (and references: [4], [citation needed], up to
three words, or ¹), before white space, unless lower case or a joining mark (`continuer`) comes
next, or a number behind four dots or more; behind a dot without white space, too, between a word in
lower case and a capitalised one (He wrote.Then he); and behind the full stops of scripts without
spaces (`full_stop`), white space or not. But:
- A dot behind a listed abbreviation, an initial, or in German and Polish a number of one or two
  digits before a word, is part of its token (Inc., J., 3.), but not behind a word hyphenated at a
  line end. At a paragraph's end it is not, behind an initial or a number; nor behind a number
  before a starter. Behind those of the list `numbered` it is, only before a number.
- Titles (`title`: Mr.), those of `numbered` and ordinals (3.) end no sentence; those of `final`
  (etc.) do, like any other word.
- Any other abbreviation, initial or acronym (U.S.) ends one before a starter (The, He) and, if it
  is listed, before a given name. A company's (`company`: Inc.) does so too before a capitalised
  word that a verb follows (Inc. Shares rose), if that is no role (Chairman) and not all capitals;
  a verb is a word of the list or in -ed. `St.` does so before a given name and a verb,
  behind a capitalised word (Elm St. Mary left).
- `!` or `?` behind a capitalised word ends none before a company's suffix (Yahoo! Inc.), nor behind
  a name that is written so (`marked_name`), unless a starter follows.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

from fastner._text import Rules
from fastner.errors import InputError
from fastner.lists.rules import LANGUAGES, rules_of

Lines: TypeAlias = Literal["auto", "sentences", "wrapped"]


class Token(NamedTuple):
    """One token: its text and its half-open range of character offsets.

    markup: whether a model steps over it.
    """

    text: str
    start: int
    end: int
    markup: bool = False


def tokenize(
    text: str, *, language: str = "en", lines: Lines = "auto", html: bool = False
) -> list[list[Token]]:
    """Return the sentences of `text`, each a non-empty list of tokens.

    Any `str` is accepted. `text[t.start:t.end] == t.text` for each token; tokens are in order and
    do not overlap; each character that is not white space (`str.isspace`) lies in exactly one. A
    token holds white space only where a word is hyphenated at a line end, or if it is markup. In
    HTML, entities that are white space (&nbsp;) lie in none.

    Tokens: punctuation, brackets, quotes and clitics stand apart (do n't, it 's, `%`, `$ 5`);
    kept whole are abbreviations (U.S., Mr.), numbers and scores (1,234.56, 10:30, 2-1), hyphenated
    words, URLs, e-mail addresses, @handles, #tags, AT&T, O'Brien, C++, emoji sequences and runs of
    dashes or dots. An abbreviation that ends a sentence keeps its dot and no second one is added.
    A word with more than 64 joints (hyphens, dots, …) is cut there. All rules are in the docstring
    of this module.

    language: whose abbreviations, starters and elisions hold, one of `lists.rules.LANGUAGES`: en,
    de, fr, it, ca, es, pt, nl, pl, ru, or xx for any other.
    lines: whether line ends end sentences: "auto" decides for each block of lines, "sentences" says
    that each does, "wrapped" that none does but at blank lines, list markers, tables and headings.
    html: read entities and tags, with offsets in `text` as it is.

    Raises:
        InputError: `text` is not a `str`, or an option is not known.
    """
    if not isinstance(text, str):
        raise InputError(f"tokenize expects a str, got {type(text).__name__}; decode bytes first")
    return rules(language).tokenize(text, Token, lines, html)


@cache
def rules(language: str) -> Rules:
    """The compiled rules of a language; raises InputError for one that is not known."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(
            f"expected a language among {known}, got {language!r}; take xx for any other"
        )
    return Rules(**rules_of(language))


def joined(lines: Sequence[str], *, language: str = "en", html: bool = False) -> list[str]:
    """Return the lines, those together that a sentence runs across, as `tokenize` finds it.

    lines: a block, such as the lines of a file up to a blank one. Joined by line feeds, what is
    returned is what the lines are. So a program that reads lines can tell which are one text.
    """
    ranges = iter(rules(language).sentence_ranges("\n".join(lines), html))
    texts: list[str] = []
    at = end = 0  # where the line begins, and the last sentence that began before it ends
    begin, stop = next(ranges, (None, 0))
    for line in lines:
        while begin is not None and begin < at:
            end = stop
            begin, stop = next(ranges, (None, 0))
        if end > at and texts:
            texts[-1] += "\n" + line
        else:
            texts.append(line)
        at += len(line) + 1
    return texts


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
