"""Corpora: the only reader and writer of CoNLL columns, JSON lines and plain text."""

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, zip_longest
from typing import IO, Any, NamedTuple, NoReturn, TextIO

from fastner.errors import InputError
from fastner.tags import TagScheme, convert, shown, split_tag

Source = str | os.PathLike[str] | IO[str] | IO[bytes]  # a path or an open file, such as stdin

MAX_LINE = 16 << 20  # bytes, or characters of text that is decoded already

_LOOKAHEAD = 10_000  # lines held back until one shows how a CoNLL file is laid out
_TAGS_KEPT = 4096  # distinct tags kept as one shared object each
_RARE_OPENING = frozenset(" \t\ufeff#-")  # what blank lines, comments and -DOCSTART- begin with
_BLANK = " \t\ufeff"
_DOCSTART = re.compile(r"-DOCSTART-(?:[ \t]|$)")
_GAPS = re.compile("[ \t]+")
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True)
class Corpus:
    """Sentences in the order of their file.

    sentences[i] are the words of sentence i and tags[i] its tags, of the same length, in
    `scheme`; tags is empty and scheme None for a corpus read without tags. documents holds the
    index of the first sentence of each document, ascending, and is [0] for a corpus without
    document marks and [] for one without sentences. Raises InputError for unequal lengths.
    """

    sentences: list[list[str]]
    tags: list[list[str]]
    scheme: TagScheme | None
    documents: list[int]
    path: str

    def __post_init__(self) -> None:
        if self.scheme is None and not self.tags:
            return
        if self.scheme is None or list(map(len, self.sentences)) != list(map(len, self.tags)):
            raise InputError(
                f"{self.path}: expected a scheme and one tag per word in all "
                f"{len(self.sentences)} sentences, got scheme {self.scheme} and tags for "
                f"{len(self.tags)}; pass no tags and no scheme for words only"
            )

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.sentences)

    def converted(self, scheme: TagScheme) -> "Corpus":
        """The same corpus in another scheme, well-formed; raises InputError without tags."""
        if self.scheme is None:
            raise InputError(
                f"{self.path}: expected a corpus with tags, got words only; read it with tag_column"
            )
        tags = [convert(sentence, self.scheme, scheme) for sentence in self.tags]
        return replace(self, tags=tags, scheme=scheme)

    def require_sentences(self) -> None:
        """Raises InputError for a corpus without any, of which nothing can be learnt or scored."""
        if not self.sentences:
            raise InputError(f"{self.path}: expected at least one sentence, got none")


def read_conll(source: Source, *, word_column: int = 0, tag_column: int | None = -1) -> Corpus:
    """The whole corpus of a CoNLL file; tag_column=None reads words only.

    One token per line in columns, a blank line after each sentence, UTF-8 with or without a
    byte-order mark. Columns count from 0, negative ones from the right. The first token decides
    for the file: where its line holds a tab, columns are parted by single tabs and may hold
    spaces; otherwise by runs of spaces or tabs. Nothing else parts columns or lines, so U+2028,
    U+0085, vertical tabs and no-break spaces stay in their words.

    A line of blanks (spaces, tabs, byte-order marks) ends a sentence. A line of which the first
    column is -DOCSTART- opens a document and is not a token. A line that begins with "# " is a
    comment, unless it has the columns of a token with a tag in its place: then it is the token
    "#". With tag_column=None that place is the last column where the first token has a tag there;
    else only the number of columns tells them apart.

    Raises InputError with path and line number for a malformed line, and OSError for a file
    that cannot be read.
    """
    sentences: list[list[str]] = []
    tags: list[list[str]] = []
    documents: list[int] = []
    for words, sentence_tags, opens_document in _conll(source, word_column, tag_column):
        if opens_document or not sentences:
            documents.append(len(sentences))
        sentences.append(words)
        tags.append(sentence_tags)
    if tag_column is None:
        return Corpus(sentences, [], None, documents, _name(source))
    return Corpus(sentences, tags, TagScheme.detect(tags), documents, _name(source))


def iter_conll(
    source: Source, *, word_column: int = 0, tag_column: int | None = -1
) -> Iterator[tuple[list[str], list[str]]]:
    """The words and tags of one sentence after another, holding one sentence in memory.

    Format and errors are those of read_conll; with tag_column=None the tags are empty.
    """
    for words, tags, _ in _conll(source, word_column, tag_column):
        yield words, tags


