"""`fastner tag`: one result for each input, in order, in bounded memory."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import accumulate, chain, groupby, tee
from typing import IO, TYPE_CHECKING, NamedTuple, TypeAlias, get_args

from fastner.cli import output, progress
from fastner.cli.live import Live, apart, between_pauses, live, with_pauses
from fastner.cli.options import (
    Commands,
    add_layout,
    add_running,
    command,
    load_tagger,
    named_file,
    utf8,
)
from fastner.cli.output import Record
from fastner.corpus import FORMATS as CORPUS_FORMATS
from fastner.corpus import iter_documents, iter_jsonl, iter_records, iter_text
from fastner.corpus.sources import GZIP, opened
from fastner.doc import Doc
from fastner.errors import InputError
from fastner.lists.phrases import Mode, PhraseError
from fastner.tags import shown
from fastner.text import Lines, joined

if TYPE_CHECKING:
    from fastner.tagger import Tagger

BLOCK = 1 << 16  # characters of lines that are looked at together; longer blocks are cut there
BATCH_TOKENS = 32_768  # read ahead from a stream, to tag sentences of like length together
FORMATS = ("text", *CORPUS_FORMATS)  # of the input
OF_ENDINGS = {
    ".jsonl": "jsonl",
    ".conll": "conll",
    ".conllu": "conllu",
    ".parquet": "parquet",
    ".spacy": "spacy",
}

OF_OPENINGS = {  # how files of other formats begin, and text hardly ever
    rb"-DOCSTART-": "conll",
    rb'\{"': "jsonl",
    rb'\{\s*"|\[\s*\{|\[\s*\[\s*"|[A-Za-z_]+ = \[\s*\(': "auto",
    rb"PAR1": "parquet",
    rb"# (?:newdoc id|sent_id|text) = ": "auto",
}


class Reading(NamedTuple):
    """How texts are read, as `Tagger.pipe` takes it."""

    lines: Lines = "auto"
    html: bool = False
    document: bool = False


Source: TypeAlias = list[str] | str | IO[str] | IO[bytes]  # texts, a path, or an open file


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "tag",
        run,
        "find the entities of texts, or of sentences given as words",
        "Results come in the order of the inputs, one for each. text: a line is an input of its "
        "own, blank ones too, but lines that a sentence runs across are one (--lines sentences: "
        "none are). Text and JSON lines that come by a pipe are answered as they come, but with "
        "--document: where it brings nothing for 0.1 seconds, what came before is whole. conll: "
        "the tag column, comments and -DOCSTART- lines of the input are ignored; "
        "on output a -DOCSTART- line parts texts, whose markup is left out, "
        "and a terminal is shown escapes for what does not print, where a file gets the words as "
        "they are. A line has at most 16 MiB. "
        'jsonl: one {"text": "…"} or {"tokens": ["…"]} a line; the output sets "entities", for '
        'tokens also "tags" (IOB2), in place of any there were, and keeps other keys. Other '
        "formats are those of tagged corpora (docs/corpora.md), whose annotations are ignored.",
    )
    parser.add_argument(
        "text",
        nargs="*",
        type=utf8,
        metavar="TEXT",
        help="a text to tag, in quotes; - alone is stdin",
    )
    parser.add_argument(
        "--file", metavar="F", help="tag this file, or stdin for - (default without TEXT: stdin)"
    )
    parser.add_argument(
        "--format",
        "--input",
        dest="input",
        choices=FORMATS,
        help="format of the file; text is lines and paragraphs, auto tells by what the file holds "
        "(default: by its ending .jsonl, .conll, .conllu, .parquet or .spacy, else text; a file "
        "that opens as another format is refused); --input is the older name",
    )
    parser.add_argument(
        "--output",
        choices=tuple(output.WRITERS),
        help="format of the results; marked is the text with its entities in it, in "
        "colours unless NO_COLOR is set (default: for TEXT marked on a terminal, else table; conll "
        "for conll, else jsonl)",
    )
    parser.add_argument(
        "--word-column",
        type=int,
        metavar="N",
        help="column of the words in conll input, from 0, negative from the right (default: 0)",
    )
    add_layout(parser)
    parser.add_argument(
        "--document",
        action="store_true",
        help="read names alike within a document: a text, plain text of a file or stdin being one, "
        "or all sentences up to the next mark (-DOCSTART-, # newdoc)",
    )
    parser.add_argument(
        "--scores",
        action="store_true",
        help="give the probability of each entity (in conll between word and tag)",
    )
    phrases = parser.add_argument_group("phrases that are known (docs/phrases.md)")
    phrases.add_argument(
        "--phrases",
        action="append",
        type=named_file,
        default=[],
        metavar="LABEL=F",
        help="a phrase a line, blank lines aside, which is an entity of this label wherever it "
        "stands, of none for the label O; may be given again",
    )
    phrases.add_argument(
        "--phrases-mode",
        choices=get_args(Mode),
        help="whether they are entities, or only likelier, and the model decides (default: force)",
    )
    phrases.add_argument(
        "--phrases-weight",
        type=float,
        metavar="W",
        help="with --phrases-mode prefer: natural log-odds for each word (default: 3)",
    )
    phrases.add_argument(
        "--phrases-ignore-case", action="store_true", help="whatever is written in capitals"
    )
    add_running(parser)


def run(args: argparse.Namespace) -> None:
    source = _source(args)
    form = args.input or format_of(source)
    if isinstance(source, list) and form != "text":
        args.usage_error(f"TEXT goes with --input text, not {form}; give {form} by --file")
    if args.word_column is not None and form not in ("auto", "conll", "germeval"):
        args.usage_error(f"--word-column goes with --input conll, not {form}")
    columns = form in ("conll", "germeval", "conllu")
    default = "conll" if columns else "jsonl"
    if isinstance(source, list):
        default = "marked" if output.on_terminal() else "table"
    if columns and (args.lines != "auto" or args.html):
        args.usage_error(f"--lines and --html go with texts, not {form}")
    # whoever types line by line wants each answer at once, and so does whoever watches a log
    typed = not isinstance(source, (str, list)) and source.isatty()
    pipe = None
    if not isinstance(source, (str, list)) and form in ("text", "jsonl") and not args.document:
        pipe = live(source)
    write = output.writer(args.output or default, args.scores)
    options = (args.phrases_mode, args.phrases_weight, args.phrases_ignore_case or None)
    if not args.phrases and options != (None, None, None):
        args.usage_error("the options of phrases go with --phrases LABEL=F")
    with (
        load_tagger(args) as loaded,
        _with_phrases(loaded, args) as tagger,
        _shown(source, form) as (source, show),
    ):
        reading = Reading(args.lines, args.html, args.document)
        documents: Iterator[list[Record] | None]
        if args.document:
            documents = iter(_documents(source, form, args.word_column))
        else:
            records: Iterator[Record | None]
            if form == "text" and not isinstance(source, list) and not typed:
                texts = _blocks(_lines(source, pipe), reading, tagger)
                records = (text if text is None else {"text": text} for text in texts)
                if reading.lines == "auto":  # their line ends were looked at where they stood
                    reading = reading._replace(lines="wrapped")
            elif pipe is not None:
                records = with_pauses(iter_jsonl(pipe), pipe.idle)
            else:
                records = iter(records_of(source, form, args.word_column))
            documents = (record if record is None else [record] for record in records)
        number = 0
        for run in apart(documents) if typed else between_pauses(documents):
            for record, doc in tag_documents(tagger, run, BATCH_TOKENS, args.scores, reading):
                write(number, record, doc)
                number += 1
                show(number)
            if typed or pipe is not None:
                output.flush()


def _with_phrases(tagger: Tagger, args: argparse.Namespace) -> AbstractContextManager[Tagger]:
    """The tagger with the lists that were asked for; raises InputError with path and line."""
    if not args.phrases:
        return nullcontext(tagger)
    phrases: dict[str, list[str]] = {}
    places: dict[str, list[tuple[str, array[int]]]] = {}  # files, and the numbers of lines
    for label, path in args.phrases:
        numbers = array("Q")
        places.setdefault(label, []).append((path, numbers))
        lines = phrases.setdefault(label, [])
        for number, line in enumerate(iter_text(path), 1):
            if line.strip():
                lines.append(line)
                numbers.append(number)
    try:
        return tagger.with_phrases(
            phrases,
            mode=args.phrases_mode or "force",
            weight=args.phrases_weight,
            ignore_case=args.phrases_ignore_case,
        )
    except PhraseError as error:
        index = error.index
        for path, numbers in places[error.label]:
            if index < len(numbers):
                raise InputError(f"{path}:{numbers[index]}: {error.problem}") from None
            index -= len(numbers)
        raise


def _source(args: argparse.Namespace) -> Source:
    """What to tag."""
    texts: list[str] = args.text
    file: str | None = args.file
    if texts and file is not None:
        args.usage_error("expected TEXT or --file, got both")
    if texts and texts != ["-"]:
        _check_texts(texts, args)
        return texts
    if file not in (None, "-"):
        return file
    asked = texts or file
    if sys.stdin is None or (not asked and sys.stdin.isatty()):
        args.usage_error("nothing to tag: give TEXT, --file F, or pipe text in")
    return sys.stdin


@contextmanager
def _shown(source: Source, form: str) -> Iterator[tuple[Source, Callable[[int], None]]]:
    """The source, and what to call with the number of results: it says how far a file is tagged."""
    if not isinstance(source, str) or not os.path.isfile(source) or not progress.seen():
        yield source, lambda results: None
        return
    size = os.path.getsize(source)
    with open(source, "rb") as file:
        if form in ("text", "jsonl") and file.peek(2)[:2] != GZIP:
            with progress.FileLines(size, file.tell) as show:
                yield file, show
            return
    with progress.FileLines(size, None) as show:
        yield source, show


def _check_texts(texts: list[str], args: argparse.Namespace) -> None:
    """Ends with wrong usage where texts are the names of files; notes words that lack quotes."""
    if any(len(text.split()) != 1 for text in texts):
        return
    if all(map(os.path.isfile, texts)):
        name = shlex.quote(texts[0])
        args.usage_error(
            f"{texts[0]} is a file: expected --file {name} for what it holds; "
            f"to tag the name itself, pipe it in: printf %s {name} | fastner tag"
        )
    if len(texts) > 1:
        output.note(
            f"fastner: note: {len(texts)} texts of one word each, tagged apart; put quotes around "
            "words that are one text"
        )


def format_of(source: Source) -> str:
    """The format that the file's ending says, else "text".

    Raises InputError for a file without such an ending that opens as one of another format does.
    """
    if not isinstance(source, str):
        return "text"
    ending = os.path.splitext(source.lower().removesuffix(".gz"))[1]
    if form := OF_ENDINGS.get(ending):
        return form
    if os.path.isfile(source):  # a pipe can be read only once
        with opened(source) as file:
            opening = file.start(80).removeprefix(b"\xef\xbb\xbf").lstrip()
        for pattern, form in OF_OPENINGS.items():
            if found := re.match(pattern, opening):
                raise InputError(
                    f"{source}: expected lines of text, got {shown(found[0].decode())} at the "
                    f"start; pass --input {form}, or --input text to tag it as it stands"
                )
    return "text"


def records_of(source: Source, form: str, word_column: int | None) -> Iterator[Record]:
    """The inputs of any format, one by one."""
    if isinstance(source, list):
        for text in source:
            yield {"text": text}
    elif form == "jsonl":
        yield from iter_jsonl(source)
    elif form == "text":
        for text in iter_text(source):
            yield {"text": text}
    else:
        notice = output.note if form == "auto" else None
        yield from iter_records(source, form, word_column=word_column, notice=notice)


def _documents(source: Source, form: str, word_column: int | None) -> Iterator[list[Record]]:
    """The inputs, one document after another; plain text of a file or stdin is one."""
    if form == "text" and not isinstance(source, list):
        yield [{"text": "\n".join(iter_text(source))}]
    elif form in ("text", "jsonl"):
        for is_text, run in groupby(records_of(source, form, None), _is_text):
            if is_text:
                for record in run:
                    yield [record]
            else:
                yield list(run)
    else:
        assert not isinstance(source, list)
        notice = output.note if form == "auto" else None
        yield from iter_documents(source, form, word_column=word_column, notice=notice)


def _lines(source: str | IO[str] | IO[bytes], pipe: Live | None) -> Iterator[str | None]:
    """The lines of plain text, and None for each moment at which a pipe brings no more."""
    return iter_text(source) if pipe is None else with_pauses(iter_text(pipe), pipe.idle)


def _blocks(lines: Iterable[str | None], reading: Reading, tagger: Tagger) -> Iterator[str | None]:
    """The texts of plain text: lines, or several that run on, which keep their line ends.

    None, a moment at which no more lines come, ends a block and is passed on.
    """
    block: list[str] = []
    size = 0
    for line in chain(lines, [None]):
        if block and (not line or size + len(line) > BLOCK):
            if reading.lines == "wrapped":
                yield "\n".join(block)
            elif reading.lines == "sentences":
                yield from block
            else:
                yield from joined(block, language=tagger.manifest.language, html=reading.html)
            block, size = [], 0
        if line:
            block.append(line)
            size += len(line) + 1
        else:
            yield line


def _is_text(record: Record) -> bool:
    return "text" in record


def tag_documents(
    tagger: Tagger,
    documents: Iterable[list[Record]],
    batch_tokens: int,
    scores: bool,
    reading: Reading,
) -> Iterator[tuple[Record, Doc]]:
    """Each record with its document, in order, holding about `batch_tokens` tokens in memory.

    documents: each a text, or sentences of words that are read together and held whole.
    """
    for is_text, run in groupby(documents, key=lambda document: _is_text(document[0])):
        some, ahead = tee(run)
        if is_text:
            texts = (record["text"] for [record] in ahead)
            docs = tagger.pipe(texts, batch_tokens=batch_tokens, scores=scores, **reading._asdict())
            yield from zip(chain.from_iterable(some), docs, strict=True)
            continue
        del ahead  # else it keeps all of the run
        batch: list[list[Record]] = []
        tokens = 0
        for document in some:
            batch.append(document)
            tokens += sum(len(record["tokens"]) + 1 for record in document)
            if tokens >= batch_tokens:
                yield from _tag_words(tagger, batch, scores, reading.document)
                batch, tokens = [], 0
        yield from _tag_words(tagger, batch, scores, reading.document)


def _tag_words(
    tagger: Tagger, documents: list[list[Record]], scores: bool, together: bool
) -> Iterator[tuple[Record, Doc]]:
    """Records that are one sentence of words each, with their documents."""
    from fastner.tagger import docs_of

    records = list(chain.from_iterable(documents))
    sentences = [record["tokens"] for record in records]
    firsts = list(accumulate(map(len, documents), initial=0))[:-1] if together else None
    docs = docs_of(tagger, sentences, scores=scores, documents=firsts)
    return zip(records, docs, strict=True)
