"""CoNLL columns: a word and its tag in columns, a line a token, a blank line after a sentence."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple, TextIO

from fastner.corpus.sentences import Corpus
from fastner.corpus.sources import Opening, Source, fail, lines_of, name_of
from fastner.errors import InputError
from fastner.reading import unbroken
from fastner.tags import OPEN, TagScheme, shown, split_tag, without_bilou

_LOOKAHEAD = 10_000  # lines held back until one shows how a CoNLL file is laid out
_TAGS_KEPT = 4096  # distinct tags kept as one shared object each
_RARE_OPENING = frozenset(" \t\ufeff#-")  # what blank lines, comments and -DOCSTART- begin with
_BLANK = " \t\ufeff"
_DOCSTART = re.compile(r"-DOCSTART-(?:[ \t]|$)")
_COMMENT = ("# ", "#\t")  # or the token "#"
_GAPS = re.compile("[ \t]+")


def read_conll(
    source: Source | Opening, *, word_column: int = 0, tag_column: int | None = -1
) -> Corpus:
    """The whole corpus of a CoNLL file; tag_column=None reads words only.

    One token per line in columns, a blank line after each sentence, UTF-8 with or without a
    byte-order mark. Columns count from 0, negative ones from the right. The first token decides
    for the file: where its line holds a tab, columns are parted by single tabs and may hold
    spaces; otherwise by runs of spaces or tabs. Nothing else parts columns or lines, so U+2028,
    U+0085, vertical tabs and no-break spaces stay in their words.

    A line of blanks (spaces, tabs, byte-order marks) ends a sentence. A line of which the first
    column is -DOCSTART- opens a document and is not a token. A line that begins with "#" and a
    space or tab is a comment, unless it has the columns of a token with a tag in its place: then it
    is the token "#". U- and L- of BILOU tags are read as S- and E- of BIOES.

    With tag_column=None that place is the last column where the first token has a tag there; else
    only the number of columns tells them apart.

    Raises InputError with path and line number for a malformed line, and OSError for a file
    that cannot be read.
    """
    sentences: list[list[str]] = []
    tags: list[list[str]] = []
    documents: list[int] = []
    for words, sentence_tags, opens_document, _ in rows(source, word_column, tag_column):
        if opens_document or not sentences:
            documents.append(len(sentences))
        sentences.append(words)
        tags.append(sentence_tags)
    if tag_column is None:
        return Corpus(sentences, [], None, documents, name_of(source), "conll")
    scheme = TagScheme.detect(tags)
    return Corpus(sentences, tags, scheme, documents, name_of(source), "conll")


def iter_conll(
    source: Source | Opening, *, word_column: int = 0, tag_column: int | None = -1
) -> Iterator[tuple[list[str], list[str]]]:
    """The words and tags of one sentence after another, holding one sentence in memory.

    Format and errors are those of read_conll; with tag_column=None the tags are empty.
    """
    for words, tags, _, _ in rows(source, word_column, tag_column):
        yield words, tags


def write_conll(
    file: TextIO, sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]
) -> None:
    """Writes word, tab, tag and a blank line after each sentence; read_conll gives them back.

    Reads its arguments one sentence at a time and writes each sentence whole or not at all, so
    both may be generators; open `file` as UTF-8. Raises InputError, with sentence and token
    (from 0), for what such a file cannot hold: sentences without words, words that are empty,
    hold a tab or newline or would read back as -DOCSTART-, and what is not a tag. A word that is
    hyphenated at a line end is written on one line (`reading.unbroken`).
    """
    for number, (words, sentence_tags) in enumerate(zip_longest(sentences, tags)):
        if words is None or sentence_tags is None:
            raise InputError(
                f"expected as many sentences as sequences of tags, got {number} "
                f"{'sentences' if words is None else 'sequences of tags'} and more of the other; "
                "pass one sequence of tags per sentence"
            )
        if not words or len(words) != len(sentence_tags):
            raise InputError(
                f"sentence {number}: expected words and one tag for each, got {len(words)} words "
                f"and {len(sentence_tags)} tags; leave out sentences without words"
            )
        lines = []
        for position, (word, tag) in enumerate(zip(words, sentence_tags, strict=True)):
            if "\n" in word:
                word = unbroken(word)
            _check_writable(word, tag, f"sentence {number}, token {position}")
            lines.append(f"{word}\t{tag}\n")
        if number == 0 and lines[0].startswith("\ufeff"):
            lines.insert(0, "\n")  # else the word would lose it as the file's byte-order mark
        lines.append("\n")
        try:
            file.write("".join(lines))
        except UnicodeEncodeError as error:
            raise InputError(
                f"sentence {number}: expected text that {error.encoding} can hold, got "
                f"{shown(error.object[error.start : error.end])}; open the file as UTF-8 and "
                "replace lone surrogates"
            ) from None


class _Layout(NamedTuple):
    """How the tokens of one CoNLL file are laid out, as its first token line shows."""

    line: int  # that line's number
    tabs: bool
    columns: int
    word: int  # column, not negative
    tag: int | None
    hint: int | None  # a column of tags, where there is one: a comment hardly has a tag there

    @classmethod
    def of(
        cls, name: str, number: int, line: str, word_column: int, tag_column: int | None
    ) -> "_Layout":
        tabs = "\t" in line
        values = _split(line, tabs)
        columns = len(values)
        wanted = [word_column] if tag_column is None else [word_column, tag_column]
        needed = max(len(wanted), *(c + 1 if c >= 0 else -c for c in wanted))
        places = [column % columns for column in wanted]
        named = f"word column {word_column}"
        if tag_column is not None:
            named += f" and tag column {tag_column}"
        if columns < needed:
            fail(
                f"{name}:{number}",
                f"at least {needed} columns, for {named}",
                f"{columns} in {shown(line)}",
                "name the columns that there are",
            )
        if len(set(places)) < len(wanted):
            fail(
                f"{name}:{number}",
                f"words and tags in two columns, not {named}",
                f"{columns} columns in {shown(line)}",
                "name another column for one of them",
            )
        if tag_column is not None:
            return cls(number, tabs, columns, places[0], places[1], places[1])
        last = columns - 1
        hint = last if last != places[0] and is_tag(values[last]) else None
        return cls(number, tabs, columns, places[0], None, hint)


def rows(
    source: Source | Opening, word_column: int, tag_column: int | None, *, partial: bool = False
) -> Iterator[tuple[list[str], list[str], bool, tuple[int, int]]]:
    """For one sentence at a time: words, tags, whether a -DOCSTART- line stands before, and lines.

    lines: the numbers of its first and last one, from 1. partial: a tag may be OPEN.
    """
    name = name_of(source)
    lines = lines_of(source)
    # A "# " line may be a comment or a token; a line that is surely a token settles the layout.
    held: list[tuple[int, str]] = []
    layout = None
    for number, line in lines:
        held.append((number, line))
        if _is_token(line):
            layout = _Layout.of(name, number, line, word_column, tag_column)
        if layout or len(held) == _LOOKAHEAD:
            break
    if layout is None:
        layout = _layout_of_hashes(name, held, word_column, tag_column)

    known: dict[str, str] = {}  # tags seen to be tags, each as one shared object
    words: list[str] = []
    tags: list[str] = []
    opens_document = False
    first = last = 0  # lines of the sentence
    for number, line in chain(held, lines):
        if not line or line[0] in _RARE_OPENING:
            docstart = _DOCSTART.match(line)
            if docstart or not line.strip(_BLANK):
                if words:
                    yield words, tags, opens_document, (first, last)
                    words, tags, opens_document = [], [], False
                opens_document = opens_document or docstart is not None
                continue
            if line.startswith(_COMMENT) and not _fits(line, layout):
                continue
        if layout is None:  # only comments came within the lookahead
            layout = _Layout.of(name, number, line, word_column, tag_column)
        columns = line.split("\t" if layout.tabs else " ")
        odd = "" in columns or (not layout.tabs and "\t" in line)
        if odd or len(columns) != layout.columns:
            columns = _split(line, layout.tabs)
            if len(columns) != layout.columns:
                fail(
                    f"{name}:{number}",
                    f"{layout.columns} columns parted by {'tabs' if layout.tabs else 'spaces'}, "
                    f"as in line {layout.line}",
                    f"{len(columns)} in {shown(line)}",
                    "correct the line",
                )
        word = columns[layout.word]
        if not word:
            got = f"none in {shown(line)}"
            fail(f"{name}:{number}", "a word", got, "delete or correct the line")
        if not words:
            first = number
        last = number
        words.append(word)
        if layout.tag is not None:
            tag = columns[layout.tag]
            shared = known.get(tag)
            if shared is None:
                shared = without_bilou(tag)
                try:
                    if not (partial and shared == OPEN):
                        split_tag(shared)
                except InputError as error:
                    first = layout.line == number
                    hint = ", or delete the line if it names the columns" if first else ""
                    raise InputError(f"{name}:{number}: {error}{hint}") from None
                if len(known) < _TAGS_KEPT:
                    known[tag] = shared
            tags.append(shared)
    if words:
        yield words, tags, opens_document, (first, last)


def _is_token(line: str) -> bool:
    """Whether the line is a token in any layout: not blank, no -DOCSTART-, no "#" of a comment."""
    return bool(line.strip(_BLANK) and not line.startswith(_COMMENT) and not _DOCSTART.match(line))


def _layout_of_hashes(
    name: str, held: list[tuple[int, str]], word_column: int, tag_column: int | None
) -> _Layout | None:
    """The layout of a file of which all lines open as comments do, if any of them is a token."""
    for number, line in held:
        if not line.startswith(_COMMENT):
            continue
        try:
            layout = _Layout.of(name, number, line, word_column, tag_column)
        except InputError:
            continue
        if _fits(line, layout) and (tag_column is not None or layout.tabs):
            return layout
    return None


def _fits(line: str, layout: _Layout | None) -> bool:
    """Whether the line has the number of columns of a token, and a tag where tags are."""
    if layout is None:
        return False
    columns = _split(line, layout.tabs)
    if len(columns) != layout.columns:
        return False
    return layout.hint is None or is_tag(columns[layout.hint])


def is_tag(text: str) -> bool:
    try:
        split_tag(without_bilou(text))
    except InputError:
        return False
    return True


def _split(line: str, tabs: bool) -> list[str]:
    return line.split("\t") if tabs else _GAPS.split(line.strip(" \t"))


def _check_writable(word: str, tag: str, where: str) -> None:
    if not word or "\t" in word or "\n" in word or _DOCSTART.match(word):
        raise InputError(
            f"{where}: expected a word without tab and newline that is not -DOCSTART-, got "
            f"{shown(word)}; replace the word or write JSON lines"
        )
    try:
        split_tag(tag)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