def write_conll(
    file: TextIO, sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]
) -> None:
    """Writes word, tab, tag and a blank line after each sentence; read_conll gives them back.

    Reads its arguments one sentence at a time and writes each sentence whole or not at all, so
    both may be generators; open `file` as UTF-8. Raises InputError, with sentence and token
    (from 0), for what such a file cannot hold: sentences without words, words that are empty,
    hold a tab or newline or would read back as -DOCSTART-, and what is not a tag.
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


def read_jsonl(source: Source) -> list[dict[str, Any]]:
    """All objects of a JSON lines file, as iter_jsonl yields them."""
    return list(iter_jsonl(source))


def iter_jsonl(source: Source) -> Iterator[dict[str, Any]]:
    """One JSON object after another, one per line; lines of blanks are skipped.

    Each has either "text", a string, or "tokens", a list of non-empty strings, which may come
    with "tags", a tag for each. Other keys are passed through untouched. Raises InputError with
    path and line number for anything else.
    """
    name = _name(source)
    for number, line in _lines(source):
        if not line.strip(_BLANK):
            continue
        try:
            record = json.loads(line, parse_float=_finite, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            _fail(name, number, "one JSON object", f"{shown(line)} ({error})", "correct the line")
        problem = _record_problem(record)
        if problem:
            _fail(name, number, *problem)
        yield record


def json_safe(text: str) -> str:
    r"""JSON with escapes (\u202e) for what could drive a terminal or pass for a line end.

    That is C1 controls, direction marks, U+2028, U+2029, byte-order marks and lone surrogates; all
    other controls are escaped in any JSON. What it says stays the same.
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def jsonl_line(record: dict[str, Any]) -> str:
    """The object as one line of JSON that ends in a newline and that UTF-8 can encode.

    What could drive a terminal is escaped, see `json_safe`.

    Raises InputError for what JSON cannot hold, NaN and infinity included.
    """
    try:
        line = json_safe(json.dumps(record, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"expected an object that JSON can hold, got {shown(record)} ({error}); "
            "use strings, finite numbers, lists and dicts"
        ) from None
    return line + "\n"


def iter_text(source: Source) -> Iterator[str]:
    r"""One paragraph after another of a plain-text file: its lines, without their ends.

    Empty lines come as "", so that paragraphs and lines keep the same numbers. Lines end in
    "\n" or "\r\n" only. Raises InputError with path and line number where it is not UTF-8 or
    longer than MAX_LINE, 16 MiB.
    """
    for _, line in _lines(source):
        yield line


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
            _fail(
                name,
                number,
                f"at least {needed} columns, for {named}",
                f"{columns} in {shown(line)}",
                "name the columns that there are",
            )
        if len(set(places)) < len(wanted):
            _fail(
                name,
                number,
                f"words and tags in two columns, not {named}",
                f"{columns} columns in {shown(line)}",
                "name another column for one of them",
            )
        if tag_column is not None:
            return cls(number, tabs, columns, places[0], places[1], places[1])
        last = columns - 1
        hint = last if last != places[0] and _is_tag(values[last]) else None
        return cls(number, tabs, columns, places[0], None, hint)


def _conll(
    source: Source, word_column: int, tag_column: int | None
) -> Iterator[tuple[list[str], list[str], bool]]:
    """Words, tags and whether a -DOCSTART- line stands before, for one sentence at a time."""
    name = _name(source)
    lines = _lines(source)
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
    for number, line in chain(held, lines):
        if not line or line[0] in _RARE_OPENING:
            docstart = _DOCSTART.match(line)
            if docstart or not line.strip(_BLANK):
                if words:
                    yield words, tags, opens_document
                    words, tags, opens_document = [], [], False
                opens_document = opens_document or docstart is not None
                continue
            if line.startswith("# ") and not _fits(line, layout):
                continue
        if layout is None:  # only comments came within the lookahead
            layout = _Layout.of(name, number, line, word_column, tag_column)
        columns = line.split("\t" if layout.tabs else " ")
        odd = "" in columns or (not layout.tabs and "\t" in line)
        if odd or len(columns) != layout.columns:
            columns = _split(line, layout.tabs)
            if len(columns) != layout.columns:
                _fail(
                    name,
                    number,
                    f"{layout.columns} columns parted by {'tabs' if layout.tabs else 'spaces'}, "
                    f"as in line {layout.line}",
                    f"{len(columns)} in {shown(line)}",
                    "correct the line",
                )
        word = columns[layout.word]
        if not word:
            _fail(name, number, "a word", f"none in {shown(line)}", "delete or correct the line")
        words.append(word)
        if layout.tag is not None:
            tag = columns[layout.tag]
            shared = known.get(tag)
            if shared is None:
                try:
                    split_tag(tag)
                except InputError as error:
                    raise InputError(f"{name}:{number}: {error}") from None
                shared = tag
                if len(known) < _TAGS_KEPT:
                    known[tag] = tag
            tags.append(shared)
    if words:
        yield words, tags, opens_document


def _is_token(line: str) -> bool:
    """Whether the line is a token in any layout: not blank, no -DOCSTART-, no "# " opening."""
    return bool(line.strip(_BLANK) and not line.startswith("# ") and not _DOCSTART.match(line))


def _layout_of_hashes(
    name: str, held: list[tuple[int, str]], word_column: int, tag_column: int | None
) -> _Layout | None:
    """The layout of a file in which every line opens with "# ", if any of them is a token."""
    for number, line in held:
        if not line.startswith("# "):
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
    return layout.hint is None or _is_tag(columns[layout.hint])


def _is_tag(text: str) -> bool:
    try:
        split_tag(text)
    except InputError:
        return False
    return True


def _split(line: str, tabs: bool) -> list[str]:
    return line.split("\t") if tabs else _GAPS.split(line.strip(" \t"))


def _name(source: Source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "name", "<stream>"))


