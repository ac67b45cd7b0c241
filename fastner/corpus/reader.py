"""`read`: any format to a corpus. Formats are told from each other by what a file holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias, cast

from fastner.corpus import brat, conll, conllu, memory, records, tables
from fastner.corpus.items import Annotated, Item, Options, Placed, Tagged
from fastner.corpus.jsonl import BLANK
from fastner.corpus.sentences import Corpus, Finding, Text, summary
from fastner.corpus.signs import NO_ENTITY, signs
from fastner.corpus.sources import Opening, Source, fail, name_of, opened
from fastner.corpus.spans import MISALIGNED, OVERLAPPING, Misaligned, Overlapping, put_on_tokens
from fastner.errors import InputError
from fastner.tags import OPEN, TagScheme, shown

FORMATS = (
    "auto", "conll", "germeval", "conllu", *records.SHAPES, "parquet", "spacy", "brat",
)  # fmt: skip

# a path, an open file, a datasets.Dataset, a data frame, or records or pairs in memory
Readable: TypeAlias = Source | Iterable[Any]

_LOOKAHEAD = 1000  # records that may show which shape they have


class Reader:
    """A corpus that is open: what it was recognised as, and its items one after another.

    format: one of FORMATS, not "auto". findings: what was changed or left out so far.
    """

    def __init__(self, name: str, form: str, items: Iterator[Item], options: Options) -> None:
        self.name = name
        self.format = form
        self.findings: list[Finding] = options.findings
        self._items = items
        self._options = options

    def records(self) -> Iterator[dict[str, Any]]:
        """One {"text": …} or {"tokens": […]} after another, with the other keys of its record."""
        for item in self._items:
            yield dict(item.record)

    def documents(self) -> Iterator[list[dict[str, Any]]]:
        """The records of one document after another: a text, or sentences that no mark parts."""
        document: list[dict[str, Any]] = []
        text = False
        for item in self._items:
            opens = isinstance(item, Annotated) or text or item.opens_document
            if opens and document:
                yield document
                document = []
            text = isinstance(item, Annotated)
            document.append(dict(item.record))
        if document:
            yield document

    def sentences(self) -> Iterator[tuple[list[str], list[str]]]:
        """The words and tags of one sentence after another; those of a text in IOB2."""
        for sentence in self.placed():
            yield sentence.words, sentence.tags

    def placed(self) -> Iterator[Placed]:
        """What `sentences` gives, each with its place."""
        for item in self._items:
            if isinstance(item, Tagged):
                line = None
                if item.lines is not None:
                    first, last = item.lines
                    line = first if last - first + 1 == len(item.words) else None
                yield Placed(item.place, item.words, item.tags, self.name, line)
                continue
            tokens, tags = self._put(item)
            for number, (row, tag_row) in enumerate(zip(tokens, tags, strict=True), 1):
                part = f", sentence {number}" if len(tokens) > 1 else ""
                words = [token.text for token in row]
                yield Placed(f"{item.place}{part}", words, tag_row, self.name)

    def corpus(self) -> Corpus:
        """All that is left."""
        sentences: list[list[str]] = []
        tags: list[list[str]] = []
        documents: list[int] = []
        texts: list[Text] = []
        unknown: dict[int, frozenset[int]] = {}
        for item in self._items:
            if isinstance(item, Tagged):
                if item.words:
                    if item.opens_document or not sentences:
                        documents.append(len(sentences))
                    row = item.tags
                    if places := frozenset(i for i, tag in enumerate(row) if tag == OPEN):
                        unknown[len(sentences)] = places
                        row = ["O" if tag == OPEN else tag for tag in row]
                    sentences.append(item.words)
                    tags.append(row)
                continue
            tokens, tag_rows = self._put(item)
            if tokens:
                documents.append(len(sentences))
            texts.append(Text(item.text, tuple(map(tuple, tokens)), item.rest))
            if self._options.partial and "open" in item.record:
                unknown |= _open_tokens(item, tokens, tag_rows, len(sentences))
            sentences += ([token.text for token in row] for row in tokens)
            tags += tag_rows
        found = [f"{self.name}: {sign}" for sign in signs(sentences, tags)]
        if any(finding.kind == conllu.NO_KEY for finding in self.findings):
            found = [sign for sign in found if NO_ENTITY not in sign]  # said already
        return Corpus(
            sentences,
            tags,
            TagScheme.detect(tags),
            documents,
            self.name,
            self.format,
            (*summary(self.name, self.findings), *found),
            tuple(self.findings),
            tuple(texts),
            unknown,
        )

    def _put(self, item: Annotated) -> tuple[list[list[Any]], list[list[str]]]:
        left = item.record.get("open")
        if not self._options.partial and (left is True or (isinstance(left, list) and left)):
            kind = "texts that leave words open, as training alone reads them: here these are O"
            self._options.found(kind, item.place, f'"open": {shown(left)}')
        return put_on_tokens(
            item.text,
            item.spans,
            place=item.place,
            misaligned=self._options.misaligned,
            overlapping=self._options.overlapping,
            findings=self.findings,
            language=self._options.language,
        )


def read(
    source: Readable,
    format: str = "auto",
    *,
    word_column: int | None = None,
    tag_column: int | None = None,
    tag_key: str | None = None,
    tag_names: Sequence[str] | None = None,
    misaligned: Misaligned = "split",
    overlapping: Overlapping = "error",
    language: str = "en",
    partial: bool = False,
) -> Corpus:
    """The corpus of a file in any of FORMATS, which docs/corpora.md shows.

    source: a path (of a folder: BRAT's), an open file, or what is in memory: a `datasets.Dataset`,
    a data frame (pandas, polars, pyarrow) of such records or of one word a row, or any iterable of
    records as files hold them, of pairs (text, [(start, end, label), …]) or (words, tags).
    format: "auto" tells by what it holds; Corpus.format says what was recognised.

    word_column, tag_column: of CoNLL columns, as in read_conll; where each line begins with its
    number in the sentence (GermEval), they default to the next column and the one behind it, if
    that holds tags.
    tag_key: of CoNLL-U, the key in MISC (default NER); of JSON, the key of the tags. tag_names:
    the tags that numbers stand for; Parquet and datasets bring their own.

    Annotated characters are put onto the tokens of `text.tokenize`, by the rules of `language`.
    misaligned: for spans that begin or end inside a token, "split" the token, "widen" the span or
    raise the "error". overlapping: raise the "error", or keep the "longest". Corpus.warnings says
    what was changed or left out, and what looks as if the file was misread.

    partial: take the tag "?", and the key "open" beside annotated characters, for what nobody
    knows: Corpus.open says where.

    Raises InputError with path and line or record, DependencyError where a format needs a package
    that is not installed, and OSError.
    """
    options = Options(
        word_column, tag_column, tag_key, tag_names, misaligned, overlapping, language, partial
    )
    with open_corpus(source, format, options=options) as reader:
        return reader.corpus()


def iter_sentences(
    source: Readable,
    format: str = "auto",
    *,
    findings: list[Finding] | None = None,
    **options: Any,
) -> Iterator[tuple[list[str], list[str]]]:
    """The words and tags of one sentence after another, in memory for one record.

    Formats, options and errors are those of read. findings: a list that what is changed or left
    out is added to. Files that are one JSON array, BRAT texts and .spacy are still read whole.
    """
    chosen = Options(**options, findings=[] if findings is None else findings)
    with open_corpus(source, format, options=chosen) as reader:
        yield from reader.sentences()


def iter_records(
    source: Readable,
    format: str = "auto",
    *,
    word_column: int | None = None,
    notice: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """One {"text": …} or {"tokens": […]} after another, as `tag` takes them, whatever is annotated.

    Other keys of a record come along. notice is called with a line that says what was recognised.
    Formats and errors are those of read.
    """
    with open_corpus(source, format, options=Options(word_column), tags=False) as reader:
        if notice is not None:
            notice(f"{reader.name}: read as {reader.format}")
        yield from reader.records()


def iter_documents(
    source: Readable,
    format: str = "auto",
    *,
    word_column: int | None = None,
    notice: Callable[[str], None] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """What iter_records gives, one document after another.

    A document is a text, or the sentences up to the next mark of a document: all of them where the
    format has none.
    """
    with open_corpus(source, format, options=Options(word_column), tags=False) as reader:
        if notice is not None:
            notice(f"{reader.name}: read as {reader.format}")
        yield from reader.documents()


@contextmanager
def open_corpus(
    source: Readable, format: str = "auto", *, options: Options, tags: bool = True
) -> Iterator[Reader]:
    """A reader of the source; tags=False reads words and texts alone, whatever their tags."""
    for name, value, values in (
        ("format", format, FORMATS),
        ("misaligned", options.misaligned, MISALIGNED),
        ("overlapping", options.overlapping, OVERLAPPING),
    ):
        if value not in values:
            raise InputError(f"expected {name} out of {', '.join(values)}, got {value!r}")
    if isinstance(source, Mapping):
        got = f"a dict of {', '.join(map(str, source))}"
        fail("<dict>", "one corpus", got, "choose one, as in dataset['train']")
    rows: tables.Records
    name = tables.name_of_rows(source)
    if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "readline"):
        if not memory.is_frame(source) and not tables.is_dataset(source):
            if not isinstance(source, Iterable):
                fail(name, "a path, an open file, records or pairs", shown(source), "pass those")
            if memory.is_pair(source):
                fail(name, "a list of pairs", f"the pair {shown(source)}", "write [pair]")
            first, again = memory.first_of(cast(Iterable[Any], source))
            if isinstance(first, (str, bytes)):  # lines, as a file gives them
                with opened(cast(Source, again)) as opening:
                    opening.name = name
                    yield _of_file(opening, format, options, tags)
                return
            source = cast(Readable, again if hasattr(source, "__next__") else source)
        rows, options = tables.rows_of(source, name, options)
        yield _of_records(name, rows, format, options, tags)
        return
    if brat.is_folder(source) or format == "brat":
        if format not in ("auto", "brat") or not isinstance(source, (str, os.PathLike)):
            fail(name_of(source), f"a file for {format}", "a folder", "choose format brat")
        if not brat.is_folder(source):
            fail(name_of(source), "a folder with .ann files", "none", "name the folder")
        yield Reader(name_of(source), "brat", brat.items_of(source, options, spans=tags), options)
        return
    if isinstance(source, (str, os.PathLike)) and Path(source).is_dir() and format == "auto":
        if any(Path(source).glob("*.arrow")):
            do = "pass datasets.load_from_disk(folder) instead"
            fail(name_of(source), "a file or BRAT's folder", "a folder of datasets", do)
        fail(
            name_of(source), "a file or BRAT's folder", "a folder without .ann files", "name a file"
        )
    with opened(cast(Source, source)) as opening:  # all else has returned
        yield _of_file(opening, format, options, tags)


def _open_tokens(
    item: Annotated, rows: Sequence[Sequence[Any]], tags: Sequence[Sequence[str]], first: int
) -> dict[int, frozenset[int]]:
    """The tokens of a text that its key "open" says nobody knows, by sentence from `first` on.

    true: all that no span covers; [[start, end], …]: those that overlap these characters.
    """
    value = item.record["open"]
    ranges = [(0, len(item.text))] if value is True else [] if value is False else value
    if not isinstance(ranges, list) or not all(
        isinstance(part, (list, tuple))
        and len(part) == 2
        and all(type(at) is int for at in part)
        and 0 <= part[0] < part[1] <= len(item.text)
        for part in ranges
    ):
        do = "write true, or [[start, end], …] within the text"
        fail(item.place, 'characters as "open"', shown(value), do)
    found = {}
    for number, (row, tag_row) in enumerate(zip(rows, tags, strict=True), first):
        places = frozenset(
            i
            for i, (token, tag) in enumerate(zip(row, tag_row, strict=True))
            if tag == "O" and any(token.start < end and start < token.end for start, end in ranges)
        )
        if places:
            found[number] = places
    return found


def _of_file(opening: Opening, format: str, options: Options, tags: bool) -> Reader:
    form = recognise(opening) if format == "auto" else format
    if form == "parquet":
        rows, options = tables.parquet(opening, options)
        reader = _of_records(opening.name, rows, "auto", options, tags)
        reader.format = "parquet"
        return reader
    if form == "spacy":
        items: Iterator[Item] = tables.docbin(opening, options, spans=tags)
    elif form == "conllu":
        items = conllu.items_of(opening, options, spans=tags)
    elif form in ("conll", "germeval"):
        items = _columns(opening, form, options, tags)
    else:
        found = records.records_of(opening)
        return _of_records(opening.name, found, "auto" if format == "auto" else form, options, tags)
    return Reader(opening.name, form, items, options)


def recognise(opening: Opening) -> str:
    """Which of FORMATS a file is in, by its first lines; "conll" where nothing else shows."""
    if opening.opens_with(tables.PARQUET):
        return "parquet"
    if opening.opens_with(b"\x78") and b"\x00" in b"".join(
        line for line in opening.head if isinstance(line, bytes)
    ):
        return "spacy"  # what zlib writes, and no text
    lines = opening.head_lines()
    first = next((line.lstrip(BLANK) for line in lines if line.strip(BLANK)), "")
    if first.startswith(("{", "[")) and not _is_row(first):
        return "jsonl"  # or another of records.SHAPES: its records say which
    if records.is_python("\n".join(lines[:50])):
        return "spacy-json"
    tokens = [line for line in lines if line.strip(BLANK) and not line.startswith("#")]
    if tokens and all(map(conllu.looks_like, tokens[:20])):
        return "conllu"
    return "germeval" if _numbered(lines) else "conll"


def _is_row(line: str) -> bool:
    """Whether a line that opens with a bracket is a token all the same, with a tag at its end."""
    columns = line.split("\t") if "\t" in line else line.split()
    return len(columns) > 1 and conll.is_tag(columns[-1])


def _numbered(lines: Sequence[str]) -> bool:
    """Whether the first column counts the tokens of each sentence, and a column of tags follows."""
    at = rows = 0
    for line in lines[:200]:
        if not line.strip(BLANK):
            at = 0
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        if line.startswith("#") or columns[0] == "-DOCSTART-":
            continue
        at += 1
        if columns[0] != str(at) or len(columns) < 3 or not any(map(conll.is_tag, columns[2:])):
            return False
        rows += 1
    return rows > 1


def _columns(opening: Opening, form: str, options: Options, tags: bool) -> Iterator[Item]:
    """The sentences of CoNLL columns."""
    word, tag = options.word_column, options.tag_column
    if form == "germeval":
        word = 1 if word is None else word
        if tag is None and _tags_beside(opening.head_lines()):
            tag = 2
    chosen = (0 if word is None else word), (-1 if tag is None else tag)
    name = opening.name
    read = conll.rows(
        opening, chosen[0], chosen[1] if tags else None, partial=tags and options.partial
    )
    for words, row, opens, lines in read:
        yield Tagged(f"{name}:{lines[0]}", words, row, {"tokens": words}, opens, lines)


def _tags_beside(lines: Sequence[str]) -> bool:
    """Whether tags stand right behind number and word, as the outer ones of GermEval do."""
    rows = [line.split("\t") if "\t" in line else line.split() for line in lines]
    return all(conll.is_tag(row[2]) for row in rows if len(row) > 2 and row[0].isdecimal())


def _of_records(name: str, rows: tables.Records, form: str, options: Options, tags: bool) -> Reader:
    """A reader of records, of the shape that the first ones show where it is not given."""
    held = []
    if form == "auto":
        rows = iter(rows)
        held = list(islice(rows, _LOOKAHEAD))
        found = records.shape_of_records((record for _, record in held), options.tag_key)
        if found is None and not tags and held and isinstance(held[0][1], dict):
            found = "tokens" if "tokens" in held[0][1] else "jsonl"
        if found is None:
            if held:
                place, got = held[0][0], shown(held[0][1], 100)
                do = "name the keys so, or --format"
                fail(place, f"annotations, as in {' or '.join(_SHAPES)}", got, do)
            found = "jsonl"
        form = found
    if form not in records.SHAPES:
        raise InputError(f"{name}: expected format out of {', '.join(records.SHAPES)}, got {form}")
    items = records.items_of(chain(held, rows), form, options, spans=tags)
    return Reader(name, form, items, options)


_SHAPES = (
    '{"text", "spans"}',
    '{"text", "label"}',
    '{"text", "entities"}',
    '{"tokens", "ner_tags"}',
)