def _lines(source: Source) -> Iterator[tuple[int, str]]:
    r"""Numbers from 1 and lines without their "\n" or "\r\n", decoded from UTF-8.

    Refuses a line longer than MAX_LINE, of which no more is read: a line is held whole, with all
    that is made of it, and so it must have an end.
    """
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield from _lines(file)
        return
    # the bytes below a text file: its universal newlines would split at a lone "\r"
    opened = getattr(source, "buffer", source)
    lines: Iterable[str | bytes] = opened  # of something that is no file, but gives lines
    if hasattr(opened, "readline"):
        lines = iter(partial(opened.readline, MAX_LINE + 1), opened.readline(0))
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            unit = "bytes" if isinstance(line, bytes) else "characters"
            _fail(
                _name(source),
                number,
                f"lines of at most {MAX_LINE:,} {unit}",
                f"a longer one that begins with {shown(line[:40])}",
                "break it into several",
            )
        if isinstance(line, bytes):
            try:
                line = line.decode()
            except UnicodeDecodeError as error:
                _fail(
                    _name(source),
                    number,
                    "UTF-8",
                    f"byte 0x{line[error.start]:02x} at byte {error.start} of the line",
                    "convert the file to UTF-8",
                )
        if number == 1:
            line = line.removeprefix("\ufeff")
            if not line:  # a file of nothing but its mark has no lines
                return
        if line.endswith("\n"):
            line = line[:-2] if line.endswith("\r\n") else line[:-1]
        yield number, line


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
    if any(c in tag for c in "\t\n\r"):
        raise InputError(
            f"{where}: expected a tag without tab and line break, got {shown(tag)}; rename it"
        )


def _record_problem(record: object) -> tuple[str, str, str] | None:
    """What was expected, what came and what to do, or None for a valid record."""
    if not isinstance(record, dict):
        return "a JSON object", shown(record), 'write {"text": "…"} or {"tokens": ["…"]}'
    if ("text" in record) == ("tokens" in record):
        got = "both" if "text" in record else f"the keys {shown(list(record))}"
        return 'either "text" or "tokens"', got, "keep exactly one of them"
    if "text" in record:
        if not isinstance(record["text"], str):
            return 'a string as "text"', shown(record["text"]), "write one string"
        if "tags" in record:
            return '"tags" only beside "tokens"', 'them beside "text"', 'rename or delete "tags"'
        return None
    tokens = record["tokens"]
    if not isinstance(tokens, list) or not all(isinstance(t, str) and t for t in tokens):
        return 'a list of non-empty strings as "tokens"', shown(tokens), "write one per token"
    if "tags" not in record:
        return None
    tags = record["tags"]
    if not isinstance(tags, list) or len(tags) != len(tokens):
        return f'a list of {len(tokens)} "tags"', shown(tags), "write one per token"
    for position, tag in enumerate(tags):
        try:
            split_tag(tag)
        except (InputError, TypeError):
            got = f"{shown(tag)} at {position}"
            return '"tags" that are O or B-, I-, E-, S- before a label', got, "correct the tag"
    return None


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits} is too large for a number")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _fail(name: str, number: int, expected: str, got: str, do: str) -> NoReturn:
    raise InputError(f"{name}:{number}: expected {expected}, got {got}; {do}")
